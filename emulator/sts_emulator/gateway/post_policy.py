"""The policy of a form with which a browser uploads to S3: what it lets the form say.

Source: S3 API Reference, "POST Policy" (conditions, condition matching) and "POST Object".
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Mapping
from typing import Any, Final

from sts_emulator.core import clock
from sts_emulator.core.errors import AwsError
from sts_emulator.policy.light_dataclass import dataclass
from sts_emulator.wire.foreign_parameters import once

_UNBOUND: Final = frozenset({"policy", "file", "x-amz-signature", "signature", "awsaccesskeyid"})
"""Fields that no condition has to name; neither has any that begins with `x-ignore-`."""

_LISTS: Final = frozenset({"content-type"})
_MOST: Final = 5 << 30
_DIGITS = re.compile("[0-9]{1,16}")


@dataclass(frozen=True, slots=True)
class Condition:
    """One thing that a policy asks of a form."""

    match: str  # `eq` or `starts-with`
    field: str  # in lower case
    value: str

    @property
    def words(self) -> str:
        """As a policy has it, for the message of a refusal."""
        return json.dumps([self.match, f"${self.field}", self.value])

    def holds(self, fields: Mapping[str, str]) -> bool:
        """Whether the form does as it is asked."""
        given = fields.get(self.field)
        if given is None:
            return False
        if self.match == "eq":
            return given == self.value
        parts = [part.strip() for part in given.split(",")] if self.field in _LISTS else [given]
        return all(part.startswith(self.value) for part in parts)


@dataclass(frozen=True, slots=True)
class PostPolicy:
    """A policy, read."""

    expires: float
    conditions: tuple[Condition, ...]
    smallest: int
    largest: int

    def check(self, fields: Mapping[str, str], now: float) -> None:
        """Refuse a form that its policy does not cover. `fields` are by lower-case name, `bucket` among them.

        Raises:
            AwsError: AccessDenied 403.
        """
        if now >= self.expires:
            raise _invalid("Policy expired.")
        for condition in self.conditions:
            if not condition.holds(fields):
                raise _invalid(f"Policy Condition failed: {condition.words}")
        named = {condition.field for condition in self.conditions} | _UNBOUND | {"bucket"}
        extra = [name for name in fields if name not in named and not name.startswith("x-ignore-")]
        if extra:
            raise _invalid(f"Extra input fields: {', '.join(sorted(extra))}")

    def check_size(self, size: int) -> None:
        """Refuse a file of a size that the policy does not want. Raises AwsError."""
        if size > self.largest:
            raise AwsError("EntityTooLarge", "Your proposed upload exceeds the maximum allowed size")
        if size < self.smallest:
            raise AwsError("EntityTooSmall", "Your proposed upload is smaller than the minimum allowed size")


NONE: Final = PostPolicy(float("inf"), (), 0, _MOST)
"""What a form without a policy is held to: nothing but the largest size."""


def read(encoded: str) -> PostPolicy:
    """The policy in a form's field.

    Raises:
        AwsError: InvalidPolicyDocument 400; everything that it does not say plainly is a mistake.
    """
    try:
        content = json.loads(base64.b64decode(encoded, validate=True).decode("utf-8"), object_pairs_hook=once)
        expires = clock.parse_iso(content["expiration"])
        listed = [*content["conditions"]]
        ranges = [
            item for item in listed if isinstance(item, list) and item and _word(item[0]) == "content-length-range"
        ]
        conditions = tuple(_condition(item) for item in listed if item not in ranges)
        bounds = [(_size(low), _size(high)) for _, low, high in ranges]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, binascii.Error):
        raise AwsError("InvalidPolicyDocument", "Invalid Policy: Invalid JSON.") from None
    smallest = max((low for low, _ in bounds), default=0)
    largest = min((high for _, high in bounds), default=_MOST)
    return PostPolicy(expires, conditions, smallest, largest)


def _condition(item: Any) -> Condition:
    if isinstance(item, dict):
        ((name, value),) = item.items()
        match, field = "eq", name
    else:
        match, field, value = item
        match, field = _word(match), field.removeprefix("$") if field.startswith("$") else ""
    if match not in ("eq", "starts-with") or not field or not isinstance(value, str):
        raise ValueError
    return Condition(match, field.lower(), value)


def _word(text: Any) -> str:
    return text.lower() if isinstance(text, str) else ""


def _size(value: Any) -> int:
    text = str(value)
    if isinstance(value, bool) or not _DIGITS.fullmatch(text):
        raise ValueError
    return int(text)


def _invalid(why: str) -> AwsError:
    return AwsError("AccessDenied", f"Invalid according to Policy: {why}", status=403)
