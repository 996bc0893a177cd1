"""What a console password of an IAM user must be like, and when it is over: the account's password policy, or AWS's.

For IAM's operations and for the page on which a user signs in.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from sts_emulator.accounts import documents, people
from sts_emulator.core.errors import AwsError
from sts_emulator.core.world import World

DAY: Final = 86_400
SYMBOLS: Final = frozenset("!@#$%^&*()_+-=[]{}|'")
# Without a policy of the account's own (UG id_credentials_passwords_account-policy): eight characters of three kinds.
DEFAULT_LENGTH: Final = 8
DEFAULT_KINDS: Final = 3

Password = dict[str, Any]
"""As it is stored of a user: salt and hash, `changed`, `created`, `reset`, and `earlier` ones."""


def policy(world: World, account: str) -> Mapping[str, Any] | None:
    """The account's own policy, as the wire has it."""
    stored = world.get(documents.ACCOUNT, account)
    return stored.get("password_policy") if stored else None


def expires(world: World, user: Mapping[str, Any]) -> int | None:
    """When the user's password must be changed, or None."""
    age: int = (policy(world, user["account"]) or {}).get("MaxPasswordAge", 0)
    return user["password"]["changed"] + age * DAY if age else None


def hashed(world: World, user: Mapping[str, Any], text: str) -> Password:
    """A new password that the policy allows, with the hashes of earlier ones that may not come back.

    Raises:
        AwsError: PasswordPolicyViolation.
    """
    rules = policy(world, user["account"])
    if not (_satisfies_default(user, text) if rules is None else _satisfies(rules, text)):
        raise AwsError("PasswordPolicyViolation", "Password does not conform to the account password policy.")
    kept = (rules or {}).get("PasswordReusePrevention", 0)
    earlier = people.newest(user.get("password"), kept)
    if any(people.is_password(password, text) for password in earlier):
        raise AwsError("PasswordPolicyViolation", "Password was used before.")
    return {**people.new_password(text), "changed": int(world.now()), "earlier": earlier}


def _satisfies(rules: Mapping[str, Any], text: str) -> bool:
    return len(text) >= rules["MinimumPasswordLength"] and all(
        not rules[f"Require{kind}"] or any(map(test, text)) for kind, test in _KINDS.items()
    )


def _satisfies_default(user: Mapping[str, Any], text: str) -> bool:
    kinds = sum(any(map(test, text)) for test in _KINDS.values())
    return len(text) >= DEFAULT_LENGTH and kinds >= DEFAULT_KINDS and text.lower() != user["name"].lower()


_KINDS: Final[Mapping[str, Callable[[str], bool]]] = {
    "Symbols": SYMBOLS.__contains__,
    "Numbers": str.isdecimal,
    "UppercaseCharacters": str.isupper,
    "LowercaseCharacters": str.islower,
}
