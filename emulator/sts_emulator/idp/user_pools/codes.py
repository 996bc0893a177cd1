"""Codes and invitations: what Cognito would mail or text lands in the mailbox, and each code is good once."""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple, TypedDict

from sts_emulator.core.errors import AwsError
from sts_emulator.core.store import Kind
from sts_emulator.core.world import World
from sts_emulator.idp.user_pools.kinds import Pool, PoolUser, invalid, not_authorized
from sts_emulator.idp.user_pools.triggers import firing, responses
from sts_emulator.idp.user_pools.triggers.firing import Occasion
from sts_emulator.pages.mailbox import deliver


class Code(TypedDict):
    """A code that was sent."""

    code: str
    attribute: str
    address: str
    until: float
    wrong: int


class Words(NamedTuple):
    """Subject and text of a message; `{####}` stands for the code."""

    subject: str
    text: str


CODE: Final[Kind[Code]] = Kind("user-pool-code")  # key: `POOL/sub/purpose`

SIGN_UP: Final = "sign-up"
FORGOTTEN: Final = "forgotten"
AUTHENTICATION: Final = "Authentication"  # the source of CustomMessage for codes that sign in
TRIES: Final = 5
"""Wrong answers to a code. AWS publishes no number; this one is ours."""

_SENDER: Final = "no-reply@verificationemail.com"
_LIFETIME: Final = {SIGN_UP: 86_400, FORGOTTEN: 3_600}  # Cognito's developer guide: a day, and an hour
_ATTRIBUTE_LIFETIME: Final = 86_400
_CHANNELS: Final = {"email": "EMAIL", "phone_number": "SMS"}
_CODE: Final = "{####}"
_USERNAME: Final = "{username}"
_TEXT: Final = "Your verification code is {####}"
_LOGIN_TEXT: Final = "Your authentication code is {####}"
_LOGIN_SUBJECT: Final = "Your authentication code"
_SUBJECT: Final = "Your verification code"
_INVITATION: Final = "Your username is {username} and temporary password is {####}."


async def send(
    occasion: Occasion,
    user: PoolUser,
    purpose: str,
    attribute: str,
    source: str,
    metadata: Mapping[str, str] | None = None,
) -> dict[str, str]:
    """Send a fresh code to an address of the user's, and tell where it went; `source` is that of CustomMessage."""
    if not attribute or not user["attributes"].get(attribute):
        raise invalid("Cannot send a code: the user has no such address.")
    code = new_code()
    address = user["attributes"][attribute]
    worded = await words(occasion, user, source, attribute, metadata)
    world, pool = occasion.ctx.world, occasion.pool
    sent = Code(
        code=code,
        attribute=attribute,
        address=address,
        until=world.now() + _LIFETIME.get(purpose, _ATTRIBUTE_LIFETIME),
        wrong=0,
    )
    with world.unit(lock=True):
        world.put(CODE, _key(pool, user, purpose), sent)
        deliver_code(world, attribute, address, worded, code)
    return details(attribute, address)


def new_code(digits: int = 6) -> str:
    return f"{secrets.randbelow(10**digits):0{digits}}"


async def words(
    occasion: Occasion, user: PoolUser, source: str, attribute: str, metadata: Mapping[str, str] | None = None
) -> Words:
    """Subject and text of a message with a code: those of the pool's function, or of its settings."""
    return await _customized(occasion, user, source, attribute, _template(occasion.pool, source, attribute), metadata)


def deliver_code(world: World, attribute: str, address: str, worded: Words, code: str) -> None:
    """Put a message with a code into the mailbox."""
    _deliver(world, attribute, address, worded.subject, worded.text.replace(_CODE, code))


def use(world: World, pool: Pool, user: PoolUser, purpose: str, answer: str) -> Code:
    """Use up a code; called outside a unit, so that a wrong answer is counted.

    It is over once the user has another address than the one that it went to: it would prove what it never reached.

    Raises:
        AwsError: CodeMismatchException; ExpiredCodeException; LimitExceededException.
    """
    key = _key(pool, user, purpose)
    with world.unit(lock=True):
        sent = world.get(CODE, key)
        if sent is None or sent["until"] <= world.now() or sent["address"] != user["attributes"].get(sent["attribute"]):
            raise expired()
        if sent["wrong"] >= TRIES:
            raise AwsError("LimitExceededException", "Attempt limit exceeded, please try after some time.")
        is_right = hmac.compare_digest(sent["code"].encode(), answer.encode())
        if is_right:
            world.take(CODE, key)
        else:
            tried: Code = {**sent, "wrong": sent["wrong"] + 1}
            world.put(CODE, key, tried)
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


