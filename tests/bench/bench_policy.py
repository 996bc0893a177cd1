"""Decisions a second on one core: `python tests/bench/bench_policy.py`. It prints, it judges nothing."""

from __future__ import annotations

import json
from timeit import repeat

from sts_emulator.policy.deciding.document import parse
from sts_emulator.policy.deciding.engine import PolicySet, Principal, Request, decide, evaluate
from sts_emulator.policy.explaining.explain import explain

ACCOUNT = "111122223333"
ISSUER = "token.actions.githubusercontent.com"
PROVIDER = f"arn:aws:iam::{ACCOUNT}:oidc-provider/{ISSUER}"
TARGET = f"arn:aws:iam::{ACCOUNT}:role/Target"
GITHUB = {
    "Effect": "Allow",
    "Principal": {"Federated": PROVIDER},
    "Action": "sts:AssumeRoleWithWebIdentity",
    "Condition": {
        "StringEquals": {f"{ISSUER}:aud": "sts.amazonaws.com"},
        "StringLike": {f"{ISSUER}:sub": "repo:octo-org/octo-repo:*"},
    },
}
ROOT = {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}, "Action": "sts:AssumeRole"}
ONE_ROLE = {"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": TARGET}
FULL_ACCESS = {"Effect": "Allow", "Action": "*", "Resource": "*"}
CALLS, ROUNDS = 20_000, 5


def text(*statements):
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def main():
    token = {f"{ISSUER}:aud": ("sts.amazonaws.com",), f"{ISSUER}:sub": ("repo:octo-org/octo-repo:ref:refs/heads/main",)}
    federated = Request("sts:AssumeRoleWithWebIdentity", TARGET, Principal("oidc", PROVIDER, ACCOUNT), token)
    trust = parse(text(GITHUB))
    web_identity = PolicySet(trust=trust)

    alice = Request("sts:AssumeRole", TARGET, Principal("user", f"arn:aws:iam::{ACCOUNT}:user/alice", ACCOUNT), {})
    everything = parse(text(FULL_ACCESS))
    layers = PolicySet(
        trust=parse(text(ROOT)),
        identity=(parse(text(ONE_ROLE)),),
        boundary=everything,
        scps=((everything,), (everything,)),
    )
    denied = Request(federated.action, TARGET, federated.principal, {**token, f"{ISSUER}:sub": ("repo:evil/x:y",)})

    measure("evaluate, GitHub trust policy", lambda: evaluate(trust, federated))
    measure("decide, GitHub trust policy", lambda: decide(federated, web_identity))
    measure("decide, user through six documents", lambda: decide(alice, layers))
    measure("parse, compiled before", lambda: parse(text(GITHUB)))
    measure("explain, allowed", lambda: explain(federated, web_identity).to_json(), calls=500)
    measure("explain, denied, with changes tried", lambda: explain(denied, web_identity).to_json(), calls=200)


def measure(name, call, calls=CALLS):
    best = min(repeat(call, number=calls, repeat=ROUNDS)) / calls
    print(f"{name:<38} {best * 1e6:9.2f} µs  {1 / best:12,.0f}/s")


if __name__ == "__main__":
    main()
