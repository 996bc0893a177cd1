"""Condition keys of S3 that no parameter tells: how, when and over what a request was signed, and its bucket's tags."""

from __future__ import annotations

import datetime as dt
import urllib.error
import urllib.request

import botocore.auth
import pytest
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials
from door_lab import BUCKETS, MINE, NOT_FOUND, client, refused, send, signed, written

from sts_emulator import Aws
from sts_emulator.shared_server import free_port

SIGNING = """
accounts:
  "111122223333":
    users:
      ann:
        inline:
          ways:
            - Effect: Allow
              Action: "s3:*Object"
              Resource: "arn:aws:s3:::photos/header/*"
              Condition: {StringEquals: {"s3:authType": REST-HEADER, "s3:signatureversion": AWS4-HMAC-SHA256}}
            - Effect: Allow
              Action: "s3:*Object"
              Resource: "arn:aws:s3:::photos/url/*"
              Condition:
                StringEquals: {"s3:authType": REST-QUERY-STRING}
                NumericLessThan: {"s3:signatureAge": "600000"}
            - Effect: Allow
              Action: "s3:*Object"
              Resource: "arn:aws:s3:::photos/form/*"
              Condition: {StringEquals: {"s3:authType": POST}}
            - Effect: Allow
              Action: "s3:*Object"
              Resource: "arn:aws:s3:::photos/tls/*"
              Condition: {NumericGreaterThanEquals: {"s3:TlsVersion": "1.2"}}
            - Effect: Allow
              Action: ["s3:PutObject", "s3:PutObjectRetention"]
              Resource: "arn:aws:s3:::photos/kept/*"
              Condition: {NumericLessThanEquals: {"s3:object-lock-remaining-retention-days": "10"}}
            - Effect: Allow
              Action: "s3:PutInventoryConfiguration"
              Resource: "arn:aws:s3:::photos"
              Condition: {"ForAllValues:StringEquals": {"s3:InventoryAccessibleOptionalFields": [Size, ETag]}}
            - Effect: Allow
              Action: "s3:CreateBucket"
              Resource: "*"
              Condition: {StringEquals: {"s3:x-amz-bucket-namespace": account-regional}}
"""
pytestmark = pytest.mark.scenario(SIGNING)


@pytest.fixture
def ann(lab: Aws):
    return lab.client("s3", user="ann", config=Config(signature_version="s3v4", retries={"total_max_attempts": 1}))


def fetched(url: str | urllib.request.Request) -> int:
    """The status of a plain request."""
    try:
        with urllib.request.urlopen(url) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        with error:
            return error.code


def test_a_policy_may_ask_how_a_request_is_signed(ann, photos):
    for key in ("header/1", "url/1"):
        photos.put_object(Bucket="photos", Key=key, Body=b"x")
    assert ann.get_object(Bucket="photos", Key="header/1")["Body"].read() == b"x"
    refused(ann.get_object, Bucket="photos", Key="url/1")
    urls = {
        key: ann.generate_presigned_url("get_object", {"Bucket": "photos", "Key": key}) for key in ("url/1", "header/1")
    }
    assert {key: fetched(url) for key, url in urls.items()} == {"url/1": 200, "header/1": 403}
    refused(ann.put_object, Bucket="photos", Key="form/1", Body=b"x")


def test_a_policy_may_ask_how_old_the_signature_of_a_url_is(lab: Aws, photos, monkeypatch):
    photos.put_object(Bucket="photos", Key="url/1", Body=b"x")
    given, now = lab.credentials(user="ann"), botocore.auth.get_current_datetime

    def presigned() -> str:
        request = AWSRequest("GET", f"{lab.endpoint_url}/photos/url/1")
        keys = Credentials(given["access_key_id"], given["secret_access_key"])
        botocore.auth.S3SigV4QueryAuth(keys, "s3", "us-east-1", expires=3600).add_auth(request)
        return request.url

    assert fetched(presigned()) == 200
    monkeypatch.setattr(botocore.auth, "get_current_datetime", lambda: now() - dt.timedelta(minutes=11))
    assert fetched(presigned()) == 403


def test_a_form_is_signed_by_its_policy(ann, photos):
    for key, status in (("form/1", 204), ("header/1", 403)):
        form = ann.generate_presigned_post("photos", key)
        parts = {**form["fields"], "file": "x"}.items()
        body = "".join(
            f'--xyz\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{text}\r\n' for name, text in parts
        )
        kind = {"Content-Type": "multipart/form-data; boundary=xyz"}
        request = urllib.request.Request(form["url"], f"{body}--xyz--\r\n".encode(), kind)
        assert fetched(request) == status
    assert [thing["Key"] for thing in photos.list_objects_v2(Bucket="photos")["Contents"]] == ["form/1"]


