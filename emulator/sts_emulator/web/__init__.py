"""The console at `/_emulator/`: what was attempted and why, as pages. For people, as the command line is."""
