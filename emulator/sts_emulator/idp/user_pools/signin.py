"""Sign-in to a user pool: flows, challenges and their answers (docs/aws/cognito.md, "Sign-in to user pools")."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import Any, Final

from sts_emulator.core.errors import AwsError
from sts_emulator.idp.user_pools import (
    attempts,
    attributes,
    challenges,
    choices,
    clients,
    custom_challenges,
    device_proof,
    mfa,
    migration,
    passkey_sign_in,
    password_sign_in,
    passwords,
    progress,
    refreshing,
    srp_sign_in,
    tokens,
)
from sts_emulator.idp.user_pools.kinds import (
    PoolUser,
    change_user,
    client_of,
    find_user,
    invalid,
    not_authorized,
    pending_without,
    pool_of,
    reach_client,
    unsupported,
)
from sts_emulator.idp.user_pools.progress import NEW_PASSWORD, USER_ATTRIBUTE, Attempt, Strings, demanded
from sts_emulator.idp.user_pools.triggers import firing
from sts_emulator.vending.context import Context
from sts_emulator.wire.dispatch import Result, operation

Begin = Callable[[Attempt, PoolUser | None, str, Strings], Awaitable[Mapping[str, Any]]]
Answer = Callable[[Attempt, challenges.Challenge, PoolUser, Strings], Awaitable[Mapping[str, Any]]]

_REFRESHING: Final = ("REFRESH_TOKEN_AUTH", "REFRESH_TOKEN")
_ADMIN: Final = ("ADMIN_USER_PASSWORD_AUTH", "ADMIN_NO_SRP_AUTH")
_BY_PASSWORD: Final = ("USER_PASSWORD_AUTH", *_ADMIN)
_SLIPS: Final = frozenset(("CodeMismatchException", "InvalidPasswordException", "InvalidParameterException"))
"""Refusals after which a challenge may be answered again."""


@operation("cognito-idp", "InitiateAuth")
async def initiate_auth(
    ctx: Context,
    *,
    AuthFlow: str,
    ClientId: str,
    AuthParameters: Strings | None = None,
    ClientMetadata: Strings | None = None,
    Session: str = "",
    **_: object,
) -> Result:
    """Begin to sign in, by the user's own app."""
    client = client_of(ctx.world, ClientId)
    attempt = Attempt(ctx, pool_of(ctx.world, client), client, validation=ClientMetadata, session=Session)
    if AuthFlow in _ADMIN:
        raise invalid("Initiate Auth method not supported.")
    return await begin_flow(attempt, AuthFlow, AuthParameters or {})


@operation("cognito-idp", "AdminInitiateAuth")
async def admin_initiate_auth(
    ctx: Context,
    *,
    UserPoolId: str,
    ClientId: str,
    AuthFlow: str,
    AuthParameters: Strings | None = None,
    ClientMetadata: Strings | None = None,
    Session: str = "",
    **_: object,
) -> Result:
    """Begin to sign in, by a server that has AWS credentials."""
    pool, client = reach_client(ctx, UserPoolId, ClientId)
    attempt = Attempt(ctx, pool, client, validation=ClientMetadata, session=Session)
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
    ClientMetadata: Strings | None = None,
    **_: object,
) -> Result:
    client = client_of(ctx.world, ClientId)
    attempt = Attempt(ctx, pool_of(ctx.world, client), client, metadata=ClientMetadata)
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
    ClientMetadata: Strings | None = None,
    **_: object,
) -> Result:
    """The same by a server that has AWS credentials."""
    attempt = Attempt(ctx, *reach_client(ctx, UserPoolId, ClientId), metadata=ClientMetadata)
    return await answer_challenge(attempt, ChallengeName, Session, ChallengeResponses or {})


# -- the flows -------------------------------------------------------------------------------------------------------


