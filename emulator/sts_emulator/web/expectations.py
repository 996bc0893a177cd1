"""What a world's scenario expects, tried as things are, or with a trust policy that is being edited; nothing stays."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from typing import Final

from sts_emulator.accounts.documents import Role
from sts_emulator.core.world import World
from sts_emulator.pages.visit import Visit
from sts_emulator.policy.json_types import JsonObject
from sts_emulator.policy.light_dataclass import dataclass
from sts_emulator.scenario import kept
from sts_emulator.scenario.problems import ScenarioError
from sts_emulator.vending import authenticate
from sts_emulator.vending.context import Context
from sts_emulator.wire import dispatch

MOST: Final = 100
"""Expectations about one role that are tried for one page."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """How an expectation comes out: `wrong` is how it differs from what is expected, `untried` why it is not known."""

    title: str
    wrong: str
    untried: str


def verdicts(visit: Visit, role: Role) -> list[Verdict]:
    """Those about a role, as things are."""
    with kept.undone(visit.world) as world:
        return list(_tried(visit, world, role))


def verdicts_with(visit: Visit, role: Role, trust: str) -> list[Verdict]:
    """Those about a role with another trust policy. Raises AwsError where IAM would not save it."""
    with kept.undone(visit.world) as world:
        save(replace(visit.context("iam", "UpdateAssumeRolePolicy"), world=world), role, trust)
        return list(_tried(visit, world, role))


def save(ctx: Context, role: Role, trust: str) -> None:
    """Save a trust policy as the account's root would, by IAM's own operation. Raises AwsError."""
    function = dispatch.find("iam", "UpdateAssumeRolePolicy")
    assert function is not None  # the catalogue has it
    ctx.caller = authenticate.root_caller(ctx.world, role["account"], "")
    with ctx.world.unit():
        function(ctx, RoleName=role["name"], PolicyDocument=trust)


def written(visit: Visit, role: Role) -> list[JsonObject]:
    """Those about a role, as they are written."""
    return [known.written for known in kept.of_role(visit.world, role["arn"])]


def _tried(visit: Visit, world: World, role: Role) -> Iterator[Verdict]:
    for known in islice(kept.of_role(world, role["arn"]), MOST):
        wrong = untried = ""
        try:
            wrong = kept.tried(visit.server, world, known).mismatch
        except ScenarioError as mistake:  # such as a caller who was deleted meanwhile
            untried = "; ".join(problem.message for problem in mistake.problems)
        yield Verdict(known.title, wrong, untried)
