"""Lab 4: the session that outlives its reason."""
