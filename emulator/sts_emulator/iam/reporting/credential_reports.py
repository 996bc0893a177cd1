"""The credential report: passwords, keys and second factors of all users, as CSV."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Collection, Mapping
from typing import Any

from sts_emulator.accounts import documents, password_rules
from sts_emulator.accounts.documents import AccessKey, User
from sts_emulator.core import clock
from sts_emulator.core.errors import AwsError
from sts_emulator.core.names import root_arn
from sts_emulator.core.store import Kind
from sts_emulator.core.world import Body
from sts_emulator.iam.credentials import signing_certificates
from sts_emulator.iam.nouns import MFA_DEVICE, USER
from sts_emulator.iam.permits import permit
from sts_emulator.iam.reporting import account
from sts_emulator.vending.context import Context
from sts_emulator.wire.dispatch import Result, operation

LIFETIME = 4 * 3600  # a report is good for four hours (UG id_credentials_getting-report)
NONE = "N/A"
SLICE = 50  # documents between which others have their turn: about a millisecond
COLUMNS = (
    *("user", "arn", "user_creation_time", "password_enabled", "password_last_used", "password_last_changed"),
    *("password_next_rotation", "mfa_active"),
    *(
        f"access_key_{number}_{what}"
        for number in (1, 2)
        for what in ("active", "last_rotated", "last_used_date", "last_used_region", "last_used_service")
    ),
    *("cert_1_active", "cert_1_last_rotated", "cert_2_active", "cert_2_last_rotated"),
)


@operation("iam", "GenerateCredentialReport")
def generate_credential_report(ctx: Context) -> Mapping[str, Any] | Awaitable[Mapping[str, Any]]:
    """Write the report unless there is a fresh one; it is ready at once, though the first answer is `STARTED`."""
    permit(ctx, "GenerateCredentialReport", "*")
    report = ctx.world.get(documents.CREDENTIAL_REPORT, ctx.identity.account)
    now = int(ctx.world.now())
    if report is not None and now - report["at"] < LIFETIME:
        return {"State": "COMPLETE"}
    return _generate(ctx, now, is_first=report is None)


async def _generate(ctx: Context, now: int, *, is_first: bool) -> Result:
    ctx.world.take_time(ctx.server.worlds.store)
    text = await _report(ctx)
    report = documents.CredentialReport(at=now, text=text)
    ctx.world.put(documents.CREDENTIAL_REPORT, ctx.identity.account, report)
    if is_first:
        return {"State": "STARTED", "Description": "No report exists. Starting a new report generation task"}
    return {"State": "STARTED"}


@operation("iam", "GetCredentialReport")
def get_credential_report(ctx: Context) -> Result:
    """The report as CSV."""
    permit(ctx, "GetCredentialReport", "*")
    report = ctx.world.get(documents.CREDENTIAL_REPORT, ctx.identity.account)
    if report is None:
        raise AwsError("ReportNotPresent")
    if int(ctx.world.now()) - report["at"] >= LIFETIME:
        raise AwsError("ReportExpired")
    return {"Content": report["text"].encode(), "ReportFormat": "text/csv", "GeneratedTime": report["at"]}


async def _report(ctx: Context) -> str:
    """As CSV. What is kept is read in slices, so that others have their turn."""
    own = f"{ctx.identity.account}/"
    keys: dict[str, list[AccessKey]] = {}
    async for key in _all(ctx, documents.ACCESS_KEY, ""):
        if key["account"] == ctx.identity.account:
            keys.setdefault(key["user"].lower(), []).append(key)
    kinds: tuple[Kind[Any], ...] = (MFA_DEVICE.kind, documents.FIDO_DEVICE)
    owners = {device["owner"] for kind in kinds async for device in _all(ctx, kind, own)}
    users = [
        _user_row(ctx, user, keys.get(user["name"].lower(), []), owners) async for user in _all(ctx, USER.kind, own)
    ]
    rows = [_root_row(ctx, keys.get("", []), owners), *sorted(users, key=lambda row: row["user"])]
    return "\n".join([",".join(COLUMNS), *map(_line, rows)])


async def _all(ctx: Context, kind: Kind[Body], prefix: str) -> AsyncIterator[Body]:
    """All documents of a kind below a prefix; others have their turn after every few."""
    from asyncio import sleep

    after = ""
    while rows := ctx.world.page_keys(kind, prefix, after, SLICE):
        for after, body in rows:  # noqa: B007 - the last one counts
            yield body
        await sleep(0)


def _line(row: Mapping[str, str]) -> str:
    return ",".join(str(row.get(column, NONE)) for column in COLUMNS)


def _root_row(ctx: Context, keys: list[AccessKey], owners: Collection[str]) -> dict[str, str]:
    name = ctx.identity.account
    created = account.settings(ctx.world, name).get("created", ctx.world.now())
    return {
        "user": "<root_account>",
        "arn": root_arn(name),
        "user_creation_time": clock.iso(created),
        "password_enabled": "not_supported",
        "password_last_used": "no_information",
        "password_last_changed": "not_supported",
        "password_next_rotation": "not_supported",
        "mfa_active": _truth(name in owners),
        **_keys(ctx, keys),
        **_certificates(ctx, name),
    }


def _user_row(ctx: Context, user: User, keys: list[AccessKey], owners: Collection[str]) -> dict[str, str]:
    row = {
        "user": user["name"],
        "arn": user["arn"],
        "user_creation_time": clock.iso(user["created"]),
        "password_enabled": _truth(user.get("password")),
        "mfa_active": _truth(user["id"] in owners),
        **_keys(ctx, keys),
        **_certificates(ctx, user["id"]),
    }
    if user.get("password"):
        rotation = password_rules.expires(ctx.world, user)
        used = user["password"].get("used")
        row["password_last_used"] = clock.iso(used) if used else "no_information"
        row["password_last_changed"] = clock.iso(user["password"]["changed"])
        row["password_next_rotation"] = clock.iso(rotation) if rotation else NONE
    return row


def _keys(ctx: Context, keys: list[AccessKey]) -> dict[str, str]:
    """Columns of two keys, those that are switched on first."""
    ordered = sorted(keys, key=lambda key: (key["status"] != "Active", key["created"]))
    row = {f"access_key_{number}_active": "false" for number in (1, 2)}
    for number, key in enumerate(ordered[:2], 1):
        used, region, service = ctx.world.touched(documents.ACCESS_KEY, key["id"]) or (0, NONE, NONE)
        row[f"access_key_{number}_active"] = _truth(key["status"] == "Active")
        row[f"access_key_{number}_last_rotated"] = clock.iso(key["created"])
        row[f"access_key_{number}_last_used_date"] = clock.iso(int(used)) if used else NONE
        row[f"access_key_{number}_last_used_region"] = region
        row[f"access_key_{number}_last_used_service"] = service
    return row


def _certificates(ctx: Context, owner: str) -> dict[str, str]:
    row = {f"cert_{number}_active": "false" for number in (1, 2)}
    for number, certificate in enumerate(signing_certificates.of_owner(ctx.world, owner)[:2], 1):
        row[f"cert_{number}_active"] = _truth(certificate["status"] == "Active")
        row[f"cert_{number}_last_rotated"] = clock.iso(certificate["created"])
    return row


def _truth(value: object) -> str:
    return "true" if value else "false"
