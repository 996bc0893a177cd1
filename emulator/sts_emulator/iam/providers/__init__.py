"""Identity providers that an account trusts: OpenID Connect and SAML."""
