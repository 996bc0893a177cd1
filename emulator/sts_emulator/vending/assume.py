"""A proof becomes a role session: the one path that seven of the eight methods share."""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sts_emulator.accounts import organizations, resources
from sts_emulator.core import names
from sts_emulator.core.errors import AwsError
from sts_emulator.policy.deciding.document import MalformedPolicy, parse
from sts_emulator.policy.deciding.engine import Decision, PolicySet, Principal
from sts_emulator.policy.saving.validate import validate
from sts_emulator.vending import credentials
from sts_emulator.vending.authorize import access_denied, consult, consult_unsigned, denial, refused
from sts_emulator.vending.context import Caller, Context, Keys
from sts_emulator.vending.credentials import Credentials
from sts_emulator.vending.session import ROLE, Session

DEFAULT_DURATION = 3600
CHAINED_LIMIT = 3600
DEFAULT_MAX_DURATION = 3600
# The size of AWS's packed binary format is not published. Ours: the deflated text of policies and tags, in percent of
# this many bytes.
PACKED_ALLOTMENT = 1024
MAX_POLICY_ARNS = 10


@dataclass(slots=True)
class Proof:
    """Who proved to be whom, and how: what a method hands over.

    `caller` is set when the proof is an AWS signature; then the caller's own policies have a say too. `context` are
    condition keys that hold while the role is assumed, `lasting` those that stay with the session. `evidence` is
    written to the event. `denied` is the sentence for a refusal where it does not name the caller.
    """

    method: str
    principal: Principal
    context: Keys = field(default_factory=dict)
    lasting: Mapping[str, list[str]] = field(default_factory=dict)
    evidence: Mapping[str, Any] = field(default_factory=dict)
    caller: Caller | None = None
    provider: str = ""
    denied: str = ""


@dataclass(slots=True)
class Ask:
    """What the new session should be. `duration` in seconds, None for the default.

    `by_service`: an AWS service asks for what it runs, and the role's longest session does not bind it.
    """

    session_name: str
    duration: int | None = None
    policy: str = ""
    policy_arns: tuple[str, ...] = ()
    tags: Mapping[str, str] = field(default_factory=dict)
    transitive: tuple[str, ...] = ()
    source_identity: str = ""
    set_context: bool = False
    role_arn: str = ""
    default_duration: int = DEFAULT_DURATION
    latest_expiry: int | None = None
    minimum_token_size: int = 0
    by_service: bool = False
    extra: Mapping[str, Any] = field(default_factory=dict)


@dataclass(slots=True)
class Vended:
    """A new role session and its credentials. `packed` is percent of the allotment, None without policy or tags."""

    credentials: Credentials
    session: Session
    arn: str
    role_id: str
    packed: int | None

    def to_wire(self) -> dict[str, Any]:
        """The members that every AssumeRole* result has."""
        result: dict[str, Any] = {
            "AssumedRoleUser": {"AssumedRoleId": self.role_id, "Arn": self.arn},
            "Credentials": self.credentials.to_wire(),
        }
        if self.packed is not None:
            result["PackedPolicySize"] = self.packed
        if self.session.source_identity:
            result["SourceIdentity"] = self.session.source_identity
        return result


def assume(ctx: Context, proof: Proof, action: str, role: Mapping[str, Any] | None, ask: Ask) -> Vended:
    """Decide whether the proof may become a session of the role, and mint it.

    `role` is None when there is no such role: refused with the same words as any other denial, as AWS does.

    Raises:
        AwsError: AccessDenied; ValidationError (durations); InvalidParameterValue (tags); MalformedPolicyDocument and
            PackedPolicyTooLarge (session policies). Order: docs/aws/sts.md, "Order of processing".
    """
    ctx.evidence.update(proof.evidence)
    role_arn = ask.role_arn or (role["arn"] if role else "")
    if role is None:
        raise _refusal(ctx, proof, action, role_arn, None, "")
    inherited = proof.caller.session if proof.caller is not None else None  # what a role session chains from
    source_identity = _source_identity(proof, ask, role_arn, inherited)
    keys = _assume_keys(ctx, proof, role, ask, source_identity, inherited)
    for each in _actions(action, ask, source_identity):
        decision = _decide(ctx, proof, each, role, keys)
        if decision.verdict != "allow":
            # Federated callers are told the operation, not which of its actions failed
            # (docs/aws/sts.md, "Session tags").
            raise _refusal(ctx, proof, each if proof.caller else action, role_arn, decision, role["account"])
    duration = _duration(role, ask, inherited)
    tags, transitive = _tags(ask, inherited)
    packed = _packed(ctx, role, ask) if ask.policy or ask.policy_arns or ask.tags else None
    issued = int(ctx.world.now())
    expires = issued + duration
    if ask.latest_expiry is not None:
        expires = min(expires, ask.latest_expiry)
    session = Session(
        kind=ROLE,
        account=role["account"],
        name=role["name"],
        id=role["id"],
        issued=issued,
        expires=expires,
        session_name=ask.session_name,
        tags=tags,
        transitive=transitive,
        source_identity=source_identity,
        policy=ask.policy,
        policy_arns=ask.policy_arns,
        context=_lasting(proof, inherited),
        provider=proof.provider or (inherited.provider if inherited else ""),
        method=proof.method,
        chained=inherited is not None and inherited.kind == ROLE,
        extra=dict(ask.extra),
    )
    ctx.world.touch("role", role["id"], (issued, ctx.region))
    return Vended(
        credentials=credentials.mint(ctx.world, session, minimum_token_size=ask.minimum_token_size),
        session=session,
        arn=names.session_arn(role["account"], role["name"], ask.session_name),
        role_id=f"{role['id']}:{ask.session_name}",
        packed=packed,
    )


