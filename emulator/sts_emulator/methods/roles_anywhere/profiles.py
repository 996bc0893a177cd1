"""Profiles: which roles a certificate may become, for how long, and within which session policies."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from sts_emulator.accounts.anywhere import AnywhereProfile
from sts_emulator.methods.roles_anywhere import aliases, alike, mappings, tagging
from sts_emulator.methods.roles_anywhere import kinds as nouns
from sts_emulator.methods.roles_anywhere.kinds import PROFILE, invalid
from sts_emulator.policy.arns import parse_arn
from sts_emulator.policy.deciding.document import MalformedPolicy
from sts_emulator.policy.saving.validate import validate
from sts_emulator.vending.authorize import access_denied, authorize
from sts_emulator.vending.context import Context
from sts_emulator.wire.dispatch import Result, operation

DEFAULT_DURATION: Final = 3600
SERVICE: Final = "rolesanywhere.amazonaws.com"


@operation("rolesanywhere", "CreateProfile")
def create_profile(
    ctx: Context,
    *,
    name: str,
    roleArns: Sequence[str],
    requireInstanceProperties: bool = False,
    sessionPolicy: str = "",
    managedPolicyArns: Sequence[str] | None = None,
    durationSeconds: int = DEFAULT_DURATION,
    enabled: bool = False,
    tags: Sequence[Mapping[str, str]] | None = None,
    acceptRoleSessionName: bool = False,
    aliasName: str | None = None,
    tipConfiguration: Mapping[str, str] | None = None,
) -> Result:
    """List the roles that certificates may become. Without `enabled` the profile begins disabled.

    Source: docs/aws/roles-anywhere.md, "Control plane".
    """
    given, keys = tagging.new(ctx, tags)
    nouns.permit(ctx, "CreateProfile", "*", keys)
    _pass_roles(ctx, roleArns)
    own = {
        "created_by": ctx.identity.arn,
        "roles": list(roleArns),
        "session_policy": _checked_policy(sessionPolicy),
        "policy_arns": list(managedPolicyArns or ()),
        "duration": durationSeconds,
        "accept_name": acceptRoleSessionName,
        "require_properties": requireInstanceProperties,
        "mappings": mappings.defaults(),
        "tip": dict(tipConfiguration or {}),
        "tags": given,
        **aliases.claimed(ctx, PROFILE, aliasName),
    }
    return {"profile": detail(nouns.create(ctx, PROFILE, name, own, enabled=enabled))}


@operation("rolesanywhere", "UpdateProfile")
def update_profile(
    ctx: Context,
    *,
    profileId: str,
    name: str | None = None,
    sessionPolicy: str | None = None,
    roleArns: Sequence[str] | None = None,
    managedPolicyArns: Sequence[str] | None = None,
    durationSeconds: int | None = None,
    acceptRoleSessionName: bool | None = None,
    aliasName: str | None = None,
    tipConfiguration: Mapping[str, str] | None = None,
) -> Result:
    """Change what the request has; what it leaves out stays. TIP settings are replaced as a whole."""
    before = nouns.reach(ctx, "UpdateProfile", PROFILE, profileId)
    _pass_roles(ctx, roleArns or ())
    return alike.updated(
        ctx,
        PROFILE,
        before,
        aliasName,
        detail,
        name=name,
        session_policy=None if sessionPolicy is None else _checked_policy(sessionPolicy),
        roles=None if roleArns is None else list(roleArns),
        policy_arns=None if managedPolicyArns is None else list(managedPolicyArns),
        duration=durationSeconds,
        accept_name=acceptRoleSessionName,
        tip=None if tipConfiguration is None else dict(tipConfiguration),
    )


@operation("rolesanywhere", "PutAttributeMapping")
def put_attribute_mapping(
    ctx: Context, *, profileId: str, certificateField: str, mappingRules: Sequence[Mapping[str, str]]
) -> Result:
    """Add rules that make session tags of a field of the certificate."""
    profile = nouns.reach(ctx, "PutAttributeMapping", PROFILE, profileId)
    specifiers = [rule["specifier"] for rule in mappingRules]
    changed = mappings.added(profile["mappings"], certificateField, specifiers)
    return {"profile": detail(nouns.change(ctx, PROFILE, profile, mappings=changed))}


@operation("rolesanywhere", "DeleteAttributeMapping")
def delete_attribute_mapping(
    ctx: Context, *, profileId: str, certificateField: str, specifiers: Sequence[str] | None = None
) -> Result:
    """Delete rules of a field; without specifiers, all of them."""
    profile = nouns.reach(ctx, "DeleteAttributeMapping", PROFILE, profileId)
    changed = mappings.removed(profile["mappings"], certificateField, specifiers)
    return {"profile": detail(nouns.change(ctx, PROFILE, profile, mappings=changed))}


def detail(profile: AnywhereProfile) -> Result:
    """The ProfileDetail structure."""
    shown: dict[str, Any] = {
        **nouns.shown(profile, PROFILE),
        "createdBy": profile["created_by"],
        "requireInstanceProperties": profile["require_properties"],
        "roleArns": profile["roles"],
        "managedPolicyArns": profile["policy_arns"],
        "durationSeconds": profile["duration"],
        "acceptRoleSessionName": profile["accept_name"],
        "attributeMappings": mappings.detail(profile["mappings"]),
    }
    if profile["session_policy"]:
        shown["sessionPolicy"] = profile["session_policy"]
    if profile["tip"]:
        shown["tipConfiguration"] = profile["tip"]
    return shown


def _pass_roles(ctx: Context, role_arns: Sequence[str]) -> None:
    """The caller hands these roles to the service, which takes iam:PassRole on each; another account's cannot be."""
    for arn in role_arns:
        parts = parse_arn(arn)
        if parts is None:
            raise invalid(f"{arn} is invalid")
        if parts.account != ctx.identity.account:
            raise access_denied("Cross-account pass role is not allowed.")
        authorize(ctx, "iam:PassRole", arn, {"iam:passedtoservice": (SERVICE,)})


def _checked_policy(text: str) -> str:
    """A session policy, refused now rather than when it is first used. AWS's words for this are not recorded."""
    if text:
        try:
            validate("session", text)
        except MalformedPolicy as bad:
            raise invalid(f"Invalid session policy: {bad.message}") from None
    return text


alike.declare(PROFILE, detail)
