"""Microseconds that the wire takes of one signed AssumeRole: `python tests/bench/bench_wire.py`."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from sts_emulator.wire import dispatch, protocols, sigv4, validate
from sts_emulator.wire.http import Request

ROUNDS, CALLS = 9, 5_000
BODY = (
    "Action=AssumeRole&Version=2011-06-15&RoleArn=arn%3Aaws%3Aiam%3A%3A123456789012%3Arole%2Fdemo"
    "&RoleSessionName=my-session&DurationSeconds=900"
)
RESULT = {
    "AssumedRoleUser": {
        "AssumedRoleId": "AROAQNZGKIQYEXAMPLE:my-session",
        "Arn": "arn:aws:sts::123456789012:assumed-role/demo/my-session",
    },
    "Credentials": {
        "AccessKeyId": "ASIAQNZGKIQYEXAMPLE",
        "SecretAccessKey": "x" * 40,
        "SessionToken": "t" * 420,
        "Expiration": 1_795_464_000,
    },
}


def signed_headers() -> dict[str, str]:
    """Headers of the request as boto3 sends it."""
    request = AWSRequest(
        "POST",
        "http://localhost:9000/",
        data=BODY,
        headers={"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"},
    )
    SigV4Auth(Credentials("AKIAIOSFODNN7EXAMPLE", "secret"), "sts", "us-east-1").add_auth(request)
    return {"host": "localhost:9000", **{name.lower(): value for name, value in request.headers.items()}}


def microseconds(step: Callable[[], object]) -> float:
    """Median over rounds of the CPU time of one call."""
    rounds = []
    for _ in range(ROUNDS):
        started = time.process_time()
        for _ in range(CALLS):
            step()
        rounds.append((time.process_time() - started) / CALLS * 1e6)
    return statistics.median(rounds)


def main() -> None:
    """Print one line for each step, and their sum."""
    headers, body = signed_headers(), BODY.encode()

    def arrived() -> Request:
        return Request("POST", "/", "/", "", headers, body, "127.0.0.1", "http")

    request = arrived()
    service, operation = dispatch.match(request)
    params = protocols.parse(operation, request)
    signed = sigv4.read(request)
    assert signed is not None
    now = time.time()
    build = microseconds(arrived)
    steps: dict[str, Callable[[], object]] = {
        "match (form parsed)": lambda: dispatch.match(arrived()),
        "parse": lambda: protocols.parse(operation, request),
        "validate": lambda: validate.validate(operation, params),
        "read signature": lambda: sigv4.read(request),
        "check signature": lambda: sigv4.check(signed, now, service.signing_name),
        "verify signature": lambda: sigv4.verify(request, signed, "secret"),
        "render": lambda: protocols.render(operation, RESULT, "00000000-0000-4000-8000-000000000000"),
    }
    total = 0.0
    for name, step in steps.items():
        taken = microseconds(step) - (build if name.startswith("match") else 0)
        total += taken
        print(f"{name:<22}{taken:6.1f} us")
    print(f"{'together':<22}{total:6.1f} us")


if __name__ == "__main__":
    main()
