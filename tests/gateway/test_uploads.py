"""Uploads and downloads of S3 in every form that clients have; what was altered on the way is not stored."""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
import hmac
import http.client
import io
import urllib.error
import urllib.parse
import urllib.request
import zlib

import botocore.auth
import pytest
from botocore.auth import S3SigV4Auth, S3SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials
from door_lab import PEOPLE, client, refused

from sts_emulator import Aws
from sts_emulator.shared_server import free_port

pytestmark = pytest.mark.scenario(PEOPLE)


def send(method: str, url: str, body: bytes | None = None, **headers: str) -> tuple[int, bytes]:
    """Status and body of a plain request."""
    told = {"Content-Type": "image/jpeg"} | {name.replace("_", "-"): value for name, value in headers.items()}
    request = urllib.request.Request(url, body, told, method=method)
    try:
        with urllib.request.urlopen(request) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read()


def signing(lab: Aws, user: str):
    """A client that makes URLs and forms: for an endpoint of one's own boto3 takes SigV2 unless it is told."""
    config = Config(signature_version="s3v4", retries={"total_max_attempts": 1})
    return lab.client("s3", user=user, config=config)


def keys(photos) -> list[str]:
    return [thing["Key"] for thing in photos.list_objects_v2(Bucket="photos").get("Contents", [])]


def hoisted(lab: Aws, method: str, path: str, *, life: int = 60, headers: dict[str, str] | None = None, **query: str):
    """A presigned URL of ann's that has headers in its query, as SDKs of other languages make it."""
    given = lab.credentials(user="ann")
    names = {name.replace("_", "-"): value for name, value in query.items()}
    request = AWSRequest(method, f"{lab.endpoint_url}{path}", params=names, headers=headers)
    credentials = Credentials(given["access_key_id"], given["secret_access_key"])
    S3SigV4QueryAuth(credentials, "s3", "us-east-1", expires=life).add_auth(request)
    return request.url


# -- presigned URLs --------------------------------------------------------------------------------------------------


def test_a_presigned_url_acts_for_whom_it_was_made(lab: Aws, photos):
    ann, bob = signing(lab, "ann"), signing(lab, "bob")
    where = {"Bucket": "photos", "Key": "ann/1"}
    assert send("PUT", ann.generate_presigned_url("put_object", where), b"hello")[0] == 200
    assert send("GET", ann.generate_presigned_url("get_object", where)) == (200, b"hello")
    status, body = send("GET", bob.generate_presigned_url("get_object", where))
    assert status == 403
    assert b"user/bob is not authorized to perform: s3:GetObject" in body
    assert keys(photos) == ["ann/1"]


@pytest.mark.usefixtures("photos")
def test_a_presigned_url_ends(lab: Aws, monkeypatch):
    now = botocore.auth.get_current_datetime
    monkeypatch.setattr(botocore.auth, "get_current_datetime", lambda: now() - dt.timedelta(seconds=3))
    status, body = send("GET", hoisted(lab, "GET", "/photos/ann/1", life=1))
    assert (status, b"<Message>Request has expired</Message>" in body) == (403, True)


@pytest.mark.usefixtures("photos")
def test_the_signatures_of_before_2014_are_refused_as_s3_does(lab: Aws):
    where = {"Bucket": "photos", "Key": "ann/1"}
    older = lab.client("s3", user="ann", config=Config(signature_version="s3"))
    status, body = send("GET", older.generate_presigned_url("get_object", where))
    assert (status, b"Please use AWS4-HMAC-SHA256" in body) == (400, True)


@pytest.mark.usefixtures("photos")
def test_a_presigned_url_lives_a_week_at_most(lab: Aws):
    url = signing(lab, "ann").generate_presigned_url(
        "get_object", {"Bucket": "photos", "Key": "ann/1"}, ExpiresIn=604_801
    )
    status, body = send("GET", url)
    assert (status, b"AuthorizationQueryParametersError" in body) == (400, True)


@pytest.mark.usefixtures("photos")
def test_a_presigned_url_is_for_its_host_and_path_and_headers(lab: Aws):
    ann = signing(lab, "ann")
    url = ann.generate_presigned_url("put_object", {"Bucket": "photos", "Key": "ann/1"})
    assert b"SignatureDoesNotMatch" in send("PUT", url.replace("ann/1", "ann/2"), b"x")[1]
    assert b"SignatureDoesNotMatch" in send("PUT", url, b"x", Host="elsewhere.example")[1]
    status, body = send("PUT", url, b"x", x_amz_acl="public-read")
    assert (status, b"were not signed" in body) == (403, True)


