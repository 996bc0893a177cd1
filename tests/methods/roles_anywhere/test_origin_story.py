"""A job of GitHub, a role, another role, and a certificate on another machine: the last policy asks who began it."""

from __future__ import annotations

import json
import urllib.request

import jwt
import pytest
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from cryptography.x509 import load_pem_x509_certificate
from x509_signing import Identity

DEV = "111122223333"
SCENARIO = f"""
accounts:
  "{DEV}":
    oidc_providers: [{{issuer: github, origin: {{type: workload}}}}]
    roles:
      ci:
        trust:
          - Effect: Allow
            Principal: {{Federated: "arn:aws:iam::{DEV}:oidc-provider/token.actions.githubusercontent.com"}}
            Action: sts:AssumeRoleWithWebIdentity
            Condition: {{StringLike: {{"token.actions.githubusercontent.com:sub": "repo:acme/*"}}}}
        inline: {{all: [{{Effect: Allow, Action: "sts:*", Resource: "*"}}]}}
      release:
        trust: [{{Effect: Allow, Principal: {{AWS: "arn:aws:iam::{DEV}:role/ci"}}, Action: "sts:AssumeRole"}}]
        inline: {{all: [{{Effect: Allow, Action: "sts:*", Resource: "*"}}]}}
"""
pytestmark = pytest.mark.scenario(SCENARIO)


class Machine:
    """Another machine's certificate authority: it certifies whoever a verified token of the account speaks for."""

    def __init__(self, stage, issuer: str) -> None:
        self.stage, self.issuer = stage, issuer
        self.authority = stage.aws.page("POST", "private-ca", body={"account": DEV, "subject": {"CN": "Builders"}})
        source = {"sourceType": "AWS_ACM_PCA", "sourceData": {"acmPcaArn": self.authority["arn"]}}
        made = stage.control.create_trust_anchor(name="builders", source=source, enabled=True)
        self.anchor = made["trustAnchor"]["trustAnchorArn"]

    def certified(self, token: str) -> Identity:
        with urllib.request.urlopen(f"{self.issuer}/.well-known/openid-configuration") as discovery:
            keys = jwt.PyJWKClient(json.load(discovery)["jwks_uri"])
        key = keys.get_signing_key_from_jwt(token)
        claims = jwt.decode(token, key, ["ES384"], audience="builders", issuer=self.issuer)
        body = {"subject": {"CN": "builder-7"}, "uri": [claims["sub"]]}
        issued = self.stage.aws.page("POST", f"private-ca/{self.authority['id']}/certificates", body=body)
        key = load_pem_private_key(issued["private_key"].encode(), None)
        return Identity(load_pem_x509_certificate(issued["certificate"].encode()), key)


@pytest.fixture
def machine(aws, stage) -> Machine:
    stage.set_profile(tipConfiguration={"status": "ENABLED", "subjectType": "workload", "subjectSource": "x509SAN/URI"})
    condition = {"StringEquals": {"aws:OriginIdentity/Subject": "repo:acme/shop:ref:refs/heads/main"}}
    may = {"Effect": "Allow", "Action": "iam:ListRoles", "Resource": "*", "Condition": condition}
    document = json.dumps({"Version": "2012-10-17", "Statement": [may]})
    iam = aws.client("iam")
    iam.put_role_policy(RoleName="workload", PolicyName="own", PolicyDocument=document)
    return Machine(stage, iam.enable_outbound_web_identity_federation()["IssuerIdentifier"])


def session_of(aws, machine, branch: str) -> dict:
    """The credentials on the other machine, for whom a job of that branch began."""
    job = aws.client("sts").assume_role_with_web_identity(
        RoleArn=f"arn:aws:iam::{DEV}:role/ci",
        RoleSessionName="job",
        WebIdentityToken=aws.token("github", repo="acme/shop", branch=branch),
    )
    hop = {"RoleArn": f"arn:aws:iam::{DEV}:role/release", "RoleSessionName": "release"}
    release = aws.client("sts", aws.client("sts", job["Credentials"]).assume_role(**hop)["Credentials"])
    token = release.get_web_identity_token(
        Audience=["builders"], SigningAlgorithm="ES384", SubjectMode="OriginIdentity"
    )["WebIdentityToken"]
    ask = machine.stage.ask(trustAnchorArn=machine.anchor)
    return machine.stage.session(machine.certified(token), ask).credentials


def test_the_last_policy_asks_about_the_first_proof(aws, machine):
    assert aws.client("iam", session_of(aws, machine, "main")).list_roles()

    dev = aws.client("iam", session_of(aws, machine, "dev"))
    with pytest.raises(dev.exceptions.ClientError, match="not authorized to perform: iam:ListRoles"):
        dev.list_roles()
    event = aws.events()[-1]
    line = event["additionalEventData"]["origin"]
    session = event["userIdentity"]["arn"].partition(":assumed-role/")[2]
    assert line == (
        f"repo:acme/shop:ref:refs/heads/dev (workload), as a certificate of Roles Anywhere says → {session}"
    )
    assert f"  origin  {line}\n" in aws.explain(event["requestID"])
