"""Temporary delegation: requests of partners, their templates, and what partners are told."""
