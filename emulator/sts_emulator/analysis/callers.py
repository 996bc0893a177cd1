"""Whom a policy could mean: callers made up from the principals that it names, and the condition keys they can have.

Source: docs/aws/policy-evaluation.md, "Principals" and "Condition keys".
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import field
from typing import Final, Literal

from sts_emulator.policy.arns import account_in, parse_arn
from sts_emulator.policy.deciding.document import Document, Statement
from sts_emulator.policy.deciding.engine import Principal
from sts_emulator.policy.deciding.matching import is_account
from sts_emulator.policy.federated import ACTIONS, COGNITO, KINDS, OIDC, SAML, kind_of
from sts_emulator.policy.light_dataclass import dataclass

Context = Mapping[str, tuple[str, ...]]
Presence = Literal["never", "free", "always"]

FOREIGN: Final = "999999999999"
SOMEBODY: Final = "somebody"
SESSION: Final = "session"
ALONG: Final = ("sts:TagSession", "sts:SetSourceIdentity")
"""What is asked along with an assume operation, and may be allowed or not by itself."""

FIXED: Final = frozenset(
    {
        "aws:principalarn",
        "aws:principalaccount",
        "aws:principaltype",
        "aws:userid",
        "aws:username",
        "aws:federatedprovider",
    }
)
_ALWAYS: Final = frozenset(
    {"aws:currenttime", "aws:epochtime", "aws:securetransport", "aws:requestedregion", "sts:rolesessionname"}
)
_EVERYBODYS_SOURCE: Final = frozenset(
    {"aws:sourceip", "aws:sourcevpc", "aws:sourcevpce", "aws:sourcevpcarn", "aws:sourceidentity"}
)


@dataclass(frozen=True, eq=False)
class Caller:
    """A caller: `named` is the principal's text that it was made from, `context` what always holds for it.

    `is_known`: its tags and its organization are known, and not to be chosen.
    """

    principal: Principal
    named: str
    context: Context = field(default_factory=dict)
    is_known: bool = False

    @property
    def key(self) -> tuple[str, str]:
        """What tells callers apart."""
        return self.principal.type, self.principal.value

    @property
    def action(self) -> str:
        """The assume operation that this kind of caller uses."""
        return ACTIONS.get(self.principal.type, "sts:AssumeRole")


def named_in(documents: Iterable[Document], account: str) -> list[Caller]:
    """The callers that documents name, or by a wildcard, an account or aws:PrincipalArn could mean; once each."""
    callers: dict[tuple[str, str], Caller] = {}
    for document in documents:
        for statement in document.statements:
            for caller in _named_by(statement, account):
                callers.setdefault(caller.key, caller)
    return list(callers.values())


def _named_by(statement: Statement, account: str) -> Iterator[Caller]:
    entries = statement.principals.entries if statement.principals else ()
    for kind, text in entries:
        yield from of(kind, text, account)
    if statement.not_principal:
        yield from of("AWS", "*", account)
    if any(kind in ("AWS", "*") for kind, _ in entries):
        for condition in statement.conditions:
            if condition.name == "aws:principalarn":
                for value in condition.values:
                    yield from _of_pattern(value.raw)


def of(kind: str, text: str, account: str) -> Iterator[Caller]:
    """The callers that one principal of a policy stands for; `account` is the role's."""
    if kind == "Federated":
        yield federated(text)
    elif kind == "Service":
        yield service(text)
    elif text == "*":
        yield from (role(FOREIGN, SOMEBODY, text), user(FOREIGN, SOMEBODY, text))
        if account:
            yield role(account, SOMEBODY, account)
    elif is_account(text):
        number = text if ":" not in text else account_in(text)
        yield from (role(number, SOMEBODY, text), user(number, SOMEBODY, text))
    else:
        yield from _of_arn(text)


def _of_arn(text: str) -> Iterator[Caller]:
    arn = parse_arn(text)
    if arn is None:  # also the id of a principal that was deleted: nobody is it any more
        return
    kind, _, rest = arn.resource.partition("/")
    path, _, name = rest.rpartition("/")
    if kind == "user":
        yield user(arn.account, name, text, f"/{path}/" if path else "/")
    elif kind == "role":
        yield role(arn.account, name, text, f"/{path}/" if path else "/")
    elif kind == "assumed-role":
        yield role(arn.account, rest.partition("/")[0], text, session=rest.partition("/")[2] or SESSION)


