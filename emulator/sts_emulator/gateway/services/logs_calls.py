"""CloudWatch Logs: groups, streams, and what else has a name or an ARN.

A denial of an action on a group names `log-group:NAME:log-stream:`, so that `NAME:*` covers it and `NAME` does not.
Source: docs/aws/s3-and-gateway.md, "Resources as denials name them".
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Final

from sts_emulator.gateway import parameters as read
from sts_emulator.gateway.call import Need
from sts_emulator.gateway.overlay import Overlay, Question, Rule

_GROUPS: Final = "logGroupName|logGroupIdentifier|logGroupNames|logGroupIdentifiers|logGroupArnList|resourceIdentifier"
_OF_GROUPS: Final = (
    *("AssociateKmsKey", "CreateExportTask", "CreateLogAnomalyDetector", "CreateLogGroup"),
    "DeleteDataProtectionPolicy",
    *("DeleteLogGroup", "DeleteMetricFilter", "DeleteRetentionPolicy", "DeleteSubscriptionFilter"),
    *("DeleteSyslogConfiguration", "PutSyslogConfiguration", "DeleteTransformer"),
    *("DescribeLogStreams", "DescribeMetricFilters", "DescribeSubscriptionFilters"),
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
    return question.on(*(f"{_group(question, name)}:log-stream:" for name in names))


def _on_stream(question: Question) -> list[Need]:
    names, stream = read.at(question.call.parameters, _GROUPS) or ("",), question.first("logStreamName") or "*"
    return question.on(*(f"{_group(question, name)}:log-stream:{stream}" for name in names))


def _subscribed(question: Question) -> list[Need]:
    """A subscription needs the destination too, if it is one of Logs; a role that it goes by is passed on."""
    target = question.first("destinationArn")
    needs = _on_groups(question)
    return [*needs, question.need("PutSubscriptionFilter", target)] if ":destination:" in target else needs


def _unmasked(rule: Rule) -> Rule:
    """Who wants to see what is masked needs the permission (API Reference, "PutAccountPolicy")."""

    def needs(question: Question) -> list[Need]:
        usual, shown = [*rule(question)], question.first("unmask") == "true"
        return [*usual, *(question.need("Unmask", need.resource) for need in usual if shown)]

    return needs


def _of_account(question: Question) -> list[Need]:
    """A policy of the account needs what a group's of that kind does, on every group (API Reference, each operation).

    A filter that sends its events elsewhere passes a role on.
    """
    call, kind = question.call, question.first("policyType")
    actions = (*_OF_ACCOUNT[call.operation].get(kind, ()), call.operation)
    needs = [need for action in actions for need in question.needs(action)]
    role = _role_in(question.first("policyDocument")) if call.operation == "PutAccountPolicy" else ""
    return [*needs, question.passed(role, "logs.amazonaws.com")] if role else needs


def _role_in(text: str) -> str:
    try:
        return read.first(json.loads(text), "RoleArn")
    except (ValueError, RecursionError):
        return ""  # no document: the upstream refuses it


def _sourced(question: Question) -> list[Need]:
    """The `resourceArn` of a delivery's source is what sends the logs, and no resource of Logs."""
    return question.on(question.arn("delivery-source", DeliverySourceName=question.first("name") or "*"))


_KINDS: Final = {  # of an account's policies, with the name of their actions
    "DATA_PROTECTION_POLICY": "DataProtectionPolicy",
    "SUBSCRIPTION_FILTER_POLICY": "SubscriptionFilter",
    "TRANSFORMER_POLICY": "Transformer",
    "FIELD_INDEX_POLICY": "IndexPolicy",
    "RETENTION_POLICY": "RetentionPolicy",
}
_OF_ACCOUNT: Final[Mapping[str, Mapping[str, tuple[str, ...]]]] = {
    "PutAccountPolicy": {
        **{kind: (f"Put{name}",) for kind, name in _KINDS.items()},
        "METRIC_EXTRACTION_POLICY": ("PutMetricExtractionPolicy",),
    },
    "DeleteAccountPolicy": {kind: (f"Delete{name}",) for kind, name in _KINDS.items()},
    "DescribeAccountPolicies": {
        "DATA_PROTECTION_POLICY": ("GetDataProtectionPolicy",),
        "SUBSCRIPTION_FILTER_POLICY": ("DescribeSubscriptionFilters",),
        "TRANSFORMER_POLICY": ("GetTransformer",),
        "FIELD_INDEX_POLICY": ("DescribeIndexPolicies",),
    },
}

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
        **dict.fromkeys(_OF_ACCOUNT, _of_account),
        "FilterLogEvents": _unmasked(_on_groups),
        "GetLogEvents": _unmasked(_on_stream),
        "GetLogRecord": _unmasked(
            lambda question: question.needs("GetLogRecord")
        ),  # its pointer does not tell its group
        "PutSubscriptionFilter": _subscribed,
        "PutDeliverySource": _sourced,
    },
    passes={
        "CreateImportTask": ("importRoleArn", "logs.amazonaws.com"),
        **dict.fromkeys(
            ("PutDeliveryDestination", "PutDestination", "PutSubscriptionFilter"), ("roleArn", "logs.amazonaws.com")
        ),
        "PutIntegration": ("resourceConfig.openSearchResourceConfig.dataSourceRoleArn", "logs.amazonaws.com"),
        **dict.fromkeys(("CreateScheduledQuery", "UpdateScheduledQuery"), (_OF_QUERIES, "logs.amazonaws.com")),
    },
    tags_with={"CreateLogGroup": "TagResource"},
)
