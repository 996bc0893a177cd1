"""Kinesis: streams by name or ARN, and their consumers.

GetRecords names its stream by an iterator, which only the upstream reads, unless the caller adds the stream's ARN: then
the need is for any stream of the account (the strict reading).
"""

from __future__ import annotations

from sts_emulator.gateway.call import Need
from sts_emulator.gateway.overlay import Overlay, Question


def _consumer(question: Question) -> list[Need]:
    """A consumer's ARN ends in the time when it was made, which its name does not tell."""
    stream, name, whole = (question.first(member) for member in ("StreamARN", "ConsumerName", "ConsumerARN"))
    arns = [whole] if whole else []
    if name or not whole:
        arns.append(f"{stream or question.arn('stream')}/consumer/{name or '*'}:*")
    return question.on(*arns)


OVERLAY = Overlay(
    members={
        "StreamName": "StreamARN|StreamName|StreamId",
        "consumer.ConsumerName": "ConsumerARN",
        "ChannelId": "ChannelARN",
        "QueueId": "QueueARN",
    },
    on=dict.fromkeys(("StartStreamEncryption", "StopStreamEncryption"), ("stream",)),
    rules=dict.fromkeys(("DeregisterStreamConsumer", "DescribeStreamConsumer", "SubscribeToShard"), _consumer),
    passes={"CreateChannel": ("ServiceExecutionRoleARN", "kinesis.amazonaws.com")},
    # API Reference, CreateStream and RegisterStreamConsumer
    tags_with={"CreateStream": "AddTagsToStream", "RegisterStreamConsumer": "TagResource"},
)
