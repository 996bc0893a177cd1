"""Sign-in to a user pool: flows, challenges and their answers (docs/aws/cognito.md, "Sign-in to user pools")."""

from __future__ import annotations

import asyncio
import base64
import binascii
import hmac
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

from sts_emulator.core.errors import AwsError
from sts_emulator.core.world import World
from sts_emulator.idp.user_pools import (
    attempts,
    attributes,
    challenges,
    clients,
    device_proof,
    devices,
    mfa,
    passwords,
    refreshing,
    srp,
    tokens,
)
from sts_emulator.idp.user_pools.kinds import (
    WRONG_PASSWORD,
    Client,
    Pool,
    PoolUser,
    change_user,
    client_of,
    find_user,
    invalid,
    not_authorized,
    pool_of,
    reach,
    unsupported,
)
from sts_emulator.vending.context import Context
from sts_emulator.wire.dispatch import operation

Strings = Mapping[str, str]

VERIFIER: Final = "PASSWORD_VERIFIER"
NEW_PASSWORD: Final = "NEW_PASSWORD_REQUIRED"  # noqa: S105 - the name of a challenge
_REFRESHING = ("REFRESH_TOKEN_AUTH", "REFRESH_TOKEN")
_ADMIN = ("ADMIN_USER_PASSWORD_AUTH", "ADMIN_NO_SRP_AUTH")
_RESET_REQUIRED = "Password reset required for the user"
_TIMESTAMP = re.compile(r"[A-Z][a-z]{2} [A-Z][a-z]{2} [1-9][0-9]? [0-9]{2}:[0-9]{2}:[0-9]{2} UTC [0-9]{4}")
_USER_ATTRIBUTE = "userAttributes."


@dataclass(frozen=True, slots=True)
class Attempt:
    """One sign-in, as far as it has come.

    `on_page`: on a page of managed login, where no client proves itself by a hash, and tokens come later, for a code.
    """

    world: World
    pool: Pool
    client: Client
    on_page: bool = False
    address: str = ""
    device: str = ""  # the key of one that this request names

    def party(self, user: PoolUser) -> tokens.Party:
        return tokens.Party(self.pool, self.client, user)


@operation("cognito-idp", "InitiateAuth")
async def initiate_auth(
    ctx: Context, *, AuthFlow: str, ClientId: str, AuthParameters: Strings | None = None, **_: Any
) -> Mapping[str, Any]:
    """Begin to sign in, by the user's own app."""
    client = client_of(ctx.world, ClientId)
    attempt = Attempt(ctx.world, pool_of(ctx.world, client), client, address=ctx.source_ip)
    if AuthFlow in _ADMIN:
        raise invalid("Initiate Auth method not supported.")
    return await begin_flow(attempt, AuthFlow, AuthParameters or {})


@operation("cognito-idp", "AdminInitiateAuth")
async def admin_initiate_auth(
    ctx: Context, *, UserPoolId: str, ClientId: str, AuthFlow: str, AuthParameters: Strings | None = None, **_: Any
) -> Mapping[str, Any]:
    """Begin to sign in, by a server that has AWS credentials."""
    pool = reach(ctx, UserPoolId)
    attempt = Attempt(ctx.world, pool, client_of(ctx.world, ClientId, UserPoolId), address=ctx.source_ip)
    if AuthFlow == "USER_PASSWORD_AUTH":
        raise invalid("Initiate Auth method not supported.")
    return await begin_flow(attempt, AuthFlow, AuthParameters or {})


@operation("cognito-idp", "RespondToAuthChallenge")
async def respond_to_auth_challenge(
    ctx: Context,
    *,
    ClientId: str,
    ChallengeName: str,
    Session: str | None = None,
    ChallengeResponses: Strings | None = None,
    **_: Any,
) -> Mapping[str, Any]:
    """Answer a challenge."""
    client = client_of(ctx.world, ClientId)
    attempt = Attempt(ctx.world, pool_of(ctx.world, client), client, address=ctx.source_ip)
    return await answer_challenge(attempt, ChallengeName, Session, ChallengeResponses or {})


@operation("cognito-idp", "AdminRespondToAuthChallenge")
async def admin_respond_to_auth_challenge(
    ctx: Context,
    *,
    UserPoolId: str,
    ClientId: str,
    ChallengeName: str,
    Session: str | None = None,
    ChallengeResponses: Strings | None = None,
    **_: Any,
) -> Mapping[str, Any]:
    """The same by a server that has AWS credentials."""
    pool = reach(ctx, UserPoolId)
    attempt = Attempt(ctx.world, pool, client_of(ctx.world, ClientId, UserPoolId), address=ctx.source_ip)
    return await answer_challenge(attempt, ChallengeName, Session, ChallengeResponses or {})


# -- the flows -------------------------------------------------------------------------------------------------------


