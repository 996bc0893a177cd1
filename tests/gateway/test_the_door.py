"""Credentials are used: calls of services that are not here are decided, and pass on to another emulator or not."""

from __future__ import annotations

import datetime as dt
import urllib.error
import urllib.request

import cbor2
import pytest
from botocore.config import Config
from door_lab import MINE, ONCE, PEOPLE, client, exchanged, listening, refused, signed, stranger

from sts_emulator import Aws

pytestmark = pytest.mark.scenario(PEOPLE)


# -- who may, may ----------------------------------------------------------------------------------------------------


def test_an_object_is_written_and_read_by_whom_a_policy_allows_it(lab: Aws, photos):
    ann = client(lab, "s3", "ann")
    ann.put_object(Bucket="photos", Key="ann/a b+ü.txt", Body=b"hello", Metadata={"colour": "red"})
    got = ann.get_object(Bucket="photos", Key="ann/a b+ü.txt")
    assert got["Body"].read() == b"hello"
    assert got["Metadata"] == {"colour": "red"}
    assert [bucket["Name"] for bucket in photos.list_buckets()["Buckets"]] == ["photos"]


def test_the_upstream_knows_whose_call_it_is(lab: Aws):
    queue = client(lab, "sqs", "ann").create_queue(QueueName="jobs")["QueueUrl"]
    assert queue == f"{lab.endpoint_url}/{MINE}/jobs"  # the account's, and at the door
    assert "QueueUrls" not in stranger(lab, "sqs").list_queues()


def test_a_client_stays_at_the_door_that_it_was_told_of(lab: Aws):
    ann = client(lab, "sqs", "ann")
    queue = ann.create_queue(QueueName="jobs")["QueueUrl"]
    assert ann.get_queue_url(QueueName="jobs")["QueueUrl"] == queue
    assert ann.list_queues()["QueueUrls"] == [queue]
    ann.send_message(QueueUrl=queue, MessageBody=f"see {queue}")
    assert ann.receive_message(QueueUrl=queue)["Messages"][0]["Body"] == f"see {queue}"  # data is nobody's to change


@pytest.mark.usefixtures("photos")
def test_a_session_acts_by_its_tags(lab: Aws):
    session = client(lab, "sts", "ann").assume_role(
        RoleArn=f"arn:aws:iam::{MINE}:role/app", RoleSessionName="build", Tags=[{"Key": "team", "Value": "blue"}]
    )["Credentials"]
    app = lab.client("s3", session, config=ONCE)
    app.put_object(Bucket="photos", Key="blue/1", Body=b"1")
    assert refused(app.put_object, Bucket="photos", Key="red/1", Body=b"1")["Error"]["Code"] == "AccessDenied"


def test_services_that_are_here_are_answered_here(lab: Aws):
    assert client(lab, "sts", "ann").get_caller_identity()["Arn"] == f"arn:aws:iam::{MINE}:user/ann"
    assert [user["UserName"] for user in client(lab, "iam").list_users()["Users"]] == ["ann", "bob"]
    assert client(lab, "ec2").describe_instances()["Reservations"] == []  # an operation that is here
    assert len(client(lab, "ec2").describe_vpcs()["Vpcs"]) == 1  # one that is not


# -- who may not, is told why ------------------------------------------------------------------------------------------


def test_a_refusal_is_explained(lab: Aws, photos):
    photos.put_object(Bucket="photos", Key="ann/1", Body=b"1")
    answer = refused(client(lab, "s3", "bob").get_object, Bucket="photos", Key="ann/1")
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 403
    assert answer["Error"]["Code"] == "AccessDenied"
    assert answer["Error"]["Message"].startswith(
        f"User: arn:aws:iam::{MINE}:user/bob is not authorized to perform: s3:GetObject on resource: "
        "arn:aws:s3:::photos/ann/1 because no identity-based policy allows the s3:GetObject action"
    )
    assert "add a statement to the identity policy" in lab.explain(answer)


def test_the_authorization_id_opens_on_the_deciding_statement(lab: Aws):
    ann = client(lab, "sqs", "ann")
    queue = ann.create_queue(QueueName="jobs")["QueueUrl"]
    message = refused(ann.delete_queue, QueueUrl=queue)["Error"]["Message"]
    assert "with an explicit deny in an identity-based policy" in message
    details = client(lab, "iam-toolbox").get_request_authorization_details(authorizationId=message.rpartition(" ")[2])
    assert details["evaluations"][0]["action"] == "sqs:DeleteQueue"
    assert details["evaluations"][0]["evaluatedEffect"] == "EXPLICIT_DENY"


def test_explain_takes_the_authorization_id_of_the_message(lab: Aws):
    message = refused(client(lab, "sqs", "bob").list_queues)["Error"]["Message"]
    assert lab.explain(message.rpartition(" ")[2]).startswith("ListQueues: denied")


