"""Scenarios: one YAML vocabulary for the server's seed, for policy tests and for labs."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sts_emulator.scenario.model import Scenario, parse, parse_file
    from sts_emulator.scenario.problems import Problem, ScenarioError, Where
    from sts_emulator.scenario.seed import apply

_MODULES = {
    **dict.fromkeys(("Scenario", "parse", "parse_file"), "model"),
    **dict.fromkeys(("Problem", "ScenarioError", "Where"), "problems"),
    "apply": "seed",
}

__all__ = ["Problem", "Scenario", "ScenarioError", "Where", "apply", "parse", "parse_file"]


def __getattr__(name: str) -> object:
    """Each is loaded when it is asked for: whoever wants only the errors, as `lint` does, needs no world."""
    if name in _MODULES:
        return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
