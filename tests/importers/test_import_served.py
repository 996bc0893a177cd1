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
