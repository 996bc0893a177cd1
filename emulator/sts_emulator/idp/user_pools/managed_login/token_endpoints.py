"""Pages `oauth2/token`, `oauth2/revoke`, `oauth2/userInfo`: what an app asks for itself, without a browser's person.

They prove themselves by a secret, code or token and never by a cookie, so scripts of other sites may call them.
Source: docs/aws/cognito.md, "Managed login".
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final

from sts_emulator.core.errors import AwsError
from sts_emulator.idp.user_pools import clients, machine_tokens, refreshing, tokens
from sts_emulator.idp.user_pools.kinds import CLIENT, POOL, USER, Client, Pool
from sts_emulator.idp.user_pools.managed_login import authorization, login_sessions
from sts_emulator.idp.user_pools.pools import domain_of
from sts_emulator.pages import pkce, render
from sts_emulator.pages.routes import page
from sts_emulator.pages.visit import Visit
from sts_emulator.policy.json_types import JsonObject, object_in
from sts_emulator.policy.light_dataclass import dataclass
from sts_emulator.vending.context import Context
from sts_emulator.wire.dispatch import Result
from sts_emulator.wire.http import Response, unquote

_FORM = "application/x-www-form-urlencoded"
_LONGEST: Final = 20_000  # characters of a form
_DEAD = "Access token is expired, disabled, or deleted, or the user has globally signed out."
_CORS: Final = [("access-control-allow-origin", "*")]
_PREFLIGHT: Final = [
    *_CORS,
    ("access-control-allow-methods", "GET, POST"),
    ("access-control-allow-headers", "authorization, content-type"),
    ("access-control-max-age", "600"),
]


@dataclass(frozen=True, slots=True)
class App:
    """A client that has proven itself, and what it asks."""

    visit: Visit
    pool: Pool
    client: Client
    fields: Mapping[str, str]


def as_oauth(visit: Visit, error: AwsError) -> Response:
    """A refusal as OAuth tells it: the codes of RFC 6749 and no others."""
    code = error.code if error.code in _CODES else "server_error" if (error.status or 400) >= 500 else "invalid_request"  # noqa: PLR2004 - our own mistakes
    told = {"error": code}
    if code not in _CODES or error.message != error.code:
        told["error_description"] = error.message
    status = error.status or 400
    response = _answer(told, status)
    if visit.request.raw_path.startswith("/oauth2/userInfo"):
        challenge = f'Bearer error="{code}", error_description="{_quoted(error.message)}"'
        response.headers.append(("www-authenticate", challenge))
    return response


_CODES: Final = frozenset(
    {
        *("invalid_request", "invalid_client", "invalid_grant", "unauthorized_client", "unsupported_grant_type"),
        *("invalid_scope", "invalid_token", "insufficient_scope", "unsupported_token_type"),
    }
)


@page("OPTIONS", "/oauth2/token", foreign=True)
@page("OPTIONS", "/oauth2/revoke", foreign=True)
@page("OPTIONS", "/oauth2/userInfo", foreign=True)
def preflight(_: Visit) -> Response:
    """What a browser asks before a script of another site may call."""
    return _answer({}, headers=_PREFLIGHT)


@page("POST", "/oauth2/token", refusal=as_oauth, foreign=True)
async def token(visit: Visit) -> Response:
    """Tokens for a code, for a refresh token, or for the app itself."""
    app = _app(visit)
    grant = app.fields.get("grant_type", "")
    redeem = _GRANTS.get(grant)
    if redeem is None:
        raise _no("unsupported_grant_type" if grant else "invalid_request")
    with visit.attempt("cognito-idp", "Token_POST", {"grant_type": grant, "client_id": app.client["id"]}) as attempt:
        attempt.ctx.evidence["pool"] = app.pool["id"]
        result = await redeem(app, attempt.ctx)
    return _answer(_told(result))


@page("POST", "/oauth2/revoke", refusal=as_oauth, foreign=True)
def revoke(visit: Visit) -> Response:
    """One sign-in ended, by its refresh token."""
    app = _app(visit)
    text = app.fields.get("token", "")
    if not text:
        raise _no("invalid_request")
    with visit.attempt("cognito-idp", "Revoke_POST", {"client_id": app.client["id"]}) as attempt:
        try:
            secret = app.fields.get("client_secret")
            refreshing.revoke_token(attempt.ctx, Token=text, ClientId=app.client["id"], ClientSecret=secret)
        except AwsError as refusal:
            is_kind = refusal.code == "UnsupportedTokenTypeException"
            raise _no("unsupported_token_type" if is_kind else "invalid_request") from None
    return Response(200, list(_CORS), b"")


@page("GET", "/oauth2/userInfo", refusal=as_oauth, foreign=True)
@page("POST", "/oauth2/userInfo", refusal=as_oauth, foreign=True)
def user_info(visit: Visit) -> Response:
    """The person of an access token with the scope `openid`, as far as its scopes go."""
    scheme, _, bearer = visit.request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not bearer.strip():
        raise _no("invalid_request", "Bad OAuth2 request at UserInfo Endpoint")
    with visit.attempt("cognito-idp", "UserInfo_GET") as attempt:
        try:
            party, key = tokens.bearer(visit.world, bearer.strip(), "openid")
        except AwsError as refusal:
            is_scope = "scope" in refusal.message
            raise _no("invalid_token", refusal.message if is_scope else _DEAD, 401) from None
        if authorization.pool_at(visit) not in (None, party.pool["id"]):
            raise _no("invalid_token", _DEAD, 401)
        begun = visit.world.get(tokens.SIGN_IN, key)
        told = tokens.scoped(party, begun.get("scopes") if begun else [])
        attempt.ctx.evidence.update(pool=party.pool["id"], person=party.user["username"])
    return _answer({**told, "sub": party.user["sub"], "username": party.user["username"]})


# -- grants ----------------------------------------------------------------------------------------------------------


async def _by_code(app: App, ctx: Context) -> Result:
    fields, world = app.fields, app.visit.world
    _allow(app, "code")
    if not fields.get("code") or not fields.get("redirect_uri"):
        raise _no("invalid_request")
    code = login_sessions.take_code(world, fields["code"])
    # Whatever does not fit uses the code up: who shows it has it, and is not who asked for it.
    is_own = code is not None and (code["client"], code["redirect"]) == (app.client["id"], fields["redirect_uri"])
    if code is None or not is_own:
        raise _no("invalid_grant")
    verifier = fields.get("code_verifier", "")
    if (code["challenge"] or verifier) and not pkce.is_verifier(code["challenge"], verifier):
        raise _no("invalid_grant")
    user = world.find(USER, f"{app.pool['id']}/{code['sub']}")
    if user is None or not login_sessions.is_able(user):
        raise _no("invalid_grant")
    authorized = tokens.Authorized(tuple(code["scopes"]), code["at"], code["nonce"], code["resource"])
    try:
        return await tokens.sign_in(ctx, tokens.Party(app.pool, app.client, user), authorized)
    except AwsError as refusal:
        raise _no("invalid_grant", refusal.message) from None


async def _by_refresh_token(app: App, ctx: Context) -> Result:
    text = app.fields.get("refresh_token", "")
    if not text:
        raise _no("invalid_request")
    if not app.client["settings"].get("AllowedOAuthFlowsUserPoolClient"):
        raise _no("unauthorized_client")
    if not (clients.rotates(app.client) or clients.allows(app.client, "ALLOW_REFRESH_TOKEN_AUTH")):
        raise _no("unauthorized_client")
    try:
        return await refreshing.renew(ctx, app.pool, app.client, text)
    except AwsError as refusal:
        raise _no("invalid_grant", refusal.message) from None


async def _for_itself(app: App, ctx: Context) -> Result:
    _allow(app, "client_credentials")
    if not app.client["secret"]:
        raise _no("unauthorized_client")
    wanted = machine_tokens.scopes_of(app.client, app.fields.get("scope", "").split())
    resource = app.fields.get("resource", "")
    if not wanted:
        raise _no("invalid_scope")
    if resource and not authorization.is_resource(resource):
        raise _no("invalid_request")
    metadata = _metadata(app.fields.get("aws_client_metadata", ""))
    return await machine_tokens.issue(ctx, app.pool, app.client, wanted, resource=resource, metadata=metadata)


def _metadata(text: str) -> dict[str, str]:
    """What the app tells the pool's functions: a JSON object of texts."""
    told = object_in(text or "{}")
    if told is None or not all(isinstance(value, str) for value in told.values()):
        raise _no("invalid_request", "aws_client_metadata is a JSON object of texts")
    return told


