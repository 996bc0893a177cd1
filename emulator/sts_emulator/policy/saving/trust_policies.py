"""Owns what IAM refuses to save as a role's trust policy.

Texts: docs/aws/policy-grammar.md, "Rejections". Recorded live: the Json, Resource, principal, provider and action
texts; the others are what another implementation quotes, and a good default.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sts_emulator.policy.arns import parse_arn
from sts_emulator.policy.deciding.document import (
    ELEMENTS,
    LANGUAGES,
    PRINCIPAL_TYPES,
    TOP_LEVEL,
    as_list,
    malformed,
    texts,
)
from sts_emulator.policy.deciding.matching import ACCOUNT_DIGITS, glob, has_wildcard
from sts_emulator.policy.federated import ACTIONS, SEGMENTS
from sts_emulator.policy.json_types import JsonObject
from sts_emulator.policy.saving.identity_policies import PARTITION, check_sids, conditions_well_formed, values_readable
from sts_emulator.policy.saving.service_principals import is_known
from sts_emulator.policy.shared_issuers import unguarded

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

SYNTAX = "Syntax error in policy."
TRUST_ACTIONS = (
    *("sts:assumerole", *(action.lower() for action in ACTIONS.values())),
    *("sts:tagsession", "sts:setsourceidentity", "sts:setcontext"),
)
FEDERATED = "Federated principals must be valid domain names or SAML metadata ARNs"
UNIQUE_IDS = ("AIDA", "AROA")


def check(source: object, *, principal_exists: Callable[[str, str], bool], sts_wildcard: bool) -> None:
    """Refuse `source` (parsed JSON) as CreateRole and UpdateAssumeRolePolicy do.

    Raises:
        MalformedPolicy: MalformedPolicyDocument with IAM's text.
    """
    if not isinstance(source, dict):
        raise malformed("This policy contains invalid Json")
    if any(name not in TOP_LEVEL for name in source) or not isinstance(source.get("Id", ""), str):
        raise malformed(SYNTAX)
    if source.get("Version", LANGUAGES[0]) not in LANGUAGES:
        raise malformed("The policy must contain a valid version string")
    if "Statement" not in source:
        raise malformed("Missing required field Statement")
    statements = as_list(source["Statement"])
    if not statements:
        raise malformed("Could not parse the policy: Statement is empty!")
    for statement in statements:
        _check_statement(statement, principal_exists, sts_wildcard=sts_wildcard)
    check_sids(statements, "The Statement Ids in the policy are not unique")
    for statement in statements:
        complaint = unguarded(statement)
        if complaint:
            raise malformed(complaint)


def _check_statement(source: object, principal_exists: Callable[[str, str], bool], *, sts_wildcard: bool) -> None:
    if not isinstance(source, dict) or any(name not in ELEMENTS for name in source):
        raise malformed(SYNTAX)
    statement: Mapping[str, Any] = source
    if "Effect" not in statement:
        raise malformed("Missing required field Effect")
    effect = statement["Effect"]
    if effect not in ("Allow", "Deny"):
        raise malformed(f"Invalid effect: {effect}" if isinstance(effect, str) else SYNTAX)
    if "Resource" in statement:
        raise malformed("Has prohibited field Resource")
    if "NotResource" in statement:
        raise malformed("AssumeRole policy must not contain resources.")
    if "NotPrincipal" in statement:
        allow = effect == "Allow"
        raise malformed(
            "Allow with NotPrincipal is not allowed."
            if allow
            else "AssumeRole policy must not contain NotPrincipal field."
        )
    if not isinstance(statement.get("Sid", ""), str):
        raise malformed(SYNTAX)
    if "Principal" not in statement:
        raise malformed("Missing required field Principal")
    _check_principals(statement["Principal"], principal_exists)
    _check_actions(statement, sts_wildcard=sts_wildcard)
    # Values that cannot be read were recorded for identity policies; the grammar of conditions is the same.
    if not conditions_well_formed(statement.get("Condition", {})) or not values_readable(statement):
        raise malformed(SYNTAX)


def _check_actions(statement: JsonObject, *, sts_wildcard: bool) -> None:
    if "Action" in statement and "NotAction" in statement:
        raise malformed(SYNTAX)
    actions = texts(statement.get("Action", statement.get("NotAction", [])))
    if not actions:
        raise malformed("Missing required field Action")
    for action in actions:
        if not _is_trust_action(action.lower(), sts_wildcard=sts_wildcard):
            raise malformed("AssumeRole policy may only specify STS AssumeRole actions.")


def _is_trust_action(action: str, *, sts_wildcard: bool) -> bool:
    if not has_wildcard(action):
        return action in TRUST_ACTIONS
    if not action.startswith("sts:") or (action == "sts:*" and not sts_wildcard):
        return False
    return any(map(glob(action).matches, TRUST_ACTIONS))


def _check_principals(element: object, principal_exists: Callable[[str, str], bool]) -> None:
    if element == "*":
        raise malformed('AssumeRolepolicy contained an invalid principal: "STAR":"*".')
    if not isinstance(element, dict):
        raise malformed("Principal must be a JSON object.")
    if not element:
        raise malformed("Missing required field Principal cannot be empty!")
    for kind, listed in element.items():
        if kind not in PRINCIPAL_TYPES:
            raise malformed(f'Invalid principal in policy: "{kind}"')
        principals = texts(listed)
        if not principals:
            raise malformed("Missing required field Principal cannot be empty!")
        for principal in principals:
            _check_principal(kind, principal, principal_exists)


def _check_principal(kind: str, principal: str, principal_exists: Callable[[str, str], bool]) -> None:
    if kind == "Federated":
        if not _is_provider(principal):
            raise malformed(FEDERATED)
        if principal.startswith("arn:") and not principal_exists(kind, principal):
            raise malformed(f'Invalid principal in policy: "FEDERATED":"{principal}"')
    elif kind == "Service":
        if not _is_domain(principal, labels=3) or not is_known(principal):
            raise malformed(f'Invalid principal in policy: "SERVICE":"{principal}"')
    elif kind == "CanonicalUser" or not _is_aws_principal(principal, principal_exists):
        raise malformed(f'Invalid principal in policy: "{kind}":"{principal}"')


def _is_aws_principal(principal: str, principal_exists: Callable[[str, str], bool]) -> bool:
    if principal == "*" or _is_account_id(principal):
        return True
    if has_wildcard(principal):
        return False
    if principal.startswith(UNIQUE_IDS) and principal.isalnum():
        return principal_exists("AWS", principal)
    service, kind, name = _principal_arn(principal)
    if service == "iam" and kind in ("user", "role"):
        return bool(name) and not name.endswith("/") and principal_exists("AWS", principal)
    if service == "sts" and kind == "assumed-role":
        role, slash, session = name.partition("/")
        return bool(role and slash and session) and "/" not in session
    return (service, kind, name) == ("iam", "root", "") or (
        service == "sts" and kind == "federated-user" and name != ""
    )


def _principal_arn(text: str) -> tuple[str, str, str]:
    """Service, kind and name of an ARN that names a principal of an account; empty texts when it cannot."""
    arn = parse_arn(text)
    if arn is None or arn.partition != PARTITION or arn.region or not _is_account_id(arn.account):
        return "", "", ""
    kind, slash, name = arn.resource.partition("/")
    return (arn.service, kind, name) if bool(slash) is bool(name) else ("", "", "")


def _is_account_id(text: str) -> bool:
    return len(text) == ACCOUNT_DIGITS and text.isascii() and text.isdecimal()


def _is_provider(principal: str) -> bool:
    if not principal.startswith("arn:"):
        return _is_domain(principal)
    service, kind, name = _principal_arn(principal)
    return service == "iam" and kind in SEGMENTS and name != "" and not has_wildcard(name)


def _is_domain(text: str, labels: int = 2) -> bool:
    """Whether the text is a host name of at least so many labels."""
    names = text.split(".")
    return len(names) >= labels and all(
        name and name.isascii() and name.replace("-", "a").replace("_", "a").isalnum() for name in names
    )
