"""What is sent to get past the door, and upstreams that answer late, half or not at all."""

from __future__ import annotations

import json
import urllib.parse

import pytest
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials
from door_lab import MINE, NOTHING, OTHERS, PEOPLE, client, listening, refused, send, signed

from sts_emulator import Aws
from sts_emulator.shared_server import free_port

pytestmark = pytest.mark.scenario(PEOPLE)

FORM = "application/x-www-form-urlencoded"


# -- paths -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path",
    [
        "/photos/ann/../bob/1",
        "/photos/ann/%2e%2e/bob/1",
        "/photos/ann%2F..%2Fbob%2F1",
        "/photos/ann/..%5Cbob/1",
        "/photos/ann/./../bob/1",
        "//photos/ann/1",
        "/photos/ann/%00",
        "/photos/ann/%zz",
        "/ph*otos/ann/1",
    ],
)
def test_a_path_that_leads_elsewhere_is_refused(lab: Aws, photos, path):
    photos.put_object(Bucket="photos", Key="bob/1", Body=b"secret")
    status, told = send(signed(lab, "GET", path))
    assert 400 <= status < 500
    assert "secret" not in told


@pytest.mark.parametrize(
    ("path", "key"), [("/photos/ann%2F1", "ann/1"), ("/photos/ann//1", "ann//1"), ("/photos//ann/1", "/ann/1")]
)
def test_a_key_is_what_is_decided_on(lab: Aws, photos, path, key):
    """`%2F` is a slash of the key, and two slashes are two: the upstream stores under the name that was decided on."""
    status, told = send(signed(lab, "PUT", path, b"x"))
    if key.startswith("ann/"):
        assert status == 200
        assert [thing["Key"] for thing in photos.list_objects_v2(Bucket="photos")["Contents"]] == [key]
    else:
        assert (status, f"s3:PutObject on resource: arn:aws:s3:::photos/{key}" in told) == (403, True)


@pytest.mark.parametrize("path", ["/photos%2Fbob%2F1", "/photos%2fbob/1", "/photos%2F", "/%2Fphotos/bob/1"])
@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE"])
def test_an_escaped_slash_does_not_end_a_bucket(lab: Aws, photos, method, path):
    """It is an object to upstreams, whose path is not escaped any more; what may be done to buckets is another matter."""
    photos.put_object(Bucket="photos", Key="bob/1", Body=b"secret")
    status, told = send(signed(lab, method, path, user=""))
    assert (status, "secret" in told) == (400, False)
    assert photos.get_object(Bucket="photos", Key="bob/1")["Body"].read() == b"secret"


def test_a_path_of_another_service_has_one_reading(lab: Aws):
    for path in ("/2015-03-31//functions/", "/2015-03-31/functions/../functions/", "/2015-03-31/functions/%2e%2e/x"):
        status, told = send(signed(lab, "GET", path, service="lambda"))
        assert (status, "two ways" in told) == (400, True)


# -- requests with two meanings ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/photos/ann/1?acl&tagging"),
        ("PUT", "/photos?policy&acl"),
        ("PUT", "/photos/ann/1?uploadId=x"),
        ("GET", "/photos/ann/1?versionId=1&versionId=2"),
    ],
)
@pytest.mark.usefixtures("photos")
def test_two_operations_in_one_query_are_refused(lab: Aws, method, path):
    status, told = send(signed(lab, method, path))
    assert (status, "two ways" in told) == (400, True)


@pytest.mark.parametrize(
    "body",
    [
        b'{"TableName": "open", "TableName": "closed", "Key": {"id": {"S": "1"}}}',
        b'{"TableName": "open", "tablename": "closed", "Key": {"id": {"S": "1"}}}',
        b'{"TableName": "open", "Key": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        b"\xff\xfe{\x00}\x00",
        b"[]",
        b"nothing",
    ],
)
def test_a_body_with_two_meanings_is_refused(lab: Aws, body):
    headers = {"X-Amz-Target": "DynamoDB_20120810.GetItem", "Content-Type": "application/x-amz-json-1.0"}
    status, told = send(signed(lab, "POST", "/", body, "dynamodb", **headers))
    assert (status, json.loads(told)["__type"]) == (400, "SerializationException")