async def begin_flow(attempt: Attempt, flow: str, given: Strings) -> Mapping[str, Any]:
    """What a flow answers: tokens, or a challenge. On a page, the `UserSub` of who has proven themselves."""
    attempt = _on_device(attempt, given)
    if flow in _REFRESHING:
        return await refreshing.by_flow(attempt.world, attempt.pool, attempt.client, given)
    begin = {
        "USER_SRP_AUTH": _begin_srp,
        "USER_PASSWORD_AUTH": _by_password,
        **dict.fromkeys(_ADMIN, _by_password),
    }.get(flow)
    if begin is None:
        raise unsupported(f"the flow {flow}")
    allowed = "ALLOW_ADMIN_USER_PASSWORD_AUTH" if flow in _ADMIN else f"ALLOW_{flow}"
    username = _demanded(given, "USERNAME")
    if not attempt.on_page:
        if not clients.allows(attempt.client, allowed):
            raise invalid(f"{flow} flow not enabled for this client")
        clients.check_secret_hash(attempt.client, username, given.get("SECRET_HASH"))
    user = find_user(attempt.world, attempt.pool, username)
    if user is None and not clients.hides_users(attempt.client):
        raise AwsError("UserNotFoundException", "User does not exist.")
    return await begin(attempt, user, username, given)


async def _by_password(attempt: Attempt, user: PoolUser | None, username: str, given: Strings) -> Mapping[str, Any]:
    world, pool, password = attempt.world, attempt.pool, _demanded(given, "PASSWORD")
    name = user["username"] if user else username
    attempts.check(world, pool, name)
    _check_confirmed(user)
    known = user or passwords.nobody(world, pool, username)
    is_right = await asyncio.to_thread(passwords.is_password, pool, known, password[:512])
    world.refresh()
    user = find_user(world, pool, name) if user else None
    if user is None or not is_right or user["verifier"] != known["verifier"]:
        attempts.failed(world, pool, name)
        raise not_authorized()
    return await _proven(attempt, user)


async def _begin_srp(attempt: Attempt, user: PoolUser | None, username: str, given: Strings) -> Mapping[str, Any]:
    public = srp.public_value(_demanded(given, "SRP_A"))
    if public is None:
        raise invalid("Invalid SRP_A")
    name = user["username"] if user else username
    attempts.check(attempt.world, attempt.pool, name)
    _check_confirmed(user)
    known = user or passwords.nobody(attempt.world, attempt.pool, username)
    verifier = known["verifier"] or passwords.nobody(attempt.world, attempt.pool, username)["verifier"]
    b_secret, b_public = await asyncio.to_thread(srp.offer, verifier)
    data = {"a": f"{public:x}", "b": b_secret, "B": b_public, "verifier": verifier}
    waiting = challenges.ask(attempt.world, attempt.client, VERIFIER, name, data, left=1)
    return {
        "ChallengeName": VERIFIER,
        "ChallengeParameters": {
            "SALT": known["salt"] or passwords.nobody(attempt.world, attempt.pool, username)["salt"],
            "SRP_B": b_public,
            "SECRET_BLOCK": challenges.session_of(waiting),
            "USER_ID_FOR_SRP": name,
            "USERNAME": name,
        },
    }


# -- the answers -----------------------------------------------------------------------------------------------------


async def answer_challenge(attempt: Attempt, name: str, session: str | None, given: Strings) -> Mapping[str, Any]:
    """What comes after the answer to a challenge, as of `begin_flow`."""
    attempt = _on_device(attempt, given)
    answer = {
        NEW_PASSWORD: _answer_new_password,
        mfa.SOFTWARE_TOKEN: _answer_software_token,
        mfa.SETUP: _answer_setup,
        device_proof.SRP: _answer_device,
    }.get(name)
    if answer is None and name not in (VERIFIER, device_proof.VERIFIER):
        raise unsupported(f"the challenge {name}")
    username = _demanded(given, "USERNAME")
    if not attempt.on_page:
        clients.check_secret_hash(attempt.client, username, given.get("SECRET_HASH"))
    if answer is None:
        return await (_answer_srp if name == VERIFIER else _answer_device_proof)(attempt, given)
    if not session and name == device_proof.SRP:
        session = device_proof.session_of(attempt.world, attempt.pool, given)
    if not session:
        raise invalid("Missing required parameter Session")
    challenge = challenges.take(attempt.world, session, attempt.client, name)
    user = find_user(attempt.world, attempt.pool, challenge["username"])
    named = find_user(attempt.world, attempt.pool, username)
    if user is None or named is None or named["sub"] != user["sub"]:
        raise not_authorized(challenges.OVER)
    _check_able(user)
    try:
        return await answer(attempt, challenge, user, given)
    except AwsError as refusal:
        if refusal.code in ("CodeMismatchException", "InvalidPasswordException", "InvalidParameterException"):
            challenges.give_back(attempt.world, challenge)
        raise


