"""What a person shows first at the sign-in page: a name and a password, which may be good once only."""

from __future__ import annotations

import hmac
from typing import Final

from sts_emulator.accounts import directory, people
from sts_emulator.accounts.directory import DirectoryUser, Instance
from sts_emulator.core.errors import AwsError
from sts_emulator.core.world import World

WRONG: Final = "We could not verify your sign-in credentials. Please try again."
RULE: Final = (
    "8 to 64 characters, with a lowercase and an uppercase letter, a digit and another character; none of your last "
    "three passwords."
)
"""What a password of one's own must be like (docs/aws/identity-center.md, "Passwords and second factors")."""

_SHORTEST, _LONGEST, _REMEMBERED = 8, 64, 3


def verify(world: World, instance: Instance, name: str, password: str) -> DirectoryUser:
    """The person of that name and password; who was given none signs in with their name, as in the lab's other pages.

    Who is unknown and who is disabled is told the same, so that a stranger learns nothing.

    Raises:
        AwsError: Refused 403; 429 after too many tries.
    """
    people.check_tries(world, f"{instance['store']}/{name[:200].lower()}")
    person = directory.user_by_name(world, instance["store"], name[:200])
    if person is None or not person["enabled"] or not _is_password(person, password[:1_000]):
        raise AwsError("Refused", WRONG, status=403)
    return person


def is_once(person: DirectoryUser) -> bool:
    """Whether the password is one that an administrator gave out, to be changed at the first sign-in."""
    return bool(person.get("password", {}).get("once"))


def change_once(world: World, person: DirectoryUser, text: str, repeated: str) -> None:
    """A password of the person's own for the one that was good once.

    Raises:
        AwsError: Refused 403, there is none to change; 400, the new one is not as it must be.
    """
    if not is_once(person):
        raise AwsError("Refused", "Your password needs no change. Sign in again.", status=403)
    if text != repeated:
        raise AwsError("Refused", "The two passwords are not the same.")
    kinds = (str.islower, str.isupper, str.isdigit, lambda letter: not letter.isalnum())
    if not _SHORTEST <= len(text) <= _LONGEST or not all(any(map(kind, text)) for kind in kinds):
        raise AwsError("Refused", f"A password has {RULE}")
    earlier = people.newest(person.get("password"), _REMEMBERED)
    if any(people.is_password(password, text) for password in earlier):
        raise AwsError("Refused", "You had that password before. Choose another one.")
    new = {**people.new_password(text), "earlier": earlier}
    world.update(directory.USERS, f"{person['store']}/{person['id']}", lambda stored: {**stored, "password": new})


def _is_password(person: DirectoryUser, text: str) -> bool:
    stored = person.get("password")
    if stored is None:
        return hmac.compare_digest(text.encode("utf-8", "replace"), person["name"].encode())
    return people.is_password(stored, text)
