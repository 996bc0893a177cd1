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
