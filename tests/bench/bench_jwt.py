"""Microseconds of CPU that a token costs, ours and PyJWT's: `python tests/bench/bench_jwt.py`."""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Callable

import jwt as pyjwt

from sts_emulator.core.backends import open_store
from sts_emulator.core.events import EventLog
from sts_emulator.core.world import Worlds
from sts_emulator.idp import oidc
from sts_emulator.methods.tokens import id_token, jwt, oidc_context
from sts_emulator.methods.tokens.issuers import Provider
from sts_emulator.methods.tokens.jwk import KeySet
from sts_emulator.methods.web_identity.assume_role_with_web_identity import assume_role_with_web_identity
from sts_emulator.settings import Settings
from sts_emulator.vending.context import Context, Server

ROUNDS, CALLS = 7, 1_000
ACCOUNT, ISSUER = "111122223333", "https://token.actions.githubusercontent.com"
NAME = ISSUER.partition("://")[2]
ARN = f"arn:aws:iam::{ACCOUNT}:oidc-provider/{NAME}"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/deploy"


def microseconds(step: Callable[[], object]) -> float:
    """Median over rounds of the CPU time of one call."""
    rounds = []
    for _ in range(ROUNDS):
        started = time.process_time()
        for _ in range(CALLS):
            step()
        rounds.append((time.process_time() - started) / CALLS * 1e6)
    return statistics.median(rounds)


def lab() -> Server:
    """A server without a socket, whose world `lab` trusts a branch of a GitHub repository."""
    store = open_store("")
    server = Server(Settings(), Worlds(store), EventLog())
    world = server.worlds.create("lab")
    assert world is not None
    provider = {"account": ACCOUNT, "url": NAME, "arn": ARN, "client_ids": ["sts.amazonaws.com"], "thumbprints": []}
    world.add("oidc-provider", f"{ACCOUNT}/{NAME}", provider, uid=ARN)
    condition = {
        "StringEquals": {f"{NAME}:aud": "sts.amazonaws.com", f"{NAME}:sub": "repo:acme/shop:ref:refs/heads/main"}
    }
    statement = {"Effect": "Allow", "Principal": {"Federated": ARN}, "Action": "sts:AssumeRoleWithWebIdentity"}
    trust = {"Version": "2012-10-17", "Statement": [{**statement, "Condition": condition}]}
    role = {"account": ACCOUNT, "name": "deploy", "path": "/", "id": "AROAQAAAAAAAAAAAAAAAA", "arn": ROLE, "tags": {}}
    world.add("role", f"{ACCOUNT}/deploy", {**role, "trust": json.dumps(trust)}, uid=role["id"])
    return server


def main() -> None:
    """Print one line for each step, the whole operation, and the library for comparison."""
    server = lab()
    world = server.worlds.get("lab")
    assert world is not None
    token = oidc.mint_token(world, "github", repo="acme/shop")
    jwks = world.get("issuer", "github")["jwks"]  # type: ignore[index]  # made by minting
    keys, parsed = KeySet(jwks), jwt.parse(token)
    verify = keys.verifier(parsed.key_id, parsed.algorithm)
    assert verify is not None
    claims = parsed.claims(verify)
    provider = Provider(ARN, ISSUER, NAME, ACCOUNT, ("sts.amazonaws.com",))
    read = id_token.read(claims, world.now())

    def whole() -> object:
        ctx = Context(server, world, "sts", "AssumeRoleWithWebIdentity", "request")
        with world.unit():
            return assume_role_with_web_identity(ctx, RoleArn=ROLE, RoleSessionName="ci", WebIdentityToken=token)

    library_keys = pyjwt.PyJWKSet.from_dict(jwks)

    def library() -> object:
        key = library_keys[pyjwt.get_unverified_header(token)["kid"]]
        return pyjwt.decode(token, key, algorithms=["RS256"], audience="sts.amazonaws.com")

    steps: dict[str, Callable[[], object]] = {
        "take apart": lambda: jwt.parse(token),
        "find the key": lambda: keys.verifier(parsed.key_id, parsed.algorithm),
        "RSA check": lambda: parsed.claims(verify),
        "read claims": lambda: id_token.read(claims, read_at),
        "condition keys": lambda: oidc_context.at_login(provider, read, claims),
    }
    read_at = world.now()
    costs = {name: microseconds(step) for name, step in steps.items()}
    for name, cost in costs.items():
        print(f"{name:32}{cost:8.1f} us")
    print(f"{'the proof':32}{sum(costs.values()):8.1f} us")
    print(f"{'PyJWT: key id, key, decode':32}{microseconds(library):8.1f} us")
    print(f"{'the whole operation':32}{microseconds(whole):8.1f} us  ({len(token)} characters)")


if __name__ == "__main__":
    main()
