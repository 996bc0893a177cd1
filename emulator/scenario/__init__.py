"""Scenarios: one YAML vocabulary for the server's seed, for policy tests and for labs."""

from emulator.scenario.model import Scenario, parse, parse_file
from emulator.scenario.problems import Problem, ScenarioError, Where
from emulator.scenario.seed import apply

__all__ = ["Problem", "Scenario", "ScenarioError", "Where", "apply", "parse", "parse_file"]
