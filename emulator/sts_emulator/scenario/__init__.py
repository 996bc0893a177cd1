"""Scenarios: one YAML vocabulary for the server's seed, for policy tests and for labs."""

from sts_emulator.scenario.model import Scenario, parse, parse_file
from sts_emulator.scenario.problems import Problem, ScenarioError, Where
from sts_emulator.scenario.seed import apply

__all__ = ["Problem", "Scenario", "ScenarioError", "Where", "apply", "parse", "parse_file"]
