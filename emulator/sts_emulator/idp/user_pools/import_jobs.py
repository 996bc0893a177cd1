"""User import jobs: made with an address for a file, started once it is there, and told what became of each row.

Source: Cognito's developer guide, "Importing users into user pools from a CSV file". What AWS writes to CloudWatch Logs
of each row stands in the evidence of the call that started the job.
"""

from __future__ import annotations

import asyncio
import secrets
from collections import Counter
from typing import Final, NotRequired, TypedDict
from urllib.parse import quote

from sts_emulator.accounts import resources
from sts_emulator.control_plane.reach import required
from sts_emulator.core.errors import AwsError
from sts_emulator.core.store import Kind
from sts_emulator.core.world import World
from sts_emulator.idp.user_pools import imported_users
from sts_emulator.idp.user_pools.kinds import PAGES, Pool, not_found, reach, unsupported
from sts_emulator.idp.user_pools.pools import LETTERS
from sts_emulator.policy.deciding.document import parse
from sts_emulator.policy.deciding.engine import PolicySet, Principal
from sts_emulator.vending.authorize import authorize, consult_unsigned
from sts_emulator.vending.context import Context
from sts_emulator.vending.credentials import seal, unseal
from sts_emulator.wire.dispatch import Result, operation


class Job(TypedDict):
    """An import job; counts and texts are the wire's."""

    id: str
    pool: str
    account: str
    name: str
    role: str
    url: str
    status: str
    created: float
    imported: int
    skipped: int
    failed: int
    started: NotRequired[float]
    completed: NotRequired[float]
    message: NotRequired[str]


class Upload(TypedDict):
    """The file of a job that has not run yet."""

    text: str


JOB: Final[Kind[Job]] = Kind("user-pool-import")  # key: `POOL/id`
UPLOAD: Final[Kind[Upload]] = Kind("user-pool-import-file")  # key: likewise
SERVICE: Final = "cognito-idp.amazonaws.com"

_LIFETIME: Final = 86_400  # of a job that nobody starts: AWS says 24 to 48 hours
_UPLOAD_LIFETIME: Final = 900
_ACTIVE: Final = ("Pending", "InProgress")
_AT_A_TIME: Final = 50  # rows, after which others have their turn
_TOLD: Final = 100  # rows of whose fate the event tells
_PURPOSE: Final = "user-pool-import"
_STOPPED: Final = "The Import Job was stopped by the developer."
_EXPIRED: Final = "The user import job has expired."
_DONE: Final = "Import Job Completed Successfully."
_TOO_MANY: Final = "Too many users have failed or been skipped during the import."


@operation("cognito-idp", "GetCSVHeader")
def get_csvheader(ctx: Context, *, UserPoolId: str) -> Result:
    """The columns of a file for this pool."""
    return {"UserPoolId": UserPoolId, "CSVHeader": imported_users.header(reach(ctx, UserPoolId))}


@operation("cognito-idp", "CreateUserImportJob")
def create_user_import_job(
    ctx: Context, *, JobName: str, UserPoolId: str, CloudWatchLogsRoleArn: str, PasswordHashingAlgorithm: str = ""
) -> Result:
    """A job, and where its file is to be put."""
    pool = reach(ctx, UserPoolId)
    if PasswordHashingAlgorithm:
        raise unsupported(
            "PasswordHashingAlgorithm (of a password its SRP verifier is stored, which no other hash leads to)"
        )
    authorize(ctx, "iam:PassRole", CloudWatchLogsRoleArn, {"iam:passedtoservice": (SERVICE,)})
    identifier = f"import-{''.join(secrets.choice(LETTERS) for _ in range(10))}"
    now = ctx.world.now()
    until = int(now) + _UPLOAD_LIFETIME
    proof = seal(ctx.world, f"{_PURPOSE}:{pool['id']}/{identifier}", str(until).encode())
    job = Job(
        id=identifier,
        pool=pool["id"],
        account=pool["account"],
        name=JobName,
        role=CloudWatchLogsRoleArn,
        url=f"{ctx.base_url}/user-pools/{quote(pool['id'])}/imports/{identifier}?signature={proof}",
        status="Created",
        created=now,
        imported=0,
        skipped=0,
        failed=0,
    )
    ctx.world.add(JOB, _key(job), job)
    return {"UserImportJob": _shown(job)}


