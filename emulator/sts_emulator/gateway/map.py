"""The map: what a call needs, as IAM actions on ARNs. What it lacks is not guessed at."""

from __future__ import annotations

from functools import cache
from importlib import import_module

from sts_emulator.gateway import known_actions
from sts_emulator.gateway.call import Call, Need
from sts_emulator.gateway.known_actions import PREFIXES
from sts_emulator.gateway.overlay import Overlay, PartitionKey, Question, unknown


class Unmapped(Exception):  # noqa: N818  # it is an answer, not a mishap
    """The map lacks an operation; the message says so."""

    def __init__(self, service: str, operation: str) -> None:
        """Name what is lacking."""
        super().__init__(f"the map of actions lacks {service}:{operation}")
        self.service = service
        self.operation = operation


def required(call: Call, partition_key: PartitionKey = unknown) -> tuple[Need, ...]:
    """What the caller must be allowed for the call to pass: every one of these, but for the optional.

    `partition_key` is asked for what only the upstream knows of DynamoDB's tables (services/dynamodb_calls.py).

    Raises:
        Unmapped: the map lacks the operation.
    """
    if call.service not in PREFIXES:
        raise Unmapped(call.service, call.operation)
    known, overlay = known_actions.of_service(call.service), _overlay(call.service)
    question = Question(call, known, overlay, partition_key)
    needs: list[Need] = []
    if call.operation in overlay.rules:
        needs += overlay.rules[call.operation](question)
    else:
        for action in overlay.actions.get(call.operation, (call.operation,)):
            if action not in known.actions:
                raise Unmapped(call.service, call.operation)
            needs += question.needs(action)
    if overlay.has_besides(call.operation):
        needs += question.besides(needs)
    return tuple(needs)


@cache
def _overlay(service: str) -> Overlay:
    module = import_module(f"sts_emulator.gateway.services.{service}_calls")
    overlay: Overlay = module.OVERLAY
    return overlay
