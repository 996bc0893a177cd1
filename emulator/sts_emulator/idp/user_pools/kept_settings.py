"""Settings that are kept and told, and change nothing here: threat protection, and where logs are delivered.

No sign-in is judged for its risk here, and nothing is delivered: docs/cognito.md, "What is not there".
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sts_emulator.core.errors import AwsError
from sts_emulator.idp.user_pools.kinds import client_of, invalid, reach
from sts_emulator.idp.user_pools.pools import SETTING
from sts_emulator.policy.json_types import JsonObject
from sts_emulator.vending.context import Context
from sts_emulator.wire.dispatch import Result, operation

_DESTINATIONS = ("CloudWatchLogsConfiguration", "S3Configuration", "FirehoseConfiguration")


@operation("cognito-idp", "SetRiskConfiguration")
def set_risk_configuration(ctx: Context, *, UserPoolId: str, ClientId: str = "", **settings: JsonObject) -> Result:
    """Of a pool with threat protection, or of one of its clients; nothing at all resets it."""
    key = _risk_key(ctx, UserPoolId, ClientId)
    kept = {**settings, "LastModifiedDate": ctx.world.now()} if settings else {}
    if kept:
        ctx.world.put(SETTING, key, kept)
    else:
        ctx.world.take(SETTING, key)
    return {"RiskConfiguration": _risk(UserPoolId, ClientId, kept)}


@operation("cognito-idp", "DescribeRiskConfiguration")
def describe_risk_configuration(ctx: Context, *, UserPoolId: str, ClientId: str = "") -> Result:
    kept = ctx.world.get(SETTING, _risk_key(ctx, UserPoolId, ClientId))
    return {"RiskConfiguration": _risk(UserPoolId, ClientId, kept or {})}


@operation("cognito-idp", "SetLogDeliveryConfiguration")
def set_log_delivery_configuration(ctx: Context, *, UserPoolId: str, LogConfigurations: Iterable[JsonObject]) -> Result:
    """Where logs would go, each source to one place."""
    pool = reach(ctx, UserPoolId)
    wanted = [dict(configuration) for configuration in LogConfigurations]
    sources = [configuration["EventSource"] for configuration in wanted]
    if len(set(sources)) < len(sources):
        raise invalid("Duplicate event sources in LogConfigurations.")
    if any(sum(bool(configuration.get(name)) for name in _DESTINATIONS) != 1 for configuration in wanted):
        raise invalid("A log configuration has exactly one destination.")
    ctx.world.put(SETTING, f"{pool['id']}/logs", {"LogConfigurations": wanted})
    return _logs(UserPoolId, wanted)


@operation("cognito-idp", "GetLogDeliveryConfiguration")
def get_log_delivery_configuration(ctx: Context, *, UserPoolId: str) -> Result:
    pool = reach(ctx, UserPoolId)
    kept = ctx.world.get(SETTING, f"{pool['id']}/logs")
    return _logs(UserPoolId, kept["LogConfigurations"] if kept else [])


def _risk_key(ctx: Context, pool_id: str, client_id: str) -> str:
    pool = reach(ctx, pool_id)
    if client_id:
        client_of(ctx.world, client_id, pool_id)
    if pool["settings"].get("UserPoolAddOns", {}).get("AdvancedSecurityMode", "OFF") == "OFF":
        raise AwsError("UserPoolAddOnNotEnabledException", "User pool add-ons are not enabled for this user pool.")
    return f"{pool_id}/risk/{client_id}"


def _risk(pool: str, client: str, kept: Mapping[str, Any]) -> Result:
    return {"UserPoolId": pool, **({"ClientId": client} if client else {}), **kept}


def _logs(pool: str, configurations: Sequence[JsonObject]) -> Result:
    return {"LogDeliveryConfiguration": {"UserPoolId": pool, "LogConfigurations": configurations}}
