from __future__ import annotations

from collections.abc import Iterator

import pytest
from scenario_lab import Lab


@pytest.fixture
def lab() -> Iterator[Lab]:
    made = Lab()
    yield made
    made.server.worlds.store.close()
