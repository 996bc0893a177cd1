"""The IAM policy engine: documents, decisions, explanations, validation and lint. Pure; standard library only."""
