"""Customers' applications that ask for tokens of people: who may call for one, for whom, and with which scopes."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Final
from urllib.parse import urlsplit

from sts_emulator.accounts import directory
from sts_emulator.accounts.directory import Application, DirectoryUser, Instance
from sts_emulator.core.hosts import is_loopback
from sts_emulator.core.world import World
from sts_emulator.methods.identity_center.clients import AUTHORIZATION_CODE, Client
from sts_emulator.methods.identity_center.refusals import refused
from sts_emulator.policy.deciding.document import parse
from sts_emulator.policy.deciding.engine import Request, resource_says
from sts_emulator.vending.authorize import consult, denial
from sts_emulator.vending.context import Context

ACTION: Final = "sso-oauth:CreateTokenWithIAM"
IDENTITY_CONTEXT: Final = "sts:identity_context"
OPENID: Final = "openid"
DEFAULT_SCOPES: Final = (IDENTITY_CONTEXT, OPENID, "aws")
"""What every application may ask for (docs/aws/trusted-identity-propagation.md, "With Identity Center")."""

NO_ACCESS: Final = "You do not have sufficient access to perform this action."  # the model's words
_LONGEST_ARN: Final = 1_224  # by the model of sso-admin


def asking(ctx: Context, arn: str) -> tuple[Instance, Application]:
    """The application, once its caller may have tokens of it.

    Whether AWS lets one of the two policies do where both are of one account is not recorded: here the caller's must
    allow it, and the application's own.

    Raises:
        AwsError: AccessDeniedException; InvalidClientException 401, there is no such application, or it is disabled.
    """
    if len(arn) > _LONGEST_ARN:
        raise _unknown(ctx, "the client id is longer than any application's ARN")
    application = ctx.world.get(directory.APPLICATION, arn)
    owner = application["account"] if application else ctx.identity.account
    decision = consult(ctx, ctx.identity, ACTION, arn, {}, resource_account=owner)
    if decision.verdict != "allow":
        sentence = denial(ctx, ctx.identity, ACTION, arn, decision, same_account=owner == ctx.identity.account)
        raise refused("AccessDeniedException", sentence)
    if application is None:
        raise _unknown(ctx, "there is no application of that ARN in this world")
    if not _names_caller(ctx, application):
        ctx.evidence["refused"] = (
            f"the application's own policy, its authentication method IAM, does not let {ctx.identity.arn} call"
        )
        raise refused("AccessDeniedException", NO_ACCESS)
    if application["status"] != "ENABLED":
        raise _unknown(ctx, "the application is disabled")
    instance = ctx.world.get(directory.INSTANCE, application["instance"])
    if instance is None:
        raise _unknown(ctx, "the application's instance of Identity Center is gone")
    return instance, application


def check_assigned(ctx: Context, application: Application, person: DirectoryUser) -> None:
    """Refuse tokens for a person who is not assigned to the application. Raises AwsError: AccessDeniedException."""
    if not directory.is_assigned(ctx.world, application, person):
        ctx.evidence["refused"] = (
            f"{person['name']} is not assigned to the application {application['name']}, by name or through a group"
        )
        raise refused("AccessDeniedException", NO_ACCESS)


def allowed_scopes(application: Application) -> tuple[str, ...]:
    return tuple(dict.fromkeys((*DEFAULT_SCOPES[:1], *application["scopes"], *DEFAULT_SCOPES[1:])))


def granted_scopes(allowed: Sequence[str], asked: Sequence[str] | None) -> tuple[str, ...]:
    """Those that are asked for, or all. Raises AwsError: InvalidScopeException."""
    if not asked:
        return tuple(allowed)
    if not set(asked) <= set(allowed):
        raise refused("InvalidScopeException", "The scope provided in the request is invalid.")
    return tuple(scope for scope in allowed if scope in asked)


def as_client(world: World, arn: str) -> Client | None:
    """An application as what sends a browser to `/authorize`; None where it may not, or is none."""
    application = world.get(directory.APPLICATION, arn) if len(arn) <= _LONGEST_ARN else None
    if application is None or application["status"] != "ENABLED" or AUTHORIZATION_CODE not in application["grants"]:
        return None
    instance = world.get(directory.INSTANCE, application["instance"])
    if instance is None:
        return None
    places = application["grants"][AUTHORIZATION_CODE]["AuthorizationCode"].get("RedirectUris", ())
    return Client(
        name=application["name"],
        scopes=allowed_scopes(application),
        grants=(AUTHORIZATION_CODE,),
        redirects=tuple(place for place in places if _is_place(place)),
        issuer=instance["start_url"],
        issued=int(world.now()),
        key=arn,
        application=arn,
    )


def _names_caller(ctx: Context, application: Application) -> bool:
    policy = application.get("actor_policy")
    if policy is None:
        return False
    caller = ctx.identity
    keys = {**ctx.request_keys(), **caller.context}
    request = Request(ACTION, application["arn"], caller.principal, keys)
    document = parse(json.dumps(policy))
    return resource_says(document, request, bounded=caller.boundary is not None)[0] == "allow"


def _is_place(uri: str) -> bool:
    """Whether a browser may be sent there with a code: by https, or to a program on the person's own machine."""
    try:
        parts = urlsplit(uri)
        host = parts.hostname or ""
    except ValueError:
        return False
    is_safe = parts.scheme == "https" or (parts.scheme == "http" and is_loopback(host))
    return bool(host) and not parts.fragment and is_safe


def _unknown(ctx: Context, why: str) -> Exception:
    ctx.evidence["refused"] = why
    return refused("InvalidClientException", "Invalid client provided")
