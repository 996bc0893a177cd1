"""The shortcut that reads an SDK's whole message: it takes what is plain, reads it as a parser would, or declines."""

import httptools
import pytest
from example_counts import examples
from hypothesis import given, settings
from hypothesis import strategies as st

from sts_emulator.wire import messages
from sts_emulator.wire.http import Response

BODY = b"Action=GetCallerIdentity&Version=2011-06-15"
HEAD = [
    b"POST / HTTP/1.1",
    b"Host: localhost:4599",
    b"Content-Type: application/x-www-form-urlencoded; charset=utf-8",
    b"User-Agent: Boto3/1.40 md/Botocore#1.40",
    b"X-Amz-Date: 20261125T120000Z",
    b"X-Custom: a value",
    b"Content-Length: 43",
]


def message(head=HEAD, body=BODY):
    return b"\r\n".join(head) + b"\r\n\r\n" + body


def test_a_plain_post_is_read_whole():
    request, missing = messages.read(message(), "127.0.0.1", "http")

    assert missing == 0

    assert (request.method, request.raw_path, request.signed_path, request.query) == ("POST", "/", "/", "")
    assert request.headers == {
        "host": "localhost:4599",
        "content-type": "application/x-www-form-urlencoded; charset=utf-8",
        "user-agent": "Boto3/1.40 md/Botocore#1.40",
        "x-amz-date": "20261125T120000Z",
        "x-custom": "a value",
        "content-length": "43",
    }
    assert (request.body, request.client, request.scheme) == (BODY, "127.0.0.1", "http")


@pytest.mark.parametrize("there", [0, 1, len(BODY) - 1])
def test_a_body_may_still_be_on_its_way(there):
    request, missing = messages.read(message(body=BODY[:there]), "", "http")

    assert request.body == BODY[:there]
    assert missing == len(BODY) - there


@pytest.mark.parametrize("path", [b"/", b"/w/lab", b"/w/lab-2/"])
def test_worlds_are_posted_to(path):
    assert messages.read(message([b"POST " + path + b" HTTP/1.1", *HEAD[1:]]), "", "http")[0].raw_path == path.decode()


@pytest.mark.parametrize("line", [b"X-Y:1", b"X-Y: 1", b"X-Y:   1", b"X-Y: 1  "])
def test_spaces_around_a_value_are_no_part_of_it(line):
    data = message([*HEAD, line])

    assert messages.read(data, "", "http")[0].headers["x-y"] == dict(Parsed(data).headers)["x-y"] == "1"


