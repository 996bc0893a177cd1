"""Lab issuers: they make the evidence that the methods check, and share no code with them."""
