"""Tries a scenario's expectations in a private world: the server's own operations, without a server."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import field

from sts_emulator.accounts import documents
from sts_emulator.core.errors import AwsError
from sts_emulator.core.world import DEFAULT, World
from sts_emulator.policy.light_dataclass import dataclass
from sts_emulator.scenario import permissions
from sts_emulator.scenario.evidence import present
from sts_emulator.scenario.expect import Expectation
from sts_emulator.scenario.judge import Outcome
from sts_emulator.scenario.model import Scenario
from sts_emulator.scenario.problems import ScenarioError
from sts_emulator.scenario.seed import apply
from sts_emulator.scenario.signed_evidence import stored_by_name
from sts_emulator.vending.context import Context, Keys, Server
from sts_emulator.vending.origin import known


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

    @classmethod
    def in_world(cls, server: Server, world: World) -> Rehearsal:
        """For expectations of a world that is there: nothing is applied, and nothing of what is tried is recorded."""
        rehearsal = cls.__new__(cls)
        rehearsal.server, rehearsal.world = server, world
        return rehearsal

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
            return tried(self.server, self.world, expectation)
        finally:
            if shift:
                self.world.advance(-shift)


def tried(server: Server, world: World, expectation: Expectation) -> Outcome:
    """What comes of an expectation's request in a world, at the world's time. Raises ScenarioError."""
    return asked(*assumed(server, world, expectation), expectation)


def assumed(server: Server, world: World, expectation: Expectation) -> tuple[Call, AwsError | None]:
    """The call that an expectation's request is, with the session that it assumes, or why there is none."""
    call = call_of(server, world, expectation)
    try:
        if expectation.assume:
            present(call, expectation, role_arn(world, expectation))
    except AwsError as refused:
        return call, refused
    return call, None


def asked(call: Call, error: AwsError | None, expectation: Expectation) -> Outcome:
    """What comes of what is asked (`may`) in a call that has assumed what it had to."""
    try:
        if expectation.may is not None and error is None:
            permissions.ask(call, expectation, expectation.may)
    except AwsError as refused:
        error = refused
    origin = known(call.vended.context) if call.vended else None
    subject = origin.subject if origin else ""
    return Outcome(expectation, error, tuple(call.decisions), call.evidence, call.world, subject)


def call_of(server: Server, world: World, expectation: Expectation) -> Call:
    """The call that an expectation's request is."""
    return Call(
        server=server,
        world=world,
        service="sts",
        operation="AssumeRole",
        request_id="",
        source_ip=expectation.source_ip,
        secure=expectation.secure,
        keys={name.lower(): values for name, values in expectation.keys.items()},
    )


def role_arn(world: World, expectation: Expectation) -> str:
    """The role that an expectation assumes. Raises ScenarioError."""
    wanted = expectation.assume
    if wanted.startswith("arn:"):
        return wanted
    roles = stored_by_name(world, documents.ROLE, wanted)
    if len(roles) != 1:
        problem = f"more than one account has a role `{wanted}`; write its ARN" if roles else f"no role `{wanted}`"
        raise ScenarioError.at(expectation.where.at("assume"), problem)
    return str(roles[0]["arn"])
