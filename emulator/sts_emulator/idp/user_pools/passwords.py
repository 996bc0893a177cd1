"""Passwords of a pool's users: its policy, what is stored, and whether a password is the one.

Plain passwords are compared by their verifiers, so that one stored value serves both ways to sign in.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections.abc import Mapping
from typing import Any, Final

from sts_emulator.core.errors import AwsError
from sts_emulator.core.world import World
from sts_emulator.idp.user_pools import srp
from sts_emulator.idp.user_pools.kinds import Pool, PoolUser, Verifier

DEFAULT_POLICY: Final = {
    "MinimumLength": 8,
    "RequireUppercase": True,
    "RequireLowercase": True,
    "RequireNumbers": True,
    "RequireSymbols": True,
    "TemporaryPasswordValidityDays": 7,
}
_NO_SALT: Final = "00" * 16  # of who has no password
_SYMBOLS = frozenset("^$*.[]{}()?\"!@#%&/\\,><':;|_~`=+- ")
"""The special characters that count (Cognito's developer guide, "Adding user pool password requirements")."""


def policy_of(pool: Pool) -> Mapping[str, Any]:
    given: Mapping[str, Any] = pool["settings"].get("Policies", {}).get("PasswordPolicy") or DEFAULT_POLICY
    return given


def temporary_days(pool: Pool) -> int:
    """For how long a temporary password is good; nought is no answer (botocore's model, PasswordPolicyType)."""
    legacy = pool["settings"].get("AdminCreateUserConfig", {}).get("UnusedAccountValidityDays")
    given = pool["settings"].get("Policies", {}).get("PasswordPolicy", {}).get("TemporaryPasswordValidityDays")
    return int(given or legacy or DEFAULT_POLICY["TemporaryPasswordValidityDays"])


def check(pool: Pool, password: str) -> None:
    """Refuse a password that the pool's policy does not let in. Raises AwsError: InvalidPasswordException."""
    policy = policy_of(pool)
    faults = {
        "Password not long enough": len(password) < policy.get("MinimumLength", 8),
        "Password must have uppercase characters": policy.get("RequireUppercase") and not re.search("[A-Z]", password),
        "Password must have lowercase characters": policy.get("RequireLowercase") and not re.search("[a-z]", password),
        "Password must have numeric characters": policy.get("RequireNumbers") and not re.search("[0-9]", password),
        "Password must have symbol characters": policy.get("RequireSymbols") and _SYMBOLS.isdisjoint(password),
        "Password must not begin or end with a space": password != password.strip(),
    }
    fault = next((sentence for sentence, is_there in faults.items() if is_there), "")
    if fault:
        raise AwsError("InvalidPasswordException", f"Password did not conform with policy: {fault}")


def made_up() -> str:
    """A temporary password that every policy lets in."""
    return "aA1!" + secrets.token_urlsafe(12)


def short_name(pool: Pool) -> str:
    """What the protocol calls the pool: its id behind the region."""
    return pool["id"].partition("_")[2]


def stored(pool: Pool, username: str, password: str) -> Verifier:
    """The members of a user that keep a password. Takes two milliseconds."""
    salt = srp.salt_of(secrets.token_bytes(16))
    return Verifier(salt=salt, verifier=srp.verifier(short_name(pool), username, password, salt))


def following(pool: Pool, user: PoolUser, password: str) -> Mapping[str, object]:
    """The members that keep a password after another. Takes two milliseconds for each that is remembered.

    Raises:
        AwsError: PasswordHistoryPolicyViolationException.
    """
    check_history(pool, user, password)
    return {**stored(pool, user["username"], password), "history": history_of(pool, user)}


def history_of(pool: Pool, user: PoolUser) -> list[Verifier]:
    """The user's passwords, the present one first, as many as the pool's policy counts."""
    present = [Verifier(salt=user["salt"], verifier=user["verifier"])] if user["verifier"] else []
    return [*present, *user.get("history", ())][: policy_of(pool).get("PasswordHistorySize") or 0]


def check_history(pool: Pool, user: PoolUser, password: str) -> None:
    """Refuse a password that the user had before. AWS's sentence is not recorded; this one is ours."""
    name = user["username"]
    if any(is_password(pool, {**known, "username": name}, password) for known in history_of(pool, user)):
        raise AwsError("PasswordHistoryPolicyViolationException", "Password has previously been used.")


def is_password(pool: Pool, credentials: Mapping[str, Any], password: str) -> bool:
    """Whether the password is the one of a user, or of nobody (`nobody`): both take the same time."""
    made = srp.verifier(short_name(pool), credentials["username"], password, credentials["salt"] or _NO_SALT)
    return hmac.compare_digest(made, credentials["verifier"] or "-")


def nobody(world: World, pool: Pool, username: str) -> dict[str, str]:
    """What stands in for a user who is not there: always the same salt, and a verifier of no password."""
    seed = hmac.digest(world.key, f"nobody\0{pool['id']}\0{username}".encode(), "sha256")
    filler = b"".join(hashlib.sha256(seed + bytes([place])).digest() for place in range(12))
    return {"username": username, "salt": srp.salt_of(seed), "verifier": f"{int.from_bytes(filler, 'big') % srp.N:x}"}
