"""Trusted token issuers: whose tokens applications may bring for a user of the directory."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

from sts_emulator.accounts import directory
from sts_emulator.accounts.directory import Instance, TrustedTokenIssuer
from sts_emulator.accounts.documents import changed
from sts_emulator.identity import resource_tags
from sts_emulator.identity.permission import conflict, invalid, manage, page, reach_by_arn
from sts_emulator.policy.json_types import JsonObject
from sts_emulator.vending.context import Context
from sts_emulator.vending.tags import tag_keys
from sts_emulator.wire.dispatch import Result, operation

KIND = "OIDC_JWT"


@operation("sso-admin", "CreateTrustedTokenIssuer")
def create_trusted_token_issuer(
    ctx: Context,
    *,
    InstanceArn: str,
    Name: str,
    TrustedTokenIssuerType: str,
    TrustedTokenIssuerConfiguration: JsonObject,
    ClientToken: str = "",
    Tags: resource_tags.Pairs | None = None,
) -> Result:
    """Trust an issuer: a claim of its tokens names a user by an attribute."""
    tags = resource_tags.checked(Tags)
    instance = manage(ctx, InstanceArn, keys=tag_keys(tags))
    configuration = _configuration(TrustedTokenIssuerConfiguration, TrustedTokenIssuerType)
    known = _all(ctx, instance)
    again = next((issuer for issuer in known if ClientToken and issuer.get("token") == ClientToken), None)
    if again is not None:
        return {"TrustedTokenIssuerArn": again["arn"]}
    if any(Name == issuer["name"] or configuration["IssuerUrl"] == issuer["url"] for issuer in known):
        raise conflict("A trusted token issuer with this name or URL already exists.")
    made: TrustedTokenIssuer = {
        "arn": f"arn:aws:sso::{instance['account']}:trustedTokenIssuer/{instance['id']}/tti-{uuid.uuid4()}",
        "instance": instance["id"],
        "name": Name,
        "url": configuration["IssuerUrl"],
        "claim": configuration["ClaimAttributePath"],
        "attribute": configuration["IdentityStoreAttributePath"],
        "tags": tags,
        "token": ClientToken,
    }
    ctx.world.add(directory.TRUSTED_ISSUER, made["arn"], made)
    return {"TrustedTokenIssuerArn": made["arn"]}


@operation("sso-admin", "DescribeTrustedTokenIssuer")
def describe_trusted_token_issuer(ctx: Context, *, TrustedTokenIssuerArn: str) -> Result:
    _, issuer = _reach(ctx, TrustedTokenIssuerArn)
    configuration = {
        "IssuerUrl": issuer["url"],
        "ClaimAttributePath": issuer["claim"],
        "IdentityStoreAttributePath": issuer["attribute"],
        "JwksRetrievalOption": "OPEN_ID_DISCOVERY",
    }
    return {**_brief(issuer), "TrustedTokenIssuerConfiguration": {"OidcJwtConfiguration": configuration}}


@operation("sso-admin", "ListTrustedTokenIssuers")
def list_trusted_token_issuers(
    ctx: Context, *, InstanceArn: str, MaxResults: int | None = None, NextToken: str = ""
) -> Result:
    issuers = _all(ctx, manage(ctx, InstanceArn))
    return page(ctx, "TrustedTokenIssuers", issuers, NextToken, MaxResults, _brief)


@operation("sso-admin", "UpdateTrustedTokenIssuer")
def update_trusted_token_issuer(
    ctx: Context,
    *,
    TrustedTokenIssuerArn: str,
    Name: str | None = None,
    TrustedTokenIssuerConfiguration: Mapping[str, Any] | None = None,
) -> Result:
    """Change an issuer's name or mapping; its URL stays."""
    instance, issuer = _reach(ctx, TrustedTokenIssuerArn)
    configuration = (TrustedTokenIssuerConfiguration or {}).get("OidcJwtConfiguration", {})
    if any(other["name"] == Name and other["arn"] != issuer["arn"] for other in _all(ctx, instance)):
        raise conflict("A trusted token issuer with this name or URL already exists.")
    change = changed(
        name=Name or issuer["name"],
        claim=configuration.get("ClaimAttributePath", issuer["claim"]),
        attribute=configuration.get("IdentityStoreAttributePath", issuer["attribute"]),
    )
    ctx.world.update(directory.TRUSTED_ISSUER, issuer["arn"], change)
    return {}


@operation("sso-admin", "DeleteTrustedTokenIssuer")
def delete_trusted_token_issuer(ctx: Context, *, TrustedTokenIssuerArn: str) -> Result:
    """Trust an issuer no more; applications that use it lose it."""
    _, issuer = _reach(ctx, TrustedTokenIssuerArn)
    ctx.world.take(directory.TRUSTED_ISSUER, issuer["arn"])
    return {}


def _configuration(given: Mapping[str, Any], kind: str) -> Mapping[str, str]:
    if "OidcJwtConfiguration" not in given:
        raise invalid(f"TrustedTokenIssuerConfiguration must have OidcJwtConfiguration for {kind}.")
    configuration: Mapping[str, str] = given["OidcJwtConfiguration"]
    return configuration


def _all(ctx: Context, instance: Instance) -> list[TrustedTokenIssuer]:
    return [issuer for issuer in ctx.world.page(directory.TRUSTED_ISSUER) if issuer["instance"] == instance["id"]]


def _reach(ctx: Context, arn: str) -> tuple[Instance, TrustedTokenIssuer]:
    return reach_by_arn(ctx, directory.TRUSTED_ISSUER, arn, "TrustedTokenIssuer")


def _brief(issuer: TrustedTokenIssuer) -> Result:
    return {"TrustedTokenIssuerArn": issuer["arn"], "Name": issuer["name"], "TrustedTokenIssuerType": KIND}
