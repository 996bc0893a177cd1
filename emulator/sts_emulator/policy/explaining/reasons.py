"""Owns the reasons in an explanation: why an element of a statement does or does not match, in code and in words."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from sts_emulator.policy.caller_keys import class_of, meant, never_there
from sts_emulator.policy.deciding.matching import ArnPattern, Glob, glob, has_wildcard, is_account
from sts_emulator.policy.deciding.operators import READABLE, READERS
from sts_emulator.policy.deciding.variables import LANGUAGE_WITH_VARIABLES, value_of
from sts_emulator.policy.federated import KINDS, ProviderKind, kind_of_type
from sts_emulator.policy.keys import MULTIVALUED

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from sts_emulator.policy.deciding.conditions import Condition
    from sts_emulator.policy.deciding.document import Statement
    from sts_emulator.policy.deciding.engine import Principal, Request
    from sts_emulator.policy.deciding.operators import Family, Value

ARN_PART_NAMES = ("prefix", "partition", "service", "region", "account", "resource")


class Reason(NamedTuple):
    """A stable code, and a hint for people (empty when the code says it all)."""

    code: str
    hint: str = ""


ABSENT_KEYS: Mapping[str, str] = {
    "aws:principalarn": "aws:PrincipalArn exists for users and roles only",
    "aws:multifactorauthpresent": "aws:MultiFactorAuthPresent exists for sessions only, not for long-term access keys",
    "aws:multifactorauthage": "aws:MultiFactorAuthAge exists only after a sign-in with MFA",
    "aws:tokenissuetime": "aws:TokenIssueTime does not exist for long-term access keys",
    "aws:username": "aws:username exists for IAM users only, not for role sessions",
    "sts:externalid": "sts:ExternalId exists only when the caller passes ExternalId",
    "sts:sourceidentity": "sts:SourceIdentity exists only when a source identity is set along with the call",
    "aws:sourceidentity": "aws:SourceIdentity exists only for sessions that were given one",
    "aws:sourceip": "aws:SourceIp does not exist for calls through a VPC endpoint, nor for those of AWS services",
    "aws:principalorgid": "aws:PrincipalOrgID exists only for accounts in an organization",
    "aws:sourcearn": "aws:SourceArn exists only when an AWS service calls for one of its resources",
    "aws:sourceaccount": "aws:SourceAccount exists only when an AWS service calls for one of its resources",
    "aws:tagkeys": "aws:TagKeys exists only when session tags are passed",
}
"""What a newcomer does not expect about keys (docs/aws/policy-evaluation.md, "Condition keys"), by lower-cased name."""

ABSENT_PREFIXES: Mapping[str, str] = {
    "aws:principaltag/": "the caller has no such tag",
    "aws:requesttag/": "no such session tag was passed",
    "aws:resourcetag/": "the resource has no such tag",
    "iam:resourcetag/": "the role has no such tag",
}
MOST_NAMED = 3
"""Principals that a sentence names before it counts the others."""


def absence(key: str, caller: Principal) -> str:
    """Why a key is not in the request of a caller, or the empty text."""
    name = key.lower()
    why = never_there(key, class_of(caller)) or ABSENT_KEYS.get(name)
    if why:
        return why
    for start, text in ABSENT_PREFIXES.items():
        if name.startswith(start):
            return text
    kind = next((kind for kind in KINDS if kind.type == caller.type), None)
    if kind is None or not name.startswith(f"{kind.prefix_of(caller.value)}:"):
        return ""
    return f"the {kind.noun} has no {kind.part} {name.rpartition(':')[2]}"


def condition_reason(  # noqa: PLR0911 # one return per reason
    condition: Condition, requested: Sequence[str], request: Request, version: str, *, result: bool
) -> Reason:
    """Why one condition is true or false for the values found in the request."""
    op, context = condition.operator, request.context
    if op.family == "unknown":
        return Reason(
            "unknown_operator", f"{op.text} is no condition operator: no Allow can satisfy it, a Deny always does"
        )
    if op.family == "null":
        return _null_reason(condition, requested)
    if not requested:
        return _absent_reason(condition, request)
    broken = [value.raw for value in condition.values if op.family == "arn" and value.is_broken_arn(context)]
    if broken:
        return Reason("type_error", f"`{broken[0]}` is no ARN pattern: it refuses under Allow and Deny alike")
    if result:
        return _true_reason(condition, requested, context)
    if op.quantifier is None and (len(requested) > 1 or condition.name in MULTIVALUED):
        return Reason(
            "multivalued_without_set_operator",
            f"{condition.key} holds several values; a plain {op.text} is never true when it is there: use ForAnyValue: "
            "or ForAllValues:",
        )
    if op.negated:
        return _unreadable(op.family, requested) or Reason(
            "negated_value_matched", f"{op.text} is false because the value is one of those listed"
        )
    return _mismatch_reason(condition, requested, request, version)


def _null_reason(condition: Condition, requested: Sequence[str]) -> Reason:
    if any(not value.valid for value in condition.values):
        return Reason(
            "type_error", "Null takes true (the key must be absent) or false; whatever else is written counts as false"
        )
    there = "is in the request" if requested else "is not in the request"
    return Reason("null_check", f"{condition.key} {there}; Null:true asks for absence, Null:false for presence")


def _absent_reason(condition: Condition, request: Request) -> Reason:
    op, why = condition.operator, absence(condition.key, request.principal)
    tail = f" ({why})" if why else ""
    if op.quantifier == "ForAnyValue":
        return Reason("set_empty", f"ForAnyValue is false when {condition.key} is absent{tail}")
    if op.quantifier == "ForAllValues":
        return Reason("matched_because_missing", f"ForAllValues is true when {condition.key} is absent{tail}")
    if op.if_exists:
        return Reason("if_exists_missing", f"IfExists is true when {condition.key} is absent{tail}")
    if op.negated:
        return Reason("matched_because_missing", f"a negated operator is true when {condition.key} is absent{tail}")
    asker = class_of(request.principal)
    if never_there(condition.key, asker):
        wanted = meant(condition.key, asker, have=request.context)
        return Reason("key_never_there", f"{why}{f'; {wanted} is meant' if wanted else ''}")
    return Reason("key_missing", f"{condition.key} is not in the request{tail}")


def _true_reason(condition: Condition, requested: Sequence[str], context: Mapping[str, tuple[str, ...]]) -> Reason:
    if condition.operator.negated:
        unresolved = [value.raw for value in condition.values if value.resolved(context) is None]
        if unresolved:
            return Reason("unresolved_variable", f"{unresolved[0]} has no value, so nothing equals it")
        if any(not value.valid for value in condition.values) or not all(
            map(_reader(condition.operator.family), requested)
        ):
            return Reason("type_error", "a value that cannot be read matches nothing, so the negated operator is true")
    return Reason("matched")


def _mismatch_reason(condition: Condition, requested: Sequence[str], request: Request, version: str) -> Reason:
    """The most telling difference between any request value and any policy value."""
    op, context = condition.operator, request.context
    if not condition.values:
        return Reason("value_mismatch", "the policy lists no value, so nothing equals one")
    unreadable = _unreadable(op.family, requested)
    if unreadable is not None:
        return unreadable
    for diagnose in (_invalid, _old_variable, _unresolved, _literal_wildcard, _case):
        for value in condition.values:
            for text in requested:
                reason = diagnose(condition, value, text, request, version)
                if reason is not None:
                    return reason
    if op.family == "arn":
        return _arn_reason(condition, requested, context)
    return Reason(
        "value_mismatch", _difference(requested, [value.resolved(context) or value.raw for value in condition.values])
    )


def _unreadable(family: Family, requested: Sequence[str]) -> Reason | None:
    text = next((text for text in requested if not _reader(family)(text)), None)
    if text is None:
        return None
    return Reason("type_error", f"the request's `{text}` cannot be read as {_TYPES[family]}")


_TYPES: Mapping[Family, str] = {
    "number": "a number",
    "date": "a date",
    "bool": "true or false",
    "ip": "an IP address or CIDR block",
    "arn": "an ARN",
}


def _reader(family: Family) -> Callable[[str], bool]:
    """Whether a request value can be read as the operator's type."""
    if family in READABLE:
        return READABLE[family]
    read = READERS.get(family)
    return (lambda _: True) if read is None else (lambda text: read(text) is not None)


