"""Faults: what a world lets go wrong on purpose, so that a client's patience can be tried."""

from __future__ import annotations

import random
from collections.abc import Collection, Iterable, Mapping
from fnmatch import fnmatchcase
from functools import partial
from typing import Any, Final, Literal

from sts_emulator.core.errors import AwsError
from sts_emulator.core.world import World
from sts_emulator.policy.light_dataclass import dataclass

Spoilt = Literal["", "hang", "drop", "lose", "half"]
"""What becomes of the answer: it never comes, or the connection is closed before the call is carried out, after it, or
in the middle of the answer."""

_CODES: Final = {400: "ValidationError", 403: "AccessDenied", 429: "Throttling", 503: "ServiceUnavailable"}


@dataclass(frozen=True, slots=True)
class Fault:
    """What goes wrong with the calls that it matches.

    `service` and `operation` are patterns: of an AWS service and its operations, or of an endpoint such as `imds` and
    the paths below it. Everything else can be combined: after `delay_seconds` the call fails with `code` or `status`,
    or else is carried out; then the answer is spoilt, or its Date is wrong.
    """

    service: str = "*"
    operation: str = "*"
    code: str = ""
    message: str = ""
    status: int | None = None
    delay_seconds: float = 0.0
    answer: Spoilt = ""
    date_offset_seconds: float = 0.0
    rate: float = 1.0
    times: int | None = None

    @property
    def holds_back(self) -> bool:
        """Whether a call that meets it is not even carried out."""
        return self.answer in ("hang", "drop")

    @property
    def error(self) -> AwsError | None:
        """The error that a matching call fails with, or None."""
        if not self.code and self.status is None:
            return None
        code = self.code or _CODES.get(self.status or 0, "InternalFailure")
        return AwsError(code, self.message, status=self.status)


def take(world: World, service: str, operation: str) -> Fault | None:
    """The fault that this world wants the next such call to meet; counts down one that has `times`."""
    faults = world.settings["faults"]
    if not faults:
        return None
    for place, members in enumerate(faults):
        fault = Fault(**members)
        if (
            fnmatchcase(service, fault.service)
            and fnmatchcase(operation, fault.operation)
            and random.random() < fault.rate  # noqa: S311 - bad luck, no secret
        ):
            if fault.times is not None:
                world.change_settings(partial(_spend, place=place))
            return fault
    return None


def _spend(row: Mapping[str, Any], place: int) -> dict[str, Any]:
    faults = list(row["faults"])
    if place < len(faults) and faults[place]["times"] is not None:  # another process may have replaced them
        left = faults[place]["times"] - 1
        faults[place : place + 1] = [{**faults[place], "times": left}] if left > 0 else []
    return {**row, "faults": faults}


def misspelt(service: str, operation: str, names: Mapping[str, Collection[str]]) -> str:
    """What is wrong with the names in a fault, "" when nothing is: `names` has services, and operations of each.

    An endpoint has no operations, but paths, which can be anything.
    """
    services = [name for name in names if fnmatchcase(name, service)]
    if not services:
        return f"no service or endpoint is called `{service}`; {_nearest(service, names)}"
    operations = [name for matched in services for name in names[matched]]
    if not all(names[matched] for matched in services) or any(fnmatchcase(name, operation) for name in operations):
        return ""
    return f"{service} has no operation `{operation}`; {_nearest(operation, operations)}"


def _nearest(name: str, known: Iterable[str]) -> str:
    from sts_emulator.core.spelling import nearest

    there = sorted(known)
    near = nearest(name, there)
    return f"did you mean `{near}`?" if near else f"there are {', '.join(there[:40])}"
