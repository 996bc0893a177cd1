"""Owns which condition keys each kind of caller can ever have, and which one was meant where it cannot have a key.

Source: docs/aws/policy-evaluation.md, "Condition keys", which follows the User Guide's list of global condition
keys and the service authorization reference of STS. What is not documented to be absent is let pass.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

from sts_emulator.policy.federated import BUILT_IN, GITHUB, KINDS, SAML, FederatedType, ProviderKind, issuer_of, kind_of
from sts_emulator.policy.keys import is_claim
from sts_emulator.policy.token_claims import more_claims

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from sts_emulator.policy.deciding.engine import Principal

CallerKind = FederatedType | Literal["aws", "service", "anonymous"]


class CallerClass(NamedTuple):
    """A kind of caller: for federated ones the provider (ARN or host), for services the principal's name."""

    kind: CallerKind
    name: str = ""

    @property
    def issuer(self) -> str:
        """What the provider's own condition keys begin with, as it was written; empty for other callers."""
        return issuer_of(self.name) if self.kind == "oidc" else ""


ANY_AWS = CallerClass("aws")
_SESSION_ONLY = frozenset({"aws:multifactorauthpresent", "aws:multifactorauthage", "aws:tokenissuetime"})
_SERVICE_ONLY = frozenset(
    {
        *("aws:sourcearn", "aws:sourceaccount", "aws:sourceorgid", "aws:sourceorgpaths"),
        *("aws:principalservicename", "aws:principalservicenameslist"),
    }
)
_TOKENS_ONLY = frozenset({"sts:roleauthorizedbyidp"})
_ASSUMING_ONLY = {
    "sts:durationseconds": "it belongs to GetServiceBearerToken and GetWebIdentityToken, not to AssumeRole"
}
WITHOUT_SOURCE = frozenset({"ec2.amazonaws.com", "lambda.amazonaws.com"})
"""Services that send no aws:SourceArn when they assume a role, so that a guard would lock them out."""
WITH_SOURCE = frozenset(
    f"{name}.amazonaws.com"
    for name in (
        *("appflow", "bedrock", "cloudformation", "codebuild", "config", "datasync", "ecs-tasks", "firehose", "glue"),
        *("iot", "kinesisanalytics", "lexv2", "logs", "omics"),
        *("monitoring.rds", "osis-pipelines", "personalize", "pipes", "pods.eks", "rekognition", "rolesanywhere"),
        *("sagemaker", "scheduler", "ssm", "states", "transcribe", "transfer", "translate", "vpc-flow-logs"),
    )
)
"""Services whose own guides tell to test aws:SourceArn or aws:SourceAccount in the trust policies of their roles.

A guide that shows such a trust policy without them (S3 Batch Operations, CodePipeline, EventBridge rules) is no source.
"""
_SENT_BY_SERVICE: Mapping[str, tuple[str, ...]] = {
    "rolesanywhere.amazonaws.com": (
        *("aws:principaltag/x509", "aws:requesttag/x509", "aws:tagkeys", "sts:sourceidentity", "sts:rolesessionname"),
    ),
    "pods.eks.amazonaws.com": (
        *("aws:requesttag/eks-cluster-arn", "aws:requesttag/eks-cluster-name", "aws:requesttag/kubernetes-namespace"),
        *("aws:requesttag/kubernetes-service-account", "aws:requesttag/kubernetes-pod-", "sts:rolesessionname"),
    ),
}
"""Starts of the keys that follow from what a certificate or a pod is, beside those of the service itself."""
_PLAIN_TOKENS = frozenset({"aud", "sub"})
_FIXED = ("gitlab.com", GITHUB, "api.bitbucket.org", "oidc.circleci.com", "app.terraform.io")
"""Issuers whose tokens never have amr, azp or email, nor claims made for AWS: what they have is documented."""


def class_of(caller: Principal) -> CallerClass:
    """The class of a caller that asked."""
    match caller.type:
        case "user" | "assumed-role" | "root" | "federated-user":
            return ANY_AWS
        case "anonymous":
            return CallerClass("anonymous")
        case _ as kind:
            return CallerClass(kind, caller.value)


def class_named(kind: str, text: str) -> CallerClass:
    """The class of the callers that an entry of a `Principal` element names."""
    if kind == "Federated":
        return CallerClass(kind_of(text).type, text)
    return CallerClass("service", text) if kind == "Service" else ANY_AWS


def never_there(key: str, caller: CallerClass) -> str:
    """Why callers of a class can never have a key, as a sentence; empty when they may have it."""
    name = key.lower()
    if name in _ASSUMING_ONLY:
        return f"{key} is no key of the AssumeRole operations: {_ASSUMING_ONLY[name]}"
    if ":" not in name:
        return f"{key} is no condition key: every key begins with a service or an issuer and a colon"
    if caller.issuer and name.startswith(f"{caller.issuer.lower()}:"):
        return _never_claimed(key, caller)
    if _is_issuers(name):
        return _foreign_issuer(key, name, caller)
    asserted = next((kind for kind in KINDS if kind.prefix and name.startswith(f"{kind.prefix}:")), None)
    if asserted is not None:
        return _never_asserted(key, asserted, caller)
    return _never_said(key, name, caller)