def _invalid(condition: Condition, value: Value, _text: str, _request: Request, _version: str) -> Reason | None:
    if value.valid:
        return None
    return Reason("type_error", f"the policy's `{value.raw}` cannot be read as {_TYPES[condition.operator.family]}")


def _old_variable(_condition: Condition, value: Value, _text: str, _request: Request, version: str) -> Reason | None:
    if version == LANGUAGE_WITH_VARIABLES or "${" not in value.raw:
        return None
    return Reason(
        "variable_literal_old_version", f'`{value.raw}` is plain text unless the policy says "Version": "2012-10-17"'
    )


def _unresolved(_condition: Condition, value: Value, _text: str, request: Request, _version: str) -> Reason | None:
    if value.resolved(request.context) is not None:
        return None
    missing = next(variable for variable in value.template.variables if value_of(variable, request.context) is None)
    why = absence(missing.key, request.principal)
    return Reason("unresolved_variable", f"{missing.text} has no value here" + (f" ({why})" if why else ""))


def _literal_wildcard(condition: Condition, value: Value, text: str, request: Request, _version: str) -> Reason | None:
    op, context = condition.operator, request.context
    if op.family not in ("string", "ignore_case") or not has_wildcard(value.raw):
        return None
    pieces = value.template.pieces(context)
    if pieces is None or not Glob(pieces).matches(text):
        return None
    mark = "*" if "*" in value.raw else "?"
    return Reason("wildcard_literal", f"{op.base} treats {mark} literally; use StringLike")


