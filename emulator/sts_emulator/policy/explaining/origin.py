"""Owns the line that says who it was originally: the first proof, and every role from there to the caller."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sts_emulator.policy.arns import account_in, parse_arn
from sts_emulator.policy.federated import KINDS, issuer_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sts_emulator.policy.deciding.engine import Principal

    Keys = Mapping[str, Sequence[str]]

_PREFIX: Final = "aws:originidentity/"
CERTIFICATE: Final = "a certificate of Roles Anywhere"
IDENTITY_CENTER: Final = "Identity Center"
_NAME: Final = "aws:principaltag/x509subject/cn"
_METHODS: Final[Mapping[str, str]] = {
    "EC2 instance identity": "an EC2 instance",
    "EC2 instance profile": "an EC2 instance",
    "ECS task role": "an ECS task",
    "EKS Pod Identity": "a pod of EKS",
    "Lambda execution role": "a Lambda function",
}
"""What AWS runs with a role: the first proof of its sessions."""


def origin_line(context: Keys, caller: Principal) -> str:
    """`repo:acme/shop:… (workload), as token.actions.githubusercontent.com says → ci/job → release/job`.

    Empty for callers who are the first proof themselves, with a key of their own, and for services. `context` is a
    request's or session's, with lower-case keys.
    """
    first, *between = caller.chain or ("",)
    who = _propagated(context) or (_proven(context, caller) if not caller.chain else "")
    if not caller.chain:
        return who
    roles = [*between, caller.value]
    if not who and first.startswith("arn:"):
        roles.insert(0, first)
    elif not who:
        who = _METHODS.get(first, first)
    return " → ".join([*([who] if who else []), *_named(roles)])


def _propagated(context: Keys) -> str:
    """What the provider's word was that stays with the session."""
    subject, kind, issuer, provider = (
        context.get(f"{_PREFIX}{member}", ("",))[0]
        for member in ("subject", "subjecttype", "issuer", "federatedproviderarn")
    )
    if not subject:
        return ""
    # A SAML provider's issuer is a hash, which tells nobody anything.
    witness = provider if ":saml-provider/" in provider else issuer or CERTIFICATE
    return said(f"{subject}{f' ({kind})' if kind else ''}", witness)


def said(subject: str, witness: str) -> str:
    """`SUBJECT, as WITNESS says`."""
    return f"{subject}, as {witness} says"


def _proven(context: Keys, caller: Principal) -> str:
    """Who comes with a token, an assertion or a certificate right now."""
    kind = next((kind for kind in KINDS if kind.type == caller.type), None)
    if kind is not None:
        subject = context.get(f"{kind.prefix_of(caller.value)}:{kind.subject}", ("",))[0]
        return said(subject, issuer_of(caller.value)) if subject else ""
    name = context.get(_NAME, ("",))[0] if caller.value == "rolesanywhere.amazonaws.com" else ""
    return said(name, CERTIFICATE) if name else ""


def _named(arns: Sequence[str]) -> list[str]:
    """Users, roles and sessions without what all their ARNs share."""
    with_account = len({account for text in arns if (account := account_in(text))}) > 1
    return [_short(text, with_account=with_account) for text in arns]


def _short(text: str, *, with_account: bool) -> str:
    arn = parse_arn(text)
    if arn is None:
        return text
    name = arn.resource.removeprefix("assumed-role/")
    return f"{arn.account}:{name}" if with_account else name
