"""The command line: each command is one module with `add_parser`, which names the function to run."""
