"""Presigned GetCallerIdentity: EKS tokens made by the AWS CLI, and verified as aws-iam-authenticator verifies them.

The verifier's request: docs/aws/signatures.md, "Presigned GetCallerIdentity" and docs/aws/clients.md, "JSON replies". A
real authenticator insists on https and a real STS host name, so its exact request is replayed here.
"""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

PREFIX = "k8s-aws-v1."
ALLOWED = {
    *("action", "version", "x-amz-algorithm", "x-amz-credential", "x-amz-date", "x-amz-expires"),
    *("x-amz-security-token", "x-amz-signature", "x-amz-signedheaders"),
}

pytestmark = pytest.mark.scenario("sts_world.yaml")


def token(environment: dict[str, str], cluster: str) -> str:
    """What kubectl's exec plugin asks for: `aws eks get-token`."""
    program = Path(sys.executable).with_name("aws")
    done = subprocess.run(
        [program, "eks", "get-token", "--cluster-name", cluster],
        env={"PATH": os.environ["PATH"], "HOME": "/nonexistent", **environment},
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(done.stdout)["status"]["token"]


def presigned(token: str) -> str:
    encoded = token.removeprefix(PREFIX)
    return base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4)).decode()


def verify(token: str, cluster: str) -> dict:
    """The authenticator's checks of the URL, then its GET."""
    assert token.startswith(PREFIX)
    url = presigned(token)
    query = parse_qs(urlsplit(url).query)
    assert {name.lower() for name in query} <= ALLOWED
    assert "x-k8s-aws-id" in query["X-Amz-SignedHeaders"][0].split(";")
    request = urllib.request.Request(url, headers={"x-k8s-aws-id": cluster, "accept": "application/json"})
    with urllib.request.urlopen(request) as answer:
        assert answer.headers["content-type"] == "application/json"
        return json.load(answer)["GetCallerIdentityResponse"]["GetCallerIdentityResult"]


def test_a_token_names_the_user(aws):
    identity = verify(token(aws.env(user="alice"), "shop"), "shop")
    assert identity["Arn"] == "arn:aws:iam::111122223333:user/staff/alice"
    assert identity["UserId"].startswith("AIDA")
    assert identity["Account"] == "111122223333"


def test_a_token_names_a_role_session(aws):
    role = "arn:aws:iam::111122223333:role/account-trusted"
    vended = aws.client("sts", user="alice").assume_role(RoleArn=role, RoleSessionName="kubectl")
    identity = verify(token(aws.env(vended["Credentials"]), "shop"), "shop")
    assert identity["Arn"] == "arn:aws:sts::111122223333:assumed-role/account-trusted/kubectl"


def test_a_token_for_another_cluster_does_not_verify(aws):
    with pytest.raises(urllib.error.HTTPError) as refused:
        verify(token(aws.env(user="alice"), "shop"), "other")
    assert refused.value.code == 403
    error = json.load(refused.value)
    assert error["Error"]["Code"] == "SignatureDoesNotMatch"
    assert error["Error"]["Type"] == "Sender"


def test_a_token_of_an_inactive_key_does_not_verify(aws):
    made = token(aws.env(user="alice"), "shop")
    key_id = aws.credentials(user="alice")["access_key_id"]
    aws.client("iam").update_access_key(UserName="alice", AccessKeyId=key_id, Status="Inactive")
    with pytest.raises(urllib.error.HTTPError) as refused:
        verify(made, "shop")
    assert json.load(refused.value)["Error"]["Code"] == "InvalidClientTokenId"


def test_throttling_reads_as_the_authenticator_expects(aws):
    made = token(aws.env(user="alice"), "shop")
    aws.faults({"service": "sts", "operation": "*", "code": "Throttling", "message": "Rate exceeded"})
    with pytest.raises(urllib.error.HTTPError) as refused:
        verify(made, "shop")
    body = json.load(refused.value)
    assert refused.value.code == 400
    assert body["Error"] == {"Code": "Throttling", "Message": "Rate exceeded", "Type": "Sender"}
    assert set(body) == {"Error", "RequestId"}
