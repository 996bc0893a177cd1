"""Of two declarations of one name the later counts: every command says so, with both places."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from sts_emulator.cli.main import main

OWN = "111122223333"
SCENARIO = f"""
accounts:
  "{OWN}":
    roles:
      Trust: {{trust: [{{Effect: Allow, Principal: {{AWS: "777788889999"}}, Action: "sts:AssumeRole"}}]}}
"""


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for folder, trusted in (("one", "444455556666"), ("two", "777788889999"), ("same", "444455556666")):
        statement = {"Effect": "Allow", "Principal": {"AWS": trusted}, "Action": "sts:AssumeRole"}
        (tmp_path / folder).mkdir()
        document = {"Version": "2012-10-17", "Statement": [statement]}
        (tmp_path / folder / "trust.json").write_text(json.dumps(document))
    (tmp_path / "scenario.yaml").write_text(SCENARIO)
    return tmp_path


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize(
    ("command", "told"),
    [
        (["who-can", "trust", "one/trust.json", "two/trust.json"], "two/trust.json:1: role `trust`"),
        (["who-can", "trust", "one/trust.json", "scenario.yaml"], "scenario.yaml:5: role `Trust`"),
        (["what-can", "777788889999", "one/trust.json", "two/trust.json"], "two/trust.json:1: role `trust`"),
        (["import", "one/trust.json", "two/trust.json"], "two/trust.json:1: role `trust`"),
        (["check", "two/trust.json", "--import", "one/trust.json"], "two/trust.json:1: role `trust`"),
    ],
)
def test_both_places_are_named(command: list[str], told: str, capsys: pytest.CaptureFixture[str]):
    assert main([*command, "--account", OWN]) == 0
    captured = capsys.readouterr()
    assert f"{told} of account {OWN} replaces that of one/trust.json:1" in captured.err + captured.out


@pytest.mark.usefixtures("here")
def test_the_same_again_is_nothing_to_tell(capsys: pytest.CaptureFixture[str]):
    assert main(["who-can", "trust", "one/trust.json", "same/trust.json"]) == 0
    assert capsys.readouterr().err == ""


@pytest.mark.usefixtures("here")
def test_what_import_writes_holds_the_later_and_can_be_read(capsys: pytest.CaptureFixture[str]):
    assert main(["import", "one/trust.json", "two/trust.json", "-o", "both.yaml", "--quiet"]) == 0
    assert main(["who-can", "trust", "both.yaml", "--json"]) == 0
    assert [way["who"] for way in json.loads(capsys.readouterr().out)["ways"]] == ["777788889999"]


@pytest.mark.usefixtures("here")
def test_a_folder_without_scenarios_says_what_to_name(capsys: pytest.CaptureFixture[str]):
    assert main(["who-can", "trust", "one"]) == 2
    assert "no scenario in one; files to import are named themselves, such as one/trust.json" in capsys.readouterr().err
