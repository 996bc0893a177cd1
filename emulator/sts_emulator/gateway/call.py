"""A call of a foreign service as the door has read it, and what its caller needs so that it may pass."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import Any

from sts_emulator.policy.light_dataclass import dataclass


@dataclass(slots=True)
class Call:
    """One call, signature checked: what botocore's model calls it, and the path that an action may hang on."""

    service: str  # botocore's name of the service, such as `s3` or `stepfunctions`
    operation: str
    parameters: Mapping[str, Any]  # by the model's names, without what is streamed
    path: str  # of the service, decoded
    account: str  # the caller's
    region: str  # the signature's
    partition: str


@dataclass(slots=True)
class Need:
    """One action on one resource that the caller must be allowed, for the call to pass."""

    action: str  # `s3:GetObject`
    resource: str  # an ARN, or `*`
    keys: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # condition keys of the request: `s3:prefix`
    optional: bool = False  # a dependent permission: asked only where `serve` is told to
