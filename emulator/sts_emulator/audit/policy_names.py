"""What the policies behind a denied request are called: the ARNs of managed ones, and what each was attached to.

An event keeps their texts, so a name is given while a policy says what it said then; where that cannot be told any
more, nothing is.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any

from sts_emulator.accounts import documents, organizations, resources
from sts_emulator.accounts.resources import Stored
from sts_emulator.core.world import World
from sts_emulator.policy.arns import account_in
from sts_emulator.policy.json_types import JsonObject
from sts_emulator.policy.light_dataclass import dataclass

_KINDS = {"scp": organizations.SERVICE_CONTROL, "rcp": organizations.RESOURCE_CONTROL}
Question = Mapping[str, Any]


@dataclass(frozen=True)
class PolicyNames:
    """The names of the policies of one question of a record."""

    world: World
    question: Question

    def target(self, layer: str, level: int) -> str:
        """The ARN of the root, unit or account whose control policies a check is about; empty for other checks."""
        places = self._places(layer)
        return places[level] if level < len(places) else ""

    def attached_to(self, uri: str, layer: str) -> str:
        """The ARN of what a policy was attached to; empty where that is not known."""
        if layer in _KINDS:
            return self.target(layer, int(uri.split("[")[1].rstrip("]")))
        if layer == "trust":
            return str(self.question["resource"])
        principal = self._principal
        return str(principal.get("role_arn") or principal.get("user_arn") or principal["value"])

    def arn(self, policy: Mapping[str, str]) -> str:
        """The ARN of a managed policy; empty for an inline one."""
        layer, text = policy["layer"], policy["text"]
        if layer in _KINDS:
            return organizations.arn_of_text(self.world, _KINDS[layer], text, self._account(layer))
        holder = self._holder
        if holder is None or layer not in ("identity", "boundary"):
            return ""
        attached = [holder["boundary"]] if layer == "boundary" and holder.get("boundary") else []
        if layer == "identity":
            attached = [arn for bearer in (holder, *self._groups) for arn in bearer["attached"]]
        return next((arn for arn in attached if resources.managed_policy_text(self.world, arn) == text), "")

    def is_inline(self, policy: Mapping[str, str]) -> bool | None:
        """Whether a policy is an inline one; None where it is neither that nor a managed one any more."""
        if self.arn(policy):
            return False
        if policy["layer"] == "trust":
            return True
        if policy["layer"] != "identity" or self._holder is None:
            return None
        bearers = (self._holder, *self._groups)
        return True if any(policy["text"] in bearer["inline"].values() for bearer in bearers) else None

    @property
    def _principal(self) -> JsonObject:
        principal: Mapping[str, Any] = self.question["explanation"]["request"]["principal"]
        return principal

    @cached_property
    def _holder(self) -> Stored | None:
        """The caller's user or role, while it is there."""
        identifier = str(self._principal.get("id", "")).partition(":")[0]
        return self.world.find(documents.ROLE, identifier) or self.world.find(documents.USER, identifier)

    @cached_property
    def _groups(self) -> list[Stored]:
        holder = self._holder
        names = holder.get("groups", ()) if holder else ()
        account = holder["account"] if holder else ""
        groups = [self.world.get(documents.GROUP, resources.key_of(account, name)) for name in names]
        return [group for group in groups if group is not None]

    def _account(self, layer: str) -> str:
        if layer == "scp":
            return str(self._principal["account"])
        return account_in(str(self.question["resource"]))

    def _places(self, layer: str) -> list[str]:
        org, account = organizations.organization(self.world), self._account(layer)
        if layer not in _KINDS or org is None or account not in org["parents"]:
            return []
        path = organizations.path(org, account).rstrip("/").split("/")[1:]
        return [organizations.place_arn(org, place) for place in path]
