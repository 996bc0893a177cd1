"""Lab 9: chaining, the confused deputy, and the external id that is missing."""
