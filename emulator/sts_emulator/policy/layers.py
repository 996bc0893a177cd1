"""Owns the layers of policies that a decision is made of: their order, and how each is called, here and by AWS."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from sts_emulator.policy.values import dataclass

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


WORDS: Mapping[str, Words] = {
    "scp": Words(
        single="service control policy",
        all="service control policies",
        denial="service control policy",
        check="SERVICE_CONTROL_POLICY",
        policy_type="SERVICE_CONTROL_POLICY",
    ),
    "rcp": Words(
        single="resource control policy",
        all="resource control policies",
        denial="resource control policy",
        check="RESOURCE_CONTROL_POLICY",
        policy_type="RESOURCE_CONTROL_POLICY",
    ),
    "trust": Words(
        single="trust policy", all="trust policy", denial="", check="RESOURCE", policy_type="RESOURCE_BASED_POLICY"
    ),
    "identity": Words(
        single="identity policy",
        all="identity policies",
        denial="identity-based policy",
        check="PRINCIPAL",
        policy_type="IDENTITY_BASED_POLICY",
    ),
    "boundary": Words(
        single="permissions boundary",
        all="permissions boundary",
        denial="permissions boundary",
        check="PERMISSIONS_BOUNDARY",
        policy_type="PERMISSIONS_BOUNDARY",
    ),
    "session": Words(
        single="session policy",
        all="session policies",
        denial="session policy",
        check="SESSION",
        policy_type="SESSION_POLICY",
    ),
}
LAYERS: tuple[Layer, ...] = ("scp", "rcp", "trust", "identity", "boundary", "session")
"""In the order of the fields of `engine.Says`: the first that denies is the one that is told."""

_RESOURCE = Words(
    single="resource policy",
    all="resource policies",
    denial="resource-based policy",
    check="RESOURCE",
    policy_type="RESOURCE_BASED_POLICY",
)


def words(layer: str, action: str) -> Words:
    """A layer in words, for a decision on an action: only a role's own policy is a trust policy."""
    return _RESOURCE if layer == "trust" and not action.lower().startswith("sts:") else WORDS[layer]