@pytest.mark.usefixtures("lab")
def test_a_policy_may_ask_for_tls(another_door, moto, tmp_path):
    port = free_port()
    with another_door(moto, "--tls-port", str(port), "--certs", str(tmp_path)) as secure, secure.world(SIGNING) as aws:
        client(aws, "s3").create_bucket(Bucket="photos")
        options = {"endpoint_url": f"https://127.0.0.1:{port}/w/{aws.world}", "verify": str(tmp_path / "tls-ca.pem")}
        aws.client("s3", user="ann", **options).put_object(Bucket="photos", Key="tls/1", Body=b"x")
        refused(client(aws, "s3", "ann").put_object, Bucket="photos", Key="tls/1", Body=b"x")


def test_a_policy_may_limit_for_how_long_an_object_is_kept(lab: Aws, ann):
    client(lab, "s3").create_bucket(Bucket="photos", ObjectLockEnabledForBucket=True)

    def keep(days: float) -> None:
        until = dt.datetime.now(dt.UTC) + dt.timedelta(days=days)
        ann.put_object(
            Bucket="photos", Key="kept/1", Body=b"x", ObjectLockMode="GOVERNANCE", ObjectLockRetainUntilDate=until
        )
        ann.put_object_retention(
            Bucket="photos", Key="kept/1", Retention={"Mode": "GOVERNANCE", "RetainUntilDate": until}
        )

    keep(9)
    keep(10)  # no longer quite ten, when it arrives
    assert "s3:PutObject on" in refused(keep, days=10.5)["Error"]["Message"]


@pytest.mark.usefixtures("photos")
def test_a_policy_may_choose_the_fields_of_an_inventory(ann):
    def inventory(*fields: str) -> None:
        ann.put_bucket_inventory_configuration(
            Bucket="photos",
            Id="all",
            InventoryConfiguration={
                "Destination": {"S3BucketDestination": {"Bucket": "arn:aws:s3:::photos", "Format": "CSV"}},
                "IsEnabled": True,
                "Id": "all",
                "IncludedObjectVersions": "All",
                "Schedule": {"Frequency": "Daily"},
                "OptionalFields": list(fields),
            },
        )

    inventory("Size", "ETag")
    with pytest.raises(Exception, match="s3:PutInventoryConfiguration"):
        inventory("Size", "StorageClass")


def test_a_policy_may_ask_for_a_namespace_of_buckets(lab: Aws):
    named = {"x-amz-bucket-namespace": "account-regional"}
    assert send(signed(lab, "PUT", f"/mine-{MINE}-us-east-1-an", user="ann", **named))[0] == 200
    assert send(signed(lab, "PUT", "/others", user="ann"))[0] == 403


# -- tags of buckets ----------------------------------------------------------------------------------------------------

TAGGED = """
accounts:
  "111122223333":
    users:
      ann:
        inline:
          team:
            - Effect: Allow
              Action: ["s3:GetObject", "s3:DeleteObject"]
              Resource: "*"
              Condition: {StringEquals: {"s3:BucketTag/team": blue}}
            - Effect: Allow
              Action: "s3:ListBucket"
              Resource: "*"
              Condition: {StringEquals: {"aws:ResourceTag/team": blue}}
"""
BLUE = b"<Tagging><TagSet><Tag><Key>team</Key><Value>blue</Value></Tag></TagSet></Tagging>"
ENABLED = b"<AbacStatus><Status>Enabled</Status></AbacStatus>"
DISABLED = ENABLED.replace(b"En", b"Dis")
LISTED = b"<ListBucketResult><Status>Enabled</Status></ListBucketResult>"  # by whom the question is not known


@pytest.mark.parametrize(("status", "passes"), [(ENABLED, True), (DISABLED, False), (LISTED, False)])
def test_tags_of_a_bucket_count_where_it_is_told_so(upstream, listener_and_door, status, passes):
    upstream.answer = {
        b"GET / ": BUCKETS,
        b"GET /photos?policy": NOT_FOUND,
        b"GET /photos?abac": written(status),
        b"GET /photos?tagging": written(BLUE),
        b"": written(b"<ListBucketResult></ListBucketResult>"),
    }
    with listener_and_door[1].world(TAGGED) as aws:
        calls = (("GET", "/photos/1"), ("GET", "/photos?list-type=2"))
        assert [send(signed(aws, *call, user="ann"))[0] == 200 for call in calls] == [passes, passes]
        heard = len(upstream.heard)
        keys = "".join(f"<Object><Key>{number}</Key></Object>" for number in range(20))
        deleted = send(signed(aws, "POST", "/photos?delete", f"<Delete>{keys}</Delete>".encode(), user="ann"))[1]
        assert deleted.count("AccessDenied") == (0 if passes else 20)
        assert len(upstream.heard) - heard == (3 if passes else 1)  # asked once a call: its tags, and what is done
