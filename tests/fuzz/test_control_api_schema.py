"""Whatever the control API's own description allows, and what it does not, it answers as described, and never fails inside."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.clients
def test_the_control_api_answers_as_it_says_and_never_fails_inside(serve, tmp_path):
    program = shutil.which("schemathesis", path=Path(sys.executable).parent)
    if program is None:
        pytest.skip("no `schemathesis` here: pip install schemathesis")
    checks = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance,unsupported_method"
    options = [f"--checks={checks}", "--max-examples=10", "--seed=1", "--request-timeout=60", "--no-color"]
    endless = ["--exclude-path-regex=stream$"]
    with serve(cwd=tmp_path) as (url, _):
        ended = subprocess.run(
            [program, "run", f"{url}/_emulator/openapi.json", *options, *endless],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=900,
            check=False,
        )
    assert ended.returncode == 0, ended.stdout[-6000:] + ended.stderr[-2000:]