def recovery_of(pool: Pool, user: PoolUser) -> str:
    """The verified address to which a code for a forgotten password goes; the model's default is email first.

    Raises:
        AwsError: NotAuthorizedException, where only administrators reset passwords; InvalidParameterException.
    """
    mechanisms = pool["settings"].get("AccountRecoverySetting", {}).get("RecoveryMechanisms") or ()
    ordered = [mechanism["Name"] for mechanism in sorted(mechanisms, key=lambda mechanism: mechanism["Priority"])]
    if "admin_only" in ordered:  # AWS's sentence is not recorded; this one is ours
        raise not_authorized("Passwords of this user pool are reset by an administrator only.")
    for attribute in [name.removeprefix("verified_") for name in ordered] or _CHANNELS:
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


async def invite(
    occasion: Occasion, user: PoolUser, password: str, mediums: Iterable[str], metadata: Mapping[str, str] | None = None
) -> None:
    """Tell a user of the temporary password, where they have an address that is wanted."""
    pool, wanted = occasion.pool, set(mediums)
    template = pool["settings"].get("AdminCreateUserConfig", {}).get("InviteMessageTemplate", {})
    for attribute, medium in _CHANNELS.items():
        address = user["attributes"].get(attribute)
        if not address or medium not in wanted:
            continue
        text = template.get("EmailMessage" if medium == "EMAIL" else "SMSMessage") or _INVITATION
        usual = Words(template.get("EmailSubject") or "Your temporary password", text)
        worded = await _customized(occasion, user, "AdminCreateUser", attribute, usual, metadata)
        name = address if pool["settings"].get("UsernameAttributes") else user["username"]
        text = worded.text.replace(_USERNAME, name).replace(_CODE, password)
        _deliver(occasion.ctx.world, attribute, address, worded.subject, text)


async def _customized(
    occasion: Occasion, user: PoolUser, source: str, attribute: str, usual: Words, metadata: Mapping[str, str] | None
) -> Words:
    """The words of the trigger CustomMessage, where it has some for this channel. Raises AwsError: see `fire`."""
    is_invitation = source == "AdminCreateUser"
    request = {
        "userAttributes": firing.attributes_of(user),
        "codeParameter": _CODE,
        "linkParameter": "{##Click Here##}",
        "usernameParameter": _USERNAME if is_invitation else None,
        **firing.metadata(metadata),
    }
    wanted = {"smsMessage": None, "emailMessage": None, "emailSubject": None}
    said = await firing.fire(occasion, f"CustomMessage_{source}", user["username"], request, wanted)
    if said is None:
        return usual
    text = responses.text(said, "emailMessage" if attribute == "email" else "smsMessage")
    # A message that lacks the code is of no use to anybody; AWS's guide demands the parameters, and does not say how.
    if text and (_CODE not in text or (is_invitation and _USERNAME not in text)):
        raise responses.unusable()
    return Words(responses.text(said, "emailSubject") or usual.subject, text or usual.text)


def _template(pool: Pool, source: str, attribute: str) -> Words:
    settings: Mapping[str, Any] = pool["settings"]
    if source == AUTHENTICATION:
        email = settings.get("EmailMfaConfiguration") or {}
        sms = settings.get("SmsMfaConfiguration", {}).get("SmsAuthenticationMessage")
        if attribute == "phone_number":
            return Words("", sms or settings.get("SmsAuthenticationMessage") or _LOGIN_TEXT)
        return Words(email.get("Subject") or _LOGIN_SUBJECT, email.get("Message") or _LOGIN_TEXT)
    template: Mapping[str, Any] = settings.get("VerificationMessageTemplate", {})
    if attribute == "phone_number":
        return Words("", template.get("SmsMessage") or settings.get("SmsVerificationMessage") or _TEXT)
    subject = template.get("EmailSubject") or settings.get("EmailVerificationSubject") or _SUBJECT
    return Words(subject, template.get("EmailMessage") or settings.get("EmailVerificationMessage") or _TEXT)


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
