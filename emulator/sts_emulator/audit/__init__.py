"""What happened, as AWS tells it: CloudTrail records, and the reasons behind a denial."""
