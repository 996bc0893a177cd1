"""An import served: unmodified clients talk to the account that a file describes."""

from __future__ import annotations

import json
from pathlib import Path

import boto3
import pytest
from botocore.exceptions import ClientError

from sts_emulator.cli.control import Control

ACCOUNT = "111122223333"


def document(**statement: object) -> dict:
    return {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole", **statement}]}


DETAILS = {
    "UserDetailList": [
        {
            "UserName": "alice",
            "Path": "/",
            "Arn": f"arn:aws:iam::{ACCOUNT}:user/alice",
            "UserPolicyList": [{"PolicyName": "assume", "PolicyDocument": document(Resource="*")}],
        }
    ],
    "GroupDetailList": [],
    "RoleDetailList": [
        {
            "RoleName": name,
            "Path": "/",
            "Arn": f"arn:aws:iam::{ACCOUNT}:role/{name}",
            "AssumeRolePolicyDocument": document(Principal={"AWS": ACCOUNT}, **condition),
        }
        for name, condition in (
            ("open", {}),
            ("keyed", {"Condition": {"StringEquals": {"sts:ExternalId": "abc"}}}),
        )
    ],
    "Policies": [],
}


def test_boto3_in_an_imported_account(tmp_path: Path, serve):
    (tmp_path / "account.json").write_text(json.dumps(DETAILS))
    with serve("--scenario", str(tmp_path / "account.json")) as (url, _):
        with Control(url) as control:
            key = control.api("GET", "worlds", "default", "credentials", user="alice")
        options = {
            "endpoint_url": url,
            "region_name": "us-east-1",
            "aws_access_key_id": key["access_key_id"],
            "aws_secret_access_key": key["secret_access_key"],
        }
        sts = boto3.client("sts", **options)
        assumed = sts.assume_role(RoleArn=f"arn:aws:iam::{ACCOUNT}:role/open", RoleSessionName="test")
        assert assumed["AssumedRoleUser"]["Arn"] == f"arn:aws:sts::{ACCOUNT}:assumed-role/open/test"
        keyed = {"RoleArn": f"arn:aws:iam::{ACCOUNT}:role/keyed", "RoleSessionName": "test"}
        assert sts.assume_role(**keyed, ExternalId="abc")["Credentials"]["SessionToken"]
        with pytest.raises(ClientError, match="AccessDenied"):
            sts.assume_role(**keyed)
        sts.close()


TEMPLATE = """
AWSTemplateFormatVersion: "2010-09-09"
Parameters: {Stage: {Type: String}}
Resources:
  Deploy:
    Type: AWS::IAM::Role
    Properties:
      RoleName: !Sub "deploy-${Stage}"
      AssumeRolePolicyDocument:
        Statement: [{Effect: Allow, Principal: {Service: ec2.amazonaws.com}, Action: sts:AssumeRole}]
"""


def roles_of(url: str) -> list[str]:
    with Control(url) as control:
        key = control.api("GET", "worlds", "default", "credentials")
    secret = {"aws_access_key_id": key["access_key_id"], "aws_secret_access_key": key["secret_access_key"]}
    iam = boto3.client("iam", endpoint_url=url, region_name="us-east-1", **secret)
    try:
        return [role["RoleName"] for role in iam.list_roles()["Roles"]]
    finally:
        iam.close()


def test_a_template_is_served_with_the_parameters_that_are_given(tmp_path: Path, serve):
    (tmp_path / "template.yaml").write_text(TEMPLATE)
    flags = ["--scenario", str(tmp_path / "template.yaml"), "--state", str(tmp_path / "state.db")]
    with serve(*flags, "--parameter", "Stage=beta") as (url, _):
        assert roles_of(url) == ["deploy-beta"]
    with serve(*flags, "--parameter", "Stage=prod") as (url, _):  # the file is as it was, and yet means something else
        assert "deploy-prod" in roles_of(url)


def test_a_parameter_that_lacks_is_said_at_start(tmp_path: Path, serve):
    (tmp_path / "template.yaml").write_text(TEMPLATE)
    with serve("--scenario", str(tmp_path / "template.yaml")) as (_, process):
        told = "".join(iter(process.stdout.readline, "ready; Ctrl-C stops it\n"))
    assert "pass --parameter Stage=VALUE" in told
