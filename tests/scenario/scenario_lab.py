"""A server in this process, without a socket, and what can be asked of it."""

from __future__ import annotations

import textwrap

import pytest

from sts_emulator.app import create_server
from sts_emulator.core.world import DEFAULT, World
from sts_emulator.scenario import Scenario, ScenarioError, apply, parse
from sts_emulator.settings import Settings
from sts_emulator.vending.context import Server

DEV = "111122223333"


def yaml(text: str) -> str:
    return textwrap.dedent(text).lstrip("\n")


def problems(text: str) -> list[str]:
    """What is wrong with a scenario, as it is told."""
    try:
        parse(yaml(text))
    except ScenarioError as error:
        return str(error).splitlines()
    return []


class Lab:
    """A server in this process with its default world, and what can be asked of it."""

    def __init__(self) -> None:
        self.server: Server = create_server(Settings())
        world = self.server.worlds.get(DEFAULT)
        assert world is not None
        self.world: World = world

    def load(self, text: str) -> Scenario:
        scenario = parse(yaml(text))
        apply(self.server, self.world, scenario)
        return scenario

    def refusal(self, text: str) -> str:
        with pytest.raises(ScenarioError) as caught:
            self.load(text)
        return str(caught.value)

    def get(self, kind: str, name: str, account: str = DEV) -> dict:
        thing = self.world.get(kind, f"{account}/{name}")
        assert thing is not None, f"no {kind} {name}"
        return dict(thing)
