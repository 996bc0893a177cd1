"""Signers that nobody here wrote sign; the wire verifies, and notices the slightest change."""

from __future__ import annotations

import http.server
import io
import shutil
import subprocess
import threading
import time
from urllib.parse import quote, urlsplit

import awscrt.auth
import awscrt.http
import pytest
import requests
from botocore.auth import S3SigV4Auth, SigV4Auth, SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore_side import received
from example_counts import examples
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from requests_aws4auth import AWS4Auth

from sts_emulator.core.errors import AwsError
from sts_emulator.wire import sigv4
from sts_emulator.wire.http import Request

KEY, SECRET, TOKEN = "AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", "IQoJb3JpZ2luX2Vj/+=="
FORM = {"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"}
BODY = b"Action=GetCallerIdentity&Version=2011-06-15"
URLS = [
    "http://localhost:9000/",
    "http://localhost:9000",
    "http://localhost:9000/w/lab/",
    "http://localhost:9000/?Action=GetCallerIdentity&Version=2011-06-15",
    "http://localhost:9000/clusters/demo/access-entries/arn%3Aaws%3Aiam%3A%3A123456789012%3Arole%2Fa%20b",
    "http://localhost:9000/tags/%E8%AA%9E?tagKeys=b&tagKeys=a&tagKeys=%2B%20%26&flag=",
    "http://localhost:9000/a/./b/../c//d/?z=1&Z=2&a=~",
]


def holds(request, secret=SECRET, service="sts"):
    """Whether the wire accepts the signature, by the real clock."""
    signed = sigv4.read(request)
    assert signed is not None
    sigv4.check(signed, time.time(), service)
    try:
        sigv4.verify(request, signed, secret)
    except AwsError as error:
        return error.code != "SignatureDoesNotMatch"
    return True


def tampered(request):
    """The same request with one thing changed at a time."""
    body = bytes([request.body[0] ^ 1]) + request.body[1:] if request.body else b"x"
    other_host = {**request.headers, "host": "sts.example.com"}
    for change in (
        {"method": "PUT"},
        {"signed_path": request.signed_path + "x"},
        {"query": request.query + "&x=y"},
        {"body": body},
        {"headers": other_host},
    ):
        parts = {
            name: getattr(request, name) for name in ("method", "raw_path", "signed_path", "query", "headers", "body")
        }
        yield next(iter(change)), Request(**{**parts, **change})


def check_signature(request, **options):
    assert holds(request, **options)
    assert not holds(request, **{**options, "secret": "other"})
    for what, changed in tampered(request):
        assert not holds(changed, **options), what


@pytest.mark.parametrize("url", URLS)
@pytest.mark.parametrize("token", [None, TOKEN])
@pytest.mark.parametrize("method", ["POST", "GET"])
def test_botocore(url, token, method):
    request = AWSRequest(method, url, data=BODY if method == "POST" else b"", headers={**FORM, "X-Odd": "  a   b  "})
    SigV4Auth(Credentials(KEY, SECRET, token), "sts", "eu-west-1").add_auth(request)
    check_signature(received(request.prepare()))


@pytest.mark.parametrize("url", URLS)
@pytest.mark.parametrize("token", [None, TOKEN])
def test_botocore_presigned(url, token):
    request = AWSRequest("GET", url, headers={"x-k8s-aws-id": "my-cluster"})
    SigV4QueryAuth(Credentials(KEY, SECRET, token), "sts", "us-east-1", expires=60).add_auth(request)
    wire = received(request.prepare())
    assert sigv4.read(wire).token == (token or "")
    check_signature(wire)


@pytest.mark.parametrize("payload_signing", [True, False])
def test_botocore_as_it_signs_for_s3_with_the_payload_signed_away(payload_signing):
    request = AWSRequest("POST", "https://localhost:9000/", data=BODY, headers=FORM)
    request.context["payload_signing_enabled"] = payload_signing
    S3SigV4Auth(Credentials(KEY, SECRET), "sts", "us-east-1").add_auth(request)
    wire = received(request.prepare())
    assert holds(wire)
    # a client that signed its body away has said so in what it signed; nobody else can say so for it
    declared = wire.headers["x-amz-content-sha256"]
    wire.body = b"Action=AssumeRole"
    assert holds(wire) is (declared == "UNSIGNED-PAYLOAD")
    wire.headers["x-amz-content-sha256"] = "UNSIGNED-PAYLOAD"
    assert holds(wire) is (declared == "UNSIGNED-PAYLOAD")


@pytest.mark.parametrize("url", [url for url in URLS if "./" not in url])
def test_requests_aws4auth(url):
    auth = AWS4Auth(KEY, SECRET, "eu-west-1", "sts", session_token=TOKEN)
    check_signature(received(requests.Request("POST", url, data=BODY, headers=FORM, auth=auth).prepare()))


def crt_signed(url, algorithm, signature_type, token=None):
    parts = urlsplit(url)
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    presign = signature_type is awscrt.auth.AwsSignatureType.HTTP_REQUEST_QUERY_PARAMS
    headers = [("Host", parts.netloc)] if presign else [("Host", parts.netloc), *FORM.items()]
    body = b"" if presign else BODY
    request = awscrt.http.HttpRequest("GET" if presign else "POST", path, awscrt.http.HttpHeaders(headers), None)
    if body:
        request.body_stream = io.BytesIO(body)
    config = awscrt.auth.AwsSigningConfig(
        algorithm=algorithm,
        signature_type=signature_type,
        credentials_provider=awscrt.auth.AwsCredentialsProvider.new_static(KEY, SECRET, token),
        region="*" if algorithm is awscrt.auth.AwsSigningAlgorithm.V4_ASYMMETRIC else "us-east-1",
        service="sts",
        signed_body_header_type=awscrt.auth.AwsSignedBodyHeaderType.NONE
        if presign
        else awscrt.auth.AwsSignedBodyHeaderType.X_AMZ_CONTENT_SHA_256,
        expiration_in_seconds=900 if presign else None,
    )
    awscrt.auth.aws_sign_request(request, config).result(120)
    path, _, query = request.path.partition("?")
    return Request(request.method, path, path, query, {name.lower(): value for name, value in request.headers}, body)


