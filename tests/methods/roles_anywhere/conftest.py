"""A lab PKI for all tests of this method, and a stage for each."""

from __future__ import annotations

from pathlib import Path

import pytest
from roles_anywhere_stage import Stage, make_certificates


@pytest.fixture(scope="session")
def folder(tmp_path_factory) -> Path:
    return make_certificates(tmp_path_factory.mktemp("certs"))


@pytest.fixture
def stage(aws, folder) -> Stage:
    return Stage.set(aws, folder)
