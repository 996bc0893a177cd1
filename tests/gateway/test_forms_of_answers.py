"""What is no call or no answer of its service is told in that service's own form; what failed behind is not denied."""

from __future__ import annotations

import json

import pytest
from door_lab import PEOPLE, client, refused, send, signed

from sts_emulator import Aws

pytestmark = pytest.mark.scenario(PEOPLE)

FORM = {"Content-Type": "application/x-www-form-urlencoded"}
TARGETS = {
    "dynamodb": ("DynamoDB_20120810", "1.0"),
    "sqs": ("AmazonSQS", "1.0"),
    "kms": ("TrentService", "1.1"),
    "secretsmanager": ("secretsmanager", "1.1"),
}


def call(lab: Aws, service: str, operation: str, content: object) -> tuple[int, dict]:
    """The answer to a call in JSON, whatever its content is."""
    prefix, version = TARGETS[service]
    headers = {"X-Amz-Target": f"{prefix}.{operation}", "Content-Type": f"application/x-amz-json-{version}"}
    status, told = send(signed(lab, "POST", "/", json.dumps(content).encode(), service, **headers))
    return status, json.loads(told)


# -- operations that there are not -------------------------------------------------------------------------------------


@pytest.mark.parametrize("service", ["sqs", "sns"])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_an_unknown_action_is_told_in_xml(lab: Aws, service, method):
    form = "Action=Nope&Version=2012-11-05"
    if method == "GET":
        status, told = send(signed(lab, "GET", f"/?{form}", service=service))
    else:
        status, told = send(signed(lab, "POST", "/", form.encode(), service, **FORM))
    assert (status, "<Code>InvalidAction</Code>" in told) == (400, True)
    assert "<Message>The action Nope is not valid for this endpoint.</Message>" in told


def test_an_unknown_target_is_told_in_json(lab: Aws):
    status, told = call(lab, "dynamodb", "Nope", {})
    assert (status, told["__type"]) == (400, "UnknownOperationException")


# -- values of another type --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("service", "operation", "content"),
    [
        ("dynamodb", "GetItem", {"TableName": "t", "Key": "k"}),
        ("dynamodb", "GetItem", {"TableName": 5, "Key": {"id": {"S": "1"}}}),
        ("dynamodb", "GetItem", {"TableName": "t", "Key": {"id": {"S": 1}}}),
        ("dynamodb", "GetItem", {"TableName": "t", "Key": {"id": {"S": "1"}}, "ConsistentRead": "perhaps"}),
        ("dynamodb", "ListTables", {"Limit": "many"}),
        ("dynamodb", "BatchWriteItem", {"RequestItems": {"t": {"PutRequest": {}}}}),
        ("sqs", "ReceiveMessage", {"QueueUrl": "q", "MaxNumberOfMessages": [1]}),
        ("kms", "ListKeys", {"Limit": 1.5}),
    ],
)
def test_a_value_of_another_type_is_no_call(lab: Aws, service, operation, content):
    status, told = call(lab, service, operation, content)
    assert (status, told["__type"]) == (400, "SerializationException")


@pytest.mark.parametrize(
    ("service", "operation", "content", "code", "path"),
    [
        ("dynamodb", "GetItem", {"TableName": None, "Key": {}}, "ValidationException", "'tableName'"),
        (
            "dynamodb",
            "CreateTable",
            {"TableName": "t", "KeySchema": [{"AttributeName": "a", "KeyType": "HASH"}, {"KeyType": "RANGE"}]},
            "ValidationException",
            "'keySchema.2.member.attributeName'",
        ),
        ("secretsmanager", "GetSecretValue", {}, "ValidationException", "'secretId'"),
        ("sqs", "SendMessage", {"MessageBody": "x"}, "MissingParameter", "parameter QueueUrl."),
    ],
)
def test_what_a_call_cannot_be_without_is_named(lab: Aws, service, operation, content, code, path):
    status, told = call(lab, service, operation, content)
    assert (status, told["__type"], path in told["message"]) == (400, code, True)


@pytest.mark.usefixtures("photos")
def test_a_number_in_a_query_is_one(lab: Aws):
    status, told = send(signed(lab, "GET", "/photos/ann/1?partNumber=abc"))
    assert (status, "<Code>InvalidArgument</Code>" in told) == (400, True)
    assert "<ArgumentName>partNumber</ArgumentName><ArgumentValue>abc</ArgumentValue>" in told
    status, told = send(signed(lab, "GET", "/2015-03-31/functions/?MaxItems=abc", service="lambda"))
    assert (status, "STRING_VALUE" in told) == (400, True)


