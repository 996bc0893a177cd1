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
  username_configuration { case_sensitive = false }
  password_policy {
    minimum_length                   = 10
    require_lowercase                = true
    require_numbers                  = true
    require_symbols                  = false
    require_uppercase                = true
    temporary_password_validity_days = 3
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