@operation("cognito-idp", "DescribeUserImportJob")
def describe_user_import_job(ctx: Context, *, UserPoolId: str, JobId: str) -> Result:
    return {"UserImportJob": _shown(_job(ctx, reach(ctx, UserPoolId), JobId))}


@operation("cognito-idp", "ListUserImportJobs")
def list_user_import_jobs(
    ctx: Context, *, UserPoolId: str, MaxResults: int, PaginationToken: str | None = None
) -> Result:
    """The pool's jobs, the newest first."""
    pool = reach(ctx, UserPoolId)
    jobs = [_current(ctx.world, job) for job in ctx.world.page(JOB, f"{pool['id']}/")]
    newest = sorted(jobs, key=lambda job: job["created"], reverse=True)
    return PAGES.page(ctx, "UserImportJobs", newest, PaginationToken, MaxResults, _shown)


@operation("cognito-idp", "StartUserImportJob")
async def start_user_import_job(ctx: Context, *, UserPoolId: str, JobId: str) -> Result:
    """Import what the file has. As on AWS the answer says Pending; DescribeUserImportJob tells what became of it."""
    world, pool = ctx.world, reach(ctx, UserPoolId)
    with world.unit(lock=True):
        job = _job(ctx, pool, JobId)
        if job["status"] != "Created":
            raise _unmet(f"The import job is in the status {job['status']} and cannot be started.")
        if not pool["settings"].get("AutoVerifiedAttributes"):
            raise _unmet("The user pool has no auto-verified attributes.")
        if any(other["status"] in _ACTIVE and other["account"] == job["account"] for other in world.page(JOB)):
            raise _unmet("Another import job of this account is in progress.")
        upload = world.take(UPLOAD, _key(job))
        if upload is None:
            raise _unmet("The import job has no file: put one where PreSignedUrl says.")
        job = _change(world, job, status="Pending", started=world.now())
    await _run(ctx, pool, job, upload["text"])
    return {"UserImportJob": _shown(job)}


@operation("cognito-idp", "StopUserImportJob")
def stop_user_import_job(ctx: Context, *, UserPoolId: str, JobId: str) -> Result:
    """Stop a job that is running: no further row is imported."""
    with ctx.world.unit(lock=True):
        job = _job(ctx, reach(ctx, UserPoolId), JobId)
        if job["status"] not in _ACTIVE:
            raise _unmet(f"The import job is in the status {job['status']} and cannot be stopped.")
        stopped = _change(ctx.world, job, status="Stopped", completed=ctx.world.now(), message=_STOPPED)
    return {"UserImportJob": _shown(stopped)}


def put(world: World, pool_id: str, job_id: str, proof: str, body: bytes) -> None:
    """Keep the file of a job, for who shows the signature of its address.

    Raises:
        AwsError: AccessDenied: not the address that was given, or one that is over; InvalidRequest: no such text.
    """
    key = f"{pool_id}/{job_id}"
    until = unseal(world, f"{_PURPOSE}:{key}", proof) if proof else None
    if until is None or int(until) <= world.now():
        raise AwsError("AccessDenied", "Access Denied" if until is None else "Request has expired", status=403)
    job = world.get(JOB, key)
    if job is None or job["status"] != "Created":
        raise AwsError("AccessDenied", "Access Denied", status=403)
    try:
        text = body.decode()
    except UnicodeDecodeError:
        text = ""  # what is no UTF-8 has no header that fits, and the job fails as it is started
    world.put(UPLOAD, key, Upload(text=text))


