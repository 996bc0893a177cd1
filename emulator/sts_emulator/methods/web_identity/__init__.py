"""Method 5, OIDC federation: the proof is a token of an issuer that the account trusts."""
