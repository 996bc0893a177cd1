"""Lab 3: the assignment that nobody removed."""