def test_a_form_with_a_parameter_twice_is_refused(lab: Aws):
    body = b"Action=ListTopics&Version=2010-03-31&Action=CreateTopic"
    request = signed(lab, "POST", "/", body, "sns", **{"Content-Type": "application/x-www-form-urlencoded"})
    status, told = send(request)
    assert (status, "two ways" in told) == (400, True)


@pytest.mark.parametrize(
    ("service", "body"),
    [
        ("ec2", b"Action=StartInstances&Version=2016-11-15&InstanceId.1=i-1&InstanceIds.1=i-2"),
        ("ec2", b"Action=RebootInstances&Version=2016-11-15&InstanceId.1=i-1&InstanceId.01=i-2"),
        ("ec2", b"Action=RebootInstances&Version=2016-11-15&InstanceId.%C2%B2=i-1"),
        ("ec2", b"Action=RebootInstances&Version=2016-11-15&InstanceId." + b"1" * 5_000 + b"=i-1"),
        ("sns", b"Action=CreateTopic&Version=2010-03-31&Name=x&Tags.1.Key=a&Tags.member.1.Key=b"),
        ("sqs", b"Action=CreateQueue&QueueName=x&Tag.1.Key=a&Tag.1.Name=b&Tag.1.Value=c"),
    ],
)
def test_a_member_of_a_form_has_one_name_and_one_place(lab: Aws, service, body):
    status, told = send(signed(lab, "POST", "/", body, service, user="", **{"Content-Type": FORM}))
    assert (status, "two ways" in told) == (400, True)


def test_a_key_is_a_text_and_nothing_else(lab: Aws, photos):
    """An instruction in the middle of it, which one reader takes for its end, and another for nothing."""
    photos.put_object(Bucket="photos", Key="ann/12", Body=b"x")
    body = b"<Delete><Object><Key>ann/1<?x y?>2</Key></Object></Delete>"
    status, told = send(signed(lab, "POST", "/photos?delete", body))
    assert (status, "<Code>MalformedXML</Code>" in told) == (400, True)
    assert photos.list_objects_v2(Bucket="photos")["KeyCount"] == 1


def test_xml_with_a_document_type_is_refused(lab: Aws, photos):
    body = b'<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]><Delete><Object><Key>&e;</Key></Object></Delete>'
    status, told = send(signed(lab, "POST", "/photos?delete", body))
    assert (status, "MalformedXML" in told) == (400, True)
    assert photos.list_objects_v2(Bucket="photos")["KeyCount"] == 0


# -- signatures ---------------------------------------------------------------------------------------------------------


def test_a_signature_is_for_one_host_one_path_and_one_service(lab: Aws, photos):
    photos.put_object(Bucket="photos", Key="ann/1", Body=b"x")
    request = signed(lab, "GET", "/photos/ann/1")
    assert send(request)[0] == 200
    other = signed(lab, "GET", "/photos/ann/1", Host="photos.example")
    other.headers.replace_header("Host", "127.0.0.1")
    assert "SignatureDoesNotMatch" in send(other)[1]
    request.url = request.url.replace("ann/1", "ann/2")
    assert "SignatureDoesNotMatch" in send(request)[1]
    as_another = signed(lab, "GET", "/photos/ann/1")
    value = as_another.headers["Authorization"].replace("/s3/", "/sqs/")
    as_another.headers.replace_header("Authorization", value)
    assert send(as_another)[0] in (400, 403)


def test_a_header_that_nobody_signed_changes_nothing(lab: Aws, photos):
    status, told = send(signed(lab, "PUT", "/photos/ann/1", b"x"), ("x-amz-acl", "public-read"))
    assert (status, "were not signed" in told) == (403, True)
    status, told = send(signed(lab, "PUT", "/photos/ann/1", b"x"), ("x-amz-copy-source", "/photos/bob/1"))
    assert status in (400, 403)
    assert photos.list_objects_v2(Bucket="photos")["KeyCount"] == 0


# -- names that end lines --------------------------------------------------------------------------------------------


