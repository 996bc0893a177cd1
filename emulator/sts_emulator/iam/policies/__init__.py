"""Policies as IAM keeps them: managed ones, inline ones, and their documents on the way in and out."""
