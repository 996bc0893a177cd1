"""Whatever arrives, the answer is AWS's error or a 4xx: never a 5xx, a hang, or somebody let in."""

from __future__ import annotations

import socket
from urllib.parse import urlsplit

import pytest

FORM = "application/x-www-form-urlencoded"


def raw(aws, request: bytes) -> tuple[int, bytes]:
    """Send bytes as they are, and read the answer's status and body."""
    target = urlsplit(aws.endpoint_url)
    with socket.create_connection((target.hostname, target.port), timeout=120) as connection:
        connection.sendall(request)
        connection.shutdown(socket.SHUT_WR)
        answer = b""
        while chunk := connection.recv(65536):
            answer += chunk
    head, _, body = answer.partition(b"\r\n\r\n")
    return int(head.split(b" ", 2)[1]), body


def post(aws, body: bytes, path: str = "", **headers: str) -> tuple[int, bytes]:
    lines = {"Host": "127.0.0.1", "Content-Type": FORM, "Content-Length": str(len(body)), "Connection": "close"}
    lines |= {name.replace("_", "-"): value for name, value in headers.items()}
    head = f"POST {urlsplit(aws.endpoint_url).path}/{path} HTTP/1.1\r\n"
    head += "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    return raw(aws, head.encode("latin-1") + b"\r\n" + body)


def assert_refused(answer: tuple[int, bytes], code: str = "") -> None:
    status, body = answer
    assert 300 <= status < 500, (status, body[:300])
    assert code.encode() in body


WEB_IDENTITY = (
    b"Action=AssumeRoleWithWebIdentity&Version=2011-06-15&RoleSessionName=who"
    b"&RoleArn=arn:aws:iam::111122223333:role/github-deploy&WebIdentityToken="
)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", ""),
        (b"Action=Nonsense&Version=2011-06-15", "InvalidAction"),
        (b"Action=GetCallerIdentity", "InvalidAction"),
        (b"Action=GetCallerIdentity&Version=2011-06-15", "MissingAuthenticationToken"),
        (b"Action=%", "MalformedQueryString"),
        (b"Action=%zz", "MalformedQueryString"),
        (b"\xff\xfe\x00" * 1000, ""),
        (b"&" * 6000, "MalformedQueryString"),
        (b"Action=GetCallerIdentity&Action=Nonsense&Version=2011-06-15", "MissingAuthenticationToken"),
        (WEB_IDENTITY + b"abc", "ValidationError"),
        (WEB_IDENTITY + b"x" * 20001, "ValidationError"),
        (WEB_IDENTITY + b"eyJhbGciOiJSUzI1NiJ9.e30", "InvalidIdentityToken"),
        (WEB_IDENTITY + b".".join([b"eyJhbGciOiJSUzI1NiJ9"] * 3), "InvalidIdentityToken"),
        (WEB_IDENTITY + b"W" * 15000 + b".W.W", "InvalidIdentityToken"),
        (WEB_IDENTITY + b"abcd&Tags.member.999999999.Key=x", "InvalidIdentityToken"),
        (WEB_IDENTITY + b"abcd&DurationSeconds=1e9", "MalformedInput"),
    ],
)
def test_forms(aws, body, code):
    assert_refused(post(aws, body), code)


def test_a_megabyte_of_token_is_refused_before_it_is_read_as_one(aws):
    status, _ = post(aws, WEB_IDENTITY + b"x" * (1 << 20))
    assert status == 413


def test_deep_json_does_not_exhaust_the_stack(aws):
    deep = b"[" * 200_000
    answer = post(
        aws, deep, Content_Type="application/x-amz-json-1.1", X_Amz_Target="AWSOrganizationsV20161128.ListRoots"
    )
    assert_refused(answer)


@pytest.mark.parametrize(
    "target", ["", ".", "Nobody.Nothing", "AWSOrganizationsV20161128.", "AWSOrganizationsV20161128.Nothing", "x" * 5000]
)
def test_targets(aws, target):
    assert_refused(post(aws, b"{}", Content_Type="application/x-amz-json-1.1", X_Amz_Target=target))


@pytest.mark.parametrize(
    "authorization",
    [
        "AWS4-HMAC-SHA256",
        "AWS4-HMAC-SHA256 Credential",
        "AWS4-HMAC-SHA256 Credential=,SignedHeaders=,Signature=",
        "AWS4-HMAC-SHA256 Credential=a/b/c/d/e, SignedHeaders=host, Signature=x",
        "AWS4-HMAC-SHA256 Credential=AKIA/20261125/us-east-1/sts/aws4_request, SignedHeaders=host, Signature=\xff",
        "AWS4-ECDSA-P256-SHA256 Credential=AKIA/20261125/sts/aws4_request, SignedHeaders=host, Signature=00",
        "Bearer x",
        "=" * 8000,
    ],
)
def test_authorization_headers(aws, authorization):
    body = b"Action=GetCallerIdentity&Version=2011-06-15"
    for date in ("20261125T000000Z", "yesterday", "99999999T999999Z", ""):
        assert_refused(post(aws, body, Authorization=authorization, X_Amz_Date=date))


@pytest.mark.parametrize(
    "path",
    [
        "/w/../w/default/",
        "/w/%2e%2e/",
        "/w//",
        "/w/UPPER/",
        "/w/" + "a" * 5000 + "/",
        "/w/default%00/",
        "/w/no-such-world/",
        "/../../etc/passwd",
        "/%",
        "/%zz",
        "//",
        "/latest/../_emulator/api/worlds",
    ],
)
def test_paths(aws, path):
    request = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n"
    assert_refused(raw(aws, request.encode()))


def test_header_injection_stays_in_its_value(aws):
    """What a client sends in a token or name never becomes a header of the answer."""
    evil = b"Action=GetCallerIdentity&Version=%0d%0aSet-Cookie:%20x=1"
    target = urlsplit(aws.endpoint_url)
    head = f"POST {target.path}/ HTTP/1.1\r\nHost: x\r\nContent-Type: {FORM}\r\nContent-Length: {len(evil)}\r\n"
    with socket.create_connection((target.hostname, target.port), timeout=120) as connection:
        connection.sendall(head.encode() + b"Connection: close\r\n\r\n" + evil)
        answer = connection.makefile("rb").read()
    headers = answer.partition(b"\r\n\r\n")[0].lower()
    assert b"set-cookie" not in headers


def test_a_body_that_never_ends_is_cut(aws):
    target = urlsplit(aws.endpoint_url)
    head = f"POST {target.path}/ HTTP/1.1\r\nHost: x\r\nContent-Type: {FORM}\r\nTransfer-Encoding: chunked\r\n\r\n"
    chunk = b"10000\r\n" + b"a" * 65536 + b"\r\n"
    with socket.create_connection((target.hostname, target.port), timeout=120) as connection:
        connection.sendall(head.encode())
        answer = b""
        try:
            for _ in range(64):
                connection.sendall(chunk)
            answer = connection.recv(65536)
        except OSError:
            return  # cut off while we were still sending
    assert b"413" in answer.split(b"\r\n", 1)[0]
