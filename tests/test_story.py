"""The README's story, told by unmodified clients: a GitHub token becomes credentials, and they become others.

boto3 and the AWS CLI know nothing but the endpoint; no test sleeps, the world's clock is moved instead.
"""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import ClientError

DEPLOY = "arn:aws:iam::111122223333:role/github-deploy"
RELEASE = "arn:aws:iam::444455556666:role/release"
MIGRATE = "arn:aws:iam::444455556666:role/migrate-database"
PROVIDER = "arn:aws:iam::111122223333:oidc-provider/token.actions.githubusercontent.com"
MAIN = {"repo": "acme/shop", "ref": "refs/heads/main"}
NO_KEY = (
    "Couldn't retrieve verification key from your identity provider,  please reference AssumeRoleWithWebIdentity "
    "documentation for requirements"
)


@pytest.fixture
def anonymous(aws):
    """An STS client without any credentials, as a CI job has it."""
    return aws.client("sts", config=Config(signature_version=UNSIGNED))


def deploy(anonymous, token, **more):
    return anonymous.assume_role_with_web_identity(
        RoleArn=DEPLOY, RoleSessionName="build-1", WebIdentityToken=token, **more
    )


def refusal(call, **arguments) -> tuple[int, str, str]:
    """Status, code and message of the error that a call must end in."""
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    response = caught.value.response
    return (
        response["ResponseMetadata"]["HTTPStatusCode"],
        response["Error"]["Code"],
        response["Error"].get("Message", ""),
    )


def test_a_token_of_the_main_branch_becomes_credentials_that_reach_further(aws, anonymous):
    # given a token of the main branch
    vended = deploy(anonymous, aws.token("github", **MAIN))
    assert vended["Provider"] == PROVIDER
    assert vended["Audience"] == "sts.amazonaws.com"
    assert vended["SubjectFromWebIdentityToken"] == "repo:acme/shop:ref:refs/heads/main"

    # then the credentials name the session
    sts = aws.client("sts", vended["Credentials"])
    assert sts.get_caller_identity()["Arn"] == "arn:aws:sts::111122223333:assumed-role/github-deploy/build-1"

    # and assume a role of another account, which asks for an external id
    released = sts.assume_role(RoleArn=RELEASE, RoleSessionName="build-1", ExternalId="acme-release")
    sts = aws.client("sts", released["Credentials"])
    assert sts.get_caller_identity()["Account"] == "444455556666"

    # and again, for an hour at most, although the role would allow two
    chained = sts.assume_role(RoleArn=MIGRATE, RoleSessionName="build-1")
    assert aws.client("sts", chained["Credentials"]).get_caller_identity()["Arn"].endswith("migrate-database/build-1")
    assert refusal(sts.assume_role, RoleArn=MIGRATE, RoleSessionName="build-1", DurationSeconds=3601) == (
        400,
        "ValidationError",
        "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining.",
    )


@pytest.mark.parametrize(
    ("claims", "deciding"),
    [
        ({"repo": "mallory/shop", "ref": "refs/heads/main"}, "repo:mallory/shop:ref:refs/heads/main"),
        ({"repo": "acme/shop", "ref": "refs/heads/feature"}, "repo:acme/shop:ref:refs/heads/feature"),
    ],
    ids=["a fork", "another branch"],
)
def test_the_trust_policy_refuses_and_the_explanation_says_which_condition(aws, anonymous, claims, deciding):
    with pytest.raises(ClientError) as denied:
        deploy(anonymous, aws.token("github", **claims))

    assert denied.value.response["ResponseMetadata"]["HTTPStatusCode"] == 403
    assert denied.value.response["Error"]["Code"] == "AccessDenied"
    assert denied.value.response["Error"]["Message"] == "Not authorized to perform sts:AssumeRoleWithWebIdentity"

    (decision,) = aws.decisions(denied.value)
    (statement,) = decision["explanation"]["layers"][0]["policies"][0]["statements"]
    assert statement["sid"] == "MainBranch"
    failing = [condition for condition in statement["conditions"] if not condition["result"]]
    assert [(trace["key"], trace["request_values"]) for trace in failing] == [
        ("token.actions.githubusercontent.com:sub", [deciding])
    ]
    assert deciding in aws.explain(denied.value)


def tampered(token: str, **claims) -> str:
    """The token with other claims under the old signature."""
    head, body, signature = token.split(".")
    old = json.loads(base64.urlsafe_b64decode(body + "=="))
    new = base64.urlsafe_b64encode(json.dumps({**old, **claims}).encode()).rstrip(b"=").decode()
    return f"{head}.{new}.{signature}"


def unsigned(token: str) -> str:
    """The token with `alg: none` and no signature."""
    head = base64.urlsafe_b64encode(b'{"alg":"none","typ":"JWT"}').rstrip(b"=").decode()
    return f"{head}.{token.split('.')[1]}."


def test_a_token_for_another_audience_is_refused(aws, anonymous):
    token = aws.token("github", **MAIN, aud="https://github.com/acme")
    assert refusal(deploy, anonymous=anonymous, token=token) == (
        400,
        "InvalidIdentityToken",
        "Incorrect token audience",
    )


