"""A proof becomes a role session: the one path that seven of the eight methods share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field
from typing import Any

from sts_emulator.accounts import documents, organizations
from sts_emulator.accounts.documents import Role
from sts_emulator.core import names
from sts_emulator.core.errors import AwsError
from sts_emulator.core.world import World
from sts_emulator.policy.deciding.document import Document, parse
from sts_emulator.policy.deciding.engine import Decision, PolicySet, Principal
from sts_emulator.policy.light_dataclass import dataclass
from sts_emulator.vending import credentials
from sts_emulator.vending.authorize import access_denied, consult, consult_unsigned, denial, refused
from sts_emulator.vending.context import Caller, Context, Keys
from sts_emulator.vending.credentials import Credentials
from sts_emulator.vending.identity_context import IdentityContext
from sts_emulator.vending.inheritance import LONGEST_CHAINED, Inheritance, inheritance
from sts_emulator.vending.origin import Origin, passed
from sts_emulator.vending.session import ROLE, Session
from sts_emulator.vending.session_policies import check_session_policies, packed_size
from sts_emulator.vending.tags import tag_keys

DEFAULT_DURATION = 3600
DEFAULT_MAX_DURATION = 3600
_ROLE_TAGS = ("aws:resourcetag/", "iam:resourcetag/")


@dataclass(slots=True)
class Proof:
    """Who proved to be whom, and how: what a method hands over.

    `caller` is set when the proof is an AWS signature; then the caller's own policies have a say too. `context` are
    condition keys that hold while the role is assumed, `lasting` those that stay with the session. `evidence` is
    written to the event. `denied` is the sentence for a refusal where it does not name the caller. `claims`: how many
    characters PackedPolicySize counts for the proof itself, where AWS does. `person`: the id and directory of whom the
    session acts for, where the proof itself tells. `origin`: who that is for good, where somebody has set that up;
    `witness` says it in words, for people alone.
    """

    method: str
    principal: Principal
    context: Keys = field(default_factory=dict)
    caller: Caller | None = None
    lasting: Mapping[str, Sequence[str]] = field(default_factory=dict)
    evidence: Mapping[str, Any] = field(default_factory=dict)
    provider: str = ""
    denied: str = ""
    claims: int = 0
    person: tuple[str, str] | None = None
    origin: Origin | None = None
    witness: str = ""


@dataclass(slots=True)
class Ask:
    """What the new session should be. `duration` in seconds, None for the default.

    `by_service`: an AWS service asks for what it runs, and the role's longest session does not bind it. `provided`: the
    context of a person that the request brings, proven. `may_tag`: sts:TagSession is asked, though there be no tags.
    """

    session_name: str
    duration: int | None = None
    policy: str = ""
    policy_arns: tuple[str, ...] = ()
    tags: Mapping[str, str] = field(default_factory=dict)
    transitive: tuple[str, ...] = ()
    source_identity: str = ""
    provided: IdentityContext | None = None
    role_arn: str = ""
    minimum_token_size: int = 0
    default_duration: int = DEFAULT_DURATION
    latest_expiry: int | None = None
    by_service: bool = False
    may_tag: bool = False


@dataclass(slots=True)
class Vended:
    """A new role session and its credentials. `packed` is percent of the allotment, None without policy or tags."""

    credentials: Credentials
    session: Session
    arn: str
    role_id: str
    packed: int | None
    origin: Origin | None = None

    def to_wire(self) -> dict[str, Any]:
        """The members that every AssumeRole* result has."""
        result: dict[str, Any] = {
            "AssumedRoleUser": {"AssumedRoleId": self.role_id, "Arn": self.arn},
            **self.credentials.with_sizes(),
        }
        if self.packed is not None:
            # One number with two names since 2026-09 (docs/aws/sts.md, "Sizes of session tokens").
            result["PackedPolicySize"] = result["SessionTokenUtilization"]
        if self.session.source_identity:
            result["SourceIdentity"] = self.session.source_identity
        return result


def assume(ctx: Context, proof: Proof, action: str, role: Role | None, ask: Ask) -> Vended:
    """Decide whether the proof may become a session of the role, and mint it.

    `role` is None when there is no such role: refused with the same words as any other denial, as AWS does.

    Raises:
        AwsError: AccessDenied; ValidationError (durations, too long session policies); InvalidParameterValue (tags);
            MalformedPolicyDocument and PackedPolicyTooLarge (session policies).
            Order: docs/aws/sts.md, "Order of processing".
    """
    if proof.evidence:
        ctx.evidence.update(proof.evidence)
    ctx.asked = ask
    if role is None:
        raise _refusal(ctx, proof, action, ask.role_arn, None, "")
    world, caller, session_name = ctx.world, proof.caller, ask.session_name
    account, role_name, role_id = role["account"], role["name"], role["id"]
    brought = inheritance(caller)
    source_identity = _source_identity(proof, ask, role, brought) if brought.source_identity else ask.source_identity
    tagged = bool(ask.tags or ask.transitive or brought.tags)
    _permit(ctx, proof, action, role, ask, brought, source_identity, tagged)
    duration = _duration(role, ask, brought)
    tags, transitive = _tags(ask, brought) if tagged else ({}, ())
    packed, size = None, ask.minimum_token_size
    if tagged or ask.policy or ask.policy_arns or proof.claims:
        packed = _packed(ctx, account, proof, ask, tags, source_identity)
        size = max(size, credentials.token_size(packed))
    issued = int(world.now())
    expires = issued + duration
    if ask.latest_expiry is not None:
        expires = min(expires, ask.latest_expiry)
    person = ask.provided.person if ask.provided else proof.person
    ctx.vended = session = Session(  # by place: by name it costs three times as much (docs/performance.md)
        ROLE,
        account,
        role_name,
        role_id,
        issued,
        expires,
        session_name,
        proof.method,
        tags,
        transitive,
        source_identity,
        brought.mfa_at,
        ask.policy,
        ask.policy_arns,
        _lasting(proof, ask, brought),
        proof.provider or brought.provider,
        brought.session,
        {"person": list(person)} if person else {},
        passed(caller, "" if proof.origin else proof.witness),
    )
    world.touch(documents.ROLE, role_id, (issued, ctx.region))
    minted = credentials.mint(world, session, size)
    arn = names.session_arn(account, role_name, session_name)
    return Vended(minted, session, arn, f"{role_id}:{session_name}", packed, proof.origin)


# -- the parts of assume() ----------------------------------------------------------------------------------------


def _permit(
    ctx: Context,
    proof: Proof,
    action: str,
    role: Role,
    ask: Ask,
    brought: Inheritance,
    source_identity: str,
    tagged: bool,
) -> None:
    world, caller, arn = ctx.world, proof.caller, role["arn"]
    trust, rcps, account, of_role, policies = world.memo(("assumed", role["id"]), lambda: _side(world, role))
    keys = {**proof.context, "sts:rolesessionname": (ask.session_name,), **of_role}
    actions = [action]
    if proof.origin:
        keys |= proof.origin.keys()
    if tagged or ask.may_tag:
        # Tags that a session hands on ask for it too, though the call passes none (aws/eks-pod-identity-agent#80).
        actions.append("sts:TagSession")
        keys |= _tag_keys(ask, brought, of_role)
    if source_identity:
        actions.append("sts:SetSourceIdentity")
        keys["sts:sourceidentity"] = (source_identity,)
    if ask.provided:
        actions.append("sts:SetContext")
        keys |= ask.provided.request_keys()
    for needed in actions:
        if caller is None:
            decision = consult_unsigned(ctx, proof.principal, needed, arn, keys, policies)
        else:
            decision = consult(ctx, caller, needed, arn, keys, trust, rcps, account)
        if decision.verdict != "allow":
            # Federated callers are told the operation, not which of its actions failed
            # (docs/aws/sts.md, "Session tags").
            raise _refusal(ctx, proof, needed if caller else action, arn, decision, account)


def _side(world: World, role: Role) -> tuple[Document, organizations.Levels, str, Keys, PolicySet]:
    """What a role itself brings to each decision about it: policies, account and keys, and the policies as a set."""
    account, trust, tags = role["account"], parse(role["trust"]), role.get("tags", {})
    rcps = () if organizations.is_exempt(role) else organizations.resource_control(world, account)
    keys = {"aws:resourceaccount": (account,), **organizations.resource_keys(world, account)}
    for prefix in _ROLE_TAGS:
        keys |= {f"{prefix}{key.lower()}": (value,) for key, value in tags.items()}
    return trust, rcps, account, keys, PolicySet(trust=trust, rcps=rcps, resource_account=account)


def _tag_keys(ask: Ask, brought: Inheritance, of_role: Keys) -> Keys:
    # Inherited tags count as the request's: the EKS User Guide tests them so in the policy of a target role.
    keys = tag_keys({**brought.tags, **ask.tags}, (*ask.transitive, *brought.tags))
    for name, value in brought.tags.items():
        # A transitive tag replaces the role's own of that name (docs/aws/sts.md, "Session tags").
        own = [f"{prefix}{name.lower()}" for prefix in _ROLE_TAGS]
        keys |= {key: (value,) for key in own if key in of_role}
    return keys


def _source_identity(proof: Proof, ask: Ask, role: Role, brought: Inheritance) -> str:
    kept = brought.source_identity
    if ask.source_identity and ask.source_identity != kept and proof.caller:
        # Once set it cannot change; AWS's text is not recorded, the denial of the permission is reported
        # (docs/aws/sts.md, "Source identity").
        raise access_denied(
            f"User: {proof.caller.arn} is not authorized to perform: sts:SetSourceIdentity on resource: {role['arn']}"
        )
    return kept


def _refusal(
    ctx: Context, proof: Proof, action: str, role_arn: str, decision: Decision | None, account: str
) -> AwsError:
    if proof.caller is None:
        return access_denied(proof.denied or f"Not authorized to perform {action}")
    if decision is None:
        sentence = f"User: {proof.caller.arn} is not authorized to perform: {action} on resource: {role_arn}"
    else:
        same_account = proof.caller.account == account
        sentence = denial(ctx, proof.caller, action, role_arn, decision, same_account=same_account)
    return refused(ctx, sentence)


def _duration(role: Role, ask: Ask, brought: Inheritance) -> int:
    duration = ask.duration if ask.duration is not None else ask.default_duration
    if ask.by_service:
        return duration
    longest: int = role.get("max_duration", DEFAULT_MAX_DURATION)
    if ask.duration is not None and duration > longest:
        raise AwsError(
            "ValidationError", "The requested DurationSeconds exceeds the MaxSessionDuration set for this role."
        )
    if duration > LONGEST_CHAINED and brought.session:
        raise AwsError(
            "ValidationError",
            "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining.",
        )
    return min(duration, longest)


def _tags(ask: Ask, brought: Inheritance) -> tuple[dict[str, str], tuple[str, ...]]:
    spelt = {key.lower(): key for key in ask.tags}
    if any(key.lower() not in spelt for key in ask.transitive):
        raise AwsError(
            "InvalidParameterValue", "The specified transitive tag key must be included in the requested tags."
        )
    if any(key.lower() in spelt for key in brought.tags):
        raise AwsError(
            "InvalidParameterValue",
            "One of the specified transitive tag keys can't be set because it conflicts with a transitive tag key "
            "from the calling session.",
        )
    transitive = tuple(spelt[key.lower()] for key in ask.transitive)
    return {**ask.tags, **brought.tags}, (*transitive, *brought.tags)


def _packed(
    ctx: Context, account: str, proof: Proof, ask: Ask, tags: Mapping[str, str], source_identity: str
) -> int | None:
    if ask.policy or ask.policy_arns:
        check_session_policies(ctx, account, ask.policy, ask.policy_arns)
    claims = proof.claims + len(source_identity) if proof.claims else 0
    return packed_size(ask.policy, ask.policy_arns, tags, claims)


def _lasting(proof: Proof, ask: Ask, brought: Inheritance) -> dict[str, Sequence[str]]:
    lasting = {**brought.context, **proof.lasting}
    if proof.origin:
        lasting |= proof.origin.keys()
    if ask.provided and not ask.provided.audit_only:
        lasting |= ask.provided.keys()
    return lasting
