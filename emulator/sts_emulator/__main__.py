"""`python -m sts_emulator` and the command `sts-emulator`."""

import sys

from sts_emulator.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
