"""Session tags: read from the wire, and shown to policies as condition keys."""

from __future__ import annotations

from collections.abc import Mapping

from sts_emulator.core.errors import AwsError


def tag_map(pairs: list[Mapping[str, str]] | None) -> dict[str, str]:
    """Tags as the wire gives them, as a mapping.

    Raises:
        AwsError: InvalidParameterValue when two keys are equal ignoring case, or one is of AWS's own, in words of ours
            (docs/aws/sts.md, "Session tags").
    """
    if not pairs:
        return {}
    tags = {pair["Key"]: pair["Value"] for pair in pairs}
    if len({key.lower() for key in tags}) != len(pairs):
        raise AwsError(
            "InvalidParameterValue", "Duplicate tag keys found. Please note that Tag keys are case insensitive."
        )
    if any(key.lower().startswith("aws:") for key in tags):
        raise AwsError("InvalidParameterValue", "Tag keys beginning with aws: are reserved for system use.")
    return tags


def tag_keys(tags: Mapping[str, str], transitive: tuple[str, ...] = ()) -> dict[str, tuple[str, ...]]:
    """aws:RequestTag/*, aws:TagKeys and sts:TransitiveTagKeys for tags that a request passes."""
    keys: dict[str, tuple[str, ...]] = {f"aws:requesttag/{key.lower()}": (value,) for key, value in tags.items()}
    if tags:
        keys["aws:tagkeys"] = tuple(tags)
    if transitive:
        keys["sts:transitivetagkeys"] = tuple(transitive)
    return keys


def principal_tag_keys(tags: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
    """aws:PrincipalTag/* for the tags that a caller bears."""
    return {f"aws:principaltag/{key.lower()}": (value,) for key, value in tags.items()}
