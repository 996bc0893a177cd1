"""The IAM control plane: users, groups, roles, policies, keys, devices and providers, and what is asked about them."""
