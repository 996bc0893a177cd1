# What an app's team manages: an identity pool, the roles that it gives, who gets which, and the tags of sessions.
terraform {
  required_providers {
    aws = { source = "hashicorp/aws" }
  }
}

provider "aws" {
  region                  = "us-east-1"
  skip_metadata_api_check = true
  skip_region_validation  = true
}

variable "guests" {
  type = bool
}

resource "aws_iam_openid_connect_provider" "corp" {
  url             = "https://idp.corp.test"
  client_id_list  = ["staff-app"]
  thumbprint_list = ["9e99a48a9960b14926bb7f3b02e22da2b0ab7280"]
}

resource "aws_cognito_identity_pool" "phone" {
  identity_pool_name               = "phone"
  allow_unauthenticated_identities = var.guests
  allow_classic_flow               = false
  developer_provider_name          = "login.phone.example"
  openid_connect_provider_arns     = [aws_iam_openid_connect_provider.corp.arn]
  supported_login_providers        = { "accounts.google.com" = "123456789012.apps.googleusercontent.com" }
  tags                             = { team = "phone" }

  cognito_identity_providers {
    client_id               = "1h57kf5cpq17m0eml12EXAMPLE"
    provider_name           = "cognito-idp.us-east-1.amazonaws.com/us-east-1_PhoneApp1"
    server_side_token_check = false
  }
}

data "aws_iam_policy_document" "trust" {
  for_each = toset(["authenticated", "unauthenticated"])
  statement {
    actions = ["sts:AssumeRoleWithWebIdentity", "sts:TagSession"]
    principals {
      type        = "Federated"
      identifiers = ["cognito-identity.amazonaws.com"]
    }
    condition {
      test     = "StringEquals"
      variable = "cognito-identity.amazonaws.com:aud"
      values   = [aws_cognito_identity_pool.phone.id]
    }
    condition {
      test     = "ForAnyValue:StringLike"
      variable = "cognito-identity.amazonaws.com:amr"
      values   = [each.key]
    }
  }
}

resource "aws_iam_role" "phone" {
  for_each           = data.aws_iam_policy_document.trust
  name               = "phone-${each.key}"
  assume_role_policy = each.value.json
}

resource "aws_cognito_identity_pool_roles_attachment" "phone" {
  identity_pool_id = aws_cognito_identity_pool.phone.id
  roles            = { for kind, role in aws_iam_role.phone : kind => role.arn }

  role_mapping {
    identity_provider         = "cognito-idp.us-east-1.amazonaws.com/us-east-1_PhoneApp1:1h57kf5cpq17m0eml12EXAMPLE"
    ambiguous_role_resolution = "AuthenticatedRole"
    type                      = "Rules"

    mapping_rule {
      claim      = "custom:plan"
      match_type = "Equals"
      role_arn   = aws_iam_role.phone["authenticated"].arn
      value      = "premium"
    }
  }
}

resource "aws_cognito_identity_pool_provider_principal_tag" "phone" {
  identity_pool_id       = aws_cognito_identity_pool.phone.id
  identity_provider_name = "cognito-idp.us-east-1.amazonaws.com/us-east-1_PhoneApp1"
  use_defaults           = false
  principal_tags         = { plan = "custom:plan" }
}
