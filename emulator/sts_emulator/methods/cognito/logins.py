"""From the `Logins` of a request to proven sign-ins: each token or assertion is checked by the keys of its provider.

Texts: docs/aws/cognito.md, "Identity pools". Every refusal is a NotAuthorizedException; the event says why.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import field
from typing import Any, Final

from sts_emulator.accounts import documents
from sts_emulator.accounts.documents import IdentityPool
from sts_emulator.core.errors import AwsError
from sts_emulator.methods.cognito.identity_pools import unauthorized
from sts_emulator.methods.saml import message
from sts_emulator.methods.saml.claims import Claims
from sts_emulator.methods.saml.verify import Trusted, check_audience, verify
from sts_emulator.methods.tokens import checks, issuer_keys, jwt
from sts_emulator.methods.tokens.issuers import KeysUnavailableError, Provider, ThumbprintError
from sts_emulator.methods.tokens.jwk import ALGORITHMS, KeySet
from sts_emulator.policy.federated import COGNITO, OIDC
from sts_emulator.policy.json_types import JsonObject
from sts_emulator.policy.light_dataclass import dataclass
from sts_emulator.vending.context import Context

UNSUPPORTED = "Token is not from a supported provider of this identity pool."
GRACE: Final = 300
"""Seconds that an OpenID Connect token is good beyond its end (developer guide). Of a user pool's none is told: 0."""

_SOCIAL: Final[Mapping[str, tuple[str, ...]]] = {
    "accounts.google.com": ("https://accounts.google.com", "accounts.google.com"),
    "appleid.apple.com": ("https://appleid.apple.com",),
}
"""The public providers whose tokens are JWTs, and their issuers; the opaque tokens of the others nobody here issues."""


@dataclass(slots=True)
class Login:
    """One proven sign-in. `how` is what `amr` says of it; `mapping` is its key among a pool's role mappings.

    `identity` is set for a token that the pool itself issued: it is for that identity, and `claims` are the token's.
    """

    provider: str
    subject: str
    mapping: str
    how: str
    claims: Mapping[str, Any] = field(default_factory=dict)
    roles: tuple[str, ...] = ()
    preferred: str = ""
    identity: str = ""


@dataclass(slots=True)
class _Source:
    """Where a token must come from: the issuers that its `iss` may name, and whom it must be for."""

    provider: str
    issuers: tuple[str, ...]
    clients: tuple[str, ...]
    grace: int
    arn: str = ""
    thumbprints: tuple[str, ...] = ()
    jwks: Mapping[str, Any] | None = None
    is_user_pool: bool = False
    must_hold: bool = False  # ServerSideTokenCheck: the user is still signed in there


async def prove(ctx: Context, pool: IdentityPool, logins: Mapping[str, str]) -> list[Login]:
    """The sign-ins behind a request's `Logins`, in their order.

    Raises:
        AwsError: NotAuthorizedException for each that proves nothing, or is of no provider of the pool.
    """
    ctx.evidence["logins"] = list(logins)
    return [await _prove(ctx, pool, provider, token) for provider, token in logins.items()]


def providers(pool: IdentityPool) -> list[str]:
    """The keys that `Logins` may have for a pool: hosts, or ARNs of SAML providers."""
    settings = pool["settings"]
    hosts = [entry["ProviderName"] for entry in settings.get("CognitoIdentityProviders", ()) if "ProviderName" in entry]
    hosts += [arn.partition(f":{OIDC.segment}/")[2] for arn in settings.get("OpenIdConnectProviderARNs", ())]
    own = settings.get("DeveloperProviderName")
    keys = [*hosts, *settings.get("SupportedLoginProviders", ()), *settings.get("SamlProviderARNs", ())]
    return list(dict.fromkeys([*keys, *([own] if own else [])]))


def supposed(ctx: Context, pool: IdentityPool, provider: str, claims: Mapping[str, object]) -> Login:
    """A sign-in as if the provider had vouched for these claims just now; those left out are what it would say.

    Raises:
        AwsError: NotAuthorizedException, as the server would.
    """
    subject = str(claims["sub"])
    if provider == pool["settings"].get("DeveloperProviderName"):
        return vouched(pool, provider, subject)
    if provider in pool["settings"].get("SamlProviderARNs", ()):
        return Login(provider, subject, provider, f"{provider}:{subject}", claims)
    source = _source(ctx, pool, provider)
    if source is None:
        raise unauthorized(ctx, UNSUPPORTED, f"there is no provider {provider}")
    now = int(ctx.world.now())
    said = {"aud": next(iter(source.clients), ""), "token_use": "id", "iat": now, "exp": now + GRACE, **claims}
    _check(ctx, source, said)
    return _signed_in(ctx, source, said)


def vouched(pool: IdentityPool, provider: str, user: str) -> Login:
    """The sign-in of a user for whom the pool's owner vouches."""
    return Login(provider, user, provider, f"{provider}:{pool['id']}:{user}")


