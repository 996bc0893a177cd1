"""AWS-managed policies that people attach most: their documents, by ARN."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

ACCOUNT = "aws"
PREFIX = "arn:aws:iam::aws:policy/"
# When the first of them came out. The dates of the others, and their ids, are not in any public list that can be
# verified: ids here are stable, and shaped like AWS's.
CREATED = 1_423_248_000


@cache
def catalogue() -> dict[str, Any]:
    """Path-and-name (`service-role/AWSLambdaBasicExecutionRole`) to version, description and document."""
    return dict(json.loads(Path(__file__).with_name("managed_policies.json").read_text("utf-8")))


def text(arn: str) -> str | None:
    """The document of an AWS-managed policy as JSON text; None when it is not in the catalogue."""
    known = find(arn)
    return None if known is None else str(known["versions"][known["default"]]["text"])


def everything() -> list[Mapping[str, Any]]:
    """All of the catalogue, shaped like a stored policy, by name."""
    return [_stored(name) for name in sorted(catalogue(), key=lambda name: name.rpartition("/")[2])]


def find(arn: str) -> Mapping[str, Any] | None:
    """An AWS-managed policy shaped like a stored one (its default version only), or None."""
    name = arn.removeprefix(PREFIX)
    return _stored(name) if name != arn and name in catalogue() else None


@cache
def _stored(full_name: str) -> Mapping[str, Any]:
    entry = catalogue()[full_name]
    path, _, name = full_name.rpartition("/")
    document = json.dumps(entry["document"], separators=(",", ":"))
    return {
        "account": ACCOUNT,
        "name": name,
        "path": f"/{path}/" if path else "/",
        "id": "ANPA" + base64.b32encode(hashlib.sha256(full_name.encode()).digest())[:17].decode(),
        "arn": PREFIX + full_name,
        "created": CREATED,
        "updated": CREATED,
        "description": entry["description"],
        "tags": {},
        "default": entry["version"],
        "versions": {entry["version"]: {"text": document, "created": CREATED}},
    }
