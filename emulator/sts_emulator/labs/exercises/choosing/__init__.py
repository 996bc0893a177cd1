"""Lab 10: which method fits, in a company where everything has an access key."""
