"""Triggers as somebody becomes a user: before a sign-up, and after an address or a new password was confirmed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from sts_emulator.idp.user_pools.kinds import PoolUser
from sts_emulator.idp.user_pools.triggers import firing, responses
from sts_emulator.idp.user_pools.triggers.firing import Occasion
from sts_emulator.wire.dispatch import Result

ANSWER: Final = {"autoConfirmUser": False, "autoVerifyPhone": False, "autoVerifyEmail": False}
SIGNED_UP: Final = "PostConfirmation_ConfirmSignUp"
NEW_PASSWORD: Final = "PostConfirmation_ConfirmForgotPassword"  # noqa: S105 - a source of events
_VERIFIED: Final = {"autoVerifyEmail": "email", "autoVerifyPhone": "phone_number"}


def request(
    given: Mapping[str, str], validation: Iterable[Mapping[str, str]] | None, metadata: Mapping[str, str] | None
) -> Result:
    """What PreSignUp is asked: the attributes as they were given, and what only it is told."""
    data = {pair["Name"]: pair.get("Value", "") for pair in validation or ()}
    return {"userAttributes": dict(given), "validationData": data or None, **firing.metadata(metadata)}


async def before_sign_up(
    occasion: Occasion,
    user: PoolUser,
    validation: Iterable[Mapping[str, str]] | None,
    metadata: Mapping[str, str] | None,
) -> PoolUser:
    """The user who signs up, confirmed and with verified addresses where PreSignUp says so. Raises AwsError: `fire`."""
    given = {
        name: value
        for name, value in user["attributes"].items()
        if name not in ("sub", "email_verified", "phone_number_verified")
    }
    asked = request(given, validation, metadata)
    said = await firing.fire(occasion, "PreSignUp_SignUp", user["username"], asked, ANSWER)
    if said is None:
        return user
    attributes = dict(user["attributes"])
    for member, attribute in _VERIFIED.items():
        if responses.flag(said, member):
            if not attributes.get(attribute):  # the guide: it must have a value, or the sign-up cannot be completed
                raise responses.unusable()
            attributes[f"{attribute}_verified"] = "true"
    status = "CONFIRMED" if responses.flag(said, "autoConfirmUser") else user["status"]
    return {**user, "attributes": attributes, "status": status}


async def before_external(occasion: Occasion, username: str, given: Mapping[str, str]) -> None:
    """Ask whether somebody may come whom an identity provider vouches for; they need no confirmation. As `fire`."""
    await firing.fire(occasion, "PreSignUp_ExternalProvider", username, request(given, None, None), ANSWER)


async def after_confirmation(
    occasion: Occasion, user: PoolUser, source: str, metadata: Mapping[str, str] | None
) -> None:
    """Tell PostConfirmation; what is confirmed stays so, whatever it answers. Raises AwsError: `fire`."""
    asked = {"userAttributes": firing.attributes_of(user), **firing.metadata(metadata)}
    await firing.fire(occasion, source, user["username"], asked, {})
