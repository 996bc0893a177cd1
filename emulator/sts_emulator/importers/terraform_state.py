"""`terraform.tfstate` itself, version 4: what Terraform and OpenTofu keep, and `terraform state pull` writes.

Source: Terraform's internal/states/statefile/version4.go. Everything in it is known, so nothing has to be put together.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Final

from sts_emulator.importers import terraform
from sts_emulator.importers.inventory import Inventory
from sts_emulator.importers.json_text import BadInput, JsonText, Number
from sts_emulator.importers.parts import listed
from sts_emulator.importers.terraform import Plan, Resource
from sts_emulator.importers.terraform_references import Configuration
from sts_emulator.policy.json_types import Json, JsonObject

VERSION: Final = "4"


def read(source: JsonText, account: str) -> Inventory:
    """The IAM of a state file.

    Raises:
        BadInput: what is not JSON, not of the format, or of an older one.
    """
    version = str(source.value(source.top["version"])) if "version" in source.top else "none"
    if version != VERSION:
        raise BadInput(f"is a state of version {version[:20]}; `terraform show -json` writes what can be read here", 1)
    plan = Plan(account or terraform.account_in(source.text), source, Configuration({}))
    plan.inventory.kind, plan.inventory.exists = "terraform.tfstate", True
    for at in source.elements(source.top["resources"]):
        plan.resources += _resources(source, at)
    terraform.take(plan)
    return plan.inventory


def _resources(source: JsonText, at: int) -> Iterator[Resource]:
    """The instances of one block."""
    block = source.value(at)
    if not isinstance(block, Mapping) or not isinstance(block.get("type"), str):
        raise BadInput("expected a resource with a `type`", source.line(at))
    if not terraform.matters(block["type"]):
        return
    for number, instance in enumerate(listed(block.get("instances"))):
        if isinstance(instance, Mapping):
            place = source.find(at, ["instances", number])
            yield terraform.resource(_as_shown(block, instance), str(block.get("module", "")), source.line(place))


def _as_shown(block: JsonObject, instance: JsonObject) -> dict[str, Json]:
    """An instance as `terraform show -json` writes it."""
    module = f"{block['module']}." if block.get("module") else ""
    data = "data." if block.get("mode") == "data" else ""
    key = instance.get("index_key")
    index = "" if key is None else f"[{key}]" if isinstance(key, Number) else f"[{json.dumps(str(key))}]"
    return {
        "address": f"{module}{data}{block['type']}.{block.get('name', '')}{index}",
        "mode": block.get("mode"),
        "type": block["type"],
        "name": block.get("name", ""),
        "values": instance.get("attributes"),
    }