def _of_pattern(raw: str) -> Iterator[Caller]:
    if "${" in raw:
        return
    filled = raw.replace("*", "x").replace("?", "x")
    arn = parse_arn(filled)
    yield from _of_arn(filled if arn is None or arn.account.isdigit() else str(arn._replace(account=FOREIGN)))


def user(account: str, name: str, named: str, path: str = "/") -> Caller:
    """An IAM user with a long-term key."""
    arn = f"arn:aws:iam::{account}:user{path}{name}"
    return Caller(
        Principal("user", arn, account, user_arn=arn),
        named,
        {**_keys(arn, account, "User", f"AIDA{name.upper()}"), "aws:username": (name,)},
    )


def role(account: str, name: str, named: str, path: str = "/", session: str = SESSION) -> Caller:
    arn = f"arn:aws:iam::{account}:role{path}{name}"
    session_arn = f"arn:aws:sts::{account}:assumed-role/{name}/{session}"
    keys = _keys(arn, account, "AssumedRole", f"AROA{name.upper()}:{session}")
    principal = Principal("assumed-role", session_arn, account, role_arn=arn, id=f"AROA{name.upper()}:{session}")
    return Caller(principal, named, {**keys, "aws:multifactorauthpresent": ("false",)})


def federated(provider: str) -> Caller:
    """Whoever an OIDC or SAML provider vouches for; AWS gives it an account and a type, and no aws:PrincipalArn."""
    account = account_in(provider)
    kind = kind_of(provider)
    keys: dict[str, tuple[str, ...]] = {"aws:userid": (provider,), "aws:principaltype": ("User",)}
    if account:
        keys["aws:principalaccount"] = (account,)
    if kind.names_provider:
        keys["aws:federatedprovider"] = (provider,)
    return Caller(Principal(kind.type, provider, account, id=provider), provider, keys)


def service(name: str) -> Caller:
    """An AWS service."""
    keys = {"aws:principalservicename": (name,), "aws:principalisawsservice": ("true",)}
    return Caller(Principal("service", name), name, keys)


def _keys(arn: str, account: str, kind: str, user_id: str) -> dict[str, tuple[str, ...]]:
    return {
        "aws:principalarn": (arn,),
        "aws:principalaccount": (account,),
        "aws:principaltype": (kind,),
        "aws:userid": (user_id,),
        "aws:principalisawsservice": ("false",),
    }


def presence(name: str, caller: Caller, action: str) -> Presence:
    """Whether a lower-cased key can be in such a caller's request, or always is; fixed ones count as never."""
    kind = caller.principal.type
    if name in FIXED or name in caller.context or (caller.is_known and name.startswith(_OWN)):
        return "never"
    if name in _ALWAYS or (name == "aws:tagkeys" and action == "sts:TagSession"):
        return "always"
    issuer, colon, claim = name.rpartition(":")
    if issuer in _PREFIXES or (colon and "." in issuer):
        return _claim_presence(issuer, claim, caller)
    if name.startswith("aws:source") and name not in _EVERYBODYS_SOURCE:
        return "free" if kind == "service" else "never"
    return "free" if kind in _ONLY_FOR.get(_family(name), (kind,)) else "never"


def _claim_presence(issuer: str, claim: str, caller: Caller) -> Presence:
    kind = _PREFIXES.get(issuer, OIDC)
    if caller.principal.type != kind.type or issuer != kind.prefix_of(caller.principal.value):
        return "never"
    said = claim in ("sub", "aud") or (kind, claim) == (SAML, "iss") or (issuer, claim) == (COGNITO, "amr")
    return "always" if said else "free"


def _family(name: str) -> str:
    return next((start for start in _ONLY_FOR if name.startswith(start)), "")


_PREFIXES: Final = {kind.prefix: kind for kind in KINDS if kind.prefix}
_OWN: Final = ("aws:principaltag/", "aws:principalorg")
_SIGNERS: Final = ("user", "assumed-role")
_ONLY_FOR: Final[Mapping[str, tuple[str, ...]]] = {
    "sts:externalid": _SIGNERS,
    "aws:multifactorauth": ("user",),
    "aws:principaltag/x509": (*_SIGNERS, "service"),  # IAM Roles Anywhere tells of certificates so
    "aws:principaltag/": _SIGNERS,
    "aws:principalorg": _SIGNERS,
    "aws:tokenissuetime": _SIGNERS,
}
"""Starts of keys that only some kinds of caller have."""
