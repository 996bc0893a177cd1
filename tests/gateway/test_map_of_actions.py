"""What every mapped operation needs, as tables that a person reads: cases/map/*.txt, one for each service.

Each row is a request that names everything its model requires, or all that its model knows, and what its caller needs.
`python tests/gateway/test_map_of_actions.py` writes them anew; read the difference before it is committed.
"""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path
from typing import Any

import botocore.loaders
import botocore.model
import pytest

from sts_emulator.gateway.call import Call, Need
from sts_emulator.gateway.known_actions import PREFIXES
from sts_emulator.gateway.map import Unmapped, required

ROOT = Path(__file__).parents[2]
CASES = Path(__file__).parent / "cases" / "map"
UNMAPPED = "    (the map lacks it)"


def call(service: str, operation: str, parameters: dict[str, Any]) -> Call:
    return Call(service, operation, parameters, "/", "111122223333", "eu-central-1", "aws")


def sample(shape: botocore.model.Shape, name: str, *, whole: bool, depth: int = 0) -> Any:
    """A value of the shape that tells which member it is; ARNs are told from names by the member's name."""
    if shape.type_name == "structure":
        members = shape.members if whole else {key: shape.members[key] for key in shape.required_members}
        if depth > 6:
            members = {}
        return {key: sample(member, key, whole=whole, depth=depth + 1) for key, member in members.items()}
    if shape.type_name == "list":
        return [sample(shape.member, name, whole=whole, depth=depth + 1)]
    if shape.type_name == "map":
        return {f"{{{name}}}": sample(shape.value, "value", whole=whole, depth=depth + 1)}
    if shape.type_name == "string":
        return f"arn:{{{name}}}" if name.lower().endswith(("arn", "arns")) else f"{{{name}}}"
    return {"boolean": True, "integer": 1, "long": 1, "blob": "eA=="}.get(shape.type_name, 1.5)


def answer(service: str, operation: str, parameters: dict[str, Any]) -> list[str]:
    try:
        return [row(need) for need in required(call(service, operation, parameters))]
    except Unmapped:
        return [UNMAPPED]


def row(need: Need) -> str:
    told = sorted(need.keys.items())
    keys = "".join(f"  {key}={'|'.join(values)}" for key, values in told)
    return f"    {'? ' if need.optional else ''}{need.action}  {need.resource}{keys}"


def table(service: str) -> str:
    """All operations of a service: what is required, and beneath it what everything that may be named adds."""
    description = botocore.loaders.Loader().load_service_model(service, "service-2")
    model = botocore.model.ServiceModel(description, service)
    lines: list[str] = []
    for name in sorted(model.operation_names):
        shape = model.operation_model(name).input_shape
        least = sample(shape, "", whole=False) if shape else {}
        most = sample(shape, "", whole=True) if shape else {}
        rows = answer(service, name, least)
        lines += [f"{name}({', '.join(least)})", *rows]
        more = answer(service, name, most)
        lines += [f"{name}(everything)", *more] if more != rows else []
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize("service", sorted(PREFIXES))
def test_every_operation_needs_what_the_table_says(service):
    assert table(service) == (CASES / f"{service}.txt").read_text("utf-8")


def test_what_the_map_lacks_is_listed():
    """docs/gateway.md, "What the map lacks"."""
    listed = re.findall(
        r"^\| `([a-z0-9]+)` \| (`.+`) \|$", (ROOT / "docs" / "gateway.md").read_text("utf-8"), re.MULTILINE
    )
    lacking: dict[str, list[str]] = {}
    for service in sorted(PREFIXES):
        lines = (CASES / f"{service}.txt").read_text("utf-8").splitlines()
        names = [call.partition("(")[0] for call, told in pairwise(lines) if told == UNMAPPED]
        lacking |= {service: list(dict.fromkeys(names))} if names else {}
    assert {service: names.replace("`", "").split(", ") for service, names in listed} == lacking


if __name__ == "__main__":
    CASES.mkdir(exist_ok=True)
    for service in PREFIXES:
        (CASES / f"{service}.txt").write_text(table(service), "utf-8")
