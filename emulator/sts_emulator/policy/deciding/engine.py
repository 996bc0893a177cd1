"""Owns the decision: what one document says of a request, and what all layers together say.

Source: docs/aws/policy-evaluation.md, "One document" to "Principals". This is the path of every request, so it builds
no tree; `explain` does, and a property test proves that both give the same answer.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Literal, NamedTuple

from sts_emulator.policy.arns import account_in
from sts_emulator.policy.deciding.matching import AWS_TYPES, CALLER_TYPES, RANK, CallerType, Grant
from sts_emulator.policy.layers import LAYERS, Layer
from sts_emulator.policy.light_dataclass import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from sts_emulator.policy.deciding.document import Document, Statement

Verdict = Literal["allow", "explicit_deny", "implicit_deny"]

ROLE_SESSION_ACTIONS = frozenset({"sts:tagsession", "sts:setsourceidentity", "sts:setcontext"})


@dataclass(slots=True)
class Principal:
    """Who asks.

    `value` is the ARN (of the session for assumed-role), the provider's ARN or host (oidc, saml) or the service's name.
    `role_arn` carries the path. `id` is the unique id: `AIDA…`, or `AROA…:session`, whose role part matches stored
    `AROA…` principals. A caller of any other type is admitted by nothing. `chain` is what a session comes of, oldest
    first: no policy asks for it, explanations tell it.
    """

    type: CallerType
    value: str
    account: str = ""
    role_arn: str = ""
    user_arn: str = ""
    id: str = ""
    chain: tuple[str, ...] = ()


@dataclass(slots=True)
class Request:
    """What is asked; `context` has lower-cased keys and is complete: the engine adds none. `()` counts as absent."""

    action: str
    resource: str
    principal: Principal
    context: Mapping[str, tuple[str, ...]]


@dataclass(slots=True)
class PolicySet:
    """Everything that can have a say.

    `trust` is the role's trust policy or another resource policy; `session` are the policies of the *caller's* session
    (None: a session without any; an empty tuple allows nothing); `scps` and `rcps` hold one tuple a level, root to
    account, and are empty outside an organization or for an exempt caller. `resource_account` is read from the
    resource's ARN when empty.
    """

    trust: Document | None = None
    identity: tuple[Document, ...] = ()
    boundary: Document | None = None
    session: tuple[Document, ...] | None = None
    scps: tuple[tuple[Document, ...], ...] = ()
    rcps: tuple[tuple[Document, ...], ...] = ()
    resource_account: str = ""


@dataclass(slots=True)
class Decision:
    """The verdict; `layer` is what decided a denial, `grant` how the resource's policy named the caller."""

    verdict: Verdict
    grant: Grant | None = None
    layer: Layer = ""

    @property
    def allowed(self) -> bool:
        """Whether the request may go on."""
        return self.verdict == "allow"

    @property
    def explicit(self) -> bool:
        """Whether a Deny statement decided."""
        return self.verdict == "explicit_deny"


_SILENT: tuple[Verdict, None] = ("implicit_deny", None)
_TO_NOBODY: tuple[Verdict, None] = ("allow", None)


def evaluate(document: Document, request: Request, *, bounded: bool = False) -> tuple[Verdict, Grant | None]:
    """What one document says, and how it names the caller (None when it has no principals).

    `bounded`: the caller has a permissions boundary, so a Deny with NotPrincipal always reaches it
    (UG reference_policies_elements_notprincipal).
    """
    action = request.action.lower()
    for statement in document.denies:
        if _applies(statement, action, request, bounded) is not None:
            return "explicit_deny", None
    best: Grant | Literal[""] | None = None
    for statement in document.allows:
        grant = _applies(statement, action, request, bounded)
        if grant == "direct":
            return "allow", grant
        if grant is not None and (best is None or RANK[grant] > RANK[best]):
            best = grant
    return _SILENT if best is None else ("allow", best or None)


