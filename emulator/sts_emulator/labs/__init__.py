"""Ten labs: each a story to live through with one's own hands, and checks on what was decided."""
