"""How large a session's token is, and what STS's answers tell: every member of its model, by unmodified boto3.

Source: docs/aws/sts.md, "Sizes of session tokens".
"""

from __future__ import annotations

import json
import random
import string

import pytest
from botocore.config import Config

pytestmark = pytest.mark.scenario("sts_world.yaml")

HOME = "111122223333"
TRUSTED = f"arn:aws:iam::{HOME}:role/account-trusted"
SIZES = ("SessionTokenSize", "SessionTokenUtilization")
READ = {"Effect": "Allow", "Action": "iam:ListUsers", "Resource": "*"}
NOISE = random.Random(7)


def policy(*statements: dict) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def noise(length: int) -> str:
    """What no compression makes shorter by much."""
    return "".join(NOISE.choices(string.ascii_letters + string.digits, k=length))


@pytest.fixture
def ask(aws):
    """`ask(operation, **more)`: the answer of an operation that gives credentials, which boto3 does not judge."""
    unjudged = Config(parameter_validation=False)
    session = {"RoleArn": TRUSTED, "RoleSessionName": "who"}
    required = {
        "AssumeRole": session,
        "GetSessionToken": {},
        "GetFederationToken": {"Name": "guest"},
        "GetScopedCredentials": {"DurationSeconds": 900},
    }

    def call(operation: str, **more) -> dict:
        client = aws.client("sts", aws.credentials(user="alice"), config=unjudged)
        if operation == "GetScopedCredentials":
            client = aws.client("sts", client.assume_role(**session)["Credentials"])
        return client._make_api_call(operation, {**required[operation], **more})

    return call


@pytest.mark.parametrize(
    ("operation", "more"),
    [
        ("AssumeRole", {"Policy": policy(READ), "SourceIdentity": "alice"}),
        ("GetSessionToken", {}),
        ("GetFederationToken", {}),
        ("GetScopedCredentials", {}),
    ],
)
def test_an_answer_has_every_member_of_the_model(aws, ask, operation, more):
    answer = ask(operation, **more)
    members = aws.client("sts").meta.service_model.operation_model(operation).output_shape.members
    never = {"SourceIdentity"} if operation == "GetScopedCredentials" else set()  # this session has none
    assert set(answer) - {"ResponseMetadata"} == set(members) - never


@pytest.mark.parametrize("least", [0, 1, 1_000, 1_001, 4_095, 4_096])
@pytest.mark.parametrize("operation", ["AssumeRole", "GetSessionToken", "GetFederationToken", "GetScopedCredentials"])
def test_the_answer_tells_how_large_the_token_is(aws, ask, operation, least):
    answer = ask(operation, MinimumSessionTokenSize=least)

    token = answer["Credentials"]["SessionToken"]
    assert least <= len(token) <= 4_096
    assert answer["SessionTokenSize"] == len(token)
    assert answer["SessionTokenUtilization"] == round(len(token) * 100 / 4_096)
    assert aws.client("sts", answer["Credentials"]).get_caller_identity()["Account"] == HOME


@pytest.mark.parametrize("least", [-1, 4_097])
def test_no_token_is_asked_for_that_cannot_be(ask, refused, least):
    assert refused(ask, operation="AssumeRole", MinimumSessionTokenSize=least)[:2] == (400, "ValidationError")


def test_a_policy_s_packed_size_is_the_token_s(ask):
    plain, narrowed = ask("AssumeRole"), ask("AssumeRole", Policy=policy(READ))
    assert "PackedPolicySize" not in plain
    assert narrowed["PackedPolicySize"] == narrowed["SessionTokenUtilization"] > plain["SessionTokenUtilization"]
    guest = ask("GetFederationToken")
    assert guest["PackedPolicySize"] == guest["SessionTokenUtilization"]


def test_a_large_session_fits_and_is_read_again(aws, ask):
    """Tags of 13,000 characters that say little: what is large is packed."""
    tags = [{"Key": f"tag{number}", "Value": "a" * 250} for number in range(50)]
    arn = f"arn:aws:iam::{HOME}:role/tagged"
    client = aws.client("iam", aws.credentials(account=HOME))
    trust = {"Effect": "Allow", "Principal": {"AWS": HOME}, "Action": ["sts:AssumeRole", "sts:TagSession"]}
    client.create_role(RoleName="tagged", AssumeRolePolicyDocument=policy(trust))
    everything = {"Effect": "Allow", "Action": "*", "Resource": "*"}
    only = {**everything, "Condition": {"StringEquals": {"aws:PrincipalTag/tag49": "a" * 250}}}
    client.put_role_policy(RoleName="tagged", PolicyName="all", PolicyDocument=policy(only))
    client.put_user_policy(UserName="alice", PolicyName="all", PolicyDocument=policy(everything))

    answer = ask("AssumeRole", RoleArn=arn, Tags=tags)
    assert answer["SessionTokenSize"] <= 4_096
    assert aws.client("iam", answer["Credentials"]).list_roles()
    padded = ask("AssumeRole", RoleArn=arn, Tags=tags, MinimumSessionTokenSize=4_096)
    assert aws.client("iam", padded["Credentials"]).list_roles()


def test_a_session_that_is_too_large_is_refused(aws, ask, refused):
    """A session policy and three narrowings, each within its own limit."""

    def large() -> str:
        return policy({**READ, "Action": "*", "Resource": ["*", *(f"arn:aws:s3:::{noise(60)}" for _ in range(16))]})

    credentials = ask("AssumeRole", Policy=large())["Credentials"]
    for _ in range(2):
        credentials = aws.client("sts", credentials).get_scoped_credentials(Policy=large())["Credentials"]
    status, code, message = refused(aws.client("sts", credentials).get_scoped_credentials, Policy=large())
    assert (status, code) == (400, "PackedPolicyTooLarge")
    assert message.startswith("The session token consumes 1")
