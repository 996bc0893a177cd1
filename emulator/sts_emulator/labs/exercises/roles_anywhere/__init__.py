"""Lab 8: the stolen certificate, and its revocation."""
