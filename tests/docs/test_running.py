"""docs/running.md and docs/beside-other-emulators.md, run as written."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from sts_emulator.shared_server import free_port

DOCS = Path(__file__).parents[2] / "docs"


def blocks(page: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", (DOCS / page).read_text("utf-8"), re.MULTILINE | re.DOTALL)


@pytest.fixture
def shell(tmp_path: Path):
    """A newcomer's shell, but for the port and the home folder."""
    (tmp_path / ".aws").mkdir()
    environment = {
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "HOME": str(tmp_path),
        "EMULATOR_PORT": str(free_port()),
    }

    def run(text: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["bash", "-e", "-c", text], env=environment, cwd=DOCS.parent, capture_output=True, text=True, check=False
        )

    yield run
    run("sts-emulator stop")


def test_all_of_running_it(shell):
    story = [block for block in blocks("running.md", "sh") if "docker" not in block]
    text = "\n".join(story).replace("sts-emulator stop\n", "") + "sts-emulator stop\n"

    done = shell(text)

    assert done.returncode == 0, done.stderr
    assert '"arn:aws:iam::111122223333:root"' in done.stdout
    assert "arn:aws:iam::111122223333:user/alice" in done.stdout
    assert "token.actions.githubusercontent.com:sub: repo:acme/shop:ref:refs/heads/main" in done.stdout
    assert "has ended" in done.stdout


def test_variables_beside_another_emulator(shell):
    (block,) = blocks("beside-other-emulators.md", "sh")
    done = shell(f"sts-emulator start\n{block}\naws sts get-caller-identity\nenv")
    assert done.returncode == 0, done.stderr
    assert "AWS_ENDPOINT_URL_DYNAMODB=http://127.0.0.1:4566" in done.stdout


def test_python_beside_another_emulator(tmp_path: Path):
    (block,) = blocks("beside-other-emulators.md", "python")
    program = f"{block}    import boto3\n    print(boto3.client('sts').get_caller_identity()['Arn'])\n"
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "arn:aws:iam::111122223333:user/alice", done.stderr


def test_python_without_pytest(tmp_path: Path):
    block = next(block for block in blocks("testing.md", "python") if block.startswith("from sts_emulator import"))
    done = subprocess.run([sys.executable, "-c", block], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "arn:aws:iam::111122223333:user/alice", done.stderr
