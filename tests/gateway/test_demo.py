"""`make demo` goes as it is told: eight ways to get credentials, each used behind the door, each refused once."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

STORIES = Path(__file__).parents[2] / "examples" / "demo" / "stories.py"


@pytest.mark.clients
def test_every_story_goes_as_it_is_told(tmp_path):
    done = subprocess.run([sys.executable, STORIES], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-4000:]
    assert done.stdout.count("DENIED because nothing allows it (identity policies)") == 8
    assert done.stdout.endswith("all of it went as told\n")
