"""Method 5, AssumeRoleWithWebIdentity: the proof is a token of an OpenID Connect issuer that the account trusts."""

from __future__ import annotations

from collections.abc import Awaitable, Mapping
from dataclasses import replace
from functools import lru_cache
from typing import Any
from urllib.parse import urlsplit

from sts_emulator.accounts import documents, resources
from sts_emulator.core.errors import AwsError
from sts_emulator.core.hosts import is_loopback
from sts_emulator.core.world import World
from sts_emulator.methods.assume_role.assume_role import check_role_arn
from sts_emulator.methods.tokens import id_token, issuer_keys, jwt, oidc_context
from sts_emulator.methods.tokens.id_token import NOT_VALIDATED, IdToken, refuse
from sts_emulator.methods.tokens.issuers import KeysUnavailableError, Provider, ThumbprintError
from sts_emulator.methods.tokens.jwk import ALGORITHMS, KeySet
from sts_emulator.policy.arns import account_in
from sts_emulator.policy.deciding.engine import Principal
from sts_emulator.policy.explaining.origin import said
from sts_emulator.policy.federated import BUILT_IN_ISSUERS, OIDC, issuer_of
from sts_emulator.vending.assume import Ask, Proof, assume
from sts_emulator.vending.authorize import access_denied
from sts_emulator.vending.context import FALSE, TRUE, Context
from sts_emulator.vending.session_policies import CLAIMS_AT_LEAST, arns
from sts_emulator.wire.dispatch import Result, operation

ACTION = OIDC.action
NOT_AUTHORIZED = f"Not authorized to perform {ACTION}"

# Texts as recorded from AWS (docs/aws/web-identity.md, "Errors").
NOT_A_TOKEN = "The ID Token provided is not a valid JWT. (You may see this error if you sent an Access Token)"  # noqa: S105
NO_KEY = (
    "Couldn't retrieve verification key from your identity provider,  please reference AssumeRoleWithWebIdentity "
    "documentation for requirements"
)
BAD_THUMBPRINT = "OpenIDConnect provider's HTTPS certificate doesn't match configured thumbprint"

MOST_TOLD = 5  # providers or client ids that an event lists
_MAX_URL = 255  # characters of a provider's URL, by IAM's model: a longer issuer has none


@operation("sts", "AssumeRoleWithWebIdentity")
def assume_role_with_web_identity(
    ctx: Context,
    *,
    RoleArn: str,
    RoleSessionName: str,
    WebIdentityToken: str,
    ProviderId: str = "",
    PolicyArns: list[Mapping[str, str]] | None = None,
    Policy: str = "",
    DurationSeconds: int | None = None,
    MinimumSessionTokenSize: int = 0,
) -> Mapping[str, Any] | Awaitable[Mapping[str, Any]]:
    """Vend a session of a role to the bearer of an OIDC token.

    Source: docs/aws/web-identity.md, "Rules for tokens", order docs/aws/sts.md, "Order of processing".

    The answer is awaitable only where the issuer's keys must be fetched first.
    """
    check_role_arn(RoleArn)
    if ProviderId:
        raise _refused_provider_id(ProviderId)
    ask = Ask(
        RoleSessionName,
        DurationSeconds,
        Policy,
        arns(PolicyArns),
        role_arn=RoleArn,
        minimum_token_size=MinimumSessionTokenSize,
    )
    token = _parse(ctx, WebIdentityToken)
    provider = _provider(ctx, account_in(RoleArn), token.hint("iss"))
    keys = _keys(ctx, provider, token)
    if keys is None:
        return _after_fetch(ctx, provider, token, ask)
    return vend(ctx, provider, _proven(ctx, token, keys), ask)


