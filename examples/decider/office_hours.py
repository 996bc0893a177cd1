"""A decider: roles are assumed as IAM says, but those of the name `night-…` only outside office hours.

It shows what a decider gets and gives back; `sts_emulator.policy.deciding.engine.decide` is IAM's answer, to build
upon.
"""

from __future__ import annotations

from sts_emulator.policy.deciding.engine import Decision, PolicySet, Request, decide

OFFICE_HOURS = range(8, 18)  # UTC


def decide_by_the_clock(request: Request, policies: PolicySet) -> Decision:
    """IAM's decision, unless the clock is against it."""
    decision = decide(request, policies)
    if decision.allowed and "/night-" in request.resource and _hour(request) in OFFICE_HOURS:
        return Decision("explicit_deny", decision.grant, "trust")
    return decision


def _hour(request: Request) -> int:
    """The hour of the request: the context has every condition key, in lower case, with its values."""
    (now,) = request.context["aws:currenttime"]
    return int(now[11:13])
