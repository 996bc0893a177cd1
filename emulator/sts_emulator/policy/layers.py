"""Owns the layers of policies that a decision is made of: their order, and how each is called, here and by AWS."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from sts_emulator.policy.light_dataclass import dataclass

if TYPE_CHECKING:
    from collections.abc import Mapping

Layer = Literal["", "scp", "rcp", "trust", "identity", "boundary", "session"]


@dataclass(frozen=True, slots=True)
class Words:
    """A layer in words: one policy of it, all of them, and what AWS's denials call one (a trust policy: nothing).

    `check` and `policy_type` are iam-toolbox's (docs/aws/sts.md, "DecodeAuthorizationMessage").
    """

    single: str
    all: str
    denial: str
    check: str
    policy_type: str


def _words(single: str, several: str, check: str, policy_type: str = "", denial: str | None = None) -> Words:
    return Words(single, several, single if denial is None else denial, check, policy_type or check)


WORDS: Mapping[str, Words] = {
    "scp": _words("service control policy", "service control policies", "SERVICE_CONTROL_POLICY"),
    "rcp": _words("resource control policy", "resource control policies", "RESOURCE_CONTROL_POLICY"),
    "trust": _words("trust policy", "trust policy", "RESOURCE", "RESOURCE_BASED_POLICY", ""),
    "identity": _words(
        "identity policy", "identity policies", "PRINCIPAL", "IDENTITY_BASED_POLICY", "identity-based policy"
    ),
    "boundary": _words("permissions boundary", "permissions boundary", "PERMISSIONS_BOUNDARY"),
    "session": _words("session policy", "session policies", "SESSION", "SESSION_POLICY"),
}
LAYERS: tuple[Layer, ...] = ("scp", "rcp", "trust", "identity", "boundary", "session")
"""In the order of the fields of `engine.Says`: the first that denies is the one that is told."""

_RESOURCE = _words("resource policy", "resource policies", "RESOURCE", "RESOURCE_BASED_POLICY", "resource-based policy")


def words(layer: str, action: str) -> Words:
    """A layer in words, for a decision on an action: only a role's own policy is a trust policy."""
    return _RESOURCE if layer == "trust" and not action.lower().startswith("sts:") else WORDS[layer]
