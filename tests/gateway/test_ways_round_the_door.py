"""Requests that the door and its upstream might read in two ways, each tried at moto itself."""

from __future__ import annotations

import gzip
import json
import struct
import zlib

import pytest
from door_lab import MINE, PEOPLE, client, refused, send, signed, written

from sts_emulator import Aws

pytestmark = pytest.mark.scenario(PEOPLE)

FORM = {"Content-Type": "application/x-www-form-urlencoded"}
JSON = {"Content-Type": "application/x-amz-json-1.0", "X-Amz-Target": "AmazonSQS.ListQueues"}


@pytest.mark.parametrize(
    ("service", "body", "headers"),
    [
        ("sqs", b"{}", JSON),
        ("sqs", b"Action=ListQueues&Version=2012-11-05", FORM),
        ("sns", b"Action=ListTopics&Version=2010-03-31", FORM),
    ],
)
@pytest.mark.parametrize("path", ["/moto-api/reset", "/_localstack/state/reset", "/other"])
def test_who_runs_the_upstream_is_not_asked_through_the_door(lab: Aws, photos, service, body, headers, path):
    """moto forgets everything at a POST to one of its paths."""
    photos.put_object(Bucket="photos", Key="1", Body=b"x")
    assert send(signed(lab, "POST", path, body, service, **headers))[0] in (400, 404)
    assert photos.list_objects_v2(Bucket="photos")["KeyCount"] == 1


@pytest.mark.parametrize("path", ["/moto-api/data.json", "/moto-api/", "/_localstack/health", "/minio/health/live"])
def test_a_path_of_the_upstreams_own_is_no_bucket(lab: Aws, path):
    status, told = send(signed(lab, "GET", path, user=""))
    assert (status, "<Code>InvalidBucketName</Code>" in told) == (400, True)


@pytest.mark.parametrize(("service", "body"), [("sns", b"Action=ListTopics"), ("dynamodb", b"{}"), ("sqs", b"{}")])
@pytest.mark.parametrize("kind", ["text/plain", "application/json", "multipart/form-data; boundary=x"])
def test_a_call_that_names_no_operation_is_none(lab: Aws, service, body, kind):
    status, told = send(signed(lab, "POST", "/", body, service, user="", **{"Content-Type": kind}))
    assert (status, "UnknownOperationException" in told) == (404, True)


LOOKING = """
accounts:
  "111122223333":
    users:
      ann:
        inline:
          looks:
            - Effect: Allow
              Action: ["sns:ListTopics", "sqs:ListQueues", "dynamodb:GetItem", "kms:ListKeys", "lambda:GetFunction", "lambda:InvokeFunction"]
              Resource: "*"
"""
MULTIPART = b'--b\r\nContent-Disposition: form-data; name="%b"\r\n\r\n%b\r\n'
LISTED = "Action=ListTopics&Version=2010-03-31"


@pytest.mark.scenario(LOOKING)
@pytest.mark.parametrize(
    ("method", "query", "kind"),
    [
        *((method, f"?{LISTED}", FORM["Content-Type"]) for method in ("GET", "PUT", "DELETE", "PATCH")),
        ("POST", f"?{LISTED}", "text/plain"),
        ("POST", f"?{LISTED}", "multipart/form-data; boundary=b"),
        ("POST", "?TopicArn=x", FORM["Content-Type"]),
    ],
)
def test_a_form_is_all_that_a_call_says(lab: Aws, method, query, kind):
    """moto reads a form first, whatever the method; and a body that is none where there is no query."""
    sns = client(lab, "sns")
    topic = sns.create_topic(Name="news")["TopicArn"].encode()
    said = {b"Action": b"DeleteTopic", b"TopicArn": topic, b"Extra": b"1"}
    form = b"&".join(b"%b=%b" % pair for pair in said.items())
    body = b"".join(MULTIPART % pair for pair in said.items()) + b"--b--\r\n" if "multipart" in kind else form
    status, told = send(signed(lab, method, f"/{query}", body, "sns", **{"Content-Type": kind}))
    assert (status, "two ways" in told) == (400, True)
    assert len(sns.list_topics()["Topics"]) == 1


