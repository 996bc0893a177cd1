"""The IAM policy engine: documents, matching, conditions, decisions, explanations and lint. Pure; standard library only."""
