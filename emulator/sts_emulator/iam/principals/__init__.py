"""Users, groups and roles: their life, and the profiles that hand roles to instances."""
