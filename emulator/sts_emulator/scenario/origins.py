"""How a provider of a scenario says who somebody is originally."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import Any

from sts_emulator.policy.light_dataclass import dataclass
from sts_emulator.scenario.seed import Seed
from sts_emulator.scenario.shape import Shape


@dataclass(frozen=True, kw_only=True)
class Origin(Shape):
    """A ContextProvider: the claim or attribute that is the subject, its type or the claim of that, further claims."""

    subject: str = "sub"
    type: str = ""
    type_from: str = ""
    claims: Mapping[str, str] = field(default_factory=dict)  # claim by the name of its key

    def to_wire(self) -> Mapping[str, object]:
        """The member of IAM's operations."""
        definitions = [{"SourceKey": source, "TargetKey": target} for target, source in self.claims.items()]
        members = {
            "SubjectSourceKey": self.subject,
            "SubjectTypeValue": self.type,
            "SubjectTypeSourceKey": self.type_from,
            "KeyDefinitionList": definitions,
        }
        return {name: member for name, member in members.items() if member}


def set_origin(
    seed: Seed, operation: str, provider: Mapping[str, str], stored: Mapping[str, Any] | None, origin: Origin | None
) -> None:
    """Bring a provider's settings to what the scenario says; `provider` is the member that names it."""
    wanted = origin.to_wire() if origin else None
    settings = stored.get("propagation", {}) if stored else {}
    if wanted == settings.get("context"):
        return
    if wanted:
        seed.iam(operation, **provider, ContextProvider=wanted)
        return
    if "instance" in settings:
        seed.iam(operation, **provider, RemoveIdentityCenterInstance=True)
    seed.iam(operation, **provider, RemoveContextProvider=True)
