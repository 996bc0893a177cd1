"""Holes seen in other emulators; each stays shut here without any flag."""

from __future__ import annotations

import json

import boto3
import pytest

HOME = "111122223333"
TRUSTED = f"arn:aws:iam::{HOME}:role/account-trusted"

pytestmark = pytest.mark.scenario("sts_world.yaml")


def stranger(aws, key_id: str, secret: str = "test", token: str | None = None, service: str = "sts"):
    return boto3.client(
        service,
        endpoint_url=aws.endpoint_url,
        region_name="us-east-1",
        aws_access_key_id=key_id,
        aws_secret_access_key=secret,
        aws_session_token=token,
    )


@pytest.mark.parametrize(
    "key_id",
    ["test", "AKIAIOSFODNN7EXAMPLE", "111122223333", "000000000000", "mock_access_key", "LKIAQAAAAAAAAAAAAAAA"],
)
def test_no_name_prefix_or_account_number_is_a_credential(aws, refused, key_id):
    assert refused(stranger(aws, key_id).get_caller_identity) == (
        403,
        "InvalidClientTokenId",
        "The security token included in the request is invalid.",
    )


def test_a_wrong_secret_is_refused(aws, refused):
    key_id = aws.credentials(user="alice")["access_key_id"]
    assert refused(stranger(aws, key_id).get_caller_identity)[:2] == (403, "SignatureDoesNotMatch")


def test_an_inactive_key_is_refused(aws, refused):
    alice = aws.credentials(user="alice")
    client = aws.client("sts", user="alice")
    assert client.get_caller_identity()
    aws.client("iam").update_access_key(UserName="alice", AccessKeyId=alice["access_key_id"], Status="Inactive")
    assert refused(client.get_caller_identity)[:2] == (403, "InvalidClientTokenId")


@pytest.fixture
def vended(aws):
    return aws.client("sts", user="alice").assume_role(RoleArn=TRUSTED, RoleSessionName="who")["Credentials"]


def test_vended_credentials_work_and_only_whole(aws, vended, refused):
    key, secret, token = vended["AccessKeyId"], vended["SecretAccessKey"], vended["SessionToken"]
    assert stranger(aws, key, secret, token).get_caller_identity()["Account"] == HOME

    invalid = (403, "InvalidClientTokenId")
    assert refused(stranger(aws, key, secret).get_caller_identity)[:2] == invalid, "without its token"
    assert refused(stranger(aws, key, secret, token[:-8] + "AAAAAAA=").get_caller_identity)[:2] == invalid, "altered"
    own = aws.credentials(user="alice")
    mixed = stranger(aws, own["access_key_id"], own["secret_access_key"], token)
    assert refused(mixed.get_caller_identity)[:2] == invalid, "with another key's token"


def test_a_token_is_looked_at_before_the_signature(aws, vended, refused):
    broken = stranger(aws, vended["AccessKeyId"], "wrong", "not-a-token")
    assert refused(broken.get_caller_identity) == (
        403,
        "InvalidClientTokenId",
        "The security token included in the request is invalid",
    )


def test_credentials_of_one_world_are_nothing_in_another(emulator_server, vended, refused):
    with emulator_server.world() as other:
        foreign = stranger(other, vended["AccessKeyId"], vended["SecretAccessKey"], vended["SessionToken"])
        assert refused(foreign.get_caller_identity)[:2] == (403, "InvalidClientTokenId")


def test_a_deleted_worlds_credentials_do_not_rise_with_a_namesake(emulator_server, refused):
    with emulator_server.world(name="phoenix") as first:
        given = first.client("sts").get_session_token()["Credentials"]
        root = first.root
    with emulator_server.world(name="phoenix") as second:
        old = stranger(second, given["AccessKeyId"], given["SecretAccessKey"], given["SessionToken"])
        assert refused(old.get_caller_identity)[:2] == (403, "InvalidClientTokenId")
        old_root = stranger(second, root["access_key_id"], root["secret_access_key"])
        assert refused(old_root.get_caller_identity)[:2] == (403, "InvalidClientTokenId")


def role_with(aws, statements: list) -> str:
    document = json.dumps({"Version": "2012-10-17", "Statement": statements})
    return aws.client("iam").create_role(RoleName="tried", AssumeRolePolicyDocument=document)["Role"]["Arn"]


ALLOW = {"Effect": "Allow", "Principal": {"AWS": HOME}, "Action": "sts:AssumeRole"}


def test_an_explicit_deny_in_the_trust_policy_counts(aws, refused):
    arn = role_with(aws, [ALLOW, {**ALLOW, "Effect": "Deny"}])
    alice = aws.client("sts", user="alice")
    assert refused(alice.assume_role, RoleArn=arn, RoleSessionName="who")[:2] == (403, "AccessDenied")


def test_a_condition_that_is_not_met_counts_whatever_its_operator(aws, refused):
    alice = aws.client("sts", user="alice")
    iam = aws.client("iam")
    unmet = {
        "StringEquals": {"sts:ExternalId": "x"},
        "NumericLessThan": {"aws:MultiFactorAuthAge": "10"},
        "DateGreaterThan": {"aws:CurrentTime": "2099-01-01T00:00:00Z"},
        "Bool": {"aws:MultiFactorAuthPresent": "true"},
        "IpAddress": {"aws:SourceIp": "203.0.113.0/24"},
        "ArnLike": {"aws:PrincipalArn": "arn:aws:iam::*:role/*"},
        "Null": {"sts:ExternalId": "false"},
        "BinaryEquals": {"sts:ExternalId": "eA=="},
    }
    arn = role_with(aws, [ALLOW])
    for operator, test in unmet.items():
        document = {"Version": "2012-10-17", "Statement": [{**ALLOW, "Condition": {operator: test}}]}
        iam.update_assume_role_policy(RoleName="tried", PolicyDocument=json.dumps(document))
        assert refused(alice.assume_role, RoleArn=arn, RoleSessionName="who")[:2] == (403, "AccessDenied"), operator


def test_an_unknown_operator_never_gets_into_a_trust_policy(aws, refused):
    document = {"Version": "2012-10-17", "Statement": [{**ALLOW, "Condition": {"MadeUp": {"aws:userid": "x"}}}]}
    iam = aws.client("iam")
    status, code, _ = refused(iam.create_role, RoleName="tried", AssumeRolePolicyDocument=json.dumps(document))
    assert (status, code) == (400, "MalformedPolicyDocument")


def test_a_trust_policy_that_names_nobody_opens_nothing(aws, refused):
    iam = aws.client("iam")
    empty = json.dumps({"Version": "2012-10-17", "Statement": []})
    assert refused(iam.create_role, RoleName="tried", AssumeRolePolicyDocument=empty)[:2] == (
        400,
        "MalformedPolicyDocument",
    )


def test_an_unsigned_request_is_refused(aws):
    import urllib.error
    import urllib.request

    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(f"{aws.endpoint_url}/?Action=GetCallerIdentity&Version=2011-06-15")
    assert caught.value.code == 403
    assert b"<Code>MissingAuthenticationToken</Code>" in caught.value.read()