async def _run(ctx: Context, pool: Pool, job: Job, text: str) -> None:
    """Import row by row; others have their turn in between, and may stop it."""
    world = ctx.world
    told: list[str] = []
    if fault := _role_fault(ctx, job["role"]) or imported_users.fault(pool, text):
        ctx.evidence["refused"] = fault
        with world.unit(lock=True):
            _change(world, job, status="Failed", completed=world.now(), message=fault)
        return
    with world.unit(lock=True):
        job = _change(world, job, status="InProgress")
    ctx.evidence["rows"] = told
    rows = imported_users.rows(text)
    for begin in range(0, len(rows), _AT_A_TIME):
        outcomes = [
            (number, *imported_users.take(world, pool, row)) for number, row in rows[begin : begin + _AT_A_TIME]
        ]
        lines = [f"[{outcome}] Line Number {number} - {why}" for number, outcome, why in outcomes]
        told += lines[: _TOLD - len(told)]
        counted = Counter(outcome for _, outcome, _ in outcomes)
        with world.unit(lock=True):
            known = world.get(JOB, _key(job))
            if known is None:  # it went with its pool
                return
            job = _change(
                world,
                known,
                imported=known["imported"] + counted["SUCCEEDED"],
                skipped=known["skipped"] + counted["SKIPPED"],
                failed=known["failed"] + counted["FAILED"],
            )
        if job["status"] != "InProgress":
            return
        await asyncio.sleep(0)
        world.refresh()
    with world.unit(lock=True):
        job = world.get(JOB, _key(job)) or job
        if job["status"] != "InProgress":
            return
        # AWS gives no number of rows that are too many; in its examples none was imported.
        is_failed = bool(rows) and not job["imported"]
        status, message = ("Failed", _TOO_MANY) if is_failed else ("Succeeded", _DONE)
        _change(world, job, status=status, completed=world.now(), message=message)


def _role_fault(ctx: Context, arn: str) -> str:
    """Why Cognito cannot write its log with the role, or nothing."""
    role = resources.role_by_arn(ctx.world, arn)
    if role is None or role["account"] != ctx.identity.account:
        return "The CloudWatch Logs role does not exist."
    service, account = Principal("service", SERVICE), role["account"]
    trusting = PolicySet(trust=parse(role["trust"]), resource_account=account)
    if consult_unsigned(ctx, service, "sts:AssumeRole", arn, {}, trusting).verdict != "allow":
        return "The CloudWatch Logs role cannot be assumed."
    session = Principal("assumed-role", arn, account, role_arn=arn, id=role["id"])
    allowing = PolicySet(
        identity=resources.principal_documents(ctx.world, "role", role),
        boundary=resources.boundary_document(ctx.world, role),
        resource_account=account,
    )
    group = f"arn:aws:logs:{ctx.region}:{account}:log-group:/aws/cognito/userpools:log-stream:import"
    if consult_unsigned(ctx, session, "logs:PutLogEvents", group, {}, allowing).verdict != "allow":
        return "The CloudWatch Logs role has no permission to write logs."
    return ""


def _job(ctx: Context, pool: Pool, identifier: str) -> Job:
    job = ctx.world.get(JOB, f"{pool['id']}/{identifier}")
    return _current(ctx.world, required(job, not_found(f"User import job {identifier} does not exist.")))


def _current(world: World, job: Job) -> Job:
    """A job that nobody started in time is over."""
    over = job["created"] + _LIFETIME
    if job["status"] != "Created" or world.now() < over:
        return job
    return {**job, "status": "Expired", "completed": over, "message": _EXPIRED}


def _change(world: World, job: Job, **changes: object) -> Job:
    changed: Job = {**job, **changes}  # type: ignore[typeddict-item]  # members by name
    world.put(JOB, _key(job), changed)
    return changed


def _unmet(message: str) -> AwsError:
    """AWS's sentences are not recorded; these are ours."""
    return AwsError("PreconditionNotMetException", message)


def _key(job: Job) -> str:
    return f"{job['pool']}/{job['id']}"


def _shown(job: Job) -> Result:
    later = {"StartDate": "started", "CompletionDate": "completed", "CompletionMessage": "message"}
    return {
        "JobId": job["id"],
        "JobName": job["name"],
        "UserPoolId": job["pool"],
        "PreSignedUrl": job["url"],
        "CloudWatchLogsRoleArn": job["role"],
        "Status": job["status"],
        "CreationDate": job["created"],
        "ImportedUsers": job["imported"],
        "SkippedUsers": job["skipped"],
        "FailedUsers": job["failed"],
        **{member: job[name] for member, name in later.items() if name in job},  # type: ignore[literal-required]  # by name
    }
