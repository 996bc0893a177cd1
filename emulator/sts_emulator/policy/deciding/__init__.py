"""Deciding: documents compiled once, matched against a request, and what all layers together say."""
