"""Explanations of what happened on a running emulator: whom policies name, told by their ARNs and truly."""

from __future__ import annotations

import json

import pytest
from botocore.exceptions import ClientError

HOME = "111122223333"
ALICE, BOB = f"arn:aws:iam::{HOME}:user/staff/alice", f"arn:aws:iam::{HOME}:user/bob"

pytestmark = pytest.mark.scenario("sts_world.yaml")


def trusting(arn: str) -> str:
    statement = {"Effect": "Allow", "Principal": {"AWS": arn}, "Action": "sts:AssumeRole"}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def denied(aws, role: str) -> ClientError:
    with pytest.raises(ClientError) as caught:
        aws.client("sts", user="bob").assume_role(RoleArn=role, RoleSessionName="bob")
    return caught.value


def test_a_role_that_trusts_another_living_user_says_whom_it_names(aws):
    role = aws.client("iam").create_role(RoleName="alices", AssumeRolePolicyDocument=trusting(ALICE))["Role"]["Arn"]

    told = aws.explain(denied(aws, role))

    assert f"the statement names {ALICE}; the caller is {BOB}" in told
    assert "deleted" not in told
    assert "AIDA" not in told


def test_whom_nobody_is_any_more_was_deleted(aws):
    iam = aws.client("iam")
    carol = iam.create_user(UserName="carol")["User"]
    role = iam.create_role(RoleName="carols", AssumeRolePolicyDocument=trusting(carol["Arn"]))["Role"]["Arn"]
    iam.delete_user(UserName="carol")

    told = aws.explain(denied(aws, role))

    assert f"no user or role has the id {carol['UserId']} (any more)" in told


def test_policies_are_handed_out_as_iam_shows_them(aws):
    role = aws.client("iam").create_role(RoleName="alices", AssumeRolePolicyDocument=trusting(ALICE))["Role"]["Arn"]
    known = denied(aws, role).response["ResponseMetadata"]["RequestId"].replace("-", "")
    toolbox = aws.client("iam-toolbox")

    policy = toolbox.get_request_authorization_policy(authorizationId=known, policyUri="trust[0]")

    assert policy["policyDocument"]["Statement"][0]["Principal"]["AWS"] == ALICE
