"""Attribute mappings of profiles: which parts of a certificate become session tags.

Source: docs/aws/roles-anywhere.md, "Attribute mappings".

Kept as {field: [specifier]}; a field without specifiers is left out, and then gives no tags.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from sts_emulator.methods.roles_anywhere.attributes import DEFAULT_MAPPINGS, SAN, is_specifier
from sts_emulator.methods.roles_anywhere.kinds import invalid
from sts_emulator.wire.dispatch import Result

Mappings = Mapping[str, Sequence[str]]


def defaults() -> dict[str, list[str]]:
    return {field: list(specifiers) for field, specifiers in DEFAULT_MAPPINGS.items()}


def added(mappings: Mappings, field: str, specifiers: Iterable[str]) -> dict[str, list[str]]:
    """The mappings with these specifiers of a field added.

    Raises:
        AwsError: ValidationException for a specifier that the field does not have.
    """
    kept = list(mappings.get(field, ()))
    for specifier in specifiers:
        known = _normal(field, specifier)
        if known.lower() not in {specifier.lower() for specifier in kept}:
            kept.append(known)
    return _ordered({**mappings, field: kept})


def removed(mappings: Mappings, field: str, specifiers: Iterable[str] | None) -> dict[str, list[str]]:
    """The mappings without these specifiers of a field, or without the field; what is not there is ignored."""
    if not specifiers:
        return _ordered({**mappings, field: []})
    gone = {_normal(field, specifier).lower() for specifier in specifiers}
    return _ordered({**mappings, field: [kept for kept in mappings.get(field, ()) if kept.lower() not in gone]})


def detail(mappings: Mappings) -> list[Result]:
    """The AttributeMappings structure, in the order in which GetProfile shows it."""
    return [
        {"certificateField": field, "mappingRules": [{"specifier": specifier} for specifier in specifiers]}
        for field, specifiers in mappings.items()
    ]


def _ordered(mappings: Mappings) -> dict[str, list[str]]:
    return {field: list(mappings[field]) for field in DEFAULT_MAPPINGS if mappings.get(field)}


def _normal(field: str, specifier: str) -> str:
    if field != SAN:
        if specifier == "*" or is_specifier(specifier):
            return specifier
        raise invalid(f"Invalid specifier {specifier} for {field}")
    if specifier.upper() in ("DNS", "URI"):
        return specifier.upper()
    head, _, rest = specifier.partition("/")
    if head == "Name" and (rest in ("", "*") or is_specifier(rest)):
        return f"Name/{rest or '*'}"
    raise invalid(f"Invalid specifier {specifier} for {field}")
