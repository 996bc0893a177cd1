"""Who is asking, may they, and the one place that mints expiring credentials."""
