"""A short run of each fuzzer; longer ones: `python tests/fuzz/fuzz_one.py TARGET -max_total_time=300`."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest
from fuzz_targets import TARGETS

FUZZER = Path(__file__).parent / "fuzz_one.py"


@pytest.mark.parametrize("target", sorted(TARGETS))
def test_the_examples_are_read(target):
    for seed in TARGETS[target].seeds:
        TARGETS[target].read(seed)


@pytest.mark.clients
@pytest.mark.parametrize("target", sorted(TARGETS))
def test_whatever_comes_is_read_or_refused(target, tmp_path):
    if importlib.util.find_spec("atheris") is None:
        pytest.skip("no `atheris` here: pip install atheris")
    flags = ["-runs=3000", "-max_len=2048", "-seed=1", "-timeout=20", f"-artifact_prefix={tmp_path}/"]
    ended = subprocess.run(
        [sys.executable, str(FUZZER), target, *flags], capture_output=True, text=True, timeout=900, check=False
    )
    assert ended.returncode == 0, ended.stdout[-3000:] + ended.stderr[-3000:]
