"""A stage for SAML without a socket."""

from __future__ import annotations

import pytest
from saml_stage import Stage


@pytest.fixture
def stage() -> Stage:
    return Stage()
