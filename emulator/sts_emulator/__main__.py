"""`python -m sts_emulator` and the command `sts-emulator`."""

import gc
import sys

gc.disable()  # what is loaded now stays: to collect meanwhile is a thirtieth of a start; `main` enables it

from sts_emulator.cli.main import main  # noqa: E402 - the collector stands still before it loads

if __name__ == "__main__":
    sys.exit(main())
