"""Lab 1: the leaked key that never expires."""
