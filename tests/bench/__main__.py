"""`python -m tests.bench [--quick] [--before TREE]`: what the emulator costs, as ratios against moto's server and a bare ASGI app.

Absolute figures say more about the machine than about the program; the ratios of one run, taken in turns, do not.
docs/performance.md tells how to read the table.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import sysconfig
import tempfile
import time
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import botocore.session
from botocore import UNSIGNED
from botocore.config import Config

from tests import clusters
from tests.bench import door, go_sdk, load, worst
from tests.bench.people import People
from tests.bench.servers import Running, environment, post, running

ALICE = ("AKIARTX3GSDSBBBBBBBB", "bench-alice-secret", None)
RELEASE = {"RoleArn": "arn:aws:iam::444455556666:role/release", "RoleSessionName": "s-{n}", "ExternalId": "xyz"}
DEPLOY = "arn:aws:iam::111122223333:role/github-deploy"
CONNECTIONS = 8
BUSY = 32  # clients of each process that shares a state

ASSUME_ROLE, WHO, WEB_IDENTITY = "AssumeRole", "GetCallerIdentity", "AssumeRoleWithWebIdentity"
METHODS = {
    WHO: "get_caller_identity",  # first: with every session that moto issues, it answers this one more slowly
    ASSUME_ROLE: "assume_role",
    WEB_IDENTITY: "assume_role_with_web_identity",
}


@dataclass
class Row:
    """One line of the table: what was measured, the value, and what it should be."""

    name: str
    value: float
    target: str
    good: bool

    def __str__(self) -> str:
        return f"  {'✓' if self.good else '✗'} {self.name:<58} {self.value:>9.3f}   {self.target}"


def at_least(name: str, value: float, target: float, stretch: float | None = None) -> Row:
    told = f"at least {target}" + (f" (stretch {stretch})" if stretch else "")
    return Row(name, value, told, value >= target)


def at_most(name: str, value: float, target: float, stretch: float | None = None) -> Row:
    told = f"at most {target}" + (f" (stretch {stretch})" if stretch else "")
    return Row(name, value, told, value <= target)


# -- throughput ---------------------------------------------------------------------------------------------------


def throughput(seconds: float, rounds: int, before: str) -> list[Row]:
    with contextlib.ExitStack() as servers:
        names = ["ours", "state", "moto", "bare", *([before] if before else [])]
        ours, state, moto, *others = [servers.enter_context(running(name)) for name in names]
        calls = {server: own_calls(server) for server in (ours, state, *others[1:])}
        calls[moto] = furnish(moto, calls[ours][WEB_IDENTITY]["WebIdentityToken"])
        calls[others[0]] = calls[ours]  # the bare app answers anything
        results = {
            (server.name, operation): result
            for operation, method in METHODS.items()
            for server, result in in_turns(
                {
                    server: load.signed(server.port, method, ALICE, **given[operation])
                    for server, given in calls.items()
                },
                seconds,
                rounds,
            ).items()
        }
        singles = one_by_one({server: calls[server] for server in (ours, *others[1:])}, seconds, rounds)
        p99 = tail(ours, calls[ours], seconds, rounds) / tail(moto, calls[moto], seconds, rounds)
    for (name, operation), result in results.items():
        say(
            f"{operation:<26} {Path(name).name:<6} {result.cpu_us:7.1f} us CPU  {result.rps:7.0f}/s  "
            f"p50 {result.p50_ms:5.2f}  p99 {result.p99_ms:5.2f} ms  {result.errors} errors"
        )

    def cost(name: str, operation: str) -> float:
        return results[name, operation].cpu_us / results["ours", operation].cpu_us

    rows = [
        at_least("AssumeRole, times moto", cost("moto", ASSUME_ROLE), 10, 16),
        at_least("AssumeRole, of the bare ASGI app", cost("bare", ASSUME_ROLE), 0.16, 0.25),
        at_least("GetCallerIdentity, times moto", cost("moto", WHO), 14, 22),
        at_least("GetCallerIdentity, of the bare ASGI app", cost("bare", WHO), 0.30, 0.45),
        at_least("AssumeRoleWithWebIdentity (RS256), times moto", cost("moto", WEB_IDENTITY), 6, 8),
        at_most("AssumeRole with --state, of memory", cost("state", ASSUME_ROLE), 1.7),
        at_most("p99 of AssumeRole, of moto's", p99, 0.12),
    ]
    if before:
        rows += [at_most(f"{operation}, of before", 1 / cost(before, operation), 1.05) for operation in METHODS]
        rows += [
            at_most(f"{operation} over one connection, of before", cost, 1.05)
            for operation, cost in zip((WHO, ASSUME_ROLE), singles, strict=True)
        ]
    return rows


def own_calls(server: Running) -> dict[str, dict[str, str | list[str]]]:
    """The calls of a server of ours; its tokens are of its own issuer."""
    return {ASSUME_ROLE: RELEASE, WHO: {}, WEB_IDENTITY: web_identity(DEPLOY, distinct_tokens(server))}


def one_by_one(
    calls: Mapping[Running, Mapping[str, Mapping[str, str | list[str]]]], seconds: float, rounds: int
) -> list[float]:
    """GetCallerIdentity and AssumeRole as most SDK users make them, one after the other: the first server's, of the last's."""
    ratios = []
    for operation in (WHO, ASSUME_ROLE):
        requests = {
            server: load.signed(server.port, METHODS[operation], ALICE, **given[operation])
            for server, given in calls.items()
        }
        first, *_, last = in_turns(requests, seconds, rounds, connections=1).values()
        ratios.append(first.cpu_us / last.cpu_us)
    return ratios


def in_turns(
    requests: Mapping[Running, list[bytes]],
    seconds: float,
    rounds: int,
    connections: int | Mapping[Running, int] = CONNECTIONS,
) -> dict[Running, load.Result]:
    """The best of each server's rounds, figure by figure: what is more in the others is somebody else's noise."""
    clients = connections if isinstance(connections, Mapping) else dict.fromkeys(requests, connections)
    for server, given in requests.items():
        load.drive(server, given, clients[server], 0.5)
    taken: dict[Running, list[load.Result]] = {server: [] for server in requests}
    for _ in range(rounds):
        for server, given in requests.items():
            taken[server].append(load.drive(server, given, clients[server], seconds))
    return {server: load.best(results) for server, results in taken.items()}


def tail(server: Running, calls: Mapping[str, Mapping[str, str | list[str]]], seconds: float, rounds: int) -> float:
    """p99 of AssumeRole in ms, without what other processes add to it (of moto, without what they add to its main thread)."""
    requests = load.signed(server.port, METHODS[ASSUME_ROLE], ALICE, **calls[ASSUME_ROLE])
    return min(load.drive(server, requests, CONNECTIONS, seconds, undisturbed=True).p99_ms for _ in range(rounds))


def web_identity(role: str, tokens: list[str]) -> dict[str, str | list[str]]:
    return {"RoleArn": role, "RoleSessionName": "s-{n}", "WebIdentityToken": tokens}


def distinct_tokens(server: Running) -> list[str]:
    """GitHub-shaped tokens of the lab issuer, good for the benchmark's role: a job shows each of them once."""
    url = f"http://127.0.0.1:{server.port}/issuers/github/token"
    body = json.dumps({"repo": "acme/shop", "ref": "refs/heads/main"}).encode()
    tokens = []
    for _ in range(load.DISTINCT):
        request = urllib.request.Request(url, body, {"Content-Type": "application/json"})
        with urllib.request.urlopen(request) as answer:
            tokens.append(json.load(answer)["token"])
    return tokens


