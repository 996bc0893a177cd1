"""Imports on their way into a world: straight, by a scenario's `import:`, and as a scenario file written from them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from sts_emulator.accounts.resources import key_of
from sts_emulator.app import create_server
from sts_emulator.cli.main import main
from sts_emulator.core.world import DEFAULT, World
from sts_emulator.scenario import ScenarioError, apply, parse, parse_file
from sts_emulator.scenario.rehearse import Rehearsal
from sts_emulator.settings import Settings

ACCOUNT = "111122223333"
OPEN = [{"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}}]


def details(*roles: dict[str, Any], users: tuple[str, ...] = ()) -> str:
    listed = [
        {
            "UserName": name,
            "UserId": f"AIDA{name.upper()}",
            "Arn": f"arn:aws:iam::{ACCOUNT}:user/{name}",
            "Path": "/",
            "UserPolicyList": [{"PolicyName": "all", "PolicyDocument": policy(Action="sts:*", Resource="*")}],
        }
        for name in users
    ]
    return json.dumps(
        {"UserDetailList": listed, "GroupDetailList": [], "RoleDetailList": list(roles), "Policies": []}, indent=1
    )


def policy(**statement: Any) -> dict[str, Any]:
    return {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", **statement}]}


def role(name: str, *statements: Any, path: str = "/", **more: Any) -> dict[str, Any]:
    return {
        "RoleName": name,
        "RoleId": f"AROA{name.upper()}",
        "Arn": f"arn:aws:iam::{ACCOUNT}:role{path}{name}",
        "Path": path,
        "AssumeRolePolicyDocument": {"Version": "2012-10-17", "Statement": list(statements or OPEN)},
        **more,
    }


@pytest.fixture
def world() -> World:
    made = create_server(Settings()).worlds.get(DEFAULT)
    assert made is not None
    return made


def load(folder: Path, text: str, name: str = "account.json", **options: Any) -> World:
    (folder / name).write_text(text)
    server = create_server(Settings())
    made = server.worlds.get(DEFAULT)
    assert made is not None
    apply(server, made, parse_file(folder / name, **options))
    return made


def test_an_account_is_planted_as_it_is(tmp_path: Path):
    linked = role("AWSServiceRoleForX", path="/aws-service-role/x.amazonaws.com/")
    unguarded = {
        "Effect": "Allow",
        "Action": "sts:AssumeRoleWithWebIdentity",
        "Principal": {"Federated": "cognito-identity.amazonaws.com"},
    }
    world = load(tmp_path, details(linked, role("old", unguarded), users=("alice",)))
    assert world.get("role", key_of(ACCOUNT, "AWSServiceRoleForX"))["path"].startswith("/aws-service-role/")
    assert "cognito" in world.get("role", key_of(ACCOUNT, "old"))["trust"], "AWS holds it, though it would not save it"
    assert world.get("user", key_of(ACCOUNT, "alice"))["id"] == "AIDAALICE"


def test_a_principal_that_was_deleted_stays_deleted(tmp_path: Path):
    dead = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"AWS": "AROADELETED"}}
    live = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:user/alice"}}
    world = load(tmp_path, details(role("a", dead), role("b", live), users=("alice",)))
    assert "AROADELETED" in world.get("role", key_of(ACCOUNT, "a"))["trust"]
    assert "AIDAALICE" in world.get("role", key_of(ACCOUNT, "b"))["trust"], "as IAM keeps it"
    assert world.get("import", str(tmp_path / "account.json"))["assumed"] == []


def test_more_roles_than_the_quota_because_aws_has_them(tmp_path: Path):
    world = load(tmp_path, details(*(role(f"r{number}") for number in range(1_200))))
    assert len(world.page_keys("role", f"{ACCOUNT}/")) == 1_200


def test_a_bare_policy_that_names_others(tmp_path: Path):
    named = [f"arn:aws:iam::{ACCOUNT}:role/ci/builder", "arn:aws:iam::444455556666:user/ivan"]
    world = load(
        tmp_path, json.dumps(policy(Action="sts:AssumeRole", Principal={"AWS": named})), "deploy.json", account=ACCOUNT
    )
    assert world.get("import", str(tmp_path / "deploy.json"))["assumed"] == sorted(named)
    assert world.get("role", key_of(ACCOUNT, "builder"))["path"] == "/ci/"


def test_what_is_yet_to_be_saved_must_be_what_iam_saves(tmp_path: Path):
    bad = policy(Action="s3:GetObject", Principal={"AWS": ACCOUNT})
    with pytest.raises(ScenarioError) as refused:
        load(tmp_path, json.dumps(bad, indent=2), "deploy.json")
    assert str(refused.value) == (
        f"{tmp_path}/deploy.json:1: role `deploy`: MalformedPolicyDocument: "
        "AssumeRole policy may only specify STS AssumeRole actions."
    )


def test_every_mistake_of_a_plan_is_told_at_once(tmp_path: Path):
    resources = [
        {
            "address": f"aws_iam_role.{name}",
            "mode": "managed",
            "type": "aws_iam_role",
            "name": name,
            "values": {"name": name, "assume_role_policy": text},
        }
        for name, text in (
            ("a", "{"),
            ("b", json.dumps(policy(Action="x", Principal={"AWS": ACCOUNT}))),
            ("c", json.dumps(policy(Action="sts:AssumeRole", Principal={"AWS": ACCOUNT}))),
        )
    ]
    plan = {"format_version": "1.2", "planned_values": {"root_module": {"resources": resources}}}
    with pytest.raises(ScenarioError) as refused:
        load(tmp_path, json.dumps(plan), "plan.json")
    assert [problem.message.partition(": ")[0] for problem in refused.value.problems] == ["aws_iam_role.a"]
    resources[0]["values"]["assume_role_policy"] = resources[2]["values"]["assume_role_policy"]
    with pytest.raises(ScenarioError, match=r"plan\.json:1: aws_iam_role\.b: MalformedPolicyDocument"):
        load(tmp_path, json.dumps(plan), "plan.json")


def test_taking_a_changed_file_up_again_keeps_what_others_hold(tmp_path: Path):
    def plan(description: str) -> str:
        trust = json.dumps(policy(Action="sts:AssumeRole", Principal={"AWS": f"arn:aws:iam::{ACCOUNT}:role/ops"}))
        own = json.dumps(policy(Action="sts:AssumeRole", Principal={"AWS": ACCOUNT}))
        made = [("ops", own, description), ("deploy", trust, "")]
        listed = [
            {"address": f"aws_iam_role.{name}", "mode": "managed", "type": "aws_iam_role", "name": name}
            | {"values": {"name": name, "assume_role_policy": text, "description": told}}
            for name, text, told in made
        ]
        return json.dumps({"planned_values": {"root_module": {"resources": listed}}})

    (tmp_path / "plan.json").write_text(plan("before"))
    server = create_server(Settings())
    world = server.worlds.get(DEFAULT)
    apply(server, world, parse_file(tmp_path / "plan.json", ACCOUNT))
    before = world.get("role", key_of(ACCOUNT, "ops"))
    (tmp_path / "plan.json").write_text(plan("after"))
    apply(server, world, parse_file(tmp_path / "plan.json", ACCOUNT))
    after = world.get("role", key_of(ACCOUNT, "ops"))
    assert (before["description"], after["description"]) == ("before", "after")
    assert after["id"] == before["id"]
    assert after["id"] in world.get("role", key_of(ACCOUNT, "deploy"))["trust"]


# -- import: --------------------------------------------------------------------------------------------------------------


def test_a_scenario_tests_what_it_imports(tmp_path: Path):
    (tmp_path / "account.json").write_text(details(role("deploy"), users=("alice",)))
    (tmp_path / "access.yaml").write_text(
        f"import: [account.json]\naccounts: {{'{ACCOUNT}': {{users: {{bob: }}}}}}\n"
        "expect:\n  - {assume: deploy, caller: {user: alice}}\n  - {assume: deploy, caller: {user: bob}, result: deny}\n"
    )
    server = create_server(Settings())
    outcomes = list(Rehearsal(server, parse_file(tmp_path / "access.yaml")).outcomes())
    assert [outcome.mismatch for outcome in outcomes] == ["", ""]
    assert parse_file(tmp_path / "access.yaml").files == ("account.json",)


def test_a_change_of_an_imported_file_is_a_change_of_the_scenario(tmp_path: Path):
    (tmp_path / "account.json").write_text(details(role("deploy")))
    (tmp_path / "access.yaml").write_text("import: account.json\n")
    before = parse_file(tmp_path / "access.yaml").digest
    (tmp_path / "account.json").write_text(details(role("other")))
    assert parse_file(tmp_path / "access.yaml").digest != before


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("import: none.json\n", "none.json: no such file or directory"),
        (
            "import: [{file: account.json, account: '12'}]\n",
            "access.yaml:1: `12` is not an account id of twelve digits",
        ),
        ("import: [{fil: account.json}]\n", "access.yaml:1: unknown key `fil`; did you mean `file`?"),
        ("import: [broken.json]\n", "broken.json:2: is not JSON"),
    ],
)
def test_mistakes_of_imports_are_told_with_the_others(tmp_path: Path, text: str, complaint: str):
    (tmp_path / "account.json").write_text(details())
    (tmp_path / "broken.json").write_text('{"RoleDetailList":\n nonsense}')
    (tmp_path / "access.yaml").write_text(f"{text}unheard: of\n")
    with pytest.raises(ScenarioError) as refused:
        parse_file(tmp_path / "access.yaml")
    assert complaint in str(refused.value)
    assert "unknown key `unheard`" in str(refused.value)


def test_a_scenario_that_is_posted_imports_nothing():
    with pytest.raises(ScenarioError, match="only a scenario that is itself a file may import others"):
        parse("import: [/etc/passwd]\n")


# -- the import command ------------------------------------------------------------------------------------------------------


def test_what_import_writes_is_a_scenario_that_says_the_same(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    source = Path(__file__).parent / "cases" / "template.yaml"
    assert main(["import", str(source), "--account", ACCOUNT]) == 0
    (tmp_path / "written.yaml").write_text(capsys.readouterr().out)
    first, second = (
        load(tmp_path, source.read_text(), "template.yaml", account=ACCOUNT),
        load(tmp_path, (tmp_path / "written.yaml").read_text(), "again.yaml"),
    )
    for kind in ("role", "user", "group", "policy", "instance-profile", "oidc-provider"):
        names = [[thing.get("name", thing.get("url")) for thing in item.page(kind)] for item in (first, second)]
        assert names[0] == names[1]
    stripped = [[json.loads(r["trust"]) for r in item.page("role")] for item in (first, second)]
    assert stripped[0] == stripped[1]


def test_import_tells_what_it_left_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    template = {
        "Resources": {
            "R": {
                "Type": "AWS::IAM::Role",
                "Properties": {
                    "AssumeRolePolicyDocument": policy(
                        Action="sts:AssumeRole", Principal={"AWS": {"Fn::ImportValue": "x"}}
                    )
                },
            }
        }
    }
    (tmp_path / "t.json").write_text(json.dumps(template))
    assert main(["import", str(tmp_path / "t.json")]) == 0
    assert (
        "t.json:1: not told by the template, so made up: Fn::ImportValue x, which another stack exports"
        in capsys.readouterr().err
    )
    assert main(["import", str(tmp_path / "none.json")]) == 2


def test_a_cdk_app_is_a_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    (tmp_path / "manifest.json").write_text('{"version": "1", "artifacts": {}}')
    template = {
        "Resources": {
            "R": {
                "Type": "AWS::IAM::Role",
                "Properties": {"AssumeRolePolicyDocument": policy(Action="sts:AssumeRole", Principal={"AWS": ACCOUNT})},
            }
        }
    }
    (tmp_path / "App.template.json").write_text(json.dumps(template))
    assert main(["who-can", "R", "--in", str(tmp_path)]) == 0
    assert ACCOUNT in capsys.readouterr().out
