"""Second factors of users and root at the console: virtual devices, whose codes are used up, and passkeys."""

from __future__ import annotations

import base64
import os
from typing import Final

from sts_emulator.accounts import documents, passkeys, people
from sts_emulator.accounts.documents import FidoDevice, MfaDevice
from sts_emulator.accounts.passkeys import Party
from sts_emulator.core import names
from sts_emulator.core.errors import AwsError
from sts_emulator.core.world import World
from sts_emulator.methods.console_login.console_people import WRONG
from sts_emulator.pages.passkeys import Holder
from sts_emulator.vending.context import Context
from sts_emulator.vending.session import Session

MOST: Final = 8
"""Devices of a user or of root (docs/aws/console-sign-in.md, "Passkeys")."""


def virtual(world: World, session: Session) -> list[MfaDevice]:
    return [device for device in world.page(documents.MFA_DEVICE) if device["owner"] == session.id]


def fido(world: World, session: Session) -> list[FidoDevice]:
    known = world.page(documents.FIDO_DEVICE, f"{session.account}/")
    return [device for device in known if device["owner"] == session.id]


def of(world: World, session: Session) -> list[MfaDevice | FidoDevice]:
    """All of them; none: a password is enough."""
    return [*virtual(world, session), *fido(world, session)]


def use_code(world: World, session: Session, code: str) -> str:
    """The ARN of the device that a code proves. Raises AwsError: Refused 403."""
    for device in virtual(world, session):
        try:
            people.authenticate(world, session.id, device["arn"], code[:20])
        except AwsError:
            continue
        return device["arn"]
    raise AwsError("Refused", WRONG, status=403)


def holder(world: World, session: Session) -> Holder:
    """Whose passkeys they are."""
    known = [device["passkey"] for device in fido(world, session)]
    return Holder("console", session.id, session.id, session.name or "root", known)


def use_passkey(ctx: Context, party: Party, session: Session, response: str) -> str:
    """The ARN of the passkey that the response proves. Raises AwsError: Refused 403."""
    world = ctx.world
    people.check_tries(world, f"{session.account}/{session.id}")
    proven = holder(world, session).proven(ctx, party, response, WRONG)
    owned = fido(world, session)
    device = next(device for device in owned if device["passkey"]["credential"] == proven["credential"])

    def use(stored: FidoDevice) -> FidoDevice:
        if not passkeys.follows(stored["passkey"], proven):
            raise AwsError("Refused", WRONG, status=403)
        return {**stored, "passkey": proven}

    world.update(documents.FIDO_DEVICE, _key(device), use)
    return device["arn"]


def add_passkey(ctx: Context, party: Party, session: Session, name: str, response: str) -> FidoDevice:
    """Keep a new passkey. Raises AwsError: Refused 400, 403."""
    world = ctx.world
    if len(of(world, session)) >= MOST:
        raise AwsError("Refused", f"You have {MOST} devices already; remove one first.")
    passkey = holder(world, session).registered(ctx, party, response)
    device: FidoDevice = {
        "account": session.account,
        "name": name,
        "arn": _arn(session, name),
        "owner": session.id,
        "enabled": int(world.now()),
        "passkey": passkey,
    }
    world.add(documents.FIDO_DEVICE, _key(device), device, uid=device["arn"])
    return device


def remove(world: World, session: Session, arn: str) -> None:
    """Raises AwsError: NotFound 404."""
    known = world.find(documents.FIDO_DEVICE, arn)
    if known is None or known["owner"] != session.id:
        raise AwsError("NotFound", "You have no such passkey.", status=404)
    world.take(documents.FIDO_DEVICE, _key(known))


def _arn(session: Session, name: str) -> str:
    """As AWS makes it; recorded for users, and by their pattern for root (docs/aws/console-sign-in.md, "Passkeys")."""
    owner = f"user/{session.name}" if session.name else "root-account"
    suffix = base64.b32encode(os.urandom(16)).decode().rstrip("=")
    return f"arn:{names.PARTITION}:iam::{session.account}:u2f/{owner}/{name}-{suffix}"


def _key(device: FidoDevice) -> str:
    return f"{device['account']}/{device['arn']}"