def furnish(moto: Running, tokens: list[str]) -> dict[str, dict[str, str | list[str]]]:
    """Give moto a role of its own, so that it finds what it is asked for; the calls on it."""
    session = botocore.session.get_session()
    session.set_credentials(*ALICE)
    iam = session.create_client("iam", region_name="us-east-1", endpoint_url=f"http://127.0.0.1:{moto.port}")
    trust = {"Statement": [{"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}]}
    role = iam.create_role(RoleName="release", AssumeRolePolicyDocument=json.dumps(trust))["Role"]["Arn"]
    return {ASSUME_ROLE: {**RELEASE, "RoleArn": role}, WHO: {}, WEB_IDENTITY: web_identity(role, tokens)}


# -- shared states --------------------------------------------------------------------------------------------------


def shared_states(seconds: float, rounds: int) -> list[Row]:
    """A file and a database against memory, two replicas and two workers against one: by CPU time and by rate.

    Each process has as many clients: what it can do shows when it is busy, and calls of one turn share a commit. Where
    there are few cores, the processes, the database and the load generator take them from each other: then only CPU time
    tells what two processes could do on cores of their own.
    """
    bin_dir = clusters.programs()
    with contextlib.ExitStack() as stack:
        servers = {name: stack.enter_context(running(name, cpu=None)) for name in ("ours", "state", "workers")}
        if bin_dir is None:
            say("no PostgreSQL here: its rows are left out")
        else:
            address = stack.enter_context(clusters.cluster(bin_dir, is_durable=True)).database()
            replicas = [stack.enter_context(running(address, cpu=None)) for _ in range(2)]
            servers["postgres"] = replicas[0]
            servers["replicas"] = Running("replicas", replicas[0].process, replicas[0].port, (replicas[1],))
        pairs = [name for name in ("workers", "replicas") if name in servers]
        servers |= {f"{name}, {BUSY} clients in all": replace(servers[name]) for name in pairs}
        clients = {server: BUSY * (2 if name in pairs else 1) for name, server in servers.items()}
        requests = load.signed(servers["ours"].port, METHODS[ASSUME_ROLE], ALICE, **RELEASE)
        taken = in_turns(dict.fromkeys(servers.values(), requests), seconds, rounds, clients)
    results = {name: taken[server] for name, server in servers.items()}
    for name, result in results.items():
        say(f"{name:<28} {result.cpu_us:7.1f} us CPU  {result.rps:7.0f}/s  {result.errors} errors")
    compared = [
        ("a file, of memory", "state", "ours", 1, 0.6, 2),
        ("two workers, of one", "workers", "state", 2, 1.7, 3),
    ]
    if bin_dir is not None:
        compared.append(("PostgreSQL, of memory", "postgres", "ours", 1, 0.35, 3))
        compared.append(("two replicas, of one", "replicas", "postgres", 2, 1.8, 4))
    rows = []
    for told, name, other, processes, target, cores in compared:
        rows.append(at_least(f"{told}: by CPU time", processes * results[other].cpu_us / results[name].cpu_us, target))
        if (os.cpu_count() or 1) >= cores:
            rows.append(at_least(f"{told}: by rate here", results[name].rps / results[other].rps, target))
    return rows


# -- another SDK ---------------------------------------------------------------------------------------------------


def other_sdk(seconds: float, rounds: int) -> list[Row]:
    """GetCallerIdentity from the SDK for Go, against the same from boto3."""
    program = go_sdk.built()
    if not program:
        say("the SDK for Go: no `go` here, or it cannot build tests/clients/go")
        return []
    with running("ours") as ours:
        requests = load.signed(ours.port, METHODS[WHO], ALICE)
        boto3 = in_turns({ours: requests}, seconds, rounds)[ours].cpu_us
        go = min(go_sdk.cpu_us(program, ours, ALICE, CONNECTIONS, 5_000) for _ in range(rounds))
    say(f"GetCallerIdentity: {go:.1f} us CPU from the SDK for Go, {boto3:.1f} from boto3")
    return [at_most("GetCallerIdentity from the SDK for Go, of boto3's", go / boto3, 1.5)]


# -- identity pools ------------------------------------------------------------------------------------------------


def identity_pools(seconds: float, rounds: int) -> list[Row]:
    """GetCredentialsForIdentity of users with distinct tokens, against AssumeRole."""
    with running("ours") as ours:
        pool = furnish_pool(ours)
        calls = {"Logins": [{"token.actions.githubusercontent.com": token} for token in distinct_tokens(ours)]}
        identity = unsigned(ours.port).get_id(IdentityPoolId=pool, Logins=calls["Logins"][0])["IdentityId"]
        requests = [plain(ours.port, {"IdentityId": identity, "Logins": logins}) for logins in calls["Logins"]]
        given = in_turns({ours: requests}, seconds, rounds)[ours].cpu_us
        assumed = load.signed(ours.port, METHODS[ASSUME_ROLE], ALICE, **RELEASE)
        cost = in_turns({ours: assumed}, seconds, rounds)[ours].cpu_us
    say(f"GetCredentialsForIdentity: {given:.1f} us CPU, AssumeRole {cost:.1f}")
    return [at_most("GetCredentialsForIdentity, of AssumeRole", given / cost, 3)]


def furnish_pool(server: Running) -> str:
    """An identity pool for the benchmark's issuer, with a role; its id."""
    session = botocore.session.get_session()
    session.set_credentials("AKIARTX3GSDSAAAAAAAA", "bench-root-secret")
    options = {"region_name": "us-east-1", "endpoint_url": f"http://127.0.0.1:{server.port}"}
    cognito, iam = session.create_client("cognito-identity", **options), session.create_client("iam", **options)
    issuer = DEPLOY.replace("role/github-deploy", "oidc-provider/token.actions.githubusercontent.com")
    pool = cognito.create_identity_pool(
        IdentityPoolName="bench", AllowUnauthenticatedIdentities=False, OpenIdConnectProviderARNs=[issuer]
    )["IdentityPoolId"]
    trust = {
        "Effect": "Allow",
        "Principal": {"Federated": "cognito-identity.amazonaws.com"},
        "Action": "sts:AssumeRoleWithWebIdentity",
        "Condition": {
            "StringEquals": {"cognito-identity.amazonaws.com:aud": pool},
            "ForAnyValue:StringLike": {"cognito-identity.amazonaws.com:amr": "authenticated"},
        },
    }
    document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    role = iam.create_role(RoleName="phone", AssumeRolePolicyDocument=document)["Role"]["Arn"]
    cognito.set_identity_pool_roles(IdentityPoolId=pool, Roles={"authenticated": role})
    return pool


def unsigned(port: int):
    config = Config(signature_version=UNSIGNED)
    return botocore.session.get_session().create_client(
        "cognito-identity", region_name="us-east-1", endpoint_url=f"http://127.0.0.1:{port}", config=config
    )


def plain(port: int, parameters: Mapping[str, object]) -> bytes:
    """A GetCredentialsForIdentity as clients send it, who do not sign."""
    body = json.dumps(parameters).encode()
    head = (
        f"POST / HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nX-Amz-Target: AWSCognitoIdentityService.GetCredentialsForIdentity\r\n"
        f"Content-Type: application/x-amz-json-1.1\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


# -- user pools ----------------------------------------------------------------------------------------------------


def user_pools(rounds: int) -> list[Row]:
    """Whole SRP sign-ins by pycognito, its password verified: the server's CPU alone, all its threads."""
    import boto3
    from pycognito.aws_srp import AWSSRP

    with running("ours", cpu=None) as ours:
        session = boto3.Session("AKIARTX3GSDSAAAAAAAA", "bench-root-secret", region_name="us-east-1")
        pools = session.client("cognito-idp", endpoint_url=f"http://127.0.0.1:{ours.port}")
        pool = pools.create_user_pool(PoolName="bench")["UserPool"]["Id"]
        flows = ["ALLOW_USER_SRP_AUTH", "ALLOW_REFRESH_TOKEN_AUTH"]
        client = pools.create_user_pool_client(UserPoolId=pool, ClientName="app", ExplicitAuthFlows=flows)
        pools.admin_create_user(UserPoolId=pool, Username="ada", MessageAction="SUPPRESS")
        pools.admin_set_user_password(UserPoolId=pool, Username="ada", Password="Password-1", Permanent=True)
        taken = []
        for _ in range(rounds + 1):  # the first loads what the others find loaded
            begun = ours.cpu_seconds()
            AWSSRP("ada", "Password-1", pool, client["UserPoolClient"]["ClientId"], client=pools).authenticate_user()
            taken.append((ours.cpu_seconds() - begun) * 1e3)
    cost = statistics.median(taken[1:])
    say(f"SRP sign-in: {cost:.1f} ms CPU")
    return [at_most("ms CPU for an SRP sign-in", cost, 25)]


# -- Identity Center ------------------------------------------------------------------------------------------------


def people(seconds: float, rounds: int) -> list[Row]:
    """Whole device sign-ins by script, the server's CPU alone; and GetRoleCredentials against AssumeRole."""
    with running("ours") as ours:
        signing_in = People(ours)
        tokens = [signing_in.sign_in() for _ in range(20)]  # the first loads what the others find loaded
        begun = ours.cpu_seconds()
        for _ in range(50 * rounds):
            signing_in.sign_in()
        whole = (ours.cpu_seconds() - begun) / (50 * rounds) * 1e3
        requests = [signing_in.credentials(token) for token in tokens]
        assumed = load.signed(ours.port, METHODS[ASSUME_ROLE], ALICE, **RELEASE)
        ratios = []
        for _ in range(rounds):  # in turns, so that a neighbour disturbs both
            given = in_turns({ours: requests}, seconds, 1)[ours].cpu_us
            ratios.append(given / in_turns({ours: assumed}, seconds, 1)[ours].cpu_us)
    say(f"device sign-in: {whole:.2f} ms CPU; GetRoleCredentials, of AssumeRole: {[round(r, 2) for r in ratios]}")
    return [
        at_most("ms CPU for a device sign-in by script", whole, 10),
        at_most("GetRoleCredentials, of AssumeRole", statistics.median(ratios), 1.3),
    ]


# -- the door -----------------------------------------------------------------------------------------------------


def the_door(seconds: float, rounds: int) -> list[Row]:
    """GetObject of 1 KiB through the door: our CPU, against AssumeRole's and against moto's own for a GetObject.

    Against AssumeRole the upstream must cost nothing: behind one that is slower than the door, the door sleeps after each
    call and wakes with cold caches.
    """
    rows = []
    if door.MISSING:
        say(f"GetObject of 1 KiB through the door, of AssumeRole: skipped, {door.MISSING}")
    else:
        with door.fixed_upstream() as upstream, running(upstream) as ours:
            rows = [through_the_door(ours, connections, seconds, rounds) for connections in (CONNECTIONS, 1)]
    with running("moto") as moto, running(f"http://127.0.0.1:{moto.port}") as ours:
        door.put_object(ours)
        through, behind = [door.get_object(ours)], [door.get_object(moto)]
        parts = [
            flawless(ours, through, CONNECTIONS, seconds) / flawless(moto, behind, CONNECTIONS, seconds)
            for _ in range(rounds)
        ]
    return [
        *rows,
        at_most("GetObject through the door, our CPU of the upstream's (moto)", statistics.median(parts), 0.25),
    ]


def through_the_door(ours: Running, connections: int, seconds: float, rounds: int) -> Row:
    """What a GetObject costs, of AssumeRole: in turns, so that a neighbour disturbs both."""
    through = [door.get_object(ours)]
    assumed = load.signed(ours.port, METHODS[ASSUME_ROLE], ALICE, **RELEASE)
    for requests in (through, assumed):
        load.drive(ours, requests, connections, seconds)
    taken = [[flawless(ours, requests, connections, seconds) for requests in (through, assumed)] for _ in range(rounds)]
    passed, other = (min(slices) for slices in zip(*taken, strict=True))
    say(f"GetObject of 1 KiB through the door, {connections} at once: {passed:.1f} us CPU; AssumeRole {other:.1f}")
    name = f"GetObject through the door, of AssumeRole ({connections} at once)"
    return at_most(name, statistics.median(cost / of_role for cost, of_role in taken), 1.5)


def flawless(server: Running, requests: list[bytes], connections: int, seconds: float) -> float:
    """A server's CPU time a request in one slice, in which no request may fail."""
    result = load.drive(server, requests, connections, seconds)
    assert not result.errors, f"{server.name}: {result.errors} requests failed"
    return result.cpu_us


# -- growth -------------------------------------------------------------------------------------------------------


def growth(roles: int, worlds: int, sessions: int, seconds: float) -> list[Row]:
    new_worlds = sessions // 2_000
    with running("ours", measured=True) as filling:
        filled = worst.in_new_worlds(filling, new_worlds, ALICE, RELEASE)
    ours = partial(running, "ours", measured=True)
    with ours() as empty, ours() as crowded, running("bare", measured=True) as bare:
        plant(crowded, roles)
        for number in range(worlds):
            post(crowded, "", {"name": f"world-{number}"})
        requests = {server: load.signed(server.port, "assume_role", ALICE, **RELEASE) for server in (empty, crowded)}
        cost = {server: result.cpu_us for server, result in in_turns(requests, seconds, 4).items()}
        before = empty.resident_mib()
        own, control = worst.in_turns(empty, bare, requests[empty], sessions)
        kept = (empty.resident_mib() - before) * (1 << 20) / sessions
        after = in_turns({empty: requests[empty]}, seconds, 4)[empty].cpu_us
    say(
        f"AssumeRole: {cost[empty]:.1f} us, {cost[crowded]:.1f} with {roles} roles and {worlds} worlds, "
        f"{after:.1f} after {sessions} sessions"
    )
    say(
        f"ms for the worst request and most CPU for 8 calls in a row: {own.waited:.2f} and {own.took:.2f}, of the bare app "
        f"in turns with it {control.waited:.2f} and {control.took:.2f}, "
        f"in {new_worlds} new worlds {filled.waited:.2f} and {filled.took:.2f}"
    )
    return [
        at_most(f"cost with {roles} roles and {worlds} worlds, of without", cost[crowded] / cost[empty], 1.05),
        at_most(f"cost after {sessions} sessions, of the cost before", after / cost[empty], 1.2),
        at_most("bytes kept for a session", max(0.0, kept), 32),
        at_most(f"worst request while {sessions} sessions are issued, ms", own.waited, 3),
    ]


def plant(server: Running, count: int) -> None:
    """Many roles in many accounts, through the control API."""
    trust = "[{Effect: Allow, Principal: {AWS: '111122223333'}, Action: sts:AssumeRole}]"
    for start in range(0, count, 1000):
        lines = [f"      role-{number}: {{trust: {trust}}}\n" for number in range(1000)]
        text = f'accounts:\n  "{900000000000 + start}":\n    roles:\n{"".join(lines)}'
        post(server, "/default/scenario", text)


# -- start --------------------------------------------------------------------------------------------------------


def start(rounds: int, before: str) -> list[Row]:
    names = ["ours", "moto", *([before] if before else [])]
    for name in names:  # its first start compiles it, as an installation does
        first_answer(name)
    taken = [[first_answer(name) for name in names] for _ in range(rounds)]
    (cpu, memory), (moto_cpu, moto_memory), *others = (
        [statistics.median(figures) for figures in zip(*runs, strict=True)] for runs in zip(*taken, strict=True)
    )
    say(f"start: CPU {cpu * 1e3:.0f} ms (moto {moto_cpu * 1e3:.0f}), memory {memory:.0f} MiB (moto {moto_memory:.0f})")
    return [
        at_most("CPU from start to the first signed answer, of moto's", cpu / moto_cpu, 0.45, 0.33),
        at_most("memory at the first signed answer, of moto's", memory / moto_memory, 0.65),
        *(
            at_most("CPU from start to the first signed answer, of before", cpu / other_cpu, 0.9)
            for other_cpu, _ in others
        ),
    ]


def first_answer(name: str) -> tuple[float, float]:
    """CPU seconds and resident MiB from process start to the first signed answer."""
    with running(name, cpu=None) as server:
        (request,) = load.signed(server.port, "assume_role", ALICE, count=1, **RELEASE)
        load.drive(server, [request], 1, 5, limit=1)
        return server.cpu_seconds(), server.resident_mib()


# -- lint ---------------------------------------------------------------------------------------------------------


def linting(rounds: int) -> list[Row]:
    """What a commit waits for: one file, and 200 of them, against a Python that loads what every command needs."""
    nothing = [sys.executable, "-c", "import argparse, dataclasses, json, pathlib, re"]
    program = [sys.executable, "-m", "sts_emulator", "lint", "-q"]
    with tempfile.TemporaryDirectory() as folder:
        policies = [str(policy_file(Path(folder), number)) for number in range(200)]
        scenario = str(Path(__file__).parents[2] / "trust_policies" / "default.yaml")
        commands = {
            "nothing": nothing,
            "policy": [*program, policies[0]],
            "scenario": [*program, scenario],
            "200": [*program, *policies],
        }
        taken = [{name: child_cpu(command) for name, command in commands.items()} for _ in range(rounds)]
    cost = {name: min(run[name] for run in taken) for name in commands}  # the first run compiles, too
    say("CPU " + ", ".join(f"{name} {seconds * 1e3:.0f} ms" for name, seconds in cost.items()))
    return [
        at_most("lint of a policy, of a Python that does nothing", cost["policy"] / cost["nothing"], 4),
        at_most("lint of a scenario, of a Python that does nothing", cost["scenario"] / cost["nothing"], 6),
        at_most("lint of 200 policies, of one", cost["200"] / cost["policy"], 5),
    ]


def policy_file(folder: Path, number: int) -> Path:
    """A trust policy of its own."""
    statement = {
        "Effect": "Allow",
        "Principal": {"AWS": f"arn:aws:iam::{444455550000 + number}:root"},
        "Action": "sts:AssumeRole",
        "Condition": {"StringEquals": {"sts:ExternalId": f"customer-{number}"}},
    }
    path = folder / f"trust-{number}.json"
    path.write_text(json.dumps({"Version": "2012-10-17", "Statement": [statement]}))
    return path


def child_cpu(command: list[str]) -> float:
    """CPU seconds of a command from its start to its end."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False, env=environment())
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


# -- decisions ----------------------------------------------------------------------------------------------------


def decisions() -> list[Row]:
    from sts_emulator.policy.deciding.document import parse
    from sts_emulator.policy.deciding.engine import PolicySet, Principal, Request, decide, evaluate

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
    policies = PolicySet(trust=trust, resource_account="111122223333")
    assert decide(request, policies).allowed
    whole = timed(lambda: decide(request, policies))
    say(f"{1e6 / whole:.0f} whole decisions a second ({whole:.2f} us each)")
    return [at_most("us for a GitHub trust policy, without the tree", timed(lambda: evaluate(trust, request)), 3)]


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
    parser.add_argument(
        "--before", default="", metavar="TREE", help="a clone of this project with a .venv, to compare with"
    )
    parser.add_argument("--only", action="append", metavar="PART", help="throughput, shared, growth, start, …")
    arguments = parser.parse_args()
    quick, before = arguments.quick, arguments.before
    print("measuring; nothing else should be running")
    optimized = "--enable-optimizations" in (sysconfig.get_config_var("CONFIG_ARGS") or "")
    say(f"{platform.python_implementation()} {platform.python_version()}, {'' if optimized else 'not '}profile-guided")
    parts: dict[str, Callable[[], list[Row]]] = {
        "throughput": lambda: throughput(*((1.0, 2) if quick else (1.5, 12)), before),
        "shared": lambda: shared_states(*((1.0, 2) if quick else (1.5, 8))),
        "sdk": lambda: other_sdk(*((1.0, 2) if quick else (1.5, 6))),
        "identity-pools": lambda: identity_pools(*((1.0, 2) if quick else (1.5, 6))),
        "user-pools": lambda: user_pools(10 if quick else 40),
        "people": lambda: people(*((1.0, 2) if quick else (1.5, 6))),
        "door": lambda: the_door(*((1.0, 4) if quick else (1.5, 8))),
        "growth": lambda: growth(*((2_000, 200, 20_000, 1.0) if quick else (10_000, 1_000, 100_000, 2.0))),
        "start": lambda: start(3 if quick else 9, before),
        "lint": lambda: linting(3 if quick else 9),
        "decisions": decisions,
    }
    rows = [row for name, part in parts.items() if name in (arguments.only or parts) for row in part()]
    print("\n".join(["", *map(str, rows)]))
    return 0 if all(row.good for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
