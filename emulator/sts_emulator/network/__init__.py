"""The network around workloads: AWS's host names and addresses, led to this emulator."""
