"""What the SDK for Go costs the server beside boto3: its requests come in two pieces, head and body."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

from tests.bench.servers import Running

FOLDER = Path(__file__).parents[1] / "clients" / "go"


def built() -> str:
    """The program that calls in a hurry, "" where Go is missing or cannot build it."""
    go = shutil.which("go")
    if go is None:
        return ""
    done = subprocess.run([go, "build", "-o", "hurried", "./hurry"], cwd=FOLDER, capture_output=True, check=False)
    return "" if done.returncode else str(FOLDER / "hurried")


def cpu_us(program: str, server: Running, keys: tuple[str, str, str | None], connections: int, calls: int) -> float:
    """The server's CPU time of a GetCallerIdentity from the SDK for Go, in microseconds."""
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": os.environ.get("HOME", "/"),
        "AWS_ACCESS_KEY_ID": keys[0],
        "AWS_SECRET_ACCESS_KEY": keys[1],
        "AWS_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{server.port}",
    }
    before = server.cpu_seconds()
    command = [program, str(connections), str(calls), "who"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    said = json.loads(done.stdout)
    if said["lost"]:
        raise SystemExit(f"the SDK for Go lost answers: {said['lost'][:3]}")
    return (server.cpu_seconds() - before) / said["calls"] * 1e6
