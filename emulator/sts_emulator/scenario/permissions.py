"""What somebody may do, beside assuming roles: an action on a resource, decided through all layers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from sts_emulator.accounts import organizations
from sts_emulator.policy.arns import account_in
from sts_emulator.policy.deciding.document import parse
from sts_emulator.policy.saving.control_policies import RESOURCE_SERVICES
from sts_emulator.scenario.expect import Expectation, Permission
from sts_emulator.scenario.problems import ScenarioError
from sts_emulator.scenario.signed_evidence import signer
from sts_emulator.vending import authenticate
from sts_emulator.vending.authorize import consult, denial, refused

if TYPE_CHECKING:
    from sts_emulator.scenario.rehearse import Call
    from sts_emulator.vending.context import Caller


NO_POLICY = '{"Version":"2012-10-17","Statement":[]}'
"""Of a resource in another account of which nothing is told: it lets nobody in."""


def ask(call: Call, expectation: Expectation, permission: Permission) -> None:
    """Decide whether whoever an expectation is about may do that.

    Raises:
        AwsError: they may not.
        ScenarioError: there is no such caller, or it has no policies to go by.
    """
    caller = _caller(call, expectation)
    account = expectation.resource_account or account_in(permission.resource) or caller.account
    service = permission.action.partition(":")[0]
    own = expectation.resource_policy or ("" if account == caller.account else NO_POLICY)
    decision = consult(
        call,
        caller,
        permission.action,
        permission.resource,
        _keys(call, account),
        trust=parse(own) if own else None,
        rcps=organizations.resource_control(call.world, account) if service in RESOURCE_SERVICES else (),
        resource_account=account,
    )
    if decision.verdict != "allow":
        same_account = caller.account == account
        raise refused(
            call, denial(call, caller, permission.action, permission.resource, decision, same_account=same_account)
        )


def _caller(call: Call, expectation: Expectation) -> Caller:
    """The session that was vended just now, or the caller."""
    if expectation.assume and call.vended is not None:
        return authenticate.caller_of_session(call.world, call.vended, "")
    told = expectation.caller
    if told is None or told.service:
        raise ScenarioError.at(expectation.where.at("caller"), "a service has no policies: say whom it is to `assume`")
    return signer(call.world, told)


def _keys(call: Call, account: str) -> Mapping[str, tuple[str, ...]]:
    """The keys of the resource that its owner gives; those of the expectation come last, as everywhere."""
    owned = {"aws:resourceaccount": (account,), **organizations.resource_keys(call.world, account)}
    return {**owned, **call.keys}
