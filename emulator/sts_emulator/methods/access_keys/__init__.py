"""Method 1, IAM user access keys: the proof is the signature of a long-term key."""