def test_a_forged_token_is_refused(aws, anonymous):
    token = tampered(
        aws.token("github", repo="mallory/shop", ref=MAIN["ref"]), sub="repo:acme/shop:ref:refs/heads/main"
    )
    assert refusal(deploy, anonymous=anonymous, token=token) == (400, "InvalidIdentityToken", NO_KEY)


def test_a_token_without_signature_is_refused(aws, anonymous):
    status, code, _ = refusal(deploy, anonymous=anonymous, token=unsigned(aws.token("github", **MAIN)))
    assert (status, code) == (400, "InvalidIdentityToken")


def test_an_issuer_that_the_account_does_not_know_is_refused(aws, anonymous):
    aws.load("issuers: {gitlab: {preset: gitlab}}")
    assert refusal(deploy, anonymous=anonymous, token=aws.token("gitlab")) == (
        400,
        "InvalidIdentityToken",
        "No OpenIDConnect provider found in your account for https://gitlab.com",
    )


def test_an_expired_token_is_refused(aws, anonymous):
    token = aws.token("github", **MAIN)
    aws.advance(hours=2)
    status, code, message = refusal(deploy, anonymous=anonymous, token=token)
    assert (status, code) == (400, "ExpiredTokenException")
    assert message.startswith("Token expired: current date/time ")


def test_a_role_that_does_not_exist_is_refused_like_any_other(aws, anonymous):
    missing = {"RoleArn": f"{DEPLOY}-x", "RoleSessionName": "build-1", "WebIdentityToken": aws.token("github", **MAIN)}
    assert refusal(anonymous.assume_role_with_web_identity, **missing) == (
        403,
        "AccessDenied",
        "Not authorized to perform sts:AssumeRoleWithWebIdentity",
    )


@pytest.mark.parametrize("extra", [{}, {"ExternalId": "somebody-elses"}], ids=["missing", "wrong"])
def test_a_missing_external_id_is_refused(aws, anonymous, extra):
    sts = aws.client("sts", deploy(anonymous, aws.token("github", **MAIN))["Credentials"])
    with pytest.raises(ClientError) as denied:
        sts.assume_role(RoleArn=RELEASE, RoleSessionName="build-2", **extra)
    assert denied.value.response["Error"] == {
        "Type": "Sender",
        "Code": "AccessDenied",
        "Message": "User: arn:aws:sts::111122223333:assumed-role/github-deploy/build-1 is not authorized to perform: "
        f"sts:AssumeRole on resource: {RELEASE}",
    }
    assert "sts:ExternalId" in aws.explain(denied.value)


def test_credentials_stop_working_at_their_expiry(aws, anonymous):
    vended = deploy(anonymous, aws.token("github", **MAIN), DurationSeconds=900)
    sts = aws.client("sts", vended["Credentials"])
    assert sts.get_caller_identity()["Account"] == "111122223333"

    aws.advance(seconds=901)

    assert refusal(sts.get_caller_identity) == (
        403,
        "ExpiredToken",
        "The security token included in the request is expired",
    )


def test_every_attempt_is_recorded_with_its_decision(aws, anonymous):
    deploy(anonymous, aws.token("github", **MAIN))
    with pytest.raises(ClientError):
        deploy(anonymous, aws.token("github", repo="mallory/shop", ref="refs/heads/main"))

    allowed, denied = [event for event in aws.events() if event["eventName"] == "AssumeRoleWithWebIdentity"]
    assert allowed["additionalEventData"]["outcome"] == "allowed"
    assert allowed["userIdentity"]["type"] == "WebIdentityUser"
    assert denied["errorCode"] == "AccessDenied"
    assert denied["additionalEventData"]["decisions"][0]["layer"] == "trust"
    assert "eyJ" not in json.dumps(allowed), "the token itself is never written down"


def cli(aws_env, *arguments: str, check: bool = True) -> subprocess.CompletedProcess:
    program = Path(sys.executable).with_name("aws")
    environment = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", **aws_env}
    return subprocess.run([program, *arguments], env=environment, capture_output=True, text=True, check=check)


def test_the_aws_cli_needs_only_the_endpoint(aws, tmp_path):
    token = tmp_path / "token"
    token.write_text(aws.token("github", **MAIN))
    job = {
        "AWS_ENDPOINT_URL": aws.endpoint_url,
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ROLE_ARN": DEPLOY,
        "AWS_WEB_IDENTITY_TOKEN_FILE": str(token),
        "AWS_ROLE_SESSION_NAME": "build-1",
    }

    who = json.loads(cli(job, "sts", "get-caller-identity").stdout)
    assert who["Arn"] == "arn:aws:sts::111122223333:assumed-role/github-deploy/build-1"

    refused = cli(job, "sts", "assume-role", "--role-arn", RELEASE, "--role-session-name", "build-2", check=False)
    assert refused.returncode != 0
    assert "An error occurred (AccessDenied) when calling the AssumeRole operation: User: " in refused.stderr
