"""PreTokenGeneration: what a pool's function adds to tokens and takes from them, in each version of its event.

Source: docs/aws/cognito.md, "Triggers".
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import field
from typing import Any, Final

from sts_emulator.idp.user_pools.kinds import PoolUser
from sts_emulator.idp.user_pools.triggers import configuration, firing, responses
from sts_emulator.idp.user_pools.triggers.firing import Occasion
from sts_emulator.policy.json_types import Json, JsonObject
from sts_emulator.policy.light_dataclass import dataclass

LARGEST: Final = 6_000
"""Bytes of claims that are added to one token: with the rest it must stay one that this server reads again."""

_FIXED: Final = frozenset(
    {
        *("acr", "amr", "at_hash", "auth_time", "azp", "exp", "iat", "iss", "jti", "nbf", "nonce", "origin_jti", "sub"),
        *("token_use", "identities", "event_id", "cognito:username", "cognito:groups", "cognito:roles"),
        *("cognito:preferred_role", "client_id", "username", "version", "device_key", "scope"),
    }
)
"""Claims that a function cannot change; groups and scopes have members of their own."""

_MACHINES: Final = "3"  # the event's version with tokens of apps for themselves
_SELF_SERVICE: Final = "aws.cognito.signin.user.admin"


@dataclass(frozen=True, slots=True)
class Membership:
    """What tokens tell of a user's groups."""

    groups: tuple[str, ...] = ()
    roles: tuple[str, ...] = ()
    preferred_role: str = ""


@dataclass(frozen=True, slots=True)
class Claims:
    """Of one token: claims to add, or to take away."""

    added: Mapping[str, Any] = field(default_factory=dict)
    suppressed: tuple[str, ...] = ()

    def over(self, claims: Mapping[str, object]) -> JsonObject:
        gone = set(self.suppressed) - _FIXED - {"aud"}
        kept = {name: value for name, value in claims.items() if name not in gone}
        return {**kept, **{name: value for name, value in self.added.items() if name not in _FIXED}}


@dataclass(frozen=True, slots=True)
class Overrides:
    """What the function wants; `groups` is None where it says nothing of them."""

    id: Claims = field(default_factory=Claims)
    access: Claims = field(default_factory=Claims)
    groups: Membership | None = None
    added_scopes: tuple[str, ...] = ()
    suppressed_scopes: tuple[str, ...] = ()

    def in_id(self, claims: JsonObject) -> dict[str, Json]:
        """An ID token's claims; `aud` stays what it is."""
        return {**self.id.over(claims), "aud": claims["aud"]}

    def in_access(self, claims: Mapping[str, Any]) -> dict[str, Json]:
        """An access token's claims, and its scopes."""
        scopes = [scope for scope in claims["scope"].split() if scope not in self.suppressed_scopes]
        scopes += [scope for scope in self.added_scopes if scope not in scopes and scope != _SELF_SERVICE]
        return {**self.access.over(claims), "scope": " ".join(scopes)}


async def of(
    occasion: Occasion,
    user: PoolUser | None,
    source: str,
    groups: Membership,
    scopes: Iterable[str],
    metadata: Mapping[str, str] | None,
) -> Overrides:
    """What the pool's function wants of these tokens. Raises AwsError: `fire`.

    Without a user they are an app's own, of which the third version of the event is told alone. Whose name it has then
    is not recorded; here it is the app client's.
    """
    function = configuration.function_of(occasion.pool, configuration.TOKENS)
    if function is None or (user is None and function.version != _MACHINES):
        return Overrides()
    is_first = function.version == "1"
    member = "claimsOverrideDetails" if is_first else "claimsAndScopeOverrideDetails"
    request = {
        "userAttributes": firing.attributes_of(user),
        "groupConfiguration": {
            "groupsToOverride": list(groups.groups),
            "iamRolesToOverride": list(groups.roles),
            "preferredRole": groups.preferred_role or None,
        },
        **({} if is_first else {"scopes": list(scopes)}),
        **firing.metadata(metadata),
    }
    name = user["username"] if user else occasion.client
    said = await firing.fire(occasion, source, name, request, {member: None}) or {}
    details = responses.table(said, member)
    if is_first:
        return Overrides(id=_claims(details, texts_only=True), groups=_groups(details))
    access = responses.table(details, "accessTokenGeneration")
    added = responses.texts(access, "scopesToAdd")
    if any(not scope or len(scope.split()) != 1 for scope in added):
        raise responses.unusable()
    return Overrides(
        id=_claims(responses.table(details, "idTokenGeneration")),
        access=_claims(access),
        groups=_groups(details),
        added_scopes=tuple(added),
        suppressed_scopes=tuple(responses.texts(access, "scopesToSuppress")),
    )


def _claims(part: JsonObject, *, texts_only: bool = False) -> Claims:
    added = (responses.strings if texts_only else responses.table)(part, "claimsToAddOrOverride")
    if len(json.dumps(added)) > LARGEST:
        raise responses.unusable()
    return Claims(added, tuple(responses.texts(part, "claimsToSuppress")))


def _groups(details: JsonObject) -> Membership | None:
    """Left out: as they are. Empty or null: none, as the guide has it."""
    if "groupOverrideDetails" not in details:
        return None
    part = responses.table(details, "groupOverrideDetails")
    return Membership(
        tuple(responses.texts(part, "groupsToOverride")),
        tuple(responses.texts(part, "iamRolesToOverride")),
        responses.text(part, "preferredRole"),
    )
