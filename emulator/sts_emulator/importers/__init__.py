"""Importers: what people already have (plans, templates, account dumps, bare policies) read into one inventory.

Pure: from bytes to an `Inventory` in the words of the scenario vocabulary. `read.read` recognises which kind a file is.
"""
