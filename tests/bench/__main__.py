"""`python -m tests.bench [--quick]`: what the emulator costs, as ratios against moto's server and a bare ASGI app.

Absolute figures say more about the machine than about the program; the ratios of one run, taken in turns, do not.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass

from tests.bench import load
from tests.bench.servers import Running, running

ALICE = ("AKIARTX3GSDSBBBBBBBB", "bench-alice-secret", None)
RELEASE = {"RoleArn": "arn:aws:iam::444455556666:role/release", "RoleSessionName": "s-{n}", "ExternalId": "xyz"}
DEPLOY = "arn:aws:iam::111122223333:role/github-deploy"
CONNECTIONS = 8


@dataclass
class Row:
    """One line of the table: what was measured, the value, and what it should be."""

    name: str
    value: float
    target: str
    good: bool

    def __str__(self) -> str:
        return f"  {'✓' if self.good else '✗'} {self.name:<58} {self.value:>9.2f}   {self.target}"


def at_least(name: str, value: float, target: float, stretch: float | None = None) -> Row:
    told = f"at least {target}" + (f" (stretch {stretch})" if stretch else "")
    return Row(name, value, told, value >= target)


def at_most(name: str, value: float, target: float, stretch: float | None = None) -> Row:
    told = f"at most {target}" + (f" (stretch {stretch})" if stretch else "")
    return Row(name, value, told, value <= target)


# -- throughput ---------------------------------------------------------------------------------------------------


def best(server: Running, requests: list[bytes], seconds: float, rounds: int) -> load.Result:
    """The round with the least server CPU: what is left of the others is somebody else's noise."""
    load.drive(server, requests, CONNECTIONS, 0.3)
    return min((load.drive(server, requests, CONNECTIONS, seconds) for _ in range(rounds)), key=lambda r: r.cpu_us)


def throughput(seconds: float, rounds: int) -> list[Row]:
    found: dict[tuple[str, str], load.Result] = {}
    with running("ours") as ours, running("moto") as moto, running("bare") as bare:
        for server in (ours, moto, bare):
            requests = {
                "AssumeRole": load.signed(server.port, "assume_role", ALICE, **RELEASE),
                "GetCallerIdentity": load.signed(server.port, "get_caller_identity", ALICE),
                "AssumeRoleWithWebIdentity": load.signed(
                    server.port,
                    "assume_role_with_web_identity",
                    ALICE,
                    RoleArn=DEPLOY,
                    RoleSessionName="s-{n}",
                    WebIdentityToken=token(ours),
                ),
            }
            for operation, given in requests.items():
                result = found[server.name, operation] = best(server, given, seconds, rounds)
                say(
                    f"{server.name:<5} {operation:<27} {result.cpu_us:7.0f} us CPU  {result.rps:8.0f}/s  "
                    f"p99 {result.p99_ms:6.2f} ms  {result.errors} errors"
                )
    cost = {key: result.cpu_us for key, result in found.items()}
    role, who, web = "AssumeRole", "GetCallerIdentity", "AssumeRoleWithWebIdentity"
    return [
        at_least("AssumeRole, times moto", cost["moto", role] / cost["ours", role], 10, 16),
        at_least("AssumeRole, of the bare ASGI app", cost["bare", role] / cost["ours", role], 0.16, 0.25),
        at_least("GetCallerIdentity, times moto", cost["moto", who] / cost["ours", who], 14, 22),
        at_least("GetCallerIdentity, of the bare ASGI app", cost["bare", who] / cost["ours", who], 0.30, 0.45),
        at_least("AssumeRoleWithWebIdentity, times moto", cost["moto", web] / cost["ours", web], 6, 8),
        at_most("p99 of AssumeRole, of moto's", found["ours", role].p99_ms / found["moto", role].p99_ms, 0.12),
    ]


def token(server: Running) -> str:
    """A GitHub-shaped token of the lab issuer, good for the benchmark's role."""
    url = f"http://127.0.0.1:{server.port}/issuers/github/token"
    body = json.dumps({"repo": "acme/shop", "ref": "refs/heads/main"}).encode()
    request = urllib.request.Request(url, body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request) as answer:
        return json.load(answer)["token"]


# -- growth -------------------------------------------------------------------------------------------------------


