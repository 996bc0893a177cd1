"""Domains and resource servers of a user pool: where its managed login is, and which scopes that gives."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from sts_emulator.control_plane.reach import required
from sts_emulator.idp.user_pools.kinds import Pool, invalid, not_found, page, reach, unsupported
from sts_emulator.idp.user_pools.pools import DOMAIN, RESOURCE_SERVER, Domain, ResourceServer, domain_of
from sts_emulator.vending.authorize import authorize
from sts_emulator.vending.context import Context
from sts_emulator.wire.dispatch import Result, operation

_CLOUD_FRONT = "d3oia8etllorh5.cloudfront.net"  # made up: nothing is served there


# -- domains ---------------------------------------------------------------------------------------------------------


@operation("cognito-idp", "CreateUserPoolDomain")
def create_user_pool_domain(
    ctx: Context,
    *,
    Domain: str,
    UserPoolId: str,
    ManagedLoginVersion: int = 1,
    CustomDomainConfig: Mapping[str, str] | None = None,
    **others: object,
) -> Result:
    """Reserve a prefix for a pool, in the whole region, or a domain of the customer's own."""
    pool = reach(ctx, UserPoolId)
    made = _wanted(pool, Domain, ManagedLoginVersion, CustomDomainConfig, others)
    if ctx.world.get(DOMAIN, Domain) is not None:
        raise invalid(f"Domain already associated with another user pool: {Domain}")
    if domain_of(ctx.world, pool):
        raise invalid("User pool already has a domain configured.")
    ctx.world.add(DOMAIN, Domain, made)
    return _told(made)


@operation("cognito-idp", "DescribeUserPoolDomain")
def describe_user_pool_domain(ctx: Context, *, Domain: str) -> Result:
    """A domain; one that is not there is described by nothing, as AWS does."""
    authorize(ctx, "cognito-idp:DescribeUserPoolDomain", "*")
    domain = ctx.world.get(DOMAIN, Domain)
    if domain is None:
        return {"DomainDescription": {}}
    told: Result = {
        "UserPoolId": domain["pool"],
        "AWSAccountId": ctx.identity.account,
        "Domain": domain["name"],
        "S3Bucket": f"aws-cognito-prod-{ctx.region}-assets",
        "CloudFrontDistribution": _CLOUD_FRONT,
        "Version": "20260101000000",
        "Status": "ACTIVE",
        "CustomDomainConfig": domain.get("custom", {}),
        "ManagedLoginVersion": domain["version"],
    }
    return {"DomainDescription": told}


@operation("cognito-idp", "UpdateUserPoolDomain")
def update_user_pool_domain(
    ctx: Context,
    *,
    Domain: str,
    UserPoolId: str,
    ManagedLoginVersion: int = 1,
    CustomDomainConfig: Mapping[str, str] | None = None,
    **others: object,
) -> Result:
    """Change which pages the domain is for, or its certificate."""
    pool = reach(ctx, UserPoolId)
    _domain(ctx, pool, Domain)
    changed = _wanted(pool, Domain, ManagedLoginVersion, CustomDomainConfig, others)
    ctx.world.put(DOMAIN, Domain, changed)
    return _told(changed)


@operation("cognito-idp", "DeleteUserPoolDomain")
def delete_user_pool_domain(ctx: Context, *, Domain: str, UserPoolId: str) -> Result:
    _domain(ctx, reach(ctx, UserPoolId), Domain)
    ctx.world.take(DOMAIN, Domain)
    return {}


def _domain(ctx: Context, pool: Pool, name: str) -> Domain:
    domain = ctx.world.get(DOMAIN, name)
    if domain is None or domain["pool"] != pool["id"]:
        raise invalid("No such domain or user pool exists.")
    return domain


def _wanted(
    pool: Pool, name: str, version: int, custom: Mapping[str, str] | None, others: Mapping[str, object]
) -> Domain:
    """A prefix has no dot, and another domain has a certificate; who owns a domain, nobody here can tell."""
    for member, value in others.items():
        if value:
            raise unsupported(member)
    if ("." in name) != bool(custom):
        raise invalid(f"Domain {name} does not go with CustomDomainConfig." if custom else f"Invalid domain: {name}")
    reserved = next((word for word in ("aws", "amazon", "cognito") if word in name), "")
    if reserved and not custom:
        raise invalid(f"Domain cannot contain reserved word: {reserved}")
    wanted: Domain = {"name": name, "pool": pool["id"], "version": version}
    if custom:
        wanted["custom"] = dict(custom)
    return wanted


def _told(domain: Domain) -> Result:
    place = {"CloudFrontDomain": _CLOUD_FRONT} if "custom" in domain else {}
    return {"ManagedLoginVersion": domain["version"], **place}


# -- resource servers ------------------------------------------------------------------------------------------------


@operation("cognito-idp", "CreateResourceServer")
def create_resource_server(
    ctx: Context, *, UserPoolId: str, Identifier: str, Name: str, Scopes: Iterable[Mapping[str, str]] | None = None
) -> Result:
    pool = reach(ctx, UserPoolId)
    key = f"{pool['id']}/{Identifier}"
    if ctx.world.get(RESOURCE_SERVER, key) is not None:
        raise invalid(f"{Identifier} already exists in user pool {UserPoolId}.")
    server = _server(UserPoolId, Identifier, Name, Scopes)
    ctx.world.add(RESOURCE_SERVER, key, server)
    return {"ResourceServer": _shown(server)}


@operation("cognito-idp", "DescribeResourceServer")
def describe_resource_server(ctx: Context, *, UserPoolId: str, Identifier: str) -> Result:
    return {"ResourceServer": _shown(_reach_server(ctx, UserPoolId, Identifier))}


@operation("cognito-idp", "UpdateResourceServer")
def update_resource_server(
    ctx: Context, *, UserPoolId: str, Identifier: str, Name: str, Scopes: Iterable[Mapping[str, str]] | None = None
) -> Result:
    _reach_server(ctx, UserPoolId, Identifier)
    server = _server(UserPoolId, Identifier, Name, Scopes)
    ctx.world.put(RESOURCE_SERVER, f"{UserPoolId}/{Identifier}", server)
    return {"ResourceServer": _shown(server)}


@operation("cognito-idp", "DeleteResourceServer")
def delete_resource_server(ctx: Context, *, UserPoolId: str, Identifier: str) -> Result:
    _reach_server(ctx, UserPoolId, Identifier)
    ctx.world.take(RESOURCE_SERVER, f"{UserPoolId}/{Identifier}")
    return {}


@operation("cognito-idp", "ListResourceServers")
def list_resource_servers(
    ctx: Context, *, UserPoolId: str, MaxResults: int | None = None, NextToken: str | None = None
) -> Result:
    pool = reach(ctx, UserPoolId)
    servers = ctx.world.page(RESOURCE_SERVER, f"{pool['id']}/")
    return page(ctx, "ResourceServers", servers, NextToken, MaxResults, _shown)


def _server(pool: str, identifier: str, name: str, scopes: Iterable[Mapping[str, str]] | None) -> ResourceServer:
    return {
        "UserPoolId": pool,
        "Identifier": identifier,
        "Name": name,
        "Scopes": [dict(scope) for scope in scopes or ()],
    }


def _shown(server: ResourceServer) -> Any:
    return server  # as the wire has it


def _reach_server(ctx: Context, pool_id: str, identifier: str) -> ResourceServer:
    server = ctx.world.get(RESOURCE_SERVER, f"{reach(ctx, pool_id)['id']}/{identifier}")
    return required(server, not_found(f"Resource server {identifier} does not exist."))
