"""CreateTokenWithIAM: an application's backend, signed by its role, gets tokens of a person.

Sources: docs/aws/identity-center.md, "Recorded in 2026", and docs/aws/trusted-identity-propagation.md, "With Identity
Center".
"""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import Any, Final, Unpack

from sts_emulator.accounts import directory
from sts_emulator.accounts.directory import Application, DirectoryUser, Instance
from sts_emulator.core import clock
from sts_emulator.methods.identity_center import applications, assertions, grants, portal_sessions
from sts_emulator.methods.identity_center.applications import IDENTITY_CONTEXT, OPENID
from sts_emulator.methods.identity_center.assertions import JWT_BEARER, Assertion, invalid
from sts_emulator.methods.identity_center.clients import AUTHORIZATION_CODE, REFRESH_TOKEN
from sts_emulator.methods.identity_center.grants import ShownByApplication
from sts_emulator.methods.identity_center.portal_sessions import PortalSession
from sts_emulator.methods.identity_center.refusals import refused
from sts_emulator.methods.tokens import issuer_keys
from sts_emulator.policy.light_dataclass import dataclass
from sts_emulator.vending.context import Context
from sts_emulator.vending.identity_context import IdentityContext
from sts_emulator.wire.dispatch import Result, operation

TOKEN_EXCHANGE: Final = "urn:ietf:params:oauth:grant-type:token-exchange"  # noqa: S105 - the name of a grant
_ACCESS: Final = "urn:ietf:params:oauth:token-type:access_token"
_REFRESH: Final = "urn:ietf:params:oauth:token-type:refresh_token"


@dataclass(frozen=True, slots=True)
class Asked:
    """What an application shows, and what it asks for."""

    instance: Instance
    application: Application
    shown: ShownByApplication

    @property
    def scopes(self) -> tuple[str, ...]:
        """The scopes to grant, of those that the application may have. Raises AwsError: InvalidScopeException."""
        return applications.granted_scopes(applications.allowed_scopes(self.application), self.shown.get("scope"))

    @property
    def wanted_type(self) -> str:
        """The type of token that it names, or none."""
        return str(self.shown.get("requestedTokenType", ""))


@operation("sso-oidc", "CreateTokenWithIAM")
def create_token_with_iam(
    ctx: Context, *, clientId: str, grantType: str, assertion: str = "", **shown: Unpack[ShownByApplication]
) -> Mapping[str, Any] | Awaitable[Mapping[str, Any]]:
    """The answer is awaitable only where an issuer's keys must be fetched first."""
    instance, application = applications.asking(ctx, clientId)
    if grantType != JWT_BEARER and grantType not in _GRANTS:
        raise refused("UnsupportedGrantTypeException", "Unsupported grant type")
    if grantType not in application["grants"]:
        ctx.evidence["refused"] = f"the application has no grant {grantType} (PutApplicationGrant)"
        raise refused("UnauthorizedClientException", "The client is not authorized to use this grant type")
    asked = Asked(instance, application, shown)
    ctx.evidence.update(grant=grantType, application=application["arn"])
    if grantType == JWT_BEARER:
        return _by_assertion(ctx, asked, assertion)
    return _answer(ctx, asked, _GRANTS[grantType](ctx, asked))


# -- for a token of a trusted issuer ------------------------------------------------------------------------------


def _by_assertion(ctx: Context, asked: Asked, text: str) -> Mapping[str, Any] | Awaitable[Mapping[str, Any]]:
    assertion = assertions.read(ctx, asked.application, text)
    if assertions.keys(ctx, assertion) is None:
        return _after_fetch(ctx, asked, assertion)
    return _redeemed(ctx, asked, assertion)


async def _after_fetch(ctx: Context, asked: Asked, assertion: Assertion) -> Result:
    await issuer_keys.fetch(ctx, assertion.provider)
    if not ctx.world.refresh():
        raise invalid(ctx, "the world is gone")
    # Other calls were served meanwhile: who may ask, and which issuer is trusted, is looked at again.
    with ctx.world.unit(lock=True):
        instance, application = applications.asking(ctx, asked.application["arn"])
        if JWT_BEARER not in application["grants"]:
            raise invalid(ctx, "the application lost the grant meanwhile")
        current = replace(asked, instance=instance, application=application)
        return _redeemed(ctx, current, assertions.read(ctx, application, assertion.text))


def _redeemed(ctx: Context, asked: Asked, assertion: Assertion) -> Result:
    proving = assertions.keys(ctx, assertion)
    if proving is None:
        raise invalid(ctx, "the issuer's keys cannot be had")
    person = assertions.redeem(ctx, asked.instance, assertion, proving)
    session = _begin(ctx, asked, person, asked.scopes)
    return _answer(ctx, asked, session, actor=assertion.issuer["arn"])


# -- for a code, a refresh token, another application's token -----------------------------------------------------


def _by_code(ctx: Context, asked: Asked) -> PortalSession:
    client = applications.as_client(ctx.world, asked.application["arn"])
    if client is None:
        raise refused("UnauthorizedClientException", "The client is not authorized to use this grant type")
    session = portal_sessions.find(ctx.world, grants.redeem_code(ctx.world, client, asked.shown))
    if session is None:
        raise invalid(ctx, "the session of the person who approved is over")
    return _begin(ctx, asked, session.person, asked.scopes, until=session.until)


