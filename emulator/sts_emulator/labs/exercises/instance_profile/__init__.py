"""Lab 2: the SSRF on IMDSv1."""
