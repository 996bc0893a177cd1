"""A person's second factors: authenticator apps, whose codes are used up, and passkeys. Either will do."""

from __future__ import annotations

import os
from typing import Any, Final

from sts_emulator.accounts import directory, passkeys, people
from sts_emulator.accounts.directory import DirectoryUser, MfaMeans
from sts_emulator.accounts.passkeys import Party
from sts_emulator.core.errors import AwsError
from sts_emulator.core.world import World
from sts_emulator.pages.passkeys import WRONG_PASSKEY, Holder
from sts_emulator.vending.context import Context

MOST: Final = 8  # of a person (IAM Identity Center user guide, "Register an MFA device")
WRONG_CODE: Final = "That code is not right, or was used. Wait for the next one."


def of(person: DirectoryUser) -> list[MfaMeans]:
    """What the person has; none: a password is enough."""
    return person.get("mfa", [])


def holder(person: DirectoryUser) -> Holder:
    """Whose passkeys they are."""
    known = [means["passkey"] for means in of(person) if "passkey" in means]
    return Holder("identity-center", _key(person), person["id"], person["name"], known)


def use_code(world: World, person: DirectoryUser, code: str) -> None:
    """Prove possession of one of the person's apps, and use the code up. Raises AwsError: Refused 403."""
    people.check_tries(world, _key(person))
    now = int(world.now() // people.STEP)

    def use(stored: DirectoryUser) -> DirectoryUser:
        for means in of(stored):
            device: dict[str, Any] = {"drift": 0, "used": [], **means}
            step = people.fresh_step(device, code[:20], now) if means["type"] == "totp" else None
            if step is not None:
                used = [*(known for known in device["used"] if known >= now - people.WINDOW), step]
                return _with(stored, {**means, "used": used})
        raise AwsError("Refused", WRONG_CODE, status=403)

    world.update(directory.USERS, _key(person), use)


def use_passkey(ctx: Context, party: Party, person: DirectoryUser, response: str) -> None:
    """Prove possession of one of the person's passkeys. Raises AwsError: Refused 403."""
    world = ctx.world
    people.check_tries(world, _key(person))
    proven = holder(person).proven(ctx, party, response)

    def use(stored: DirectoryUser) -> DirectoryUser:
        for means in of(stored):
            if "passkey" in means and passkeys.follows(means["passkey"], proven):
                return _with(stored, {**means, "passkey": proven})
        raise AwsError("Refused", WRONG_PASSKEY, status=403)

    world.update(directory.USERS, _key(person), use)


def add_passkey(ctx: Context, party: Party, person: DirectoryUser, name: str, response: str) -> None:
    """Keep a new passkey. Raises AwsError: Refused 400, 403."""
    world = ctx.world
    _check_room(person)
    passkey = holder(person).registered(ctx, party, response)
    means: MfaMeans = {**_new(world, "passkey", name), "passkey": passkey}
    world.update(directory.USERS, _key(person), lambda stored: _with(stored, means))


def add_app(world: World, person: DirectoryUser, name: str, seed: str, code: str) -> None:
    """Keep an authenticator app that shows the right code, which is used up. Raises AwsError: Refused 400, 403."""
    _check_room(person)
    means: MfaMeans = {**_new(world, "totp", name), "seed": seed, "drift": 0, "used": []}
    step = people.fresh_step(dict(means), code[:20], int(world.now() // people.STEP))
    if step is None:
        raise AwsError("Refused", WRONG_CODE, status=403)
    proven: MfaMeans = {**means, "used": [step]}
    world.update(directory.USERS, _key(person), lambda stored: _with(stored, proven))


def remove(world: World, person: DirectoryUser, identifier: str) -> None:
    """Raises AwsError: NotFound 404."""
    if all(means["id"] != identifier for means in of(person)):
        raise AwsError("NotFound", "You have no such device.", status=404)

    def without(stored: DirectoryUser) -> DirectoryUser:
        return {**stored, "mfa": [means for means in of(stored) if means["id"] != identifier]}

    world.update(directory.USERS, _key(person), without)


def _new(world: World, kind: str, name: str) -> MfaMeans:
    return {"id": os.urandom(16).hex(), "type": kind, "name": name, "created": int(world.now())}


def _check_room(person: DirectoryUser) -> None:
    if len(of(person)) >= MOST:
        raise AwsError("Refused", f"You have {MOST} devices already; remove one first.")


def _with(stored: DirectoryUser, means: MfaMeans) -> DirectoryUser:
    return {**stored, "mfa": [*(other for other in of(stored) if other["id"] != means["id"]), means]}


def _key(person: DirectoryUser) -> str:
    return f"{person['store']}/{person['id']}"
