"""docs/compared.md, measured: each question of its table is asked here and of moto's own server."""

from __future__ import annotations

import base64
import json
import os
import re
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from sts_emulator import Aws
from sts_emulator.shared_server import free_port

PAGE = Path(__file__).parents[2] / "docs" / "compared.md"
FOREIGN = {"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::999999999999:root"}, "Action": "sts:AssumeRole"}
ATTRIBUTE = "https://aws.amazon.com/SAML/Attributes/"
Client = Callable[..., Any]


@pytest.fixture(scope="module")
def moto_url() -> Iterator[str]:
    port = free_port()
    program = f"from moto.server import main; main(['-H', '127.0.0.1', '-p', '{port}'])"
    with subprocess.Popen(
        [sys.executable, "-c", program],
        env={"PATH": os.environ["PATH"]},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        url = f"http://127.0.0.1:{port}"
        while process.poll() is None:
            try:
                urllib.request.urlopen(f"{url}/moto-api/", timeout=120).close()
                break
            except OSError:
                time.sleep(0.1)
        yield url
        process.terminate()


@pytest.fixture(params=["here", "moto"])
def emulator(request) -> tuple[str, str, Client]:
    """Its name, the account that a fresh one has, and its clients; without credentials they are the account's root."""
    if request.param == "here":
        aws: Aws = request.getfixturevalue("aws")
        return "here", aws.account, aws.client
    url = request.getfixturevalue("moto_url")

    def client(service: str, credentials: dict[str, str] | None = None) -> Any:
        key = credentials or {"AccessKeyId": "AKIAIOSFODNN7EXAMPLE", "SecretAccessKey": "secret"}
        return boto3.client(
            service,
            endpoint_url=url,
            region_name="us-east-1",
            aws_access_key_id=key["AccessKeyId"],
            aws_secret_access_key=key["SecretAccessKey"],
            config=Config(retries={"total_max_attempts": 1}),
        )

    return "moto", "123456789012", client


def unknown_key(_account: str, client: Client) -> None:
    client("sts", {"AccessKeyId": "AKIAIOSFODNN7EXAMPLE", "SecretAccessKey": "x" * 40}).get_caller_identity()


def new_user(client: Client) -> dict[str, str]:
    name = f"user-{time.time_ns()}"
    client("iam").create_user(UserName=name)
    key = client("iam").create_access_key(UserName=name)["AccessKey"]
    return {name: key[name] for name in ("AccessKeyId", "SecretAccessKey")}


def new_role(account: str, client: Client, statement: dict[str, Any] | None = None) -> str:
    policy = {"Version": "2012-10-17", "Statement": [statement or FOREIGN]}
    name = f"role-{time.time_ns()}"
    client("iam").create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(policy))
    return f"arn:aws:iam::{account}:role/{name}"


def wrong_secret(_account: str, client: Client) -> None:
    client("sts", {**new_user(client), "SecretAccessKey": "x" * 40}).get_caller_identity()


def trusts_somebody_else(account: str, client: Client) -> None:
    role = new_role(account, client)
    client("sts", new_user(client)).assume_role(RoleArn=role, RoleSessionName="session")


def no_role(account: str, client: Client) -> None:
    role = f"arn:aws:iam::{account}:role/none"
    client("sts", new_user(client)).assume_role(RoleArn=role, RoleSessionName="session")


def no_policy(_account: str, client: Client) -> None:
    role = "arn:aws:iam::210987654321:role/theirs"
    client("sts", new_user(client)).assume_role(RoleArn=role, RoleSessionName="session")


def no_token(account: str, client: Client) -> None:
    role = new_role(account, client)
    client("sts").assume_role_with_web_identity(RoleArn=role, RoleSessionName="session", WebIdentityToken="not-a-token")


def unsigned_assertion(account: str, client: Client) -> None:
    role, provider = new_role(account, client), f"arn:aws:iam::{account}:saml-provider/corp"
    values = {"RoleSessionName": "eve", "Role": f"{provider},{role}"}
    attributes = "".join(
        f'<saml:Attribute Name="{ATTRIBUTE}{name}"><saml:AttributeValue>{value}</saml:AttributeValue></saml:Attribute>'
        for name, value in values.items()
    )
    response = (
        '<samlp:Response xmlns:samlp="urn:oasis:names:tc:SAML:2.0:protocol" '
        'xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion"><saml:Assertion><saml:AttributeStatement>'
        f"{attributes}</saml:AttributeStatement></saml:Assertion></samlp:Response>"
    )
    client("sts").assume_role_with_saml(
        RoleArn=role, PrincipalArn=provider, SAMLAssertion=base64.b64encode(response.encode()).decode()
    )


def no_identity(_account: str, client: Client) -> None:
    identity = "us-east-1:00000000-0000-4000-8000-000000000000"
    client("cognito-identity").get_credentials_for_identity(IdentityId=identity)


QUESTIONS = {
    "a key that nobody has": unknown_key,
    "the secret of a key is wrong": wrong_secret,
    "the trust policy names somebody else": trusts_somebody_else,
    "there is no such role": no_role,
    "a user without any policy assumes a role of another account": no_policy,
    "the web identity token is the text `not-a-token`": no_token,
    "a SAML assertion without a signature": unsigned_assertion,
    "credentials for an identity of Cognito that there is not": no_identity,
}


def table(page: Path) -> dict[str, dict[str, str]]:
    """What the page says: question, and the answer of each emulator."""
    rows = re.findall(
        r"^\| ([^|]+) \| (refused|allowed) \| (refused|allowed) \|$", page.read_text("utf-8"), re.MULTILINE
    )
    return {question: {"here": here, "moto": moto} for question, here, moto in rows}


def test_the_page_asks_what_is_measured():
    assert set(table(PAGE)) == set(QUESTIONS)
    shown = table(PAGE.parents[1] / "README.md")
    assert shown
    assert shown.items() <= table(PAGE).items()


@pytest.mark.parametrize("question", QUESTIONS)
def test_each_answer_is_the_one_on_the_page(emulator, question: str):
    name, account, client = emulator
    try:
        QUESTIONS[question](account, client)
        answer = "allowed"
    except ClientError:
        answer = "refused"
    assert answer == table(PAGE)[question][name]
