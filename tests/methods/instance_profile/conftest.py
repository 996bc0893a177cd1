from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from workload_lab import Lab


@pytest.fixture
def lab(aws) -> Lab:
    return Lab(aws)