@pytest.mark.scenario(LOOKING)
def test_a_form_is_not_unpacked_on_the_way(lab: Aws):
    """Its first line may be the comment of something packed, which says another thing; moto unpacks what is said to be so."""
    sns = client(lab, "sns")
    topic = sns.create_topic(Name="news")["TopicArn"]
    for number in range(50):
        said = f"Action=DeleteTopic&Version=2010-03-31&TopicArn={topic}&Number={number}".encode()
        packer = zlib.compressobj(wbits=-15)
        packed = packer.compress(said) + packer.flush() + struct.pack("<II", zlib.crc32(said), len(said))
        body = b"\x1f\x8b\x08\x10\0\0\0\0\0\3&" + LISTED.encode() + b"&x=\0" + packed
        if b"%" not in body and body.count(b"&") == 3:
            break
    assert gzip.decompress(body) == said
    headers = {**FORM, "Content-Encoding": "gzip"}
    assert "DeleteTopic" not in send(signed(lab, "POST", "/", body, "sns", **headers))[1]
    assert len(sns.list_topics()["Topics"]) == 1


@pytest.mark.scenario(LOOKING)
def test_no_action_is_found_in_json(lab: Aws):
    """moto takes a body for a form, whatever it is said to be, and what it calls Action is done."""
    queues, tables, keys = (client(lab, service) for service in ("sqs", "dynamodb", "kms"))
    queue = queues.create_queue(QueueName="jobs")["QueueUrl"]
    attribute = {"AttributeName": "id"}
    tables.create_table(
        TableName="notes",
        KeySchema=[{**attribute, "KeyType": "HASH"}],
        AttributeDefinitions=[{**attribute, "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    key = keys.create_key()["KeyMetadata"]["KeyId"]
    for service, target, said in (
        ("sqs", "AmazonSQS.ListQueues", {"QueueUrl": queue, "QueueNamePrefix": "&Action=DeleteQueue&"}),
        (
            "dynamodb",
            "DynamoDB_20120810.GetItem",
            {"TableName": "notes", "Key": {"id": {"S": "&%41ction=DeleteTable&"}}},
        ),
        ("kms", "TrentService.ListKeys", {"KeyId": key, "Marker": "&Action=DisableKey&"}),
    ):
        headers = {"Content-Type": "application/x-amz-json-1.1", "X-Amz-Target": target}
        send(signed(lab, "POST", "/", json.dumps(said).encode(), service, **headers))
        asked = signed(lab, "POST", "/?Action=DeleteQueue&QueueUrl=x", b"{}", service, **headers)
        assert "two ways" in send(asked)[1]
    assert queues.list_queues()["QueueUrls"] == [queue]
    assert tables.list_tables()["TableNames"] == ["notes"]
    assert keys.describe_key(KeyId=key)["KeyMetadata"]["Enabled"]
    item = {"id": {"S": "a&b=c"}, "&": {"S": "&amp;\\&"}}
    tables.put_item(TableName="notes", Item=item)
    assert tables.get_item(TableName="notes", Key={"id": item["id"]})["Item"] == item


@pytest.mark.scenario(LOOKING)
@pytest.mark.parametrize("kind", ["application/json", *FORM.values(), "multipart/form-data; boundary=b"])
def test_a_function_is_given_what_it_is_given(upstream, before_it, kind):
    """Its payload may be anything: it is no form where it goes, and no query that could be taken for another call goes."""
    upstream.answer = written(b"{}", b"application/json")
    given = b"Action=DeleteFunction&FunctionName=greet"
    path = "/2015-03-31/functions/greet"
    send(signed(before_it, "POST", f"{path}/invocations?Action=x", given, "lambda", user="", **{"Content-Type": kind}))
    send(signed(before_it, "GET", f"{path}?Action=DeleteFunction&Qualifier=1", service="lambda", user=""))
    invoked, asked = [heard for heard in upstream.heard if b"/policy" not in heard]
    assert invoked.startswith(f"POST {path}/invocations?x-id=Invoke HTTP/1.1\r\n".encode())
    assert invoked.endswith(b"\r\n\r\n" + given)
    assert (b"content-type" in invoked.lower()) is (kind == "application/json")
    assert asked.startswith(f"GET {path}?Qualifier=1 HTTP/1.1\r\n".encode())


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/2015-03-31/functions/greet%2Fpolicy"),
        ("DELETE", "/2015-03-31/functions/greet%2Fconcurrency"),
        ("GET", "/2015-03-31/functions/greet%5Cpolicy"),
        ("GET", "/2015-03-31/functions/g%2572eet"),
    ],
)
def test_a_name_with_a_slash_is_not_another_path(lab: Aws, method, path):
    status, told = send(signed(lab, method, path, service="lambda"))
    assert (status, "two ways" in told) == (400, True)


def test_only_an_execution_has_a_name_with_slashes(upstream, before_it):
    """Its ARN stands in the path; whoever writes less or more of it may mean another path."""
    upstream.answer = written(b"{}", b"application/json")
    ann = client(before_it, "lambda", "ann")
    execution = f"arn:aws:lambda:us-east-1:{MINE}:function:waits:1/durable-execution/a/b"
    for verb in ("get", "stop", "pause", "resume", "delete"):
        getattr(ann, f"{verb}_durable_execution")(DurableExecutionArn=execution)
    assert before_it.events()[-1]["eventName"].startswith("DeleteDurableExecution")
    assert sum(b"/functions/waits/policy?Qualifier=1 " in heard for heard in upstream.heard) == 1
    for name in (f"{execution}/stop", execution.removesuffix("/b"), f"x/{execution}", execution.replace("a/", "../")):
        answer = refused(ann.get_durable_execution, DurableExecutionArn=name)
        assert "two ways" in answer["Error"]["Message"]
    bob = client(before_it, "lambda", "bob")
    message = refused(bob.pause_durable_execution, DurableExecutionArn=execution)["Error"]["Message"]
    assert f"is not authorized to perform: lambda:PauseDurableExecution on resource: {execution} " in message


DOTS = ["ann/../bob/1", "ann/./1", "ann/..", "../photos/bob/1", "ann\\..\\bob"]


@pytest.mark.parametrize("key", DOTS)
def test_a_step_upwards_is_no_key_anywhere(lab: Aws, photos, key):
    """Not where a copy comes from, nor in the list of a batch: upstreams may keep objects as files."""
    photos.put_object(Bucket="photos", Key="bob/1", Body=b"secret")
    for source in (f"photos/{key}", f"/photos/{key}".replace(".", "%2E")):
        status, told = send(signed(lab, "PUT", "/photos/ann/1", **{"x-amz-copy-source": source}))
        assert (status, "<Code>InvalidURI</Code>" in told) == (400, True)
    body = f"<Delete><Object><Key>{key}</Key></Object></Delete>".encode()
    status, told = send(signed(lab, "POST", "/photos?delete", body))
    assert (status, "<Code>InvalidURI</Code>" in told) == (400, True)
    assert [thing["Key"] for thing in photos.list_objects_v2(Bucket="photos")["Contents"]] == ["bob/1"]


@pytest.mark.parametrize(
    ("source", "read"),
    [
        ("photos/ann/a+b", "photos/ann/a%2Bb"),
        ("/photos/ann/a%20b", "/photos/ann/a%20b"),
        ("photos/ann/1?x=1", "photos/ann/1%3Fx%3D1"),
        ("photos/ann/%C3%BC?versionId=v1", "photos/ann/%C3%BC?versionId=v1"),
    ],
)
def test_a_source_is_written_in_one_way(upstream, before_it, source, read):
    """What was decided on is what the upstream is told."""
    send(signed(before_it, "PUT", "/photos/ann/1", user="", **{"x-amz-copy-source": source}))
    head = next(heard for heard in upstream.heard if heard.startswith(b"PUT")).decode()
    assert f"x-amz-copy-source: {read}\r\n" in head


def test_a_query_holds_what_s3_knows(upstream, before_it):
    """An upstream may have operations of its own: `?events` makes another of MinIO's lists."""
    send(signed(before_it, "GET", "/photos?list-type=2&prefix=a%20b%2B&events=x&ping=1&fetch-owner=", user=""))
    line = next(heard for heard in upstream.heard if b"list-type" in heard).partition(b"\r\n")[0]
    assert line == b"GET /photos?list-type=2&prefix=a%20b%2B&fetch-owner= HTTP/1.1"


def test_a_header_is_not_another_with_a_hyphen(upstream, before_it):
    """Servers that fold `_` and `-` would take the one for the other; metadata may have either."""
    names = {"x-amz-copy_source": "/photos/bob/1", "x-amz-grant_read": "id=x", "x-amz-meta-a_b": "kept"}
    assert send(signed(before_it, "PUT", "/photos/ann/1", b"x", **names))[0] == 200
    head = next(heard for heard in upstream.heard if heard.startswith(b"PUT")).decode().lower()
    assert "x-amz-copy_source" not in head
    assert "x-amz-grant_read" not in head
    assert "x-amz-meta-a_b: kept" in head


@pytest.mark.parametrize(
    "listed", ["'x FROM users WHERE y'", "'SELECT users WHERE y'", "a WHERE users", "a, SELECT users"]
)
def test_a_statement_reads_the_table_that_was_decided_on(lab: Aws, listed):
    """moto splits statements at its words, wherever they stand."""
    root = client(lab, "dynamodb")
    for table in ("games", "users"):
        key = {"AttributeName": "name"}
        root.create_table(
            TableName=table,
            KeySchema=[{**key, "KeyType": "HASH"}],
            AttributeDefinitions=[{**key, "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )
        root.put_item(TableName=table, Item={"name": {"S": f"of {table}"}})
    policy = {"Effect": "Allow", "Action": "dynamodb:*", "Resource": f"arn:aws:dynamodb:us-east-1:{MINE}:table/games"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [policy]})
    client(lab, "iam").put_user_policy(UserName="bob", PolicyName="games", PolicyDocument=document)
    bob = client(lab, "dynamodb", "bob")
    assert bob.execute_statement(Statement="SELECT * FROM games")["Items"] == [{"name": {"S": "of games"}}]
    told = refused(bob.execute_statement, Statement=f"SELECT {listed} FROM games")
    assert told["Error"]["Code"] == "AccessDeniedException"


@pytest.mark.parametrize(
    ("service", "call", "parameters"),
    [
        (
            "secretsmanager",
            "get_secret_value",
            {"SecretId": f"arn:aws:secretsmanager:us-east-1:{MINE}:secret:a:secret:db"},
        ),
        (
            "secretsmanager",
            "get_secret_value",
            {"SecretId": f"arn:aws:secretsmanager:eu-west-1:{MINE}:secret:db-abcdef"},
        ),
        ("secretsmanager", "get_secret_value", {"SecretId": f"arn:aws:secretsmanager:eu-west-1:{MINE}:secret:db"}),
        ("kms", "describe_key", {"KeyId": f"arn:aws:kms:us-east-1:{MINE}:key/a:key/b"}),
        ("dynamodb", "scan", {"TableName": f"arn:aws:dynamodb:us-east-1:{MINE}:table/a/b"}),
        ("kinesis", "describe_stream", {"StreamARN": f"arn:aws:kinesis:us-east-1:{MINE}:stream/a/b"}),
        ("sns", "publish", {"TopicArn": f"arn:aws:sns:us-east-1:{MINE}:a:b", "Message": "x"}),
        ("ssm", "get_parameter", {"Name": f"arn:aws:ssm:eu-west-1:{MINE}:parameter/a"}),
        ("logs", "filter_log_events", {"logGroupIdentifier": f"arn:aws:logs:us-east-1:{MINE}:log-group:a:log-group:b"}),
    ],
)
def test_an_arn_has_the_form_and_the_region_that_it_must_have(lab: Aws, service, call, parameters):
    """moto takes what stands behind the last colon for a secret's name, and looks for it in the Region that is asked."""
    client(lab, "secretsmanager").create_secret(Name="db", SecretString="tell-nobody")
    root = client(lab, service)
    assert refused(getattr(root, call), **parameters)["ResponseMetadata"]["HTTPStatusCode"] == 400
    assert lab.events()[-1]["errorCode"] == "InvalidRequest"


def test_an_arn_that_is_right_is_taken(lab: Aws):
    secret = client(lab, "secretsmanager").create_secret(Name="team/db", SecretString="x")["ARN"]
    assert client(lab, "secretsmanager").get_secret_value(SecretId=secret)["Name"] == "team/db"
