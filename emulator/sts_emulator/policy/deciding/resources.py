"""Owns the `Resource` and `NotResource` lists: ARN patterns, matched part by part, with variables in the last part."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sts_emulator.policy.deciding.matching import ARN_PARTS, ArnPattern, glob, has_wildcard
from sts_emulator.policy.deciding.variables import Template, template

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from sts_emulator.policy.deciding.matching import Piece


class Resources:
    """The compiled list; `texts` is what the policy says."""

    __slots__ = ("_everything", "_exact", "_matchers", "texts")

    def __init__(self, texts: Sequence[str], version: str) -> None:
        self.texts = tuple(texts)
        self._matchers = tuple(_matcher(text, version) for text in texts)
        self._exact = frozenset(text for text in texts if _is_plain_arn(text))
        self._everything = any(glob(text).is_everything for text in texts)

    def match(self, resource: str, context: Mapping[str, tuple[str, ...]]) -> bool:
        """Whether the request's resource is listed; `*` covers also requests that name no ARN."""
        if self._everything or resource in self._exact:
            return True
        return any(matches(resource, context) for matches in self._matchers)

    def matched_by(self, resource: str, context: Mapping[str, tuple[str, ...]]) -> str | None:
        """The listed text that covers the resource."""
        listed = zip(self.texts, self._matchers, strict=True)
        return next((text for text, matches in listed if matches(resource, context)), None)


def _is_plain_arn(text: str) -> bool:
    """Whether the text is a whole ARN without wildcards or variables, so that it fits itself only."""
    return text.startswith("arn:") and text.count(":") >= ARN_PARTS - 1 and not has_wildcard(text) and "$" not in text


def _matcher(text: str, version: str) -> Callable[[str, Mapping[str, tuple[str, ...]]], bool]:
    if glob(text).is_everything:
        return lambda _resource, _context: True
    source = _template(text, version)
    pieces = source.static()
    if pieces is None:
        return lambda resource, context: _resolves_to(source, resource, context)
    pattern = ArnPattern(pieces)
    return lambda resource, _: pattern.matches(resource)


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
