# What an administrator of people manages: directory, permission sets, assignments, applications.
terraform {
  required_providers {
    aws = { source = "hashicorp/aws" }
  }
}

variable "duration" { type = string }
variable "title" { type = string }

provider "aws" {
  region                  = "us-east-1"
  skip_metadata_api_check = true
  skip_region_validation  = true
}

data "aws_ssoadmin_instances" "here" {}

locals {
  instance = data.aws_ssoadmin_instances.here.arns[0]
  store    = data.aws_ssoadmin_instances.here.identity_store_ids[0]
}

resource "aws_identitystore_user" "jane" {
  identity_store_id = local.store
  user_name         = "jane"
  display_name      = "Jane Doe"
  title             = var.title
  name {
    given_name  = "Jane"
    family_name = "Doe"
  }
  emails {
    value   = "jane@example.com"
    primary = true
  }
}

resource "aws_identitystore_group" "developers" {
  identity_store_id = local.store
  display_name      = "developers"
  description       = var.title
}

resource "aws_identitystore_group_membership" "jane" {
  identity_store_id = local.store
  group_id          = aws_identitystore_group.developers.group_id
  member_id         = aws_identitystore_user.jane.user_id
}

data "aws_identitystore_user" "jane" {
  identity_store_id = local.store
  alternate_identifier {
    unique_attribute {
      attribute_path  = "UserName"
      attribute_value = aws_identitystore_user.jane.user_name
    }
  }
}

resource "aws_ssoadmin_permission_set" "developer" {
  name             = "Developer"
  instance_arn     = local.instance
  session_duration = var.duration
  relay_state      = "https://console.aws.amazon.com/s3"
  tags             = { team = "shop" }
}

resource "aws_ssoadmin_managed_policy_attachment" "read" {
  instance_arn       = local.instance
  permission_set_arn = aws_ssoadmin_permission_set.developer.arn
  managed_policy_arn = "arn:aws:iam::aws:policy/ReadOnlyAccess"
  depends_on         = [aws_ssoadmin_account_assignment.developers]
}

resource "aws_ssoadmin_permission_set_inline_policy" "own" {
  instance_arn       = local.instance
  permission_set_arn = aws_ssoadmin_permission_set.developer.arn
  inline_policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Effect = "Allow", Action = "s3:*", Resource = "*" }]
  })
}

resource "aws_ssoadmin_permissions_boundary_attachment" "edge" {
  instance_arn       = local.instance
  permission_set_arn = aws_ssoadmin_permission_set.developer.arn
  permissions_boundary {
    managed_policy_arn = "arn:aws:iam::aws:policy/PowerUserAccess"
  }
}

resource "aws_ssoadmin_account_assignment" "developers" {
  instance_arn       = local.instance
  permission_set_arn = aws_ssoadmin_permission_set.developer.arn
  principal_id       = aws_identitystore_group.developers.group_id
  principal_type     = "GROUP"
  target_id          = "444455556666"
  target_type        = "AWS_ACCOUNT"
}

resource "aws_ssoadmin_instance_access_control_attributes" "tags" {
  instance_arn = local.instance
  attribute {
    key = "email"
    value {
      source = ["$${path:emails[primary eq true].value}"]
    }
  }
}

resource "aws_ssoadmin_application" "shop" {
  name                     = "shop"
  application_provider_arn = "arn:aws:sso::aws:applicationProvider/custom"
  instance_arn             = local.instance
  description              = var.title
}

resource "aws_ssoadmin_application_assignment" "jane" {
  application_arn = aws_ssoadmin_application.shop.application_arn
  principal_id    = aws_identitystore_user.jane.user_id
  principal_type  = "USER"
}

resource "aws_ssoadmin_application_assignment_configuration" "shop" {
  application_arn     = aws_ssoadmin_application.shop.application_arn
  assignment_required = true
}

resource "aws_ssoadmin_application_access_scope" "accounts" {
  application_arn = aws_ssoadmin_application.shop.application_arn
  scope           = "sso:account:access"
}

resource "aws_ssoadmin_trusted_token_issuer" "corp" {
  name                      = "corp"
  instance_arn              = local.instance
  trusted_token_issuer_type = "OIDC_JWT"
  trusted_token_issuer_configuration {
    oidc_jwt_configuration {
      claim_attribute_path          = "email"
      identity_store_attribute_path = "emails.value"
      issuer_url                    = "https://corp.example.com"
      jwks_retrieval_option         = "OPEN_ID_DISCOVERY"
    }
  }
}