async def begin_flow(attempt: Attempt, flow: str, given: Strings) -> Result:
    """What a flow answers: tokens, or a challenge. On a page, the `UserSub` of who has proven themselves."""
    attempt = _on_device(attempt, given)
    if attempt.session and flow != "USER_AUTH":
        raise invalid("Session is for USER_AUTH only.")
    if flow in _REFRESHING:
        return await refreshing.by_flow(attempt.ctx, attempt.pool, attempt.client, given)
    begin = _FLOWS.get(flow)
    if begin is None:
        raise unsupported(f"the flow {flow}")
    allowed = "ALLOW_ADMIN_USER_PASSWORD_AUTH" if flow in _ADMIN else f"ALLOW_{flow}"
    username = demanded(given, "USERNAME")
    if not attempt.on_page:
        if not clients.allows(attempt.client, allowed):
            raise invalid(f"{flow} flow not enabled for this client")
        clients.check_secret_hash(attempt.client, username, given.get("SECRET_HASH"))
    user = find_user(attempt.world, attempt.pool, username)
    if user is None and flow in _BY_PASSWORD:  # by SRP there is no password that a trigger could be asked about
        password = demanded(given, "PASSWORD")
        user = await migration.migrate(
            attempt.occasion, attempt.client, username, password, validation=attempt.validation
        )
    if user is None and not clients.hides_users(attempt.client):
        raise AwsError("UserNotFoundException", "User does not exist.")
    if flow != "CUSTOM_AUTH":
        await _before(attempt, user, username)
    return await begin(attempt, user, username, given)


async def _before(attempt: Attempt, user: PoolUser | None, username: str) -> None:
    """PreAuthentication, which may refuse. Raises AwsError: `fire`."""
    request = {
        "userAttributes": firing.attributes_of(user),
        "validationData": dict(attempt.validation) if attempt.validation else None,
        **({"userNotFound": user is None} if clients.hides_users(attempt.client) else {}),
    }
    name = user["username"] if user else username
    await firing.fire(attempt.occasion, "PreAuthentication_Authentication", name, request, {})


_FLOWS: Final[Mapping[str, Begin]] = {
    "USER_SRP_AUTH": srp_sign_in.begin,
    "CUSTOM_AUTH": custom_challenges.begin,
    "USER_AUTH": choices.begin,
    **dict.fromkeys(_BY_PASSWORD, password_sign_in.begin),
}


# -- the answers -----------------------------------------------------------------------------------------------------


async def answer_challenge(attempt: Attempt, name: str, session: str | None, given: Strings) -> Result:
    """What comes after the answer to a challenge, as of `begin_flow`."""
    attempt = _on_device(attempt, given)
    if name not in (*_PROOFS, *_ANSWERS, *_ANSWERS_OF_ANYBODY):
        raise unsupported(f"the challenge {name}")
    username = demanded(given, "USERNAME")
    if not attempt.on_page:
        clients.check_secret_hash(attempt.client, username, given.get("SECRET_HASH"))
    if name in _PROOFS:
        return await _PROOFS[name](attempt, given)
    if not session and name == device_proof.SRP:
        session = device_proof.session_of(attempt.world, attempt.pool, given)
    if not session:
        raise invalid("Missing required parameter Session")
    challenge = challenges.take(attempt.world, session, attempt.client, name)
    user = _user_of(attempt, challenge, username)
    try:
        if name in _ANSWERS_OF_ANYBODY:
            return await _ANSWERS_OF_ANYBODY[name](attempt, challenge, user, given)
        if user is None:
            raise not_authorized(challenges.OVER)
        progress.check_able(user)
        return await _ANSWERS[name](attempt, challenge, user, given)
    except AwsError as refusal:
        if refusal.code in _SLIPS:
            challenges.give_back(attempt.world, challenge)
        raise


def _user_of(attempt: Attempt, challenge: challenges.Challenge, username: str) -> PoolUser | None:
    """Who answers a challenge: None for nobody, who was asked all the same. Raises AwsError: it is somebody else's."""
    user = find_user(attempt.world, attempt.pool, challenge["username"])
    named = find_user(attempt.world, attempt.pool, username)
    if (named["sub"] if named else username) != (user["sub"] if user else challenge["username"]):
        raise not_authorized(challenges.OVER)
    return user


async def _answer_srp(attempt: Attempt, given: Strings) -> Result:
    user, rounds = await srp_sign_in.answer(attempt, given)
    if rounds is not None:
        progress.check_able(user)
        return await custom_challenges.after_password(attempt, user, rounds)
    return await progress.proven(attempt, user)


