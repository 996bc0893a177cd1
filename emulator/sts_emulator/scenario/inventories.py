"""Which files of other tools there are to import and what they declare, mistakes told as those of scenarios are.

It loads nothing of a world: `lint` reads plans and policies by it, and has to be quick on every commit.
"""

from __future__ import annotations

from collections.abc import Mapping

from sts_emulator.importers import cloudformation, read
from sts_emulator.importers.inventory import Inventory
from sts_emulator.importers.json_text import BadInput, JsonText
from sts_emulator.scenario import templates
from sts_emulator.scenario.problems import NOTHING, ScenarioError, Where

_SCENARIO_KEYS = frozenset({"accounts", "expect", "organization", "issuers", "import", "saml_idps"})


def is_importable(data: bytes, name: str) -> bool:
    """Whether a file is something to import rather than a scenario (which may be written as JSON too)."""
    start = data[:4096].removeprefix(b"\xef\xbb\xbf").lstrip()[:1]
    if data[:2] in (b"PK", b"\xff\xfe", b"\xfe\xff"):
        return True
    if start not in (b"{", b"["):
        return templates.is_yaml(data)
    try:
        members = JsonText(data, name).top.keys()
    except BadInput:
        return name.endswith(".json")
    return not members & _SCENARIO_KEYS and (bool(members) or name.endswith(".json"))


def read_inventory(data: bytes, file: str, account: str, parameters: Mapping[str, str] | None = None) -> Inventory:
    """What a file declares. Raises ScenarioError."""
    if not data or data.isspace():
        raise ScenarioError.at(Where(file), NOTHING)
    try:
        stack = templates.stack_of(file)
        if templates.is_yaml(data):
            return cloudformation.read(templates.YamlTemplate(data, file), account, parameters or {}, stack)
        return read.read_json(JsonText(data, file), account, parameters, stack)
    except BadInput as bad:
        raise ScenarioError.at(Where(file, bad.line), str(bad)) from None
