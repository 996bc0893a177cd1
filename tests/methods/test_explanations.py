"""Explanations of what happened on a running emulator: whom policies name, told by their ARNs and truly."""

from __future__ import annotations

import base64
import hashlib
import json
from urllib.parse import urlsplit

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.exceptions import ClientError

from sts_emulator.cli.main import main
from sts_emulator.core.errors import AwsError
from sts_emulator.wire import sigv4
from sts_emulator.wire.http import Request
from sts_emulator.wire.signature_diagnosis import UNEXPLAINED, diagnose

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


# -- proofs that are refused before any policy is asked ---------------------------------------------------------------


def refused_token(aws, token: str, role: str = f"arn:aws:iam::{HOME}:role/account-trusted") -> str:
    with pytest.raises(ClientError) as caught:
        aws.client("sts").assume_role_with_web_identity(RoleArn=role, RoleSessionName="ci", WebIdentityToken=token)
    return aws.explain(caught.value)


def unsigned_token(**claims) -> str:
    parts = ({"alg": "none", "kid": "k"}, {"iss": "https://idp.example.org", "sub": "x", **claims})
    return ".".join(base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts) + "."


def test_a_token_of_an_issuer_without_provider_says_which_providers_there_are(aws):
    told = refused_token(aws, unsigned_token(iss="https://nobody.example.org"))

    assert f"no policy was asked: account {HOME} has no provider for this issuer" in told
    assert "issuer         https://nobody.example.org" in told


@pytest.mark.parametrize("token", ["not-a-token", "a.b.c", "....", unsigned_token(iss=7)])
def test_what_is_no_token_says_so(aws, token):
    assert "no policy was asked: " in refused_token(aws, token)


def test_what_a_token_says_does_not_move_the_terminal(aws, capsys):
    """A title, a colour, a bell, a C1 code, a text turned round and a line of its own: hostile to who reads it."""
    evil = "x\x1b]0;PWNED\x07\x1b[31m\u009b31m\u202e\r\nfake line"
    refused_token(aws, unsigned_token(iss=f"https://{evil}"))
    port = str(urlsplit(aws.endpoint_url).port)

    assert main(["explain", "--last", "--port", port, "--world", aws.world]) == 0

    shown = capsys.readouterr().out
    assert "PWNED" in shown
    assert all(line.isprintable() for line in shown.split("\n"))
    assert not any(line.startswith("fake line") for line in shown.split("\n"))


SIGNED = "x-amz-content-sha256"


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"secret": "another"}, UNEXPLAINED),
        ({"host": "sts.amazonaws.com"}, "the header host differs: the client signed `host:sts.amazonaws.com`"),
        ({"method": "GET"}, "the method differs: the client signed `GET`, `POST` arrived"),
        ({"body": b"Action=GetCallerIdentity&Version=2011-06-15&x=1"}, "the body was changed after it was signed"),
        ({"path": "/prefix/"}, "the path differs: the client signed `/`, `/prefix/` arrived"),
    ],
)
def test_a_wrong_signature_is_told_with_what_the_client_signed(change, told):
    secret = "secret-of-the-key"
    signed_host, signed_method = change.get("host", "127.0.0.1:4600"), change.get("method", "POST")
    body = b"Action=GetCallerIdentity&Version=2011-06-15"
    aws_request = AWSRequest(signed_method, f"http://{signed_host}/", data=body, headers={"Host": signed_host})
    aws_request.headers[SIGNED] = hashlib.sha256(body).hexdigest()
    SigV4Auth(Credentials("AKIAIOSFODNN7EXAMPLE", change.get("secret", secret)), "sts", "us-east-1").add_auth(
        aws_request
    )
    headers = {name.lower(): value for name, value in aws_request.headers.items()}
    headers["host"] = "127.0.0.1:4600"
    received = Request("POST", "/", change.get("path", "/"), headers=headers, body=change.get("body", body))
    signed = sigv4.read(received)
    with pytest.raises(AwsError, match="SignatureDoesNotMatch"):
        sigv4.verify(received, signed, secret)

    evidence = diagnose(received, signed, secret)

    assert told in evidence["refused"]
    assert evidence["canonicalRequest"].startswith("POST\n")
    assert evidence["stringToSign"].startswith("AWS4-HMAC-SHA256\n")
    assert secret not in json.dumps(evidence)


def test_a_wrong_secret_is_explained_by_the_canonical_request(aws):
    wrong = {**aws.credentials(user="alice"), "secret_access_key": "wrong"}
    with pytest.raises(ClientError) as caught:
        aws.client("sts", wrong).get_caller_identity()

    told = aws.explain(caught.value)

    assert UNEXPLAINED in told
    assert "    | POST" in told
    assert "    | AWS4-HMAC-SHA256" in told


def test_a_key_that_there_is_none_of_is_named(aws):
    with pytest.raises(ClientError) as caught:
        aws.client("sts", {"access_key_id": "AKIAIOSFODNN7EXAMPLE", "secret_access_key": "x"}).get_caller_identity()

    assert "no policy was asked: there is no access key AKIAIOSFODNN7EXAMPLE" in aws.explain(caught.value)
