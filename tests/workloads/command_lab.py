"""What these tests have in common: running `sts-emulator exec` against the shared server."""

from __future__ import annotations

import json
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from workload_lab import CALLER, Lab, clean_environment

EMULATOR = Path(sys.executable).parent / "sts-emulator"
WORKLOADS = Path(__file__).parents[1] / "methods" / "instance_profile" / "workloads.yaml"
WHO = [sys.executable, "-c", CALLER]


class CommandLab(Lab):
    """One world, and the command line."""

    def __init__(self, aws, url: str) -> None:
        super().__init__(aws)
        self.url = url

    def world_url(self) -> str:
        """The world at a port of its own, for clients that drop the path of an endpoint."""
        return self.aws._api("POST", "listeners", body={"kind": "world"})["url"]

    def command(self, name: str, *arguments: str) -> list[str]:
        parts = urlsplit(self.url)
        place = ["--host", str(parts.hostname), "--port", str(parts.port), "--world", self.aws.world]
        return [str(EMULATOR), name, *place, *arguments]

    def exec(self, *arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
        """Run `exec` to its end, in an environment that is wrong in every way that a real one may be."""
        given = {
            "environment": clean_environment(
                AWS_ACCESS_KEY_ID="AKIAFOREIGN",
                AWS_SECRET_ACCESS_KEY="foreign",
                AWS_SESSION_TOKEN="foreign",
                AWS_PROFILE="foreign",
                AWS_ENDPOINT_URL_STS="http://127.0.0.1:1",
                AWS_CA_BUNDLE="/nonexistent",
                HTTPS_PROXY="http://127.0.0.1:1",
            ),
            "prefix": [],
            **options,
        }
        return subprocess.run(
            [*given["prefix"], *self.command("exec", *arguments)],
            env=given["environment"],
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    def caller(self, *arguments: str, **options: Any) -> str:
        """Who an unmodified boto3 is inside `exec`."""
        done = self.exec(*arguments, "--", *WHO, **options)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)


@cache
def namespaces_forbidden() -> str:
    """Why no network namespace can be made; empty where it can."""
    if not sys.platform.startswith("linux"):
        return "not Linux"
    code = "from sts_emulator.network.namespace import enter, set_up; enter(); set_up()"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=120)
    return done.stderr.strip().rpartition("\n")[2] if done.returncode else ""
