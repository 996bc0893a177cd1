"""Every operation of every service that is served, called through boto3: each leaves a record that a strict reader takes.

The members and their types are docs/aws/cloudtrail.md's; whether the call is allowed, refused or makes sense is no matter.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import cache

import pytest
from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from botocore.model import Shape

from sts_emulator.app import modules_by_service
from sts_emulator.wire import dispatch

IN_NO_SDK = {"CreateSession"}  # of Roles Anywhere
HIDDEN = "HIDDEN_DUE_TO_SECURITY_REASONS"  # what CloudTrail writes for a secret that a caller sent
IDENTITIES = {
    *("IAMUser", "Root", "AssumedRole", "FederatedUser", "AWSAccount", "AWSService", "WebIdentityUser", "SAMLUser"),
    *("IdentityCenterUser", "Unknown"),
}
MEMBERS = {
    *("eventVersion", "userIdentity", "eventTime", "eventSource", "eventName", "awsRegion", "sourceIPAddress"),
    *("userAgent", "errorCode", "errorMessage", "requestParameters", "responseElements", "additionalEventData"),
    *("requestID", "eventID", "readOnly", "resources", "eventType", "apiVersion", "managementEvent"),
    *("recipientAccountId", "sharedEventID", "eventCategory", "tlsDetails", "sessionCredentialFromConsole"),
    *("serviceEventDetails", "vpcEndpointId", "addendum", "edgeDeviceDetails"),
}
UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
NEVER = {"secretaccesskey", "privatekeybody", "privatekey", "clientsecret", "password"}
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
DEEPEST = 6


@cache
def served() -> dict[str, list[str]]:
    """The operations that a function carries out, by service."""
    dispatch.register_modules(modules_by_service())
    return {
        service: [name for name in names if dispatch.find(service, name)]
        for service, names in dispatch.operations().items()
    }


@pytest.mark.parametrize("service", sorted(served()))
def test_each_leaves_a_record_that_a_strict_reader_takes(aws, service):
    config = Config(parameter_validation=False, retries={"total_max_attempts": 1})
    if service == "account-access-runtime":  # boto3 sends no bearer token over http
        config = config.merge(Config(signature_version=UNSIGNED))
    client = aws.client(service, config=config)
    client.meta.events.register("before-call.signin", lambda params, **_: lead(aws, params))
    called = set()
    for name, operation in calls(client):
        if name in served()[service]:
            with contextlib.suppress(ClientError, BotoCoreError):
                client._make_api_call(name, plausible(operation.input_shape) if operation.input_shape else {})
            called.add(name)

    records = [record for record in aws.events() if record["eventName"] in called]

    assert {record["eventName"] for record in records} == called
    assert called == set(served()[service]) - IN_NO_SDK
    for record in records:
        assert complaints(record) == [], record


def lead(aws, params: dict) -> None:
    """By hand: botocore's rules give some operations of sign-in an address that no setting overrules."""
    params["url"] = f"{aws.endpoint_url}{params['url_path']}"


def calls(client) -> Iterator:
    model = client.meta.service_model
    return ((name, model.operation_model(name)) for name in model.operation_names)


def plausible(shape: Shape, depth: int = 0):
    """The least value of a shape: required members only, and texts as short as the model lets them be."""
    least = max(1, shape.metadata.get("min", 1))
    if shape.type_name == "structure":
        names = shape.required_members if depth < DEEPEST else ()
        return {name: plausible(shape.members[name], depth + 1) for name in names}
    if shape.type_name == "list":
        return [plausible(shape.member, depth + 1)] * least
    if shape.type_name == "map":
        return {plausible(shape.key, depth + 1): plausible(shape.value, depth + 1)}
    if shape.type_name == "string":
        return next(iter(shape.enum), "x" * least)
    simple = {"boolean": False, "timestamp": datetime(2026, 11, 1, tzinfo=UTC), "blob": b"x" * least}
    return simple.get(shape.type_name, least)


def complaints(record: dict) -> list[str]:
    """What a strict reader of CloudTrail's records would not take."""
    return [sentence for sentence, holds in RULES.items() if not holds(record)]


RULES = {
    "has members that CloudTrail has not": lambda record: set(record) <= MEMBERS,
    "has an identity of no known type": lambda record: record["userIdentity"]["type"] in IDENTITIES,
    "has ids that are none": lambda record: UUID.fullmatch(record["eventID"]) and UUID.fullmatch(record["requestID"]),
    "has one id for the event and the request": lambda record: record["eventID"] != record["requestID"],
    "does not say whether it reads": lambda record: isinstance(record["readOnly"], bool),
    "has half an error": lambda record: ("errorCode" in record) is ("errorMessage" in record),
    "has a time that is none": lambda record: TIME.fullmatch(record["eventTime"]),
    "has an error with a response": lambda record: "errorCode" not in record or record["responseElements"] is None,
    "has no parameters, and not null": lambda record: record["requestParameters"] != {},
    "tells a secret": lambda record: (
        not any(name.lower() in NEVER and value != HIDDEN for name, value in members_of(shown(record)))
    ),
    "has members in capitals": lambda record: (
        not any(name[:1].isupper() for part in shown(record) for name in part or ())
    ),
}


def shown(record: dict) -> list:
    return [record["requestParameters"], record["responseElements"]]


def members_of(value) -> Iterator[tuple[str, object]]:
    """The name and value of every member within a value."""
    if isinstance(value, dict):
        yield from value.items()
    for member in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from members_of(member)
