"""Method 4, AssumeRole: the proof is an AWS signature, by a user or by another session."""
