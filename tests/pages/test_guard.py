"""One guard for all pages and the control API: no foreign name, no other site's page (found by attack, 2026-11-28)."""

from __future__ import annotations

import secrets
import socket
from urllib.parse import urlsplit

import pytest
from raw_http import ask

JSON = {"Content_Type": "application/json"}
PAGES = [
    ("GET", "/console"),
    ("GET", "/idp"),
    ("GET", "/idp/corp"),
    ("POST", "/idp/corp/sso"),
    ("POST", "/idp/corp/assertions"),
    ("GET", "/issuers"),
    ("PUT", "/issuers/x9"),
    ("POST", "/issuers/github/token"),
    ("POST", "/private-ca"),
    ("GET", "/outbound/x/.well-known/jwks.json"),
    ("POST", "/saml"),
    ("GET", "/federation?Action=login"),
    ("PUT", "/imds/i-0/latest/api/token"),
    ("GET", "/ecs/v2/credentials/x"),
    ("GET", "/lambda/111122223333/us-east-1/f/credentials"),
    ("GET", "/_emulator/api/worlds"),
    ("POST", "/_emulator/api/worlds"),
    ("GET", "/_emulator/docs"),
    ("GET", "/_emulator/openapi.json"),
]


@pytest.fixture(scope="module")
def everywhere(serve):
    """The URL of a server that listens everywhere, and asks for no token."""
    with serve("--host", "0.0.0.0", "--token", "none") as (url, _):
        yield url


@pytest.mark.parametrize(("method", "path"), PAGES)
def test_a_foreign_name_that_is_pointed_at_us_gets_nothing(emulator_server, method, path):
    """DNS rebinding: the browser believes that it talks to evil.example, and sends that as Host and Origin."""
    rebound = {"Host": "evil.example:5211", "Origin": "http://evil.example:5211"}

    assert ask(emulator_server.url, method, path, **rebound).status == 403
    assert ask(emulator_server.url, method, path, Host="evil.example").status == 403


@pytest.mark.parametrize(("method", "path"), PAGES)
@pytest.mark.parametrize("host", ["[::1", "[::1]x", "[zz]", "a b", "user@localhost", "localhost:", "localhost/x", "é"])
def test_a_host_that_is_none_is_a_bad_request(emulator_server, method, path, host):
    assert ask(emulator_server.url, method, path, Host=host).status == 400


NO_ORIGINS = ["http://[bad", "http://", "localhost", "http://a b", "", "http://x/y", "http://u@localhost", "http://x:"]


@pytest.mark.parametrize("origin", NO_ORIGINS)
@pytest.mark.parametrize("path", ["/_emulator/api/worlds", "/issuers", "/console"])
def test_an_origin_that_is_none_is_a_bad_request(emulator_server, path, origin):
    """And told so: some were refused with words about Host."""
    refused = ask(emulator_server.url, "GET", path, Origin=origin)

    assert refused.status == 400
    assert "the Origin header is not an origin" in refused.text


@pytest.mark.parametrize("referer", [*NO_ORIGINS, "[::1", "null", "é", "%00"])
@pytest.mark.parametrize("path", ["/_emulator/api/worlds", "/issuers", "/idp"])
def test_nobody_asks_where_a_link_stood(emulator_server, path, referer):
    assert ask(emulator_server.url, "GET", path, Referer=referer).status == 200


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "http://localhost:1", "http://127.0.0.2"])
@pytest.mark.parametrize(
    ("method", "path"),
    [
        *(("POST", "/idp/corp/sso"), ("POST", "/issuers/github/token"), ("PUT", "/issuers/x9"), ("GET", "/issuers")),
        *(("POST", "/_emulator/api/worlds"), ("POST", "/private-ca"), ("POST", "/console/credentials")),
    ],
)
def test_another_sites_page_can_send_nothing(emulator_server, method, path, origin):
    assert ask(emulator_server.url, method, path, b"{}", Origin=origin, **JSON).status == 403


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
@pytest.mark.parametrize("path", ["/issuers/github/token", "/_emulator/api/worlds", "/idp/corp/sso"])
def test_what_a_browser_says_to_come_from_another_site_is_no_write(emulator_server, path, site):
    assert ask(emulator_server.url, "POST", path, b"{}", Sec_Fetch_Site=site, **JSON).status == 403


