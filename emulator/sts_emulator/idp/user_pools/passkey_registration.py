"""A user's own passkeys: registered in two steps, listed and deleted, by their access token."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Final

from sts_emulator.accounts import passkeys, single_use
from sts_emulator.accounts.passkeys import NotProvenError
from sts_emulator.core.errors import AwsError
from sts_emulator.idp.user_pools import passkey_sign_in, pools, progress, tokens
from sts_emulator.idp.user_pools.kinds import OwnPasskey, change_user, find_user, not_found, page
from sts_emulator.policy.json_types import Json, JsonObject
from sts_emulator.vending.context import Context
from sts_emulator.wire.dispatch import Result, operation

MOST: Final = 20
"""Passkeys of a user (Cognito's developer guide, "Passkey sign-in")."""

_ATTACHMENTS: Final = ("platform", "cross-platform")
_FAULTS: Final = {
    "challenge": ("WebAuthnChallengeNotFoundException", "Challenge not found."),
    "origin": (
        "WebAuthnOriginNotAllowedException",
        "The origin is not allowed for the relying party of the user pool.",
    ),
    "credential": ("WebAuthnCredentialNotSupportedException", "The credential is not supported."),
}


@operation("cognito-idp", "StartWebAuthnRegistration")
async def start_web_authn_registration(ctx: Context, *, AccessToken: str) -> Result:
    """What the browser is asked for a new passkey."""
    return {"CredentialCreationOptions": options_for(ctx, tokens.bearer(ctx.world, AccessToken)[0])}


@operation("cognito-idp", "CompleteWebAuthnRegistration")
async def complete_web_authn_registration(ctx: Context, *, AccessToken: str, Credential: JsonObject) -> Result:
    """Keep the passkey that the browser has made."""
    keep(ctx, tokens.bearer(ctx.world, AccessToken)[0], Credential)
    return {}


def options_for(ctx: Context, party: tokens.Party) -> Json:
    """What a browser is asked. Raises AwsError: WebAuthnNotEnabledException; PasswordResetRequiredException."""
    _check_enabled(party)
    user = party.user
    return passkeys.to_register(
        ctx.world,
        passkey_sign_in.party(ctx.world, party.pool),
        _purpose(party),
        handle=user["sub"],
        name=user["attributes"].get("email") or user["username"],
        known=[own["passkey"] for own in user.get("passkeys", [])],
        verification=passkey_sign_in.verification(party.pool),
    )


def keep(ctx: Context, party: tokens.Party, credential: Mapping[str, object]) -> None:
    """Keep the passkey of a response. Raises AwsError: WebAuthn…."""
    _check_enabled(party)
    world, pool = ctx.world, party.pool
    response = json.dumps(credential)
    _check_client(ctx, party, response)
    site = passkey_sign_in.party(world, pool, response)
    try:
        passkey = passkeys.register(
            world,
            site,
            _purpose(party),
            response,
            known=[own["passkey"] for own in party.user.get("passkeys", [])],
            verification=passkey_sign_in.verification(pool),
        )
    except NotProvenError as why:
        ctx.evidence["refused"] = f"the passkey is refused: {why}"
        if why.fault == "credential" and passkeys.party_differs(response, site):
            raise AwsError(
                "WebAuthnRelyingPartyMismatchException", "The credential is for another relying party."
            ) from None
        code, message = _FAULTS[why.fault]
        raise AwsError(code, message) from None
    attachment = credential.get("authenticatorAttachment")
    with world.unit(lock=True):
        user = find_user(world, pool, party.user["username"])
        if user is None or user["sub"] != party.user["sub"]:
            raise AwsError("NotAuthorizedException", "Access Token has been revoked")
        own = user.get("passkeys", [])
        if len(own) >= MOST:
            raise AwsError("LimitExceededException", f"A user can have {MOST} passkeys.")
        made = OwnPasskey(
            passkey=passkey,
            name=f"Passkey {len(own) + 1}",
            attachment=attachment if attachment in _ATTACHMENTS else "",
            created=world.now(),
        )
        change_user(world, pool, user, passkeys=[*own, made])


@operation("cognito-idp", "ListWebAuthnCredentials")
def list_web_authn_credentials(
    ctx: Context, *, AccessToken: str, NextToken: str | None = None, MaxResults: int | None = None
) -> Result:
    user = tokens.bearer(ctx.world, AccessToken)[0].user
    return page(ctx, "Credentials", [_shown(own) for own in user.get("passkeys", [])], NextToken, MaxResults)


@operation("cognito-idp", "DeleteWebAuthnCredential")
def delete_web_authn_credential(ctx: Context, *, AccessToken: str, CredentialId: str) -> Result:
    party, _ = tokens.bearer(ctx.world, AccessToken)
    own = party.user.get("passkeys", [])
    kept = [known for known in own if known["passkey"]["credential"] != CredentialId]
    if len(kept) == len(own):
        raise not_found("The credential does not exist.")
    change_user(ctx.world, party.pool, party.user, passkeys=kept)
    return {}


def _check_enabled(party: tokens.Party) -> None:
    """Raises AwsError: WebAuthnNotEnabledException; PasswordResetRequiredException."""
    if passkey_sign_in.CHALLENGE not in pools.first_factors(party.pool["settings"]):
        raise AwsError("WebAuthnNotEnabledException", "Passkeys are not enabled for the user pool.")
    progress.check_able(party.user)


def _check_client(ctx: Context, party: tokens.Party, response: str) -> None:
    """A registration ends with the app client that began it; its challenge goes on waiting for that."""
    waiting = single_use.look(ctx.world, passkeys.CHALLENGE, passkeys.challenge_of(response))
    own = _purpose(party)
    user = own.rpartition(":")[0]
    if waiting is not None and waiting["purpose"] != own and waiting["purpose"].rpartition(":")[0] == user:
        raise AwsError("WebAuthnClientMismatchException", "The registration was begun by another app client.")


def _purpose(party: tokens.Party) -> str:
    return f"user-pool:register:{party.pool['id']}/{party.user['sub']}:{party.client['id']}"


def _shown(own: OwnPasskey) -> Result:
    passkey = own["passkey"]
    return {
        "CredentialId": passkey["credential"],
        "FriendlyCredentialName": own["name"],
        "RelyingPartyId": passkey["party"],
        **({"AuthenticatorAttachment": own["attachment"]} if own["attachment"] else {}),
        "AuthenticatorTransports": passkey["transports"],
        "CreatedAt": own["created"],
    }