async def _prove(ctx: Context, pool: IdentityPool, provider: str, token: str) -> Login:
    settings = pool["settings"]
    if provider in settings.get("SamlProviderARNs", ()):
        return await asyncio.to_thread(_asserted, ctx, provider, token)
    source = _own(pool) if provider == COGNITO else _source(ctx, pool, provider)
    if source is None:
        raise unauthorized(ctx, UNSUPPORTED, f"identity pool {pool['id']} does not list `{provider[:256]}`")
    claims = await _claims(ctx, source, token)
    if provider == COGNITO:
        return _issued_here(ctx, pool, claims)
    if source.must_hold:
        _check_held(ctx, provider, claims)
    return _signed_in(ctx, source, claims)


# -- the providers of a pool -----------------------------------------------------------------------------------------


def _own(pool: IdentityPool) -> _Source | None:
    """The pool itself, where its owner's backend may vouch for users."""
    has_developer = bool(pool["settings"].get("DeveloperProviderName"))
    return _Source(COGNITO, (f"https://{COGNITO}",), (), 0) if has_developer else None


def _source(ctx: Context, pool: IdentityPool, provider: str) -> _Source | None:
    settings = pool["settings"]
    entries = [
        entry
        for entry in settings.get("CognitoIdentityProviders", ())
        if entry.get("ProviderName") == provider and "ClientId" in entry
    ]
    if entries:
        return _Source(
            provider,
            # Both forms of its issuer (docs/aws/cognito.md, "Tokens"): the provider is host and path of the first.
            (f"https://{provider}", f"https://issuer-{provider}"),
            tuple(entry["ClientId"] for entry in entries),
            grace=0,
            is_user_pool=True,
            must_hold=any(entry.get("ServerSideTokenCheck") for entry in entries),
        )
    if provider in settings.get("SupportedLoginProviders", {}) and provider in _SOCIAL:
        # Several client ids of one provider stand between semicolons (API reference, IdentityProviderId's pattern).
        return _Source(
            provider, _SOCIAL[provider], tuple(settings["SupportedLoginProviders"][provider].split(";")), GRACE
        )
    suffix = f":{OIDC.segment}/{provider}"
    for arn in settings.get("OpenIdConnectProviderARNs", ()):
        stored = ctx.world.find(documents.OIDC_PROVIDER, arn) if arn.endswith(suffix) else None
        if stored is not None:
            issuers = (f"https://{provider}", f"http://{provider}")  # http: an issuer on this machine
            thumbprints = tuple(stored.get("thumbprints", ()))
            clients = tuple(stored["client_ids"])
            return _Source(provider, issuers, clients, GRACE, arn, thumbprints, stored.get("jwks"))
    return None


# -- tokens ----------------------------------------------------------------------------------------------------------


async def _claims(ctx: Context, source: _Source, text: str) -> JsonObject:
    """The claims of a token, proven by a key of its issuer and good now."""
    try:
        token = jwt.parse(text)
    except jwt.NotAToken as why:
        raise _bad(ctx, "Not a valid OpenId Connect identity token.", str(why)) from None
    issuer = token.hint("iss")
    if issuer not in source.issuers:
        words = "Not a Cognito token." if source.provider == COGNITO else "Issuer doesn't match providerName"
        raise _bad(ctx, words, f"the token is of {str(issuer)[:256]!r}, not of {source.issuers[0]}")
    keys = await _keys(ctx, source, token, issuer)
    verify = keys.verifier(token.key_id, token.algorithm) if token.algorithm in ALGORITHMS else None
    if verify is None:
        raise _unverified(ctx, f"no key of {issuer} fits the token's key id and algorithm ({token.algorithm[:32]})")
    try:
        claims = token.claims(verify)
    except jwt.BadSignature:
        raise _unverified(ctx, "another key signed, or the token was changed afterwards") from None
    _check(ctx, source, claims)
    return claims


async def _keys(ctx: Context, source: _Source, token: jwt.Token, issuer: str) -> KeySet:
    provider = Provider(source.arn, issuer, source.provider, thumbprints=source.thumbprints, jwks=source.jwks)
    try:
        keys = issuer_keys.known(ctx, provider, token.key_id)
        if keys is None:
            await issuer_keys.fetch(ctx, provider)
            ctx.world.refresh()
            keys = issuer_keys.known(ctx, provider, token.key_id)
    except (KeysUnavailableError, ThumbprintError) as why:
        raise _unverified(ctx, str(why) or "the issuer's certificate is not the one that the provider lists") from None
    if keys is None:
        raise _unverified(ctx, f"the keys of {issuer} could not be had")
    return keys