def test_a_link_from_elsewhere_may_lead_to_a_page_and_an_identity_provider_may_post(emulator_server):
    url, elsewhere = emulator_server.url, {"Sec_Fetch_Site": "cross-site"}

    assert ask(url, "GET", "/issuers", **elsewhere).status == 200
    # Not refused as foreign, but as a response that proves nothing.
    posted = ask(url, "POST", "/saml", b"SAMLResponse=x", Origin="https://idp.example", **elsewhere)
    assert posted.status == 400
    assert "invalid SAML response" in posted.text


@pytest.mark.parametrize(
    "host", ["localhost", "LOCALHOST", "localhost.", "a.localhost", "127.0.0.1", "127.9.9.9", "[::1]", "10.1.2.3:80"]
)
def test_names_of_this_machine_and_addresses_are_ours(emulator_server, host):
    assert ask(emulator_server.url, "GET", "/issuers", Host=host).status == 200
    assert ask(emulator_server.url, "GET", "/_emulator/api/worlds", Host=host).status == 200


@pytest.mark.parametrize(
    "host", ["testserver", "emulator", "1234", "127.1", "localhost.evil.example", "127.0.0.1.nip.io", "sts-emulator"]
)
def test_names_that_others_could_have_are_not(emulator_server, everywhere, host):
    for url in (emulator_server.url, everywhere):
        assert ask(url, "GET", "/_emulator/api/worlds", Host=host).status == 403
        assert ask(url, "GET", "/issuers", Host=host).status == 403
    assert (
        ask(everywhere, "GET", "/_emulator/api/worlds", Host="192.0.2.7").status == 200
    )  # an address is nobody else's


def test_further_names_are_allowed_by_name(serve):
    """As containers name each other: `http://sts-emulator:4600`."""
    with serve("--allow-host", "sts-emulator", "--allow-host", "lab.internal") as (url, _):
        for host in ("sts-emulator:4600", "lab.internal", "localhost"):
            assert ask(url, "GET", "/_emulator/api/worlds", Host=host).status == 200
            assert ask(url, "GET", "/issuers", Host=host, Origin=f"http://{host}").status == 200
        refused = ask(url, "GET", "/_emulator/api/worlds", Host="other")
    assert refused.status == 403
    assert "--allow-host other" in refused.text


def test_listening_everywhere_opens_no_name_and_is_said(serve):
    with serve("--host", "0.0.0.0") as (url, process):
        assert ask(url, "PUT", "/issuers/x9", Host="evil.example:5211").status == 403
        assert ask(url, "GET", "/_emulator/api/worlds", Host="dotless").status == 403
        process.terminate()
        assert "EVERYBODY who reaches every address of this machine" in process.stdout.read()


def test_the_control_api_refuses_before_it_reads(emulator_server):
    """A foreign page's request of 400 MiB cost 885 MB of memory before it was refused; now its head is enough."""
    target = urlsplit(emulator_server.url)
    head = "POST /_emulator/api/worlds HTTP/1.1\r\nHost: evil.example\r\nContent-Length: 400000000\r\n\r\n"
    with socket.create_connection((target.hostname, target.port), timeout=120) as connection:
        connection.sendall(head.encode())  # and never a body
        assert connection.recv(100).startswith(b"HTTP/1.1 403")