def test_headers_in_a_presigned_url_are_decided_on_and_go_on(lab: Aws, photos):
    url = hoisted(lab, "PUT", "/photos/ann/1", X_Amz_Meta_Colour="red", x_amz_storage_class="STANDARD_IA")
    assert send("PUT", url, b"hello")[0] == 200
    head = photos.head_object(Bucket="photos", Key="ann/1")
    assert (head["Metadata"], head["StorageClass"]) == ({"colour": "red"}, "STANDARD_IA")
    status, body = send("PUT", hoisted(lab, "PUT", "/photos/ann/1", x_amz_acl="public-read"), b"x")
    assert (status, b"is not authorized to perform: s3:PutObjectAcl" in body) == (403, True)
    status, body = send("PUT", hoisted(lab, "PUT", "/photos/ann/2", x_amz_copy_source="photos/bob/1"), b"")
    assert (status, b"is not authorized to perform: s3:GetObject on resource: arn:aws:s3:::photos/bob/1" in body) == (
        403,
        True,
    )
    status, body = send("GET", hoisted(lab, "GET", "/photos/ann/1", x_amz_expected_bucket_owner="444455556666"))
    assert (status, b"AccessDenied" in body) == (403, True)


def test_headers_that_s3_does_not_heed_in_a_url_change_nothing(lab: Aws, photos):
    """The SDK for JavaScript puts the checksum of nothing there."""
    url = hoisted(lab, "PUT", "/photos/ann/1", x_amz_checksum_crc32="AAAAAA==", x_amz_tagging="a=b", x_id="PutObject")
    assert send("PUT", url, b"hello")[0] == 200
    assert photos.get_object_tagging(Bucket="photos", Key="ann/1")["TagSet"] == []


@pytest.mark.usefixtures("photos")
def test_a_header_in_a_url_is_one_and_says_one_thing(lab: Aws):
    for query in (
        {"x_amz_meta_a": "1\r\nx-moto-account-id: 1"},
        {"x_amz_meta_a": "ü"},
        {"x_amz_meta_a": "1", "X_Amz_Meta_A": "2"},
    ):
        status, body = send("PUT", hoisted(lab, "PUT", "/photos/ann/1", **query), b"x")
        assert (status, b"<Code>InvalidRequest</Code>" in body) == (400, True)
    url = hoisted(
        lab, "PUT", "/photos/ann/1", headers={"x-amz-storage-class": "STANDARD"}, x_amz_storage_class="GLACIER"
    )
    assert send("PUT", url, b"x", x_amz_storage_class="STANDARD")[0] == 400
    status, body = send("PUT", hoisted(lab, "PUT", "/photos/ann/1", x_amz_meta_a="a" * 2_100), b"x")
    assert (status, b"MetadataTooLarge" in body) == (400, True)


# -- chunks and trailers -----------------------------------------------------------------------------------------------


class Chunked:
    """A payload in signed chunks, as S3 documents it; `spoil` alters what leaves after it has been signed."""

    def __init__(self, lab: Aws, key: str, pieces: list[bytes], trailer: str = "", *, signed: bool = True) -> None:
        kind = ("STREAMING-AWS4-HMAC-SHA256-PAYLOAD" if signed else "STREAMING-UNSIGNED-PAYLOAD") + (
            "-TRAILER" if trailer else ""
        )
        credentials = lab.credentials(user="ann")
        self.secret = credentials["secret_access_key"]
        request = AWSRequest("PUT", f"{lab.endpoint_url}/photos/{key}")
        request.headers["x-amz-decoded-content-length"] = str(sum(map(len, pieces)))
        request.headers["content-encoding"] = "aws-chunked"
        request.headers["X-Amz-Content-SHA256"] = kind
        if trailer:
            request.headers["x-amz-trailer"] = trailer
        request.headers["content-type"] = "image/jpeg"
        signer = _Signer(Credentials(credentials["access_key_id"], self.secret), "s3", "us-east-1")
        signer.add_auth(request)
        authorization = request.headers["Authorization"]
        self.headers = dict(request.headers.items())
        self.url = request.url
        self.last = authorization.rpartition("Signature=")[2]
        self.date = request.headers["X-Amz-Date"]
        self.scope = authorization.split("Credential=")[1].split(",")[0].partition("/")[2]
        self.signed = signed
        self.body = b"".join(map(self.chunk, [*pieces, b""]))
        if trailer:
            value = base64.b64encode(zlib.crc32(b"".join(pieces)).to_bytes(4, "big")).decode()
            self.body = self.body.removesuffix(b"\r\n") + self.trail(f"{trailer}:{value}")

    def sign(self, kind: str, text: str) -> str:
        key = b"AWS4" + self.secret.encode()
        for part in self.scope.split("/"):
            key = hmac.digest(key, part.encode(), "sha256")
        whole = f"AWS4-HMAC-SHA256-{kind}\n{self.date}\n{self.scope}\n{self.last}\n{text}"
        self.last = hmac.new(key, whole.encode(), "sha256").hexdigest()
        return self.last

    def chunk(self, piece: bytes) -> bytes:
        head = f"{len(piece):x}"
        if self.signed:
            digests = f"{hashlib.sha256(b'').hexdigest()}\n{hashlib.sha256(piece).hexdigest()}"
            head += f";chunk-signature={self.sign('PAYLOAD', digests)}"
        return head.encode() + b"\r\n" + piece + b"\r\n"

    def trail(self, line: str) -> bytes:
        told = line.encode() + b"\r\n"
        if self.signed:
            told += (
                b"x-amz-trailer-signature:"
                + self.sign("TRAILER", hashlib.sha256(line.encode() + b"\n").hexdigest()).encode()
                + b"\r\n"
            )
        return told + b"\r\n"

    def send(self, body: bytes | None = None) -> tuple[int, bytes]:
        request = urllib.request.Request(self.url, self.body if body is None else body, self.headers, method="PUT")
        try:
            with urllib.request.urlopen(request) as answer:
                return answer.status, answer.read()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read()


