"""The proofs that an expectation can suppose: each turns what is supposed into a request, and back.

Each kind is a module that the catalogue names, with `present` and `supposed`.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Protocol, cast

from sts_emulator.catalogue import EVIDENCE
from sts_emulator.core.world import World
from sts_emulator.policy.deciding.engine import Principal
from sts_emulator.scenario.expect import Expectation
from sts_emulator.scenario.problems import ScenarioError
from sts_emulator.scenario.supposed import Keys, Supposed

if TYPE_CHECKING:
    from sts_emulator.scenario.rehearse import Call


class Kind(Protocol):
    """A module of evidence."""

    def present(self, call: Call, expectation: Expectation, role_arn: str, given: object, /) -> None:
        """Make the request that is meant. Raises AwsError as the server would, ScenarioError for nonsense."""

    def supposed(self, world: World, principal: Principal, keys: Keys, /) -> Supposed:
        """What to suppose for a request of `principal` with these keys."""


def kind(key: str) -> Kind:
    """The kind of evidence of that key in the catalogue."""
    return cast("Kind", import_module(EVIDENCE[key].module))


def kind_for(principal: Principal) -> Kind:
    """The kind that proves a principal: by its name, as of a service, else by its type."""
    for who in (principal.value, principal.type):
        for evidence in EVIDENCE.values():
            if who in evidence.callers:
                return kind(evidence.key)
    message = f"no method proves a caller of type {principal.type}"
    raise LookupError(message)


def present(call: Call, expectation: Expectation, role_arn: str) -> None:
    """Make the request that an expectation means.

    Raises:
        AwsError: as the server would.
        ScenarioError: no such kind of evidence, or one that makes no sense.
    """
    if expectation.caller is not None:
        kind("caller").present(call, expectation, role_arn, expectation.caller)
        return
    ((key, given),) = expectation.with_.items()
    if not isinstance(given, Mapping | None):
        raise ScenarioError.at(expectation.where.at("with"), f"`{key}` takes a mapping of claims")
    if key in EVIDENCE and key != "caller":
        kind(key).present(call, expectation, role_arn, given or {})
    else:
        from sts_emulator.scenario.token_evidence import present_issuers

        present_issuers(call, expectation, role_arn, key, given or {})
