"""Owns the kinds of federated identity providers: how each is named, what it is asked for, and what its callers send.

A new kind of provider is one line of `KINDS`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

FederatedType = Literal["oidc", "saml"]

COGNITO = "cognito-identity.amazonaws.com"
GITHUB = "token.actions.githubusercontent.com"
BUILT_IN = frozenset({"accounts.google.com", "www.amazon.com", "graph.facebook.com", COGNITO})
"""Providers that need no resource of the account: a policy names them by their host."""


@dataclass(frozen=True, slots=True)
class ProviderKind:
    """One kind: `type` is that of its callers, `segment` what the resource part of a provider's ARN starts with.

    The condition keys of its callers start with `prefix`, or with the issuer's host and path where that is empty.
    `names_provider`: whether `aws:FederatedProvider` is sent (docs/aws/policy-evaluation.md, "Condition keys").
    """

    type: FederatedType
    segment: str
    action: str
    prefix: str
    names_provider: bool


OIDC = ProviderKind("oidc", "oidc-provider", "sts:AssumeRoleWithWebIdentity", prefix="", names_provider=True)
SAML = ProviderKind("saml", "saml-provider", "sts:AssumeRoleWithSAML", prefix="saml", names_provider=False)
KINDS = (OIDC, SAML)
SEGMENTS = tuple(kind.segment for kind in KINDS)
ACTIONS: dict[str, str] = {kind.type: kind.action for kind in KINDS}
"""How the callers of each type assume a role."""


def kind_of(provider: str) -> ProviderKind:
    """The kind of a provider, by its ARN; one that is named by its host is an issuer of tokens."""
    return next((kind for kind in KINDS if f":{kind.segment}/" in provider), OIDC)


def issuer_of(provider: str) -> str:
    """Host and path of the issuer behind the ARN of a provider of tokens; any other provider is its own issuer."""
    return provider.partition(f":{OIDC.segment}/")[2] or provider
