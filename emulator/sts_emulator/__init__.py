"""sts-emulator: every way to get AWS credentials, with a real trust decision."""
