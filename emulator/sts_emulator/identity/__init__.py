"""The control plane of people: Identity Center's directory, permission sets, assignments, applications, and SCIM."""
