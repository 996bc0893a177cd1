"""What npm installs for tests: once, also where several workers of a run need it at the same moment."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

LIMIT = 900  # seconds


def installed(folder: Path) -> Path:
    """The folder, with what its `package.json` names in `node_modules`. Skips where that is not to be had."""
    import fcntl

    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("no `npm` here")
    wanted, done = (folder / "package.json").read_text(), folder / "node_modules" / ".installed"
    done.parent.mkdir(exist_ok=True)
    with (done.parent / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not done.exists() or done.read_text() != wanted:  # another npm would take away what runs
            command = [npm, "install", "--no-package-lock", "--no-audit", "--no-fund", "--silent"]
            npm_run = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=LIMIT, check=False)
            if npm_run.returncode:
                pytest.skip(f"`npm` cannot install {folder.name}'s packages here: {npm_run.stderr.strip()[-300:]}")
            done.write_text(wanted)
    return folder
