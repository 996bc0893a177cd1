"""Managed login of a pool, its apps, and people before their browsers."""

from __future__ import annotations

import contextlib

import pytest
from managed_login_lab import SCENARIO, SECRET, App, Person


@pytest.fixture
def aws(emulator_server):
    with emulator_server.world(SCENARIO) as world:
        yield world


@pytest.fixture
def app(aws) -> App:
    """An app without a secret, in a browser."""
    return App(aws)


@pytest.fixture
def server_app(aws) -> App:
    """An app with a secret."""
    return App(aws, "server", SECRET)


@pytest.fixture
def person(aws):
    with contextlib.closing(Person(aws)) as somebody:
        yield somebody