class _Signer(S3SigV4Auth):
    """botocore's own, but for what it says of the payload."""

    def payload(self, request) -> str:
        return request.headers["X-Amz-Content-SHA256"]

    def _modify_request_before_signing(self, request) -> None:
        said = request.headers["X-Amz-Content-SHA256"]
        super()._modify_request_before_signing(request)
        request.headers.replace_header("X-Amz-Content-SHA256", said)


PIECES = [b"a" * 65_536, b"b" * 65_536, b"c" * 1_024]
CRC = "x-amz-checksum-crc32"


@pytest.mark.parametrize(("trailer", "signed"), [("", True), (CRC, True), (CRC, False)])
@pytest.mark.parametrize("pieces", [PIECES, [b"short"], []], ids=["long", "short", "empty"])
def test_a_payload_in_chunks_is_stored_as_it_was_before(lab: Aws, photos, pieces, trailer, signed):
    assert Chunked(lab, "ann/1", pieces, trailer, signed=signed).send()[0] == 200
    got = photos.get_object(Bucket="photos", Key="ann/1")
    assert got["Body"].read() == b"".join(pieces)
    assert "aws-chunked" not in got.get("ContentEncoding", "")


@pytest.mark.parametrize("pieces", [PIECES, [b"short"]], ids=["long", "short"])
@pytest.mark.parametrize(
    ("spoil", "code"),
    [
        (
            lambda body: body.replace(b"c" * 1_024, b"d" + b"c" * 1_023).replace(b"short", b"Short"),
            b"SignatureDoesNotMatch",
        ),
        (
            lambda body: body.replace(b"a" * 65_536, b"d" + b"a" * 65_535).replace(b"short", b"Short"),
            b"SignatureDoesNotMatch",
        ),
        (lambda body: body.replace(b"crc32:", b"crc32:A"), b"SignatureDoesNotMatch"),
        (lambda body: body.replace(b"x-amz-checksum-crc32:", b"x-amz-checksum-sha1:"), b"SignatureDoesNotMatch"),
        (lambda body: body[: body.index(b"0;chunk")], b"IncompleteBody"),
        (lambda body: body + b"more", b"IncompleteBody"),
        (lambda body: body.replace(b";chunk-signature=", b";chunk-signature=0", 1), b"SignatureDoesNotMatch"),
        (lambda body: body.replace(b";chunk-signature=", b";chunk-sign=", 1), b"IncompleteBody"),
    ],
    ids=["last chunk", "first chunk", "trailer", "trailer's name", "cut", "longer", "signature", "no signature"],
)
def test_what_was_altered_is_not_stored(lab: Aws, photos, pieces, spoil, code):
    upload = Chunked(lab, "ann/1", pieces, CRC)
    status, body = upload.send(spoil(upload.body))
    assert status in (400, 403)
    assert code in body
    assert keys(photos) == []