def _applies(statement: Statement, action: str, request: Request, bounded: bool) -> Grant | Literal[""] | None:
    """How the statement reaches the request: its grant, "" when it names no principals, None when it does not apply."""
    if statement.actions.match(action) is statement.not_action:
        return None
    grant: Grant | Literal[""] | None = ""
    resources, context = statement.resources, request.context
    if resources is not None and resources.match(request.resource, context) is statement.not_resource:
        return None
    if statement.principals is not None:
        grant = named(statement, request.principal, bounded=bounded)
        if grant is None:
            return None
    elif resources is None and statement.effect == "Allow":
        return None  # neither element: no kind of policy, so nothing it could allow
    for condition in statement.conditions:
        if not condition.check(context):
            return None
    return grant


def named(statement: Statement, caller: Principal, *, bounded: bool) -> Grant | None:
    """How a statement's `Principal` or `NotPrincipal` names the caller."""
    principals = statement.principals
    if principals is None:
        return None
    deny = statement.effect == "Deny"
    if not statement.not_principal:
        return principals.match(caller, deny=deny)
    if deny:
        return "direct" if bounded or not principals.spares(caller) else None
    if caller.type not in CALLER_TYPES:
        return None
    return "direct" if principals.match(caller) is None else None


def needs_trust(request: Request) -> bool:
    """Whether the resource's own policy must allow: assuming a role, and what is said along with it."""
    action = request.action.lower()
    return action.startswith("sts:assumerole") or (action in ROLE_SESSION_ACTIONS and ":role/" in request.resource)


def needs_key_policy(request: Request) -> bool:
    """Whether the resource is a KMS key: nobody uses one without its policy (KMS Developer Guide, "Key policies")."""
    return request.action.lower().startswith("kms:") and ":key/" in request.resource


def is_cross_account(request: Request, policies: PolicySet) -> bool:
    """Whether caller and resource live in different accounts; a resource of no known account is the caller's."""
    owner = policies.resource_account or account_in(request.resource)
    return bool(owner) and owner != request.principal.account


class Says(NamedTuple):
    """What each layer says of one request; None: the layer is not there, so it does not limit."""

    scp: Verdict | None = None
    rcp: Verdict | None = None
    trust: Verdict | None = None
    identity: Verdict | None = None
    boundary: Verdict | None = None
    session: Verdict | None = None


FEDERATED_NEEDS: frozenset[Layer] = frozenset({"trust"})
GUARDS: tuple[Layer, ...] = ("identity", "boundary", "session")
"""The layers on the caller's side, which a grant by the resource's policy may spare."""
_NOTHING: frozenset[Layer] = frozenset()
_GUARDS: frozenset[Layer] = frozenset(GUARDS)
_EVERYTHING: frozenset[Layer] = _GUARDS | FEDERATED_NEEDS
_ROLE: frozenset[Layer] = frozenset({"boundary", "session"})
_ROLE_AND_TRUST: frozenset[Layer] = _ROLE | FEDERATED_NEEDS


def decide(request: Request, policies: PolicySet) -> Decision:
    """What all layers say together (docs/aws/policy-evaluation.md, "Layers")."""
    bounded = policies.boundary is not None
    trust, grant = resource_says(policies.trust, request, bounded=bounded)
    if request.principal.type not in AWS_TYPES:
        says = Says(rcp=deny_only(policies.rcps, request) if policies.rcps else None, trust=trust)
        return fold(says, grant, FEDERATED_NEEDS)
    says = Says(
        levels_say(policies.scps, request) if policies.scps else None,
        deny_only(policies.rcps, request) if policies.rcps else None,
        trust,
        "allow" if request.principal.type == "root" else union(policies.identity, request),  # root needs no policies
        None if policies.boundary is None else evaluate(policies.boundary, request)[0],
        None if policies.session is None else union(policies.session, request),
    )
    return fold(says, grant, needed_layers(request, policies, trust, grant))


