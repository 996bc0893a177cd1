"""CloudWatch Logs: groups, streams, and what else has a name or an ARN.

A denial of an action on a group names `log-group:NAME:log-stream:`, so that `NAME:*` covers it and `NAME` does not.
Source: docs/aws/s3-and-gateway.md, "Resources as denials name them".
"""

from __future__ import annotations

from typing import Final

from sts_emulator.gateway import parameters as read
from sts_emulator.gateway.call import Need
from sts_emulator.gateway.overlay import Overlay, Question

_GROUPS: Final = "logGroupName|logGroupIdentifier|logGroupNames|logGroupIdentifiers|logGroupArnList|resourceIdentifier"
_OF_GROUPS: Final = (
    *(
        "AssociateKmsKey",
        "CreateExportTask",
        "CreateLogAnomalyDetector",
        "CreateLogGroup",
        "DeleteDataProtectionPolicy",
    ),
    *("DeleteLogGroup", "DeleteMetricFilter", "DeleteRetentionPolicy", "DeleteSubscriptionFilter"),
    *(
        "DeleteSyslogConfiguration",
        "PutSyslogConfiguration",
        "DeleteTransformer",
        "DescribeLogStreams",
        "DescribeMetricFilters",
        "DescribeSubscriptionFilters",
    ),
    *("DisassociateKmsKey", "FilterLogEvents", "GetDataProtectionPolicy", "GetLogGroupFields", "GetTransformer"),
    *("ListTagsLogGroup", "PutBearerTokenAuthentication", "PutDataProtectionPolicy"),
    *("PutLogGroupDeletionProtection", "PutMetricFilter", "PutRetentionPolicy", "PutSubscriptionFilter"),
    *("PutTransformer", "StartLiveTail", "StartQuery", "TagLogGroup", "UntagLogGroup"),
)
_OF_STREAMS: Final = ("CreateLogStream", "DeleteLogStream", "GetLogEvents", "PutLogEvents")


_OF_QUERIES: Final = "|".join(
    ("executionRoleArn", *(f"destinationConfiguration.{kind}Configuration.roleArn" for kind in ("s3", "lookupTable")))
)
"""Where a scheduled query names the roles that it goes by."""


def _group(question: Question, name: str) -> str:
    """The ARN of a group, which calls name by itself or by its ARN, with or without `:*`."""
    return name.removesuffix(":*") if name.startswith("arn:") else question.arn("log-group", LogGroupName=name or "*")


def _on_groups(question: Question) -> list[Need]:
    names = read.at(question.call.parameters, _GROUPS) or ("",)
    return [question.need(question.call.operation, f"{_group(question, name)}:log-stream:") for name in names]


def _on_stream(question: Question) -> list[Need]:
    names, stream = read.at(question.call.parameters, _GROUPS) or ("",), question.first("logStreamName") or "*"
    arns = [f"{_group(question, name)}:log-stream:{stream}" for name in names]
    return [question.need(question.call.operation, arn) for arn in arns]


def _subscribed(question: Question) -> list[Need]:
    """A subscription needs the destination too, if it is one of Logs; a role that it goes by is passed on."""
    target = question.first("destinationArn")
    needs = _on_groups(question)
    return [*needs, question.need("PutSubscriptionFilter", target)] if ":destination:" in target else needs


def _sourced(question: Question) -> list[Need]:
    """The `resourceArn` of a delivery's source is what sends the logs, and no resource of Logs."""
    return [
        question.need(
            "PutDeliverySource", question.arn("delivery-source", DeliverySourceName=question.first("name") or "*")
        )
    ]


OVERLAY = Overlay(
    members={
        "DeliveryDestinationName": "deliveryDestinationArn|deliveryDestinationName|name",
        "DeliverySourceName": "deliverySourceName|name",
        "DeliveryName": "id",
        "DestinationName": "destinationName",
        "DetectorId": "anomalyDetectorArn",
        "ScheduledQueryId": "identifier",
        "LookupTableName": "lookupTableArn|lookupTableName",
    },
    on={"DeleteDeliverySource": ("delivery-source",)},  # the dataset has the destination
    rules={
        **dict.fromkeys(_OF_GROUPS, _on_groups),
        **dict.fromkeys(_OF_STREAMS, _on_stream),
        "PutSubscriptionFilter": _subscribed,
        "PutDeliverySource": _sourced,
    },
    passes={
        **dict.fromkeys(("PutDestination", "PutSubscriptionFilter"), ("roleArn", "logs.amazonaws.com")),
        **dict.fromkeys(("CreateScheduledQuery", "UpdateScheduledQuery"), (_OF_QUERIES, "logs.amazonaws.com")),
    },
    tags_with={"CreateLogGroup": "TagResource"},
)