def growth(roles: int, sessions: int, seconds: float) -> list[Row]:
    with running("ours") as server:
        requests = load.signed(server.port, "assume_role", ALICE, **RELEASE)
        empty = best(server, requests, seconds, 3)
        before = server.resident_mib()
        issued = load.drive(server, requests, CONNECTIONS, 600, limit=sessions)
        kept = (server.resident_mib() - before) * (1 << 20) / sessions
        after = best(server, requests, seconds, 3)
        say(f"{sessions} sessions: worst {issued.worst_ms:.1f} ms, {kept:.1f} bytes each")
    with running("ours") as server:
        plant(server, roles)
        crowded = best(server, load.signed(server.port, "assume_role", ALICE, **RELEASE), seconds, 3)
    return [
        at_most(f"cost after {sessions} sessions, of the cost before", after.cpu_us / empty.cpu_us, 1.2),
        at_most(f"cost with {roles} roles, of the cost without", crowded.cpu_us / empty.cpu_us, 1.2),
        at_most("bytes kept for a session", max(0.0, kept), 32),
        at_most(f"worst request while {sessions} sessions are issued, ms", issued.worst_ms, 15),
    ]


def plant(server: Running, count: int) -> None:
    """Many roles in many accounts, through the control API."""
    trust = "[{Effect: Allow, Principal: {AWS: '111122223333'}, Action: sts:AssumeRole}]"
    for start in range(0, count, 1000):
        account = f"{900000000000 + start}"
        lines = [f"      role-{number}: {{trust: {trust}}}\n" for number in range(1000)]
        text = f'accounts:\n  "{account}":\n    roles:\n{"".join(lines)}'
        url = f"http://127.0.0.1:{server.port}/_emulator/api/worlds/default/scenario"
        urllib.request.urlopen(urllib.request.Request(url, text.encode(), {"Content-Type": "text/yaml"})).close()


# -- start --------------------------------------------------------------------------------------------------------


def first_answer(name: str) -> tuple[float, float]:
    """CPU seconds and resident MiB from process start to the first signed answer."""
    with running(name, cpu=None) as server:
        (request,) = load.signed(server.port, "assume_role", ALICE, count=1, **RELEASE)
        load.drive(server, [request], 1, 5, limit=1)
        return server.cpu_seconds(), server.resident_mib()


def start(rounds: int) -> list[Row]:
    ours, moto = ([first_answer(name) for _ in range(rounds)] for name in ("ours", "moto"))
    cpu = [statistics.median(each[0] for each in runs) for runs in (ours, moto)]
    memory = [statistics.median(each[1] for each in runs) for runs in (ours, moto)]
    say(f"start: CPU {cpu[0]:.2f} s (moto {cpu[1]:.2f}), memory {memory[0]:.0f} MiB (moto {memory[1]:.0f})")
    return [
        at_most("CPU from start to the first signed answer, of moto's", cpu[0] / cpu[1], 0.45, 0.33),
        at_most("memory at the first signed answer, of moto's", memory[0] / memory[1], 0.65),
    ]


# -- decisions ----------------------------------------------------------------------------------------------------


def decisions() -> list[Row]:
    from emulator.policy.document import parse
    from emulator.policy.engine import Principal, Request, evaluate

    host = "token.actions.githubusercontent.com"
    provider = f"arn:aws:iam::111122223333:oidc-provider/{host}"
    statement = {
        "Effect": "Allow",
        "Principal": {"Federated": provider},
        "Action": "sts:AssumeRoleWithWebIdentity",
        "Condition": {
            "StringEquals": {f"{host}:aud": "sts.amazonaws.com"},
            "StringLike": {f"{host}:sub": "repo:acme/shop:*"},
        },
    }
    trust = parse(json.dumps({"Version": "2012-10-17", "Statement": [statement]}))
    keys = {f"{host}:aud": ("sts.amazonaws.com",), f"{host}:sub": ("repo:acme/shop:ref:refs/heads/main",)}
    role = "arn:aws:iam::111122223333:role/github-deploy"
    request = Request("sts:AssumeRoleWithWebIdentity", role, Principal("oidc", provider, "111122223333"), keys)
    assert evaluate(trust, request)[0] == "allow"
    return [at_most("us for a decision on a GitHub trust policy", timed(lambda: evaluate(trust, request)), 3)]


def timed(call: Callable[[], object], count: int = 20_000) -> float:
    """The least mean CPU time of a call over some rounds, in microseconds."""
    rounds = []
    for _ in range(7):
        begun = time.process_time()
        for _ in range(count):
            call()
        rounds.append((time.process_time() - begun) / count * 1e6)
    return min(rounds)


def say(text: str) -> None:
    print(f"    {text}", flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer and shorter rounds: a first impression")
    quick = parser.parse_args().quick
    print("measuring; nothing else should be running")
    rows = throughput(*((1.0, 2) if quick else (3.0, 5)))
    rows += growth(*((2_000, 20_000, 1.0) if quick else (10_000, 100_000, 2.0)))
    rows += start(3 if quick else 9)
    rows += decisions()
    print("\n".join(["", *map(str, rows)]))
    return 0 if all(row.good for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
