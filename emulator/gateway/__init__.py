"""Addresses of their own: what lets an emulated instance, task or pod be where its SDK looks for it."""
