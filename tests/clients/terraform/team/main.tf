# What a team keeps in one configuration: seventy things of IAM and Roles Anywhere, of the kinds that are used most.
terraform {
  required_providers {
    aws = { source = "hashicorp/aws" }
  }
}

provider "aws" {
  region                      = "us-east-1"
  max_retries                 = 1
  skip_metadata_api_check     = true
  skip_region_validation      = true
  skip_credentials_validation = true
}

variable "word" {
  type = string
}

data "aws_caller_identity" "me" {}

locals {
  services = toset(["ec2", "lambda", "ecs-tasks", "events", "states", "codebuild"])
  people   = toset(["ann", "bob", "cyd"])
}

# -- roles, six of a kind, with what hangs on each -----------------------------------------------------------------

resource "aws_iam_role" "service" {
  for_each             = local.services
  name                 = "for-${each.key}"
  path                 = "/services/"
  description          = var.word
  max_session_duration = 7200
  tags                 = { word = var.word, service = each.key }
  assume_role_policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Effect = "Allow", Principal = { Service = "${each.key}.amazonaws.com" }, Action = "sts:AssumeRole" }]
  })
}

resource "aws_iam_role_policy" "service" {
  for_each = local.services
  name     = "inline"
  role     = aws_iam_role.service[each.key].id
  policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Sid = var.word, Effect = "Allow", Action = "s3:GetObject", Resource = "arn:aws:s3:::${each.key}/*" }]
  })
}

resource "aws_iam_role_policy_attachment" "read" {
  for_each   = local.services
  role       = aws_iam_role.service[each.key].name
  policy_arn = aws_iam_policy.read.arn
}

resource "aws_iam_role_policy_attachment" "managed" {
  for_each   = local.services
  role       = aws_iam_role.service[each.key].name
  policy_arn = "arn:aws:iam::aws:policy/ReadOnlyAccess"
}

resource "aws_iam_instance_profile" "service" {
  for_each = local.services
  name     = "for-${each.key}"
  role     = aws_iam_role.service[each.key].name
  tags     = { word = var.word }
}

resource "aws_iam_policy" "read" {
  name        = "read"
  path        = "/team/"
  description = "May read"
  tags        = { word = var.word }
  policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Sid = var.word, Effect = "Allow", Action = ["iam:Get*", "iam:List*"], Resource = "*" }]
  })
}

resource "aws_iam_service_linked_role" "scaling" {
  aws_service_name = "autoscaling.amazonaws.com"
  custom_suffix    = "team"
  description      = var.word
}

resource "aws_iam_service_linked_role" "mq" {
  aws_service_name = "mq.amazonaws.com"
}

# -- people, with every kind of credential ---------------------------------------------------------------------------

resource "aws_iam_user" "person" {
  for_each             = local.people
  name                 = each.key
  path                 = "/people/"
  permissions_boundary = aws_iam_policy.read.arn
  tags                 = { word = var.word }
}

resource "aws_iam_access_key" "person" {
  for_each = local.people
  user     = aws_iam_user.person[each.key].name
}

resource "aws_iam_user_policy" "person" {
  for_each = local.people
  name     = "assume"
  user     = aws_iam_user.person[each.key].name
  policy   = jsonencode({ Version = "2012-10-17", Statement = [{ Sid = var.word, Effect = "Allow", Action = "sts:AssumeRole", Resource = "*" }] })
}

resource "aws_iam_user_policy_attachment" "person" {
  for_each   = local.people
  user       = aws_iam_user.person[each.key].name
  policy_arn = aws_iam_policy.read.arn
}

resource "aws_iam_user_login_profile" "ann" {
  user            = aws_iam_user.person["ann"].name
  password_length = 24
}

resource "aws_iam_user_ssh_key" "person" {
  for_each   = local.people
  username   = aws_iam_user.person[each.key].name
  encoding   = "SSH"
  public_key = file("${path.module}/key.pub")
  status     = var.word == "one" ? "Active" : "Inactive"
}

resource "aws_iam_signing_certificate" "ann" {
  user_name        = aws_iam_user.person["ann"].name
  certificate_body = file("${path.module}/certificate.pem")
  status           = var.word == "one" ? "Active" : "Inactive"
}

resource "aws_iam_service_specific_credential" "bob" {
  user_name    = aws_iam_user.person["bob"].name
  service_name = "codecommit.amazonaws.com"
}

resource "aws_iam_virtual_mfa_device" "person" {
  for_each                = local.people
  virtual_mfa_device_name = "phone-of-${each.key}"
  tags                    = { word = var.word }
}

resource "aws_iam_group" "team" {
  name = "team"
}

resource "aws_iam_group_policy" "team" {
  name   = "own"
  group  = aws_iam_group.team.name
  policy = jsonencode({ Version = "2012-10-17", Statement = [{ Sid = var.word, Effect = "Allow", Action = "iam:ChangePassword", Resource = "*" }] })
}

resource "aws_iam_group_policy_attachment" "team" {
  group      = aws_iam_group.team.name
  policy_arn = aws_iam_policy.read.arn
}

resource "aws_iam_group_membership" "team" {
  name  = "team"
  group = aws_iam_group.team.name
  users = [for person in aws_iam_user.person : person.name]
}

# -- what others prove themselves with, and the account --------------------------------------------------------------

resource "aws_iam_server_certificate" "shop" {
  name             = "shop"
  path             = "/${var.word}/"
  certificate_body = file("${path.module}/certificate.pem")
  private_key      = file("${path.module}/key.pem")
  tags             = { word = var.word }
}

resource "aws_iam_openid_connect_provider" "github" {
  url             = "https://token.actions.githubusercontent.com"
  client_id_list  = ["sts.amazonaws.com", var.word]
  thumbprint_list = ["6938fd4d98bab03faadb97b34396831e3780aea1"]
}

resource "aws_iam_saml_provider" "corp" {
  name                   = "corp"
  saml_metadata_document = file("${path.module}/metadata.xml")
  tags                   = { word = var.word }
}

resource "aws_iam_role" "deploy" {
  name = "deploy"
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Action    = "sts:AssumeRoleWithWebIdentity"
      Principal = { Federated = aws_iam_openid_connect_provider.github.arn }
      Condition = { StringLike = { "token.actions.githubusercontent.com:sub" = "repo:acme/${var.word}:*" } }
    }]
  })
}

resource "aws_iam_role" "machine" {
  name = "machine"
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Action    = ["sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity"]
      Principal = { Service = "rolesanywhere.amazonaws.com" }
    }]
  })
}

resource "aws_rolesanywhere_trust_anchor" "company" {
  name    = "company-${var.word}"
  enabled = true
  source {
    source_type = "CERTIFICATE_BUNDLE"
    source_data { x509_certificate_data = file("${path.module}/authority.pem") }
  }
}

resource "aws_rolesanywhere_profile" "machine" {
  name             = "machine"
  enabled          = true
  role_arns        = [aws_iam_role.machine.arn]
  duration_seconds = var.word == "one" ? 3600 : 1800
}

resource "aws_iam_account_alias" "team" {
  account_alias = "the-team"
}

resource "aws_iam_account_password_policy" "team" {
  minimum_password_length        = var.word == "one" ? 12 : 16
  require_lowercase_characters   = true
  require_uppercase_characters   = true
  require_numbers                = true
  require_symbols                = true
  allow_users_to_change_password = true
}