def test_a_trailer_that_is_wrong_or_missing_is_refused(lab: Aws, photos):
    upload = Chunked(lab, "ann/1", PIECES, CRC, signed=False)
    assert b"BadDigest" in upload.send(upload.body.replace(b"b" * 65_536, b"d" + b"b" * 65_535))[1]
    end = upload.body.index(CRC.encode())
    assert b"MalformedTrailerError" in upload.send(upload.body[:end] + b"\r\n")[1]
    assert keys(photos) == []


def test_a_body_that_has_another_digest_is_not_stored(lab: Aws, photos):
    credentials = lab.credentials(user="ann")
    for body in (b"hello", b"x" * 300_000):
        request = AWSRequest("PUT", f"{lab.endpoint_url}/photos/ann/1", data=body)
        S3SigV4Auth(
            Credentials(credentials["access_key_id"], credentials["secret_access_key"]), "s3", "us-east-1"
        ).add_auth(request)
        request.headers["X-Amz-Content-SHA256"] = hashlib.sha256(body).hexdigest()
        signed = dict(request.headers.items())
        status, answer = send("PUT", request.url, b"y" + body[1:], **signed)
        assert (status, b"XAmzContentSHA256Mismatch" in answer) == (400, True)
        assert keys(photos) == []


@pytest.mark.usefixtures("lab")
def test_boto3_sends_trailers_over_tls(another_door, moto, tmp_path):
    """The commonest upload of all: an SDK's default over https."""
    port = free_port()
    with another_door(moto, "--tls-port", str(port), "--certs", str(tmp_path)) as secure, secure.world(PEOPLE) as aws:
        authority = tmp_path / "tls-ca.pem"
        options = {"endpoint_url": f"https://127.0.0.1:{port}/w/{aws.world}", "verify": str(authority)}
        ann = aws.client("s3", user="ann", config=Config(retries={"total_max_attempts": 1}), **options)
        aws.client("s3").create_bucket(Bucket="photos")
        for algorithm in ("CRC32", "CRC32C", "CRC64NVME", "SHA1", "SHA256"):
            where = {"Bucket": "photos", "Key": f"ann/{algorithm}"}
            put = ann.put_object(**where, Body=io.BytesIO(b"z" * 200_000), ChecksumAlgorithm=algorithm)
            assert put[f"Checksum{algorithm}"]
            if algorithm != "CRC32C":  # of which moto tells another sum when it is read
                assert ann.get_object(**where, ChecksumMode="ENABLED")["Body"].read() == b"z" * 200_000


def test_parts_become_an_object_at_the_door(lab: Aws):
    ann = client(lab, "s3", "ann")
    client(lab, "s3").create_bucket(Bucket="photos")
    lab.load(PEOPLE.replace('"s3:*Object"', '["s3:*Object", "s3:*MultipartUpload*"]', 1))
    where = {"Bucket": "photos", "Key": "ann/big file"}
    upload = ann.create_multipart_upload(**where)["UploadId"]
    parts = [
        {"PartNumber": number, "ETag": ann.upload_part(**where, UploadId=upload, PartNumber=number, Body=body)["ETag"]}
        for number, body in ((1, b"1" * (5 << 20)), (2, b"2"))
    ]
    done = ann.complete_multipart_upload(**where, UploadId=upload, MultipartUpload={"Parts": parts})
    assert done["Location"] == f"{lab.endpoint_url}/photos/ann/big%20file"
    assert ann.get_object(**where)["Body"].read() == b"1" * (5 << 20) + b"2"
    assert ann.get_object(**where, Range="bytes=5242879-")["Body"].read() == b"12"


def test_sigv4a_is_as_good(lab: Aws, photos):
    sigv4a = lab.client("s3", user="ann", config=Config(signature_version="s3v4a", retries={"total_max_attempts": 1}))
    sigv4a.put_object(Bucket="photos", Key="ann/1", Body=b"hello")
    assert sigv4a.get_object(Bucket="photos", Key="ann/1")["Body"].read() == b"hello"
    assert refused(sigv4a.put_object, Bucket="photos", Key="bob/1", Body=b"x")["Error"]["Code"] == "AccessDenied"
    assert keys(photos) == ["ann/1"]


# -- forms -----------------------------------------------------------------------------------------------------------


