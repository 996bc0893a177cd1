"""The service's side of a workload: the role session that AWS assumes for what it runs, kept until it is renewed."""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import field
from typing import Final

from sts_emulator.accounts.documents import Role
from sts_emulator.core import clock
from sts_emulator.core.errors import AwsError
from sts_emulator.core.world import World
from sts_emulator.policy.deciding.engine import Principal
from sts_emulator.policy.light_dataclass import dataclass
from sts_emulator.vending.assume import Ask, Proof, Vended, assume
from sts_emulator.vending.context import Context, Keys, Server
from sts_emulator.vending.record import new_request_id, record
from sts_emulator.vending.services import service_keys
from sts_emulator.wire.http import Response

LIFETIME: Final = 6 * 3600
"""Seconds that a workload's credentials live; about what EC2 shows, which documents no number.

Source: docs/aws/instance-metadata.md, "Credentials".
"""

EARLIEST_RENEWAL: Final = 300
"""Seconds before the old credentials expire by which AWS promises new ones.

Source: docs/aws/instance-metadata.md, "Credentials".
"""

KEPT: Final = 1_000
"""Workloads of a world whose credentials are remembered; the one that asked least recently is forgotten first."""


@dataclass(frozen=True, slots=True)
class Workload:
    """Something that an AWS service runs with a role of an account.

    `service` is the service's principal and `arn` what it sends as aws:SourceArn ("" where it sends none), `lifetime`
    the credentials' seconds, and `lasting` the condition keys that stay with the session. A session policy may be
    given, and `external_id` for a role that wants one.
    """

    service: str
    method: str
    account: str
    region: str
    session_name: str
    arn: str = ""
    lifetime: int = LIFETIME
    lasting: Mapping[str, Sequence[str]] = field(default_factory=dict)
    evidence: Mapping[str, str] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    policy: str = ""


@dataclass(frozen=True, slots=True)
class Delivered:
    """Credentials as a workload gets them; times in seconds since the epoch by the world's clock."""

    vended: Vended
    role: str
    at: int
    renew_at: int

    def members(self) -> dict[str, str]:
        """The members that every document of credentials has."""
        given = self.vended.credentials
        return {
            "AccessKeyId": given.access_key_id,
            "SecretAccessKey": given.secret_access_key,
            "Token": given.session_token,
            "Expiration": clock.iso(given.expires),
        }


def kept(world: World, place: tuple[str, ...]) -> Delivered | None:
    """What was delivered at `place`, unless it is time for new credentials, or the world's clock went back."""
    delivered = _kept(world).get(place)
    if delivered is None or not delivered.at <= world.now() < delivered.renew_at:
        return None
    _kept(world).move_to_end(place)
    return delivered


def deliver(server: Server, world: World, workload: Workload, role: Role | None, place: tuple[str, ...]) -> Delivered:
    """The credentials that are kept for `place`, or new ones of the role, which are an event, as is their refusal.

    Raises:
        AwsError: AccessDenied when the role's trust policy does not let the service in.
    """
    held = kept(world, place)
    if held is not None:
        return held
    ctx = service_context(server, world, workload, role["arn"] if role else "")
    try:
        vended = assume_for(ctx, workload, role)
    except AwsError as error:
        record(ctx, error=error)
        raise
    record(ctx, vended.to_wire())
    return keep(world, place, vended)


def keep(world: World, place: tuple[str, ...], vended: Vended) -> Delivered:
    """Remember credentials for `place` until it is time to renew them."""
    session = vended.session
    early = max(EARLIEST_RENEWAL, (session.expires - session.issued) // 6)
    delivered = Delivered(vended, session.name, session.issued, session.expires - early)
    table = _kept(world)
    table[place] = delivered
    table.move_to_end(place)
    while len(table) > KEPT:
        table.popitem(last=False)
    return delivered


def assume_for(ctx: Context, workload: Workload, role: Role | None) -> Vended:
    """The session of the role that the service assumes for the workload. Raises AwsError: AccessDenied."""
    proof = Proof(
        method=workload.method,
        principal=Principal("service", workload.service),
        context=_service_keys(ctx.world, workload),
        lasting=workload.lasting,
        evidence=workload.evidence,
        denied=f"{workload.service} is not authorized to perform: sts:AssumeRole",
    )
    ask = Ask(
        session_name=workload.session_name,
        tags=workload.tags,
        transitive=tuple(workload.tags),
        policy=workload.policy,
        default_duration=workload.lifetime,
        by_service=True,
    )
    return assume(ctx, proof, "sts:AssumeRole", role, ask)


def service_context(server: Server, world: World, workload: Workload, role_arn: str) -> Context:
    """The call that the service makes to STS, as CloudTrail would show it."""
    return Context(
        server=server,
        world=world,
        service="sts",
        operation="AssumeRole",
        request_id=new_request_id(),
        region=workload.region,
        source_ip=workload.service,
        user_agent=workload.service,
        secure=True,
        parameters={
            "RoleArn": role_arn,
            "RoleSessionName": workload.session_name,
            "DurationSeconds": workload.lifetime,
        },
    )


def _service_keys(world: World, workload: Workload) -> Keys:
    account = workload.account if workload.arn else ""
    keys = service_keys(world, workload.service, source_arn=workload.arn, source_account=account)
    return {**keys, "aws:sourceip": ()}  # the call comes from inside AWS


def as_json(status: int, value: object) -> Response:
    """An answer with no other header than its type, as the endpoints of containers give it."""
    return Response(status, [("content-type", "application/json")], json.dumps(value).encode())


def _kept(world: World) -> OrderedDict[tuple[str, ...], Delivered]:
    table: OrderedDict[tuple[str, ...], Delivered] | None = world.touched("workload", "credentials")
    if table is None:
        table = OrderedDict()
        world.touch("workload", "credentials", table)
    return table
