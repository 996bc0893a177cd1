"""Whatever is in a file, the commands end with a message that names it, and never with a traceback or without end."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from example_counts import examples
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sts_emulator.analysis.linting import lint_file
from sts_emulator.analysis.trials import Plan, try_file
from sts_emulator.cli.main import main
from sts_emulator.importers.json_text import BadInput, JsonText
from sts_emulator.importers.read import read_json
from sts_emulator.scenario import ScenarioError
from sts_emulator.scenario.inventories import read_inventory

WORDS = st.sampled_from(
    [
        *(
            "Resources",
            "Type",
            "AWS::IAM::Role",
            "AWS::IAM::User",
            "AWS::IAM::ManagedPolicy",
            "Properties",
            "Ref",
            "Fn::Sub",
            "Fn::If",
        ),
        *(
            "Fn::GetAtt",
            "Fn::Join",
            "Conditions",
            "Parameters",
            "Default",
            "AssumeRolePolicyDocument",
            "Statement",
            "Principal",
            "AWS",
        ),
        *(
            "Effect",
            "Allow",
            "Action",
            "sts:AssumeRole",
            "Condition",
            "planned_values",
            "root_module",
            "resources",
            "child_modules",
        ),
        *(
            "values",
            "type",
            "aws_iam_role",
            "aws_iam_policy_document",
            "name",
            "assume_role_policy",
            "configuration",
            "references",
        ),
        *(
            "RoleDetailList",
            "UserDetailList",
            "Policies",
            "RoleName",
            "Arn",
            "PolicyVersionList",
            "RolePolicyList",
            "Url",
            "Role",
        ),
        *(
            "trustAnchors",
            "profile",
            "roleArns",
            "${AWS::AccountId}",
            "arn:aws:iam::111122223333:root",
            "*",
            "",
            "Policies",
            "Users",
        ),
    ]
)
TREES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), WORDS, st.text(max_size=4)),
    lambda below: st.one_of(st.lists(below, max_size=4), st.dictionaries(WORDS, below, max_size=5)),
    max_leaves=40,
)
TOPS = st.dictionaries(WORDS, TREES, min_size=1, max_size=4)


@settings(max_examples=examples(400))
@given(TOPS)
def test_any_json_is_read_or_refused(tree: Any):
    try:
        read_json(JsonText(json.dumps(tree).encode(), "x.json"))
    except BadInput as bad:
        assert str(bad)  # noqa: PT017 - both are right


CORPUS = Path(__file__).parent / "corpus"


@pytest.mark.parametrize("wrong", [None, True, "x", ["x"], [None], {"x": 1}], ids=str)
@pytest.mark.parametrize(
    "file",
    [
        *("sam/connector.json", "terraform-plan/document-builds-on-another.json"),
        *("terraform-plan/for-each.json", "terraform-plan/prior-state.json"),
    ],
)
def test_anything_may_stand_in_any_place(file: str, wrong: Any):
    """Where a kind of file is well known, and one value of it is of no known form."""
    whole = json.loads((CORPUS / file).read_text())
    for place in _places(whole):
        with_one_wrong = _with(whole, place, wrong)
        try:
            read_json(JsonText(json.dumps(with_one_wrong).encode(), "x.json"))
        except BadInput as bad:
            assert str(bad)  # noqa: PT017 - both are right


def _places(tree: Any) -> Iterator[tuple[Any, ...]]:
    branches = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    for name, branch in branches:
        yield (name,)
        yield from ((name, *place) for place in _places(branch))


def _with(tree: Any, place: tuple[Any, ...], value: Any) -> Any:
    if not place:
        return value
    copy = tree.copy()
    copy[place[0]] = _with(tree[place[0]], place[1:], value)
    return copy


def test_a_condition_of_unknown_form_is_not_left_out_of_a_trust_policy():
    # given a statement with a condition that a plan could not have
    whole = json.loads((CORPUS / "terraform-plan/for-each.json").read_text())
    places = [place for place in _places(whole) if place[-1] == "condition" and "values" in place]
    assert places
    for place in places:
        whole = _with(whole, place, ["x"])

    # when it is read
    inventory = read_json(JsonText(json.dumps(whole).encode(), "x.json"))

    # then no role is trusted without it: each is left out, and it is said why
    assert not [thing for thing in inventory.things if thing.section == "roles"]
    assert any("a condition of unknown form" in note.message for note in inventory.notes)


@settings(max_examples=examples(200))
@given(
    st.binary(max_size=200),
    st.sampled_from([b"", b"Resources:\n  R: ", b'{"Statement": ', b'{"Resources": {"R": ', b'{"RoleDetailList": [']),
)
def test_any_bytes_are_read_or_refused(data: bytes, head: bytes):
    try:
        read_inventory(head + data, "x.json", "")
    except ScenarioError as error:
        assert str(error).startswith("x.json")  # noqa: PT017 - both are right


@settings(max_examples=examples(60), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(TOPS)
def test_what_is_read_goes_all_the_way_or_is_refused(tmp_path: Path, tree: Any):
    file = tmp_path / "x.json"
    file.write_text(json.dumps(tree))
    trial = try_file(file, Plan(mutate=True, coverage=True))
    assert all(problem.file == str(file) for problem in trial.problems)
    try:
        lint_file(file)
    except ScenarioError as error:
        assert str(file) in str(error)  # noqa: PT017 - both are right


@pytest.mark.parametrize("command", ["check", "lint", "import", "diff", "who-can"])
@pytest.mark.parametrize(
    "data",
    [
        b"\x00",
        b"\xff\xfe",
        b"PK\x03\x04",
        b"[" * 50_000,
        b'{"Statement": [' + b'{"a":' * 5_000,
        b"Resources:\n" + b" - " * 3_000,
        b'{"Resources": {"R": ',
        b"a: &a [*a]",
    ],
)
def test_no_command_ends_in_a_traceback(tmp_path: Path, monkeypatch, capsys, command: str, data: bytes):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "x.json").write_bytes(data)
    more = {"diff": ["x.json"], "who-can": ["--in", "x.json"]}.get(command, [])
    first = ["role"] if command == "who-can" else ["x.json"]
    code = main([command, *first, *more])
    captured = capsys.readouterr()
    assert code == 2, captured.out
    assert "x.json" in captured.out + captured.err


def test_terminals_are_not_told_what_to_do(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    statement = {
        "Effect": "Allow",
        "Action": "sts:AssumeRole",
        "Principal": {"AWS": "*"},
        "Sid": "\u001b[2J\u001b]0;x\u0007",
    }
    (tmp_path / "x.json").write_text(json.dumps({"Version": "2012-10-17", "Statement": [statement]}))
    for arguments in (
        ["lint", str(tmp_path / "x.json")],
        ["who-can", "x", "--in", str(tmp_path / "x.json")],
        ["check", str(tmp_path / "x.json")],
    ):
        main(arguments)
        told = capsys.readouterr()
        assert "\x1b" not in told.out + told.err


# -- large -------------------------------------------------------------------------------------------------------------------


def account(roles: int) -> str:
    trust = {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"AWS": "111122223333"}}],
    }
    listed = [
        {
            "RoleName": f"role-{number}",
            "RoleId": f"AROA{number:017}",
            "Arn": f"arn:aws:iam::111122223333:role/role-{number}",
            "Path": "/",
            "AssumeRolePolicyDocument": trust,
            "Filler": "x" * 1_000,
        }
        for number in range(roles)
    ]
    return json.dumps({"UserDetailList": [], "RoleDetailList": listed, "GroupDetailList": [], "Policies": []}, indent=2)


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the peak of memory is read from /proc")
def test_thousands_of_roles_with_little_memory(tmp_path: Path):
    """Measured in processes of their own."""
    peaks = {}
    for roles in (300, 3_000):
        (tmp_path / "account.json").write_text(account(roles))
        program = "import sys; from sts_emulator.cli.main import main; code = main(['check', 'account.json']); print(open('/proc/self/status').read().partition('VmHWM:')[2].split()[0]); sys.exit(code)"
        ended = subprocess.run(
            [sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=False
        )
        assert ended.returncode == 0, ended.stderr
        peaks[roles] = int(ended.stdout.split()[-1]) / 1024
    grown = (tmp_path / "account.json").stat().st_size / 2**20
    assert peaks[3_000] - peaks[300] < 8 * grown, "a file's objects would take ten times its size"
