"""Which services policies let somebody use, and what the audit trail has of their use."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

from sts_emulator.catalogue import METHODS, SERVICES
from sts_emulator.core import clock
from sts_emulator.core.errors import AwsError
from sts_emulator.core.store import Kind
from sts_emulator.core.world import Body
from sts_emulator.policy.deciding.document import as_list, load
from sts_emulator.policy.json_types import JsonObject
from sts_emulator.policy.light_dataclass import dataclass
from sts_emulator.vending.context import Context
from sts_emulator.wire.dispatch import Result

_SHARED: Final = {"sso-admin": "sso", "sso-oidc": "sso"}  # models whose operations are of one service to IAM


@dataclass(frozen=True, slots=True)
class Use:
    """The last call of a service that the trail has, by one principal or account."""

    who: str
    at: int
    region: str


def services(texts: Iterable[str], asked: Sequence[str] = ()) -> set[str]:
    """The services in which policies together allow something and do not deny everything."""
    statements = [statement for text in texts for statement in as_list(load(text)["Statement"])]
    names = {name.lower() for name in asked} or known_services() | set(_spelt(statements))
    return {name for name in names if _allows(statements, name)}


def known_services() -> set[str]:
    """What a wildcard stands for: the services that are served here."""
    served = {service for method in METHODS + SERVICES for service in method.operations}
    return {_SHARED.get(service, service) for service in served}


def _spelt(statements: Iterable[JsonObject]) -> Iterable[str]:
    for statement in statements:
        for action in as_list(statement.get("Action", [])):
            name = action.partition(":")[0].lower()
            if name.replace("-", "").isalnum():
                yield name


def _allows(statements: Iterable[JsonObject], service: str) -> bool:
    allowed = False
    for statement in statements:
        if statement["Effect"] == "Allow":
            allowed = allowed or _covers(statement, service, whole=False)
        elif _is_on_everything(statement) and _covers(statement, service, whole=True):
            return False
    return allowed


def _is_on_everything(statement: JsonObject) -> bool:
    return not statement.get("Condition") and "*" in as_list(statement.get("Resource", []))


def _covers(statement: JsonObject, service: str, *, whole: bool) -> bool:
    """Whether a statement speaks of all actions of a service, or, where not `whole`, of any."""
    actions = [action.lower() for action in as_list(statement.get("Action", statement.get("NotAction", [])))]
    everything = any(action in ("*", f"{service}:*") for action in actions)
    named = everything or any(action.startswith(f"{service}:") for action in actions)
    if "NotAction" in statement:
        return not named if whole else not everything
    return everything if whole else named


async def uses(ctx: Context, whose: Callable[[Mapping[str, Any]], str]) -> dict[tuple[str, str], Use]:
    """The last use of each service by each of whom the audit trail tells; also calls that were refused count."""
    seen: dict[tuple[str, str], Use] = {}
    async for event in ctx.server.events.scan(ctx.world.name):
        record = event.record()
        who = whose(record)
        if who and record["userIdentity"].get("accessKeyId"):  # AWS does not report who did not sign
            place = (record["eventSource"].partition(".")[0], who)
            seen.setdefault(place, Use(who, int(clock.parse_iso(record["eventTime"])), record["awsRegion"]))
    return seen


def principal(record: Mapping[str, Any]) -> str:
    """The unique id of a user, or of a session's role."""
    return str(record["userIdentity"].get("principalId", "")).partition(":")[0]


def keep(ctx: Context, kind: Kind[Body], job: Body) -> str:
    identifier = str(uuid.uuid4())
    ctx.world.add(kind, identifier, job)
    return identifier


def done(job: Mapping[str, Any]) -> Result:
    return {"JobStatus": "COMPLETED", "JobCreationDate": job["at"], "JobCompletionDate": job["at"]}


def job_of(ctx: Context, kind: Kind[Body], identifier: str) -> Body:
    """A job of the caller's account. Raises AwsError."""
    job = ctx.world.get(kind, identifier)
    if job is None or job["account"] != ctx.identity.account:
        raise AwsError("NoSuchEntity", f"JobId {identifier} cannot be found.")
    return job
