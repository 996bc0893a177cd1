"""Judges what came of an expectation's request: the verdict, and the reason for it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from functools import cached_property
from typing import Any

from sts_emulator.core.errors import AwsError
from sts_emulator.core.world import World
from sts_emulator.policy.light_dataclass import dataclass
from sts_emulator.scenario.expect import ALLOW, DENY, Because, Expectation
from sts_emulator.vending import denials
from sts_emulator.vending.context import Consulted

Tree = Mapping[str, Any]

REFUSALS = frozenset(
    {
        "AccessDenied",
        "AccessDeniedException",
        "ExpiredTokenException",
        "IDPRejectedClaim",
        "InvalidClientTokenId",
        "InvalidIdentityToken",
    }
)
"""Errors that say no to the caller; any other says that the request itself is wrong."""


@dataclass(frozen=True)
class Outcome:
    """What came of an expectation's request."""

    expectation: Expectation
    error: AwsError | None
    decisions: tuple[Consulted, ...]
    evidence: Mapping[str, Any]
    world: World = field(repr=False, compare=False)
    origin: str = ""  # the subject that the session keeps

    @property
    def verdict(self) -> str:
        """`allow`, `deny`, or the code of an error that is no refusal."""
        if self.error is None:
            return ALLOW
        return DENY if self.error.code in REFUSALS else self.error.code

    @property
    def passed(self) -> bool:
        return not self.mismatch

    @cached_property
    def mismatch(self) -> str:
        """How it differs from what was expected; empty when it does not."""
        expected, because = self.expectation.result, self.expectation.because or Because()
        code = self.error.code if self.error else ""
        if because.error and because.error != code:
            return f"expected error {because.error}, got {code or 'none'}"
        if self.verdict != expected and not (because.error and expected == DENY):
            got = f"{self.verdict}: {self.error.code}: {self.error.message}" if self.error else self.verdict
            return f"expected {expected}, got {got}"
        if self.expectation.origin and self.expectation.origin != self.origin:
            return f"expected the origin {self.expectation.origin}, got {self.origin or 'none'}"
        if not (because.layer or because.statement or because.condition):
            return ""
        if self.tree is None:
            return f"expected a policy to decide, but none was asked: {code}"
        return _wrong_reason(self.tree, because)

    @property
    def deciding(self) -> Consulted | None:
        """The question whose answer decided: the one that was refused, else the first; None if none was put.

        Of a role that is assumed to do something, it is what it does.
        """
        refused = [decision for decision in self.decisions if not decision.decision.allowed]
        if refused or not self.decisions:
            return refused[-1] if refused else None
        return self.decisions[-1 if self.expectation.may else 0]

    @cached_property
    def tree(self) -> Tree | None:
        """The explanation of the deciding question, as `policy.explain` makes it."""
        from sts_emulator.policy.explaining.explain import explain

        asked = self.deciding
        if asked is None:
            return None
        return explain(asked.request, asked.policies, denials.names(self.world, asked)).to_json()


def _wrong_reason(tree: Tree, because: Because) -> str:
    decided = tree["decided_by"][0] if tree["decided_by"] else "trust"
    layer = because.layer or decided
    if layer != decided and not (tree["decision"] == ALLOW and _allows(tree, layer)):
        return f"expected the {layer} layer to decide, but it was {decided}"
    if not because.statement and not because.condition:
        return ""
    return _wrong_statement(tree, layer, because)


def _wrong_statement(tree: Tree, layer: str, because: Because) -> str:
    statements = [
        statement
        for item in tree["layers"]
        if item["layer"] == layer
        for policy in item["policies"]
        for statement in policy["statements"]
    ]
    if because.statement:
        statements = [told for told in statements if because.statement in (told["sid"], str(told["index"]))]
        if not statements:
            return f"the {layer} layer has no statement `{because.statement}`"
    # A missing allow is explained by the Allow that does not apply, everything else by the statement that does.
    applies = tree["decision"] != "implicit_deny"
    effect = "Deny" if tree["decision"] == "explicit_deny" else "Allow"
    decisive = [told for told in statements if told["effect"] == effect and told["applies"] is applies]
    if not decisive:
        named = f"statement `{because.statement}`" if because.statement else "a statement"
        return f"expected {named} of the {layer} layer to decide, but it did not"
    if because.condition and not any(_decides(told, because.condition, holds=applies) for told in decisive):
        return f"expected a condition on `{because.condition}` to {'hold' if applies else 'fail'}, but none did"
    return ""


def _allows(tree: Tree, layer: str) -> bool:
    return any(told["layer"] == layer and told["decision"] == ALLOW for told in tree["layers"])


def _decides(statement: Mapping[str, Any], key: str, *, holds: bool) -> bool:
    """Whether a condition on `key`, which may be its end only (`:sub`), came out as `holds`."""
    return any(
        condition["result"] is holds and condition["key"].lower().endswith(key.lower())
        for condition in statement["conditions"]
    )
