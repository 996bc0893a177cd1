"""What policies would allow, without doing it: IAM's simulator, with one thing more, the trust policies of roles."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import field
from typing import TYPE_CHECKING, Any, NamedTuple, Unpack

from sts_emulator.accounts import documents, organizations
from sts_emulator.accounts.resources import role_by_arn, user_by_arn
from sts_emulator.control_plane.reach import resource_tag_keys
from sts_emulator.core import clock
from sts_emulator.core.beside import beside
from sts_emulator.core.errors import AwsError
from sts_emulator.core.names import is_account_id, session_arn
from sts_emulator.iam.nouns import GROUP, USER
from sts_emulator.iam.paging import LISTING, Paging, page
from sts_emulator.iam.permits import permit
from sts_emulator.iam.policies.policy_documents import refused
from sts_emulator.iam.reporting import statement_positions as positions
from sts_emulator.iam.reporting.policy_sources import Source, boundary, reach_holder, sources
from sts_emulator.policy.arns import parse_arn
from sts_emulator.policy.deciding.document import Document, MalformedPolicy, parse
from sts_emulator.policy.deciding.engine import (
    Decision,
    PolicySet,
    Principal,
    Request,
    decide,
    evaluate,
    needs_trust,
    union,
)
from sts_emulator.policy.deciding.matching import glob
from sts_emulator.policy.light_dataclass import dataclass
from sts_emulator.vending.context import Context, Keys
from sts_emulator.wire.dispatch import Result, operation

if TYPE_CHECKING:
    # loaded where it is used: seeding needs no explanations
    from sts_emulator.policy.explaining.traces import StatementTrace

ALL = "*"
SESSION = "simulated"
WORDS = {"allow": "allowed", "explicit_deny": "explicitDeny", "implicit_deny": "implicitDeny"}
SEVERITY = ("explicitDeny", "implicitDeny", "allowed")
FEW, SHORT = 10, 8_192  # questions, and bytes of a request, that are answered while all wait: milliseconds
MOST = 50_000  # statements that one page reads: a second or two, while others go on

Listed = list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Stage:
    """What a simulation plays with: everything but action and resource."""

    ctx: Context
    principal: Principal
    context: Keys
    resource_policy: Source | None
    owner: str
    identity: tuple[Source, ...]
    boundary: Source | None
    scps: tuple[tuple[Document, ...], ...]
    documents: dict[str, Document] = field(default_factory=dict)
    places: dict[str, Listed] = field(default_factory=dict)

    def parsed(self, text: str) -> Document:
        """A policy, compiled once for all that is asked. Raises AwsError."""
        if text not in self.documents:
            self.documents[text] = _parsed(text)
        return self.documents[text]

    def positions(self, text: str) -> Listed:
        """Where its statements stand, likewise."""
        if text not in self.places:
            self.places[text] = positions.statements(text)
        return self.places[text]


@dataclass(frozen=True, slots=True)
class Target:
    """A resource that is asked about, with what the world knows of it."""

    arn: str
    owner: str
    role: documents.Role | None
    rcps: tuple[tuple[Document, ...], ...]


class Simulation(Paging, total=False):
    """What both operations are told beside whose policies are played with.

    `ResourceHandlingOption` is for EC2's launch scenarios, which nothing here launches.
    """

    PermissionsBoundaryPolicyInputList: list[str]
    ResourceArns: list[str]
    ResourcePolicy: str
    ResourceOwner: str
    CallerArn: str
    ContextEntries: Listed
    ResourceHandlingOption: str


@operation("iam", "SimulateCustomPolicy")
def simulate_custom_policy(
    ctx: Context,
    *,
    PolicyInputList: list[str],
    ActionNames: list[str],
    OrderedOrganizationPolicyInputList: Listed | None = None,
    **told: Unpack[Simulation],
) -> Result | Awaitable[Result]:
    """What the given policies would allow to a caller who has just them."""
    permit(ctx, "SimulateCustomPolicy", ALL)
    levels = [level.get("ServiceControlPolicyInputList", []) for level in OrderedOrganizationPolicyInputList or ()]

    def policies() -> _Policies:
        scps = tuple(tuple(_parsed(text) for text in level) for level in levels)
        return _Policies(_given(PolicyInputList, "PolicyInputList"), _given_boundary(told), scps)

    return _simulated(ctx, ActionNames, told.get("CallerArn", ""), told, policies)


@operation("iam", "SimulatePrincipalPolicy")
def simulate_principal_policy(
    ctx: Context,
    *,
    PolicySourceArn: str,
    ActionNames: list[str],
    PolicyInputList: list[str] | None = None,
    PolicyExclusionList: Listed | None = None,
    **told: Unpack[Simulation],
) -> Result | Awaitable[Result]:
    """What a user, group or role could do, by its own policies, its boundary and its organization's."""
    noun, holder = reach_holder(ctx, PolicySourceArn)
    exclusions = PolicyExclusionList or []
    own = boundary(ctx.world, holder)
    bounding = _given_boundary(told) or (None if own and _is_excluded(own, exclusions, bounds=True) else own)
    own_sources = [source for source in sources(ctx.world, noun, holder) if not _is_excluded(source, exclusions)]
    without_scps = any(exclusion.get("PolicyType") == "scp" for exclusion in exclusions)
    exempt = without_scps or organizations.is_exempt(holder)
    scps = () if exempt else organizations.service_control(ctx.world, holder["account"])
    caller = told.get("CallerArn") or (holder["arn"] if noun is not GROUP else "")

    def policies() -> _Policies:
        return _Policies((*own_sources, *_given(PolicyInputList, "PolicyInputList")), bounding, scps)

    return _simulated(ctx, ActionNames, caller, told, policies)


