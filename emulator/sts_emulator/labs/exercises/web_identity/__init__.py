"""Lab 5: the fork that deploys."""
