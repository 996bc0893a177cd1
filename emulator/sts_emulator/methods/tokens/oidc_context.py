"""Which condition keys an OIDC token gives: while the role is assumed, and for as long as the session lives."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

from sts_emulator.methods.tokens.id_token import IdToken, refuse
from sts_emulator.methods.tokens.issuers import Provider
from sts_emulator.policy.token_claims import more_claims
from sts_emulator.vending.origin import Origin, UnfitContextError, propagated


def at_login(provider: Provider, token: IdToken, claims: Mapping[str, object]) -> dict[str, tuple[str, ...]]:
    """The condition keys of the trust evaluation; aws:PrincipalArn is not among them.

    Source: docs/aws/policy-evaluation.md, "Condition keys".
    """
    prefix = provider.name.lower()
    keys = {
        "aws:federatedprovider": (provider.principal,),
        "aws:principaltype": ("User",),
        "aws:userid": (provider.principal,),
        f"{prefix}:aud": (token.audience,),
        f"{prefix}:oaud": token.original_audiences,
        f"{prefix}:sub": (token.subject,),
    }
    if provider.account:
        keys["aws:principalaccount"] = (provider.account,)
    if "azp" in claims:
        keys[f"{prefix}:azp"] = (token.audience,)
    amr = claims.get("amr")
    methods = tuple(way for way in (amr if isinstance(amr, list) else [amr]) if isinstance(way, str))
    if methods:
        keys[f"{prefix}:amr"] = methods
    for name, key in _extra_claims(provider.name):
        value = claims.get(name)
        if type(value) is not str:
            value = _text(_claim(claims, name))
            if value is None:
                continue
        keys[key] = (value,)
    return keys


def in_session(provider: Provider, context: Mapping[str, tuple[str, ...]]) -> dict[str, list[str]]:
    """What the session keeps: who logged in where. The claims that became keys in 2026 end with the trust decision."""
    prefix = provider.name.lower()
    kept = ("aud", "sub", "amr", "oaud") if provider.name == "accounts.google.com" else ("aud", "sub", "amr")
    return {key: list(context[key]) for claim in kept if (key := f"{prefix}:{claim}") in context}


def origin(provider: Provider, claims: Mapping[str, object]) -> Origin | None:
    """Who it was originally, where the provider's settings propagate it.

    Raises:
        AwsError: InvalidIdentityToken where the token does not tell; the sentence is ours.
    """
    if not provider.propagation:
        return None

    def texts(name: str) -> tuple[str, ...]:
        claim = _claim(claims, name)
        values = claim if isinstance(claim, list) else [claim]
        return tuple(text for value in values if (text := _text(value)) is not None)

    try:
        return propagated(provider.propagation, texts, provider.name, provider.principal)
    except UnfitContextError as why:
        refuse(f"Trusted identity propagation: {why}")


@lru_cache(maxsize=1024)
def _extra_claims(provider: str) -> tuple[tuple[str, str], ...]:
    """The claims that become keys, and the names of these."""
    return tuple((name, f"{provider}:{name}".lower()) for name in more_claims(provider))


def _claim(claims: Mapping[str, object], name: str) -> object:
    """A claim by its name, or, of a name with a slash, the member of an object."""
    if name in claims or "/" not in name:
        return claims.get(name)
    outer, _, inner = name.partition("/")
    nested = claims.get(outer)
    return nested.get(inner) if isinstance(nested, Mapping) else None


def _text(value: object) -> str | None:
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, str) else str(value) if isinstance(value, int) else None