def _check(ctx: Context, source: _Source, claims: Mapping[str, object]) -> None:
    for name in ("sub", "aud", "exp"):
        if name not in claims:
            raise _bad(ctx, f"Missing a required claim: {name}", _missing(claims, name))
    now = int(ctx.world.now())
    try:
        times = checks.lifetime(claims)
    except ValueError:
        raise _bad(ctx, "Invalid timestamp.", "a time in the token is no whole number") from None
    expires = times.expires or 0
    if now - source.grace >= expires:
        # AWS prints the time first, and the wrong sign between them.
        raise _bad(ctx, f"Token expired: {now} >= {expires}", f"the token ended at {expires}")
    for begin in (times.issued, times.starts):
        if begin is not None and begin > now + GRACE:
            raise _bad(ctx, "Token is not yet valid.", f"the token begins at {begin}")
    if source.is_user_pool and claims.get("token_use") != "id":
        raise _bad(ctx, "Token is not an ID token.", f"token_use is {str(claims.get('token_use'))[:32]!r}")


def _check_held(ctx: Context, provider: str, claims: JsonObject) -> None:
    """Refuse a token whose sign-in was ended meanwhile: revoked, signed out, disabled. AWS's words are not recorded."""
    sign_in = f"{provider.rpartition('/')[2]}/{claims['sub']}/{claims.get('event_id')}"
    if ctx.world.get(documents.USER_POOL_SIGN_IN, sign_in) is None:
        raise _bad(ctx, "Token has been revoked.", "the user pool knows the token's sign-in no more")


def _missing(claims: Mapping[str, object], name: str) -> str:
    if claims.get("token_use") == "access":
        return f"the token has no {name}: it is an access token, and an ID token is due"
    return f"the token has no {name}"


def _audience(ctx: Context, source: _Source, claims: Mapping[str, object]) -> str:
    """The client that a token is for: `azp`, or the one `aud`."""
    audiences = checks.audiences(claims)
    wanted = (claims["azp"],) if "azp" in claims else audiences
    for audience in wanted:
        if isinstance(audience, str) and audience in source.clients:
            return audience
    listed = ", ".join(source.clients[:5])
    why = f"the token is for {str(audiences)[:256]}; the pool admits {listed or 'nobody'} of {source.provider}"
    if source.is_user_pool:
        raise unauthorized(ctx, UNSUPPORTED, why)
    raise _bad(ctx, "Incorrect token audience.", why)


def _signed_in(ctx: Context, source: _Source, claims: Mapping[str, object]) -> Login:
    client, subject = _audience(ctx, source, claims), claims["sub"]
    if not isinstance(subject, str) or not subject:
        raise _bad(ctx, "Missing a required claim: sub", "sub is no text")
    if source.is_user_pool:
        roles = claims.get("cognito:roles")
        preferred = claims.get("cognito:preferred_role")
        return Login(
            provider=source.provider,
            subject=subject,
            mapping=f"{source.provider}:{client}",
            how=f"{source.provider}:CognitoSignIn:{subject}",
            claims=claims,
            roles=tuple(role for role in roles if isinstance(role, str)) if isinstance(roles, list) else (),
            preferred=preferred if isinstance(preferred, str) else "",
        )
    how = f"{source.provider}:{client}:{subject}"
    return Login(source.provider, subject, source.arn or source.provider, how, claims)


def _issued_here(ctx: Context, pool: IdentityPool, claims: Mapping[str, Any]) -> Login:
    """A token of GetOpenIdTokenForDeveloperIdentity that the client redeems."""
    if claims["aud"] != pool["id"]:
        raise _bad(ctx, "Not a Cognito token.", f"the token is of identity pool {str(claims['aud'])[:64]}")
    amr = claims.get("amr")
    if not isinstance(amr, list) or pool["settings"]["DeveloperProviderName"] not in amr:
        raise _bad(ctx, "Not a Cognito token.", "the token is not of GetOpenIdTokenForDeveloperIdentity")
    return Login(COGNITO, claims["sub"], COGNITO, "", claims, identity=claims["sub"])


# -- assertions ------------------------------------------------------------------------------------------------------


def _asserted(ctx: Context, arn: str, text: str) -> Login:
    stored = ctx.world.find(documents.SAML_PROVIDER, arn)
    if stored is None:
        raise unauthorized(ctx, UNSUPPORTED, f"there is no SAML provider {arn}")
    sign_in = f"{ctx.base_url}/saml"
    try:
        claims = verify(Trusted.of(stored), message.read(text), ctx.world.now(), sign_in)
        check_audience(claims, sign_in)
    except AwsError as refused:
        why = getattr(refused, "why", refused.message)
        raise _bad(ctx, f"{refused.message}.", why) from None
    return _vouched(arn, claims)


def _vouched(arn: str, claims: Claims) -> Login:
    roles = tuple(role for role, provider in claims.roles if provider == arn)
    return Login(arn, claims.subject, arn, f"{arn}:{claims.subject}", claims.attributes, roles=roles)


def _bad(ctx: Context, words: str, why: str) -> AwsError:
    return unauthorized(ctx, f"Invalid login token. {words}", why)


def _unverified(ctx: Context, why: str) -> AwsError:
    return _bad(ctx, "Couldn't verify signed token.", why)
