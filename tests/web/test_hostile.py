"""Hostile text in every field of every proof renders as text: in Chromium, with the policy on and nothing to stop."""

from __future__ import annotations

import base64
import contextlib
import datetime as dt
import json
import urllib.error
import urllib.request
from urllib.parse import quote, urlencode

import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from console_lab import DEPLOY, DEV, DEVELOPER, console, visit, window
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

EVIL = "\"'><script>alert(1)</script><img src=x onerror=alert(2)></pre></textarea></svg>{{7*7}}"


def send(url: str, data: bytes = b"", **headers: str) -> None:
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    with contextlib.suppress(urllib.error.HTTPError):
        urllib.request.urlopen(urllib.request.Request(url, data, given)).close()


def certificate() -> bytes:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, EVIL[:64])])
    now = dt.datetime.now(dt.UTC)
    made = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    made = made.serial_number(7).not_valid_before(now).not_valid_after(now + dt.timedelta(days=1))
    made = made.add_extension(x509.SubjectAlternativeName([x509.DNSName(EVIL)]), critical=False)
    return base64.b64encode(made.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.DER))


@pytest.fixture
def attacked(aws):
    """Whatever a stranger, or somebody of the world, can write somewhere."""
    form = "application/x-www-form-urlencoded"
    evil = Config(user_agent=EVIL.replace("\n", ""), retries={"max_attempts": 0}, parameter_validation=False)
    sts, iam = aws.client("sts", config=evil), aws.client("iam", config=evil)
    token = aws.page("POST", "issuers/github/token", body={"sub": EVIL, "job": {EVIL: [EVIL]}, "actor": EVIL})["token"]
    calls = [
        lambda: sts.assume_role(RoleArn=DEVELOPER, RoleSessionName=EVIL, ExternalId=EVIL, SourceIdentity=EVIL),
        lambda: sts.assume_role(RoleArn=EVIL, RoleSessionName="evil", Tags=[{"Key": EVIL, "Value": EVIL}]),
        lambda: sts.assume_role_with_web_identity(RoleArn=DEPLOY, RoleSessionName="evil", WebIdentityToken=token),
        lambda: sts.assume_role_with_web_identity(RoleArn=DEPLOY, RoleSessionName="evil", WebIdentityToken=EVIL),
        lambda: sts.assume_role_with_saml(
            RoleArn=DEPLOY,
            PrincipalArn=f"arn:aws:iam::{DEV}:saml-provider/corp",
            SAMLAssertion=base64.b64encode(f"<saml>{EVIL}</saml>".encode()).decode(),
        ),
        lambda: iam.create_user(UserName=EVIL),
        lambda: iam.tag_role(RoleName="developer", Tags=[{"Key": "evil", "Value": "<script>alert(3)</script>"}]),
        lambda: iam.update_role(RoleName="developer", Description=EVIL),
        lambda: iam.put_role_policy(
            RoleName="developer",
            PolicyName="evil",
            PolicyDocument=json.dumps(
                {
                    "Version": "2012-10-17",
                    "Statement": {
                        "Sid": "evil",
                        "Effect": "Allow",
                        "Action": "sts:AssumeRole",
                        "Resource": "*",
                        "Condition": {"StringEquals": {"aws:PrincipalTag/x": EVIL}},
                    },
                }
            ),
        ),
    ]
    for call in calls:
        with contextlib.suppress(ClientError):
            call()
    send(f"{aws.endpoint_url}/", urlencode({"Action": EVIL, "Version": EVIL}).encode(), Content_Type=form)
    send(
        f"{aws.endpoint_url}/saml", urlencode({"SAMLResponse": "PHg+", "RelayState": EVIL}).encode(), Content_Type=form
    )
    send(
        f"{aws.endpoint_url}/sessions",
        b'{"durationSeconds": 900}',
        Content_Type="application/json",
        X_Amz_X509=certificate().decode(),
        X_Amz_Date="20261129T000000Z",
        Authorization="AWS4-X509-ECDSA-SHA256 Credential=7/20261129/us-east-1/rolesanywhere/aws4_request, "
        "SignedHeaders=host, Signature=00",
    )
    aws.faults({"service": "sts", "operation": "GetFederationToken", "code": "Evil", "message": EVIL})
    return aws


