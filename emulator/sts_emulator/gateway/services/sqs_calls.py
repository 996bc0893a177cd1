"""SQS: queues by their URL, batches, and moves out of dead-letter queues."""

from __future__ import annotations

import re
from typing import Final

from sts_emulator.core.errors import AwsError
from sts_emulator.gateway.call import Call, Need
from sts_emulator.gateway.overlay import Overlay, Question, Rule

_ACCOUNT: Final = re.compile(r"[0-9]{12}")

_QUEUE_PATH: Final = re.compile(r"/[0-9]{12}/[^/]+")

_NOT_PLAIN: Final = re.compile(r"[?#%\\;\s]|/\.\.?(?:/|\Z)")

_ACTIONS: Final = {
    "ChangeMessageVisibilityBatch": "ChangeMessageVisibility",
    "DeleteMessageBatch": "DeleteMessage",
    "SendMessageBatch": "SendMessage",
}
_OF_QUEUES: Final = (
    *("AddPermission", "ChangeMessageVisibility", "DeleteMessage", "DeleteQueue", "GetQueueAttributes"),
    *("ListDeadLetterSourceQueues", "ListQueueTags", "PurgeQueue", "ReceiveMessage", "RemovePermission"),
    *("SendMessage", "SetQueueAttributes", "TagQueue", "UntagQueue"),
)
_OF_KEYS: Final = {"SendMessage": ("kms:GenerateDataKey", "kms:Decrypt"), "ReceiveMessage": ("kms:Decrypt",)}
"""What a queue that is encrypted under a key of KMS needs besides; the request does not tell whether it is."""


def _queues(question: Question) -> list[str]:
    """The ARN of the queue that a URL names: its last two steps are account and name, whatever stands before them.

    The query protocol may post to the queue's URL and name it nowhere else; who names two needs both.

    Raises:
        AwsError: `InvalidRequest`, for a URL of which another reader may find another end.
    """
    if _NOT_PLAIN.search(question.first("QueueUrl")):
        raise AwsError("InvalidRequest", "The URL of the queue can be read in two ways.", status=400)
    posted_to = question.call.path if _QUEUE_PATH.fullmatch(question.call.path) else ""
    steps = [url.rpartition("/") for url in (question.first("QueueUrl"), posted_to) if url]
    arns = [_named(question.call, name, owner.rpartition("/")[2]) for owner, _, name in steps]
    return list(dict.fromkeys(arns)) or [question.arn("queue")]


def _named(call: Call, name: str, owner: str = "") -> str:
    account = owner if _ACCOUNT.fullmatch(owner) else call.account
    return f"arn:{call.partition}:sqs:{call.region}:{account}:{name or '*'}"


def _on_queue(action: str) -> Rule:
    def rule(question: Question) -> list[Need]:
        besides = [question.dependent(name, "") for name in _OF_KEYS.get(action, ())]
        return [*(question.need(action, queue) for queue in _queues(question)), *besides]

    return rule


def _by_name(question: Question) -> list[Need]:
    owner = question.first("QueueOwnerAWSAccountId")
    return question.on(_named(question.call, question.first("QueueName"), owner))


def _moved(question: Question) -> list[Need]:
    """A move reads and deletes in the one queue and sends to the other: any, where it is left to the messages."""
    source = question.first("SourceArn") or question.arn("queue")
    target = question.first("DestinationArn") or question.arn("queue")
    taken = ("StartMessageMoveTask", "ReceiveMessage", "DeleteMessage", "GetQueueAttributes")
    return [*(question.need(action, source) for action in taken), question.need("SendMessage", target)]


def _of_moves(question: Question) -> list[Need]:
    """A task's handle does not tell its queue to anybody but SQS."""
    return question.on(question.first("SourceArn") or question.arn("queue"))


OVERLAY = Overlay(
    rules={
        **{name: _on_queue(name) for name in _OF_QUEUES},
        **{name: _on_queue(action) for name, action in _ACTIONS.items()},
        "CreateQueue": _by_name,
        "GetQueueUrl": _by_name,
        "StartMessageMoveTask": _moved,
        "ListMessageMoveTasks": _of_moves,
        "CancelMessageMoveTask": _of_moves,
    },
    tags_with={"CreateQueue": "TagQueue"},
)
