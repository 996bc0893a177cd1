variable "description" { type = string }

terraform {
  required_providers {
    aws = { source = "hashicorp/aws" }
  }
}

provider "aws" {}

resource "aws_cognito_user_pool" "shop" {
  name                       = "shop"
  username_attributes        = ["email"]
  auto_verified_attributes   = ["email"]
  deletion_protection        = "INACTIVE"
  mfa_configuration          = "OPTIONAL"
  email_verification_subject = "Your ${var.description}"

  software_token_mfa_configuration { enabled = true }
  user_pool_add_ons { advanced_security_mode = "AUDIT" }
  device_configuration {
    challenge_required_on_new_device      = true
    device_only_remembered_on_user_prompt = var.description == "one"
  }
  user_attribute_update_settings {
    attributes_require_verification_before_update = ["email"]
  }
  username_configuration { case_sensitive = false }
  password_policy {
    minimum_length                   = 10
    require_lowercase                = true
    require_numbers                  = true
    require_symbols                  = false
    require_uppercase                = true
    temporary_password_validity_days = 3
    password_history_size            = 2
  }
  admin_create_user_config {
    allow_admin_create_user_only = false
    invite_message_template {
      email_message = "Hello {username}, your password is {####}"
      email_subject = "Welcome"
      sms_message   = "{username} {####}"
    }
  }
  account_recovery_setting {
    recovery_mechanism {
      name     = "verified_email"
      priority = 1
    }
  }
  schema {
    name                = "plan"
    attribute_data_type = "String"
    mutable             = true
    string_attribute_constraints {
      min_length = 0
      max_length = 20
    }
  }
  tags = { what = var.description }
}

resource "aws_cognito_user_pool" "plain" {
  name = "plain"
}

resource "aws_cognito_user_pool_client" "web" {
  name                          = "web"
  user_pool_id                  = aws_cognito_user_pool.shop.id
  generate_secret               = true
  explicit_auth_flows           = ["ALLOW_USER_SRP_AUTH", "ALLOW_REFRESH_TOKEN_AUTH", "ALLOW_USER_PASSWORD_AUTH"]
  prevent_user_existence_errors = "ENABLED"
  access_token_validity         = var.description == "one" ? 10 : 20
  id_token_validity             = 10
  refresh_token_validity        = 2
  token_validity_units {
    access_token  = "minutes"
    id_token      = "minutes"
    refresh_token = "days"
  }
}

resource "aws_cognito_user_pool_client" "plain" {
  name         = "plain"
  user_pool_id = aws_cognito_user_pool.plain.id
}

resource "aws_cognito_user" "ada" {
  user_pool_id = aws_cognito_user_pool.shop.id
  username     = "ada@example.org"
  password     = "CorrectHorse1"
  attributes = {
    email          = "ada@example.org"
    email_verified = true
    plan           = var.description
  }
}

resource "aws_cognito_user_group" "staff" {
  name         = "staff"
  user_pool_id = aws_cognito_user_pool.shop.id
  description  = var.description
  precedence   = 3
  role_arn     = "arn:aws:iam::111122223333:role/staff"
}

resource "aws_cognito_user_in_group" "ada_staff" {
  user_pool_id = aws_cognito_user_pool.shop.id
  group_name   = aws_cognito_user_group.staff.name
  username     = aws_cognito_user.ada.username
}

resource "aws_cognito_user_pool_domain" "shop" {
  domain       = "shop-example"
  user_pool_id = aws_cognito_user_pool.shop.id
}

resource "aws_cognito_resource_server" "api" {
  identifier   = "https://api.example.org"
  name         = "api ${var.description}"
  user_pool_id = aws_cognito_user_pool.shop.id
  scope {
    scope_name        = "read"
    scope_description = "Read"
  }
}

resource "aws_cognito_identity_provider" "corp" {
  user_pool_id  = aws_cognito_user_pool.shop.id
  provider_name = "corp"
  provider_type = "OIDC"
  provider_details = {
    attributes_request_method = "GET"
    authorize_scopes          = "openid email"
    client_id                 = "shop-${var.description}"
    client_secret             = "not-a-secret-of-anybody"
    oidc_issuer               = "https://idp.corp.test"
    authorize_url             = "https://idp.corp.test/authorize"
    token_url                 = "https://idp.corp.test/token"
    attributes_url            = "https://idp.corp.test/userinfo"
    jwks_uri                  = "https://idp.corp.test/jwks"
  }
  attribute_mapping = { email = "email", username = "sub" }
  lifecycle {
    ignore_changes = [provider_details["attributes_url_add_attributes"]]
  }
}

resource "aws_cognito_risk_configuration" "shop" {
  user_pool_id = aws_cognito_user_pool.shop.id
  risk_exception_configuration {
    blocked_ip_range_list = [var.description == "one" ? "192.0.2.0/24" : "198.51.100.0/24"]
  }
}