@pytest.mark.parametrize("url", [URLS[0], *URLS[2:6]])
@pytest.mark.parametrize("algorithm", list(awscrt.auth.AwsSigningAlgorithm)[:2])
@pytest.mark.parametrize(
    "kind", [awscrt.auth.AwsSignatureType.HTTP_REQUEST_HEADERS, awscrt.auth.AwsSignatureType.HTTP_REQUEST_QUERY_PARAMS]
)
def test_the_common_runtime_with_both_algorithms(url, algorithm, kind):
    check_signature(crt_signed(url, algorithm, kind, TOKEN))


def test_sigv4a_has_no_region_in_its_scope_and_sends_nothing_secret():
    request = crt_signed(
        URLS[0], awscrt.auth.AwsSigningAlgorithm.V4_ASYMMETRIC, awscrt.auth.AwsSignatureType.HTTP_REQUEST_HEADERS
    )
    signed = sigv4.read(request)
    assert (signed.algorithm, signed.region, signed.service) == ("AWS4-ECDSA-P256-SHA256", "", "sts")
    assert request.headers["x-amz-region-set"] == "*"
    for garbage in ("", "zz", "00", "3045", "ab" * 200):
        with pytest.raises(AwsError, match="The request signature"):
            sigv4.verify(request, signed._replace(signature=garbage), SECRET)


words = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=8)
header_values = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=20).map(str.strip)


@given(
    path=st.lists(words | st.sampled_from([".", "..", ""]), max_size=4),
    query=st.lists(st.tuples(words, words), max_size=4),
    extra=st.dictionaries(st.sampled_from(["X-A", "X-B", "x-c"]), header_values),
    body=st.binary(max_size=40),
)
@settings(max_examples=examples(100), suppress_health_check=list(HealthCheck))
def test_any_path_query_header_and_body(path, query, extra, body):
    # given any request, escaped as RFC 3986 has it, when botocore and the common runtime sign it, then the signature holds
    target = "/".join(quote(segment, safe="~") for segment in path)
    url = f"http://localhost:9000/{target}?" + "&".join(f"{quote(n, safe='~')}={quote(v, safe='~')}" for n, v in query)
    request = AWSRequest("POST", url, data=body, headers=extra)
    SigV4Auth(Credentials(KEY, SECRET), "sts", "us-east-1").add_auth(request)
    assert holds(received(request.prepare()))
    assert holds(crt_signed(url, awscrt.auth.AwsSigningAlgorithm.V4, awscrt.auth.AwsSignatureType.HTTP_REQUEST_HEADERS))


# AWS's own Signature Version 4 test suite: the parts of it that a query service can meet.
SUITE = [
    ("GET", "/", "", {}, b"", "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"),
    (
        "GET",
        "/",
        "Param2=value2&Param1=value1",
        {},
        b"",
        "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500",
    ),
    ("GET", "//", "", {}, b"", "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"),
    ("GET", "/example/..", "", {}, b"", "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"),
    ("GET", "/./", "", {}, b"", "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"),
    ("POST", "/", "", {}, b"", "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"),
    (
        "POST",
        "/",
        "",
        {"content-type": "application/x-www-form-urlencoded"},
        b"Param1=value1",
        "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a",
    ),
]


@pytest.mark.parametrize(("method", "path", "query", "extra", "body", "signature"), SUITE)
def test_aws_own_vectors(method, path, query, extra, body, signature):
    headers = {**extra, "host": "example.amazonaws.com", "x-amz-date": "20150830T123600Z"}
    signed_headers = ";".join(sorted(headers))
    headers["authorization"] = (
        "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, "
        f"SignedHeaders={signed_headers}, Signature={signature}"
    )
    request = Request(method, path, path, query, headers, body)
    sigv4.verify(request, sigv4.read(request), SECRET)


class _Recorder(http.server.BaseHTTPRequestHandler):
    """Keeps one request as it came."""

    def do_POST(self):  # http.server's name
        path, _, query = self.path.partition("?")
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.server.seen = Request(self.command, path, path, query, headers, body)
        self.send_response(200)
        self.send_header("content-length", "0")
        self.end_headers()

    do_GET = do_POST

    def log_message(self, *_):
        pass


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
@pytest.mark.parametrize("path", ["/", "/?Action=GetCallerIdentity&Version=2011-06-15", "/w/lab/"])
def test_curl(path):
    server = http.server.HTTPServer(("127.0.0.1", 0), _Recorder)
    thread = threading.Thread(target=server.handle_request)
    thread.start()
    subprocess.run(
        ["curl", "-sS", f"http://127.0.0.1:{server.server_port}{path}", "--user", f"{KEY}:{SECRET}",
         "--aws-sigv4", "aws:amz:us-east-1:sts", "--data", BODY.decode(), "--noproxy", "*"],
        check=True, timeout=120,
    )  # fmt: skip
    thread.join()
    server.server_close()
    check_signature(server.seen)
