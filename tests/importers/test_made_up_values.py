"""What a template does not tell becomes a value of the form that its place asks for, and nobody is blamed for it.

Source of the forms: AWS CloudFormation Template Reference, "Return values" of each type; Service Authorization
Reference, "Resource types defined by …".
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from sts_emulator.cli.main import main
from sts_emulator.importers.cloudformation import read
from sts_emulator.importers.inventory import Inventory
from sts_emulator.importers.json_text import BadInput, JsonText

ACCOUNT = "111122223333"


def taken(template: Any, **parameters: str) -> Inventory:
    return read(JsonText(json.dumps(template).encode(), "t.json"), ACCOUNT, parameters)


def role(principal: Any, **more: Any) -> dict[str, Any]:
    statement = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": principal, **more.pop("statement", {})}
    document = {"Version": "2012-10-17", "Statement": [statement]}
    return {"Type": "AWS::IAM::Role", "Properties": {"AssumeRolePolicyDocument": document, **more}}


def statement_of(inventory: Inventory, name: str = "R") -> dict[str, Any]:
    (thing,) = [thing for thing in inventory.of("roles") if thing.name == name]
    statement: dict[str, Any] = json.loads(thing.body["trust"])["Statement"][0]
    return statement


@pytest.mark.parametrize(
    ("kind", "attribute", "value"),
    [
        ("AWS::DynamoDB::Table", "Arn", f"arn:aws:dynamodb:us-east-1:{ACCOUNT}:table/Thing"),
        ("AWS::S3::Bucket", "Arn", "arn:aws:s3:::thing"),
        ("AWS::SQS::Queue", "Arn", f"arn:aws:sqs:us-east-1:{ACCOUNT}:Thing"),
        ("AWS::SNS::Topic", "", f"arn:aws:sns:us-east-1:{ACCOUNT}:Thing"),
        ("AWS::SNS::Topic", "TopicArn", f"arn:aws:sns:us-east-1:{ACCOUNT}:Thing"),
        ("AWS::Lambda::Function", "Arn", f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:Thing"),
        ("AWS::Lambda::Function", "", "Thing"),
        ("AWS::StepFunctions::StateMachine", "Arn", f"arn:aws:states:us-east-1:{ACCOUNT}:stateMachine:Thing"),
        ("AWS::SecretsManager::Secret", "", f"arn:aws:secretsmanager:us-east-1:{ACCOUNT}:secret:Thing-AbCdEf"),
        ("AWS::Logs::LogGroup", "Arn", f"arn:aws:logs:us-east-1:{ACCOUNT}:log-group:Thing:*"),
        ("AWS::EKS::Cluster", "OpenIdConnectIssuerUrl", "https://oidc.eks.us-east-1.amazonaws.com/id/EXAMPLE"),
        ("AWS::Cognito::UserPool", "Arn", f"arn:aws:cognito-idp:us-east-1:{ACCOUNT}:userpool/us-east-1_Example12"),
        ("AWS::Backup::BackupVault", "BackupVaultArn", f"arn:aws:backup:us-east-1:{ACCOUNT}:backupvault/Thing"),
        ("Custom::Something", "Url", "https://thing.example.com"),
    ],
)
def test_what_a_resource_will_be_called(kind: str, attribute: str, value: str):
    written = {"Fn::GetAtt": ["Thing", attribute]} if attribute else {"Ref": "Thing"}
    inventory = taken({"Resources": {"Thing": {"Type": kind}, "R": role({"AWS": "1" * 12}, Description=written)}})
    (made,) = [thing.body["description"] for thing in inventory.of("roles")]
    assert made.startswith(value)
    assert inventory.notes == []


def test_a_name_that_is_given_is_in_the_arn():
    queue = {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": {"Fn::Sub": "jobs-${AWS::Region}"}}}
    written = {"Fn::GetAtt": ["Queue", "Arn"]}
    inventory = taken({"Resources": {"Queue": queue, "R": role({"AWS": "1" * 12}, Description=written)}})
    assert next(inventory.of("roles")).body["description"] == f"arn:aws:sqs:us-east-1:{ACCOUNT}:jobs-us-east-1"


@pytest.mark.parametrize(
    ("principal", "meant"),
    [
        ({"AWS": {"Ref": "Deployer"}}, {"AWS": f"arn:aws:iam::{ACCOUNT}:role/made-up-Deployer"}),
        ({"AWS": {"Ref": "CiUser"}}, {"AWS": f"arn:aws:iam::{ACCOUNT}:user/made-up-CiUser"}),
        (
            {"Federated": {"Ref": "Provider"}},
            {"Federated": f"arn:aws:iam::{ACCOUNT}:oidc-provider/made-up-provider.example.com"},
        ),
        ({"Service": {"Ref": "Runner"}}, {"Service": "ec2.amazonaws.com"}),
        ({"Service": {"Fn::Sub": "${Runner}.amazonaws.com"}}, {"Service": "ec2.amazonaws.com"}),
    ],
)
def test_a_principal_that_is_not_known(principal: Any, meant: Any):
    assert statement_of(taken({"Resources": {"R": role(principal)}}))["Principal"] == meant


@pytest.mark.parametrize(
    "written",
    [
        {"Fn::Sub": "arn:aws:iam::${Trusted}:root"},
        {"Fn::Join": ["", ["arn:", {"Ref": "AWS::Partition"}, ":iam::", {"Ref": "Trusted"}, ":root"]]},
        {"Fn::Sub": "arn:aws:iam::${Other.Outputs.Number}:root"},
    ],
)
def test_an_account_that_is_not_known_is_another_account(written: Any):
    principal = statement_of(taken({"Resources": {"R": role({"AWS": written})}}))["Principal"]["AWS"]
    number = principal.split(":")[4]
    assert number.isdigit()
    assert len(number) == 12
    assert number != ACCOUNT


def test_a_policy_that_is_put_together_as_text():
    text = json.dumps(role({"AWS": "${Partner}"})["Properties"]["AssumeRolePolicyDocument"])
    resource = {"Type": "AWS::IAM::Role", "Properties": {"AssumeRolePolicyDocument": {"Fn::Sub": text}}}
    inventory = taken({"Resources": {"R": resource}})
    assert statement_of(inventory)["Principal"]["AWS"] == f"arn:aws:iam::{ACCOUNT}:role/made-up-Partner"


# -- what is said about it ------------------------------------------------------------------------------------------------


def test_what_to_pass_is_said():
    template = {
        "Parameters": {"Repo": {"Type": "String"}, "Stage": {"Type": "String", "AllowedValues": ["dev", "prod"]}},
        "Resources": {"R": role({"AWS": {"Ref": "Repo"}}, RoleName={"Fn::Sub": "app-${Stage}"})},
    }
    inventory = taken(template)
    assert [note.message for note in inventory.notes] == [
        "without a value for Repo one is made up; pass --parameter Repo=VALUE"
    ]
    assert [thing.name for thing in inventory.of("roles")] == ["app-dev"]


def test_a_misspelt_parameter_is_refused_and_that_of_another_file_is_not():
    template = {"Parameters": {"Stage": {"Type": "String", "Default": "dev"}}, "Resources": {}}
    with pytest.raises(BadInput, match="has no parameter `Stagee`; did you mean `Stage`"):
        taken(template, Stagee="prod")
    assert [note.message for note in taken(template, Repo="acme/shop").notes] == ["has no parameter `Repo`"]


GITHUB = "token.actions.githubusercontent.com"
CALLS_GITHUB = {
    "Action": "sts:AssumeRoleWithWebIdentity",
    "Condition": {
        "StringLike": {f"{GITHUB}:sub": {"Fn::Sub": "repo:${Repo}:*"}},
        "StringEquals": {f"{GITHUB}:aud": "sts.amazonaws.com"},
    },
}


def lint(tmp_path: Path, template: Any, *more: str) -> str:
    file = tmp_path / "t.json"
    file.write_text(json.dumps(template))
    main(["lint", str(file), *more])
    return str(file)


def test_a_made_up_value_is_never_what_a_finding_is_about(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    provider = {"Fn::Sub": f"arn:aws:iam::${{AWS::AccountId}}:oidc-provider/{GITHUB}"}
    template = {
        "Parameters": {"Repo": {"Type": "String"}},
        "Resources": {"R": role({"Federated": provider}, statement=CALLS_GITHUB)},
    }
    file = lint(tmp_path, template, "--select", "open-github-subject")
    told = capsys.readouterr()
    assert told.out == "1 policy: nothing found\n"
    assert told.err == f"{file}:1: without a value for Repo one is made up; pass --parameter Repo=VALUE\n"
    lint(tmp_path, template, "--select", "open-github-subject", "--parameter", "Repo=acme*")
    assert "`repo:acme*:*` also admits repositories of other owners" in capsys.readouterr().out


def test_a_made_up_account_is_shown_as_it_is_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    template = {"Resources": {"R": role({"AWS": {"Fn::Sub": "arn:aws:iam::${Partner}:root"}})}}
    lint(tmp_path, template, "--select", "missing-external-id")
    assert "`arn:aws:iam::${Partner}:root` belongs to another account" in capsys.readouterr().out


# -- transforms -----------------------------------------------------------------------------------------------------------


def test_loops_are_unrolled():
    body = {
        "${Team}Role": role({"AWS": {"Fn::Sub": "arn:aws:iam::111122223333:role/${Team}"}}, RoleName={"Ref": "Team"})
    }
    template = {
        "Transform": "AWS::LanguageExtensions",
        "Parameters": {"Teams": {"Type": "CommaDelimitedList", "Default": "red, blue"}},
        "Resources": {"Fn::ForEach::Roles": ["Team", {"Ref": "Teams"}, body]},
    }
    inventory = taken(template)
    assert sorted(thing.name for thing in inventory.of("roles")) == ["blue", "red"]
    assert statement_of(inventory, "red")["Principal"]["AWS"] == f"arn:aws:iam::{ACCOUNT}:role/red"


def test_loops_that_never_end_are_cut():
    inner: Any = {"R${A}${B}": role({"AWS": "1" * 12})}
    numbers = [str(number) for number in range(1000)]
    template = {"Resources": {"Fn::ForEach::A": ["A", numbers, {"Fn::ForEach::B": ["B", numbers, inner]}]}}
    assert len(taken(template).things) <= 5_000


def test_sam_gives_a_function_a_role():
    function = {
        "Type": "AWS::Serverless::Function",
        "Properties": {
            "Policies": [
                "AmazonS3ReadOnlyAccess",
                {"DynamoDBCrudPolicy": {"TableName": "x"}},
                {
                    "Statement": [
                        {"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": {"Fn::GetAtt": ["R", "Arn"]}}
                    ]
                },
            ]
        },
    }
    inventory = taken(
        {
            "Transform": "AWS::Serverless-2016-10-31",
            "Resources": {"Job": function, "R": role({"AWS": {"Fn::GetAtt": ["JobRole", "Arn"]}})},
        }
    )
    (job,) = [thing for thing in inventory.of("roles") if thing.name == "JobRole"]
    assert statement_of(inventory, "JobRole")["Principal"] == {"Service": ["lambda.amazonaws.com"]}
    assert job.body["policies"] == [
        "arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole",
        "arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess",
    ]
    assert json.loads(job.body["inline"]["Policy0"])["Statement"][0]["Resource"] == f"arn:aws:iam::{ACCOUNT}:role/R"
    assert statement_of(inventory)["Principal"]["AWS"] == f"arn:aws:iam::{ACCOUNT}:role/JobRole"


def test_the_cdks_way_to_keys_that_are_known_late():
    keys = {
        "Type": "Custom::AWSCDKCfnJson",
        "Properties": {"Value": {"Fn::Join": ["", ['{"', {"Ref": "Host"}, ':sub":"system:serviceaccount:a:b"}']]}},
    }
    template = {
        "Parameters": {"Host": {"Type": "String", "Default": "oidc.eks.us-east-1.amazonaws.com/id/E"}},
        "Resources": {
            "Keys": keys,
            "R": role({"AWS": "1" * 12}, statement={"Condition": {"StringEquals": {"Fn::GetAtt": ["Keys", "Value"]}}}),
        },
    }
    assert statement_of(taken(template))["Condition"] == {
        "StringEquals": {"oidc.eks.us-east-1.amazonaws.com/id/E:sub": "system:serviceaccount:a:b"}
    }
