"""Tries a scenario's expectations in a private world: the server's own operations, without a server."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from sts_emulator.accounts import documents, resources
from sts_emulator.core.errors import AwsError
from sts_emulator.core.world import DEFAULT, World
from sts_emulator.policy.deciding.engine import Principal
from sts_emulator.scenario.evidence import present
from sts_emulator.scenario.expect import Caller, Expectation, ask_for
from sts_emulator.scenario.judge import Outcome
from sts_emulator.scenario.model import Scenario
from sts_emulator.scenario.problems import ScenarioError
from sts_emulator.scenario.seed import apply
from sts_emulator.vending import authenticate
from sts_emulator.vending.assume import Proof, assume
from sts_emulator.vending.context import Caller as Signer
from sts_emulator.vending.context import Context, Keys, Server
from sts_emulator.vending.services import service_keys
from sts_emulator.vending.session import ROLE, USER, Session
from sts_emulator.wire import dispatch, models, validate

HOUR = 3600


@dataclass(slots=True)
class Call(Context):
    """A call with further condition keys."""

    keys: Keys = field(default_factory=dict)

    def request_keys(self) -> dict[str, tuple[str, ...]]:
        """See Context; what the expectation adds comes last."""
        return {**Context.request_keys(self), **self.keys}


class Rehearsal:
    """A private world in which a scenario is applied and its expectations are tried.

    Raises ScenarioError when the scenario cannot be applied, or an expectation names what is not there.
    """

    def __init__(self, server: Server, scenario: Scenario) -> None:
        """`server` is a fresh one in memory, for this rehearsal alone."""
        self.scenario = scenario
        self.server = server
        world = server.worlds.get(DEFAULT)
        assert world is not None
        self.world: World = world
        apply(server, world, scenario)

    def outcomes(self) -> Iterator[Outcome]:
        """Each expectation's outcome, in the order of the file."""
        for expectation in self.scenario.expect:
            yield self.outcome(expectation)

    def outcome(self, expectation: Expectation) -> Outcome:
        """Make one expectation's request and judge it."""
        shift = 0.0 if expectation.time is None else expectation.time - self.world.now()
        if shift:
            self.world.advance(shift)
        try:
            return self._tried(expectation)
        finally:
            if shift:
                self.world.advance(-shift)

    def _tried(self, expectation: Expectation) -> Outcome:
        call = self._call(expectation)
        error: AwsError | None = None
        try:
            self._request(call, expectation)
        except AwsError as refused:
            error = refused
        return Outcome(expectation, error, tuple(call.decisions), call.evidence, call.world)

    def _call(self, expectation: Expectation) -> Call:
        return Call(
            server=self.server,
            world=self.world,
            service="sts",
            operation="AssumeRole",
            request_id="",
            source_ip=expectation.source_ip,
            secure=expectation.secure,
            keys={name.lower(): values for name, values in expectation.keys.items()},
        )

    def _request(self, call: Call, expectation: Expectation) -> None:
        role_arn = self._role_arn(expectation)
        caller = expectation.caller
        if caller is None:
            present(call, expectation, role_arn)
        elif caller.service:
            role = resources.role_by_arn(self.world, role_arn)
            assume(call, _service_proof(self.world, caller), "sts:AssumeRole", role, ask_for(expectation, role_arn))
        else:
            call.caller = self._signer(caller)
            self._operation(call, "AssumeRole", _parameters(expectation, role_arn))

    def _operation(self, call: Call, name: str, parameters: Mapping[str, Any]) -> None:
        call.operation = name
        validate.validate(models.service("sts").operations[name], parameters)
        function = dispatch.find("sts", name)
        assert function is not None
        result = function(call, **parameters)
        if inspect.iscoroutine(result):
            result.close()
            raise AwsError("InvalidIdentityToken", "the issuer's keys would have to be fetched")

    # -- roles and callers ----------------------------------------------------------------------------------------

    def _role_arn(self, expectation: Expectation) -> str:
        wanted = expectation.assume
        if wanted.startswith("arn:"):
            return wanted
        found = self._named("role", wanted)
        if len(found) != 1:
            problem = f"more than one account has a role `{wanted}`; write its ARN" if found else f"no role `{wanted}`"
            raise ScenarioError.at(expectation.where.at("assume"), problem)
        return str(found[0]["arn"])

    @cached_property
    def _accounts(self) -> tuple[str, ...]:
        return tuple(account["id"] for account in self.world.page(documents.ACCOUNT))

    def _named(self, kind: str, name: str, account: str = "") -> list[Mapping[str, Any]]:
        accounts = (account,) if account else self._accounts
        found = [self.world.get(kind, resources.key_of(owner, name)) for owner in accounts]
        return [stored for stored in found if stored is not None and stored["name"] == name]

    def _holder(self, caller: Caller, kind: str, name: str) -> Mapping[str, Any]:
        found = self._named(kind, name, caller.account)
        if len(found) != 1:
            problem = f"more than one account has a {kind} `{name}`; add `account`" if found else f"no {kind} `{name}`"
            raise ScenarioError.at(caller.where, problem)
        return found[0]

    def _signer(self, caller: Caller) -> Signer:
        if caller.root:
            return authenticate.root_caller(self.world, caller.root, "")
        if caller.user and not caller.mfa:
            user = self._holder(caller, "user", caller.user)
            key = {"account": user["account"], "user": user["name"], "id": f"expected {user['arn']}"}
            return authenticate.caller_of_key(self.world, key)
        return authenticate.caller_of_session(self.world, self._session(caller), "")

    def _session(self, caller: Caller) -> Session:
        kind, holder = (
            (USER, self._holder(caller, "user", caller.user))
            if caller.user
            else (ROLE, self._holder(caller, "role", caller.role))
        )
        now = int(self.world.now())
        return Session(
            kind=kind,
            account=holder["account"],
            name=holder["name"],
            id=holder["id"],
            issued=now,
            expires=now + HOUR,
            session_name=caller.session if kind == ROLE else "",
            tags=dict(caller.tags),
            transitive=caller.transitive,
            source_identity=caller.source_identity,
            mfa_at=now if caller.mfa else 0,
            policy=caller.policy or "",
        )


def _parameters(expectation: Expectation, role_arn: str) -> dict[str, Any]:
    given = {
        "RoleArn": role_arn,
        "RoleSessionName": expectation.session_name,
        "ExternalId": expectation.external_id,
        "SourceIdentity": expectation.source_identity,
        "DurationSeconds": expectation.duration,
        "Policy": expectation.policy,
        "Tags": [{"Key": key, "Value": value} for key, value in expectation.tags.items()],
        "TransitiveTagKeys": list(expectation.transitive),
    }
    return {name: value for name, value in given.items() if value}


def _service_proof(world: World, caller: Caller) -> Proof:
    keys = service_keys(
        world, caller.service, source_arn=caller.source_arn or "", source_account=caller.source_account or ""
    )
    return Proof(method="service", principal=Principal("service", caller.service), context=keys)
