"""How people prove who they are: passwords, and virtual MFA devices whose codes (RFC 6238) are used up here."""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
from collections.abc import Mapping
from typing import Any

from sts_emulator.accounts import documents
from sts_emulator.accounts.documents import MfaDevice
from sts_emulator.core.errors import AwsError
from sts_emulator.core.world import World
from sts_emulator.policy.json_types import JsonObject

KIND = documents.MFA_DEVICE
ATTEMPTED = "mfa-attempts"
STEP = 30  # seconds
DIGITS = 6
SEED_BYTES = 40  # 64 characters of base32, the length of AWS's seeds
# Codes of two steps either way are taken, in any order, each once (recorded 2026-09, tests/iam/cases/mfa.json).
WINDOW = 2
# Two codes in a row may be this many steps off: that is how a device with a wrong clock is synchronized.
PAIR_WINDOW = 1000

# So many codes of a device are looked at between two full multiples of three minutes, right ones included; then none
# is until the next (recorded 2026-09: nine after the last boundary, and recovery at it; AWS publishes neither).
ATTEMPTS = 9
ATTEMPTS_WINDOW = 180

# AWS's sentences, trailing and double spaces included (docs/aws/sts.md, "MFA").
WRONG_CODE = "MultiFactorAuthentication failed with invalid MFA one time pass code. "
UNKNOWN_DEVICE = (
    "MultiFactorAuthentication failed, unable to validate MFA code.  Please verify your MFA serial number is valid and "
    "associated with this user."
)

TRIED = "passwords-tried"
_TRIES, _TRIES_WINDOW = 20, 300  # of one user, in so many seconds
TOO_MANY = "Too many tries. Wait some minutes."

_PASSWORD_COST = 2**12  # scrypt: some ten milliseconds, rarely spent


def new_password(text: str) -> dict[str, str]:
    """What is stored of a password: a salt and a hash."""
    salt = base64.b64encode(os.urandom(16)).decode()
    return {"salt": salt, "hash": _digest(text, salt)}


def is_password(password: Mapping[str, Any], text: str) -> bool:
    """Whether `text` is the stored password; what a sign-in page asks."""
    return hmac.compare_digest(_digest(text, password["salt"]), password["hash"])


def newest(password: Mapping[str, Any] | None, most: int) -> list[dict[str, str]]:
    """The salts and hashes of somebody's newest passwords, that of now among them: what a new one may not be."""
    if not password:
        return []
    return [{"salt": password["salt"], "hash": password["hash"]}, *password.get("earlier", [])][:most]


def _digest(text: str, salt: str) -> str:
    digest = hashlib.scrypt(text.encode(), salt=base64.b64decode(salt), n=_PASSWORD_COST, r=8, p=1)
    return base64.b64encode(digest).decode()


def new_seed() -> str:
    """A new device's secret, as base32."""
    return base64.b32encode(os.urandom(SEED_BYTES)).decode()


def totp(seed: str, at: float) -> str:
    """The code that a device with this base32 seed shows at a time, in seconds since the epoch."""
    return code_of_step(seed, int(at // STEP))


def code_of_step(seed: str, step: int) -> str:
    """The code of one step of thirty seconds (RFC 4226 §5.3: HMAC-SHA-1, dynamic truncation)."""
    digest = hmac.digest(base64.b32decode(seed), step.to_bytes(8, "big"), "sha1")
    place = digest[-1] & 0xF
    number = int.from_bytes(digest[place : place + 4], "big") & 0x7FFFFFFF
    return f"{number % 10**DIGITS:0{DIGITS}}"


def next_code(device: Mapping[str, Any], at: float) -> str:
    """What the device shows at a time; when that code was used up already, the next one that will be taken."""
    now = int(at // STEP) + device["drift"]
    steps = [step for step in range(now, now + WINDOW + 1) if step not in device["used"]]
    return code_of_step(device["seed"], steps[0] if steps else now)


def authenticate(world: World, owner: str, serial: str, code: str) -> None:
    """Prove possession of the device `serial` of the user or root whose unique id is `owner`, and use up the code.

    Inside an operation's unit of work a refused operation gives the code back.

    Raises:
        AwsError: AccessDenied 403 for a device that is not the owner's or was tried too often, and for a code that is
            wrong or was used.
    """
    device = world.find(KIND, serial)
    if device is None or not owner or device["owner"] != owner:
        raise AwsError("AccessDenied", UNKNOWN_DEVICE, status=403)
    if _counted(world, ATTEMPTED, serial, ATTEMPTS_WINDOW) > ATTEMPTS:
        raise AwsError("AccessDenied", UNKNOWN_DEVICE, status=403)
    now = int(world.now() // STEP)

    def use(body: MfaDevice) -> MfaDevice:
        step = fresh_step(body, code, now)
        if step is None:
            raise AwsError("AccessDenied", WRONG_CODE, status=403)
        recent = [used for used in body["used"] if used >= now + body["drift"] - WINDOW]
        return {**body, "used": [*recent, step]}

    world.update(KIND, f"{device['account']}/{device['name'].lower()}", use)


def check_tries(world: World, who: str) -> None:
    """Count a try on a page. Raises AwsError: Refused 429, there were too many."""
    if not may_try_password(world, who):
        raise AwsError("Refused", TOO_MANY, status=429)


def may_try_password(world: World, who: str) -> bool:
    """Count a try of a password, or of a code after it; False when there were too many. AWS publishes no number."""
    return _counted(world, TRIED, who, _TRIES_WINDOW) <= _TRIES


def _counted(world: World, kind: str, who: str, seconds: int) -> int:
    """How many tries of somebody the window of so many seconds has now. In memory: a refused call writes nothing."""
    window = int(world.now() // seconds)
    counted = world.touched(kind, who)
    tries: int = counted[1] + 1 if counted and counted[0] == window else 1
    world.touch(kind, who, (window, tries))
    return tries


def synchronized(device: Mapping[str, Any], first: str, second: str, at: float) -> JsonObject | None:
    """What changes in a device when two codes in a row prove its clock; None when they do not.

    A pair must lie wholly behind the last one that was accepted, also after the device changed hands.
    """
    now = int(at // STEP)
    for distance in range(PAIR_WINDOW + 1):
        for step in (now + distance, now - distance):
            if step - 1 < now - PAIR_WINDOW + 1 or step - 1 <= device["paired"]:
                continue
            if _shows(device, step, second) and _shows(device, step - 1, first):
                return {"drift": step - now, "paired": step, "used": [step]}
    return None


def fresh_step(device: Mapping[str, Any], code: str, now: int) -> int | None:
    """The step whose code this is, if the device shows it about now and it was not used; `now` counts steps."""
    middle = now + device["drift"]
    steps = range(middle - WINDOW, middle + WINDOW + 1)
    return next((step for step in steps if step not in device["used"] and _shows(device, step, code)), None)


def _shows(device: Mapping[str, Any], step: int, code: str) -> bool:
    return hmac.compare_digest(code_of_step(device["seed"], step).encode(), code.encode())
