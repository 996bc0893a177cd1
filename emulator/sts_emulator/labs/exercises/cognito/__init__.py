"""Lab 7: the guest of an identity pool."""