_GRANTS: Final[Mapping[str, Callable[[App, Context], Awaitable[Mapping[str, Any]]]]] = {
    "authorization_code": _by_code,
    "refresh_token": _by_refresh_token,
    "client_credentials": _for_itself,
}


def _allow(app: App, flow: str) -> None:
    if not authorization.may_use(app.client, flow):
        raise _no("unauthorized_client")


# -- the app ---------------------------------------------------------------------------------------------------------


def _app(visit: Visit) -> App:
    """The client, by its secret in a header or in the form; one without a secret by its name alone.

    Raises:
        AwsError: invalid_request, invalid_client.
    """
    request = visit.request
    if (
        request.headers.get("content-type", "").partition(";")[0].strip().lower() != _FORM
        or len(request.body) > _LONGEST
    ):
        raise _no("invalid_request")
    fields = visit.posted
    named, secret = fields.get("client_id", ""), fields.get("client_secret")
    header = request.headers.get("authorization", "")
    if header:
        name, secret = _basic(header)
        if named not in ("", name) or "client_secret" in fields:
            raise _no("invalid_request")
        named = name
    client = visit.world.get(CLIENT, named) if named else None
    pool = visit.world.get(POOL, client["pool"]) if client else None
    if not named:
        raise _no("invalid_request")
    if client is None or pool is None or authorization.pool_at(visit) not in (None, pool["id"]):
        raise _no("invalid_client")
    if not client["secret"] and secret:
        raise _no("invalid_client")
    try:
        clients.check_secret(client, secret)
    except AwsError:
        raise _no("invalid_client") from None
    if not domain_of(visit.world, pool):
        raise _no("invalid_request", f"the user pool {pool['id']} has no domain: CreateUserPoolDomain makes one")
    return App(visit, pool, client, {**fields, **({"client_secret": secret} if secret else {})})


def _basic(header: str) -> tuple[str, str]:
    scheme, _, text = header.partition(" ")
    try:
        decoded = base64.b64decode(text.strip(), validate=True).decode() if scheme.lower() == "basic" else ""
    except (ValueError, binascii.Error):
        decoded = ""
    name, colon, secret = decoded.partition(":")
    if not colon:
        raise _no("invalid_client")
    return unquote(name, plus=True), unquote(secret, plus=True)


def _told(result: JsonObject) -> Result:
    names = {"id_token": "IdToken", "access_token": "AccessToken", "refresh_token": "RefreshToken"}
    told = {name: result[member] for name, member in names.items() if member in result}
    return {**told, "expires_in": result["ExpiresIn"], "token_type": result["TokenType"]}


def _answer(value: Mapping[str, object], status: int = 200, headers: Sequence[tuple[str, str]] = _CORS) -> Response:
    response = render.data(status, dict(value))
    response.headers.extend(headers)
    return response


def _no(code: str, message: str = "", status: int = 400) -> AwsError:
    return AwsError(code, message or code, status=status)


def _quoted(text: str) -> str:
    """Text inside the quotes of a header."""
    return json.dumps(text[:200])[1:-1]