resource "aws_cognito_user_pool_client" "rotating" {
  name                = "rotating"
  user_pool_id        = aws_cognito_user_pool.shop.id
  explicit_auth_flows = ["ALLOW_USER_SRP_AUTH"]
}

resource "aws_cognito_user_pool_ui_customization" "shop" {
  user_pool_id = aws_cognito_user_pool_domain.shop.user_pool_id
  css          = ".label-customizable {font-weight: ${var.description == "one" ? 400 : 500};}"
}

# A client that another service has made (OpenSearch does): Terraform takes it over, and leaves it there.
resource "aws_cognito_managed_user_pool_client" "search" {
  user_pool_id           = "us-east-1_Search1"
  name_prefix            = "AmazonOpenSearchService"
  refresh_token_validity = var.description == "one" ? 3 : 4
  explicit_auth_flows    = ["ALLOW_USER_SRP_AUTH", "ALLOW_REFRESH_TOKEN_AUTH"]
}

resource "aws_cognito_user_pool" "federated" {
  name                = "federated ${var.description}"
  deletion_protection = "INACTIVE"
  alias_attributes    = ["email", "preferred_username"]

  email_configuration {
    email_sending_account  = "DEVELOPER"
    from_email_address     = "shop@example.org"
    reply_to_email_address = "help@example.org"
    source_arn             = "arn:aws:ses:us-east-1:111122223333:identity/example.org"
  }
  lambda_config {
    pre_sign_up = "arn:aws:lambda:us-east-1:111122223333:function:${var.description}"
    pre_token_generation_config {
      lambda_arn     = "arn:aws:lambda:us-east-1:111122223333:function:claims"
      lambda_version = "V2_0"
    }
  }
  sign_in_policy { allowed_first_auth_factors = ["PASSWORD", "EMAIL_OTP"] }
  verification_message_template {
    default_email_option  = "CONFIRM_WITH_LINK"
    email_message_by_link = "{##Click here##}"
    email_subject_by_link = "Click"
  }
}

resource "aws_cognito_user_pool_domain" "federated" {
  domain                = "login.shop.example"
  user_pool_id          = aws_cognito_user_pool.federated.id
  certificate_arn       = "arn:aws:acm:us-east-1:111122223333:certificate/11111111-2222-3333-4444-555555555555"
  managed_login_version = 2
}

resource "aws_cognito_identity_provider" "saml" {
  user_pool_id      = aws_cognito_user_pool.federated.id
  provider_name     = "corp-saml"
  provider_type     = "SAML"
  provider_details  = { MetadataFile = file("metadata.xml") }
  attribute_mapping = { email = "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/emailaddress" }
  idp_identifiers   = ["${var.description}.example"]
  lifecycle {
    ignore_changes = [provider_details["ActiveEncryptionCertificate"], provider_details["SLORedirectBindingURI"], provider_details["SSORedirectBindingURI"]]
  }
}

resource "aws_cognito_user_pool_client" "federated" {
  name                                 = "federated"
  user_pool_id                         = aws_cognito_user_pool.federated.id
  allowed_oauth_flows_user_pool_client = true
  allowed_oauth_flows                  = ["code"]
  allowed_oauth_scopes                 = ["openid", "email"]
  callback_urls                        = ["https://shop.example/${var.description}"]
  logout_urls                          = ["https://shop.example/out"]
  default_redirect_uri                 = "https://shop.example/${var.description}"
  supported_identity_providers         = ["COGNITO", aws_cognito_identity_provider.saml.provider_name]
  auth_session_validity                = 5
  enable_token_revocation              = true
  explicit_auth_flows                  = ["ALLOW_USER_AUTH", "ALLOW_REFRESH_TOKEN_AUTH"]
  read_attributes                      = ["email", "email_verified"]
  write_attributes                     = ["email"]
}

resource "aws_cognito_risk_configuration" "client" {
  user_pool_id = aws_cognito_user_pool.shop.id
  client_id    = aws_cognito_user_pool_client.web.id
  compromised_credentials_risk_configuration {
    event_filter = ["SIGN_IN"]
    actions { event_action = "BLOCK" }
  }
}

data "aws_cognito_user_pools" "search" { name = "search" }

data "aws_cognito_user_pool" "search" { user_pool_id = one(data.aws_cognito_user_pools.search.ids) }

data "aws_cognito_user_pool_client" "search" {
  user_pool_id = data.aws_cognito_user_pool.search.id
  client_id    = aws_cognito_managed_user_pool_client.search.id
}

data "aws_cognito_user_groups" "shop" {
  user_pool_id = aws_cognito_user_pool.shop.id
  depends_on   = [aws_cognito_user_group.staff]
}

data "aws_cognito_user_pool_signing_certificate" "federated" {
  user_pool_id = aws_cognito_user_pool.federated.id
}

output "told" {
  value = [data.aws_cognito_user_pool.search.name, data.aws_cognito_user_pool_client.search.name, one(data.aws_cognito_user_groups.shop.groups[*].group_name)]
}
