"""docs/testing-other-languages.md: its Jest, Go and JUnit tests, run as they stand there."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from urllib.parse import urlsplit

import builds
import pytest

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
PAGE = (ROOT / "docs" / "testing-other-languages.md").read_text("utf-8")
SCENARIO = ROOT / "trust_policies" / "default.yaml"


def block(language: str) -> str:
    return re.search(rf"^```{language}\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)[1]


def run(folder: Path, port: int, *command: str, building: bool = False, **variables: str) -> str:
    if not shutil.which(command[0]):
        pytest.skip(f"no `{command[0]}` here")
    environment = {**os.environ, "EMULATOR_PORT": str(port), **variables}
    with builds.alone():  # tests by Maven download, too
        done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    told = done.stdout + done.stderr
    if building and done.returncode:
        pytest.skip(f"`{command[0]}` cannot build this here: {told.strip()[-300:]}")
    assert done.returncode == 0, told
    return told


@pytest.fixture
def port(serve):
    with serve("--scenario", str(SCENARIO)) as (url, _):
        yield urlsplit(url).port


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    shutil.copy(SCENARIO, tmp_path / "world.yaml")
    return tmp_path


def test_jest(folder: Path, port: int):
    dependencies = {"@aws-sdk/client-sts": "^3.900.0", "jest": "^30"}
    package = {"private": True, "type": "module", "dependencies": dependencies, "jest": {"testEnvironment": "node"}}
    (folder / "package.json").write_text(json.dumps(package))
    (folder / "trust.test.js").write_text(block("js"))
    run(folder, port, "npm", "install", "--no-audit", "--no-fund", "--silent", building=True)
    told = run(folder, port, "npx", "jest", NODE_OPTIONS="--experimental-vm-modules")
    assert "2 passed" in told


def test_go(folder: Path, port: int):
    for name in ("go.mod", "go.sum"):
        shutil.copy(HERE / "go" / name, folder)
    (folder / "trust_test.go").write_text(block("go"))
    run(folder, port, "go", "vet", ".", building=True)
    assert "--- PASS: TestWhoMayDeploy" in run(folder, port, "go", "test", "-v", "-count=1", ".")


def test_junit(folder: Path, port: int):
    pom = (HERE / "java" / "pom.xml").read_text("utf-8")
    junit = (
        "<dependency><groupId>org.junit.jupiter</groupId><artifactId>junit-jupiter</artifactId>"
        "<version>5.11.4</version><scope>test</scope></dependency></dependencies>"
    )
    surefire = (
        "<build><plugins><plugin><artifactId>maven-surefire-plugin</artifactId><version>3.5.2</version></plugin>"
        "</plugins></build></project>"
    )
    pom = pom.replace("</dependencies>", junit, 1)
    assert "<build>" not in pom
    (folder / "pom.xml").write_text(pom.replace("</project>", surefire))
    tests = folder / "src" / "test" / "java"
    tests.mkdir(parents=True)
    (tests / "TrustTest.java").write_text(block("java"))
    run(folder, port, "mvn", "-q", "-B", "test-compile", building=True)
    assert "Tests run: 1, Failures: 0, Errors: 0" in run(folder, port, "mvn", "-B", "test")