def _case(condition: Condition, value: Value, text: str, request: Request, _version: str) -> Reason | None:
    pieces = value.template.pieces(request.context)
    if pieces is None or condition.operator.family not in ("string", "like", "arn"):
        return None
    lowered = tuple((piece.lower(), wild) for piece, wild in pieces)
    if condition.operator.family == "string":
        same = "".join(piece for piece, _ in lowered) == text.lower()
    elif condition.operator.family == "like":
        same = Glob(lowered).matches(text.lower())
    else:
        same = ArnPattern(lowered).matches(text.lower())
    return Reason("case_differs", f"only upper and lower case differ: `{text}`, policy `{value.raw}`") if same else None


def _arn_reason(condition: Condition, requested: Sequence[str], context: Mapping[str, tuple[str, ...]]) -> Reason:
    best = 0
    for value in condition.values:
        pieces = value.template.pieces(context)
        if pieces is not None:
            best = max([best, *(ArnPattern(pieces).mismatch(text) or 0 for text in requested)])
    hint = f"the ARNs differ in part {best}, the {ARN_PART_NAMES[best - 1]}" if best else ""
    if any(":assumed-role/" in value.raw for value in condition.values) and condition.name == "aws:principalarn":
        hint = "aws:PrincipalArn holds the role's ARN, never that of the session"
    elif any(value.raw.endswith(":root") for value in condition.values) and condition.name == "aws:principalarn":
        hint = "a root ARN in aws:PrincipalArn means the root user alone, not the whole account"
    return Reason(f"arn_segment_mismatch({best})", hint)


def _difference(requested: Sequence[str], listed: Sequence[str]) -> str:
    """Where the closest pair of texts parts ways; nothing when no pair is close."""
    pairs = [(common, text, other) for text in requested for other in listed if (common := _common_start(text, other))]
    if not pairs:
        return ""
    common, text, other = max(pairs)
    if has_wildcard(other) or common < len("repo:"):
        return ""
    return f"they differ from `{text[common:] or 'the end'}` on, where the policy has `{other[common:] or 'the end'}`"


def _common_start(left: str, right: str) -> int:
    return next(
        (index for index, (a, b) in enumerate(zip(left, right, strict=False)) if a != b), min(len(left), len(right))
    )


def action_reason(statement: Statement, request: Request, *, match: bool) -> Reason:
    """Why the action is or is not covered."""
    if match:
        return Reason("matched")
    if statement.not_action:
        return Reason("no_match")
    return Reason("no_match", f"{request.action} is not listed: {', '.join(statement.actions.texts)}")