async def _answer_srp(attempt: Attempt, given: Strings) -> Mapping[str, Any]:
    world, pool = attempt.world, attempt.pool
    block, timestamp = _demanded(given, "PASSWORD_CLAIM_SECRET_BLOCK"), _demanded(given, "TIMESTAMP")
    claimed = _demanded(given, "PASSWORD_CLAIM_SIGNATURE")
    try:
        challenge = challenges.take(world, block, attempt.client, VERIFIER)
    except AwsError:
        raise not_authorized() from None
    name = challenge["username"]
    attempts.check(world, pool, name)
    right = await asyncio.to_thread(_signature, pool, challenge, base64.b64decode(block), timestamp)
    world.refresh()
    user = find_user(world, pool, name)
    is_right = right is not None and hmac.compare_digest(right, _decoded(claimed))
    is_same = user is not None and user["verifier"] == challenge["data"]["verifier"] and given["USERNAME"] == name
    if user is None or not (is_right and is_same and _is_timestamp(timestamp)):
        attempts.failed(world, pool, name)
        raise not_authorized()
    _check_device(attempt, challenge, user)
    return await _proven(attempt, user)


def _check_device(attempt: Attempt, challenge: challenges.Challenge, user: PoolUser) -> None:
    """Apps that named a device which is not there answer the same challenge once more, without it."""
    try:
        devices.to_challenge(attempt.world, attempt.pool, user, attempt.device)
    except AwsError:
        if "again" not in challenge["data"]:
            again: challenges.Challenge = {**challenge, "data": {**challenge["data"], "again": True}}
            attempt.world.add(challenges.CHALLENGE, challenge["key"], again)
        raise


def _signature(pool: Pool, challenge: challenges.Challenge, block: bytes, timestamp: str) -> bytes | None:
    data = challenge["data"]
    key = srp.session_key(data["verifier"], int(data["a"], 16), data["b"], data["B"])
    if key is None:
        return None
    return srp.signature(key, passwords.short_name(pool), challenge["username"], block, timestamp)


async def _answer_new_password(
    attempt: Attempt, _challenge: challenges.Challenge, user: PoolUser, given: Strings
) -> Mapping[str, Any]:
    world, pool, password = attempt.world, attempt.pool, _demanded(given, "NEW_PASSWORD")
    if len(password) > 256:  # noqa: PLR2004 - as the model has it for passwords
        raise AwsError("InvalidPasswordException", "Password did not conform with policy: Password too long")
    passwords.check(pool, password)
    pairs = [
        {"Name": name.removeprefix(_USER_ATTRIBUTE), "Value": value}
        for name, value in given.items()
        if name.startswith(_USER_ATTRIBUTE)
    ]
    changes = attributes.checked(pool, pairs)
    attributes.check_writable(attempt.client, changes)
    wanted = {**user["attributes"], **changes, **attributes.unverified_by(changes, user["attributes"])}
    attributes.check_required(pool, wanted)
    kept = await asyncio.to_thread(passwords.stored, pool, user["username"], password)
    with world.unit(lock=True):
        user = _again(attempt, user)
        user = change_user(world, pool, user, **kept, status="CONFIRMED", attributes=wanted)
    return await _proven(attempt, user)


async def _answer_software_token(
    attempt: Attempt, _challenge: challenges.Challenge, user: PoolUser, given: Strings
) -> Mapping[str, Any]:
    code = _demanded(given, "SOFTWARE_TOKEN_MFA_CODE")
    attempts.check(attempt.world, attempt.pool, user["username"])
    try:
        with attempt.world.unit(lock=True):
            user = mfa.use_code(attempt.world, attempt.pool, _again(attempt, user), code[:16])
    except AwsError:
        attempts.failed(attempt.world, attempt.pool, user["username"])
        raise
    return await _proven(attempt, user, has_second_factor=True)


async def _answer_setup(
    attempt: Attempt, challenge: challenges.Challenge, user: PoolUser, _given: Strings
) -> Mapping[str, Any]:
    with attempt.world.unit(lock=True):
        user = mfa.pair(attempt.world, attempt.pool, _again(attempt, user), challenge["data"])
    return await _proven(attempt, user, has_second_factor=True)


async def _answer_device(
    attempt: Attempt, _challenge: challenges.Challenge, user: PoolUser, given: Strings
) -> Mapping[str, Any]:
    return await device_proof.offer(attempt.world, attempt.pool, attempt.client, user, given)


async def _answer_device_proof(attempt: Attempt, given: Strings) -> Mapping[str, Any]:
    is_right = _is_timestamp(_demanded(given, "TIMESTAMP"))
    user, device = await device_proof.proven(attempt.world, attempt.pool, attempt.client, given, is_right)
    _check_able(user)
    return await _signed_in(replace(attempt, device=device), user)


