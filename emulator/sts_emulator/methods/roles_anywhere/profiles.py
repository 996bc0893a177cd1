"""Profiles: which roles a certificate may become, for how long, and within which session policies."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, TypedDict, Unpack

from sts_emulator.accounts.anywhere import AnywhereProfile
from sts_emulator.methods.roles_anywhere import aliases, alike, mappings, tagging
from sts_emulator.methods.roles_anywhere import kinds as nouns
from sts_emulator.methods.roles_anywhere.kinds import PRINCIPAL, PROFILE, invalid
from sts_emulator.policy.arns import parse_arn
from sts_emulator.policy.deciding.document import MalformedPolicy
from sts_emulator.policy.json_types import JsonObject
from sts_emulator.policy.saving.validate import validate
from sts_emulator.vending.authorize import access_denied, authorize
from sts_emulator.vending.context import Context
from sts_emulator.wire.dispatch import Result, operation

DEFAULT_DURATION: Final = 3600

# Members that are kept as they come: what the wire calls them.
_SHOWN: Final = {
    "requireInstanceProperties": "require_properties",
    "roleArns": "roles",
    "managedPolicyArns": "policy_arns",
    "durationSeconds": "duration",
    "acceptRoleSessionName": "accept_name",
}
_SHOWN_IF_SET: Final = {"sessionPolicy": "session_policy", "tipConfiguration": "tip"}
_DEFAULTS: Final[Mapping[str, Any]] = {
    "require_properties": False,
    "policy_arns": [],
    "duration": DEFAULT_DURATION,
    "accept_name": False,
    "session_policy": "",
    "tip": {},
}


class Settings(TypedDict, total=False):
    """What a profile may be made and changed with, with the names of the wire."""

    roleArns: Sequence[str]
    managedPolicyArns: Sequence[str]
    durationSeconds: int
    acceptRoleSessionName: bool
    sessionPolicy: str
    tipConfiguration: JsonObject


class FirstSettings(Settings, total=False):
    """Likewise, and what is not changed later."""

    requireInstanceProperties: bool


@operation("rolesanywhere", "CreateProfile")
def create_profile(
    ctx: Context,
    *,
    name: str,
    enabled: bool = False,
    tags: Sequence[Mapping[str, str]] | None = None,
    aliasName: str | None = None,
    **settings: Unpack[FirstSettings],
) -> Result:
    """List the roles that certificates may become. Without `enabled` the profile begins disabled.

    Source: docs/aws/roles-anywhere.md, "Control plane".
    """
    given, keys = tagging.new(ctx, tags)
    nouns.permit(ctx, "CreateProfile", "*", keys)
    own = {
        "created_by": ctx.identity.arn,
        **_DEFAULTS,
        **_checked(ctx, settings),
        "mappings": mappings.defaults(),
        "tags": given,
        **aliases.claimed(ctx, PROFILE, aliasName),
    }
    return {"profile": detail(nouns.create(ctx, PROFILE, name, own, enabled=enabled))}


@operation("rolesanywhere", "UpdateProfile")
def update_profile(
    ctx: Context, *, profileId: str, name: str | None = None, aliasName: str | None = None, **settings: Unpack[Settings]
) -> Result:
    """Change what the request has; what it leaves out stays. TIP settings are replaced as a whole."""
    before = nouns.reach(ctx, "UpdateProfile", PROFILE, profileId)
    return alike.updated(ctx, PROFILE, before, aliasName, detail, name=name, **_checked(ctx, settings))


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
    stored: Mapping[str, Any] = profile
    return {
        **nouns.shown(profile, PROFILE),
        "createdBy": profile["created_by"],
        **{name: stored[kept] for name, kept in _SHOWN.items()},
        "attributeMappings": mappings.detail(profile["mappings"]),
        **{name: stored[kept] for name, kept in _SHOWN_IF_SET.items() if stored[kept]},
    }


def _checked(ctx: Context, settings: Settings) -> dict[str, Any]:
    """The settings of a request as they are kept.

    Raises:
        AwsError: AccessDenied, the caller may not pass a role; ValidationException.
    """
    _pass_roles(ctx, settings.get("roleArns", ()))
    _check_policy(settings.get("sessionPolicy", ""))
    names = _SHOWN | _SHOWN_IF_SET
    return {names[name]: value for name, value in settings.items()}


def _pass_roles(ctx: Context, role_arns: Sequence[str]) -> None:
    """The caller hands these roles to the service, which takes iam:PassRole on each; another account's cannot be."""
    for arn in role_arns:
        parts = parse_arn(arn)
        if parts is None:
            raise invalid(f"{arn} is invalid")
        if parts.account != ctx.identity.account:
            raise access_denied("Cross-account pass role is not allowed.")
        authorize(ctx, "iam:PassRole", arn, {"iam:passedtoservice": (PRINCIPAL,)})


def _check_policy(text: str) -> None:
    """Refuse a session policy now rather than when it is first used. AWS's words for this are not recorded."""
    if text:
        try:
            validate("session", text)
        except MalformedPolicy as bad:
            raise invalid(f"Invalid session policy: {bad.message}") from None


alike.declare(PROFILE, detail)
