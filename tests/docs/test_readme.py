"""The README, run as written: its shell blocks one after another, its Python block as a test."""

from __future__ import annotations

import ast
import os
import re
import signal
import subprocess
import sys
import textwrap
import time
import urllib.request
from pathlib import Path

import pytest

from sts_emulator.shared_server import free_port

ROOT = Path(__file__).parent.parent.parent
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)


def blocks(page: Path, language: str) -> list[str]:
    return [body for tongue, body in BLOCK.findall(page.read_text("utf-8")) if tongue == language]


def wait_for(url: str) -> None:
    until = time.monotonic() + 600  # `make run` may have to install first
    while time.monotonic() < until:
        try:
            urllib.request.urlopen(url, timeout=1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    pytest.fail(f"{url} never answered")


@pytest.fixture
def environment(tmp_path):
    """A newcomer's shell, but for the port: another emulator may be running on this machine."""
    kept = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}
    virtual_bin = str(Path(sys.executable).parent)
    return {**kept, "PATH": f"{virtual_bin}:{kept['PATH']}", "HOME": str(tmp_path), "EMULATOR_PORT": str(free_port())}


@pytest.fixture
def served(environment):
    """The first block, `make run`, running in a shell of its own."""
    first, *_ = blocks(ROOT / "README.md", "sh")
    assert first.strip() == "make run"
    process = subprocess.Popen(
        ["bash", "-c", first], cwd=ROOT, env=environment, stdout=subprocess.DEVNULL, start_new_session=True
    )
    try:
        wait_for(f"http://127.0.0.1:{environment['EMULATOR_PORT']}/health")
        yield process
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait()


@pytest.mark.usefixtures("served")
def test_the_first_screen_runs_as_written(environment):
    """All blocks of the first screen, in one shell, up to the one that makes everything again."""
    _, *rest = blocks(ROOT / "README.md", "sh")
    story = [block for block in rest if not block.startswith("make test")]

    done = subprocess.run(
        ["bash", "-e", "-c", "\n".join(story)], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stderr
    assert '"arn:aws:iam::111122223333:root"' in done.stdout
    assert "assumed-role/github-deploy/build-1" in done.stdout
    assert "(AccessDenied) when calling the AssumeRoleWithWebIdentity operation" in done.stderr
    shown = blocks(ROOT / "README.md", "text")[0].replace("  …\n", "")
    for line in shown.splitlines():
        assert line in done.stdout


def test_the_pytest_example_passes(tmp_path):
    (example,) = blocks(ROOT / "README.md", "python")
    (tmp_path / "test_example.py").write_text(example)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(tmp_path)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "1 passed" in done.stdout, done.stdout + done.stderr


@pytest.mark.parametrize("page", sorted((ROOT / "docs").rglob("*.md")), ids=lambda page: page.stem)
def test_code_in_the_docs_is_python(page):
    for block in blocks(page, "python"):
        ast.parse(textwrap.dedent(re.sub(r"\A# .*\n", "", block)))  # a part of the file that its first line names


@pytest.mark.parametrize("page", [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))], ids=lambda p: p.stem)
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text("utf-8")):
        assert (page.parent / target).exists(), f"{page.name} links to {target}"
