"""Hooks in a scenario: where on this machine the Lambda functions are that its user pools name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field

from sts_emulator.accounts import trigger_hooks
from sts_emulator.policy.light_dataclass import dataclass
from sts_emulator.scenario.load import Node
from sts_emulator.scenario.problems import ScenarioError
from sts_emulator.scenario.seed import Section, Seed
from sts_emulator.scenario.shape import Reader, Shape


@dataclass(frozen=True, kw_only=True)
class Hooks(Shape):
    """URLs by ARN."""

    urls: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def read_node(cls, reader: Reader, node: Node) -> Hooks:
        return cls(urls=reader.read(Mapping[str, str], node) or {}, where=reader.where(node))


def _connect(seed: Seed, declared: Hooks) -> None:
    """Beside those that are there: what a scenario does not mention stays as it is."""
    for arn, url in declared.urls.items():
        wrong = trigger_hooks.fault(arn, url, seed.server.settings)
        if wrong:
            raise ScenarioError.at(declared.where.at(arn), wrong)
    wanted = {**trigger_hooks.hooks(seed.world), **declared.urls}
    if len(wanted) > trigger_hooks.MOST:
        raise ScenarioError.at(declared.where, f"more than {trigger_hooks.MOST} hooks")
    trigger_hooks.replace(seed.world, wanted)


SECTION = Section("hooks", Hooks, connect=_connect, scope="world")
