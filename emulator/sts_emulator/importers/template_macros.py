"""What AWS's own transforms make of a template before it is deployed, as far as that decides a policy.

Source: AWS CloudFormation User Guide, "Fn::ForEach"; AWS SAM Developer Guide, "AWS::Serverless::Function" and
"Generated CloudFormation resources": a function without `Role` gets a role of its own, `<LogicalId>Role`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from sts_emulator.importers.intrinsics import Resolver
from sts_emulator.importers.parts import mapping
from sts_emulator.importers.placeholders import MARK
from sts_emulator.importers.serverless import serverless_roles, unexpanded
from sts_emulator.policy.json_types import JsonObject

Origins = Mapping[str, list[str | int]]
"""Where in the file a resource that a transform made is written."""


class Expanded(NamedTuple):
    """A template after its transforms, and what is to be said about them: where, and what."""

    template: Mapping[str, Any]
    origins: Origins
    notes: list[tuple[list[str | int], str]]


LOOP: Final = "Fn::ForEach::"
MOST: Final = 5_000
"""Resources that loops may make; a template has 500 at most."""
DEEPEST: Final = 5
_KNOWN: Final = frozenset({"AWS::Serverless-2016-10-31", "AWS::LanguageExtensions"})


def expanded(template: Mapping[str, Any], parameters: Mapping[str, Any]) -> Expanded:
    """The template with loops unrolled and SAM's roles made."""
    origins: dict[str, list[str | int]] = {}
    unrolling = _Unrolling(template, parameters)
    resources = unrolling.resources(origins)
    notes = unrolling.notes
    if is_serverless(template):
        for maker, logical, role in serverless_roles(resources, template.get("Globals")):
            origins[logical] = origins.get(maker, ["Resources", maker])
            resources[logical] = role
        notes += [(["Resources", *where], told) for where, told in unexpanded(resources)]
    conditions = template.get("Conditions")
    whole = {**template, "Resources": resources}
    if isinstance(conditions, Mapping):
        whole["Conditions"] = unrolling.unrolled(conditions)
    return Expanded(whole, origins, notes + _transforms(template))


def is_serverless(template: Mapping[str, Any]) -> bool:
    """Whether any resource is SAM's."""
    return any(
        isinstance(resource, Mapping) and str(resource.get("Type")).startswith("AWS::Serverless::")
        for resource in template["Resources"].values()
    )


def _transforms(template: Mapping[str, Any]) -> list[tuple[list[str | int], str]]:
    """Macros of somebody's own may make anything; what they would make is not known here."""
    named, inside = template.get("Transform"), template["Resources"].get("Fn::Transform")
    macros = [*(named if isinstance(named, list) else [named]), inside]
    names = [str(macro.get("Name") if isinstance(macro, Mapping) else macro) for macro in macros if macro]
    told = "what the macro {} makes of it is not known here"
    return [(["Transform"], told.format(name)) for name in names if name not in _KNOWN]


class _Unrolling:
    """`Fn::ForEach` of one template."""

    def __init__(self, template: Mapping[str, Any], parameters: JsonObject) -> None:
        self._template = template
        self._parameters = parameters
        self._made = 0
        self.notes: list[tuple[list[str | int], str]] = []
        self._resolver = Resolver(parameters, mapping(template, "Mappings"), {}, lambda *_: None)

    def resources(self, origins: dict[str, list[str | int]]) -> dict[str, Any]:
        """The resources, each with its loops unrolled."""
        resources: dict[str, Any] = {}
        for name, written in self._template["Resources"].items():
            if not name.startswith(LOOP):
                resources[name] = self.unrolled(written)
                continue
            for logical, resource in self.unrolled({name: written}).items():
                resources[logical] = resource
                origins[logical] = ["Resources", name]
        return resources

    def unrolled(self, written: object, depth: int = 0) -> Any:
        """A value with the loops in it unrolled."""
        if isinstance(written, list):
            return [self.unrolled(item, depth) for item in written] if _has_loop(written) else written
        if not isinstance(written, Mapping) or not _has_loop(written):
            return written
        members: dict[str, Any] = {}
        for name, item in written.items():
            if name.startswith(LOOP) and depth < DEEPEST:
                members |= self._turns(name, item, depth)
            else:
                members[name] = self.unrolled(item, depth)
        return members

    def _turns(self, name: str, loop: object, depth: int) -> JsonObject:
        members: dict[str, Any] = {}
        if not isinstance(loop, list) or len(loop) != 3 or not isinstance(loop[2], Mapping):  # noqa: PLR2004 - name, values, body
            self._say(name, "is no loop of a name, values and a body, so it is left out")
            return members
        variable, listed, body = loop
        values = _flat(self._resolver.value(listed))
        if not isinstance(values, list) or any(MARK in str(value) for value in values):
            wanted = listed["Ref"] if isinstance(listed, Mapping) and "Ref" in listed else ""
            passing = f"; pass --parameter {wanted}=A,B" if wanted else ""
            self._say(name, f"its values are not known, so what it makes is left out{passing}")
            return members
        for value in values:
            self._made += len(body)
            if self._made > MOST:
                self._say(name, f"makes more than {MOST:,} resources; the rest is left out")
                break
            members |= self.unrolled(_put(body, str(variable), str(value)), depth + 1)
        return members

    def _say(self, name: str, told: str) -> None:
        self.notes.append((["Resources", name], f"{name.removeprefix('Fn::')}: {told}"))


def _flat(values: object) -> object:
    """A list whose elements may be lists of parameters."""
    if not isinstance(values, list):
        return values
    return [inner for value in values for inner in (value if isinstance(value, list) else [value])]


def _has_loop(written: object) -> bool:
    if isinstance(written, Mapping):
        return any(name.startswith(LOOP) or _has_loop(item) for name, item in written.items())
    return isinstance(written, list) and any(map(_has_loop, written))


def _put(written: object, variable: str, value: str) -> Any:
    """A loop's body for one value: `${Variable}`, `&{Variable}` (without what a logical id cannot hold), and Ref."""
    if isinstance(written, str):
        plain = "".join(character for character in value if character.isalnum())
        return written.replace(f"${{{variable}}}", value).replace(f"&{{{variable}}}", plain)
    if isinstance(written, list):
        return [_put(item, variable, value) for item in written]
    if not isinstance(written, Mapping):
        return written
    if dict(written) == {"Ref": variable}:
        return value
    return {_put(name, variable, value): _put(item, variable, value) for name, item in written.items()}