def _by_refresh_token(ctx: Context, asked: Asked) -> PortalSession:
    session = portal_sessions.redeem(ctx.world, asked.shown.get("refreshToken", ""), asked.application["arn"])
    if session is None:
        ctx.evidence["refused"] = "the refresh token is not this application's, was used, or its session is over"
        raise refused("InvalidGrantException", "Invalid refresh token provided")
    applications.check_assigned(ctx, asked.application, session.person)
    kept = [scope for scope in session.scopes if scope in applications.allowed_scopes(asked.application)]
    return replace(session, scopes=applications.granted_scopes(kept, asked.shown.get("scope")))


def _by_exchange(ctx: Context, asked: Asked) -> PortalSession:
    """The token of a person that another application has, which names this one as a target of one of its scopes."""
    token = asked.shown.get("subjectToken")
    if not token or asked.shown.get("subjectTokenType") != _ACCESS:
        raise refused(
            "InvalidRequestException", "Subject token and its type access_token are required for this grant type"
        )
    if asked.wanted_type not in ("", _ACCESS, _REFRESH):
        raise refused("InvalidRequestException", "Unsupported requested token type")
    subject = portal_sessions.holder(ctx.world, token)
    if subject is None:
        raise invalid(ctx, "the subject token is no access token of this world, or it or its session is over")
    source = ctx.world.get(directory.APPLICATION, subject.application) if subject.application else None
    if source is None or source["arn"] == asked.application["arn"] or source["status"] != "ENABLED":
        raise invalid(ctx, "the subject token is not of another application that is enabled")
    if subject.instance["id"] != asked.instance["id"] or not _is_target(source, subject, asked):
        raise invalid(ctx, "no scope of the subject token has this application among its authorized targets")
    return _begin(ctx, asked, subject.person, asked.scopes, until=subject.until)


def _is_target(source: Application, subject: PortalSession, asked: Asked) -> bool:
    targets = {target for scope in subject.scopes for target in source["scopes"].get(scope, ())}
    return not targets.isdisjoint((asked.application["arn"], asked.instance["arn"]))


_GRANTS: Final[Mapping[str, Callable[[Context, Asked], PortalSession]]] = {
    AUTHORIZATION_CODE: _by_code,
    REFRESH_TOKEN: _by_refresh_token,
    TOKEN_EXCHANGE: _by_exchange,
}


# -- what it gets -------------------------------------------------------------------------------------------------


def _begin(
    ctx: Context, asked: Asked, person: DirectoryUser, scopes: tuple[str, ...], until: int | None = None
) -> PortalSession:
    """A person's session at the application, if they are assigned to it."""
    applications.check_assigned(ctx, asked.application, person)
    return portal_sessions.start(ctx.world, asked.instance, person, until, asked.application["arn"], scopes)


def _answer(ctx: Context, asked: Asked, session: PortalSession, actor: str = "") -> Result:
    now, application = int(ctx.world.now()), asked.application
    until = min(now + portal_sessions.ACCESS, session.until)
    refreshable = REFRESH_TOKEN in application["grants"]
    if asked.wanted_type == _REFRESH and not refreshable:
        raise refused("UnauthorizedClientException", "The client is not authorized to use refresh tokens")
    answer: dict[str, Any] = {
        "accessToken": portal_sessions.access_token(ctx.world, session, until),
        "tokenType": "Bearer",
        "expiresIn": until - now,
        "issuedTokenType": _ACCESS,
        "scope": list(session.scopes),
    }
    if refreshable and asked.wanted_type != _ACCESS:
        answer["refreshToken"] = portal_sessions.refresh_token(ctx.world, session, application["arn"])
        answer["issuedTokenType"] = _REFRESH
    context = session.context(application["arn"]) if IDENTITY_CONTEXT in session.scopes else None
    if context is not None:
        answer["awsAdditionalDetails"] = {"identityContext": context.assertion(ctx.world, until)}
    if OPENID in session.scopes:
        answer["idToken"] = _id_token(ctx, asked, session, context, actor, until)
    ctx.evidence.update(person=session.person["name"], onBehalfOf=session.person["id"])
    return answer


def _id_token(
    ctx: Context, asked: Asked, session: PortalSession, context: IdentityContext | None, actor: str, until: int
) -> str:
    """Applications read it and do not check it, for AWS publishes no keys; so nobody else has the one that signs it."""
    import jwt

    instance, now = asked.instance, int(ctx.world.now())
    claims: dict[str, Any] = {
        "iss": f"https://identitycenter.amazonaws.com/{instance['id']}",
        "aud": hashlib.sha256(asked.application["arn"].encode()).hexdigest()[:22],
        "sub": session.person["id"],
        "iat": now,
        "exp": until,
        "auth_time": clock.iso(now),  # as text, as recorded
        "aws:identity_store_id": instance["store"],
        "aws:identity_store_arn": directory.store_arn(instance),
        "aws:instance_arn": instance["arn"],
        "aws:instance_account": instance["account"],
    }
    if context is not None:
        claims["aws:credential_id"] = context.credential
        claims["sts:identity_context"] = context.assertion(ctx.world, until)
        claims["sts:audit_context"] = replace(context, audit_only=True).assertion(ctx.world, until)
    if actor:
        claims["act"] = {"sub": actor}
    return jwt.encode(claims, ctx.world.key, algorithm="HS256")
