"""Workloads: what runs as an instance, task, pod or function, and what its program is given."""
