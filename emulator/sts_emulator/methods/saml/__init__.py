"""Method 6, SAML federation: the proof is an assertion that a registered identity provider signed."""
