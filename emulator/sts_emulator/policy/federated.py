"""Owns the kinds of federated identity providers: how each is named, what it is asked for, and what its callers send.

A new kind of provider is one line of `KINDS`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from sts_emulator.policy.light_dataclass import dataclass

if TYPE_CHECKING:
    from collections.abc import Mapping

FederatedType = Literal["oidc", "saml"]

GOOGLE = "accounts.google.com"
COGNITO = "cognito-identity.amazonaws.com"
GITHUB = "token.actions.githubusercontent.com"
BUILT_IN = frozenset({GOOGLE, "www.amazon.com", "graph.facebook.com", COGNITO})
"""Providers that need no resource of the account: a policy names them by their host.

A role session keeps their keys and brings them into its next AssumeRole; saml:… likewise.
"""
BUILT_IN_ISSUERS = {GOOGLE: GOOGLE} | {f"https://{host}": host for host in (GOOGLE, COGNITO)}
"""Those that issue OpenID Connect tokens (docs/aws/web-identity.md, "Built-in providers"): `iss` -> principal."""


@dataclass(frozen=True, slots=True)
class ProviderKind:
    """One kind: `type` is that of its callers, `segment` what the resource part of a provider's ARN starts with.

    The condition keys of its callers start with `prefix`, or with the issuer's host and path where that is empty.
    `names_provider`: whether `aws:FederatedProvider` is sent (docs/aws/policy-evaluation.md, "Condition keys").
    `title` is what people call it. `evidence` is what its callers show, and `part` what that consists of, in words.
    `keys` are all that AWS makes of it behind the prefix, and `more_keys` starts of further ones; none: any. The one
    that `subject` names says who the caller is.
    """

    type: FederatedType
    segment: str
    action: str
    prefix: str
    names_provider: bool
    title: str
    evidence: str
    part: str
    keys: frozenset[str] = frozenset()
    element: ClassVar = "Federated"
    more_keys: tuple[str, ...] = ()
    subject: str = "sub"

    @property
    def noun(self) -> str:
        """What the evidence is, in one word."""
        return self.evidence.rpartition(" ")[2]

    def arn(self, account: str, name: str, partition: str = "aws") -> str:
        """The ARN of an account's provider of this kind."""
        return f"arn:{partition}:iam::{account}:{self.segment}/{name}"

    def prefix_of(self, provider: str) -> str:
        """What the keys of a provider's callers begin with, lower-cased, up to the colon."""
        return self.prefix or issuer_of(provider).lower()


OIDC = ProviderKind(
    type="oidc",
    segment="oidc-provider",
    action="sts:AssumeRoleWithWebIdentity",
    prefix="",
    names_provider=True,
    title="OIDC provider",
    evidence="an OIDC token",
    part="claim",
)
SAML = ProviderKind(
    type="saml",
    segment="saml-provider",
    action="sts:AssumeRoleWithSAML",
    prefix="saml",
    names_provider=False,
    title="SAML provider",
    evidence="a SAML assertion",
    part="attribute",
    # User Guide, reference_policies_iam-condition-keys, "Available keys for SAML-based AWS STS federation".
    keys=frozenset(
        {
            *("aud", "iss", "doc", "sub", "sub_type", "namequalifier", "cn", "commonname", "givenname", "mail"),
            *("name", "organizationstatus", "primarygroupsid", "surname", "uid", "x500uniqueidentifier"),
        }
    ),
    more_keys=("eduperson", "eduorg"),
)
KINDS = (OIDC, SAML)
SEGMENTS = tuple(kind.segment for kind in KINDS)
ACTIONS: Mapping[str, str] = {kind.type: kind.action for kind in KINDS}
"""How the callers of each type assume a role."""


def kind_of(provider: str) -> ProviderKind:
    """The kind of a provider, by its ARN; one that is named by its host is an issuer of tokens."""
    return next((kind for kind in KINDS if f":{kind.segment}/" in provider), OIDC)


def issuer_of(provider: str) -> str:
    """Host and path of the issuer behind the ARN of a provider of tokens; any other provider is its own issuer."""
    return provider.partition(f":{OIDC.segment}/")[2] or provider


def kind_of_type(caller: FederatedType) -> ProviderKind:
    """The kind of provider behind the callers of a type; of a type that is none, one that nothing is known of."""
    return next((kind for kind in KINDS if kind.type == caller), _NONE)


_NONE = ProviderKind(
    type="oidc",
    segment="?",
    action="?",
    prefix="?",
    names_provider=False,
    title="unknown provider",
    evidence="unknown evidence",
    part="part",
)
