"""The pytest plugin: a fresh world for each test, in one shared server."""