# -- what comes next -------------------------------------------------------------------------------------------------


async def _proven(attempt: Attempt, user: PoolUser, *, has_second_factor: bool = False) -> Mapping[str, Any]:
    """The next challenge of a user who has proven their password, or their tokens."""
    world, pool = attempt.world, attempt.pool
    _check_able(user)
    if user["status"] == "FORCE_CHANGE_PASSWORD":
        if user.get("temporary_until", world.now() + 1) <= world.now():
            raise not_authorized("Temporary password has expired and must be reset by an administrator.")
        return _ask(attempt, user, NEW_PASSWORD, _of_new_password(pool, user))
    device = devices.to_challenge(world, pool, user, attempt.device)
    is_enough = has_second_factor or (device is not None and devices.stands_in_for_codes(pool))
    factor = "" if is_enough else mfa.wanted_of(pool, user)
    if factor == mfa.SETUP:
        return _ask(attempt, user, factor, {"MFAS_CAN_SETUP": json.dumps([mfa.SOFTWARE_TOKEN])})
    if factor:
        return _ask(attempt, user, factor, {})
    if device is not None:
        asked = _ask(attempt, user, device_proof.SRP, {})
        devices.ask(world, pool, user, device["key"], asked["Session"])
        return asked
    return await _signed_in(attempt, user)


async def _signed_in(attempt: Attempt, user: PoolUser) -> Mapping[str, Any]:
    """Tokens, and the keys of a new device where the pool tracks them."""
    world, pool = attempt.world, attempt.pool
    attempts.succeeded(world, pool, user["username"])
    if attempt.on_page:
        return {"UserSub": user["sub"]}
    held: tokens.Held | None = None
    told: Mapping[str, Any] = {}
    if devices.tracks(pool):
        with world.unit(lock=True):
            held, told = devices.for_sign_in(world, pool, user, attempt.device, attempt.address)
    result = await tokens.sign_in(world, attempt.party(user), device=held)
    return {"ChallengeParameters": {}, "AuthenticationResult": {**result, **told}}


def _ask(attempt: Attempt, user: PoolUser, name: str, parameters: Strings) -> Mapping[str, Any]:
    waiting = challenges.ask(attempt.world, attempt.client, name, user["username"], {})
    return {
        "ChallengeName": name,
        "Session": challenges.session_of(waiting),
        "ChallengeParameters": {"USER_ID_FOR_SRP": user["username"], **parameters},
    }


def _on_device(attempt: Attempt, given: Strings) -> Attempt:
    """Each request names its device anew; pages have none."""
    return attempt if attempt.on_page else replace(attempt, device=given.get("DEVICE_KEY", ""))


def _of_new_password(pool: Pool, user: PoolUser) -> dict[str, str]:
    missing = [
        f"{_USER_ATTRIBUTE}{attribute['Name']}"
        for attribute in pool["schema"]
        if attribute.get("Required") and attribute["Name"] != "sub" and not user["attributes"].get(attribute["Name"])
    ]
    told = {name: value for name, value in user["attributes"].items() if name != "sub"}
    return {"requiredAttributes": json.dumps(missing), "userAttributes": json.dumps(told)}


def _check_confirmed(user: PoolUser | None) -> None:
    """Before the password, as AWS does by design (docs/aws/cognito.md, "Sign-in to user pools")."""
    if user is not None and user["status"] == "UNCONFIRMED":
        raise AwsError("UserNotConfirmedException", "User is not confirmed.")


def _check_able(user: PoolUser) -> None:
    if not user["enabled"]:
        raise not_authorized("User is disabled.")
    if user["status"] == "RESET_REQUIRED":
        raise AwsError("PasswordResetRequiredException", _RESET_REQUIRED)


def _again(attempt: Attempt, user: PoolUser) -> PoolUser:
    """The user as they are now, with the lock held: others may have changed or deleted them meanwhile."""
    current = find_user(attempt.world, attempt.pool, user["username"])
    if current is None or current["sub"] != user["sub"]:
        raise not_authorized(WRONG_PASSWORD)
    return current


def _demanded(given: Strings, name: str) -> str:
    value = given.get(name, "")
    if not value:
        raise invalid(f"Missing required parameter {name}")
    return value


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (ValueError, binascii.Error):
        return b""


def _is_timestamp(text: str) -> bool:
    """Whether a date is as AWS takes it: English, with its own weekday, the day without a zero in front."""
    if not _TIMESTAMP.fullmatch(text):
        return False
    try:
        moment = datetime.strptime(text.replace("UTC ", ""), "%a %b %d %H:%M:%S %Y")  # noqa: DTZ007 - it is in UTC
    except ValueError:
        return False
    return moment.strftime("%a") == text[:3]