def places(aws) -> list[str]:
    attempts = [f"attempts/{event['requestID']}" for event in aws.events()]
    return [
        *("", "world", "mailbox", "worlds", "workbench", "explorer"),
        f"?q={quote(EVIL)}&principal={quote(EVIL)}&not_role={quote(EVIL)}",
        f"explorer/role?arn={quote(DEVELOPER)}",
        f"explorer/role?arn={quote(EVIL)}",
        f"mailbox?to={quote(EVIL)}",
        f"world?amount={quote(EVIL)}&unit={quote(EVIL)}",
        f"attempts/{quote(EVIL, safe='')}",
        *attempts,
        *(
            f"{attempt}/replay"
            for attempt, event in zip(attempts, aws.events(), strict=True)
            if event["additionalEventData"]["decisions"]
        ),
        f"compare?pick={attempts[0][9:]}&pick={attempts[-1][9:]}",
    ]


def test_hostile_text_renders_as_text(attacked, chromium):
    page = window(chromium)
    seen = ""
    for place in places(attacked):
        page.goto(console(attacked, place))
        content = page.content()
        assert page.locator("script:not([src]), img[onerror]").count() == 0, place
        assert "49" not in page.inner_text("h1"), place
        seen += content
    assert seen.count("&lt;script&gt;alert(1)&lt;/script&gt;") > 20
    assert [told for told in page.complaints if "the server responded with a status of 40" not in told] == []


@pytest.mark.parametrize(
    ("path", "fields"),
    [
        ("worlds", {"name": EVIL, "scenario": EVIL}),
        ("worlds/delete", {"name": EVIL}),
        ("world/clock", {"amount": EVIL, "unit": EVIL}),
        ("world/faults", {"service": EVIL, "code": EVIL}),
        ("workbench/token", {"issuer": EVIL, "claims": EVIL}),
        ("workbench/try", {"expectation": EVIL}),
        ("workbench/assertion", {"person": EVIL}),
        ("workbench/sign-in", {"user": EVIL}),
        ("workbench/person", {"person": EVIL, "start_url": EVIL}),
        ("workbench/person", {"person": EVIL, "start_url": "https://d-9067000000.awsapps.com/start"}),
        ("workbench/certificate", {"authority": EVIL, "subject": EVIL, "dns": EVIL}),
        ("workbench/certificate", {"pem": EVIL}),
        ("workbench/use", {"kind": "certificate", "text": EVIL, "anchor": EVIL, "profile": EVIL, "role": EVIL}),
        ("explorer/role", {"arn": DEVELOPER, "trust": EVIL}),
        ("explorer/role/save", {"arn": DEVELOPER, "trust": EVIL}),
    ],
)
def test_hostile_forms_come_back_as_text(aws, path, fields):
    answer = visit(console(aws, path), urlencode(fields).encode())
    assert 400 <= answer.status < 500 or path == "explorer/role"
    assert "<script>alert" not in answer.text


@pytest.mark.parametrize(
    "fields",
    [
        {"kind": "assertion", "text": EVIL, "idp": EVIL, "role": EVIL},
        {"kind": "access token", "text": EVIL, "set": EVIL},
        {"kind": "id token", "text": EVIL, "pool": EVIL, "provider": EVIL},
        {"kind": "token", "text": EVIL, "role": EVIL},
        {"kind": EVIL},
    ],
)
def test_hostile_trials_are_attempts_that_failed(aws, fields):
    led = visit(console(aws, "workbench/use"), urlencode(fields).encode())
    assert led.status == 302
    attempt = visit(aws.endpoint_url.partition("/w/")[0] + led.headers["location"])
    assert attempt.status == 200
    assert attempt.texts("//h1")[0].startswith("✗")
    assert "<script>alert" not in attempt.text


@pytest.mark.parametrize("path", ["", "worlds", "explorer", "live", "attempts/last"])
def test_other_sites_are_kept_out(aws, path):
    assert visit(console(aws, path), Host="evil.test").status == 403
    assert visit(console(aws, path), Origin="https://evil.test").status == 403
