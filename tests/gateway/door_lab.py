"""What the tests of the door share: who there is, and how they call."""

from __future__ import annotations

import json
import socket

import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from sts_emulator import Aws

ONCE = Config(retries={"total_max_attempts": 1})
MINE, OTHERS = "111122223333", "444455556666"

PEOPLE = """
accounts:
  "111122223333":
    users:
      ann:
        inline:
          photos: [{Effect: Allow, Action: "s3:*Object", Resource: "arn:aws:s3:::photos/ann/*"}]
          queues:
            - {Effect: Allow, Action: "sqs:*", Resource: "*"}
            - {Effect: Deny, Action: sqs:DeleteQueue, Resource: "*"}
          others:
            - {Effect: Allow, Action: ["dynamodb:*", "lambda:*", "sns:*", "kms:*", "secretsmanager:*"], Resource: "*"}
      bob: {}
    roles:
      app:
        trust:
          - Effect: Allow
            Principal: {AWS: "arn:aws:iam::111122223333:user/ann"}
            Action: [sts:AssumeRole, sts:TagSession]
        inline:
          tagged:
            - {Effect: Allow, Action: "s3:*Object", Resource: "arn:aws:s3:::photos/${aws:PrincipalTag/team}/*"}
  "444455556666":
    users:
      eve: {inline: {all: [{Effect: Allow, Action: "*", Resource: "*"}]}}
"""


def client(lab: Aws, service: str, user: str = "", **options):
    """A client of a user, or of root, that asks once."""
    return lab.client(service, user=user, config=ONCE, **options)


def stranger(lab: Aws, service: str):
    """A client of the other account."""
    return lab.client(service, lab.credentials(account=OTHERS, user="eve"), config=ONCE)


def refused(call, **parameters) -> dict:
    """The answer to a call that is refused."""
    with pytest.raises(ClientError) as error:
        call(**parameters)
    return error.value.response


def statement(effect: str, action: str, resource: str, *principals: str) -> str:
    """A resource's policy of one statement."""
    said = {"Effect": effect, "Action": action, "Resource": resource, "Principal": {"AWS": list(principals)}}
    return json.dumps({"Version": "2012-10-17", "Statement": [said]})


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
