"""Codes and invitations: what Cognito would mail or text lands in the mailbox, and each code is good once."""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Iterable, Mapping
from typing import Any, Final, TypedDict

from sts_emulator.core.errors import AwsError
from sts_emulator.core.store import Kind
from sts_emulator.core.world import World
from sts_emulator.idp.user_pools.kinds import Pool, PoolUser, invalid
from sts_emulator.pages.mailbox import deliver


class Code(TypedDict):
    """A code that was sent."""

    code: str
    attribute: str
    until: float
    wrong: int


CODE: Final[Kind[Code]] = Kind("user-pool-code")  # key: `POOL/sub/purpose`

SIGN_UP: Final = "sign-up"
FORGOTTEN: Final = "forgotten"
TRIES: Final = 5
"""Wrong answers to a code. AWS publishes no number; this one is ours."""

_SENDER: Final = "no-reply@verificationemail.com"
_LIFETIME: Final = {SIGN_UP: 86_400, FORGOTTEN: 3_600}  # Cognito's developer guide: a day, and an hour
_ATTRIBUTE_LIFETIME: Final = 86_400
_CHANNELS: Final = {"email": "EMAIL", "phone_number": "SMS"}
_TEXT: Final = "Your verification code is {####}"
_SUBJECT: Final = "Your verification code"
_INVITATION: Final = "Your username is {username} and temporary password is {####}."


def send(world: World, pool: Pool, user: PoolUser, purpose: str, attribute: str) -> dict[str, str]:
    """Send a fresh code to an address of the user's, and tell where it went."""
    if not attribute or not user["attributes"].get(attribute):
        raise invalid("Cannot send a code: the user has no such address.")
    code = f"{secrets.randbelow(10**6):06}"
    sent = Code(
        code=code,
        attribute=attribute,
        until=world.now() + _LIFETIME.get(purpose, _ATTRIBUTE_LIFETIME),
        wrong=0,
    )
    address = user["attributes"][attribute]
    with world.unit(lock=True):
        world.put(CODE, _key(pool, user, purpose), sent)
        subject, text = _words(pool, attribute)
        _deliver(world, attribute, address, subject, text.replace("{####}", code))
    return details(attribute, address)


def use(world: World, pool: Pool, user: PoolUser, purpose: str, answer: str) -> Code:
    """Use up a code; called outside a unit, so that a wrong answer is counted.

    Raises:
        AwsError: CodeMismatchException; ExpiredCodeException; LimitExceededException.
    """
    key = _key(pool, user, purpose)
    with world.unit(lock=True):
        sent = world.get(CODE, key)
        if sent is None or sent["until"] <= world.now():
            raise expired()
        if sent["wrong"] >= TRIES:
            raise AwsError("LimitExceededException", "Attempt limit exceeded, please try after some time.")
        is_right = hmac.compare_digest(sent["code"].encode(), answer.encode())
        if is_right:
            world.take(CODE, key)
        else:
            world.put(CODE, key, {**sent, "wrong": sent["wrong"] + 1})
    if not is_right:
        raise mismatch()
    return sent


def mismatch() -> AwsError:
    return AwsError("CodeMismatchException", "Invalid verification code provided, please try again.")


def expired() -> AwsError:
    return AwsError("ExpiredCodeException", "Invalid code provided, please request a code again.")


def forget(world: World, pool: Pool, user: PoolUser) -> None:
    """Drop the codes of a user who goes."""
    for key, _ in world.page_keys(CODE, f"{pool['id']}/{user['sub']}/"):
        world.take(CODE, key)


def recovery_of(user: PoolUser) -> str:
    """The verified address to which a code for a forgotten password goes; the model's default is email first."""
    for attribute in _CHANNELS:
        if user["attributes"].get(attribute) and user["attributes"].get(f"{attribute}_verified") == "true":
            return attribute
    raise invalid("Cannot reset password for the user as there is no registered/verified email or phone_number")


def details(attribute: str, address: str) -> dict[str, str]:
    """CodeDeliveryDetails, in which the address is all but hidden."""
    return {
        "Destination": _masked(attribute, address),
        "DeliveryMedium": _CHANNELS[attribute],
        "AttributeName": attribute,
    }


def pretended(world: World, pool: Pool, username: str) -> dict[str, str]:
    """The same for nobody: always the same letters for a name, so that a stranger learns nothing."""
    digest = hmac.digest(world.key, f"mail\0{pool['id']}\0{username}".encode(), "sha256")
    first, second = (chr(ord("a") + byte % 26) for byte in digest[:2])
    return details("email", f"{first}x@{second}x")


def invite(world: World, pool: Pool, user: PoolUser, password: str, mediums: Iterable[str]) -> None:
    """Tell a user of the temporary password, where they have an address that is wanted."""
    template = pool["settings"].get("AdminCreateUserConfig", {}).get("InviteMessageTemplate", {})
    wanted = set(mediums)
    for attribute, medium in _CHANNELS.items():
        address = user["attributes"].get(attribute)
        if not address or medium not in wanted:
            continue
        text = template.get("EmailMessage" if medium == "EMAIL" else "SMSMessage") or _INVITATION
        name = address if pool["settings"].get("UsernameAttributes") else user["username"]
        text = text.replace("{username}", name).replace("{####}", password)
        _deliver(world, attribute, address, template.get("EmailSubject") or "Your temporary password", text)


def _words(pool: Pool, attribute: str) -> tuple[str, str]:
    settings: Mapping[str, Any] = pool["settings"]
    template: Mapping[str, Any] = settings.get("VerificationMessageTemplate", {})
    if attribute == "phone_number":
        return "", template.get("SmsMessage") or settings.get("SmsVerificationMessage") or _TEXT
    subject = template.get("EmailSubject") or settings.get("EmailVerificationSubject") or _SUBJECT
    return subject, template.get("EmailMessage") or settings.get("EmailVerificationMessage") or _TEXT


def _deliver(world: World, attribute: str, address: str, subject: str, text: str) -> None:
    if attribute == "email":
        deliver(world, address, text, subject=subject, sender=_SENDER)
    else:
        deliver(world, address, text, channel="sms")


def _masked(attribute: str, address: str) -> str:
    if attribute == "email":
        name, _, domain = address.partition("@")
        return f"{name[:1]}***@{domain[:1]}***"
    return f"+{'*' * max(len(address) - 5, 0)}{address[-4:]}"


def _key(pool: Pool, user: PoolUser, purpose: str) -> str:
    return f"{pool['id']}/{user['sub']}/{purpose}"
