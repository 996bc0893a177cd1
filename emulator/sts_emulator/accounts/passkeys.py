"""Passkeys (WebAuthn Level 3): what a browser is asked for, and whether its authenticator's answer proves anything.

Whoever signs people in keeps their passkeys, and asks here: the sign-in pages, and whatever else comes to have any. The
arithmetic is py_webauthn's. What it leaves to its callers is here: challenges that are good once, for one purpose, one
party and world; closed sets of algorithms and attestations; and what a passkey once showed and must show ever after.
"""

from __future__ import annotations

import base64
import hashlib
import os
from collections.abc import Iterable
from typing import Any, Final, Literal

from sts_emulator.accounts import single_use
from sts_emulator.accounts.documents import Passkey
from sts_emulator.accounts.single_use import Kept
from sts_emulator.core.store import Kind
from sts_emulator.core.world import World
from sts_emulator.policy.json_types import JsonObject, object_in
from sts_emulator.policy.light_dataclass import dataclass


class Challenge(Kept):
    """Whom a challenge is for: a party (its id), and what for."""

    party: str
    purpose: str


CHALLENGE: Final[Kind[Challenge]] = Kind("passkey-challenge")
LIFETIME: Final = 300
"""Seconds that a challenge waits: as long as the browser is told to."""

Verification = Literal["required", "preferred"]
"""Whether the authenticator must know its person again (a PIN, a finger), or only that somebody touched it."""

_LONGEST: Final = 32_768  # characters of a response: a key of 4,096 bits takes two thousand
_LONGEST_ID: Final = 1_023  # bytes (WebAuthn, "Credential ID")
_ES256, _RS256 = -7, -257
_RSA_BYTES: Final = range(256, 513)  # of a modulus: 2,048 to 4,096 bits
_RSA_EXPONENT: Final = 4  # bytes of it at most
_ATTESTATIONS: Final = ("none", "packed")  # "none" is asked for; `packed` is what may stay of a self-attestation


@dataclass(frozen=True, slots=True)
class Party:
    """Who asks: the relying party. `id` is a host's name; only pages of `origins` may speak for it."""

    id: str
    name: str
    origins: tuple[str, ...]


class NotProvenError(Exception):
    """The answer proves nothing. `fault` is what fails: the challenge, the page's origin, or the credential."""

    def __init__(self, fault: Literal["challenge", "origin", "credential"], why: str) -> None:
        super().__init__(why)
        self.fault = fault


# -- what the browser is asked ------------------------------------------------------------------------------------


def to_register(
    world: World,
    party: Party,
    purpose: str,
    *,
    handle: str,
    name: str,
    known: Iterable[Passkey] = (),
    verification: Verification = "preferred",
) -> JsonObject:
    """PublicKeyCredentialCreationOptionsJSON. `handle` names the holder to the authenticator, `name` to the person."""
    return {
        "rp": {"id": party.id, "name": party.name},
        "user": {"id": _text(handle.encode()[:64]), "name": name, "displayName": name},
        "challenge": _challenge(world, party, purpose),
        "pubKeyCredParams": [{"type": "public-key", "alg": algorithm} for algorithm in (_ES256, _RS256)],
        "timeout": LIFETIME * 1_000,
        "excludeCredentials": [_descriptor(passkey) for passkey in known if passkey["party"] == party.id],
        "authenticatorSelection": {"residentKey": "preferred", "userVerification": verification},
        "attestation": "none",
    }


def to_prove(
    world: World, party: Party, purpose: str, known: Iterable[Passkey], *, verification: Verification = "preferred"
) -> JsonObject:
    """PublicKeyCredentialRequestOptionsJSON, for one of the holder's passkeys."""
    return {
        "challenge": _challenge(world, party, purpose),
        "timeout": LIFETIME * 1_000,
        "rpId": party.id,
        "allowCredentials": [_descriptor(passkey) for passkey in known if passkey["party"] == party.id],
        "userVerification": verification,
    }


# -- what its answer proves ---------------------------------------------------------------------------------------


def register(
    world: World,
    party: Party,
    purpose: str,
    response: str,
    *,
    known: Iterable[Passkey] = (),
    verification: Verification = "preferred",
) -> Passkey:
    """The passkey of a RegistrationResponseJSON. Raises NotProvenError; the challenge is used up either way."""
    import webauthn
    from webauthn.helpers import parse_attestation_object

    members, challenge = _answer(world, party, purpose, response, "webauthn.create")
    try:
        attested = parse_attestation_object(_bytes(members["response"]["attestationObject"]))
        made = webauthn.verify_registration_response(
            credential=members,
            expected_challenge=challenge,
            expected_rp_id=party.id,
            expected_origin=list(party.origins),
            require_user_verification=verification == "required",
        )
        is_fit = attested.fmt in _ATTESTATIONS and len(made.credential_id) <= _LONGEST_ID
        is_fit = is_fit and _is_fit(made.credential_public_key)
    except Exception as why:  # noqa: BLE001 - whatever a library trips over in a stranger's bytes is no proof
        raise NotProvenError("credential", f"the registration is not valid: {why}") from None
    if not is_fit:
        raise NotProvenError("credential", "its key, id or attestation is none of those that were asked for")
    identifier = _text(made.credential_id)
    if any(passkey["credential"] == identifier for passkey in known):
        raise NotProvenError("credential", "the passkey is registered already")
    flags = attested.auth_data.flags
    return {
        "credential": identifier,
        "public_key": _text(made.credential_public_key),
        "count": made.sign_count,
        "party": party.id,
        "verified": flags.uv,
        "synced": flags.be,
        "transports": _transports(members["response"].get("transports")),
    }


