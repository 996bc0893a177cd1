"""Codes that are sent as somebody signs in, as a first factor or a second: good once, and for one challenge."""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from typing import Any, Final

from sts_emulator.core.errors import AwsError
from sts_emulator.idp.user_pools import codes
from sts_emulator.idp.user_pools.kinds import PoolUser
from sts_emulator.idp.user_pools.triggers.firing import Occasion

ADDRESSES: Final = {"SMS_MFA": "phone_number", "SMS_OTP": "phone_number", "EMAIL_OTP": "email"}
"""Where the code of a challenge goes to."""

_DIGITS: Final = {True: 8, False: 6}  # of a first factor, and of a second (Cognito's guide, "Passwordless sign-in")


async def send(
    occasion: Occasion, user: PoolUser, name: str, metadata: Mapping[str, str] | None, *, is_first: bool
) -> tuple[dict[str, Any], dict[str, str]]:
    """Send a code to the address of a challenge: what its answer is checked with, and what the app is told."""
    attribute = ADDRESSES[name]
    address, code = user["attributes"][attribute], codes.new_code(_DIGITS[is_first])
    worded = await codes.words(occasion, user, codes.AUTHENTICATION, attribute, metadata)
    codes.deliver_code(occasion.ctx.world, attribute, address, worded, code)
    return {"code": code, "first": is_first}, told(codes.details(attribute, address))


def told(details: Mapping[str, str]) -> dict[str, str]:
    """What the app is told of where a code went."""
    return {
        "CODE_DELIVERY_DELIVERY_MEDIUM": details["DeliveryMedium"],
        "CODE_DELIVERY_DESTINATION": details["Destination"],
    }


def check(data: Mapping[str, Any], answer: str) -> None:
    """Raises AwsError: CodeMismatchException; nobody's code is never right."""
    code = data.get("code", "")
    if not code or not hmac.compare_digest(code.encode(), answer.encode()):
        raise AwsError("CodeMismatchException", "Invalid code or auth state for the user.")
