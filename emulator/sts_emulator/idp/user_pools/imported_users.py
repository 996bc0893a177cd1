"""The rows of an import job's file: which columns there are, and each row a user who has yet to choose a password.

Source: Cognito's developer guide, "Creating the user import CSV file". No trigger is documented to fire for them.
"""

from __future__ import annotations

import re
from typing import Final

from sts_emulator.core.errors import AwsError
from sts_emulator.core.world import World
from sts_emulator.idp.user_pools import attributes, mfa, pool_users
from sts_emulator.idp.user_pools.kinds import Pool, PoolUser, Preference, find_user, invalid, save_user
from sts_emulator.idp.user_pools.pools import mfa_of

LONGEST_ROW: Final = 16_000
"""Characters."""

_MFA: Final = "cognito:mfa_enabled"
_NAME: Final = "cognito:username"
_UNVERIFIED: Final = (
    "The User Record does not set any of the auto verified attributes to true. (Example: email_verified to true)."
)
_COMMA = re.compile(r"(?<!\\),")
_BIRTHDATE = re.compile(r"(0[1-9]|1[0-2])/(0[1-9]|[12][0-9]|3[01])/[0-9]{4}", re.ASCII)
_ORDER: Final = (
    *("name", "given_name", "family_name", "middle_name", "nickname", "preferred_username", "profile", "picture"),
    *("website", "email", "email_verified", "gender", "birthdate", "zoneinfo", "locale", "phone_number"),
    *("phone_number_verified", "address", "updated_at"),
)

Row = dict[str, str]


def header(pool: Pool) -> list[str]:
    """The columns, in AWS's order: what the pool added comes after what every pool has."""
    added = [attribute["Name"] for attribute in pool["schema"] if ":" in attribute["Name"]]
    return [*_ORDER, *added, _MFA, _NAME]


def fault(pool: Pool, text: str) -> str:
    """Why the file cannot be read at all, or nothing."""
    first = text.partition("\n")[0]
    names = _fields(first) if len(first) <= LONGEST_ROW else []
    if sorted(names) != sorted(header(pool)):
        return "The header in the CSV file does not match the expected headers."
    return ""


def rows(text: str) -> list[tuple[int, Row | None]]:
    """The rows below the header with their line numbers; None for one that is too long or has other columns."""
    first, *lines = text.split("\n")
    names = _fields(first)
    return [(number, _row(names, line)) for number, line in enumerate(lines, start=2) if line.strip()]


def take(world: World, pool: Pool, row: Row | None) -> tuple[str, str]:
    """Store the user of a row: what became of it, and why, in AWS's words where they are known."""
    try:
        if row is None:
            raise invalid(f"The row has other columns than the header, or more than {LONGEST_ROW} characters.")
        name = row[_NAME]
        if find_user(world, pool, name) is not None:
            return "SKIPPED", "The user already exists."
        with world.unit(lock=True):
            save_user(world, pool, _user(world, pool, name, row))
    except AwsError as refusal:
        return "FAILED", " ".join(refusal.message.split())
    return "SUCCEEDED", "The import succeeded."


def _user(world: World, pool: Pool, name: str, row: Row) -> PoolUser:
    given = {column: value for column, value in row.items() if value and column not in (_MFA, _NAME)}
    for column in ("email_verified", "phone_number_verified"):
        if column in given:
            given[column] = given[column].lower()
    verifiable = pool["settings"].get("AutoVerifiedAttributes") or ()
    if not any(given.get(attribute) and given.get(f"{attribute}_verified") == "true" for attribute in verifiable):
        raise invalid(_UNVERIFIED)
    if "birthdate" in given and not _BIRTHDATE.fullmatch(given["birthdate"]):
        raise invalid("birthdate is written mm/dd/yyyy.")
    attributes.check(pool, given)
    user = pool_users.new_user(world, pool, name, given, "RESET_REQUIRED")
    attributes.check_required(pool, user["attributes"])
    if _wants_codes(pool, row[_MFA].lower()) and user["attributes"].get("phone_number"):
        user["sent_codes"] = {mfa.SMS: Preference(enabled=True, preferred=True)}
    return user


def _wants_codes(pool: Pool, wanted: str) -> bool:
    """What `cognito:mfa_enabled` says: codes by text message, where the pool leaves it to its users."""
    allowed = {"ON": ("true",), "OFF": ("false",)}.get(mfa_of(pool), ("true", "false"))
    if wanted not in allowed:
        raise invalid(f"{_MFA} is {' or '.join(allowed)} in this user pool.")
    return wanted == "true"


def _row(names: list[str], line: str) -> Row | None:
    fields = _fields(line) if len(line) <= LONGEST_ROW else []
    return dict(zip(names, fields, strict=True)) if len(fields) == len(names) else None


def _fields(line: str) -> list[str]:
    return [field.replace("\\,", ",").strip() for field in _COMMA.split(line.rstrip("\r"))]
