"""Bearer tokens of AWS Sign-In, for who has AWS credentials already; and what tokens say of themselves.

A token names a service of AWS (its `resource`) and who stands behind it. No service here takes one: it is for a
program's own path to it, and for introspection. Source: docs/aws/console-sign-in.md, "Actions and resources".
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Final

from sts_emulator.core.errors import AwsError
from sts_emulator.core.world import World
from sts_emulator.methods.console_login import logins, permission
from sts_emulator.methods.console_login.logins import Login
from sts_emulator.methods.console_login.sessions import session_arn
from sts_emulator.methods.console_login.sign_in_errors import invalid
from sts_emulator.pages.console import arn_of
from sts_emulator.pages.sessions import open_sealed, seal_until
from sts_emulator.vending.authorize import authorize
from sts_emulator.vending.context import Context
from sts_emulator.wire.dispatch import Result, operation

CLIENT: Final = "arn:aws:signin:::client-credentials/sigv4"
"""The client that nobody registers: whoever signs the request."""

_HOUR: Final = 3_600
_LONGEST: Final = 43_200
_PREFIX: Final = "ASOA"  # of access tokens, by the model's patterns
_PURPOSE: Final = "signin-access-token"
_SERVICE: Final = re.compile(r"[a-z0-9](?:[a-z0-9.-]{0,100}[a-z0-9])?\.amazonaws\.com")
_JWT: Final = "urn:ietf:params:oauth:token-type:jwt"
_EXCHANGE: Final = "urn:ietf:params:oauth:grant-type:token-exchange"


@operation("signin", "CreateOAuth2TokenWithIAM")
def create_oauth2_token_with_iam(ctx: Context, *, grantType: str, resource: str) -> Result:
    """For an hour, or as long as the caller's own session lasts. `grantType` is `client_credentials`, by the model."""
    return _issued(ctx, permission.CREATE, grantType, resource, _HOUR)


@operation("signin", "CreateBearerToken")
def create_bearer_token(ctx: Context, *, grantType: str, resource: str, durationSeconds: int = _LONGEST) -> Result:
    """For twelve hours at most, and no longer than the caller's own session lasts.

    Its action is in no published list: it is the operation's name, which is the strict reading.
    """
    if durationSeconds > _LONGEST:
        raise invalid(f"The duration is at most {_LONGEST} seconds")
    return _issued(ctx, "signin:CreateBearerToken", grantType, resource, durationSeconds)


@operation("signin", "CreateOAuth2TokenWithTokenExchange")
def create_oauth2_token_with_token_exchange(
    ctx: Context,
    *,
    grantType: str,
    subjectToken: str = "",
    subjectTokenType: str = "",
    assertion: str = "",
    resource: str = "",
    **_: str,
) -> Result:
    """Refused, once it is whole: whose tokens AWS takes here is not published, so nobody's are taken."""
    if grantType == _EXCHANGE:
        if not subjectToken or not subjectTokenType or not resource:
            raise invalid(
                "subject_token, subject_token_type and resource are required for this grant", "invalid_request"
            )
        if subjectTokenType != _JWT:
            raise invalid("The subject token type is not supported", "invalid_request")
    elif not assertion:
        raise invalid("assertion is required for this grant", "invalid_request")
    ctx.evidence["refused"] = (
        "AWS does not publish whose tokens it exchanges here; the emulator trusts no issuer for it"
    )
    raise AwsError(
        "InvalidGrantException", "The provided grant is invalid or expired", members={"error": "invalid_grant"}
    )


@operation("signin", "IntrospectOAuth2TokenWithIAM")
def introspect(ctx: Context, *, token: str, tokenTypeHint: str = "") -> Result:
    """What a token of the account says; of any other, no more than that it is not active (RFC 7662, 2.2)."""
    del tokenTypeHint  # a hint: what the token is, it says itself
    login, claims = logins.of_refresh_token(ctx.world, token), _claims(ctx.world, token)
    kind = "access_token" if claims else "refresh_token"
    place, client = _place(ctx, login, claims)
    keys = {"signin:oauthtokentype": (kind,), **({"signin:oauthclientid": (client,)} if client else {})}
    authorize(ctx, "signin:IntrospectOAuth2Token", place, keys)
    if claims and claims["accountId"] == ctx.identity.account:
        return {"active": True, "tokenType": kind, "clientId": CLIENT, **claims}
    if login is None or login.status != logins.ACTIVE or login.session.account != ctx.identity.account:
        return {"active": False}
    return {"active": True, "tokenType": kind, **_of_login(login)}


@operation("signin", "RevokeOAuth2TokenWithIAM")
def revoke(ctx: Context, *, token: str) -> None:
    """Of what is no refresh token of the account nothing is said (RFC 7009, 2.2); access tokens end by themselves."""
    login = logins.of_refresh_token(ctx.world, token)
    place, _ = _place(ctx, login, {})
    authorize(ctx, "signin:RevokeOAuth2Token", place, {"signin:oauthtokentype": ("refresh_token",)})
    if login is not None and login.session.account == ctx.identity.account:
        logins.revoke(ctx.world, login)


# -- parts --------------------------------------------------------------------------------------------------------


def _service_arn(ctx: Context, account: object, name: object) -> str:
    """The ARN of the service that a token of an account is for."""
    return f"arn:aws:signin:{ctx.region}:{account}:service-principal/{name}"


def _issued(ctx: Context, action: str, grant: str, resource: str, seconds: int) -> Result:
    """A token, once the caller may have it. Raises AwsError: ValidationException, `invalid_target`; AccessDenied."""
    if not _SERVICE.fullmatch(resource):
        raise invalid("The resource is none that tokens are issued for", "invalid_target")
    keys = {"signin:oauthclientid": (CLIENT,), "signin:oauthgranttype": (grant,)}
    authorize(ctx, action, _service_arn(ctx, ctx.identity.account, resource), keys)
    caller, now = ctx.identity, int(ctx.world.now())
    until = now + seconds if caller.session is None else min(now + seconds, caller.session.expires)
    claims = {
        "sub": caller.arn,
        "userId": caller.user_id,
        "accountId": caller.account,
        "aud": resource,
        "resource": resource,
        "iat": now,
        "nbf": now,
        "exp": until,
        "jti": ctx.request_id,
    }
    sealed = seal_until(ctx.world, _PURPOSE, json.dumps(claims).encode(), until)
    return {"accessToken": _PREFIX + sealed, "tokenType": "Bearer", "expiresIn": until - now}


def _claims(world: World, token: str) -> Result:
    """What an access token of this world says; empty for any other, and for one that is over."""
    body = open_sealed(world, _PURPOSE, token.removeprefix(_PREFIX)) if token.startswith(_PREFIX) else None
    return {} if body is None else dict(json.loads(body))


def _place(ctx: Context, login: Login | None, claims: Mapping[str, object]) -> tuple[str, str]:
    """The resource that a token's permission is asked for, and the token's client; `*` for what is no token of ours."""
    if login is not None:
        return permission.resource(ctx.region, login.session.account, login.client), login.client
    if claims:
        return _service_arn(ctx, claims["accountId"], claims["aud"]), CLIENT
    return "*", ""


def _of_login(login: Login) -> Result:
    return {
        "clientId": login.client,
        "userId": login.session.id,
        "exp": login.until,
        "iat": login.issued,
        "nbf": login.issued,
        "sub": arn_of(login.session),
        "aud": login.client,
        "jti": login.name,
        "accountId": login.session.account,
        "signinSession": session_arn(login),
    }