ENDING = "1\r\n\r\nPOST /moto-api/reset HTTP/1.0\r\n\r\n"


@pytest.mark.parametrize("account", [ENDING, "1\n", "\ud800", "1 1", "é"])
@pytest.mark.parametrize(
    ("service", "target", "named"),
    [
        ("kms", "TrentService.DescribeKey", {"KeyId": "arn:aws:kms:us-east-1:{}:key/abc"}),
        ("dynamodb", "DynamoDB_20120810.DescribeTable", {"TableName": "arn:aws:dynamodb:us-east-1:{}:table/abc"}),
        ("ecr", "AmazonEC2ContainerRegistry_V20150921.ListImages", {"registryId": "{}", "repositoryName": "abc"}),
        ("sns", "", {"TopicArn": "arn:aws:sns:us-east-1:{}:news"}),
    ],
)
def test_an_account_in_an_arn_begins_no_request(upstream, before_it, service, target, named, account):
    """The door asks for the policy of what is named as its account, which stands in the head of what it asks."""
    told = {name: value.format(account) for name, value in named.items()}
    headers = (
        {"Content-Type": "application/x-amz-json-1.1", "X-Amz-Target": target} if target else {"Content-Type": FORM}
    )
    form = {"Action": "GetTopicAttributes", "Version": "2010-03-31", **told}
    body = json.dumps(told) if target else urllib.parse.urlencode(form, errors="replace")
    status, answer = send(signed(before_it, "POST", "/", body.encode(), service, user="", **headers))
    assert (status, "InvalidRequest" in answer) == (400, True)
    assert not upstream.heard


# -- what reaches the upstream -------------------------------------------------------------------------------------------


def test_only_what_an_api_has_reaches_the_upstream(upstream, before_it):
    smuggled = [
        ("x-moto-account-id", OTHERS),
        ("X_Moto_Account_Id", OTHERS),
        ("Forwarded", "for=1.2.3.4"),
        ("X-Forwarded-Host", "elsewhere.example"),
        ("Cookie", "a=b"),
        ("Connection", "x-amz-meta-kept"),
        ("TE", "trailers"),
        ("X-HTTP-Method-Override", "DELETE"),
    ]
    request = signed(
        before_it, "PUT", "/photos/ann/1", b"x", **{"x-amz-meta-kept": "yes", "content-type": "text/plain"}
    )
    assert send(request, *smuggled)[0] == 200
    head = next(heard for heard in upstream.heard if heard.startswith(b"PUT")).decode().lower()
    names = {line.partition(":")[0] for line in head.split("\r\n")[1:] if ":" in line}
    assert names == {
        *("host", "content-type", "x-amz-meta-kept", "x-amz-date", "x-amz-content-sha256"),
        *("authorization", "x-moto-account-id", "content-length"),
    }
    assert f"x-moto-account-id: {MINE}" in head
    assert f"credential={MINE}/" in head
    assert OTHERS not in head


def test_an_upstream_that_checks_signatures_gets_its_own(another_door):
    """Recomputed by botocore, with the key that the upstream's URL names."""
    with listening(NOTHING) as upstream:
        url = upstream.url.replace("http://", "http://minio:sec%2Fret@")
        with another_door(url, "--upstream-account", OTHERS) as emulator, emulator.world(PEOPLE) as lab:
            ann = client(lab, "s3", "ann")
            ann.put_object(Bucket="photos", Key="ann/a b+ü//c", Body=b"x" * 300_000)
            heard = next(heard for heard in upstream.heard if heard.startswith(b"PUT"))
    head, _, body = heard.partition(b"\r\n\r\n")
    line, *lines = head.decode().split("\r\n")
    headers = dict(text.split(": ", 1) for text in lines)
    assert body == b"x" * 300_000
    scope = headers["authorization"].split("Credential=")[1].split(",")[0]
    assert scope.startswith("minio/")
    names = headers["authorization"].split("SignedHeaders=")[1].split(",")[0].split(";")
    again = AWSRequest("PUT", upstream.url + line.split(" ")[1], headers={name: headers[name] for name in names})
    again.context["timestamp"] = headers["x-amz-date"]
    signer = S3SigV4Auth(Credentials("minio", "sec/ret"), "s3", "us-east-1")
    signer.payload = lambda _: headers["x-amz-content-sha256"]
    text = signer.string_to_sign(again, signer.canonical_request(again))
    assert headers["authorization"].rpartition("Signature=")[2] == signer.signature(text, again)


