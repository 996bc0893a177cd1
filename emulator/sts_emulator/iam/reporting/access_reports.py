"""Which services policies let people use, and when they last did: by user, role, group or policy.

Reports are ready at once, and when calls were made is known from the audit trail. Source: the operations' model; what
was recorded of them, docs/aws/iam.md, "Access reports".
"""

from __future__ import annotations

from collections.abc import Awaitable, Mapping, Sequence
from typing import Any, Unpack

from sts_emulator.accounts import documents
from sts_emulator.accounts.documents import LastAccessedJob
from sts_emulator.accounts.resources import Stored, managed_policy_text
from sts_emulator.core.world import World
from sts_emulator.iam.nouns import GROUP, POLICY, ROLE, USER, AnyNoun, listing
from sts_emulator.iam.paging import Paging, page
from sts_emulator.iam.permits import permit
from sts_emulator.iam.reporting.policy_sources import Source, reach_holder, sources
from sts_emulator.iam.reporting.service_use import done, job_of, keep, principal, services, uses
from sts_emulator.vending.context import Context
from sts_emulator.wire.dispatch import Result, operation

# -- by user, role, group or policy -------------------------------------------------------------------------------


@operation("iam", "GenerateServiceLastAccessedDetails")
def generate_service_last_accessed_details(ctx: Context, *, Arn: str, Granularity: str = "SERVICE_LEVEL") -> Result:
    """Start a report on the services that a user, group, role or policy allows; it is ready at once."""
    entities, texts = _named(ctx, Arn)
    job: LastAccessedJob = {
        "account": ctx.identity.account,
        "at": int(ctx.world.now()),
        "entities": entities,
        "granularity": Granularity,
        "services": sorted(services(texts)),
    }
    return {"JobId": keep(ctx, documents.LAST_ACCESSED_JOB, job)}


@operation("iam", "GetServiceLastAccessedDetails")
def get_service_last_accessed_details(
    ctx: Context, *, JobId: str, **paging: Unpack[Paging]
) -> Awaitable[Mapping[str, Any]]:
    """The report: each service that the policies name, and when this emulator last saw it called."""
    job = _job(ctx, JobId)
    return _last_accessed(ctx, job, paging)


async def _last_accessed(ctx: Context, job: LastAccessedJob, paging: Paging) -> Result:
    seen = await uses(ctx, principal)
    holders = _holders(ctx.world, job)

    def service(name: str) -> Result:
        calls = [use for entity in holders if (use := seen.get((name, entity)))]
        shown: Result = {"ServiceName": name, "ServiceNamespace": name, "TotalAuthenticatedEntities": len(calls)}
        last = max(calls, key=lambda use: use.at, default=None)
        if last is None:
            return shown
        return {
            **shown,
            "LastAuthenticated": last.at,
            "LastAuthenticatedEntity": holders[last.who][1]["arn"],
            "LastAuthenticatedRegion": last.region,
        }

    part = page(ctx, "ServicesLastAccessed", job["services"], paging, service)
    return {"JobType": job["granularity"], **done(job), **part}


@operation("iam", "GetServiceLastAccessedDetailsWithEntities")
def get_service_last_accessed_details_with_entities(
    ctx: Context, *, JobId: str, ServiceNamespace: str, **paging: Unpack[Paging]
) -> Awaitable[Mapping[str, Any]]:
    """Who of the report could use a service, and when they last did: the last first, then those who never did."""
    job = _job(ctx, JobId)
    return _with_entities(ctx, job, ServiceNamespace, paging)


