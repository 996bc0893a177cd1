"""Method 3, Identity Center: a person signs in, and their tools get credentials of the roles they are assigned."""
