"""An expectation's request made in a running world and recorded there: any of the proofs, supposed as it says."""

from __future__ import annotations

from sts_emulator.analysis import callers
from sts_emulator.analysis.estate import Estate
from sts_emulator.analysis.reach import Step
from sts_emulator.analysis.search import request
from sts_emulator.analysis.suggest import expectation
from sts_emulator.core.errors import AwsError
from sts_emulator.core.world import World
from sts_emulator.pages.visit import Visit
from sts_emulator.policy.deciding.matching import FEDERATED_TYPES
from sts_emulator.scenario import ScenarioError, parse
from sts_emulator.scenario.evidence import present
from sts_emulator.scenario.rehearse import call_of
from sts_emulator.vending import credentials
from sts_emulator.vending.record import new_request_id, record

LONGEST = 10_000  # characters of an expectation


def tried(visit: Visit, text: str) -> str:
    """Make the request; the id of the attempt.

    Raises:
        ValueError: what cannot be asked, with the line.
    """
    if len(text) > LONGEST:
        raise ValueError(f"an expectation has at most {LONGEST} characters here")
    try:
        wanted = parse(f"expect:\n{text}").expect
    except ScenarioError as wrong:
        raise ValueError(str(wrong)) from None
    if len(wanted) != 1 or not wanted[0].assume or wanted[0].may or wanted[0].time is not None:
        raise ValueError("write one expectation that assumes a role, without `may` and without `time`")
    expected = wanted[0]
    call = call_of(visit.server, visit.world, expected)
    call.request_id, call.region = new_request_id(), visit.server.settings.region
    call.user_agent = visit.request.headers.get("user-agent", "")
    call.parameters = {"RoleArn": expected.assume, "RoleSessionName": expected.session_name}
    call.evidence["supposed"] = "what the workbench was told: no token, assertion, certificate or signature was checked"
    try:
        with visit.world.unit():
            present(call, expected, _role_arn(visit.world, expected.assume))
    except ScenarioError as wrong:
        raise ValueError(str(wrong)) from None
    except AwsError as refused:
        record(call, error=refused)
        return call.request_id
    session = call.vended
    result = {"Credentials": credentials.mint(visit.world, session).to_wire()} if session else None
    record(call, result)
    return call.request_id


def _role_arn(world: World, wanted: str) -> str:
    if wanted.startswith("arn:"):
        return wanted
    named = [arn for arn, role in Estate((), world).roles.items() if role["name"] == wanted]
    if len(named) != 1:
        raise ValueError(
            f"more than one account has a role `{wanted}`; write its ARN" if named else f"no role `{wanted}`"
        )
    return named[0]


def written(world: World, step: Step, estate: Estate) -> str:
    """The smallest request of a step as an expectation; empty where its caller is nobody in particular."""
    holder = estate.holder(step.who)
    if holder is not None:
        caller = holder.caller
    elif step.kind in FEDERATED_TYPES:
        caller = callers.federated(step.who)
    elif step.kind == "service":
        caller = callers.service(step.who)
    else:
        return ""
    keys = {name.lower(): values for name, values in step.brings.items()}
    asked = request(caller, step.action, step.role, keys)
    try:
        lines = list(expectation(world, asked, keys, "allow"))
    except LookupError:
        return ""
    return "" if lines[0].startswith("#") else lines[0]  # a comment says that somebody must be put in its place
