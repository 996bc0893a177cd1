"""Step Functions: state machines, with the version or alias that a call names, executions, activities, map runs."""

from __future__ import annotations

from typing import Final

from sts_emulator.gateway import parameters as read
from sts_emulator.gateway.call import Call, Need
from sts_emulator.gateway.known_actions import Action
from sts_emulator.gateway.overlay import Overlay, Question
from sts_emulator.policy.arns import unqualified


def _machine(question: Question) -> list[Need]:
    """The state machine's own ARN: policies tell versions and aliases by a condition key."""
    return question.on(_machines_own(question))


def _named(call: Call) -> str:
    return read.first(call.parameters, "stateMachineArn|stateMachineAliasArn|stateMachineVersionArn")


def _machines_own(question: Question) -> str:
    return unqualified(_named(question.call))[0] or question.arn("statemachine")


def _listed(question: Question) -> list[Need]:
    """Executions are listed by state machine or by map run."""
    run = question.first("mapRunArn")
    runs = [question.need("ListExecutions", run)] if run else []
    return runs + (_machine(question) if _named(question.call) or not run else [])


def _aliased(question: Question) -> list[Need]:
    """A new alias routes to versions of a state machine."""
    version = question.first("routingConfiguration.stateMachineVersionArn")
    return [question.need("CreateStateMachineAlias", unqualified(version)[0] or question.arn("statemachine"))]


def _published(question: Question) -> list[Need]:
    """A version may be published along with a change."""
    arns = [question.arn("statemachine", StateMachineName=question.first("name") or "*")]
    if question.call.operation == "UpdateStateMachine":
        arns = [_machines_own(question)]
    actions = [question.call.operation]
    if question.first("publish") == "true":
        actions.append("PublishStateMachineVersion")
    return [question.need(action, arn) for action in actions for arn in arns]


def _tried(question: Question) -> list[Need]:
    """A state by itself; its secrets are shown to whom that is allowed (API Reference, "TestState")."""
    shown = question.needs("RevealSecrets") if question.first("revealSecrets") == "true" else []
    return [*question.needs("TestState"), *shown]


def _more_keys(call: Call, action: Action) -> dict[str, tuple[str, ...]]:
    _, qualifier = unqualified(_named(call))
    known = "states:statemachinequalifier" in action.keys and qualifier
    return {"states:statemachinequalifier": (qualifier,)} if known else {}


_ROLE: Final = ("roleArn", "states.amazonaws.com")

OVERLAY = Overlay(
    members={
        "ActivityName": "activityArn|name",
        "execution.StateMachineName": "executionArn",
        "maprun.StateMachineName": "mapRunArn",
    },
    on={"DescribeExecution": ("execution",)},
    rules={
        **dict.fromkeys(
            (
                *("DeleteStateMachine", "DescribeStateMachine", "ListStateMachineVersions", "ListStateMachineAliases"),
                *("DeleteStateMachineAlias", "DescribeStateMachineAlias", "UpdateStateMachineAlias"),
                *("DeleteStateMachineVersion", "PublishStateMachineVersion", "StartExecution", "StartSyncExecution"),
            ),
            _machine,
        ),
        **dict.fromkeys(("CreateStateMachine", "UpdateStateMachine"), _published),
        "CreateStateMachineAlias": _aliased,
        "ListExecutions": _listed,
        "TestState": _tried,
    },
    passes=dict.fromkeys(("CreateStateMachine", "UpdateStateMachine", "TestState"), _ROLE),
    tags_with={"CreateStateMachine": "TagResource", "CreateActivity": "TagResource"},
    more_keys=_more_keys,
)