async def _after_fetch(ctx: Context, provider: Provider, token: jwt.Token, ask: Ask) -> Result:
    await issuer_keys.fetch(ctx, provider)
    if not ctx.world.refresh():  # other calls were served meanwhile: the provider, or the world itself, may be gone
        refuse(NO_KEY)
    current = provider_of(ctx.world, account_in(ask.role_arn), token.hint("iss"))
    keys = _keys(ctx, current, token)
    if keys is None:
        refuse(NO_KEY)
    return vend(ctx, current, _proven(ctx, token, keys), ask)


def vend(ctx: Context, provider: Provider, claims: Mapping[str, object], ask: Ask) -> Mapping[str, Any]:
    """What claims come to once they are proven, or supposed to be by a scenario's expectation. Raises AwsError."""
    checked = id_token.read(claims, ctx.world.now())
    if provider.client_ids is not None and checked.audience not in provider.client_ids:
        ctx.evidence["refused"] = _wrong_audience(provider, checked.audience)
        registered = not set(provider.client_ids).isdisjoint(checked.original_audiences)
        refuse(NOT_VALIDATED if registered else "Incorrect token audience")
    ctx.evidence.update(subject=checked.subject, audience=checked.audience, provider=provider.principal)
    by_idp = checked.roles is not None
    if by_idp:
        if ask.role_arn not in (checked.roles or ()):
            refuse("The target role ARN is not present in the roles claim of the identity token")
        ctx.evidence["RoleAuthorizedByIdp"] = True
    context = oidc_context.at_login(provider, checked, claims)
    context["sts:roleauthorizedbyidp"] = TRUE if by_idp else FALSE
    proof = Proof(
        method="AssumeRoleWithWebIdentity",
        principal=_caller(provider.principal, provider.account),
        context=context,
        lasting=oidc_context.in_session(provider, context),
        provider=provider.principal,
        denied=NOT_AUTHORIZED,
        claims=CLAIMS_AT_LEAST + len(checked.subject),
        origin=oidc_context.origin(provider, claims) if provider.propagation else None,
        witness=said(checked.subject, issuer_of(provider.principal)),
    )
    role = resources.role_by_arn(ctx.world, ask.role_arn)
    vended = assume(ctx, proof, ACTION, role, _with_claims(ask, checked))
    return {
        **vended.to_wire(),
        "SubjectFromWebIdentityToken": checked.subject,
        "Audience": checked.audience,
        "Provider": provider.principal,
        **(vended.origin.to_wire() if vended.origin else {}),
    }


# -- the steps -----------------------------------------------------------------------------------------------------


@lru_cache(maxsize=256)
def _caller(provider: str, account: str) -> Principal:
    """Who comes by a provider: one object for all of them, since their events keep it."""
    return Principal("oidc", provider, account)


def _refused_provider_id(provider_id: str) -> AwsError:
    """ProviderId is for opaque OAuth tokens of two providers, of which the emulator issues none."""
    if provider_id == "www.amazon.com":
        return AwsError("InvalidIdentityToken", "Provided Token is not a Login With Amazon token")
    if provider_id == "graph.facebook.com":
        message = 'graph.facebook.com rejected OAuth token with response "Bad signature" and code 190'
        return AwsError("IDPRejectedClaim", message)
    message = "Unrecognized OAuth provider. Do not include a provider parameter when submitting OpenIDConnect ID tokens"
    return access_denied(message)


def _parse(ctx: Context, text: str) -> jwt.Token:
    try:
        token = jwt.parse(text.removesuffix("\n"))  # `echo $TOKEN > file` leaves one, and no SDK takes it away
    except jwt.NotAToken as why:
        ctx.evidence["refused"] = str(why)
        refuse(NOT_A_TOKEN)
    # Only text: a claim may be nested deeper than an event can be rendered.
    issuer = token.hint("iss")
    ctx.evidence.update(
        issuer=issuer if isinstance(issuer, str) else None, algorithm=token.algorithm, keyId=token.key_id
    )
    return token


def _wrong_audience(provider: Provider, audience: str) -> str:
    listed = ", ".join(f"`{client}`" for client in (provider.client_ids or ())[:MOST_TOLD])
    return f"the token is for `{audience[:_MAX_URL]}`; the provider admits {listed or 'no client id'}"


