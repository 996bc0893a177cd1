"""Explaining: the whole tree of one decision in words, and what would turn its verdict."""
