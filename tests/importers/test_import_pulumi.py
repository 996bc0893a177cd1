"""Pulumi's previews and exported stacks: Terraform's resources under other names."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from sts_emulator.cli.main import main
from sts_emulator.importers.inventory import Inventory
from sts_emulator.importers.json_text import BadInput, JsonText
from sts_emulator.importers.pulumi import UNKNOWN
from sts_emulator.importers.read import read_json

ACCOUNT = "111122223333"
GITHUB = "token.actions.githubusercontent.com"


def trust(principal: Any) -> str:
    statement = {"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def urn(kind: str, name: str) -> str:
    return f"urn:pulumi:dev::shop::aws:iam/{kind}::{name}"


def state(kind: str, name: str, inputs: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"urn": urn(kind, name), "custom": True, "type": f"aws:iam/{kind}", "inputs": inputs, **more}


ROLE, POLICY = "role:Role", "policy:Policy"
ATTACHMENT, PROVIDER = "rolePolicyAttachment:RolePolicyAttachment", "openIdConnectProvider:OpenIdConnectProvider"
ALLOWED = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sts:*", "Resource": "*"}]})
STATES = [
    state(
        ROLE, "deploy", {"assumeRolePolicy": trust({"AWS": ACCOUNT}), "maxSessionDuration": 7200, "tags": {"a": "b"}}
    ),
    state(POLICY, "assume", {"policy": ALLOWED, "name": "assume-all"}),
    state(
        ATTACHMENT,
        "attached",
        {"role": UNKNOWN, "policyArn": UNKNOWN},
        propertyDependencies={"role": [urn(ROLE, "deploy")], "policyArn": [urn(POLICY, "assume")]},
    ),
    state(PROVIDER, "github", {"url": f"https://{GITHUB}", "clientIdLists": ["sts.amazonaws.com"]}),
    state(ROLE, "later", {"assumeRolePolicy": UNKNOWN}),
]


def read(value: Any) -> Inventory:
    return read_json(JsonText(json.dumps(value).encode(), "p.json"), ACCOUNT)


def preview() -> dict[str, Any]:
    return {"config": {}, "steps": [{"op": "create", "urn": known["urn"], "newState": known} for known in STATES]}


def test_a_preview():
    inventory = read(preview())
    things = {(thing.section, thing.name): thing.body for thing in inventory.things}
    assert set(things) == {("roles", "deploy"), ("policies", "assume-all"), ("oidc_providers", GITHUB)}
    deploy = things["roles", "deploy"]
    assert deploy["policies"] == [f"arn:aws:iam::{ACCOUNT}:policy/assume-all"]
    assert deploy["max_session_duration"] == "7200"
    assert deploy["tags"] == {"a": "b"}
    assert things["oidc_providers", GITHUB]["client_ids"] == ["sts.amazonaws.com"]
    assert not inventory.exists
    assert "role later: assume_role_policy is not known before apply" in [note.message for note in inventory.notes]


def test_a_stack_that_is_there():
    outputs = {"arn": f"arn:aws:iam::{ACCOUNT}:role/deploy-1a2b3c4", "name": "deploy-1a2b3c4"}
    there = state(ROLE, "deploy", {"assumeRolePolicy": trust({"AWS": ACCOUNT})}, outputs=outputs)
    inventory = read({"version": 3, "deployment": {"manifest": {}, "resources": [there]}})
    assert [thing.name for thing in inventory.of("roles")] == ["deploy-1a2b3c4"]
    assert inventory.exists


def test_what_is_deleted_is_gone():
    steps = [{"op": "delete", "urn": STATES[0]["urn"], "newState": STATES[0]}, {"op": "same", "urn": "x"}]
    assert read({"steps": steps}).things == []


@pytest.mark.parametrize("odd", [{"steps": [7]}, {"steps": 7}, {"deployment": 7}, {"deployment": {"resources": [7]}}])
def test_odd_shapes_never_end_in_a_traceback(odd: Any):
    try:
        assert read(odd).things == []
    except BadInput as bad:
        assert str(bad)  # noqa: PT017 - both are right


def test_every_command_takes_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "preview.json").write_text(json.dumps(preview()))
    assert main(["lint", "preview.json", "--account", ACCOUNT]) in (0, 1)
    assert main(["who-can", "deploy", "preview.json", "--account", ACCOUNT]) == 0
    assert f"arn:aws:iam::{ACCOUNT}:role/deploy" in capsys.readouterr().out


# -- aws-native -------------------------------------------------------------------------------------------------------------


def native(kind: str, name: str, inputs: dict[str, Any], **more: Any) -> dict[str, Any]:
    address = f"urn:pulumi:dev::shop::aws-native:iam:{kind}::{name}"
    return {"urn": address, "custom": True, "type": f"aws-native:iam:{kind}", "inputs": inputs, **more}


def test_native_resources_are_cloudformations_in_camel_case():
    provider = native("OidcProvider", "github", {"url": f"https://{GITHUB}", "clientIdList": ["sts.amazonaws.com"]})
    statement = {
        "Effect": "Allow",
        "Principal": {"Federated": UNKNOWN},
        "Action": "sts:AssumeRoleWithWebIdentity",
        "Condition": {"StringEquals": {f"{GITHUB}:sub": "repo:acme/shop:ref:refs/heads/main"}},
    }
    inline = {"policyName": "own", "policyDocument": json.loads(ALLOWED)}
    role = native(
        "Role",
        "deploy",
        {
            "roleName": "deploy",
            "assumeRolePolicyDocument": {"Version": "2012-10-17", "Statement": [statement]},
            "policies": [inline],
        },
        propertyDependencies={"assumeRolePolicyDocument": [provider["urn"]]},
    )
    steps = [{"op": "create", "urn": item["urn"], "newState": item} for item in (provider, role)]

    inventory = read_json(JsonText(json.dumps({"steps": steps}).encode(), "preview.json"), ACCOUNT)

    (deploy,) = inventory.of("roles")
    told = json.loads(deploy.body["trust"])["Statement"][0]
    assert told["Principal"] == {"Federated": f"arn:aws:iam::{ACCOUNT}:oidc-provider/{GITHUB}"}
    assert told["Condition"] == statement["Condition"]
    assert json.loads(deploy.body["inline"]["own"]) == json.loads(ALLOWED)
    assert [thing.name for thing in inventory.of("oidc_providers")] == [GITHUB]


def test_what_of_pulumi_is_not_taken_over_is_said():
    guard = {
        "urn": "urn:pulumi:dev::s::aws:organizations/policy:Policy::guard",
        "type": "aws:organizations/policy:Policy",
    }
    linked = native("ServiceLinkedRole", "es", {"awsServiceName": "es.amazonaws.com"})
    steps = [{"op": "create", "urn": item["urn"], "newState": item} for item in (guard, linked)]
    inventory = read_json(JsonText(json.dumps({"steps": steps}).encode(), "preview.json"), ACCOUNT)
    said = [note.message for note in inventory.notes]
    assert "aws_organizations_policy is not taken over: policy guard" in said
    assert "es: AWS::IAM::ServiceLinkedRole is not taken over" in said
