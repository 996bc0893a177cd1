"""Where a JSON path of a policy, as lint and the engine write it, lies in a file."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from sts_emulator.importers.inventory import Locate
from sts_emulator.importers.json_text import JsonText
from sts_emulator.importers.parts import listed
from sts_emulator.policy.deciding.operators import operator

_INDEX = re.compile(r"([A-Za-z]+)\[([0-9]{1,6})\]")


def steps(path: str) -> list[str | int]:
    """`Statement[0].Condition.StringEquals.aws:PrincipalTag/a.b` as the keys and indexes that lead there.

    Keys and operators may hold dots; what follows `Condition` is therefore an operator and the rest one key.
    """
    keys: list[str | int] = []
    rest = path
    while rest:
        if keys and keys[-1] == "Condition":
            name, _, key = rest.partition(".")
            if operator(name).family == "unknown" and key and "." in key:
                name, _, key = rest.rpartition(".")
            return [*keys, name, *([key] if key else [])]
        part, _, rest = rest.partition(".")
        indexed = _INDEX.fullmatch(part)
        keys += [indexed[1], int(indexed[2])] if indexed else [part]
    return keys


def in_json(source: JsonText, members: Mapping[str, list[str | int]], at: int) -> Locate:
    """Lines inside documents that are JSON objects, by their paths below the place `at`."""

    def locate(member: str, path: str) -> int:
        below = members.get(member)
        return 1 if below is None else source.line(source.find(at, [*below, *steps(path)]))

    return locate


def inline_policies(holder: Mapping[str, object], member: str) -> dict[str, list[str | int]]:
    """Where inline policies stand below their holder, which lists them under `member`."""
    return {
        f"inline.{policy['PolicyName']}": [member, number, "PolicyDocument"]
        for number, policy in enumerate(listed(holder.get(member)))
        if isinstance(policy, Mapping) and "PolicyName" in policy
    }


def at_lines(lines: Callable[[str, list[str | int]], int]) -> Locate:
    """Lines by a function of the member and the steps of the path."""
    return lambda member, path: lines(member, steps(path))
