"""A person's session at the access portal, and the tokens that tools hold of it.

The session is stored, because signing out ends it; tokens are sealed, and good only while it lasts.
"""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import field
from typing import Final, NotRequired

from sts_emulator.accounts import directory, single_use
from sts_emulator.accounts.directory import Application, DirectoryUser, Instance
from sts_emulator.accounts.single_use import Kept
from sts_emulator.core.store import Kind
from sts_emulator.core.world import World
from sts_emulator.methods.identity_center.clients import ACCOUNT_ACCESS, CHECKED, Client
from sts_emulator.methods.identity_center.refusals import refused
from sts_emulator.pages.sessions import open_sealed, seal_until
from sts_emulator.policy.light_dataclass import dataclass
from sts_emulator.vending.identity_context import IdentityContext
from sts_emulator.wire.dispatch import Result, Wire


class KeptSession(Kept):
    """A session as the world keeps it; those of a server of before lack what need not be there."""

    instance: str
    user: str
    application: NotRequired[str]
    scopes: NotRequired[list[str]]
    attributes: NotRequired[dict[str, str]]


KIND: Final[Kind[KeptSession]] = Kind("portal-session")
REFRESH: Final[Kind[Kept]] = Kind("portal-refresh")

ACCESS: Final = 3_600
ACCESS_OF_OLD_KIND: Final = 8 * 3_600
"""Seconds that an access token lasts (docs/aws/identity-center.md, "Recorded in 2026")."""

_ACCESS_TOKEN: Final = "portal-access-token"  # noqa: S105 - what it is sealed for
_REFRESH_TOKEN: Final = "portal-refresh-token"  # noqa: S105 - what it is sealed for


@dataclass(frozen=True, slots=True)
class PortalSession:
    """Who is signed in at which instance's portal, and until when; or at an application (its ARN), for some scopes."""

    id: str
    instance: Instance
    person: DirectoryUser
    until: int
    application: str = ""
    scopes: tuple[str, ...] = ()
    attributes: Mapping[str, str] = field(default_factory=dict)
    """For access control, as an identity provider asserted them: they replace the directory's."""

    @property
    def evidence(self) -> dict[str, str]:
        """Whose it is, for the event."""
        return evidence(self.instance, self.person, self.id)

    def context(self, application: str, *, audit_only: bool = False) -> IdentityContext:
        """On whose behalf a role is used that is had through an application (its ARN)."""
        return IdentityContext(
            user=self.person["id"],
            store=directory.store_arn(self.instance),
            instance=self.instance["arn"],
            application=application,
            credential=str(uuid.uuid4()),
            audit_only=audit_only,
        )


def start(
    world: World,
    instance: Instance,
    person: DirectoryUser,
    until: int | None = None,
    application: str = "",
    scopes: tuple[str, ...] = (),
    attributes: Mapping[str, str] | None = None,
) -> PortalSession:
    """Sign a person in; whoever calls has seen who it is. `until`: an identity provider's own end, if sooner."""
    end = int(world.now()) + instance["portal_session"]
    end = end if until is None else min(end, until)
    session = PortalSession(os.urandom(16).hex(), instance, person, end, application, scopes, attributes or {})
    kept: KeptSession = {
        "name": session.id,
        "until": end,
        "instance": instance["id"],
        "user": person["id"],
        "application": application,
        "scopes": list(scopes),
        "attributes": dict(session.attributes),
    }
    single_use.keep(world, KIND, kept)
    return session


def find(world: World, identifier: str, scopes: Sequence[str] = ()) -> PortalSession | None:
    """The session of that id; None when it is over, or its person is gone or disabled meanwhile.

    `scopes` are those of a tool's token, in place of the session's own.
    """
    kept = single_use.look(world, KIND, identifier)
    if kept is None or kept["until"] <= world.now():
        return None
    instance = world.get(directory.INSTANCE, kept["instance"])
    person = directory.user(world, instance["store"], kept["user"]) if instance else None
    if instance is None or person is None or not person["enabled"]:
        return None
    return PortalSession(
        identifier,
        instance,
        person,
        kept["until"],
        kept.get("application", ""),
        tuple(scopes or kept.get("scopes", ())),
        kept.get("attributes", {}),
    )


def evidence(instance: Instance, person: DirectoryUser, credential: str = "") -> dict[str, str]:
    """Who it is, for the event: its `userIdentity` is made of it."""
    told = {
        "person": person["name"],
        "userId": person["id"],
        "identityStoreArn": directory.store_arn(instance),
        "instanceAccount": instance["account"],
    }
    return {**told, "credentialId": credential} if credential else told


def end(world: World, session: PortalSession) -> None:
    """Sign out: no token of the session is good any more."""
    single_use.take(world, KIND, session.id)


def holder(world: World, token: str) -> PortalSession | None:
    """Whose access token it is; None when it is none of ours, or over, or its session is."""
    body = open_sealed(world, _ACCESS_TOKEN, token)
    if body is None:
        return None
    identifier, *scopes = body.decode().split()
    return find(world, identifier, scopes)


def of_access_token(world: World, token: str) -> PortalSession | None:
    """The same, for the portal: an application must have, and have kept, the scope for people's accounts.

    So must a tool that asked for scopes of the account access manager alone; who asked for none is of the old kind.
    """
    session = holder(world, token)
    if session is None or not (session.application or session.scopes):
        return session
    return session if allows(world, session, ACCOUNT_ACCESS) else None


def allows(world: World, session: PortalSession, scope: str) -> bool:
    """Whether the token was given for a scope, and its application, if it is of one, has the scope still."""
    if not session.application or scope not in session.scopes:
        return scope in session.scopes
    application: Application | None = world.get(directory.APPLICATION, session.application)
    return application is not None and application["status"] == "ENABLED" and scope in application["scopes"]


def tokens(world: World, session: PortalSession, client: Client) -> Result:
    """The answer of CreateToken. It lasts no longer than the portal's session does."""
    now = int(world.now())
    seconds = min(ACCESS if client.is_refreshable else ACCESS_OF_OLD_KIND, session.until - now)
    token = access_token(world, session, now + seconds, [scope for scope in client.scopes if scope in CHECKED])
    answer: dict[str, Wire] = {"accessToken": token, "tokenType": "Bearer", "expiresIn": seconds}
    if client.is_refreshable:
        answer["refreshToken"] = refresh_token(world, session, client.key, client.expires)
    return answer


def access_token(world: World, session: PortalSession, until: int, scopes: Sequence[str] = ()) -> str:
    """A token of the session; `scopes` are a tool's, an application's are the session's own."""
    return seal_until(world, _ACCESS_TOKEN, " ".join((session.id, *scopes)).encode(), until)


def redeem(world: World, token: str, client: str) -> PortalSession | None:
    """Whose refresh token a client shows. It is used up: the next one comes with the answer. Raises AwsError."""
    if not token:
        raise refused("InvalidRequestException", "Refresh token is required for this grant type")
    body = open_sealed(world, _REFRESH_TOKEN, token)
    if body is None:
        return None
    number, session, owner = json.loads(body)
    if owner != client:
        return None
    return find(world, session) if single_use.take(world, REFRESH, number) is not None else None


def refresh_token(world: World, session: PortalSession, client: str, until: int | None = None) -> str:
    """A token that renews the access of a client, which its key names: once, while the session lasts."""
    number = os.urandom(16).hex()
    until = session.until if until is None else min(session.until, until)
    single_use.keep(world, REFRESH, Kept(name=number, until=until))
    return seal_until(world, _REFRESH_TOKEN, json.dumps([number, session.id, client]).encode(), until)
