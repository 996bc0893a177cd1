"""Which files of other tools there are to import and what they declare, mistakes told as those of scenarios are.

It loads nothing of a world: `lint` reads plans and policies by it, and has to be quick on every commit.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from sts_emulator.importers import cloudformation, read
from sts_emulator.importers.inventory import Inventory
from sts_emulator.importers.json_text import BadInput, JsonText
from sts_emulator.scenario.problems import ScenarioError, Where

_TEMPLATE = re.compile(rb"^(AWSTemplateFormatVersion|Resources)[ \t]*:", re.MULTILINE)
_SCENARIO_KEYS = frozenset({"accounts", "expect", "organization", "issuers", "import", "saml_idps"})


def is_importable(data: bytes, name: str) -> bool:
    """Whether a file is something to import rather than a scenario (which may be written as JSON too)."""
    start = data[:4096].removeprefix(b"\xef\xbb\xbf").lstrip()[:1]
    if data[:2] in (b"PK", b"\xff\xfe", b"\xfe\xff"):
        return True
    if start not in (b"{", b"["):
        return _TEMPLATE.search(data) is not None
    try:
        members = JsonText(data, name).top.keys()
    except BadInput:
        return name.endswith(".json")
    return not members & _SCENARIO_KEYS and (bool(members) or name.endswith(".json"))


def read_inventory(data: bytes, file: str, account: str, parameters: Mapping[str, str] | None = None) -> Inventory:
    """What a file declares. Raises ScenarioError."""
    try:
        if data.lstrip()[:1] not in (b"{", b"[") and _TEMPLATE.search(data):
            from sts_emulator.scenario.templates import YamlTemplate

            return cloudformation.read(YamlTemplate(data, file), account, parameters or {})
        return read.read_json(JsonText(data, file), account, parameters)
    except BadInput as bad:
        raise ScenarioError.at(Where(file, bad.line), str(bad)) from None
