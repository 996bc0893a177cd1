"""The pages about scenarios and testing: their examples work as printed, and no key goes undocumented."""

from __future__ import annotations

import re
import subprocess
import sys
import textwrap
import typing
from collections.abc import Iterator
from pathlib import Path

import pytest
from scenario_lab import Lab

from sts_emulator.catalogue import SECTIONS
from sts_emulator.cli.main import main
from sts_emulator.scenario import parse
from sts_emulator.scenario.expect import Because, Caller, Expectation
from sts_emulator.scenario.model import Account, Head, section_of
from sts_emulator.scenario.organization import Organization
from sts_emulator.scenario.policies import ManagedPolicy
from sts_emulator.scenario.providers import Issuer, OidcProvider
from sts_emulator.scenario.rehearse import Rehearsal
from sts_emulator.scenario.roles_and_profiles import Role
from sts_emulator.scenario.seed import AccessKey
from sts_emulator.scenario.shape import Shape, shape_fields
from sts_emulator.scenario.users_and_groups import Group, User

DOCS = Path(__file__).parents[2] / "docs"
PAGES = ("scenarios.md", "access-keys.md", "assume-role.md", "worlds-and-time.md", "testing.md")
BLOCK = re.compile(r"^( *)```(\w+)\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)


def blocks(page: str, language: str) -> Iterator[str]:
    for indent, tongue, body in BLOCK.findall((DOCS / page).read_text("utf-8")):
        if tongue == language:
            yield textwrap.dedent(body) if indent else body


SCENARIOS = [(page, text) for page in PAGES for text in blocks(page, "yaml")]


@pytest.mark.parametrize(("page", "text"), SCENARIOS, ids=[page for page, _ in SCENARIOS])
def test_every_scenario_on_a_page_comes_as_it_expects(lab: Lab, page: str, text: str):
    outcomes = list(Rehearsal(lab.server, parse(text, page)).outcomes())
    assert [outcome.mismatch for outcome in outcomes if outcome.mismatch] == []


def test_what_check_prints_is_what_the_page_shows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.chdir(tmp_path)
    Path("deploy.yaml").write_text(next(blocks("scenarios.md", "yaml")))
    (shown,) = blocks("scenarios.md", "console")
    command, _, output = shown.partition("\n")
    assert command == "$ sts-emulator check deploy.yaml"
    assert main(["check", "deploy.yaml"]) == 0
    assert capsys.readouterr().out == output


@pytest.mark.parametrize("page", ["testing.md", "worlds-and-time.md"])
def test_every_test_on_a_page_passes(tmp_path: Path, page: str):
    for name in ("deploy.yaml", "lab.yaml"):
        (tmp_path / name).write_text('accounts: {"999988887777": }\n')
    code = "\n".join(blocks(page, "python"))
    if "def lab(" in code:
        code += "\n\ndef test_lab(lab):\n    assert lab.account == '999988887777'\n"
    (tmp_path / "test_page.py").write_text(f"from pathlib import Path\n\nimport pytest\n\n{code}")
    ended = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-W", "error", "-p", "no:cacheprovider"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout


@pytest.mark.parametrize("row", SECTIONS, ids=lambda row: row.key)
def test_every_section_is_on_the_page(row):
    assert f"`{row.key}`" in (DOCS / "scenarios.md").read_text("utf-8")


SHAPES = (Account, AccessKey, User, Group, ManagedPolicy, Role, Issuer, OidcProvider, Organization)


@pytest.mark.parametrize("shape", [*SHAPES, Head, Expectation, Caller, Because], ids=lambda shape: shape.__name__)
def test_every_key_is_on_the_page(shape: type[Shape]):
    page = (DOCS / "scenarios.md").read_text("utf-8")
    missing = [key for key in shape_fields(shape) if not re.search(rf"[`{{ ]{key}[`:]", page)]
    assert missing == []


def test_every_shape_that_a_section_is_made_of_has_a_docstring():
    for row in SECTIONS:
        for kind in (section_of(row).shape, *typing.get_args(section_of(row).shape)):
            if isinstance(kind, type) and issubclass(kind, Shape):
                assert kind.__doc__
