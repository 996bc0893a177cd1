"""SNS: topics by their ARN; what is sent to a phone has no resource."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

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


def _besides(question: Question) -> list[Need]:
    """Roles that SNS goes by, to log deliveries and to reach Firehose, are attributes."""
    given = question.call.parameters
    maps = [given.get(name) for name in ("Attributes", "attributes")]  # of Get… they are lists of names
    attributes: dict[str, Any] = {
        name: value for some in maps if isinstance(some, Mapping) for name, value in some.items()
    }
    attributes[question.first("AttributeName")] = given.get("AttributeValue")
    named = [value for name, value in attributes.items() if name.endswith(_ROLES) and isinstance(value, str) and value]
    return [question.passed(role, "sns.amazonaws.com") for role in dict.fromkeys(named)]


_ROLES: Final = ("FeedbackRoleArn", "SubscriptionRoleArn", "DeliveryStatusIAMRole")

OVERLAY = Overlay(
    members={"TopicName": "TopicArn|Name"},
    keys={"sns:endpoint": "Endpoint", "sns:protocol": "Protocol"},
    rules={"Publish": _published, "PublishBatch": _published},
    tags_with={"CreateTopic": "TagResource"},
    besides=_besides,
)
