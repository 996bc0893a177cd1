"""The pytest plugin: `*.trust.yaml` are tests, one an expectation."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

SCENARIO = """
accounts:
  "111122223333":
    users: {alice: {inline: {all: [{Effect: Allow, Action: "sts:*", Resource: "*"}]}}}
    roles: {app: {trust: [{Sid: Own, Effect: Allow, Principal: {AWS: "111122223333"}, Action: sts:AssumeRole}]}}
expect:
  - {name: alice, assume: app, caller: {user: alice}}
  - {name: alice, assume: app, caller: {user: alice}, result: RESULT}
"""


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-W", "error", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120, check=False)


def test_every_expectation_is_a_test(tmp_path: Path):
    (tmp_path / "app.trust.yaml").write_text(SCENARIO.replace("RESULT", "allow"))
    (tmp_path / "other.yaml").write_text("no scenario of ours")
    ended = run(tmp_path, "-v")
    assert ended.returncode == 0, ended.stdout
    assert "app.trust.yaml::alice PASSED" in ended.stdout
    assert "app.trust.yaml::alice (2) PASSED" in ended.stdout


def test_a_failure_shows_why(tmp_path: Path):
    (tmp_path / "app.trust.yaml").write_text(SCENARIO.replace("RESULT", "deny"))
    ended = run(tmp_path, "-q")
    assert ended.returncode == 1
    assert "app.trust.yaml:8: expected deny, got allow" in ended.stdout
    assert 'Statement[0] "Own" Allow: applies' in ended.stdout
    assert "Traceback" not in ended.stdout


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("accounts: 7\n", "bad.trust.yaml:1: expected a mapping, got `7`"),
        ("accounts: {'111122223333': {}}\n", "bad.trust.yaml: expects nothing"),
    ],
)
def test_a_file_that_cannot_be_used_is_an_error(tmp_path: Path, text: str, told: str):
    (tmp_path / "bad.trust.yaml").write_text(text)
    ended = run(tmp_path, "-q")
    assert ended.returncode == 2
    assert told in ended.stdout


def test_whoever_has_none_pays_nothing(tmp_path: Path):
    (tmp_path / "test_x.py").write_text(
        "import sys\n\ndef test_x():\n    assert not {m for m in sys.modules if m.startswith(('sts_emulator.scenario', 'sts_emulator.analysis', 'yaml'))}\n"
    )
    assert run(tmp_path, "-q").returncode == 0