def test_an_upload_that_breaks_off_is_not_ended_upstream(upstream, before_it):
    """A wrong digest is known when the last byte has come: the upstream has not got that by then."""
    request = signed(before_it, "PUT", "/photos/ann/1", b"x" * 1_000_000)
    request.data = b"y" * 1_000_000
    status, told = send(request.prepare())
    assert (status, "XAmzContentSHA256Mismatch" in told) == (400, True)
    puts = [heard for heard in upstream.heard if heard.startswith(b"PUT")]
    assert all(len(heard.partition(b"\r\n\r\n")[2]) < 1_000_000 for heard in puts)


# -- upstreams ---------------------------------------------------------------------------------------------------------


def ask(lab: Aws, service: str, call: str, **parameters) -> tuple[int, str, str]:
    answer = refused(getattr(client(lab, service, "ann"), call), **parameters)
    return answer["ResponseMetadata"]["HTTPStatusCode"], answer["Error"]["Code"], answer["Error"].get("Message", "")


CALLS = [
    ("dynamodb", "get_item", {"TableName": "t", "Key": {"id": {"S": "1"}}}),
    ("s3", "put_object", {"Bucket": "photos", "Key": "ann/1", "Body": b"x"}),
]


def test_an_upstream_that_is_not_there_is_a_502(another_door):
    url = f"http://127.0.0.1:{free_port()}"
    with another_door(url) as emulator, emulator.world(PEOPLE) as lab:
        for service, call, parameters in CALLS:
            status, code, message = ask(lab, service, call, **parameters)
            assert (status, code) == (502, "BadGateway")
            assert url in message
        assert client(lab, "sts", "ann").get_caller_identity()["Account"] == MINE


def test_an_upstream_that_is_late_is_a_504(another_door):
    with (
        listening(NOTHING, hangs=True) as upstream,
        another_door(upstream.url, "--upstream-patience", "1") as emulator,
        emulator.world(PEOPLE) as lab,
    ):
        for service, call, parameters in CALLS:
            assert ask(lab, service, call, **parameters)[:2] == (504, "GatewayTimeout")


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"HTTP/1.1 200",
        b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhalf",
        b"no HTTP at all\r\n\r\n",
    ],
    ids=["nothing", "half a head", "half a body", "half a chunk", "nonsense"],
)
@pytest.mark.parametrize(("service", "call", "parameters"), CALLS)
def test_half_an_answer_is_a_502(upstream, before_it, service, call, parameters, answer):
    upstream.answer = answer
    assert ask(before_it, service, call, **parameters)[:2] == (502, "BadGateway")


def test_a_long_answer_that_breaks_off_does_not_look_whole(upstream, before_it):
    upstream.answer = b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n" + b"x" * 900_000
    ann = before_it.client("s3", user="ann", config=Config(retries={"total_max_attempts": 1}))
    with pytest.raises(Exception, match=r"(?i)incomplete|broken|reset|read"):
        ann.get_object(Bucket="photos", Key="ann/1")["Body"].read()


def test_an_answer_cannot_be_split(upstream, before_it):
    """What an upstream writes in headers stays in its header; what names the connection does not come through."""
    upstream.answer = (
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: keep-alive, x-internal\r\nX-Internal: 1\r\n"
        b"Set-Cookie: a=b\r\nx-amz-meta-kept: yes\r\n\r\nok"
    )
    got = client(before_it, "s3", "ann").get_object(Bucket="photos", Key="ann/1")
    assert got["Body"].read() == b"ok"
    headers = got["ResponseMetadata"]["HTTPHeaders"]
    assert "x-internal" not in headers
    assert "set-cookie" not in headers
    assert headers["x-amz-meta-kept"] == "yes"