def meant(key: str, caller: CallerClass, *, have: Collection[str] = ()) -> str:
    """The key that the author of a policy wanted where `never_there`; empty when that cannot be told.

    `have` are the keys that the caller is known to have, lower-cased.
    """
    name = key.lower()
    claim = name.rpartition(":")[2].rpartition("/")[2]
    if caller.kind == "oidc":
        claim = claim if claim in _PLAIN_TOKENS or claim in more_claims(caller.issuer.lower()) else "sub"
        wanted = f"{caller.issuer}:{claim}"
    elif caller.kind == "saml" and (_is_issuers(name) or ":" not in name):
        wanted = f"saml:{claim}" if claim in SAML.keys else "saml:sub"
    else:
        return ""
    return wanted if not have or wanted.lower() in have else ""


def can_send(key: str, caller: Principal) -> bool:
    """Whether a caller could make its request with another value of a key; who it is, and when and where, stays."""
    name, asker = key.lower(), class_of(caller)
    if asker.kind == "anonymous" or never_there(name, asker) or name in _GIVEN or name.startswith(_GIVEN_STARTS):
        return False
    if asker.kind == "service":
        return name in _SOURCE or name.startswith(_SENT_BY_SERVICE.get(asker.name, _NOTHING))
    if name.startswith(_FROM_CLAIMS) and asker.kind == "oidc" and _is_fixed(asker.issuer):
        return False
    if name.startswith("aws:principaltag/") or name in ("aws:principalorgid", "aws:sourceidentity"):
        return asker.kind == "aws"
    if name in _SESSION_ONLY:
        return caller.type == "user"  # by GetSessionToken; a role session has the time and the MFA that it began with
    return True


_GIVEN = frozenset(
    {
        *("aws:principalarn", "aws:principalaccount", "aws:principaltype", "aws:userid", "aws:username"),
        *("aws:federatedprovider", "aws:principalisawsservice", "aws:viaawsservice", "aws:assumedroot"),
        *("aws:principalorgpaths", "aws:principalservicename", "aws:principalservicenameslist", "aws:tokenissuetime"),
        *("aws:currenttime", "aws:epochtime", "aws:resourceaccount", "aws:resourceorgid", "aws:resourceorgpaths"),
    }
)
_GIVEN_STARTS = ("aws:calledvia", "aws:resourcetag/", "iam:resourcetag/")
_FROM_CLAIMS = ("aws:requesttag/", "aws:tagkeys", "sts:transitivetagkeys", "sts:sourceidentity", "sts:roleauthorized")
"""Starts of the keys that come from claims of a token that exist for AWS only."""
_NOTHING = ("\0",)
_SOURCE = _SERVICE_ONLY - {"aws:principalservicename", "aws:principalservicenameslist"}


def _is_fixed(issuer: str) -> bool:
    return issuer.startswith("oidc.eks.") or issuer.partition("/")[0].lower() in _FIXED


def _is_issuers(name: str) -> bool:
    """Whether a key is a token issuer's: `host/path:claim`, perhaps with what does not belong there."""
    start = name.partition(":")[0]
    return "." in start or start in ("arn", "http", "https")


def _never_claimed(key: str, caller: CallerClass) -> str:
    issuer, claim = caller.issuer.lower(), key[len(caller.issuer) + 1 :].lower()
    if not is_claim(issuer, claim):
        return f"AWS makes no condition key of the claim {claim}, so there never is a {key}"
    told = (*_PLAIN_TOKENS, *more_claims(issuer))
    if _is_fixed(issuer) and claim in ("amr", "azp", "email") and claim not in told:
        return f"{caller.issuer} puts no {claim} into its tokens"
    return ""


def _foreign_issuer(key: str, name: str, caller: CallerClass) -> str:
    if caller.kind == "oidc":
        return f"a token has no such key: those of this provider begin with {caller.issuer}:"
    if caller.kind == "aws" and name.startswith(tuple(f"{issuer}:" for issuer in BUILT_IN)):
        return ""
    return f"{key} exists for callers with a token of that issuer, not for {_WORDS[caller.kind]}"


def _never_asserted(key: str, asserted: ProviderKind, caller: CallerClass) -> str:
    if caller.kind not in (asserted.type, "aws"):
        return f"{key} exists for {_WORDS[asserted.type]}, not for {_WORDS[caller.kind]}"
    attribute = key.lower().removeprefix(f"{asserted.prefix}:")
    if not asserted.keys or attribute in asserted.keys or attribute.startswith(asserted.more_keys):
        return ""
    return f"AWS makes no condition key of the {asserted.part} {attribute}, so there never is a {key}"


def _never_said(key: str, name: str, caller: CallerClass) -> str:
    whom = _WORDS[caller.kind]
    if name in _TOKENS_ONLY and caller.kind != "oidc":
        return f"{key} exists for callers with a token, not for {whom}"
    if name in _SERVICE_ONLY and caller.kind != "service":
        return f"{key} exists when an AWS service calls by itself, not for {whom}"
    if name in _SOURCE and caller.name in WITHOUT_SOURCE:
        return f"{caller.name} sends no {key} when it assumes a role"
    return f"{key} does not exist for {whom}" if name in _NEVER.get(caller.kind, ()) else ""


_UNSIGNED = frozenset({*_SESSION_ONLY, "aws:username"})
_NEVER: Mapping[CallerKind, frozenset[str]] = {
    **{kind.type: _UNSIGNED | {"aws:principalarn", "sts:externalid", "aws:sourceidentity"} for kind in KINDS},
    "service": _UNSIGNED | {"aws:principalorgid"},
}
_WORDS: Mapping[CallerKind, str] = {
    "aws": "users and roles",
    **{kind.type: f"callers with {kind.evidence}" for kind in KINDS},
    "service": "AWS services",
    "anonymous": "anonymous callers",
}
