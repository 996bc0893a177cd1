"""What a tool waits for until a person says yes or no: devices, which show a code, and browsers, which bring one."""

from __future__ import annotations

import os
import secrets
from collections.abc import Sequence
from typing import Final, TypedDict

from sts_emulator.accounts import single_use
from sts_emulator.accounts.directory import Instance
from sts_emulator.accounts.single_use import Kept
from sts_emulator.core.errors import AwsError
from sts_emulator.core.store import Kind
from sts_emulator.core.world import World
from sts_emulator.methods.identity_center.clients import Client
from sts_emulator.methods.identity_center.portal_sessions import PortalSession
from sts_emulator.methods.identity_center.refusals import refused
from sts_emulator.pages import pkce


class KeptDevice(Kept):
    """A device that waits, or waited; its name is the code that it shows."""

    device_code: str
    client: str
    client_name: str
    scopes: list[str]
    instance: str  # its id
    expires: int
    state: str  # what the person said
    session: str


class Code(Kept):
    """What an authorization code stands for."""

    client: str
    session: str
    redirect: str
    challenge: str


DEVICE: Final[Kind[KeptDevice]] = Kind("device-authorization")
CODE: Final[Kind[Code]] = Kind("portal-authorization-code")

DEVICE_LIFETIME: Final = 600
INTERVAL: Final = 1
"""Seconds (docs/aws/identity-center.md, "OIDC service")."""

_REMEMBERED: Final = 600  # seconds for which a device's code that is over is known as such
_CODE_LIFETIME: Final = 600  # the longest that RFC 6749, 4.1.2 recommends; AWS publishes none
_LETTERS: Final = "BCDFGHJKLMNPQRSTVWXZ"  # RFC 8628, 6.1: no vowels, so no words
_POLLED: Final = "device-polled"
_GUESSED: Final = "device-guessed"
_GUESSES, _GUESSES_WINDOW = 10, 60  # wrong codes of an address in so many seconds (RFC 8628, 5.1)

APPROVED, DENIED = "approved", "denied"


class Shown(TypedDict, total=False):
    """What a tool shows for its tokens, whichever it asks for, with the names of the wire."""

    code: str
    codeVerifier: str
    redirectUri: str
    refreshToken: str
    scope: Sequence[str]


class ShownByTool(Shown, total=False):
    """Likewise, of a tool that knows a secret of its own."""

    deviceCode: str


class ShownByApplication(Shown, total=False):
    """Likewise, of an application that signs with credentials."""

    subjectToken: str
    subjectTokenType: str
    requestedTokenType: str


# -- devices ------------------------------------------------------------------------------------------------------


def start(world: World, client: Client, instance: Instance) -> tuple[str, str]:
    """The device code, which the tool keeps, and the user code, which it shows."""
    letters = "".join(secrets.choice(_LETTERS) for _ in range(8))
    user_code, device_code = f"{letters[:4]}-{letters[4:]}", os.urandom(48).hex()
    now = int(world.now())
    kept: KeptDevice = {
        "name": user_code,
        "until": now + DEVICE_LIFETIME + _REMEMBERED,
        "device_code": device_code,
        "client": client.key,
        "client_name": client.name,
        "scopes": list(client.scopes),
        "instance": instance["id"],
        "expires": now + DEVICE_LIFETIME,
        "state": "",
        "session": "",
    }
    single_use.keep(world, DEVICE, kept)
    return f"{user_code}.{device_code}", user_code


def waiting(world: World, user_code: str) -> KeptDevice | None:
    """The device that shows this code and still waits; letters of any case, with or without the dash."""
    kept = single_use.look(world, DEVICE, _normal(user_code))
    return None if kept is None or kept["state"] or kept["expires"] <= world.now() else kept


