"""Policy documents on their way in and out: checked on save, principals kept by unique id, encoded when shown."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import partial
from typing import Any
from urllib.parse import quote

from sts_emulator.accounts.resources import arn_of_id, role_by_arn, user_by_arn
from sts_emulator.core.errors import AwsError
from sts_emulator.core.world import World
from sts_emulator.policy.deciding.document import MalformedPolicy
from sts_emulator.policy.json_types import JsonObject
from sts_emulator.policy.saving.validate import Kind, restore_principals, rewrite_principals, validate

_ORDER = ("Sid", "Effect", "Principal", "NotPrincipal", "Action", "NotAction", "Resource", "NotResource", "Condition")


def check(kind: Kind, text: str) -> None:
    """Refuse an identity policy (`identity` if managed, `inline` if not) that IAM would not save.

    Raises:
        AwsError: MalformedPolicyDocument; LimitExceeded.
    """
    try:
        validate(kind, text)
    except MalformedPolicy as bad:
        raise refused(bad) from None


def trust_to_store(world: World, text: str) -> str:
    """A trust policy as IAM keeps it: users and roles by unique id, so that a later namesake is not meant.

    Raises:
        AwsError: MalformedPolicyDocument, also for a user or role that this world does not have; LimitExceeded.
    """
    try:
        validate("trust", text, principal_exists=lambda kind, name: _exists(world, kind, name))
    except MalformedPolicy as bad:
        raise refused(bad) from None
    return rewrite_principals(text, lambda principal: _unique_id(world, principal))


def trust_to_show(world: World, stored: str) -> str:
    """A stored trust policy as GetRole shows it: names where principals still exist, lists of one as single values."""
    document = json.loads(restore_principals(stored, partial(arn_of_id, world)))
    statements = document["Statement"]
    document["Statement"] = (
        [_tidy(statement) for statement in statements] if isinstance(statements, list) else _tidy(statements)
    )
    return json.dumps(document, separators=(",", ":"), ensure_ascii=False)


def quoted(text: str) -> str:
    """Percent-encoded as RFC 3986 says, the form of every policy document in IAM's replies.

    Source: docs/aws/iam.md, "Service constants".
    """
    return quote(text, safe="-_.~")


def refused(bad: MalformedPolicy) -> AwsError:
    """The policy engine's complaint as IAM's error."""
    return AwsError(bad.code, bad.message, status=bad.status)


def _tidy(statement: Mapping[str, Any]) -> JsonObject:
    """IAM shows elements in its own order, and a list of one as its member (recorded 2026-09, tests/iam/cases)."""
    shown = {name: _single(statement[name]) for name in _ORDER if name in statement}
    for name in ("Principal", "NotPrincipal"):
        if isinstance(shown.get(name), dict):
            shown[name] = {kind: _single(listed) for kind, listed in shown[name].items()}
    if "Condition" in shown:
        shown["Condition"] = {
            operator: {key: _single(values) for key, values in block.items()}
            for operator, block in shown["Condition"].items()
        }
    return shown


def _single(value: object) -> Any:
    return value[0] if isinstance(value, list) and len(value) == 1 else value


def _exists(world: World, kind: str, principal: str) -> bool:
    if kind != "AWS":
        # Providers are not looked up: a role for one that does not exist yet can be made (see docs/iam.md).
        return True
    return arn_of_id(world, principal) is not None or _unique_id(world, principal) is not None


def _unique_id(world: World, arn: str) -> str | None:
    principal = role_by_arn(world, arn) or user_by_arn(world, arn)
    return None if principal is None else principal["id"]