def tag_map(pairs: list[Mapping[str, str]] | None) -> dict[str, str]:
    """Tags as the wire gives them, as a mapping.

    Raises:
        AwsError: InvalidParameterValue when two keys are equal ignoring case (docs/aws/sts.md, "Session tags").
    """
    if not pairs:
        return {}
    tags = {pair["Key"]: pair["Value"] for pair in pairs}
    if len({key.lower() for key in tags}) != len(pairs):
        raise AwsError(
            "InvalidParameterValue", "Duplicate tag keys found. Please note that Tag keys are case insensitive."
        )
    return tags


def tag_keys(tags: Mapping[str, str], transitive: tuple[str, ...] = ()) -> dict[str, tuple[str, ...]]:
    """aws:RequestTag/*, aws:TagKeys and sts:TransitiveTagKeys for tags that a request passes."""
    keys: dict[str, tuple[str, ...]] = {f"aws:requesttag/{key.lower()}": (value,) for key, value in tags.items()}
    if tags:
        keys["aws:tagkeys"] = tuple(tags)
    if transitive:
        keys["sts:transitivetagkeys"] = tuple(transitive)
    return keys


def check_session_policies(ctx: Context, account: str, policy: str, policy_arns: tuple[str, ...]) -> None:
    """Refuse session policies that AWS would refuse.

    Raises:
        AwsError: MalformedPolicyDocument; ValidationError for too many ARNs or one that is not a policy of `account`.
    """
    if policy:
        try:
            validate("session", policy)
        except MalformedPolicy as bad:
            raise AwsError("MalformedPolicyDocument", bad.message) from None
    if len(policy_arns) > MAX_POLICY_ARNS:
        raise AwsError(
            "ValidationError",
            f"1 validation error detected: Value at 'policyArns' failed to satisfy constraint: "
            f"Member must have length less than or equal to {MAX_POLICY_ARNS}",
        )
    for arn in policy_arns:
        parts = names.parse_arn(arn)
        if parts is None:
            raise AwsError("ValidationError", f"{arn} is invalid")
        if parts.account not in (account, "aws") or resources.managed_policy_text(ctx.world, arn) is None:
            # AWS's text is not recorded (docs/aws/sts.md, "Not recorded"): IAM's for a policy that cannot be attached.
            raise AwsError("MalformedPolicyDocument", f"Policy {arn} does not exist or is not attachable.")


