"""Owns the `Resource` and `NotResource` lists: ARN patterns, matched part by part, with variables in the last part."""

from __future__ import annotations

from typing import TYPE_CHECKING

from emulator.policy.matching import ARN_PARTS, ArnPattern, glob
from emulator.policy.variables import Template, template

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from emulator.policy.matching import Piece


class Resources:
    """The compiled list; `texts` is what the policy says."""

    __slots__ = ("_everything", "_patterns", "_templates", "texts")

    def __init__(self, texts: Sequence[str], version: str) -> None:
        self.texts = tuple(texts)
        self._everything = any(glob(text).is_everything for text in texts)
        compiled = [(text, _template(text, version)) for text in texts]
        self._patterns = tuple(ArnPattern(pieces) for _, source in compiled if (pieces := source.static()) is not None)
        self._templates = tuple(source for _, source in compiled if source.variables)

    def match(self, resource: str, context: Mapping[str, tuple[str, ...]]) -> bool:
        """Whether the request's resource is listed; `*` covers also requests that name no ARN."""
        if self._everything:
            return True
        if any(pattern.matches(resource) for pattern in self._patterns):
            return True
        return any(_resolves_to(source, resource, context) for source in self._templates)

    def matched_by(self, resource: str, version: str, context: Mapping[str, tuple[str, ...]]) -> str | None:
        """The listed text that covers the resource."""
        return next((text for text in self.texts if Resources((text,), version).match(resource, context)), None)


def _resolves_to(source: Template, resource: str, context: Mapping[str, tuple[str, ...]]) -> bool:
    pieces = source.pieces(context)
    return pieces is not None and ArnPattern(pieces).matches(resource)


def _template(text: str, version: str) -> Template:
    """Variables count after the fifth colon only (UG reference_policies_variables); before it they are plain text."""
    parts = text.split(":", ARN_PARTS - 1)
    if len(parts) < ARN_PARTS or "${" in "".join(parts[:-1]):
        return Template(((text, True),))
    head: Piece = (text[: len(text) - len(parts[-1])], True)
    return Template((head, *template(parts[-1], version).parts))
