"""Analysis of policies without a server: who can, what changes, what the expectations do not notice."""
