"""SNS: topics by their ARN; what is sent to a phone has no resource."""

from __future__ import annotations

from sts_emulator.gateway import parameters as read
from sts_emulator.gateway.call import Need
from sts_emulator.gateway.overlay import Overlay, Question


def _published(question: Question) -> list[Need]:
    """To a topic, an endpoint of an application, or a phone; the request does not tell whether a topic is encrypted."""
    targets = read.at(question.call.parameters, "TopicArn|TargetArn")
    if not targets or question.first("PhoneNumber"):
        targets = (*targets, "*")
    keys = [question.dependent(action, "") for action in ("kms:GenerateDataKey", "kms:Decrypt") if targets != ("*",)]
    return [*(question.need("Publish", target) for target in targets), *keys]


OVERLAY = Overlay(
    members={"TopicName": "TopicArn|Name"},
    keys={"sns:endpoint": "Endpoint", "sns:protocol": "Protocol"},
    rules={"Publish": _published, "PublishBatch": _published},
    tags_with={"CreateTopic": "TagResource"},
)
