"""Lab 6: the wrapped assertion, and the one that was meant for somebody else."""