def prove(
    world: World,
    party: Party,
    purpose: str,
    response: str,
    known: Iterable[Passkey],
    *,
    verification: Verification = "preferred",
) -> Passkey:
    """Which of the holder's passkeys an AuthenticationResponseJSON is of, with its new count, which is to be kept.

    Raises:
        NotProvenError: it is of none; the challenge is used up either way.
    """
    import webauthn
    from webauthn.helpers import parse_authenticator_data

    members, challenge = _answer(world, party, purpose, response, "webauthn.get")
    named = [passkey for passkey in known if passkey["credential"] == members["id"] and passkey["party"] == party.id]
    if not named:
        raise NotProvenError("credential", "it is of a passkey that is not registered here")
    passkey = named[0]
    try:
        proven = webauthn.verify_authentication_response(
            credential=members,
            expected_challenge=challenge,
            expected_rp_id=party.id,
            expected_origin=list(party.origins),
            credential_public_key=_bytes(passkey["public_key"]),
            credential_current_sign_count=passkey["count"],
            # Who was known again when the passkey was made is so ever after: else a stolen key would do.
            require_user_verification=verification == "required" or passkey["verified"],
        )
        flags = parse_authenticator_data(_bytes(members["response"]["authenticatorData"])).flags
    except Exception as why:  # noqa: BLE001 - as above
        raise NotProvenError("credential", f"the assertion is not valid: {why}") from None
    if flags.be != passkey["synced"]:  # WebAuthn, "Verifying an Authentication Assertion": it never changes
        raise NotProvenError("credential", "it says another thing about its copies than when it was made")
    return {**passkey, "count": proven.new_sign_count}


def follows(kept: Passkey, proven: Passkey) -> bool:
    """Whether `proven` is still the next state of what is kept: nobody used the passkey, or took it away, meanwhile."""
    newer = proven["count"] > kept["count"] or proven["count"] == kept["count"] == 0
    return proven["credential"] == kept["credential"] and newer


# -- what a response says of itself, before anything of it is proven --------------------------------------------------


def origin_of(response: str) -> str:
    """The page that made it, or nothing."""
    return _said(response, "origin")


def challenge_of(response: str) -> str:
    """What it answers, or nothing."""
    return _said(response, "challenge")


def party_differs(response: str, party: Party) -> bool:
    """Whether a registration is for another party."""
    from webauthn.helpers import parse_attestation_object

    try:
        attested = parse_attestation_object(_bytes(_object(response)["response"]["attestationObject"]))
        return bool(attested.auth_data.rp_id_hash != hashlib.sha256(party.id.encode()).digest())
    except Exception:  # noqa: BLE001 - whatever a library trips over in a stranger's bytes
        return False


def _said(response: str, member: str) -> str:
    inner = _object(response).get("response") if len(response) <= _LONGEST else None
    said = _object(_bytes(inner.get("clientDataJSON"))).get(member) if isinstance(inner, dict) else None
    return said if isinstance(said, str) else ""


# -- parts --------------------------------------------------------------------------------------------------------


def _challenge(world: World, party: Party, purpose: str) -> str:
    challenge = _text(os.urandom(32))
    until = int(world.now()) + LIFETIME
    single_use.keep(world, CHALLENGE, Challenge(name=challenge, until=until, party=party.id, purpose=purpose))
    return challenge


def _answer(world: World, party: Party, purpose: str, response: str, kind: str) -> tuple[dict[str, Any], bytes]:
    """The response's members and its challenge, once page and challenge are the right ones; the latter is used up."""
    members = _object(response) if len(response) <= _LONGEST else {}
    inner = members.get("response")
    if not isinstance(inner, dict) or not isinstance(members.get("id"), str):
        raise NotProvenError("credential", "it is no response of an authenticator")
    client = _object(_bytes(inner.get("clientDataJSON")))
    challenge = client.get("challenge")
    kept = single_use.take(world, CHALLENGE, challenge) if isinstance(challenge, str) else None
    if kept is None or kept["party"] != party.id or kept["purpose"] != purpose or client.get("type") != kind:
        raise NotProvenError("challenge", "its challenge is not one that waits here, or no longer")
    if client.get("origin") not in party.origins or client.get("crossOrigin") not in (None, False):
        raise NotProvenError("origin", f"it was made on a page of another site than {party.origins[0]}")
    return members, _bytes(challenge)


def _is_fit(encoded: bytes) -> bool:
    """Whether it is a key of P-256, or of RSA with 2,048 to 4,096 bits, for its own algorithm."""
    from webauthn.helpers import decode_credential_public_key
    from webauthn.helpers.cose import COSECRV
    from webauthn.helpers.decode_credential_public_key import DecodedEC2PublicKey, DecodedRSAPublicKey

    key = decode_credential_public_key(encoded)
    if isinstance(key, DecodedEC2PublicKey):
        return bool(key.alg == _ES256 and key.crv == COSECRV.P256)
    if not isinstance(key, DecodedRSAPublicKey) or key.alg != _RS256:
        return False
    return len(key.n.lstrip(b"\0")) in _RSA_BYTES and len(key.e) <= _RSA_EXPONENT


def _descriptor(passkey: Passkey) -> JsonObject:
    return {"type": "public-key", "id": passkey["credential"], "transports": passkey["transports"]}


def _transports(told: object) -> list[str]:
    """What the browser tells of how the authenticator is reached: a hint, and only the names that there are."""
    known = ("ble", "hybrid", "internal", "nfc", "smart-card", "usb")
    return [name for name in known if isinstance(told, list) and name in told]


def _object(text: str | bytes) -> dict[str, Any]:
    return object_in(text) or {}


def _bytes(text: Any) -> bytes:
    try:
        return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except (TypeError, ValueError):
        return b""


def _text(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()
