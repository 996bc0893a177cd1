"""What a person shows at the sign-in page: a password, and the code of a second factor where they have one."""

from __future__ import annotations

import hmac
from typing import Any, Final

from sts_emulator.accounts import directory, people
from sts_emulator.accounts.directory import DirectoryUser, Instance
from sts_emulator.core.errors import AwsError
from sts_emulator.core.world import World

TOO_MANY: Final = "Too many tries. Wait some minutes."

WRONG: Final = "We could not verify your sign-in credentials. Please try again."
WRONG_CODE: Final = "That code is not right, or was used. Wait for the next one."


def verify(world: World, instance: Instance, name: str, password: str) -> DirectoryUser:
    """The person of that name and password; who was given none signs in with their name, as in the lab's other pages.

    Who is unknown and who is disabled is told the same, so that a stranger learns nothing.

    Raises:
        AwsError: Refused 403; 429 after too many tries.
    """
    if not people.may_try_password(world, f"{instance['store']}/{name[:200].lower()}"):
        raise AwsError("Refused", TOO_MANY, status=429)
    person = directory.user_by_name(world, instance["store"], name[:200])
    if person is None or not person["enabled"] or not _is_password(person, password[:1_000]):
        raise AwsError("Refused", WRONG, status=403)
    return person


def needs_code(person: DirectoryUser) -> bool:
    """Whether a second factor is asked for."""
    return any(means["type"] == "totp" for means in person.get("mfa", ()))


def use_code(world: World, person: DirectoryUser, code: str) -> None:
    """Prove possession of one of the person's devices, and use the code up. Raises AwsError: Refused 403."""
    if not people.may_try_password(world, f"{person['store']}/{person['id']}"):
        raise AwsError("Refused", TOO_MANY, status=429)
    now = int(world.now() // people.STEP)

    def use(stored: DirectoryUser) -> DirectoryUser:
        for means in stored.get("mfa", ()):
            device: dict[str, Any] = {"drift": 0, "used": [], **means}
            step = people.fresh_step(device, code[:20], now) if means["type"] == "totp" else None
            if step is not None:
                used = [*(known for known in device["used"] if known >= now - people.WINDOW), step]
                others = [other for other in stored.get("mfa", ()) if other is not means]
                return {**stored, "mfa": [*others, {**means, "used": used}]}
        raise AwsError("Refused", WRONG_CODE, status=403)

    world.update(directory.USERS, f"{person['store']}/{person['id']}", use)


def _is_password(person: DirectoryUser, text: str) -> bool:
    stored = person.get("password")
    if stored is None:
        return hmac.compare_digest(text.encode("utf-8", "replace"), person["name"].encode())
    return people.is_password(stored, text)
