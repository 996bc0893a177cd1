"""Policies of a bucket ask who it was originally, through the door to an upstream."""

from __future__ import annotations

import json

import pytest
from door_lab import MINE, ONCE, refused

from sts_emulator import Aws

MAIN = "repo:acme/shop:ref:refs/heads/main"
WORLD = f"""
accounts:
  "{MINE}":
    oidc_providers: [{{issuer: github, origin: {{type: workload, claims: {{repo: repository}}}}}}]
    roles:
      ci:
        trust:
          - Effect: Allow
            Principal: {{Federated: "arn:aws:iam::{MINE}:oidc-provider/token.actions.githubusercontent.com"}}
            Action: sts:AssumeRoleWithWebIdentity
            Condition: {{StringLike: {{"token.actions.githubusercontent.com:sub": "repo:acme/*"}}}}
        inline: {{next: [{{Effect: Allow, Action: "sts:AssumeRole", Resource: "*"}}]}}
      reader: {{trust: [{{Effect: Allow, Principal: {{AWS: "arn:aws:iam::{MINE}:role/ci"}}, Action: "sts:AssumeRole"}}]}}
"""
pytestmark = pytest.mark.scenario(WORLD)


@pytest.fixture
def reader(lab: Aws):
    """`reader(branch)`: S3 as the role reader, which a job of that branch took by way of another role."""

    def client(branch: str):
        job = lab.client("sts").assume_role_with_web_identity(
            RoleArn=f"arn:aws:iam::{MINE}:role/ci",
            RoleSessionName="job",
            WebIdentityToken=lab.token("github", repo="acme/shop", branch=branch),
        )
        hop = {"RoleArn": f"arn:aws:iam::{MINE}:role/reader", "RoleSessionName": "hop"}
        session = lab.client("sts", job["Credentials"]).assume_role(**hop)["Credentials"]
        return lab.client("s3", session, config=ONCE)

    return client


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("aws:OriginIdentity/Subject", MAIN),
        ("aws:OriginIdentity/Issuer", "token.actions.githubusercontent.com"),
        ("aws:TransactionContext/IdentityProvider/repo", "acme/shop"),
    ],
)
def test_a_bucket_s_policy_asks_for_it(lab: Aws, photos, reader, key, value):
    photos.put_object(Bucket="photos", Key="a/1", Body=b"1")

    def allow(text: str) -> None:
        may = {
            "Effect": "Allow",
            "Principal": {"AWS": f"arn:aws:iam::{MINE}:role/reader"},
            "Action": "s3:GetObject",
            "Resource": "arn:aws:s3:::photos/*",
            "Condition": {"StringEquals": {key: text}},
        }
        photos.put_bucket_policy(Bucket="photos", Policy=json.dumps({"Version": "2012-10-17", "Statement": [may]}))

    allow(value)
    assert reader("main").get_object(Bucket="photos", Key="a/1")["Body"].read() == b"1"
    dev = refused(reader("dev").get_object, Bucket="photos", Key="a/1") if value == MAIN else None
    assert dev is None or dev["Error"]["Code"] == "AccessDenied"
    allow("somebody else")
    answer = refused(reader("main").get_object, Bucket="photos", Key="a/1")
    assert answer["Error"]["Code"] == "AccessDenied"
    line = f"  origin  {MAIN} (workload), as token.actions.githubusercontent.com says → ci/job → reader/hop\n"
    assert line in lab.explain(answer)
