"""Terraform: plans and states as `terraform show -json` writes them, by hand and by Terraform itself."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from sts_emulator.importers.inventory import Inventory, Thing
from sts_emulator.importers.json_text import BadInput, JsonText
from sts_emulator.importers.read import read_json

GITHUB = "token.actions.githubusercontent.com"
PROVIDER = f"arn:aws:iam::123456789012:oidc-provider/{GITHUB}"
TRUST = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"sts:AssumeRole","Principal":{"AWS":"111122223333"}}]}'


def read(plan: Any, account: str = "") -> Inventory:
    return read_json(JsonText(json.dumps(plan, indent=1).encode(), "plan.json"), account)


def resource(address: str, **values: Any) -> dict[str, Any]:
    mode = "data" if address.startswith("data.") else "managed"
    kind, name = address.removeprefix("data.").split(".")[-2:]
    return {"address": address, "mode": mode, "type": kind, "name": name, "values": values}


def plan(*resources: dict[str, Any], configuration: Any = None, **more: Any) -> dict[str, Any]:
    return {
        "format_version": "1.2",
        "terraform_version": "1.11.4",
        "planned_values": {"root_module": {"resources": list(resources), **more}},
        "resource_changes": [],
        "configuration": {"root_module": configuration or {}},
    }


def one(inventory: Inventory, section: str) -> Thing:
    (thing,) = inventory.of(section)
    return thing


def test_a_role_with_everything():
    inventory = read(
        plan(
            resource(
                "aws_iam_role.ops",
                name="ops",
                path="/team/",
                description="d",
                max_session_duration=7200,
                assume_role_policy=TRUST,
                tags={"a": "1"},
                tags_all={"a": "1", "b": "2"},
                inline_policy=[{"name": "x", "policy": TRUST}],
                managed_policy_arns=["arn:aws:iam::aws:policy/ReadOnlyAccess"],
                permissions_boundary="arn:aws:iam::123456789012:policy/edge",
            ),
            resource("aws_s3_bucket.b", bucket="b"),
        )
    )
    role = one(inventory, "roles")
    assert role.label == "aws_iam_role.ops"
    assert (role.account, role.name) == ("123456789012", "ops")
    assert role.body == {
        "path": "/team/",
        "description": "d",
        "max_session_duration": "7200",
        "tags": {"a": "1", "b": "2"},
        "policies": ["arn:aws:iam::aws:policy/ReadOnlyAccess"],
        "inline": {"x": TRUST},
        "boundary": "arn:aws:iam::123456789012:policy/edge",
        "trust": TRUST,
    }
    assert len(inventory.things) == 1


def test_what_is_attached_by_resources_of_its_own():
    inventory = read(
        plan(
            resource("aws_iam_role.r", name="r", assume_role_policy=TRUST),
            resource("aws_iam_user.u", name="u"),
            resource("aws_iam_group.g", name="g"),
            resource("aws_iam_policy.p", name="p", policy=TRUST, arn="arn:aws:iam::444455556666:policy/p"),
            resource("aws_iam_role_policy.x", name="x", role="r", policy=TRUST),
            resource("aws_iam_role_policy_attachment.x", role="r", policy_arn="arn:aws:iam::aws:policy/A"),
            resource(
                "aws_iam_policy_attachment.x",
                roles=["r"],
                users=["u"],
                groups=None,
                policy_arn="arn:aws:iam::aws:policy/B",
            ),
            resource("aws_iam_user_group_membership.x", user="u", groups=["g"]),
            resource("aws_iam_group_policy.x", name="x", group="g", policy=TRUST),
            resource("aws_iam_instance_profile.i", name="i", role="r"),
        )
    )
    assert one(inventory, "roles").body["inline"] == {"x": TRUST}
    assert one(inventory, "roles").body["policies"] == ["arn:aws:iam::aws:policy/A", "arn:aws:iam::aws:policy/B"]
    assert one(inventory, "users").body == {"policies": ["arn:aws:iam::aws:policy/B"], "groups": ["g"]}
    assert one(inventory, "groups").body == {"inline": {"x": TRUST}}
    assert one(inventory, "instance_profiles").body == {"role": "r"}
    assert {thing.account for thing in inventory.things} == {"444455556666"}, "an ARN of its own gives the account away"


# -- what a plan does not know ----------------------------------------------------------------------------------------

DOCUMENT = {
    "statement": [
        {
            "sid": "GitHub",
            "actions": ["sts:AssumeRoleWithWebIdentity"],
            "principals": [{"type": "Federated", "identifiers": [None]}],
            "condition": [{"test": "StringEquals", "variable": f"{GITHUB}:aud", "values": ["sts.amazonaws.com"]}],
        }
    ]
}


def configured(address: str, **expressions: Any) -> dict[str, Any]:
    mode = "data" if address.startswith("data.") else "managed"
    kind, name = address.removeprefix("data.").split(".")
    return {"address": address, "mode": mode, "type": kind, "name": name, "expressions": expressions}


def refers(*names: str) -> dict[str, Any]:
    return {"references": list(names)}


ROLE = configured(
    "aws_iam_role.deploy",
    assume_role_policy=refers("data.aws_iam_policy_document.t.json", "data.aws_iam_policy_document.t"),
)
BLOCK = configured(
    "data.aws_iam_policy_document.t",
    statement=[
        {
            "principals": [
                {
                    "type": {"constant_value": "Federated"},
                    "identifiers": refers("aws_iam_openid_connect_provider.g.arn", "aws_iam_openid_connect_provider.g"),
                }
            ]
        }
    ],
)


def test_a_policy_document_is_put_together_with_the_arn_that_a_provider_will_have():
    inventory = read(
        plan(
            resource("aws_iam_role.deploy", name="deploy"),
            resource(
                "aws_iam_openid_connect_provider.g", url=f"https://{GITHUB}", client_id_list=["sts.amazonaws.com"]
            ),
            resource("data.aws_iam_policy_document.t", **DOCUMENT),
            configuration={"resources": [ROLE, BLOCK]},
        ),
        account="111122223333",
    )
    (statement,) = json.loads(one(inventory, "roles").body["trust"])["Statement"]
    assert statement == {
        "Sid": "GitHub",
        "Effect": "Allow",
        "Action": ["sts:AssumeRoleWithWebIdentity"],
        "Principal": {"Federated": [f"arn:aws:iam::111122223333:oidc-provider/{GITHUB}"]},
        "Condition": {"StringEquals": {f"{GITHUB}:aud": ["sts.amazonaws.com"]}},
    }
    assert [note.message for note in inventory.notes] == [
        "aws_iam_role.deploy: assume_role_policy: put together from data.aws_iam_policy_document.t"
    ]


def test_what_cannot_be_known_is_left_out_and_told():
    inventory = read(
        plan(
            resource("aws_iam_role.deploy", name="deploy"),
            configuration={
                "resources": [
                    configured("aws_iam_role.deploy", assume_role_policy=refers("aws_kms_key.k.arn", "aws_kms_key.k"))
                ]
            },
        )
    )
    assert inventory.things == []
    assert [note.message for note in inventory.notes] == [
        "aws_iam_role.deploy: assume_role_policy is not known before apply: it needs aws_kms_key.k"
    ]


def test_a_reference_to_one_of_several_instances_is_not_guessed():
    provider = "aws_iam_openid_connect_provider.g"
    inventory = read(
        plan(
            resource("aws_iam_role.deploy", name="deploy"),
            resource(provider, url=f"https://{GITHUB}"),
            resource(provider, url="https://gitlab.com"),
            resource("data.aws_iam_policy_document.t", **DOCUMENT),
            configuration={"resources": [ROLE, BLOCK]},
        )
    )
    assert not list(inventory.of("roles"))
    assert "has a value that is not known before apply" in inventory.notes[0].message


def test_a_state_is_what_exists():
    state = {
        "format_version": "1.0",
        "terraform_version": "1.11.4",
        "values": {"root_module": {"resources": [resource("aws_iam_role.r", name="r", assume_role_policy=TRUST)]}},
    }
    assert read(state).exists
    assert not read(plan()).exists


def test_modules_within_modules():
    inner = {
        "address": "module.a[0].module.b",
        "resources": [resource("aws_iam_role.r", name="deep", assume_role_policy=TRUST)],
    }
    inventory = read(plan(child_modules=[{"address": "module.a[0]", "child_modules": [inner]}]))
    assert one(inventory, "roles").name == "deep"


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ({"version": 3, "lineage": "x", "modules": []}, "is Terraform's own state file of an old version"),
        ({"version": 5, "lineage": "x", "resources": []}, "is a state of version 5; `terraform show -json`"),
        ({"version": 4, "lineage": "x", "resources": [{"name": "r"}]}, "expected a resource with a `type`"),
        ({"version": 4, "lineage": "x", "resources": 7}, "is not JSON: `[` is expected"),
        (
            {"serial": 1, "lineage": "x", "meta": {}, "encrypted_data": "x"},
            "is encrypted by OpenTofu; `tofu show -json`",
        ),
        ({"format_version": "1.0", "terraform_version": "1.11.4"}, "is an empty state"),
        ({**plan(), "planned_values": {"root_module": {"resources": [7]}}}, "expected a resource with a `type`"),
        ({**plan(), "planned_values": {"root_module": {"resources": 7}}}, "is not JSON: `[` is expected"),
        ({**plan(), "planned_values": 7}, "is not JSON: `{` is expected"),
    ],
)
def test_files_that_are_something_else(content: Any, complaint: str):
    with pytest.raises(BadInput, match=complaint.replace("[", r"\[").replace("{", r"\{")):
        read(content)


def state(*resources: dict[str, Any]) -> dict[str, Any]:
    return {"version": 4, "terraform_version": "1.11.4", "lineage": "x", "outputs": {}, "resources": list(resources)}


def test_a_state_file_itself_says_what_terraform_shows_of_it():
    block = {"module": 'module.m["x"]', "mode": "managed", "type": "aws_iam_role", "name": "r"}
    instances = [
        {"index_key": key, "attributes": {"name": f"r-{key}", "path": "/ci/", "assume_role_policy": TRUST}}
        for key in (0, "a")
    ]
    inventory = read(
        state({**block, "instances": instances}, {"mode": "managed", "type": "aws_s3_bucket", "name": "b"})
    )
    assert inventory.exists
    assert [(thing.label, thing.name, thing.body["path"]) for thing in inventory.things] == [
        ('module.m["x"].aws_iam_role.r[0]', "r-0", "/ci/"),
        ('module.m["x"].aws_iam_role.r["a"]', "r-a", "/ci/"),
    ]
    assert inventory.things[0].line < inventory.things[1].line


def test_a_state_without_iam_is_nothing_to_complain_about():
    assert read(state()).things == []


def test_a_saved_plan_itself():
    with pytest.raises(BadInput, match="terraform show -json PLAN"):
        JsonText(b"PK\x03\x04 and so on", "plan.bin")


@pytest.mark.parametrize(
    "values", [[], 7, "x", {"a": None}, {"name": 7, "assume_role_policy": 7, "tags": 7, "inline_policy": 7}]
)
def test_values_of_odd_shapes_never_end_in_a_traceback(values: Any):
    odd = [{"address": f"{kind}.x", "type": kind, "name": "x", "values": values} for kind in KINDS]
    read(plan(*odd))


KINDS = (
    *("aws_iam_role", "aws_iam_user", "aws_iam_group", "aws_iam_policy", "aws_iam_openid_connect_provider"),
    *("aws_iam_saml_provider", "aws_rolesanywhere_trust_anchor", "aws_rolesanywhere_profile", "aws_iam_role_policy"),
    *(
        "aws_iam_policy_attachment",
        "aws_iam_user_group_membership",
        "aws_iam_group_membership",
        "aws_iam_instance_profile",
    ),
)


# -- Terraform itself --------------------------------------------------------------------------------------------------


@pytest.mark.clients
def test_a_plan_that_terraform_makes(tmp_path: Path, terraform_plugins: Path):
    shutil.copy(Path(__file__).parent / "cases" / "main.tf", tmp_path)
    environment = {**os.environ, "CHECKPOINT_DISABLE": "1", "TF_IN_AUTOMATION": "1"}

    def terraform(*arguments: str) -> str:
        command = ["terraform", *arguments]
        ended = subprocess.run(
            command, cwd=tmp_path, capture_output=True, text=True, timeout=300, check=False, env=environment
        )
        assert ended.returncode == 0, ended.stderr
        return ended.stdout

    terraform("init", f"-plugin-dir={terraform_plugins}", "-no-color")
    terraform("plan", "-no-color", "-refresh=false", "-out=plan.bin")
    inventory = read_json(JsonText(terraform("show", "-json", "plan.bin").encode(), "plan.json"))
    roles = {thing.name: thing for thing in inventory.of("roles")}
    assert sorted(roles) == ["deploy", "inner", "ops"]
    assert json.loads(roles["deploy"].body["trust"])["Statement"][0]["Principal"] == {"Federated": [PROVIDER]}
    assert json.loads(roles["inner"].body["trust"])["Statement"][0]["Principal"] == {
        "AWS": ["arn:aws:iam::123456789012:role/team/ops"]
    }
    assert [note.message for note in inventory.notes if "unknown" in note.message] == [
        "aws_iam_role.unknown: assume_role_policy is not known before apply: it needs aws_iam_openid_connect_provider.github"
    ]
