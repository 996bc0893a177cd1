"""Method 7, Cognito: an identity pool takes proof of a sign-in elsewhere, or of none, and the role's trust decides."""
