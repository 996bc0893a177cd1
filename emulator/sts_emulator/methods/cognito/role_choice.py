"""Which of a pool's roles somebody gets: the guests' one, the authenticated one, or what a token or rules choose.

Pure. Source: docs/aws/cognito.md, "Identity pools". Whether the role then lets them in is its trust policy's decision.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from sts_emulator.methods.tokens.checks import claim_text

if TYPE_CHECKING:
    from sts_emulator.accounts.documents import IdentityPool
    from sts_emulator.methods.cognito.logins import Login


class DeniedError(Exception):
    """The mapping named `mapping` denies; the text says why, for the event."""

    def __init__(self, mapping: str, why: str) -> None:
        super().__init__(why)
        self.mapping = mapping


def choose(pool: IdentityPool, logins: Sequence[Login], wanted: str = "") -> str:
    """The ARN of the role; empty where the pool has none for them. `wanted` is the request's CustomRoleArn.

    Raises:
        DeniedError: a mapping resolves to `Deny`, or does not offer the role that is wanted.
    """
    if not logins:
        return pool["roles"].get("unauthenticated", "")
    mapped = [(login, mapping) for login in logins if (mapping := pool["mappings"].get(login.mapping))]
    if not mapped and wanted:
        raise DeniedError(logins[0].mapping, f"no role mapping offers {wanted}: without one a role cannot be chosen")
    if not mapped:
        return pool["roles"].get("authenticated", "")
    login, mapping = mapped[0]
    told = [login.preferred] if login.preferred else list(login.roles)
    offered = told if mapping["Type"] == "Token" else _of_rules(login, mapping)
    if wanted:
        # Developer guide, role-based access control: a role that is not offered is denied; rules may be overruled so.
        if wanted not in (login.roles if mapping["Type"] == "Token" else offered):
            raise DeniedError(login.mapping, f"the role mapping does not offer {wanted}, only {_listed(offered)}")
        return wanted
    if mapping["Type"] == "Rules" and offered:
        return offered[0]
    if len(offered) == 1:
        return offered[0]
    if mapping["AmbiguousRoleResolution"] == "Deny":
        raise DeniedError(login.mapping, f"the role mapping is ambiguous and resolves to Deny: {_listed(offered)}")
    return pool["roles"].get("authenticated", "")


def _of_rules(login: Login, mapping: Mapping[str, Any]) -> list[str]:
    rules = mapping["RulesConfiguration"]["Rules"]
    return [rule["RoleARN"] for rule in rules if _matches(rule, _texts(login.claims.get(rule["Claim"])))]


def _matches(rule: Mapping[str, Any], values: Sequence[str]) -> bool:
    """Whether a rule fits a claim. A claim that is absent fits none, NotEqual not excepted (developer guide)."""
    wanted = rule["Value"]
    if rule["MatchType"] == "NotEqual":
        return bool(values) and wanted not in values
    if rule["MatchType"] == "Contains":
        return any(wanted in value for value in values)
    if rule["MatchType"] == "StartsWith":
        return any(value.startswith(wanted) for value in values)
    return wanted in values


def _texts(claim: object) -> list[str]:
    """A claim's value, or the values of a list, as text; what is neither text, number nor truth value is none."""
    values = claim if isinstance(claim, list | tuple) else [claim]
    return [text for value in values if (text := claim_text(value)) is not None]


def _listed(roles: Iterable[str]) -> str:
    return ", ".join(roles) or "no role"
