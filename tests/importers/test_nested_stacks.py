"""Templates that are more than one file, or that a transform changes: nested stacks, CDK assemblies, loops, SAM."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from sts_emulator.cli.main import main
from sts_emulator.importers.inventory import Inventory
from sts_emulator.scenario.inventories import read_inventory

GITHUB = "token.actions.githubusercontent.com"


def trusting(principal: Any) -> dict[str, Any]:
    statement = {"Effect": "Allow", "Principal": {"AWS": principal}, "Action": "sts:AssumeRole"}
    document = {"Version": "2012-10-17", "Statement": [statement]}
    return {"Type": "AWS::IAM::Role", "Properties": {"AssumeRolePolicyDocument": document}}


def read(path: Path, **parameters: str) -> Inventory:
    return read_inventory(path.read_bytes(), str(path), "", parameters)


def written(folder: Path, **templates: Any) -> None:
    for name, template in templates.items():
        (folder / f"{name}.json").write_text(json.dumps(template, indent=1))


def principals(inventory: Inventory) -> dict[str, Any]:
    return {
        thing.name: json.loads(thing.body["trust"])["Statement"][0]["Principal"]["AWS"]
        for thing in inventory.of("roles")
    }


def told(inventory: Inventory) -> str:
    return "\n".join(note.told("parent.json") for note in inventory.notes)


CHILD = {
    "Parameters": {"Who": {"Type": "String"}},
    "Resources": {"Deploy": trusting({"Ref": "Who"})},
    "Outputs": {"Arn": {"Value": {"Fn::GetAtt": ["Deploy", "Arn"]}}},
}
STACK = {
    "Type": "AWS::CloudFormation::Stack",
    "Properties": {"TemplateURL": "./child.json", "Parameters": {"Who": {"Fn::GetAtt": ["Root", "Arn"]}}},
}


def test_a_nested_stack_belongs_to_the_template_around_it(tmp_path: Path):
    after = trusting({"Fn::GetAtt": ["Nested", "Outputs.Arn"]})
    written(
        tmp_path, child=CHILD, parent={"Resources": {"Root": trusting("111122223333"), "Nested": STACK, "After": after}}
    )

    inventory = read(tmp_path / "parent.json")

    assert principals(inventory) == {
        "Root": "111122223333",
        "Deploy": "arn:aws:iam::123456789012:role/Root",
        "After": "arn:aws:iam::123456789012:role/Deploy",
    }
    (deploy,) = [thing for thing in inventory.of("roles") if thing.name == "Deploy"]
    assert (deploy.label, Path(deploy.file).name, inventory.merged) == (
        "Nested.Deploy",
        "child.json",
        [str(tmp_path / "child.json")],
    )
    assert inventory.notes == []


def test_two_stacks_of_one_template_make_two_roles(tmp_path: Path):
    nested = {"Type": "AWS::CloudFormation::Stack"}
    stacks = {
        name: {**nested, "Properties": {"TemplateURL": "child.json", "Parameters": {"Who": account}}}
        for name, account in (("Blue", "111122223333"), ("Green", "444455556666"))
    }
    written(tmp_path, child=CHILD, parent={"Resources": stacks})
    assert principals(read(tmp_path / "parent.json")) == {"Deploy": "111122223333", "Green-Deploy": "444455556666"}


@pytest.mark.parametrize(
    ("where", "told_of"),
    [
        ("https://s3.amazonaws.com/bucket/child.json", "Nested: its template is not beside this one"),
        ("missing.json", "Nested: its template is not beside this one"),
        ("../outside.json", "Nested: its template is not beside this one"),
        ("/etc/hostname", "Nested: its template is not beside this one"),
        ("broken.json", "Nested: broken.json:1:"),
        ("parent.json", "Nested: its template is not beside this one"),
    ],
)
def test_a_template_that_cannot_be_had_is_said(where: str, told_of: str, tmp_path: Path):
    folder = tmp_path / "inside"
    folder.mkdir()
    (tmp_path / "outside.json").write_text(json.dumps(CHILD))
    (folder / "broken.json").write_text('{"Resources": 7}')
    stack = {"Type": "AWS::CloudFormation::Stack", "Properties": {"TemplateURL": where}}
    written(folder, parent={"Resources": {"Nested": stack}})
    assert told_of in told(read(folder / "parent.json"))


def test_a_folder_tells_of_a_nested_stack_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.chdir(tmp_path)
    child = {**CHILD, "Resources": {"Deploy": trusting("*")}}
    written(tmp_path, child=child, parent={"Resources": {"Nested": STACK, "Root": trusting("111122223333")}})

    main(["lint", ".", "--format", "json"])

    inventory = json.loads(capsys.readouterr().out)["findings"]
    assert [(item["file"], item["rule"], item["label"]) for item in inventory if item["rule"] == "anybody"] == [
        ("child.json", "anybody", "Nested.Deploy")
    ]


# -- a CDK app --------------------------------------------------------------------------------------------------------------


def assembly(folder: Path) -> Path:
    """As `cdk synth` writes an app with a stack, a stage, and a nested stack in it."""
    stage = folder / "cdk.out" / "assembly-Prod"
    stage.mkdir(parents=True)

    def manifest(name: str, environment: str, stack: str) -> str:
        properties = {"templateFile": f"{name}.template.json", "stackName": stack}
        artifact = {"type": "aws:cloudformation:stack", "environment": environment, "properties": properties}
        return json.dumps({"version": "36.0.0", "artifacts": {name: artifact}})

    nested = {
        "Type": "AWS::CloudFormation::Stack",
        "Properties": {
            "TemplateURL": {"Fn::Sub": "https://s3.${AWS::Region}.${AWS::URLSuffix}/cdk-assets/9f3c.json"},
            "Parameters": {"Who": {"Fn::GetAtt": ["Ci", "Arn"]}},
        },
        "Metadata": {"aws:asset:path": "ProdAppInner.nested.template.json", "aws:asset:property": "TemplateURL"},
    }
    (stage.parent / "manifest.json").write_text(manifest("Main", "aws://unknown-account/unknown-region", "Main"))
    (stage / "manifest.json").write_text(manifest("ProdApp", "aws://444455556666/eu-west-1", "Prod-App"))
    (stage.parent / "Main.template.json").write_text(json.dumps({"Resources": {"Ci": trusting("111122223333")}}))
    (stage / "ProdApp.template.json").write_text(
        json.dumps({"Resources": {"Ci": trusting("444455556666"), "Inner": nested}})
    )
    (stage / "ProdAppInner.nested.template.json").write_text(json.dumps(CHILD))
    return folder / "cdk.out"


def test_stages_live_where_their_manifest_says(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    out = assembly(tmp_path)
    assert main(["who-can", "Prod-App-Ci", str(out), "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["ways"][0]["role"] == "arn:aws:iam::444455556666:role/Prod-App-Ci"
    assert main(["who-can", "Deploy", str(out), "--format", "json"]) == 0
    way = json.loads(capsys.readouterr().out)["ways"][0]
    assert (way["who"], way["role"]) == (
        "arn:aws:iam::444455556666:role/Prod-App-Ci",
        "arn:aws:iam::444455556666:role/Deploy",
    )


# -- loops ------------------------------------------------------------------------------------------------------------------

LOOP = {
    "Parameters": {"Accounts": {"Type": "CommaDelimitedList"}},
    "Transform": "AWS::LanguageExtensions",
    "Resources": {
        "Fn::ForEach::Roles": ["Account", {"Ref": "Accounts"}, {"For${Account}": trusting({"Ref": "Account"})}]
    },
}


def test_a_loop_over_a_parameter_that_is_passed(tmp_path: Path):
    written(tmp_path, parent=LOOP)
    inventory = read(tmp_path / "parent.json", Accounts="111122223333, 444455556666")
    assert principals(inventory) == {"For111122223333": "111122223333", "For444455556666": "444455556666"}


def test_a_loop_over_what_is_not_known_says_what_to_pass(tmp_path: Path):
    written(tmp_path, parent=LOOP)
    inventory = read(tmp_path / "parent.json")
    assert inventory.things == []
    assert "ForEach::Roles: its values are not known, so what it makes is left out; pass --parameter Accounts=A,B" in (
        told(inventory)
    )


def test_what_is_not_taken_over_is_said(tmp_path: Path):
    resources = {
        "Linked": {"Type": "AWS::IAM::ServiceLinkedRole", "Properties": {"AWSServiceName": "es.amazonaws.com"}},
        "Guard": {"Type": "AWS::Organizations::Policy", "Properties": {"Type": "SERVICE_CONTROL_POLICY"}},
        "Extra": {
            "Type": "AWS::IAM::Policy",
            "Properties": {"Roles": ["elsewhere"], "PolicyName": "p", "PolicyDocument": {}},
        },
    }
    written(tmp_path, parent={"Transform": ["OurMacro"], "Resources": resources})
    said = told(read(tmp_path / "parent.json"))
    assert "what the macro OurMacro makes of it is not known here" in said
    assert "Linked: AWS::IAM::ServiceLinkedRole is not taken over" in said
    assert "Guard: AWS::Organizations::Policy is not taken over" in said
    assert "Extra: whom it is for is not in this template, so it is left out" in said


# -- SAM --------------------------------------------------------------------------------------------------------------------


def test_the_roles_that_sam_makes(tmp_path: Path):
    event = {"Type": "ScheduleV2", "Properties": {"ScheduleExpression": "rate(1 day)"}}
    function = {
        "Type": "AWS::Serverless::Function",
        "Properties": {
            "Policies": [{"S3ReadPolicy": {"BucketName": "b"}}, "AmazonSQSReadOnlyAccess"],
            "Events": {"Daily": event, "Own": {**event, "Properties": {"RoleArn": "arn:aws:iam::111122223333:role/x"}}},
            "DeploymentPreference": {"Type": "Canary10Percent5Minutes"},
        },
    }
    machine = {"Type": "AWS::Serverless::StateMachine", "Properties": {"Events": {"Nightly": {"Type": "Schedule"}}}}
    connector = {"Type": "AWS::Serverless::Connector", "Properties": {}}
    given = {**function, "Properties": {"Role": "arn:aws:iam::111122223333:role/x"}}
    resources = {"Worker": function, "Steps": machine, "Link": connector, "Given": given}
    written(tmp_path, parent={"Transform": "AWS::Serverless-2016-10-31", "Resources": resources})

    inventory = read(tmp_path / "parent.json")

    services = {
        thing.name: json.loads(thing.body["trust"])["Statement"][0]["Principal"]["Service"]
        for thing in inventory.of("roles")
    }
    assert services == {
        "WorkerRole": ["lambda.amazonaws.com"],
        "WorkerDailyRole": ["scheduler.amazonaws.com"],
        "CodeDeployServiceRole": ["codedeploy.amazonaws.com"],
        "StepsRole": ["states.amazonaws.com"],
        "StepsNightlyRole": ["events.amazonaws.com"],
    }
    assert "SAM's policy templates are not expanded, none lets a role be assumed: S3ReadPolicy" in told(inventory)
    assert "SAM's connectors are not expanded, none lets a role be assumed: Link" in told(inventory)


# -- passing over -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ignore", "is_told"),
    [
        ({"anybody": "a public demonstration"}, False),
        ({"anybody": ""}, True),
        ({"other": "why"}, True),
        (["anybody"], True),
    ],
)
def test_a_resource_says_what_to_pass_over_and_why(
    ignore: Any, is_told: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    role = {**trusting("*"), "Metadata": {"sts-emulator": {"ignore": ignore}}}
    written(tmp_path, parent={"Resources": {"Open": role}})
    assert main(["lint", str(tmp_path / "parent.json")]) == int(is_told)
    assert ("anybody" in capsys.readouterr().out) == is_told