@pytest.mark.parametrize(
    ("what", "data"),
    [
        ("nothing", b""),
        ("half a head", b"POST / HTTP/1.1\r\nHost: a"),
        ("a long body", message([*HEAD[:-1], b"Content-Length: %d" % (messages.LONGEST + 1)])),
        ("the beginning of the next message", message(body=BODY + b"POST")),
        ("two messages", message() * 2),
        ("another method", message([b"PUT / HTTP/1.1", *HEAD[1:]])),
        ("a query", message([b"POST /?a=b HTTP/1.1", *HEAD[1:]])),
        ("a page", message([b"POST /issuers/github/token HTTP/1.1", *HEAD[1:]])),
        ("the control API", message([b"POST /_emulator HTTP/1.1", *HEAD[1:]])),
        ("a path out of its world", message([b"POST /w/../ HTTP/1.1", *HEAD[1:]])),
        ("an absolute target", message([b"POST http://a/ HTTP/1.1", *HEAD[1:]])),
        ("an old version", message([b"POST / HTTP/1.0", *HEAD[1:]])),
        ("no Content-Length", message(HEAD[:-1])),
        ("two Content-Lengths", message([*HEAD, b"Content-Length: 43"])),
        ("a Content-Length with a sign", message([*HEAD[:-1], b"Content-Length: +43"])),
        ("a Content-Length with a zero in front", message([*HEAD[:-1], b"Content-Length: 043"])),
        ("chunks", message([*HEAD, b"Transfer-Encoding: chunked"])),
        ("chunks in capitals", message([*HEAD, b"TRANSFER-ENCODING: chunked"])),
        ("an expectation", message([*HEAD, b"Expect: 100-continue"])),
        ("an upgrade", message([*HEAD, b"Upgrade: websocket"])),
        ("a last request", message([*HEAD, b"Connection: close"])),
        ("a header twice", message([*HEAD, b"x-custom: another"])),
        ("a folded header", message([*HEAD, b" folded: yes"])),
        ("a space before the colon", message([*HEAD, b"X-Y : 1"])),
        ("no colon", message([*HEAD, b"X-Y"])),
        ("no name", message([*HEAD, b": 1"])),
        ("an empty value", message([*HEAD, b"X-Y: "])),
        ("a bare line feed", message([*HEAD, b"X-Y: 1\nX-Z: 2"])),
        ("a NUL", message([*HEAD, b"X-Y: \x00"])),
        ("bytes beyond ASCII", message([*HEAD, b"X-Y: \xc3\xa9"])),
        ("a very long header", message([*HEAD, b"X-Y: " + b"1" * messages.LONGEST])),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_whatever_else_is_left_to_the_parser(what, data):
    assert messages.read(data, "", "http") is None, what


class Parsed:
    """What a real parser sees in the same bytes."""

    def __init__(self, data):
        self.url, self.headers, self.body, self.complete = b"", [], b"", 0
        self.parser = httptools.HttpRequestParser(self)
        self.parser.feed_data(data)

    def on_url(self, url):
        self.url += url

    def on_header(self, name, value):
        self.headers.append((name.lower().decode(), value.decode().rstrip(" ")))  # which this parser leaves to its user

    def on_body(self, body):
        self.body += body

    def on_message_complete(self):
        self.complete += 1


NAMES = st.sampled_from(
    ["Host", "content-length", "Connection", "TE", "X-A", "x-a", "X-B", "Transfer-Encoding", "Bad Name", ""]
)
VALUES = st.text(" \t:\r\n\0a1\xe9", max_size=5) | st.sampled_from(["close", "keep-alive", "2", "chunked", "a b"])
LINES = st.lists(
    st.tuples(NAMES, st.sampled_from([": ", ":", " : "]), VALUES).map(lambda parts: "".join(parts).encode("latin-1")),
    max_size=4,
)
ENDS = st.sampled_from([b"\r\n"] * 4 + [b"\n", b"\r"])


@settings(max_examples=examples(500))  # few are taken
@given(lines=LINES, end=ENDS, body=st.binary(max_size=4), beyond=st.sampled_from([0, 0, 0, -1, 1]))
def test_what_is_taken_is_read_as_a_parser_reads_it(lines, end, body, beyond):
    head = [b"POST / HTTP/1.1", b"Accept: a", *lines, b"Content-Length: %d" % (len(body) + beyond)]
    data = b"\r\n".join(head[:2]) + end + b"\r\n".join(head[2:]) + b"\r\n\r\n" + body

    taken = messages.read(data, "", "http")

    if taken is not None:
        request, missing = taken
        parsed = Parsed(data + b"?" * missing)
        assert parsed.parser.get_method() == b"POST"
        assert parsed.url.decode() == request.raw_path
        assert dict(parsed.headers) == request.headers
        assert len(parsed.headers) == len(request.headers)
        assert parsed.body == request.body + b"?" * missing
        assert parsed.complete == 1
        assert parsed.parser.should_keep_alive()


FETCH = [b"GET /w/lab/federation/credentials?role_name=R&account_id=111122223333 HTTP/1.1", HEAD[1], b"X-A: 1"]


def test_credentials_of_the_portal_are_fetched_without_a_body():
    data = message(FETCH, b"")
    request, missing = messages.read(data, "127.0.0.1", "http")

    parsed = Parsed(data)
    assert (request.method, request.body, missing) == ("GET", b"", 0)
    assert f"{request.raw_path}?{request.query}" == parsed.url.decode()
    assert request.headers == dict(parsed.headers)
    assert parsed.complete == 1


@pytest.mark.parametrize(
    ("what", "data"),
    [
        ("another page", message([b"GET /federation/console?a=b HTTP/1.1", *FETCH[1:]], b"")),
        ("no query", message([b"GET /federation/credentials HTTP/1.1", *FETCH[1:]], b"")),
        ("a fragment", message([b"GET /federation/credentials?a=b#c HTTP/1.1", *FETCH[1:]], b"")),
        ("another method", message([FETCH[0].replace(b"GET", b"PUT"), *FETCH[1:]], b"")),
        ("an old version", message([FETCH[0].replace(b"1.1", b"1.0"), *FETCH[1:]], b"")),
        ("a long query", message([FETCH[0].replace(b"role", b"r" * 3_000), *FETCH[1:]], b"")),
        ("a body", message([*FETCH, b"Content-Length: 1"], b"x")),
        ("no body, and its length", message([*FETCH, b"Content-Length: 0"], b"")),
        ("chunks", message([*FETCH, b"Transfer-Encoding: chunked"], b"")),
        ("the next message", message(FETCH, b"") * 2),
        ("a last request", message([*FETCH, b"Connection: close"], b"")),
        ("a header twice", message([*FETCH, b"x-a: 2"], b"")),
        ("half a head", b"\r\n".join(FETCH)),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_of_other_gets_the_parser_reads_all(what, data):
    assert messages.read(data, "", "http") is None, what


@settings(max_examples=examples(300))
@given(lines=LINES, query=st.text("ab=&%2e.~#? /\r\n", min_size=1, max_size=8))
def test_a_get_that_is_taken_is_read_as_a_parser_reads_it(lines, query):
    line = b"GET /federation/credentials?" + query.encode() + b" HTTP/1.1"
    taken = messages.read(message([line, b"Accept: a", *lines], b""), "", "http")

    if taken is not None:
        parsed = Parsed(message([line, b"Accept: a", *lines], b""))
        assert parsed.url.decode() == f"{taken[0].raw_path}?{taken[0].query}"
        assert dict(parsed.headers) == taken[0].headers
        assert (parsed.body, parsed.complete) == (b"", 1)
        assert parsed.parser.should_keep_alive()


def test_an_answer_is_one_message():
    written = messages.write(Response(403, [("content-type", "text/xml"), ("x-amzn-RequestId", "1-2")], b"<no/>"))

    head, _, body = written.partition(b"\r\n\r\n")
    assert head.split(b"\r\n")[:-1] == [
        b"HTTP/1.1 403 Forbidden",
        b"content-type: text/xml",
        b"x-amzn-RequestId: 1-2",
        b"content-length: 5",
    ]
    assert head.split(b"\r\n")[-1].startswith(b"date: ")
    assert body == b"<no/>"


@pytest.mark.parametrize("value", ["a\r\nset-cookie: b", "a\nb", "a\rb"])
def test_no_header_opens_a_line_of_its_own(value):
    with pytest.raises(ValueError, match="line break"):
        messages.write(Response(302, [("location", value)], b""))


# -- calls without a body, which pass by the door ------------------------------------------------------------------

BARE = [b"GET /photos/ann/a%20b?versionId=1 HTTP/1.1", HEAD[1], b"Authorization: AWS4-HMAC-SHA256 x", b"X-A: 1"]
PRESIGNED = [b"GET /photos/key?X-Amz-Signature=12 HTTP/1.1", HEAD[1]]


@pytest.mark.parametrize(
    "head",
    [
        BARE,
        PRESIGNED,
        [BARE[0].replace(b"GET", b"HEAD"), *BARE[1:]],
        [BARE[0].replace(b"GET", b"DELETE"), *BARE[1:], b"Content-Length: 0"],
    ],
)
def test_a_signed_request_without_a_body_is_read_whole(head):
    data = message(head, b"")
    request = messages.read_bare(data, "127.0.0.1", "http")

    parsed = Parsed(data)
    assert request.method == parsed.parser.get_method().decode()
    assert f"{request.raw_path}?{request.query}" == parsed.url.decode()
    assert request.headers == dict(parsed.headers)
    assert request.body == b""


@pytest.mark.parametrize(
    ("what", "data"),
    [
        ("nobody's signature", message([BARE[0], BARE[1]], b"")),
        ("another method", message([BARE[0].replace(b"GET", b"PUT"), *BARE[1:]], b"")),
        ("a path that is a host", message([b"GET //a/b HTTP/1.1", *BARE[1:]], b"")),
        ("an absolute target", message([b"GET http://a/ HTTP/1.1", *BARE[1:]], b"")),
        ("a fragment", message([b"GET /a#b HTTP/1.1", *BARE[1:]], b"")),
        ("a space in the path", message([b"GET /a b HTTP/1.1", *BARE[1:]], b"")),
        ("an old version", message([BARE[0].replace(b"1.1", b"1.0"), *BARE[1:]], b"")),
        ("a body", message([*BARE, b"Content-Length: 1"], b"x")),
        ("a body to come", message([*BARE, b"Content-Length: 1"], b"")),
        ("chunks", message([*BARE, b"Transfer-Encoding: chunked"], b"")),
        ("the next message", message(BARE, b"") * 2),
        ("a last request", message([*BARE, b"Connection: close"], b"")),
        ("a header twice", message([*BARE, b"x-a: 2"], b"")),
        ("half a head", b"\r\n".join(BARE)),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_of_other_requests_the_parser_reads_all(what, data):
    assert messages.read_bare(data, "", "http") is None, what


@settings(max_examples=examples(300))
@given(lines=LINES, target=st.text("ab=&%2e.~#?:@/ \r\n\t", max_size=8))
def test_what_is_taken_without_a_body_is_read_as_a_parser_reads_it(lines, target):
    data = message([b"GET /" + target.encode() + b" HTTP/1.1", BARE[2], *lines], b"")
    taken = messages.read_bare(data, "", "http")

    if taken is not None:
        parsed = Parsed(data)
        url = httptools.parse_url(parsed.url)
        assert (url.path, url.query or b"") == (taken.raw_path.encode(), taken.query.encode())
        assert dict(parsed.headers) == taken.headers
        assert (parsed.body, parsed.complete) == (b"", 1)
        assert parsed.parser.should_keep_alive()


# -- answers of upstreams --------------------------------------------------------------------------------------------


class ParsedAnswer(Parsed):
    """What a real parser sees in an answer, on a connection that may end."""

    def __init__(self, data):
        self.headers, self.body, self.complete = [], b"", 0
        self.parser = httptools.HttpResponseParser(self)
        self.parser.feed_data(data)

    def on_header(self, name, value):
        self.headers.append((name.lower(), value.rstrip(b" ")))

    def on_message_complete(self):
        self.complete += 1
        self.goes_on = self.parser.should_keep_alive()


def test_an_answer_in_one_piece_is_read_whole():
    data = message([b"HTTP/1.1 200 OK", b"Content-Type: a/b", b'ETag: "1"', b"Content-Length: 2"], b"ab")

    parsed = ParsedAnswer(data)
    assert messages.read_answer(data, for_head=False) == (200, parsed.headers, b"ab")


@pytest.mark.parametrize(
    ("what", "data"),
    [
        ("an interim one", message([b"HTTP/1.1 100 Continue"], b"")),
        ("an old version", message([b"HTTP/1.0 200 OK", b"Content-Length: 2"], b"ab")),
        ("a status of four digits", message([b"HTTP/1.1 2000 OK", b"Content-Length: 2"], b"ab")),
        ("no length", message([b"HTTP/1.1 200 OK"], b"ab")),
        ("less than its length", message([b"HTTP/1.1 200 OK", b"Content-Length: 3"], b"ab")),
        ("more than its length", message([b"HTTP/1.1 200 OK", b"Content-Length: 1"], b"ab")),
        ("two lengths", message([b"HTTP/1.1 200 OK", b"Content-Length: 2", b"Content-Length: 2"], b"ab")),
        ("chunks", message([b"HTTP/1.1 200 OK", b"Transfer-Encoding: chunked", b"Content-Length: 2"], b"ab")),
        ("a last answer", message([b"HTTP/1.1 200 OK", b"Connection: close", b"Content-Length: 2"], b"ab")),
        ("a folded header", message([b"HTTP/1.1 200 OK", b"X: 1", b" 2", b"Content-Length: 2"], b"ab")),
        ("a bare line feed", message([b"HTTP/1.1 200 OK", b"X: 1\nY: 2", b"Content-Length: 2"], b"ab")),
        ("half a head", b"HTTP/1.1 200 OK\r\nContent-Length: 0"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_whatever_else_is_answered_is_left_to_the_parser(what, data):
    assert messages.read_answer(data, for_head=False) is None, what


def test_an_answer_to_head_has_no_body_whatever_length_it_tells():
    head = [b"HTTP/1.1 200 OK", b"Content-Length: 2"]

    assert messages.read_answer(message(head, b""), for_head=True)[2] == b""
    assert messages.read_answer(message(head, b"ab"), for_head=True) is None


@settings(max_examples=examples(500))
@given(lines=LINES, body=st.binary(max_size=4), beyond=st.sampled_from([0, 0, 0, -1, 1]))
def test_an_answer_that_is_taken_is_read_as_a_parser_reads_it(lines, body, beyond):
    head = [b"HTTP/1.1 200 OK", b"ETag: a", *lines, b"Content-Length: %d" % (len(body) + beyond)]
    data = message(head, body)

    taken = messages.read_answer(data, for_head=False)

    if taken is not None:
        parsed = ParsedAnswer(data)
        assert taken == (200, parsed.headers, parsed.body)
        assert (parsed.complete, parsed.goes_on) == (1, True)