class _Policies(NamedTuple):
    """The caller's side of a simulation."""

    identity: tuple[Source, ...]
    boundary: Source | None
    scps: tuple[tuple[Document, ...], ...]


# -- results ------------------------------------------------------------------------------------------------------


def _simulated(
    ctx: Context, actions: list[str], caller: str, told: Simulation, policies: Callable[[], _Policies]
) -> Result | Awaitable[Result]:
    """What comes of it; worked out beside the loop, the reading of given policies as well, unless it is little."""
    principal, known = _caller(ctx, caller)
    context = _context(ctx, known, told.get("ContextEntries"))
    owner = _owner(told.get("ResourceOwner")) or principal.account
    targets = _targets(ctx, actions, told.get("ResourceArns"), owner)

    def work() -> Result:
        guard = told.get("ResourcePolicy")
        stage = Stage(ctx, principal, context, Source("ResourcePolicy", guard) if guard else None, owner, *policies())
        return _page(stage, actions, targets, told)

    is_little = ctx.request is None or (len(actions) * len(targets) <= FEW and len(ctx.request.body) <= SHORT)
    return work() if is_little else beside(work)


def _targets(ctx: Context, actions: list[str], resources: list[str] | None, owner: str) -> list[Target]:
    for action in actions:
        if ":" not in action or ALL in action:
            raise AwsError("InvalidInput", f"Invalid Action Name: {action}")
    targets = []
    for resource in resources or [ALL]:
        parts = parse_arn(resource)
        if resource != ALL and parts is None:
            raise AwsError("InvalidInput", f"Invalid Resource Arn: {resource}")
        account = (parts.account if parts else "") or owner
        rcps = organizations.resource_control(ctx.world, account)
        targets.append(Target(resource, account, role_by_arn(ctx.world, resource), rcps))
    return targets