async def _with_entities(ctx: Context, job: LastAccessedJob, service: str, paging: Paging) -> Result:
    seen = await uses(ctx, principal)
    holders = _holders(ctx.world, job) if service in job["services"] else {}

    def rank(identifier: str) -> tuple[int, str]:
        use = seen.get((service, identifier))
        return (-use.at if use else 0, holders[identifier][1]["arn"])

    def entity(identifier: str) -> Result:
        noun, holder = holders[identifier]
        use = seen.get((service, identifier))
        told = {
            "Arn": holder["arn"],
            "Name": holder["name"],
            "Type": noun.wire.upper(),
            "Id": identifier,
            "Path": holder["path"],
        }
        return {"EntityInfo": told, **({"LastAuthenticated": use.at} if use else {})}

    part = page(ctx, "EntityDetailsList", sorted(holders, key=rank), paging, entity)
    return {**done(job), **part}


def _named(ctx: Context, arn: str) -> tuple[list[str], list[str]]:
    """Who a report on an ARN is about, by unique ids, and the texts of the policies that count."""
    if ":policy/" in arn:
        permit(ctx, "GenerateServiceLastAccessedDetails", arn)
        text = managed_policy_text(ctx.world, arn)
        if text is None:
            raise POLICY.absent(arn)
        return _with_policy(ctx.world, ctx.identity.account, arn), [text]
    noun, holder = reach_holder(ctx, arn)
    texts = [source.text for source in sources(ctx.world, noun, holder)]
    return (_members(ctx.world, holder) if noun is GROUP else [holder["id"]]), texts


def _with_policy(world: World, account: str, arn: str) -> list[str]:
    """The users and roles to whom a policy is attached, to users by a group as well."""
    groups = {group["name"].lower() for group in listing(world, GROUP, account) if arn in group["attached"]}
    users = [
        user["id"]
        for user in listing(world, USER, account)
        if arn in user["attached"] or not groups.isdisjoint(name.lower() for name in user["groups"])
    ]
    return users + [role["id"] for role in listing(world, ROLE, account) if arn in role["attached"]]


def _members(world: World, group: Stored) -> list[str]:
    users = listing(world, USER, group["account"])
    return [user["id"] for user in users if group["name"].lower() in (name.lower() for name in user["groups"])]


def _holders(world: World, job: LastAccessedJob) -> dict[str, tuple[AnyNoun, Stored]]:
    """Those of a report who are still there, by id."""
    known: dict[str, tuple[AnyNoun, Stored]] = {}
    for identifier in job.get("entities", ()):
        noun: AnyNoun = ROLE if identifier.startswith(ROLE.prefix) else USER
        holder = world.find(noun.kind, identifier)
        if holder is not None:
            known[identifier] = (noun, holder)
    return known


def _job(ctx: Context, identifier: str) -> LastAccessedJob:
    permit(ctx, ctx.operation, "*")
    return job_of(ctx, documents.LAST_ACCESSED_JOB, identifier)


# -- the policies behind a service --------------------------------------------------------------------------------


@operation("iam", "ListPoliciesGrantingServiceAccess")
def list_policies_granting_service_access(
    ctx: Context, *, Arn: str, ServiceNamespaces: Sequence[str], Marker: str | None = None
) -> Result:
    """For each service the policies of a user, group or role that let it do something there.

    Each policy is looked at alone; conditions and resources are not (what is recorded of resources is less than a
    rule).
    """
    noun, holder = reach_holder(ctx, Arn)
    listed = sources(ctx.world, noun, holder)

    def entry(service: str) -> Result:
        granting = [_granting(source) for source in listed if service.lower() in services([source.text], [service])]
        return {"ServiceNamespace": service, "Policies": granting}

    return page(ctx, "PoliciesGrantingServiceAccess", list(dict.fromkeys(ServiceNamespaces)), {"Marker": Marker}, entry)


def _granting(source: Source) -> dict[str, str]:
    if source.arn:
        name = source.arn.rsplit("/", 1)[1]
        return {"PolicyName": name, "PolicyType": "MANAGED", "PolicyArn": source.arn}
    kind, name = source.holder
    return {"PolicyName": source.name, "PolicyType": "INLINE", "EntityType": kind.upper(), "EntityName": name}