async def _answer_new_password(
    attempt: Attempt, _challenge: challenges.Challenge, user: PoolUser, given: Strings
) -> Result:
    world, pool, password = attempt.world, attempt.pool, demanded(given, "NEW_PASSWORD")
    if len(password) > 256:  # noqa: PLR2004 - as the model has it for passwords
        raise AwsError("InvalidPasswordException", "Password did not conform with policy: Password too long")
    passwords.check(pool, password)
    named = {name: value for name, value in given.items() if name.startswith(USER_ATTRIBUTE)}
    changes = {name.removeprefix(USER_ATTRIBUTE): value for name, value in named.items()}
    attributes.check(pool, changes)
    attributes.check_writable(attempt.client, changes)
    wanted = {**user["attributes"], **changes, **attributes.unverified_by(changes, user["attributes"])}
    attributes.check_required(pool, wanted)
    kept = await asyncio.to_thread(passwords.following, pool, user, password)
    with world.unit(lock=True):
        user = progress.again(attempt, user)
        rest = pending_without(user, changes)
        user = change_user(world, pool, user, **kept, status="CONFIRMED", attributes=wanted, pending=rest)
    return await progress.proven(attempt, user, source=tokens.NEW_PASSWORD)


async def _answer_software_token(
    attempt: Attempt, _challenge: challenges.Challenge, user: PoolUser, given: Strings
) -> Result:
    code = demanded(given, "SOFTWARE_TOKEN_MFA_CODE")
    attempts.check(attempt.world, attempt.pool, user["username"])
    try:
        with attempt.world.unit(lock=True):
            user = mfa.use_code(attempt.world, attempt.pool, progress.again(attempt, user), code[:16])
    except AwsError:
        attempts.failed(attempt.world, attempt.pool, user["username"])
        raise
    return await progress.proven(attempt, user, has_second_factor=True)


async def _answer_setup(attempt: Attempt, challenge: challenges.Challenge, user: PoolUser, _given: Strings) -> Result:
    with attempt.world.unit(lock=True):
        user = mfa.pair(attempt.world, attempt.pool, progress.again(attempt, user), challenge["data"])
    return await progress.proven(attempt, user, has_second_factor=True)


async def _answer_selection(
    attempt: Attempt, _challenge: challenges.Challenge, user: PoolUser, given: Strings
) -> Result:
    choice = {"EMAIL_MFA": mfa.EMAIL}.get(demanded(given, "ANSWER"), given["ANSWER"])  # the model has both names
    if choice not in mfa.choices_of(attempt.pool, user):
        raise invalid("Invalid MFA type selected.")
    return await progress.ask_factor(attempt, user, choice)


async def _answer_passkey(attempt: Attempt, _challenge: challenges.Challenge, user: PoolUser, given: Strings) -> Result:
    return await passkey_sign_in.answer(attempt, user, given)


async def _answer_device(attempt: Attempt, _challenge: challenges.Challenge, user: PoolUser, given: Strings) -> Result:
    return await device_proof.offer(attempt.world, attempt.pool, attempt.client, user, given)


async def _answer_device_proof(attempt: Attempt, given: Strings) -> Result:
    is_right = srp_sign_in.is_timestamp(demanded(given, "TIMESTAMP"))
    user, device = await device_proof.proven(attempt.world, attempt.pool, attempt.client, given, is_right)
    progress.check_able(user)
    return await progress.signed_in(replace(attempt, device=device), user, source=tokens.DEVICE)


def _on_device(attempt: Attempt, given: Strings) -> Attempt:
    """Each request names its device anew; pages have none."""
    return attempt if attempt.on_page else replace(attempt, device=given.get("DEVICE_KEY", ""))


_PROOFS: Final[Mapping[str, Callable[[Attempt, Strings], Awaitable[Mapping[str, Any]]]]] = {
    srp_sign_in.VERIFIER: _answer_srp,
    device_proof.VERIFIER: _answer_device_proof,
}
"""Answers that have their session among their own parameters."""

_ANSWERS: Final[Mapping[str, Answer]] = {
    NEW_PASSWORD: _answer_new_password,
    mfa.SOFTWARE_TOKEN: _answer_software_token,
    mfa.SETUP: _answer_setup,
    mfa.SELECT: _answer_selection,
    mfa.SMS: choices.answer_code,
    passkey_sign_in.CHALLENGE: _answer_passkey,
    device_proof.SRP: _answer_device,
}

_ANSWERS_OF_ANYBODY: Final[
    Mapping[str, Callable[[Attempt, challenges.Challenge, PoolUser | None, Strings], Awaitable[Mapping[str, Any]]]]
] = {
    custom_challenges.CUSTOM: custom_challenges.answer,
    choices.SELECT: choices.select,
    choices.PASSWORD: choices.answer_password,
    choices.PASSWORD_SRP: choices.answer_password,
    choices.EMAIL: choices.answer_code,
    choices.SMS: choices.answer_code,
}
"""Where nothing is proven yet: nobody is asked like anybody."""
