"""Owns what Organizations refuses to save as a service control policy (SCP) or a resource control policy (RCP).

Source: Organizations User Guide, "SCP syntax" and "RCP syntax". Every refusal has the same code and text.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from sts_emulator.policy.deciding.document import MalformedPolicy, as_list, load
from sts_emulator.policy.saving import identity_policies as identity_rules

if TYPE_CHECKING:
    from collections.abc import Mapping

CODE = "MalformedPolicyDocumentException"
REFUSED = "The provided policy document does not meet the requirements of the specified policy type."


def check(kind: Literal["scp", "rcp"], text: str) -> None:
    """Refuse what Organizations refuses.

    Raises:
        MalformedPolicy: MalformedPolicyDocumentException.
    """
    try:
        accepted = _is_accepted(kind, load(text))
    except MalformedPolicy as error:
        raise MalformedPolicy(CODE, REFUSED) from error
    if not accepted:
        raise MalformedPolicy(CODE, REFUSED)


def _is_accepted(kind: Literal["scp", "rcp"], source: object) -> bool:
    """Whether the document has what its type needs; an identity policy's own rules complain by raising."""
    if not isinstance(source, dict) or not identity_rules.well_formed(source):
        return False
    statements: list[dict[str, Any]] = as_list(source["Statement"])
    if kind == "rcp":
        if not all(map(_is_resource_control, statements)):
            return False
        statements = [_without_principal(statement) for statement in statements]
    identity_rules.check({**source, "Statement": statements}, newest_only=True)
    return True


def _is_resource_control(statement: Mapping[str, Any]) -> bool:
    """Deny for everybody, by action; Allow only as RCPFullAWSAccess is written."""
    if statement.get("Principal") != "*" or "NotAction" in statement:
        return False
    if statement["Effect"] == "Deny":
        return True
    return statement.get("Action") == "*" and statement.get("Resource") == "*" and not statement.get("Condition")


def _without_principal(statement: Mapping[str, Any]) -> dict[str, Any]:
    return {name: element for name, element in statement.items() if name != "Principal"}
