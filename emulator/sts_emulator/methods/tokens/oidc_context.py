"""Which condition keys an OIDC token gives: while the role is assumed, and for as long as the session lives."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Final, NamedTuple

from sts_emulator.methods.tokens.checks import claim_text
from sts_emulator.methods.tokens.id_token import IdToken, refuse
from sts_emulator.methods.tokens.issuers import Provider
from sts_emulator.policy.token_claims import more_claims
from sts_emulator.vending.context import Keys
from sts_emulator.vending.origin import Origin, UnfitContextError, propagated

_OF_ALL: Final = ("aud", "oaud", "sub", "azp", "amr")


class _Names(NamedTuple):
    """What an issuer's condition keys are called; `claims` become those of `extra`, and some may be `nested`."""

    aud: str
    oaud: str
    sub: str
    azp: str
    amr: str
    claims: tuple[str, ...]
    extra: tuple[str, ...]
    nested: bool
    kept: tuple[str, ...]


def at_login(provider: Provider, token: IdToken, claims: Mapping[str, object]) -> dict[str, tuple[str, ...]]:
    """The condition keys of the trust evaluation; aws:PrincipalArn is not among them.

    Source: docs/aws/policy-evaluation.md, "Condition keys".
    """
    names = _names(provider.name)
    keys = {
        **_of_provider(provider.principal, provider.account),
        names.aud: (token.audience,),
        names.oaud: token.original_audiences,
        names.sub: (token.subject,),
    }
    if "azp" in claims:
        keys[names.azp] = (token.audience,)
    if "amr" in claims:
        amr = claims["amr"]
        methods = tuple(way for way in (amr if isinstance(amr, list) else [amr]) if isinstance(way, str))
        if methods:
            keys[names.amr] = methods
    values = [_claim(claims, name) for name in names.claims] if names.nested else map(claims.get, names.claims)
    for key, value in zip(names.extra, values, strict=True):
        if type(value) is str:
            keys[key] = (value,)
        elif value is not None and (text := claim_text(value)) is not None:
            keys[key] = (text,)
    return keys


def in_session(provider: Provider, context: Keys) -> Keys:
    """What the session keeps: who logged in where. The claims that became keys in 2026 end with the trust decision."""
    return {key: context[key] for key in _names(provider.name).kept if key in context}


def origin(provider: Provider, claims: Mapping[str, object]) -> Origin:
    """Who it was originally, by the provider's settings, which propagate it.

    Raises:
        AwsError: InvalidIdentityToken where the token does not tell; the sentence is ours.
    """

    def texts(name: str) -> tuple[str, ...]:
        claim = _claim(claims, name)
        values = claim if isinstance(claim, list) else [claim]
        return tuple(text for value in values if (text := claim_text(value)) is not None)

    try:
        return propagated(provider.propagation, texts, provider.name, provider.principal)
    except UnfitContextError as why:
        refuse(f"Trusted identity propagation: {why}")


@lru_cache(maxsize=1024)
def _names(provider: str) -> _Names:
    claims = more_claims(provider)
    aud, oaud, sub, azp, amr, *extra = (f"{provider}:{name}".lower() for name in (*_OF_ALL, *claims))
    kept = (aud, sub, amr, oaud) if provider == "accounts.google.com" else (aud, sub, amr)
    return _Names(aud, oaud, sub, azp, amr, claims, tuple(extra), any("/" in name for name in claims), kept)


@lru_cache(maxsize=1024)
def _of_provider(principal: str, account: str) -> Keys:
    """The keys that all who come by a provider have; one that AWS has built in is of no account."""
    keys = {"aws:federatedprovider": (principal,), "aws:principaltype": ("User",), "aws:userid": (principal,)}
    return {**keys, "aws:principalaccount": (account,)} if account else keys


def _claim(claims: Mapping[str, object], name: str) -> object:
    """A claim by its name, or, of a name with a slash, the member of an object."""
    if name in claims or "/" not in name:
        return claims.get(name)
    outer, _, inner = name.partition("/")
    nested = claims.get(outer)
    return nested.get(inner) if isinstance(nested, Mapping) else None
