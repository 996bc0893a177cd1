"""Which services control policies let an organization's accounts use, and when they last did.

Source: the operations' model; what was recorded of them, docs/aws/iam.md, "Access reports".
"""

from __future__ import annotations

from collections.abc import Awaitable, Mapping
from typing import Any, Unpack

from sts_emulator.accounts import documents, organizations
from sts_emulator.accounts.documents import Organization, OrganizationsJob
from sts_emulator.core.names import iam_arn
from sts_emulator.iam.paging import Paging, page
from sts_emulator.iam.permits import permit
from sts_emulator.iam.reporting.service_use import done, job_of, keep, known_services, services, uses
from sts_emulator.vending.authorize import access_denied, consult
from sts_emulator.vending.context import Context
from sts_emulator.wire.dispatch import Result, operation

READS = ("DescribePolicy", "ListChildren", "ListParents", "ListPoliciesForTarget", "ListRoots", "ListTargetsForPolicy")
"""UG reference_policies_examples_iam_service-accessed-data-orgs."""
NOT_READ = "Requester is not authorized to perform the required AWS Organizations Describe* and List* actions."
NO_ENTITY = "The entity with the specified path does not exist in your organization."
NO_POLICY = "The policy with the specified ID does not exist in your organization."


@operation("iam", "GenerateOrganizationsAccessReport")
def generate_organizations_access_report(ctx: Context, *, EntityPath: str, OrganizationsPolicyId: str = "") -> Result:
    """Start a report on the services that SCPs let a root, a unit or an account use; it is ready at once.

    Raises:
        AwsError: AccessDenied for all but the management account of an organization with SCPs.
    """
    keys = {"iam:organizationspolicyid": (OrganizationsPolicyId,)} if OrganizationsPolicyId else {}
    permit(ctx, ctx.operation, iam_arn(ctx.identity.account, "access-report", "/", EntityPath), keys)
    org = _managed(ctx)
    if EntityPath.partition("/")[0] != org["id"]:
        raise access_denied("The entity path is not of your organization.")
    job: Any = {
        "account": ctx.identity.account,
        "at": int(ctx.world.now()),
        **_about(ctx, org, EntityPath, OrganizationsPolicyId),
    }
    return {"JobId": keep(ctx, documents.ORGANIZATIONS_JOB, job)}


@operation("iam", "GetOrganizationsAccessReport")
def get_organizations_access_report(
    ctx: Context, *, JobId: str, SortKey: str = "SERVICE_NAMESPACE_ASCENDING", **paging: Unpack[Paging]
) -> Mapping[str, Any] | Awaitable[Mapping[str, Any]]:
    """The report, or why there is none."""
    permit(ctx, ctx.operation, "*")
    _managed(ctx)
    job = job_of(ctx, documents.ORGANIZATIONS_JOB, JobId)
    if "failed" in job:
        code, message = job["failed"]
        return {**done(job), "JobStatus": "FAILED", "ErrorDetails": {"Code": code, "Message": message}}
    return _organization_report(ctx, job, SortKey, paging)


async def _organization_report(ctx: Context, job: OrganizationsJob, order: str, paging: Paging) -> Result:
    seen = await uses(ctx, lambda record: str(record.get("recipientAccountId", "")))
    paths = job["accounts"]
    last = {name: [use for account in paths if (use := seen.get((name, account)))] for name in job["services"]}

    def detail(name: str) -> Result:
        shown: Result = {"ServiceName": name, "ServiceNamespace": name, "TotalAuthenticatedEntities": len(last[name])}
        use = max(last[name], key=lambda use: use.at, default=None)
        if use is None:
            return shown
        return {**shown, "LastAuthenticatedTime": use.at, "Region": use.region, "EntityPath": paths[use.who]}

    def newest(name: str) -> int:
        return max((use.at for use in last[name]), default=0)

    names = sorted(job["services"], key=newest) if "TIME" in order else job["services"]
    ordered = names[::-1] if order.endswith("DESCENDING") else names
    part = page(ctx, "AccessDetails", ordered, paging, detail)
    counts = {
        "NumberOfServicesAccessible": len(last),
        "NumberOfServicesNotAccessed": sum(not uses for uses in last.values()),
    }
    return {**done(job), **counts, **part}


def _managed(ctx: Context) -> Organization:
    org = organizations.organization(ctx.world)
    if org is None or org["management"] != ctx.identity.account:
        raise access_denied("You must call this operation from the management account of your organization.")
    if organizations.SERVICE_CONTROL not in organizations.enabled(org):
        raise access_denied("Service control policies are not enabled for your organization.")
    return org


def _about(ctx: Context, org: Organization, path: str, policy: str) -> Result:
    """The services and accounts of a report, or the code and sentence of why there can be none."""
    place = path.rpartition("/")[2]
    if not _may_read(ctx):
        return {"failed": ["ORGANIZATIONS_REPORT_ACCESS_DENIED", NOT_READ]}
    if place not in {*org["parents"], org["root"]} or organizations.path(org, place) != f"{path}/":
        return {"failed": ["INVALID_ORGANIZATIONS_ENTITY_PATH", NO_ENTITY]}
    if place == org["management"]:  # which no SCP limits
        return {"services": sorted(known_services()), "accounts": {place: path}}
    known = {**organizations.aws_policies(), **org["policies"]}
    control = {name: its for name, its in known.items() if its["type"] == organizations.SERVICE_CONTROL}
    if policy and policy not in control:
        return {"failed": ["INVALID_ORGANIZATIONS_POLICY", NO_POLICY]}
    paths = {account: organizations.path(org, account)[:-1] for account in org["parents"] if account.isdigit()}
    below = {
        account: its
        for account, its in paths.items()
        if account != org["management"] and f"{its}/".startswith(f"{path}/")
    }
    if policy:
        targets = set(control[policy]["targets"])
        limited = {account: its for account, its in below.items() if not targets.isdisjoint(its.split("/"))}
        return {"services": sorted(services([control[policy]["text"]])), "accounts": limited}
    levels = [[its["text"] for its in control.values() if level in its["targets"]] for level in path.split("/")[1:]]
    return {"services": sorted(set.intersection(*map(services, levels))), "accounts": below}


def _may_read(ctx: Context) -> bool:
    """Whether the caller may read the organization, with which AWS makes the report.

    AWS's guide names the actions; here each of them is asked for.
    """
    return all(consult(ctx, ctx.identity, f"organizations:{action}", "*", {}).allowed for action in READS)
