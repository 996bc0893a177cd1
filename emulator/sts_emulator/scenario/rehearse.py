"""Tries a scenario's expectations in a private world: the server's own operations, without a server."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from sts_emulator.accounts import documents
from sts_emulator.core.errors import AwsError
from sts_emulator.core.world import DEFAULT, World
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
            return self._tried(expectation)
        finally:
            if shift:
                self.world.advance(-shift)

    def _tried(self, expectation: Expectation) -> Outcome:
        call = self._call(expectation)
        error: AwsError | None = None
        try:
            if expectation.assume:
                present(call, expectation, self._role_arn(expectation))
            if expectation.may is not None:
                permissions.ask(call, expectation, expectation.may)
        except AwsError as refused:
            error = refused
        origin = known(call.vended.context) if call.vended else None
        subject = origin.subject if origin else ""
        return Outcome(expectation, error, tuple(call.decisions), call.evidence, call.world, subject)

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

    # -- roles ----------------------------------------------------------------------------------------------------

    def _role_arn(self, expectation: Expectation) -> str:
        wanted = expectation.assume
        if wanted.startswith("arn:"):
            return wanted
        roles = stored_by_name(self.world, documents.ROLE, wanted)
        if len(roles) != 1:
            problem = f"more than one account has a role `{wanted}`; write its ARN" if roles else f"no role `{wanted}`"
            raise ScenarioError.at(expectation.where.at("assume"), problem)
        return str(roles[0]["arn"])