def _page(stage: Stage, actions: list[str], targets: list[Target], paging: Paging) -> Result:
    """One page of results; as AWS says that its own may be, shorter than was asked for where there is much to do."""
    cost = len(targets) * _statements(stage)
    if cost > MOST:
        raise AwsError("InvalidInput", f"A simulation may read {MOST} statements for an action, this one {cost}")
    here: Paging = {**paging, "MaxItems": min(paging.get("MaxItems") or LISTING.size, MOST // cost)}
    return page(stage.ctx, "EvaluationResults", actions, here, lambda name: _result(stage, name, targets))


def _statements(stage: Stage) -> int:
    """How many statements are read for one action on one resource."""
    read = [stage.parsed(source.text) for source in (*stage.identity, stage.boundary, stage.resource_policy) if source]
    return sum(len(document.statements) for document in (*read, *(scp for level in stage.scps for scp in level))) or 1


def _result(stage: Stage, action: str, targets: list[Target]) -> Result:
    """One action: with resources, the strictest of their decisions and everything that led to them."""
    if [target.arn for target in targets] == [ALL]:
        return {
            "EvalActionName": action,
            "EvalResourceName": ALL,
            **_evaluation(stage, action, targets[0], "EvalDecision"),
        }
    results = [
        {"EvalResourceName": target.arn, **_evaluation(stage, action, target, "EvalResourceDecision")}
        for target in targets
    ]
    result: dict[str, Any] = {
        "EvalActionName": action,
        "EvalResourceName": targets[0].arn if len(targets) == 1 else _template(action),
        "EvalDecision": min((part["EvalResourceDecision"] for part in results), key=SEVERITY.index),
        "MatchedStatements": _distinct(statement for part in results for statement in part["MatchedStatements"]),
        "MissingContextValues": sorted({key for part in results for key in part["MissingContextValues"]}),
        "EvalDecisionDetails": _strictest(part.get("EvalDecisionDetails", {}) for part in results),
        "ResourceSpecificResults": results,
    }
    for name, member in (
        ("OrganizationsDecisionDetail", "AllowedByOrganizations"),
        ("PermissionsBoundaryDecisionDetail", "AllowedByPermissionsBoundary"),
    ):
        details = [part[name][member] for part in results if name in part]
        if details:
            result[name] = {member: all(details)}
    for part in results:
        part.pop("OrganizationsDecisionDetail", None)
    return result


def _template(action: str) -> str:
    """What results name instead of several resources: the form of the action's ARNs (recorded for S3's objects).

    The forms of other actions are not recorded, and AWS's list of ARNs has other names for the parts than the answer.
    """
    service, _, name = action.lower().partition(":")
    return "arn:aws:s3:::${BucketName}/${KeyName}" if service == "s3" and "object" in name else ALL


def _evaluation(stage: Stage, action: str, target: Target, decision_member: str) -> dict[str, Any]:
    from sts_emulator.policy.explaining.traces import trace_statements

    request, policies, named = _question(stage, action, target)
    decision = decide(request, policies)
    traces = [
        (source, trace)
        for source in named
        for trace in trace_statements(stage.parsed(source.text), request, bounded=policies.boundary is not None)
    ]
    read = traces
    if stage.boundary is not None and policies.boundary is not None:
        read = traces + [
            (stage.boundary, trace) for trace in trace_statements(policies.boundary, request, bounded=True)
        ]
    result: dict[str, Any] = {
        decision_member: WORDS[decision.verdict],
        "MatchedStatements": _matched(decision, traces, stage.positions),
        "MissingContextValues": sorted({key for _, trace in read for key in _missing(trace, request)}),
    }
    if stage.scps:
        allowed = all(union(level, request) == "allow" for level in stage.scps)
        result["OrganizationsDecisionDetail"] = {"AllowedByOrganizations": allowed}
    if policies.boundary is not None:
        allowed = evaluate(policies.boundary, request)[0] == "allow"
        result["PermissionsBoundaryDecisionDetail"] = {"AllowedByPermissionsBoundary": allowed}
    if policies.trust is not None and policies.resource_account != stage.principal.account:
        result["EvalDecisionDetails"] = {
            "IAM Policy": WORDS[union(policies.identity, request)],
            "Resource Policy": WORDS[evaluate(policies.trust, request)[0]],
        }
    return result


def _matched(
    decision: Decision, traces: Iterable[tuple[Source, StatementTrace]], positions_of: Callable[[str], Listed]
) -> Listed:
    """The statements that decided: the denying ones, or the allowing ones."""
    effect = {"allow": "Allow", "explicit_deny": "Deny"}.get(decision.verdict)
    return [
        {
            "SourcePolicyId": source.id,
            "SourcePolicyType": "IAM Policy",
            **positions_of(source.text)[trace.statement.index],
        }
        for source, trace in traces
        if trace.applies and trace.statement.effect == effect
    ]


def _missing(trace: StatementTrace, request: Request) -> Iterable[str]:
    """Keys that a statement about this action and resource reads, and that nobody gave."""
    if not trace.action.match or (trace.resource is not None and not trace.resource.match):
        return
    for condition in trace.statement.conditions:
        if not request.context.get(condition.name):
            yield condition.key
        for value in condition.values:
            yield from (variable.key for variable in value.template.variables if not request.context.get(variable.name))


def _distinct(statements: Iterable[dict[str, Any]]) -> Listed:
    distinct: Listed = []
    for statement in statements:
        if statement not in distinct:
            distinct.append(statement)
    return distinct


def _strictest(details: Iterable[Mapping[str, str]]) -> dict[str, str]:
    strictest: dict[str, str] = {}
    for detail in details:
        for kind, word in detail.items():
            strictest[kind] = min(strictest.get(kind, "allowed"), word, key=SEVERITY.index)
    return strictest


# -- the question -------------------------------------------------------------------------------------------------


def _question(stage: Stage, action: str, target: Target) -> tuple[Request, PolicySet, list[Source]]:
    """The request, the policies that have a say, and those of them that are named in results."""
    owner, role = target.owner, target.role
    context = {**stage.context, "aws:resourceaccount": (owner,), **resource_tag_keys(role, "iam")}
    request = Request(action, target.arn, stage.principal, context)
    guard = stage.resource_policy
    if guard is None and needs_trust(request):
        if role is not None:
            guard = Source(f"role_{role['name']}_trust", role["trust"])
        elif target.arn == ALL:
            # No role is named, so none can refuse: ask the caller's own side, as for a role that trusts the account.
            guard = Source("", _TRUSTING % stage.principal.account)
    policies = PolicySet(
        trust=stage.parsed(guard.text) if guard else None,
        identity=tuple(stage.parsed(source.text) for source in stage.identity),
        boundary=stage.parsed(stage.boundary.text) if stage.boundary else None,
        scps=stage.scps,
        rcps=target.rcps,
        resource_account=owner,
    )
    named = [*stage.identity, *([guard] if guard is not None and guard.id else [])]
    return request, policies, named


_TRUSTING = (
    '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::%s:root"},'
    '"Action":"sts:*"}]}'
)


def _caller(ctx: Context, arn: str) -> tuple[Principal, dict[str, tuple[str, ...]]]:
    """Who asks in the simulation, and the condition keys that follow from that.

    Raises:
        AwsError: InvalidInput for a caller that is neither user, group nor role.
    """
    parts = parse_arn(arn) if arn else None
    if parts is None:  # somebody of the account, of whom nothing else is known
        account = ctx.identity.account
        return Principal("user", USER.arn(account, "/", SESSION), account), {}
    kind, _, rest = parts.resource.partition("/")
    if parts.service != "iam" or kind not in ("user", "group", "role"):
        raise AwsError("InvalidInput", f"Invalid Caller Arn: {arn}")
    user, role = user_by_arn(ctx.world, arn), role_by_arn(ctx.world, arn)
    keys: dict[str, tuple[str, ...]] = {"aws:principalarn": (arn,), "aws:principalaccount": (parts.account,)}
    keys.update(organizations.principal_keys(ctx.world, parts.account))
    holder = user or role
    for key, value in holder["tags"].items() if holder else ():
        keys[f"aws:principaltag/{key.lower()}"] = (value,)
    name = rest.rsplit("/", 1)[-1]
    if kind == "role":
        identifier = f"{role['id']}:{SESSION}" if role else ""
        keys |= {"aws:principaltype": ("AssumedRole",), "aws:userid": (identifier,)}
        session = session_arn(parts.account, name, SESSION)
        return Principal("assumed-role", session, parts.account, role_arn=arn, id=identifier), keys
    identifier = user["id"] if user else ""
    keys |= {"aws:principaltype": ("User",), "aws:userid": (identifier,), "aws:username": (name,)}
    return Principal("user", arn, parts.account, user_arn=arn, id=identifier), keys


def _context(ctx: Context, known: Keys, entries: Listed | None) -> dict[str, tuple[str, ...]]:
    now = ctx.world.now()
    context = {"aws:currenttime": (clock.iso(now),), "aws:epochtime": (str(int(now)),), **known}
    context = {key: values for key, values in context.items() if values != ("",)}
    for entry in entries or ():
        if not entry.get("ContextKeyName"):
            raise AwsError("InvalidInput", "Every context entry must have a key name.")
        context[entry["ContextKeyName"].lower()] = tuple(entry.get("ContextKeyValues", ()))
    return context


def _given(texts: list[str] | None, member: str) -> tuple[Source, ...]:
    return tuple(Source(f"{member}.{number}", text) for number, text in enumerate(texts or (), 1))


def _given_boundary(told: Simulation) -> Source | None:
    member = "PermissionsBoundaryPolicyInputList"
    return next(iter(_given(told.get("PermissionsBoundaryPolicyInputList"), member)), None)


def _owner(text: str | None) -> str:
    """An account id, given as such or within an ARN; empty for none.

    Raises:
        AwsError: InvalidInput.
    """
    if not text:
        return ""
    parts = parse_arn(text)
    account = parts.account if parts else text
    if not is_account_id(account):
        raise AwsError("InvalidInput", f"Invalid Resource Owner: {text}")
    return account


def _parsed(text: str) -> Document:
    try:
        return parse(text)
    except MalformedPolicy as bad:
        raise AwsError("InvalidInput", refused(bad).message) from None


def _is_excluded(source: Source, exclusions: Listed, *, bounds: bool = False) -> bool:
    return any(_excludes(exclusion, source, bounds=bounds) for exclusion in exclusions)


def _excludes(exclusion: Mapping[str, Any], source: Source, *, bounds: bool) -> bool:
    kind, arn, inline = exclusion.get("PolicyType"), exclusion.get("PolicyArn"), exclusion.get("InlinePolicyIdentifier")
    if kind and kind == ("permission-boundary" if bounds else source.kind):
        return True
    if arn and source.arn and glob(arn).matches(source.arn):
        return True
    return inline is not None and bool(
        inline["PolicyName"] == source.name
        and inline["AttachmentType"] == source.holder[0]
        and glob(inline["AttachmentName"]).matches(source.holder[1])
    )