def guess(world: World, user_code: str, address: str) -> KeptDevice:
    """The device of a code that a person typed.

    Raises:
        AwsError: Refused 400, or 429 to an address from which too many wrong ones came.
    """
    window = int(world.now() // _GUESSES_WINDOW)
    counted = world.touched(_GUESSED, address)
    wrong = counted[1] if counted and counted[0] == window else 0
    if wrong >= _GUESSES:
        raise AwsError("Refused", "Too many wrong codes. Wait a minute, and try again.", status=429)
    device = waiting(world, user_code)
    if device is None:
        world.touch(_GUESSED, address, (window, wrong + 1))
        raise AwsError("Refused", "That code is not valid, or no longer. Start again where you got it.")
    return device


def answer(world: World, device: KeptDevice, session: PortalSession | None) -> None:
    """The person says yes, with their session, or no."""
    members = {"state": APPROVED, "session": session.id} if session else {"state": DENIED}
    single_use.change(world, DEVICE, device["name"], **members)


def redeem_device(world: World, client: Client, device_code: str) -> str:
    """The id of the session with which the person said yes. Raises AwsError."""
    user_code, _, secret = device_code.partition(".")
    kept = single_use.look(world, DEVICE, user_code[:20])
    if kept is None or not secrets.compare_digest(kept["device_code"].encode(), secret.encode("utf-8", "replace")):
        raise refused("InvalidGrantException", "Invalid device code provided")
    if kept["client"] != client.key:
        raise refused("InvalidGrantException", "The device code was issued to another client")
    if kept["expires"] <= world.now():
        raise refused("ExpiredTokenException", "The device code has expired")
    if kept["state"] == DENIED:
        raise refused("AccessDeniedException", "The request was denied")
    if not kept["state"]:
        raise _pending(world, kept["name"])
    if single_use.take(world, DEVICE, kept["name"]) is None:
        raise refused("InvalidGrantException", "Invalid device code provided")
    return kept["session"]


def _pending(world: World, user_code: str) -> AwsError:
    now = world.now()
    before = world.touched(_POLLED, user_code)
    world.touch(_POLLED, user_code, now)
    if before is not None and now - before < INTERVAL * 0.9:  # a clock that ticks a little faster is no hurry
        return refused("SlowDownException", "The client is polling too quickly")
    return refused("AuthorizationPendingException", "Authorization is still pending")


def _normal(user_code: str) -> str:
    letters = "".join(letter for letter in user_code[:40].upper() if letter.isalnum())
    return f"{letters[:4]}-{letters[4:]}"


# -- codes that a browser brings ----------------------------------------------------------------------------------


def issue_code(world: World, client: Client, session: PortalSession, redirect: str, challenge: str) -> str:
    """The code for which a tool gets tokens, if it knows what the challenge was made of."""
    kept: Code = {
        "name": os.urandom(32).hex(),
        "until": int(world.now()) + _CODE_LIFETIME,
        "client": client.key,
        "session": session.id,
        "redirect": redirect,
        "challenge": challenge,
    }
    single_use.keep(world, CODE, kept)
    return kept["name"]


def redeem_code(world: World, client: Client, shown: Shown) -> str:
    """The id of the session with which the person said yes. Only who knows all of it uses the code up."""
    code, redirect, verifier = shown.get("code", ""), shown.get("redirectUri", ""), shown.get("codeVerifier", "")
    if not (code and redirect and verifier):
        message = "Authorization code, redirect uri and code verifier are required for this grant type"
        raise refused("InvalidRequestException", message)
    kept = single_use.take(world, CODE, code[:200])
    if kept is None:
        raise refused("InvalidGrantException", "Invalid authorization code provided")
    if kept["client"] != client.key:
        raise refused("InvalidGrantException", "The authorization code was issued to another client")
    if kept["redirect"] != redirect:
        raise refused("InvalidGrantException", "The redirect uri is not that of the authorization request")
    if not pkce.is_verifier(kept["challenge"], verifier):
        raise refused("InvalidGrantException", "Invalid code verifier provided")
    return kept["session"]