def post(url: str, fields: dict[str, str], file: bytes, name: str = "cat.jpg") -> http.client.HTTPResponse:
    """What a browser does with a form."""
    parts = "".join(
        f'--xyz\r\nContent-Disposition: form-data; name="{field}"\r\n\r\n{value}\r\n' for field, value in fields.items()
    )
    head = (
        f'--xyz\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\nContent-Type: image/jpeg\r\n\r\n'
    )
    body = (parts + head).encode() + file + b"\r\n--xyz--\r\n"
    where = urllib.parse.urlsplit(url)
    connection = http.client.HTTPConnection(where.hostname, where.port)
    connection.request("POST", where.path, body, {"Content-Type": "multipart/form-data; boundary=xyz"})
    answer = connection.getresponse()
    answer.text = answer.read().decode()
    connection.close()
    return answer


def test_a_browser_uploads_by_form(lab: Aws, photos):
    ann = signing(lab, "ann")
    more = {"success_action_status": "201", "Content-Type": "image/jpeg"}
    conditions = [
        {"success_action_status": "201"},
        ["starts-with", "$Content-Type", "image/"],
        ["content-length-range", 1, 500_000],
    ]
    form = ann.generate_presigned_post("photos", "ann/${filename}", Fields=more, Conditions=conditions)
    answer = post(form["url"], form["fields"], b"meow" * 100_000)
    assert answer.status == 201
    assert f"<Location>{lab.endpoint_url}/photos/ann/cat.jpg</Location>" in answer.text
    got = photos.get_object(Bucket="photos", Key="ann/cat.jpg")
    assert (got["Body"].read(), got["ContentType"]) == (b"meow" * 100_000, "image/jpeg")
    for file, code in ((b"", "EntityTooSmall"), (b"x" * 500_001, "EntityTooLarge")):
        assert f"<Code>{code}</Code>" in post(form["url"], form["fields"], file, "dog.jpg").text
    assert keys(photos) == ["ann/cat.jpg"]


def test_a_form_brings_tags_for_whom_they_may_be_set(lab: Aws, photos):
    tags = "<Tagging><TagSet><Tag><Key>team</Key><Value>a + b=c</Value></Tag></TagSet></Tagging>"
    for user, status, kept in (("ann", 403, []), ("", 204, ["ann/cat.jpg"])):
        form = signing(lab, user).generate_presigned_post(
            "photos", "ann/cat.jpg", Fields={"tagging": tags}, Conditions=[{"tagging": tags}]
        )
        assert post(form["url"], form["fields"], b"meow").status == status
        assert keys(photos) == kept
    assert photos.get_object_tagging(Bucket="photos", Key="ann/cat.jpg")["TagSet"] == [
        {"Key": "team", "Value": "a + b=c"}
    ]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"key": "bob/1"}, "Policy Condition failed"),
        ({"acl": "public-read"}, "Extra input fields: acl"),
        ({"x-amz-signature": "0" * 64}, "SignatureDoesNotMatch"),
        (
            {"policy": base64.b64encode(b'{"expiration": "2999-01-01T00:00:00Z", "conditions": []}').decode()},
            "SignatureDoesNotMatch",
        ),
        ({"policy": "%%%"}, "InvalidPolicyDocument"),
        ({"x-amz-credential": "AKIAIOSFODNN7EXAMPLE/20261129/us-east-1/s3/aws4_request"}, "<Code>"),
    ],
)
def test_a_form_that_was_altered_is_refused(lab: Aws, photos, change, told):
    form = signing(lab, "ann").generate_presigned_post("photos", "ann/1")
    answer = post(form["url"], {**form["fields"], **change}, b"x")
    assert answer.status in (400, 403)
    assert told in answer.text
    assert keys(photos) == []


def test_a_form_is_held_to_the_signers_own_policies(lab: Aws, photos):
    form = signing(lab, "ann").generate_presigned_post("photos", "bob/1")
    answer = post(form["url"], form["fields"], b"x")
    assert (answer.status, "user/ann is not authorized to perform: s3:PutObject" in answer.text) == (403, True)
    expired = signing(lab, "ann").generate_presigned_post("photos", "ann/1", ExpiresIn=-1)
    assert "Policy expired" in post(expired["url"], expired["fields"], b"x").text
    assert keys(photos) == []


def test_a_client_whose_upload_was_refused_goes_on(lab: Aws, photos):
    """boto3 asks before it sends a body (`Expect: 100-continue`); its next call is not read as the body that it kept."""
    photos.put_object(Bucket="photos", Key="ann/1", Body=b"hers")
    ann = client(lab, "s3", user="ann")
    assert refused(ann.put_object, Bucket="photos", Key="bob/1", Body=b"x")["Error"]["Code"] == "AccessDenied"
    assert ann.get_object(Bucket="photos", Key="ann/1")["Body"].read() == b"hers"
