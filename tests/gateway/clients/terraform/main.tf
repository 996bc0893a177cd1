# What is behind the door, as teams make it: a bucket, a table and a queue, with what hangs on them.
terraform {
  required_providers {
    aws = { source = "hashicorp/aws" }
  }
}

provider "aws" {
  region                  = "us-east-1"
  s3_use_path_style       = true
  skip_metadata_api_check = true
  skip_region_validation  = true
}

variable "team" {
  type = string
}

resource "aws_s3_bucket" "photos" {
  bucket = "photos"
  tags   = { team = var.team }
}

resource "aws_s3_bucket_versioning" "photos" {
  bucket = aws_s3_bucket.photos.id
  versioning_configuration {
    status = "Enabled"
  }
}

resource "aws_s3_bucket_policy" "photos" {
  bucket = aws_s3_bucket.photos.id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Deny"
      Principal = "*"
      Action    = "s3:PutObject"
      Resource  = "${aws_s3_bucket.photos.arn}/closed/*"
    }]
  })
}

resource "aws_s3_object" "hello" {
  bucket  = aws_s3_bucket.photos.id
  key     = "hello"
  content = "hello ${var.team}"
}

resource "aws_dynamodb_table" "notes" {
  name         = "notes"
  billing_mode = "PAY_PER_REQUEST"
  hash_key     = "owner"
  attribute {
    name = "owner"
    type = "S"
  }
  tags = { team = var.team }
}

resource "aws_sqs_queue" "jobs" {
  name                       = "jobs"
  visibility_timeout_seconds = var.team == "blue" ? 30 : 60
  tags                       = { team = var.team }
}
