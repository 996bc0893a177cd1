"""The stage of tests/methods/roles_anywhere, for clients that are built here."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

# The stage and the TLS relay are those of the method's own tests.
sys.path.insert(0, str(Path(__file__).parents[2] / "methods" / "roles_anywhere"))

from roles_anywhere_stage import Stage, make_certificates


def pytest_configure(config):
    config.addinivalue_line("markers", "clients: drives a real client that has to be built or installed first")


@pytest.fixture(scope="session")
def folder(tmp_path_factory) -> Path:
    return make_certificates(tmp_path_factory.mktemp("certs"))


@pytest.fixture
def stage(aws, folder) -> Stage:
    return Stage.set(aws, folder)