def resource_says(trust: Document | None, request: Request, *, bounded: bool) -> tuple[Verdict | None, Grant | None]:
    """The resource's own policy; a statement that names nobody cannot allow anybody."""
    if trust is None:
        return None, None
    said = evaluate(trust, request, bounded=bounded)
    return _SILENT if said == _TO_NOBODY else said


def union(documents: Sequence[Document], request: Request) -> Verdict:
    """Several documents of one layer: any Deny wins, else any Allow."""
    if len(documents) == 1:
        return evaluate(documents[0], request)[0]
    return combine(evaluate(document, request)[0] for document in documents)


def combine(verdicts: Iterable[Verdict]) -> Verdict:
    """Any explicit deny wins, else any allow, else nothing was said."""
    outcome: Verdict = "implicit_deny"
    for verdict in verdicts:
        if verdict == "explicit_deny":
            return verdict
        if verdict == "allow":
            outcome = verdict
    return outcome


def levels_say(levels: Iterable[Sequence[Document]], request: Request) -> Verdict | None:
    """Service control policies: every level from root to account must allow; no levels, no limit."""
    return every_level([union(level, request) for level in levels])


def every_level(verdicts: Sequence[Verdict]) -> Verdict | None:
    """Fold the levels of an organization: any explicit deny, else any silent level, decides."""
    if "explicit_deny" in verdicts:
        return "explicit_deny"
    return "implicit_deny" if "implicit_deny" in verdicts else "allow" if verdicts else None


def deny_only(levels: Iterable[Sequence[Document]], request: Request) -> Verdict | None:
    """Resource control policies: RCPFullAWSAccess is always attached, so only their denies count."""
    return no_level_denies([union(level, request) for level in levels])


def no_level_denies(verdicts: Sequence[Verdict]) -> Verdict | None:
    """Fold levels of which only the denies count."""
    return "explicit_deny" if "explicit_deny" in verdicts else "allow" if verdicts else None


def needed_layers(
    request: Request, policies: PolicySet, trust: Verdict | None, grant: Grant | None
) -> frozenset[Layer]:
    """The layers that must allow, beside the control policies: docs/aws/policy-evaluation.md, "Layers" rows 4 to 6.

    In one account the way in which the resource's policy names the caller decides what else is needed; across accounts
    both sides must allow. A resource without a policy of its own is decided by the caller's side alone.
    """
    if request.principal.type not in AWS_TYPES:
        return FEDERATED_NEEDS
    if policies.trust is not None and is_cross_account(request, policies):
        return _EVERYTHING
    resource = needs_trust(request) or needs_key_policy(request)
    if trust == "allow" and grant == "direct":
        return FEDERATED_NEEDS if resource else _NOTHING
    if trust == "allow" and grant == "role":
        return _ROLE_AND_TRUST if resource else _ROLE
    return _EVERYTHING if resource else _GUARDS


def fold(says: Says, grant: Grant | None, needed: frozenset[Layer]) -> Decision:
    """From the layers to the decision: an explicit deny anywhere, else the first needed layer that does not allow."""
    if "explicit_deny" in says:
        return decision("explicit_deny", grant, LAYERS[says.index("explicit_deny")])
    if says.scp == "implicit_deny":
        return decision("implicit_deny", grant, "scp")
    if "trust" in needed and says.trust != "allow":
        return decision("implicit_deny", grant, "trust")
    if "implicit_deny" in says:
        for layer, verdict in zip(GUARDS, says[3:], strict=True):
            if verdict == "implicit_deny" and layer in needed:
                return decision("implicit_deny", grant, layer)
    return decision("allow", grant, "")


@cache
def decision(verdict: Verdict, grant: Grant | None, layer: Layer) -> Decision:
    """One shared instance of each of the few decisions there are."""
    return Decision(verdict, grant, layer)
