"""Linting: what IAM accepts and is yet wrong, wide or surprising."""
