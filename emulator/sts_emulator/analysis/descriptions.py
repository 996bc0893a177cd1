"""Conditions and principals told to people in a few words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sts_emulator.policy.arns import parse_arn
from sts_emulator.policy.deciding.conditions import Condition
from sts_emulator.policy.deciding.document import Statement

_OPERATORS: Mapping[str, str] = {
    "StringEquals": "is",
    "StringNotEquals": "is not",
    "StringEqualsIgnoreCase": "is (in any case)",
    "StringNotEqualsIgnoreCase": "is not (in any case)",
    "StringLike": "is like",
    "StringNotLike": "is not like",
    "ArnEquals": "is like",
    "ArnLike": "is like",
    "ArnNotEquals": "is not like",
    "ArnNotLike": "is not like",
    "Bool": "is",
    "BinaryEquals": "is",
    "IpAddress": "is in",
    "NotIpAddress": "is not in",
    "NumericEquals": "=",
    "NumericNotEquals": "≠",
    "NumericLessThan": "<",
    "NumericLessThanEquals": "≤",
    "NumericGreaterThan": ">",
    "NumericGreaterThanEquals": "≥",
    "DateEquals": "is",
    "DateNotEquals": "is not",
    "DateLessThan": "is before",
    "DateLessThanEquals": "is not after",
    "DateGreaterThan": "is after",
    "DateGreaterThanEquals": "is not before",
}
SHOWN_VALUES = 3


def conditions(statement: Statement) -> tuple[str, ...]:
    """Each condition of a statement, as `sub is like repo:octo-org/*`."""
    return tuple(condition(test) for test in statement.conditions)


def condition(tested: Condition) -> str:
    op, key = tested.operator, short_key(tested.key)
    listed = [value.raw for value in tested.values]
    if op.family == "null":
        return f"{key} is {'absent' if 'true' in map(str.lower, listed) else 'there'}"
    if op.family == "unknown":
        return f"{op.text} {key}, which no operator is"
    values = " or ".join(listed[:SHOWN_VALUES]) + (
        f" or {len(listed) - SHOWN_VALUES} more" * (len(listed) > SHOWN_VALUES)
    )
    told = f"{key} {_OPERATORS.get(op.base, op.base)} {values or '(nothing)'}"
    if op.quantifier == "ForAnyValue":
        told = f"some {told}"
    elif op.quantifier == "ForAllValues":
        told = f"every {told}"
    return f"{told} (if there)" if op.if_exists else told


def chosen(keys: Mapping[str, Sequence[str]]) -> str:
    """What a caller brings, as `sub=repo:octo-org/x, MFA`."""
    return ", ".join(_brought(key, values) for key, values in keys.items())


def _brought(key: str, values: Sequence[str]) -> str:
    if key.lower() == "aws:multifactorauthpresent" and list(values) == ["true"]:
        return "MFA"
    return f"{short_key(key)}={','.join(values)}"


def short_key(key: str) -> str:
    """A claim's key without its issuer, a global key without `aws:`."""
    issuer, colon, claim = key.rpartition(":")
    if colon and "." in issuer:
        return claim
    return key.removeprefix("aws:").removeprefix("sts:")


def short_arn(arn: str) -> str:
    """`user/alice` of an ARN; other texts as they are."""
    parts = parse_arn(arn)
    return parts.resource if parts else arn
