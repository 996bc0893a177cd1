"""No answer is lost: the SDK for Go, whose requests come in two pieces, in a hurry on a busy machine.

Of an unpatched uvicorn it lost 1 to 2 of 1,000 answers (aws-sdk-go-v2#1825, #2737): the call was carried out, and its
retry, as Terraform makes it, failed with EntityAlreadyExists.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parent / "go"


@contextlib.contextmanager
def busy_machine():
    """Every processor has something else to do too."""
    command = [sys.executable, "-c", "while True: pass"]
    others = [subprocess.Popen(command) for _ in range(os.cpu_count() or 1)]
    try:
        yield
    finally:
        for other in others:
            other.kill()
            other.wait()


@pytest.fixture(scope="module")
def hurry() -> str:
    go = shutil.which("go")
    if go is None:
        pytest.skip("no `go` here")
    done = subprocess.run(
        [go, "build", "-o", "hurried", "./hurry"], cwd=FOLDER, capture_output=True, text=True, check=False
    )
    if done.returncode:
        pytest.skip(f"`go` cannot build the client here: {done.stderr.strip()[-300:]}")
    return str(FOLDER / "hurried")


def test_no_answer_of_five_thousand_calls_is_lost(aws, hurry):
    key = aws.root
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": os.environ.get("HOME", "/"),
        "AWS_ACCESS_KEY_ID": key["access_key_id"],
        "AWS_SECRET_ACCESS_KEY": key["secret_access_key"],
        "AWS_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": aws.endpoint_url,
    }
    with busy_machine():
        done = subprocess.run([hurry, "10", "5000"], env=environment, capture_output=True, text=True, check=True)
    said = json.loads(done.stdout)
    assert said["calls"] == 5000
    assert not said["lost"]
    left = [role["RoleName"] for role in aws.client("iam").list_roles()["Roles"]]
    assert [name for name in left if name.startswith("hurried")] == ["hurried-0-2500"]  # its first call, uncounted