@pytest.mark.parametrize("path", ["/_emulator/api/worlds", "/_emulator/api/worlds/default/scenario"])
def test_the_control_api_reads_no_large_body(emulator_server, path):
    target = urlsplit(emulator_server.url)
    declared = f"POST {path} HTTP/1.1\r\nHost: {target.netloc}\r\nContent-Length: 400000000\r\n\r\n"
    with socket.create_connection((target.hostname, target.port), timeout=120) as connection:
        connection.sendall(declared.encode())
        assert connection.recv(100).startswith(b"HTTP/1.1 413")
    chunked = f"POST {path} HTTP/1.1\r\nHost: {target.netloc}\r\nTransfer-Encoding: chunked\r\n\r\n"
    with socket.create_connection((target.hostname, target.port), timeout=120) as connection:
        connection.sendall(chunked.encode())
        for _ in range(5):
            connection.sendall(b"100000\r\n" + b"x" * 0x100000 + b"\r\n")
        assert connection.recv(100).startswith(b"HTTP/1.1 413")


def test_who_sends_a_large_body_hears_why_it_is_refused(emulator_server):
    """Also who ends the connection with that request: closed before all had been read, it was reset."""
    target = urlsplit(emulator_server.url)
    sent = f"POST /_emulator/api/worlds HTTP/1.1\r\nHost: {target.netloc}\r\nConnection: close\r\nContent-Length: 5000000\r\n\r\n"
    with socket.create_connection((target.hostname, target.port), timeout=120) as connection:
        connection.sendall(sent.encode() + b"x" * 5_000_000)
        with connection.makefile("rb") as answer:
            assert answer.read().startswith(b"HTTP/1.1 413")


@pytest.fixture(scope="module")
def permissive(serve):
    with serve("--permissive") as (url, _):
        yield url


@pytest.mark.parametrize(
    "foreign",
    [
        {"Sec_Fetch_Site": "cross-site"},  # <img src="http://127.0.0.1:4600/?Action=CreateUser…">
        {"Sec_Fetch_Site": "same-site"},
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Host": "evil.example", "Origin": "http://evil.example", "Sec_Fetch_Site": "same-origin"},
    ],
)
def test_permissive_takes_no_call_that_a_foreign_page_sends(permissive, foreign):
    call = f"/?Action=CreateUser&Version=2010-05-08&UserName={secrets.token_hex(8)}"
    assert ask(permissive, "GET", call, **foreign).status == 403
    assert ask(permissive, "GET", call).status == 200  # nobody had made that user


def test_pages_load_nothing_from_anywhere_else(emulator_server):
    """The reference of the control API loaded its scripts from a public CDN."""
    for path in ("/_emulator/docs", "/console", "/idp", "/_emulator/openapi.json", "/_emulator/api/worlds", "/issuers"):
        page = ask(emulator_server.url, "GET", path)
        assert page.headers["content-security-policy"].startswith("default-src 'none'"), path
        assert "frame-ancestors 'none'" in page.headers["content-security-policy"]
        assert page.headers["x-content-type-options"] == "nosniff"
    reference = ask(emulator_server.url, "GET", "/_emulator/docs")
    assert reference.status == 200
    assert "POST /_emulator/api/worlds/{world}/scenario" in reference.text
    assert "<script" not in reference.text
    assert "//" not in reference.text.replace("<!DOCTYPE html>", "")


@pytest.mark.parametrize(
    "destination",
    [
        r"https://evil.example\.aws.amazon.com/login",
        r"https://console.aws.amazon.com\@evil.example/",
        "https://user@console.aws.amazon.com/",
        "https://console.aws.amazon.com:8443/",
        "https://evilaws.amazon.com/",
        "https://console.aws.amazon.com.evil.example/",
        "http://console.aws.amazon.com/",
        "//console.aws.amazon.com/",
        "https://console.aws.amazon.com/\x00",
        "javascript:alert(1)//.aws.amazon.com",
    ],
)
def test_a_destination_that_browsers_read_otherwise_is_not_shown(destination):
    from sts_emulator.pages.console import is_console

    assert not is_console(destination)


@pytest.mark.parametrize(
    "destination",
    [
        "https://console.aws.amazon.com/",
        "https://us-east-1.console.aws.amazon.com/s3/home?region=us-east-1#/buckets",
        "https://console.amazonaws.cn/console/home",
        "https://console.amazonaws-us-gov.com",
    ],
)
def test_the_console_is_shown(destination):
    from sts_emulator.pages.console import is_console

    assert is_console(destination)
