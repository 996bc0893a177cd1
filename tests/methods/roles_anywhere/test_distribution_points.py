"""Revocation lists at the addresses that certificates name: fetched where an anchor asks for it, from this machine only."""

from __future__ import annotations

import threading
import time
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from roles_anywhere_stage import Stage, leaf_of, refused

from sts_emulator import Aws
from sts_emulator.cli.control import Control
from sts_emulator.idp.certificates import certificate_pem, revocation_list

UNTRUSTED = "AccessDeniedException: Untrusted signing certificate"
REVOKED = "AccessDeniedException: Certificate revoked"


@contextmanager
def published(answers):
    """A server of this machine that publishes lists under its paths."""

    class Page(BaseHTTPRequestHandler):
        def do_GET(self):
            body = answers.get(self.path)
            self.send_response(404 if body is None else 200)
            self.end_headers()
            self.wfile.write(body or b"")

        def log_message(self, *_):
            pass

    server = HTTPServer(("127.0.0.1", 0), Page)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def test_an_anchor_may_ask_the_distribution_points(stage):
    anchor = stage.anchor_for("lab-root", crlDpRevocationEnabled=True)
    issuing, answers = stage.identity("lab-issuing"), {}
    with published(answers) as url:
        identity = leaf_of(stage, crl_url=f"{url}/issuing.crl")
        serial = identity.certificate.serial_number
        answers["/issuing.crl"] = revocation_list(issuing, [], time.time()).public_bytes(Encoding.DER)
        assert stage.session(identity, stage.ask(trustAnchorArn=anchor)).status == 201

        answers["/issuing.crl"] = revocation_list(issuing, [serial], time.time()).public_bytes(Encoding.DER)
        refused(stage.session(identity, stage.ask(trustAnchorArn=anchor)), REVOKED)
        assert stage.session(identity).status == 201  # the other anchor does not ask


def test_a_distribution_point_that_does_not_say_refuses(stage):
    anchor = stage.anchor_for("lab-root", crlDpRevocationEnabled=True)
    ask = stage.ask(trustAnchorArn=anchor)
    stale = revocation_list(stage.identity("lab-issuing"), [], time.time() - 90 * 86400)
    forged = revocation_list(stage.identity("rogue-root"), [], time.time())
    answers = {
        "/stale": certificate_pem(stale).encode(),
        "/forged": certificate_pem(forged).encode(),
        "/garbage": b"no list",
        "/large": b"-" * 400_000,
    }
    with published(answers) as url:
        for path, reason in (
            ("/missing", "answered 404"),
            ("/stale", "out of date"),
            ("/forged", "is not the issuer's"),
            ("/garbage", "revocation status"),
            ("/large", "larger than"),
        ):
            refused(stage.session(leaf_of(stage, crl_url=url + path), ask), UNTRUSTED)
            assert reason in stage.evidence()["refused"], path


@pytest.mark.parametrize(
    "url", ["http://example.com/a.crl", "https://127.0.0.1/a.crl", "file:///etc/passwd", "ldap://x/y"]
)
def test_distribution_points_elsewhere_are_never_asked(stage, url):
    anchor = stage.anchor_for("lab-root", crlDpRevocationEnabled=True)

    refused(stage.session(leaf_of(stage, crl_url=url), stage.ask(trustAnchorArn=anchor)), UNTRUSTED)
    assert "is not http on this machine" in stage.evidence()["refused"]


def test_where_a_token_is_asked_for_no_distribution_point_is_asked(serve, folder):
    """Whoever has a world signs certificates: with addresses of the server's machine, whose ports are none of theirs."""
    token, answers = "a-token-of-the-school-server", {}
    with (
        serve("--scenario", "/dev/null", "--token", token) as (url, _),
        closing(Control(url, token)) as api,
        closing(Aws(api, "default")) as aws,
        published(answers) as place,
    ):
        aws.load('accounts: {"111122223333": {}}')
        stage = Stage.set(aws, folder)
        anchor = stage.anchor_for("lab-root", crlDpRevocationEnabled=True)
        answers["/issuing.crl"] = revocation_list(stage.identity("lab-issuing"), [], time.time()).public_bytes(
            Encoding.DER
        )
        for crl_url in (f"{place}/issuing.crl", "http://127.0.0.1:1/issuing.crl"):
            refused(stage.session(leaf_of(stage, crl_url=crl_url), stage.ask(trustAnchorArn=anchor)), UNTRUSTED)
            assert stage.evidence()["refused"].endswith("nobody is asked here")


def test_without_a_distribution_point_there_is_nothing_to_ask(stage):
    anchor = stage.anchor_for("lab-root", crlDpRevocationEnabled=True)

    assert stage.session("web-01", stage.ask(trustAnchorArn=anchor)).status == 201