def _provider(ctx: Context, account: str, issuer: object) -> Provider:
    try:
        return provider_of(ctx.world, account, issuer)
    except AwsError:
        known = ctx.world.page(documents.OIDC_PROVIDER, f"{account}/", limit=MOST_TOLD)
        told = ", ".join(provider["url"] for provider in known) or "none"
        ctx.evidence["refused"] = (
            f"account {account} has no provider for this issuer, exact in case, path and trailing slash; it has {told}"
        )
        raise


def provider_of(world: World, account: str, issuer: object) -> Provider:
    """The provider of the account for a token's issuer: exact in case, path and trailing slash."""
    if issuer is None:
        refuse("Missing a required claim: iss")
    if not isinstance(issuer, str):
        refuse("Issuer must be a valid URL")
    built_in = BUILT_IN_ISSUERS.get(issuer)
    if built_in is not None:
        return Provider(built_in, f"https://{built_in}", built_in)
    return world.memo(("oidc-provider", account, issuer), lambda: _registered(world, account, issuer))


def _registered(world: World, account: str, issuer: str) -> Provider:
    name = _name(issuer)
    arn = OIDC.arn(account, name)
    stored = world.find(documents.OIDC_PROVIDER, arn) if 0 < len(name) <= _MAX_URL else None
    if stored is None:
        refuse(f"No OpenIDConnect provider found in your account for {issuer}")
    return Provider(
        principal=arn,
        issuer=issuer,
        name=name,
        account=account,
        client_ids=tuple(stored["client_ids"]),
        thumbprints=tuple(stored.get("thumbprints", ())),
        jwks=stored.get("jwks"),
        propagation=stored.get("propagation", {}),
    )


def _name(issuer: str) -> str:
    """The issuer without its scheme, which is https, or http on this machine; "" for any other."""
    try:
        parts = urlsplit(issuer)
        host = parts.hostname or ""
    except ValueError:
        host = ""
    if not host or parts.scheme not in ("https", "http"):
        refuse("Issuer must be a valid URL")
    if parts.scheme == "http" and not is_loopback(host):
        return ""
    return issuer.partition("://")[2]


def _keys(ctx: Context, provider: Provider, token: jwt.Token) -> KeySet | None:
    if token.algorithm not in ALGORITHMS:  # no key fits: the issuer need not be asked
        ctx.evidence["refused"] = f"the algorithm is not accepted: only {', '.join(sorted(ALGORITHMS))} are"
        refuse(NO_KEY)
    try:
        return issuer_keys.known(ctx, provider, token.key_id)
    except KeysUnavailableError as why:
        ctx.evidence["refused"] = str(why)
        refuse(NO_KEY)
    except ThumbprintError:
        ctx.evidence["refused"] = "no certificate of the issuer's server has a thumbprint that the provider lists"
        refuse(BAD_THUMBPRINT)


def _proven(ctx: Context, token: jwt.Token, keys: KeySet) -> Result:
    verify = keys.verifier(token.key_id, token.algorithm)
    if verify is None:
        ctx.evidence["refused"] = (
            "no key of the issuer fits the token's key id and algorithm: it was signed elsewhere, or the key is gone"
        )
        refuse(NOT_VALIDATED if keys.is_unclear(token.key_id) else NO_KEY)
    try:
        return token.claims(verify)
    except jwt.BadSignature:
        ctx.evidence["refused"] = (
            "the signature is not the key's: another key signed, or the token was changed afterwards"
        )
        refuse(NOT_VALIDATED if keys.is_unclear(token.key_id) else NO_KEY)


def _with_claims(ask: Ask, token: IdToken) -> Ask:
    if not (token.tags or token.transitive or token.source_identity):
        return ask
    return replace(ask, tags=token.tags, transitive=token.transitive, source_identity=token.source_identity)