def packed_size(policy: str, policy_arns: tuple[str, ...], tags: Mapping[str, str]) -> int | None:
    """Percent of the allotted space that session policies and tags take; None when there are none.

    Raises:
        AwsError: PackedPolicyTooLarge above 100.
    """
    if not (policy or policy_arns or tags):
        return None
    policies = -(-len(zlib.compress("".join([policy, *policy_arns]).encode())) * 100 // PACKED_ALLOTMENT)
    tag_space = -(-len(zlib.compress(json.dumps(dict(tags)).encode())) * 100 // PACKED_ALLOTMENT)
    if (policy or policy_arns) and policies > 100:  # noqa: PLR2004 - percent
        raise AwsError(
            "PackedPolicyTooLarge",
            f"Packed policy consumes {policies}% of allotted space, please use smaller policy.",
        )
    if tags and tag_space > 100:  # noqa: PLR2004 - percent
        raise AwsError("PackedPolicyTooLarge", f"Packed size of session tags consumes {tag_space}% of allotted space.")
    return min(100, (policies if policy or policy_arns else 0) + (tag_space if tags else 0))


# -- the parts of assume() ----------------------------------------------------------------------------------------


def _source_identity(proof: Proof, ask: Ask, role_arn: str, inherited: Session | None) -> str:
    kept = inherited.source_identity if inherited else ""
    if kept and ask.source_identity and ask.source_identity != kept and proof.caller:
        # Once set it cannot change; AWS's text is not recorded, the denial of the permission is reported
        # (docs/aws/sts.md, "Source identity").
        raise access_denied(
            f"User: {proof.caller.arn} is not authorized to perform: sts:SetSourceIdentity on resource: {role_arn}",
        )
    return kept or ask.source_identity


def _actions(action: str, ask: Ask, source_identity: str) -> list[str]:
    actions = [action]
    if ask.tags or ask.transitive:
        actions.append("sts:TagSession")
    if source_identity:
        actions.append("sts:SetSourceIdentity")
    if ask.set_context:
        actions.append("sts:SetContext")
    return actions


def _assume_keys(
    ctx: Context,
    proof: Proof,
    role: Mapping[str, Any],
    ask: Ask,
    source_identity: str,
    inherited: Session | None,
) -> dict[str, tuple[str, ...]]:
    keys = dict(proof.context)
    if ask.tags or ask.transitive:
        keys.update(tag_keys(ask.tags, ask.transitive))
    keys["sts:rolesessionname"] = (ask.session_name,)
    if source_identity:
        keys["sts:sourceidentity"] = (source_identity,)
    keys["aws:resourceaccount"] = (role["account"],)
    keys.update(organizations.resource_keys(ctx.world, role["account"]))
    if role.get("tags"):
        for key, value in _role_tags(role, inherited).items():
            keys[f"aws:resourcetag/{key}"] = keys[f"iam:resourcetag/{key}"] = (value,)
    return keys


def _role_tags(role: Mapping[str, Any], inherited: Session | None) -> dict[str, str]:
    tags = {key.lower(): value for key, value in role["tags"].items()}
    if inherited:
        # A transitive tag replaces the role's own of that name (docs/aws/sts.md, "Session tags").
        for key in inherited.transitive:
            if key.lower() in tags:
                tags[key.lower()] = inherited.tags[key]
    return tags


def _decide(ctx: Context, proof: Proof, action: str, role: Mapping[str, Any], keys: Keys) -> Decision:
    exempt = organizations.is_exempt(role) or (proof.caller is not None and organizations.is_exempt(proof.caller.role))
    side = PolicySet(
        trust=parse(role["trust"]),
        rcps=() if exempt else organizations.resource_control(ctx.world, role["account"]),
        resource_account=role["account"],
    )
    if proof.caller is not None:
        return consult(ctx, action, role["arn"], keys, side)
    return consult_unsigned(ctx, proof.principal, action, role["arn"], keys, side)


def _refusal(
    ctx: Context, proof: Proof, action: str, role_arn: str, decision: Decision | None, account: str
) -> AwsError:
    if proof.caller is None:
        return access_denied(proof.denied or f"Not authorized to perform {action}")
    if decision is None:
        sentence = f"User: {proof.caller.arn} is not authorized to perform: {action} on resource: {role_arn}"
    else:
        same_account = proof.caller.account == account
        sentence = denial(proof.caller, action, role_arn, decision, same_account=same_account)
    return refused(ctx, sentence)


def _duration(role: Mapping[str, Any], ask: Ask, inherited: Session | None) -> int:
    duration = ask.duration if ask.duration is not None else ask.default_duration
    if ask.by_service:
        return duration
    longest: int = role.get("max_duration", DEFAULT_MAX_DURATION)
    if ask.duration is not None and duration > longest:
        raise AwsError(
            "ValidationError", "The requested DurationSeconds exceeds the MaxSessionDuration set for this role."
        )
    if duration > CHAINED_LIMIT and inherited is not None and inherited.kind == ROLE:
        raise AwsError(
            "ValidationError",
            "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining.",
        )
    return min(duration, longest)


def _tags(ask: Ask, inherited: Session | None) -> tuple[dict[str, str], tuple[str, ...]]:
    if not ask.tags and not ask.transitive and (inherited is None or not inherited.transitive):
        return {}, ()
    given = {key.lower() for key in ask.tags}
    if any(key.lower() not in given for key in ask.transitive):
        raise AwsError(
            "InvalidParameterValue", "The specified transitive tag key must be included in the requested tags."
        )
    tags = dict(ask.tags)
    spelt = {key.lower(): key for key in tags}
    transitive = tuple(spelt[key.lower()] for key in ask.transitive)
    if inherited is None:
        return tags, transitive
    if any(key.lower() in given for key in inherited.transitive):
        raise AwsError(
            "InvalidParameterValue",
            "One of the specified transitive tag keys can't be set because it conflicts with a transitive tag key "
            "from the calling session.",
        )
    return (
        tags | {key: inherited.tags[key] for key in inherited.transitive},
        transitive + tuple(inherited.transitive),
    )


def _packed(ctx: Context, role: Mapping[str, Any], ask: Ask) -> int | None:
    if ask.policy or ask.policy_arns:
        check_session_policies(ctx, role["account"], ask.policy, ask.policy_arns)
    return packed_size(ask.policy, ask.policy_arns, ask.tags)


def _lasting(proof: Proof, inherited: Session | None) -> dict[str, list[str]]:
    lasting = dict(inherited.context) if inherited else {}
    for key, values in proof.lasting.items():
        lasting[key] = list(values)
    return lasting