@pytest.mark.usefixtures("photos")
@pytest.mark.parametrize("path", ["/photos?delete", "/photos/ann/1?select&select-type=2"])
def test_a_body_that_must_be_there_is_missed(lab: Aws, path):
    status, told = send(signed(lab, "POST", path, user=""))
    assert (status, "<Code>MissingRequestBodyError</Code>" in told) == (400, True)


def test_a_call_in_json_without_a_body_lacks_what_it_must_have(lab: Aws):
    status, told = send(signed(lab, "POST", "/2015-03-31/functions", service="lambda", user=""))
    assert (status, "functionName" in told) == (400, True)


def test_xml_without_what_it_must_have_is_malformed(lab: Aws, photos):
    status, told = send(signed(lab, "POST", "/photos?delete", b"<Delete></Delete>"))
    assert (status, "<Code>MalformedXML</Code>" in told) == (400, True)
    assert photos.list_objects_v2(Bucket="photos")["KeyCount"] == 0


@pytest.mark.usefixtures("photos")
@pytest.mark.parametrize("path", ["/photos?prefix=%FF", "/photos/ann/%FF", "/photos?prefix=%C3"])
def test_what_is_no_text_is_no_uri(lab: Aws, path):
    status, told = send(signed(lab, "GET", path))
    assert (status, "<Code>InvalidURI</Code>" in told) == (400, True)


# -- tokens and headers -------------------------------------------------------------------------------------------------


def test_a_token_that_is_none_is_told_in_the_words_of_s3(lab: Aws):
    junk = {"AccessKeyId": lab.root["access_key_id"], "SecretAccessKey": "x" * 40, "SessionToken": "junk"}
    answer = refused(lab.client("s3", junk).list_buckets)
    assert answer["Error"]["Code"] == "InvalidToken"
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 400
    assert refused(lab.client("dynamodb", junk).list_tables)["Error"]["Code"] == "UnrecognizedClientException"


def test_headers_of_a_write_have_an_end(lab: Aws, photos):
    answer = refused(photos.put_object, Bucket="photos", Key="1", Body=b"x", Metadata={"note": "x" * 2_045})
    assert answer["Error"]["Code"] == "MetadataTooLarge"
    assert (answer["Error"]["Size"], answer["Error"]["MaxSizeAllowed"]) == ("2049", "2048")
    photos.put_object(Bucket="photos", Key="1", Body=b"x", Metadata={"note": "x" * 2_044})
    status, told = send(signed(lab, "PUT", "/photos/ann/1", b"x", **{"Content-Disposition": "x" * 8_192}))
    assert (status, "<Code>RequestHeaderSectionTooLarge</Code>" in told) == (400, True)


# -- answers that are none ------------------------------------------------------------------------------------------------

PAGE = b"<!doctype html><title>500</title>" + b"It has failed inside"
CALLS = [
    ("s3", "list_objects_v2", {"Bucket": "photos"}),
    ("dynamodb", "list_tables", {}),
    ("sns", "list_topics", {}),
    ("lambda", "list_functions", {}),
]


def answer_of(status: str, kind: str, body: bytes) -> bytes:
    return f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body


@pytest.mark.parametrize("status", ["200 OK", "404 Not Found", "500 Internal Server Error"])
@pytest.mark.parametrize(("service", "call", "parameters"), CALLS)
def test_a_page_is_no_answer(upstream, before_it, status, service, call, parameters):
    upstream.answer = answer_of(status, "text/html", PAGE)
    answer = refused(getattr(client(before_it, service), call), **parameters)
    assert (answer["ResponseMetadata"]["HTTPStatusCode"], answer["Error"]["Code"]) == (502, "BadGateway")
    assert f"in no form of {service}" in answer["Error"]["Message"]


def test_an_object_may_be_a_page(photos):
    photos.put_object(Bucket="photos", Key="index.html", Body=PAGE, ContentType="text/html")
    assert photos.get_object(Bucket="photos", Key="index.html")["Body"].read() == PAGE


def test_what_fails_behind_the_door_is_not_denied(lab: Aws, photos):
    refused(photos.get_object, Bucket="photos", Key="none")
    refused(client(lab, "s3", "bob").get_object, Bucket="photos", Key="none")
    behind, denied = [event["additionalEventData"] for event in lab.events()[-2:]]
    assert (behind["outcome"], behind["told"]["code"]) == ("failed", "UpstreamError")
    assert (denied["outcome"], denied["told"]["code"]) == ("denied", "AccessDenied")
