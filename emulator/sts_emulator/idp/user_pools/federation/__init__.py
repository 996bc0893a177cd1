"""Federation into a user pool: other identity providers vouch for its users. What they say is checked by `methods`."""
