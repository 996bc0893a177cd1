"""Chromium goes to the company's identity provider and back; axe looks at each page."""

from __future__ import annotations

import base64
import threading
import zlib
from html import escape
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import pytest
from browsers import serious
from lxml import etree
from sso_lab import SEED

from sts_emulator.accounts.people import totp

pytestmark = pytest.mark.clients

LAB = f"""
saml_idps:
  corp:
    users:
      jane: {{password: correct-horse, totp: {{phone: {SEED}}}}}
      omar: {{}}
accounts: {{"111122223333": {{name: dev}}}}
organization: {{management: "111122223333"}}
identity_center:
  identity_source: {{idp: corp}}
  users: {{jane: {{}}, omar: {{}}}}
  permission_sets: {{Developer: {{policies: [ReadOnlyAccess]}}}}
  assignments: [{{users: [jane, omar], permission_sets: Developer, accounts: "111122223333"}}]
"""


@pytest.fixture
def aws(emulator_server):
    with emulator_server.world(LAB) as world:
        yield world


def test_there_and_back_with_a_second_factor(aws, page):
    page.goto(f"{aws.endpoint_url}/start")
    page.wait_for_selector("text=Sign in to corp")
    assert serious(page) == []
    page.fill("#username", "jane")
    page.fill("#password", "correct-horse")
    page.click("#submit")
    page.wait_for_selector("#code")
    assert serious(page) == []
    page.fill("#code", totp(SEED, aws.now()))
    page.click("#submit")
    page.wait_for_selector("#person")  # the response was posted by the page's own script
    assert page.text_content("#person") == "jane"
    assert serious(page) == []


def test_a_deep_link_survives_the_way_there(aws, page):
    page.goto(f"{aws.endpoint_url}/start/#/console?account_id=111122223333&role_name=Developer")
    page.wait_for_selector("text=Sign in to corp")
    page.fill("#username", "omar")
    page.fill("#password", "omar")
    page.click("#submit")
    page.wait_for_selector("text=Open the console of 111122223333")
    assert page.text_content("button") == "Developer"


def test_without_scripts_a_browser_gets_there_too(aws, chromium):
    page = chromium.new_context(java_script_enabled=False).new_page()
    page.goto(f"{aws.endpoint_url}/start")
    page.wait_for_selector("text=Sign in to corp")


def test_who_is_not_provisioned_is_told_so(aws, page):
    aws.load(LAB.replace("omar: {}", "omar: {}\n      eve: {}", 1))
    page.goto(f"{aws.endpoint_url}/start")
    page.fill("#username", "eve")
    page.fill("#password", "eve")
    page.click("#submit")
    page.wait_for_selector("text=was not accepted")
    assert serious(page) == []


class Provider(BaseHTTPRequestHandler):
    """An identity provider of another site, which signs omar in without a word, as a company's session would."""

    aws = None

    def do_GET(self) -> None:
        (packed,) = parse_qs(urlsplit(self.path).query)["SAMLRequest"]
        request = etree.fromstring(zlib.decompress(base64.b64decode(packed), -15))
        place = request.get("AssertionConsumerServiceURL")
        wish = {"audience": request.findtext("{*}Issuer"), "in_response_to": request.get("ID")}
        body = {"user": "omar", "roles": [], "recipient": place, "destination": place, **wish}
        response = self.aws.page("POST", "idp/corp/assertions", body=body)["SAMLResponse"]
        form = (
            f'<form id="f" method="post" action="{escape(place)}"><input name="SAMLResponse" value="{response}"></form>'
            '<script>document.getElementById("f").submit()</script>'
        )
        self.send_response(200)
        self.send_header("content-type", "text/html")
        self.end_headers()
        self.wfile.write(form.encode())

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def elsewhere(aws, monkeypatch):
    """The address of that provider: `localhost` is another site than `127.0.0.1`."""
    monkeypatch.setattr(Provider, "aws", aws)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Provider)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield f"http://localhost:{server.server_address[1]}/sso"
    server.shutdown()
    thread.join()
    server.server_close()


def test_an_identity_provider_of_another_site(aws, chromium, elsewhere):
    """A browser sends no cookie of ours when another site posts: our own page posts once more, and then it does."""
    metadata = aws.page("GET", "idp/corp/metadata").replace(f"{aws.endpoint_url}/idp/corp/sso", elsewhere)
    assert elsewhere in metadata
    indented = "\n".join(f"      {line}" for line in metadata.splitlines())
    aws.load(LAB.replace("identity_source: {idp: corp}", f"identity_source:\n    metadata: |\n{indented}"))
    page = chromium.new_context().new_page()
    page.goto(f"{aws.endpoint_url}/start/console?account_id=111122223333&role_name=Developer")
    page.wait_for_selector("text=Open the console")
    page.goto(f"{aws.endpoint_url}/start")
    assert page.text_content("#person") == "omar"
