"""What the stories of this folder share: policies in one line, and the error that a call must end in."""

import json
from pathlib import Path

import pytest
from botocore.exceptions import ClientError

CASES = Path(__file__).parent / "cases"
ACCOUNT = "111122223333"

# A world with one account and nothing in it but its root.
EMPTY = f'accounts: {{"{ACCOUNT}": {{name: dev}}}}'


def document(*statements: dict) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def allow(*actions: str, resource: str | list[str] = "*", **more: object) -> str:
    """An identity policy of one statement."""
    return document({"Effect": "Allow", "Action": list(actions), "Resource": resource, **more})


def trust(principal: object, action: str | list[str] = "sts:AssumeRole", **more: object) -> str:
    """A trust policy of one statement; what is no mapping is a principal of kind `AWS`."""
    meant = principal if isinstance(principal, dict) else {"AWS": principal}
    return document({"Effect": "Allow", "Principal": meant, "Action": action, **more})


EC2 = trust({"Service": "ec2.amazonaws.com"})
ROOT = trust(f"arn:aws:iam::{ACCOUNT}:root")


def arn(kind: str, name: str, account: str = ACCOUNT) -> str:
    return f"arn:aws:iam::{account}:{kind}/{name}"


def refusal(call, **arguments) -> tuple[int, str, str | None]:
    """Status, code and message of the error that the call must end in."""
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    response = caught.value.response
    error = response["Error"]
    return response["ResponseMetadata"]["HTTPStatusCode"], error["Code"], error.get("Message")


def result(response: dict) -> dict:
    """A response without what is about the transport."""
    return {name: value for name, value in response.items() if name != "ResponseMetadata"}