@pytest.mark.usefixtures("photos")
def test_what_failed_behind_the_door_is_not_called_denied(lab: Aws):
    missing = refused(client(lab, "s3").get_object, Bucket="photos", Key="none")
    assert lab.explain(missing).startswith("GetObject: failed")


@pytest.mark.parametrize(
    ("service", "call", "operation"), [("s3", "list_buckets", "ListBuckets"), ("sqs", "list_queues", "ListQueues")]
)
def test_a_wrong_signature_is_explained(lab: Aws, service, call, operation):
    """As everywhere: what was called, the canonical request, and what is wrong as far as it can be told."""
    forged = {"AccessKeyId": lab.root["access_key_id"], "SecretAccessKey": "x" * 40}
    told = lab.explain(refused(getattr(lab.client(service, forged, config=ONCE), call)))
    assert told.startswith(f"{operation}: denied")
    assert "the secret is another one than this key's" in told
    assert "the canonical request, as it arrived:" in told


@pytest.mark.usefixtures("photos")
def test_s3_says_what_should_have_been_signed(lab: Aws):
    signer = lab.client("s3", config=Config(signature_version="s3v4"))
    url = signer.generate_presigned_url("get_object", Params={"Bucket": "photos", "Key": "ann/1"})
    with pytest.raises(urllib.error.HTTPError) as error:
        urllib.request.urlopen(url.replace("ann/1", "bob/1"))
    told = error.value.read().decode()
    assert "<Code>SignatureDoesNotMatch</Code>" in told
    assert "/photos/bob/1\nX-Amz-Algorithm=AWS4-HMAC-SHA256&amp;" in told.partition("<CanonicalRequest>GET\n")[2]
    assert "<Resource>/photos/bob/1</Resource>" in told


@pytest.mark.parametrize(
    ("service", "call", "parameters", "code", "status"),
    [
        ("s3", "list_buckets", {}, "AccessDenied", 403),
        ("sqs", "list_queues", {}, "AccessDeniedException", 400),
        ("dynamodb", "list_tables", {}, "AccessDeniedException", 400),
        ("sns", "list_topics", {}, "AuthorizationError", 403),
        ("lambda", "list_functions", {}, "AccessDeniedException", 403),
        ("ec2", "describe_vpcs", {}, "UnauthorizedOperation", 403),
    ],
)
def test_a_refusal_has_the_form_of_its_service(lab: Aws, service, call, parameters, code, status):
    answer = refused(getattr(client(lab, service, "bob"), call), **parameters)
    assert (answer["Error"]["Code"], answer["ResponseMetadata"]["HTTPStatusCode"]) == (code, status)


@pytest.mark.parametrize(
    ("service", "call", "unknown", "wrong"),
    [
        ("s3", "list_buckets", ("InvalidAccessKeyId", 403), ("SignatureDoesNotMatch", 403)),
        ("dynamodb", "list_tables", ("UnrecognizedClientException", 400), ("InvalidSignatureException", 400)),
        ("sns", "list_topics", ("InvalidClientTokenId", 403), ("SignatureDoesNotMatch", 403)),
        ("lambda", "list_functions", ("UnrecognizedClientException", 403), ("InvalidSignatureException", 403)),
    ],
)
def test_strangers_are_turned_away_in_the_words_of_the_service(lab: Aws, service, call, unknown, wrong):
    stranger = {"AccessKeyId": "AKIAIOSFODNN7EXAMPLE", "SecretAccessKey": "x" * 40}
    forged = {"AccessKeyId": lab.root["access_key_id"], "SecretAccessKey": "x" * 40}
    for credentials, expected in ((stranger, unknown), (forged, wrong)):
        answer = refused(getattr(lab.client(service, credentials, config=ONCE), call))
        assert (answer["Error"]["Code"], answer["ResponseMetadata"]["HTTPStatusCode"]) == expected


def test_what_the_map_lacks_is_denied_and_said_to_be(lab: Aws, another_door, moto):
    answer = refused(client(lab, "cloudwatch").list_metrics)
    assert "the map" in answer["Error"]["Message"] or "map has no line" in answer["Error"]["Message"]
    with another_door(moto, "--allow-unmapped") as loud, loud.world(PEOPLE) as aws:
        assert client(aws, "cloudwatch").list_metrics()["Metrics"] == []


# -- S3's own ----------------------------------------------------------------------------------------------------------


def test_a_missing_key_is_told_only_to_who_may_list(lab: Aws, photos):
    assert refused(photos.get_object, Bucket="photos", Key="ann/none")["Error"]["Code"] == "NoSuchKey"
    ann = client(lab, "s3", "ann")
    answer = refused(ann.get_object, Bucket="photos", Key="ann/none")
    assert answer["Error"]["Code"] == "AccessDenied"
    assert "s3:ListBucket on resource: arn:aws:s3:::photos" in answer["Error"]["Message"]
    assert refused(ann.head_object, Bucket="photos", Key="ann/none")["Error"]["Code"] == "403"


