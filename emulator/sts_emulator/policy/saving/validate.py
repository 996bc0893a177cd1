"""Owns what is accepted or refused when a policy is saved, by kind of document, and how principals are stored."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Literal

from sts_emulator.policy.deciding.document import LONGEST_TEXT, JsonText, MalformedPolicy, as_list, load, malformed
from sts_emulator.policy.deciding.matching import is_account
from sts_emulator.policy.saving import control_policies as organization_rules
from sts_emulator.policy.saving import identity_policies as identity_rules
from sts_emulator.policy.saving import trust_policies as trust_rules

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

Kind = Literal["trust", "identity", "inline", "session", "scp", "rcp"]

QUOTAS: Mapping[Kind, int] = {"trust": 2048, "identity": 6144, "scp": 10_240, "rcp": 5120}
"""Characters: IAM counts all but white space, Organizations all. Inline quotas are totals only the caller knows.

That of SCPs was 5120 until AWS doubled it on 2026-05-15, for everybody and without a request.
"""
PARAMETERS: Mapping[Kind, str] = {
    "trust": "assumeRolePolicyDocument",
    "session": "policy",
    "scp": "content",
    "rcp": "content",
}
QUOTA_NAMES: Mapping[Kind, str] = {"trust": "ACLSizePerRole", "identity": "PolicySize"}


def always(_kind: str, _principal: str) -> bool:
    """Every principal exists."""
    return True


def validate(
    kind: Kind,
    text: str,
    *,
    principal_exists: Callable[[str, str], bool] = always,
    quota: int | None = None,
    sts_wildcard: bool = True,
) -> None:
    """Refuse what IAM (or Organizations) would refuse to save as `kind`.

    `principal_exists(type, principal)` is asked about user and role ARNs and stored unique ids (`"AWS"`) and provider
    ARNs (`"Federated"`) of a trust policy. `quota` replaces the kind's default size.
    `sts_wildcard` says whether a trust policy may use `sts:*`, on which sources disagree
    (docs/aws/policy-grammar.md, "Rejections").

    Raises:
        MalformedPolicy: with AWS's code, HTTP status and message.
    """
    _check_length(kind, text)
    if kind == "trust":
        source = load(text)
        trust_rules.check(source, principal_exists=principal_exists, sts_wildcard=sts_wildcard)
    elif kind in ("scp", "rcp"):
        organization_rules.check(kind, text)
    else:
        identity_rules.check(_load_identity(text), newest_only=kind == "identity", stored=kind != "session")
    _check_size(kind, text, QUOTAS.get(kind) if quota is None else quota)


def _check_length(kind: Kind, text: str) -> None:
    """The bounds of the parameter itself, which the service's model states; the wire usually refuses first."""
    bound = "greater than or equal to 1" if not text else f"less than or equal to {LONGEST_TEXT}"
    if not text or len(text) > LONGEST_TEXT:
        raise MalformedPolicy(
            "ValidationError",
            f"1 validation error detected: Value at '{PARAMETERS.get(kind, 'policyDocument')}' failed to satisfy "
            f"constraint: Member must have length {bound}",
        )


def _load_identity(text: str) -> object:
    try:
        return load(text)
    except MalformedPolicy as error:
        raise malformed(identity_rules.SYNTAX) from error


def _check_size(kind: Kind, text: str, quota: int | None) -> None:
    counted = len(text) if kind in ("scp", "rcp") else sum(map(len, text.split()))
    if quota is None or counted <= quota:
        return
    name = QUOTA_NAMES.get(kind)
    if name:
        raise MalformedPolicy("LimitExceeded", f"Cannot exceed quota for {name}: {quota}", 409)
    if kind in ("scp", "rcp"):
        raise MalformedPolicy("ConstraintViolationException", f"The policy is longer than {quota} characters.")
    raise MalformedPolicy("LimitExceeded", f"Maximum policy size of {quota} bytes exceeded", 409)


def rewrite_principals(text: str, to_id: Callable[[str], str | None]) -> str:
    """What IAM stores for a trust policy: user and role ARNs become their unique ids, account numbers root ARNs.

    `to_id` returns None for what has no id here (another account's principals, sessions); that stays as written.
    Condition values and federated providers are never rewritten (UG reference_policies_elements_principal).
    """
    return _map_principals(text, lambda principal: to_id(principal) or _as_root(principal))


def restore_principals(text: str, to_arn: Callable[[str], str | None]) -> str:
    """What IAM shows of a stored trust policy: unique ids become ARNs while their principal exists, else stay ids."""
    return _map_principals(text, to_arn)


def _as_root(principal: str) -> str | None:
    return f"arn:aws:iam::{principal}:root" if is_account(principal) and ":" not in principal else None


_ENCODER = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False)


def _map_principals(text: str, change: Callable[[str], str | None]) -> str:
    """Apply `change` to every `AWS` principal; the text is returned untouched when nothing changes."""
    source = json.loads(text, parse_int=JsonText, parse_float=JsonText)
    changed = False
    for statement in as_list(source["Statement"]):
        for element in ("Principal", "NotPrincipal"):
            principals = statement.get(element)
            if not isinstance(principals, dict) or "AWS" not in principals:
                continue
            mapped = _mapped(principals["AWS"], change)
            changed = changed or mapped != principals["AWS"]
            principals["AWS"] = mapped
    return _ENCODER.encode(source) if changed else text


def _mapped(principals: Any, change: Callable[[str], str | None]) -> object:
    if isinstance(principals, list):
        return [change(principal) or principal for principal in principals]
    return change(principals) or principals