def resource_reason(statement: Statement, request: Request, *, match: bool) -> Reason:
    """Why the resource is or is not covered."""
    if match or statement.resources is None:
        return Reason("matched")
    if statement.not_resource:
        return Reason("no_match")
    diagnoses = (_case_of_name, _path_of_name, _account_of_name)
    near = _name_reason(statement.resources.texts, [request.resource], diagnoses)
    return near or Reason("no_match", f"{request.resource} is not listed: {_some(statement.resources.texts)}")


STRICT_DENY = 'whether a Deny on {"AWS":"*"} reaches this kind of caller is undocumented; taken strictly'


def principal_reason(
    statement: Statement, caller: Principal, names: Mapping[str, str], *, bounded: bool, match: bool
) -> Reason:
    """Why the caller is or is not named; `names` are the ARNs behind the unique ids that a stored policy holds."""
    principals = statement.principals
    if principals is None:
        return Reason("no_principal")
    if statement.not_principal:
        return _not_principal_reason(statement, bounded=bounded, match=match)
    if match:
        strict = statement.effect == "Deny" and principals.match(caller) is None
        return Reason("matched", STRICT_DENY if strict else "")
    return _unnamed_reason([(kind, names.get(text, text)) for kind, text in principals.entries], caller)


def _unnamed_reason(entries: Sequence[tuple[str, str]], caller: Principal) -> Reason:
    match caller.type:
        case "user" | "assumed-role" | "root" | "federated-user":
            return _aws_reason(entries, caller)
        case "service":
            return _service_reason(entries, caller)
        case "anonymous":
            return Reason("no_match", _named(entries))
        case _ as kind:
            return _federated_reason(entries, caller, kind_of_type(kind))


def _not_principal_reason(statement: Statement, *, bounded: bool, match: bool) -> Reason:
    if match and statement.effect == "Deny":
        if bounded:
            return Reason("matched", "NotPrincipal with Deny always reaches a caller that has a permissions boundary")
        return Reason("matched", "NotPrincipal spares a caller only if its account, itself and its role are all listed")
    return Reason("matched") if match else Reason("excluded")


def _named(entries: Sequence[tuple[str, str]]) -> str:
    """Whom a statement names, in a few words."""
    return f"the statement names {_some([text for _, text in entries])}" if entries else "the statement names nobody"


def _some(texts: Sequence[str]) -> str:
    more = len(texts) - MOST_NAMED
    return f"{', '.join(texts[:MOST_NAMED])}{f' and {more} more' if more > 0 else ''}"


def _federated_reason(entries: Sequence[tuple[str, str]], caller: Principal, kind: ProviderKind) -> Reason:
    listed = [text for element, text in entries if element == "Federated"]
    if any(text.lower() == caller.value.lower() for text in listed):
        return Reason("case_differs", "only upper and lower case differ between the providers")
    if caller.value.startswith("arn:"):
        reason = _name_reason(listed, [caller.value], (_same_provider,))
        if reason is not None:
            return reason
    if listed:
        return Reason("provider_differs", f"{_named(entries)}; the caller was verified by {caller.value}")
    if any(element == "AWS" for element, _ in entries):
        return Reason(
            "federated_not_covered_by_AWS",
            f'an AWS principal admits no caller with {kind.evidence}; name "Federated": "{caller.value}"',
        )
    return Reason("no_match", "the statement names no OIDC or SAML provider")


def _same_provider(text: str, arn: str) -> Reason | None:
    kind, name = arn.rpartition(":")[2].partition("/")[::2]
    if text == name:
        return Reason("provider_differs", f"a provider of your own is named by its ARN: `{arn}`")
    if not text.endswith(f":{kind}/{name}"):
        return None
    return Reason("account_differs", f"the same provider in another account or partition: `{text}`")


def _service_reason(entries: Sequence[tuple[str, str]], caller: Principal) -> Reason:
    if any(kind == "Service" for kind, _ in entries):
        return Reason("service_differs", f"{_named(entries)}; the calling service is {caller.value}")
    return Reason("no_match", f'name "Service": "{caller.value}"')


