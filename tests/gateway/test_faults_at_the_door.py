"""What a world lets go wrong on purpose reaches calls that pass on, too."""

from __future__ import annotations

import email.utils
import socket
import time

import pytest
from botocore.exceptions import ConnectionClosedError, ReadTimeoutError
from door_lab import PEOPLE, client, refused, send, signed

from sts_emulator import Aws

pytestmark = [pytest.mark.scenario(PEOPLE), pytest.mark.usefixtures("photos")]


def test_a_fault_has_the_form_of_the_service(lab: Aws):
    lab.faults({"service": "s3", "operation": "Get*", "code": "SlowDown", "status": 503, "times": 1})
    ann = client(lab, "s3", "ann")
    ann.put_object(Bucket="photos", Key="ann/1", Body=b"x")
    answer = refused(ann.get_object, Bucket="photos", Key="ann/1")
    assert (answer["Error"]["Code"], answer["ResponseMetadata"]["HTTPStatusCode"]) == ("SlowDown", 503)
    assert ann.get_object(Bucket="photos", Key="ann/1")["Body"].read() == b"x"
    code = "ProvisionedThroughputExceededException"
    lab.faults({"service": "dynamodb", "operation": "*", "code": code, "status": 400})
    assert refused(client(lab, "dynamodb", "ann").list_tables)["Error"]["Code"] == code


@pytest.mark.parametrize(("answer", "is_stored"), [("drop", False), ("lose", True)])
def test_a_connection_that_breaks(lab: Aws, photos, answer, is_stored):
    """Before the call is carried out, or after it."""
    lab.faults({"service": "s3", "operation": "PutObject", "answer": answer})
    with pytest.raises(ConnectionClosedError):
        client(lab, "s3", "ann").put_object(Bucket="photos", Key="ann/1", Body=b"x" * 100_000)
    assert photos.list_objects_v2(Bucket="photos")["KeyCount"] == is_stored


def test_an_answer_that_never_comes(lab: Aws):
    lab.faults({"service": "sqs", "operation": "*", "answer": "hang", "times": 1})
    impatient = client(lab, "sqs").meta.config.merge(_patient_for(1))
    with pytest.raises(ReadTimeoutError):
        lab.client("sqs", user="ann", config=impatient).list_queues()
    assert "QueueUrls" not in client(lab, "sqs", "ann").list_queues()


def _patient_for(seconds: float):
    from botocore.config import Config

    return Config(read_timeout=seconds)


def test_half_an_object(lab: Aws, photos):
    photos.put_object(Bucket="photos", Key="ann/1", Body=b"x" * 100_000)
    lab.faults({"service": "s3", "operation": "GetObject", "answer": "half"})
    with pytest.raises(Exception, match=r"(?i)incomplete|broken|reset|read"):
        client(lab, "s3", "ann").get_object(Bucket="photos", Key="ann/1")["Body"].read()


def test_a_date_that_is_wrong(lab: Aws):
    def seconds_ahead() -> float:
        headers = client(lab, "s3").list_buckets()["ResponseMetadata"]["HTTPHeaders"]
        return email.utils.parsedate_to_datetime(headers["date"]).timestamp() - time.time()

    assert abs(seconds_ahead()) < 60
    lab.faults({"service": "s3", "operation": "ListBuckets", "date_offset_seconds": 3600})
    assert abs(seconds_ahead() - 3600) < 60


def test_a_fault_names_what_there_is(lab: Aws):
    with pytest.raises(Exception, match="did you mean `GetObject`"):
        lab.faults({"service": "s3", "operation": "GetObjet", "status": 500})


def test_nobody_else_waits(lab: Aws):
    lab.faults({"service": "s3", "operation": "*", "answer": "hang"})
    request = signed(lab, "GET", "/photos")
    where, _, path = request.url.partition("//")[2].partition("/")
    host, _, port = where.partition(":")
    with socket.create_connection((host, int(port))) as hanging:
        lines = [f"GET /{path} HTTP/1.1", *(f"{name}: {value}" for name, value in request.headers.items())]
        hanging.sendall("\r\n".join([*lines, f"Host: {where}", "", ""]).encode())
        assert send(signed(lab, "GET", "/2015-03-31/functions/", service="lambda"))[0] == 200