def test_objects_are_deleted_one_by_one(lab: Aws, photos):
    for key in ("ann/1", "bob/1"):
        photos.put_object(Bucket="photos", Key=key, Body=b"1")
    ann, both = client(lab, "s3", "ann"), {"Objects": [{"Key": "ann/1"}, {"Key": "bob/1"}]}
    answer = ann.delete_objects(Bucket="photos", Delete=both)
    assert [thing["Key"] for thing in answer["Deleted"]] == ["ann/1"]
    assert [(thing["Key"], thing["Code"]) for thing in answer["Errors"]] == [("bob/1", "AccessDenied")]
    assert [thing["Key"] for thing in photos.list_objects_v2(Bucket="photos")["Contents"]] == ["bob/1"]
    answer = ann.delete_objects(Bucket="photos", Delete={"Objects": [{"Key": "bob/1"}]})
    assert [thing["Code"] for thing in answer["Errors"]] == ["AccessDenied"]
    assert [thing["Key"] for thing in photos.delete_objects(Bucket="photos", Delete=both)["Deleted"]] == [
        "ann/1",
        "bob/1",
    ]


def test_a_copy_needs_its_source_too(lab: Aws, photos):
    photos.put_object(Bucket="photos", Key="bob/1", Body=b"1")
    ann = client(lab, "s3", "ann")
    answer = refused(ann.copy_object, Bucket="photos", Key="ann/1", CopySource={"Bucket": "photos", "Key": "bob/1"})
    assert "s3:GetObject on resource: arn:aws:s3:::photos/bob/1" in answer["Error"]["Message"]
    ann.put_object(Bucket="photos", Key="ann/1", Body=b"2")
    ann.copy_object(Bucket="photos", Key="ann/2", CopySource={"Bucket": "photos", "Key": "ann/1"})
    assert ann.get_object(Bucket="photos", Key="ann/2")["Body"].read() == b"2"


@pytest.mark.parametrize("name", ["access", "applications", "clusters", "tags"])
def test_a_bucket_may_be_named_like_a_path_of_ours(lab: Aws, name: str):
    s3 = client(lab, "s3")
    s3.create_bucket(Bucket=name)
    s3.put_object(Bucket=name, Key="one", Body=b"1")
    assert [thing["Key"] for thing in s3.list_objects_v2(Bucket=name)["Contents"]] == ["one"]
    assert s3.get_object(Bucket=name, Key="one")["Body"].read() == b"1"


# -- CBOR -----------------------------------------------------------------------------------------------------------------


def rpc(lab: Aws, operation: str, content: object, user: str = "") -> tuple[int, dict]:
    """A call as newer SDKs make it of CloudWatch; decoded by the library that the door reads with."""
    headers = {"smithy-protocol": "rpc-v2-cbor", "content-type": "application/cbor", "accept": "application/cbor"}
    path = f"/service/GraniteServiceVersion20100801/operation/{operation}"
    body = content if isinstance(content, bytes) else cbor2.dumps(content)
    status, told = exchanged(signed(lab, "POST", path, body, "monitoring", user, **headers))
    return status, cbor2.loads(told)


def test_cbor_is_refused_in_cbor(lab: Aws):
    status, told = rpc(lab, "ListMetrics", {})
    assert (status, told["__type"], "map has no line" in told["message"]) == (400, "AccessDeniedException", True)
    for wrong in (
        b"\xff\xff",
        cbor2.dumps({"Namespace": 5}),
        cbor2.dumps([]),
        b"\xa2\x61a\x01\x61a\x02",
        b"\x9b" + b"\xff" * 8,
    ):
        status, told = rpc(lab, "ListMetrics", wrong)
        assert (status, told["__type"]) == (400, "SerializationException")


def test_cbor_passes_on(another_door):
    """To an upstream that takes it: moto does not."""
    body = cbor2.dumps({"Metrics": []})
    head = f"HTTP/1.1 200 OK\r\nContent-Type: application/cbor\r\nContent-Length: {len(body)}\r\n\r\n"
    with (
        listening(head.encode() + body) as upstream,
        another_door(upstream.url, "--allow-unmapped") as emulator,
        emulator.world(PEOPLE) as lab,
    ):
        datum = {"MetricName": "m", "Value": 1.0, "Timestamp": dt.datetime.now(tz=dt.UTC)}
        asked = {"Namespace": "app", "MetricData": [datum]}
        assert rpc(lab, "PutMetricData", asked) == (200, {"Metrics": []})
        assert upstream.heard[-1].endswith(cbor2.dumps(asked))
        assert lab.events()[-1]["eventName"] == "PutMetricData"
