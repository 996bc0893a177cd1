"""Who it was originally: the person or workload that a proof from outside AWS gives to a session, for good.

The session keeps it as condition keys, sealed with all the rest; every session that comes of it has the same ones.
Source: docs/aws/trusted-identity-propagation.md, "With IAM".
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import field
from typing import Any, Final

from sts_emulator.accounts.propagation import Propagation
from sts_emulator.policy.light_dataclass import dataclass
from sts_emulator.vending.context import Caller
from sts_emulator.vending.session import USER, Session

SUBJECT: Final = "aws:originidentity/subject"
_MEMBERS: Final = {
    "Subject": SUBJECT,
    "SubjectType": "aws:originidentity/subjecttype",
    "Issuer": "aws:originidentity/issuer",
    "FederatedProviderArn": "aws:originidentity/federatedproviderarn",
}
_TRANSACTION: Final = "aws:transactioncontext/identityprovider/"
_INSTANCE: Final = "aws:identitycenterinstancearn"
_STORE: Final = "aws:identitystorearn"
_KEYS: Final = ("aws:originidentity/", _TRANSACTION, _INSTANCE, _STORE)

LONGEST_CLAIM: Final = 128  # characters, by STS's model
LONGEST_SUBJECT: Final = 256  # AWS's own limit is not known


LONGEST_CHAIN: Final = 8  # of what a session comes of: nothing bounds how often roles are assumed from roles
LONGEST_WITNESS: Final = 256  # characters
_LEFT_OUT: Final = "…"


class UnfitContextError(ValueError):
    """A proof does not say what its provider's settings want to know; the text says why, for our own users."""


@dataclass(frozen=True, slots=True)
class Origin:
    """An identity from outside AWS, and who vouched for it.

    `issuer`: the token's, without `https://`, or the hash of the key that signed the SAML assertion. `provider`: the
    ARN of IAM's. `transaction`: further claims, by the names that the provider's settings give them.
    """

    subject: str
    subject_type: str = ""
    issuer: str = ""
    provider: str = ""
    transaction: Mapping[str, str] = field(default_factory=dict)
    instance: str = ""  # ARN
    store: str = ""  # ARN

    def keys(self) -> dict[str, tuple[str, ...]]:
        """The condition keys, lower-case."""
        keys = {_MEMBERS[member]: value for member, value in self._identity().items()}
        keys |= {f"{_TRANSACTION}{name.lower()}": value for name, value in self.transaction.items()}
        keys |= {_INSTANCE: self.instance, _STORE: self.store}
        return {name: (value,) for name, value in keys.items() if value}

    def to_wire(self) -> dict[str, Any]:
        """The TrustedIdentityPropagationContext member; it tells nothing of Identity Center."""
        shown: dict[str, Any] = {"OriginIdentity": self._identity()}
        if self.transaction:
            shown["TransactionContext"] = {"IdentityProvider": dict(self.transaction)}
        return {"TrustedIdentityPropagationContext": shown}

    def _identity(self) -> dict[str, str]:
        members = (self.subject, self.subject_type, self.issuer, self.provider)
        return {member: value for member, value in zip(_MEMBERS, members, strict=True) if value}


def propagated(settings: Propagation, claim: Callable[[str], Sequence[str]], issuer: str, provider: str) -> Origin:
    """The origin that a proof's claims give; `claim` reads the texts of one, none where the proof has not got it.

    Raises:
        UnfitContextError: no subject, or a claim with several values or too long a one. Whether AWS refuses these too,
            or leaves them out, is not known. All of it together may be too large for the session's token.
    """
    context = settings["context"]
    subject = _single(claim, context["SubjectSourceKey"], LONGEST_SUBJECT)
    if not subject.strip():
        raise UnfitContextError(
            f"`{context['SubjectSourceKey']}`, the subject by the provider's settings, is not there"
        )
    kind_from = context.get("SubjectTypeSourceKey", "")
    mapped = {
        definition.get("TargetKey", definition["SourceKey"]): _single(claim, definition["SourceKey"], LONGEST_CLAIM)
        for definition in context.get("KeyDefinitionList", ())
    }
    return Origin(
        subject=subject,
        subject_type=_single(claim, kind_from, LONGEST_CLAIM) if kind_from else context.get("SubjectTypeValue", ""),
        issuer=issuer,
        provider=provider,
        transaction={name: value for name, value in mapped.items() if value},
        instance=settings.get("instance", ""),
        store=settings.get("store", ""),
    )


def known(context: Mapping[str, Sequence[str]]) -> Origin | None:
    """The origin among a session's or caller's condition keys; None for whoever came without one."""
    if SUBJECT not in context:
        return None
    subject, kind, issuer, provider, instance, store = (
        context.get(key, ("",))[0] for key in (*_MEMBERS.values(), _INSTANCE, _STORE)
    )
    transaction = {
        name.removeprefix(_TRANSACTION): values[0] for name, values in context.items() if name.startswith(_TRANSACTION)
    }
    return Origin(subject, kind, issuer, provider, transaction, instance, store)


def kept(session: Session | None) -> dict[str, Sequence[str]]:
    """The keys of the origin that a session hands on where the other keys of its login end."""
    context = session.context if session else {}
    return {name: values for name, values in context.items() if name.startswith(_KEYS)}


def passed(caller: Caller | None, witness: str = "") -> tuple[str, ...]:
    """The chain of a new session: what its caller comes of, and the caller; in words, where nobody signed."""
    if caller is None:
        return (witness[:LONGEST_WITNESS],) if witness else ()
    session = caller.session
    if session is None or session.kind == USER:  # which is the user, by another key
        return (caller.arn,)
    chain = (*came_of(session), caller.arn)
    if len(chain) <= LONGEST_CHAIN:
        return chain
    return (*chain[:2], _LEFT_OUT, *chain[3 - LONGEST_CHAIN :])


def came_of(session: Session) -> tuple[str, ...]:
    """What a session comes of, oldest first; where that was not told, by which method it was proven."""
    return session.chain or (session.method,)


def _single(claim: Callable[[str], Sequence[str]], name: str, longest: int) -> str:
    values = claim(name)
    if len(values) > 1:
        raise UnfitContextError(f"`{name}` has several values")
    value = values[0] if values else ""
    if len(value) > longest:
        raise UnfitContextError(f"`{name}` is longer than {longest} characters")
    return value
