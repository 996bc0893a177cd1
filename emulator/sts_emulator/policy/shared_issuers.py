"""Owns the OIDC issuers that many tenants share, and the claim that a trust policy must test for each.

Source: UG id_roles_providers_oidc_secure-by-default. IAM checks on save only; a value made of wildcards alone does not
count.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sts_emulator.policy.deciding.document import texts
from sts_emulator.policy.deciding.matching import Actions
from sts_emulator.policy.deciding.operators import operator
from sts_emulator.policy.federated import COGNITO, GITHUB, OIDC, issuer_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_SUBJECT = (
    GITHUB,
    "vstoken.actions.githubusercontent.com",
    "oidc-configuration.audit-log.githubusercontent.com",
    "gitlab.com",
    "agent.buildkite.com",
    "app.terraform.io",
    "oidc.codefresh.io",
    "studio.datachain.ai/api",
    "scalr.io",
    "tokens.cloud.shisho.dev",
    "proidc.upbound.io",
)
_AUDIENCE = (COGNITO, "api.pulumi.com/oidc", "sandboxes.cloud", "oidc.vercel.com")
REQUIRED_KEYS: Mapping[str, str] = {
    **{issuer: f"{issuer}:sub" for issuer in _SUBJECT},
    **{issuer: f"{issuer}:aud" for issuer in _AUDIENCE},
    "sts.windows.net/33e01921-4d64-4f8c-a055-5bdaffd5e33d": "sts:RoleSessionName",  # Azure Sentinel's tenant
}
"""Issuer (host and path) to the condition key that must be tested."""


def unguarded(statement: Mapping[str, object]) -> str:
    """IAM's complaint about a statement that admits a shared issuer without testing its claim, or the empty text.

    The text for Cognito is documented; the other one is not, so it is our own.
    """
    for issuer in _issuers(statement):
        key = REQUIRED_KEYS.get(issuer)
        if key is None or tests_key(statement, key):
            continue
        if issuer == COGNITO and not statement.get("Condition"):
            return "A condition block must be present for the Cognito provider"
        return f"The trust policy of a role for the shared provider {issuer} must evaluate the condition key {key}"
    return ""


def tests_key(statement: Mapping[str, Any], key: str) -> bool:
    """Whether any operator but Null compares `key` with something other than wildcards."""
    return any(
        name.lower() == key.lower() and any(text.strip("*?") for text in texts(values))
        for text_operator, keys in statement.get("Condition", {}).items()
        if operator(text_operator).family != "null"
        for name, values in keys.items()
    )


def _issuers(statement: Mapping[str, object]) -> Iterator[str]:
    """The issuers that an Allow of AssumeRoleWithWebIdentity names."""
    principal = statement.get("Principal")
    if statement.get("Effect") != "Allow" or not isinstance(principal, dict):
        return
    listed = Actions(texts(statement.get("Action", statement.get("NotAction", []))))
    if listed.match(OIDC.action.lower()) is ("NotAction" in statement):
        return
    for provider in texts(principal.get("Federated", [])):
        yield issuer_of(provider)
