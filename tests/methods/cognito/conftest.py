"""Fixtures for identity pools."""

from __future__ import annotations

import pytest
from cognito_stage import Stage


@pytest.fixture
def stage(aws) -> Stage:
    return Stage(aws)


@pytest.fixture
def phone(stage) -> Stage:
    """The pool of a phone app: users of one user pool, and guests."""
    stage.create()
    stage.assign(authenticated=stage.role("user"), unauthenticated=stage.role("guest", "unauthenticated"))
    return stage