def _aws_reason(entries: Sequence[tuple[str, str]], caller: Principal) -> Reason:
    listed = [text for kind, text in entries if kind == "AWS"]
    own = [arn for arn in (caller.role_arn, caller.user_arn, caller.value) if arn]
    diagnoses = (_wildcard_name, _case_of_name, _path_of_name, _session_of_name, _kind_of_name, _account_of_name)
    reason = _name_reason([text for text in listed if not is_account(text)], own, diagnoses)
    if reason is not None:
        return reason
    stale = next(filter(is_unique_id, listed), "")  # one of which the ARN is known has become that
    if stale:
        return Reason("stale_unique_id", f"no user or role has the id {stale} (any more): {STALE}")
    if not listed:
        return Reason("no_match", f"{_named(entries)}, no user, role or account")
    if any(map(is_account, listed)):
        return _account_reason(entries, [text for text in listed if is_account(text)], caller)
    return Reason("no_match", f"{_named(entries)}; the caller is {own[0]}")


STALE = "a deleted principal leaves its id behind, and a new one of that name has another id"


def is_unique_id(text: str) -> bool:
    """Whether a principal is a user's or role's unique id."""
    return text.startswith(("AROA", "AIDA")) and ":" not in text


def _account_reason(entries: Sequence[tuple[str, str]], accounts: Sequence[str], caller: Principal) -> Reason:
    if any(caller.account in text for text in accounts):
        return Reason("partition_differs", f"the caller belongs to another partition: {caller.value}")
    return Reason("account_differs", f"{_named(entries)}; the caller belongs to account {caller.account}")


def _name_reason(
    listed: Sequence[str], own: Sequence[str], diagnoses: Iterable[Callable[[str, str], Reason | None]]
) -> Reason | None:
    """How the closest listed ARN differs from one of the caller's (or the resource's) own."""
    for diagnose in diagnoses:
        for text in listed:
            for arn in own:
                reason = diagnose(text, arn)
                if reason is not None:
                    return reason
    return None


def _wildcard_name(text: str, arn: str) -> Reason | None:
    if not has_wildcard(text) or text == "*" or not glob(text).matches(arn):
        return None
    return Reason("wildcard_arn_never_matches", f"a wildcard inside a principal never matches: `{text}`")


def _case_of_name(text: str, arn: str) -> Reason | None:
    if text == arn or text.lower() != arn.lower():
        return None
    return Reason("case_differs", f"only upper and lower case differ: the policy has `{text}`, the request `{arn}`")


def _path_of_name(text: str, arn: str) -> Reason | None:
    left, right = _name_parts(text), _name_parts(arn)
    if left is None or right is None or "assumed-role" in (left[1], right[1]):
        return None
    if (left[0], left[1], left[3]) != (right[0], right[1], right[3]) or left[2] == right[2]:
        return None
    return Reason("path_differs", f"the path belongs to the ARN: it is `{arn}`, the policy has `{text}`")


def _session_of_name(text: str, arn: str) -> Reason | None:
    left, right = text.partition(":assumed-role/"), arn.partition(":assumed-role/")
    if not left[1] or not right[1] or left[0] != right[0] or text == arn:
        return None
    if f"/{left[2]}".endswith(f"/{right[2]}"):
        return Reason("path_differs", f"a session's ARN has no path: it is `{arn}`, the policy has `{text}`")
    same_role = left[2].partition("/")[0] == right[2].partition("/")[0]
    return Reason("session_differs", f"the policy names another session of the role: `{text}`") if same_role else None


def _kind_of_name(text: str, arn: str) -> Reason | None:
    left, right = _name_parts(text), _name_parts(arn)
    if left is None or right is None or (left[0], left[2:]) != (right[0], right[2:]) or left[1] == right[1]:
        return None
    return Reason("kind_differs", f"the policy names a {left[1]}, the caller is a {right[1]}: `{text}`")


def _account_of_name(text: str, arn: str) -> Reason | None:
    left, right = _name_parts(text), _name_parts(arn)
    if left is None or right is None or left[1:] != right[1:] or left[0] == right[0]:
        return None
    if left[0].rpartition(":")[2] == right[0].rpartition(":")[2]:
        return Reason("partition_differs", f"the same name in another partition: `{text}`")
    return Reason("account_differs", f"the same name in another account: `{text}`")


def _name_parts(arn: str) -> tuple[str, str, str, str] | None:
    """Everything before the resource, its kind, path and name."""
    head, colon, resource = arn.rpartition(":")
    kind, slash, rest = resource.partition("/")
    if not colon or not slash:
        return None
    path, _, name = rest.rpartition("/")
    return head, kind, path, name
