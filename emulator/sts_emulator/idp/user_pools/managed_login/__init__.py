"""Managed login: the pages on which a pool's users sign in, and the OAuth endpoints that give their apps tokens."""
