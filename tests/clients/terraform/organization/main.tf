# What a platform team manages: a unit, a policy, and what hangs where.
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

variable "action" {
  type = string
}

data "aws_organizations_organization" "this" {}

resource "aws_organizations_organizational_unit" "sandbox" {
  name      = "sandbox"
  parent_id = data.aws_organizations_organization.this.roots[0].id
  tags      = { team = "platform" }
}

resource "aws_organizations_policy" "guard" {
  name        = "guard"
  description = "Keeps hands off"
  content     = jsonencode({ Version = "2012-10-17", Statement = [{ Effect = "Deny", Action = var.action, Resource = "*" }] })
  tags        = { team = "platform" }
}

resource "aws_organizations_policy_attachment" "guard" {
  policy_id = aws_organizations_policy.guard.id
  target_id = aws_organizations_organizational_unit.sandbox.id
}

data "aws_organizations_organizational_units" "all" {
  parent_id  = data.aws_organizations_organization.this.roots[0].id
  depends_on = [aws_organizations_organizational_unit.sandbox]
}

output "accounts" {
  value = data.aws_organizations_organization.this.accounts[*].id
}
