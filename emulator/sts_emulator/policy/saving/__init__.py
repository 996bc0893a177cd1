"""Saving: what IAM and Organizations refuse to store as a policy, in their words."""
