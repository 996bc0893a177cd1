"""Trusted identity propagation of identity providers: what may be set up, by whom, and how it is shown.

Source: docs/aws/trusted-identity-propagation.md, "With IAM". AWS's sentences are not recorded: these are ours.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from sts_emulator.accounts.propagation import ContextProvider, Propagation
from sts_emulator.core.errors import AwsError
from sts_emulator.core.world import World
from sts_emulator.vending.context import Keys

_KEY: Final = re.compile(r"[A-Za-z0-9_.:/=+@#-]+(?: [A-Za-z0-9_.:/=+@#-]+)*", re.ASCII)


def guards(given: Mapping[str, Any], issuers: Sequence[str], stored: Mapping[str, Any] | None = None) -> Keys:
    """The condition keys by which policies say who may set it up. `issuers`: those that the request names.

    What a removal makes of the two `Enable…` keys is not documented: here they are `false`.
    """
    keys: dict[str, tuple[str, ...]] = {}
    for key, setting, removal in (
        ("iam:enableidentitypropagation", "ContextProvider", "RemoveContextProvider"),
        ("iam:enableidentitycenterassociation", "IdentityCenterInstanceArn", "RemoveIdentityCenterInstance"),
    ):
        if given.get(setting) or given.get(removal):
            keys[key] = ("true",) if given.get(setting) else ("false",)
    if issuers:
        keys["iam:requestidentityproviderissuers"] = tuple(issuers)
    if given.get("IdentityCenterInstanceArn"):
        keys["iam:requestidentitycenterinstancearn"] = (given["IdentityCenterInstanceArn"],)
    if stored is not None:
        keys["iam:resourceidentityproviderissuers"] = tuple(stored.get("issuers") or (stored.get("url", ""),))
        instance = stored.get("propagation", {}).get("instance")
        if instance:
            keys["iam:resourceidentitycenterinstancearn"] = (instance,)
    return keys


def created(world: World, given: Mapping[str, Any]) -> dict[str, Propagation]:
    """The `propagation` member of a new provider; empty where the request sets nothing up.

    Raises:
        AwsError: InvalidInput.
    """
    settings: Propagation = {}
    if given.get("ContextProvider"):
        settings["context"] = _context(given["ContextProvider"])
    if given.get("IdentityCenterInstanceArn"):
        settings = _associated(world, settings, given["IdentityCenterInstanceArn"])
    return {"propagation": settings} if settings else {}


def updated(world: World, before: Propagation, given: Mapping[str, Any]) -> Propagation:
    """The settings after an update: one of the two changes at a time, and the context provider goes last.

    Raises:
        AwsError: InvalidInput.
    """
    context, no_context = given.get("ContextProvider"), given.get("RemoveContextProvider")
    instance, no_instance = given.get("IdentityCenterInstanceArn"), given.get("RemoveIdentityCenterInstance")
    if context and no_context:
        raise _invalid("Specify either ContextProvider or RemoveContextProvider, but not both.")
    if instance and no_instance:
        raise _invalid("Specify either IdentityCenterInstanceArn or RemoveIdentityCenterInstance, but not both.")
    if (context or no_context) and (instance or no_instance):
        raise _invalid(
            "A request can change either the context provider or the IAM Identity Center association, but not both."
        )
    if context:
        return {**before, "context": _context(context)}
    if instance:
        return _associated(world, before, instance)
    if no_instance:
        return {"context": before["context"]} if "context" in before else {}
    if no_context and "instance" in before:
        raise _invalid("Remove the IAM Identity Center association before the context provider.")
    return {} if no_context else before


def shown(provider: Mapping[str, Any]) -> dict[str, Any]:
    """The members that reading a provider shows."""
    settings: Propagation = provider.get("propagation", {})
    members = {
        "ContextProvider": settings.get("context"),
        "IdentityCenterInstanceArn": settings.get("instance"),
        "IdentityStoreArn": settings.get("store"),
    }
    return {member: value for member, value in members.items() if value}


def _context(given: ContextProvider) -> ContextProvider:
    definitions = given.get("KeyDefinitionList", [])
    targets = [definition.get("TargetKey", definition["SourceKey"]) for definition in definitions]
    sources = [definition["SourceKey"] for definition in definitions]
    for key in (given["SubjectSourceKey"], given.get("SubjectTypeSourceKey", ""), *targets, *sources):
        if key and not _KEY.fullmatch(key):
            raise _invalid(f"{key} is not a valid key of a context provider.")
    if given.get("SubjectTypeValue") and given.get("SubjectTypeSourceKey"):
        raise _invalid("Specify either SubjectTypeSourceKey or SubjectTypeValue, but not both.")
    if len({target.lower() for target in targets}) < len(targets):  # condition keys know no case
        raise _invalid("Each target key of a context provider must be there once.")
    return given


def _associated(world: World, settings: Propagation, arn: str) -> Propagation:
    from sts_emulator.accounts import directory

    if "context" not in settings:
        raise _invalid("An IAM Identity Center instance needs a ContextProvider.")
    instance = next((instance for instance in directory.instances(world) if instance["arn"] == arn), None)
    if instance is None:
        raise _invalid(f"The IAM Identity Center instance {arn} does not exist.")
    return {**settings, "instance": arn, "store": directory.store_arn(instance)}


def _invalid(message: str) -> AwsError:
    return AwsError("InvalidInput", message)
