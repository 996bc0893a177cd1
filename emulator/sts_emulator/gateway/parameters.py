"""Reading a call's parameters: strings at a path, and the tags that a request brings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import parse_qsl


def at(parameters: Any, paths: str) -> tuple[str, ...]:
    """The scalars at a dotted path, as text; a list on the way stands for all its items.

    `A|B` is all that is at A and at B: where a request names a thing in two ways, both may be what is meant.
    """
    if paths.isidentifier() and isinstance(parameters, dict):  # nearly always
        value = parameters.get(paths)
        if value is None or isinstance(value, str):
            return () if value is None else (value,)
    return tuple(value for path in paths.split("|") for value in _scalars(parameters, path.split(".")))


def first(parameters: Any, path: str) -> str:
    """The first of the scalars at a path, or an empty text."""
    if isinstance(parameters, dict) and path.isidentifier():  # nearly always
        value = parameters.get(path)
        if value is None or isinstance(value, str):
            return value or ""
    values = at(parameters, path)
    return values[0] if values else ""


def _scalars(value: Any, steps: list[str]) -> Iterator[str]:
    if isinstance(value, list | tuple):
        for item in value:
            yield from _scalars(item, steps)
    elif steps:
        if isinstance(value, Mapping) and steps[0] in value:
            yield from _scalars(value[steps[0]], steps[1:])
    elif isinstance(value, bool):
        yield "true" if value else "false"
    elif isinstance(value, str | int):
        yield str(value)


def structures(parameters: Any, path: str) -> list[Mapping[str, Any]]:
    values = [parameters]
    for step in path.split("."):
        members = [value.get(step) for value in values if isinstance(value, Mapping)]
        values = [item for member in members for item in (member if isinstance(member, list | tuple) else [member])]
    return [value for value in values if isinstance(value, Mapping)]


_TAGS = (
    *("Tags", "tags", "TagList", "ResourceTags", "TagSpecifications.Tags", "TagSpecification.Tags", "Tag"),
    "CreateBucketConfiguration.Tags",
)
_TAG_KEYS = ("TagKeys", "tagKeys", "tagKeyList", "tags")
_PAIRS = (("Key", "Value"), ("key", "value"), ("TagKey", "TagValue"))


def tags(parameters: Mapping[str, Any]) -> dict[str, str]:
    """The tags that a request sets, in whichever form its service has for them."""
    pairs: dict[str, str] = {}
    for path in _TAGS:
        member = parameters.get(path)
        if isinstance(member, Mapping):
            pairs |= {str(key): str(value) for key, value in member.items()}
        for tag in structures(parameters, path):
            pairs |= {
                str(tag[key]): str(tag.get(value) or "") for key, value in _PAIRS if isinstance(tag.get(key), str)
            }
    return pairs


def tag_keys(parameters: Mapping[str, Any]) -> tuple[str, ...]:
    """The keys of the tags that a request sets or takes away."""
    named = [key for path in _TAG_KEYS for key in at(parameters, path)]
    return tuple(dict.fromkeys([*tags(parameters), *named]))


def encoded_tags(text: str) -> dict[str, str]:
    """Tags as S3's header `x-amz-tagging` has them."""
    return dict(parse_qsl(text, keep_blank_values=True))
