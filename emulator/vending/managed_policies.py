"""AWS-managed policies that people attach most: their documents, by ARN."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

_PREFIX = "arn:aws:iam::aws:policy/"


@cache
def catalogue() -> dict[str, Any]:
    """Path-and-name (`service-role/AWSLambdaBasicExecutionRole`) to document, from managed_policies.json."""
    return dict(json.loads(Path(__file__).with_name("managed_policies.json").read_text("utf-8")))


def text(arn: str) -> str | None:
    """The document of an AWS-managed policy as JSON text; None when it is not in the catalogue."""
    document = catalogue().get(arn.removeprefix(_PREFIX))
    return None if document is None else json.dumps(document, separators=(",", ":"))
