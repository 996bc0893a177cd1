"""CloudFormation and CDK templates, in JSON and YAML, with intrinsic functions resolved as far as a template tells."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from sts_emulator.importers.cloudformation import read
from sts_emulator.importers.inventory import Inventory
from sts_emulator.importers.json_text import BadInput, JsonText
from sts_emulator.scenario import ScenarioError
from sts_emulator.scenario.inventories import read_inventory
from sts_emulator.scenario.templates import YamlTemplate

ACCOUNT = "111122223333"
TEMPLATE = (Path(__file__).parent / "cases" / "template.yaml").read_bytes()


def from_yaml(text: str | bytes, **parameters: str) -> Inventory:
    data = text.encode() if isinstance(text, str) else text
    return read(YamlTemplate(data, "template.yaml"), ACCOUNT, parameters)


def from_json(template: Any, **parameters: str) -> Inventory:
    return read(JsonText(json.dumps(template).encode(), "t.json"), ACCOUNT, parameters)


def role(trust: Any, **more: Any) -> dict[str, Any]:
    return {"Type": "AWS::IAM::Role", "Properties": {"AssumeRolePolicyDocument": trust, **more}}


def trust(principal: Any) -> dict[str, Any]:
    statement = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"AWS": principal}}
    return {"Version": "2012-10-17", "Statement": [statement]}


def principal_of(inventory: Inventory, name: str = "R") -> Any:
    (thing,) = [item for item in inventory.of("roles") if item.name == name]
    return json.loads(thing.body["trust"])["Statement"][0]["Principal"]["AWS"]


# -- a template as people write them ------------------------------------------------------------------------------------


def test_a_whole_template():
    inventory = from_yaml(TEMPLATE)
    things = {(thing.section, thing.name): thing for thing in inventory.things}
    assert sorted(things) == [
        ("groups", "Admins"),
        ("instance_profiles", "Profile"),
        ("oidc_providers", "token.actions.githubusercontent.com"),
        ("policies", "AssumeDeploy"),
        ("roles", "app-prod"),
        ("roles", "deploy-prod"),
        ("users", "alice"),
    ]
    statement = json.loads(things["roles", "deploy-prod"].body["trust"])["Statement"][0]
    assert statement["Principal"] == {
        "Federated": f"arn:aws:iam::{ACCOUNT}:oidc-provider/token.actions.githubusercontent.com"
    }
    assert statement["Condition"]["StringLike"] == {"token.actions.githubusercontent.com:sub": "repo:octo-org/app:*"}
    assert things["users", "alice"].body == {
        "groups": ["Admins"],
        "policies": [f"arn:aws:iam::{ACCOUNT}:policy/AssumeDeploy"],
    }
    policy = json.loads(things["policies", "AssumeDeploy"].body["document"])
    assert policy["Statement"]["Resource"] == f"arn:aws:iam::{ACCOUNT}:role/deploy-prod"
    assert things["instance_profiles", "Profile"].body == {"role": "app-prod"}
    assert inventory.notes == []


def test_parameters_overrule_defaults_and_conditions_follow():
    inventory = from_yaml(TEMPLATE, Stage="dev")
    assert sorted(thing.name for thing in inventory.of("roles")) == ["deploy-dev"]
    with pytest.raises(BadInput, match="has no parameter `Stagee`"):
        from_yaml(TEMPLATE, Stagee="dev")


def test_lines_are_those_of_the_template():
    (deploy,) = [item for item in from_yaml(TEMPLATE).of("roles") if item.name == "deploy-prod"]
    lines = TEMPLATE.decode().splitlines()
    assert lines[deploy.line - 1].strip() == "Deploy:"
    path = "Statement[0].Condition.StringLike.token.actions.githubusercontent.com:sub"
    assert "token.actions.githubusercontent.com:sub" in lines[deploy.line_of("trust", path) - 1]


# -- functions ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ({"Ref": "AWS::AccountId"}, ACCOUNT),
        ({"Fn::Sub": "arn:${AWS::Partition}:iam::${AWS::AccountId}:root"}, f"arn:aws:iam::{ACCOUNT}:root"),
        ({"Fn::Sub": ["arn:aws:iam::${A}:root", {"A": {"Ref": "Other"}}]}, "arn:aws:iam::444455556666:root"),
        ({"Fn::Sub": "${!Literal}"}, "${Literal}"),
        ({"Fn::Join": [":", ["arn:aws:iam:", {"Ref": "Other"}, "root"]]}, "arn:aws:iam::444455556666:root"),
        ({"Fn::GetAtt": ["Q", "Arn"]}, f"arn:aws:iam::{ACCOUNT}:role/q/named"),
        ({"Fn::GetAtt": "Q.Arn"}, f"arn:aws:iam::{ACCOUNT}:role/q/named"),
        ({"Fn::Select": ["1", {"Fn::Split": [",", "a,444455556666"]}]}, "444455556666"),
        ({"Fn::Select": [0, {"Ref": "List"}]}, "111111111111"),
        ({"Fn::FindInMap": ["M", "prod", "Account"]}, "444455556666"),
        ({"Fn::If": ["Yes", "444455556666", {"Ref": "AWS::NoValue"}]}, "444455556666"),
        ([{"Ref": "Other"}, {"Fn::If": ["No", "x", {"Ref": "AWS::NoValue"}]}], ["444455556666"]),
    ],
)
def test_functions_that_a_template_alone_resolves(written: Any, meant: Any):
    template = {
        "Parameters": {
            "Other": {"Type": "String", "Default": "444455556666"},
            "List": {"Type": "CommaDelimitedList", "Default": "111111111111, 222222222222"},
        },
        "Mappings": {"M": {"prod": {"Account": "444455556666"}}},
        "Conditions": {"Yes": {"Fn::Not": [{"Condition": "No"}]}, "No": {"Fn::Equals": [{"Ref": "Other"}, "x"]}},
        "Resources": {"R": role(trust(written)), "Q": role(trust("1" * 12), RoleName="named", Path="/q/")},
    }
    inventory = from_json(template)
    assert principal_of(inventory) == meant
    assert inventory.notes == []


@pytest.mark.parametrize(
    ("written", "told"),
    [
        ({"Fn::ImportValue": "shared-role"}, "made up: Fn::ImportValue shared-role, which another stack exports"),
        ({"Ref": "Nothing"}, "made up: Nothing"),
        ({"Fn::Transform": {"Name": "x"}}, "a function that is not resolved here"),
        ({"Fn::If": ["Missing", "a", {"Ref": "x"}]}, "condition Missing"),
        ({"Fn::If": ["Circle", "a", "b"]}, "conditions that refer to each other in a circle"),
        ({"Fn::Select": [5, ["a"]]}, "Fn::Select of something that is not there"),
        ({"Fn::Join": "x"}, "Fn::Join of unknown form"),
        ({"Fn::Sub": ["x"]}, "Fn::Sub of something that is no text"),
        ("{{resolve:ssm:/shared/role}}", "made up: ssm:/shared/role"),
    ],
)
def test_what_a_template_does_not_tell_is_told_once(written: Any, told: str):
    template = {
        "Conditions": {"Circle": {"Condition": "Circle"}},
        "Resources": {"R": role(trust(written)), "Q": role(trust(written))},
    }
    inventory = from_json(template)
    (note,) = inventory.notes
    assert told in note.message


def test_the_cdk_way_of_oidc_providers():
    provider = {
        "Type": "Custom::AWSCDKOpenIdConnectProvider",
        "Properties": {"Url": "https://gitlab.com", "ClientIDList": ["x"]},
    }
    inventory = from_json({"Resources": {"P": provider, "R": role(trust({"Ref": "P"}))}})
    assert principal_of(inventory) == f"arn:aws:iam::{ACCOUNT}:oidc-provider/gitlab.com"


# -- hostile --------------------------------------------------------------------------------------------------------------


def test_names_that_refer_to_each_other_end():
    inventory = from_json(
        {
            "Resources": {
                "A": role(trust("1" * 12), RoleName={"Ref": "B"}),
                "B": role(trust("1" * 12), RoleName={"Ref": "A"}),
            }
        }
    )
    assert len(list(inventory.of("roles"))) == 2


def test_a_text_that_would_grow_without_end_is_cut():
    doubled: Any = "x" * 1000
    for _ in range(15):
        doubled = {"Fn::Join": ["", [doubled, doubled]]}
    assert "grows too long" in from_json({"Resources": {"R": role(trust(doubled))}}).notes[0].message


def test_functions_nested_very_deeply():
    nested: Any = "x"
    for _ in range(120):
        nested = {"Fn::Join": ["", [nested]]}
    assert "nested too deeply" in from_json({"Resources": {"R": role(trust(nested))}}).notes[0].message


@pytest.mark.parametrize(
    "resources", [[], 7, None, {"R": 7}, {"R": {"Type": 7}}, {"R": {"Type": "AWS::IAM::Role", "Properties": 7}}]
)
def test_odd_shapes_never_end_in_a_traceback(resources: Any):
    try:
        from_json({"Resources": resources})
    except BadInput as bad:
        assert "Resources" in str(bad)  # noqa: PT017 - both are right


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("Resources:\n  R: !!python/object:os.system x\n", "t.yaml:2: tag `!!python/object:os.system` is not allowed"),
        ("Resources:\n  a: &a [x]\n  b: &b [*a,*a]\n  a: 1\n", "t.yaml:4: key `a` is already on line 2"),
        ("Resources:\n  R: !Ref [\n", "t.yaml:3: "),
    ],
)
def test_yaml_that_is_refused(text: str, complaint: str):
    with pytest.raises(ScenarioError) as refused:
        read_inventory(text.encode(), "t.yaml", ACCOUNT)
    assert str(refused.value).startswith(complaint)


def test_aliases_cannot_explode():
    lines = [
        "Resources:",
        "  a0: &a0 {x: y}",
        *(f"  a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 12)),
    ]
    with pytest.raises(ScenarioError, match="once its aliases are expanded"):
        read_inventory("\n".join(lines).encode(), "t.yaml", ACCOUNT)
