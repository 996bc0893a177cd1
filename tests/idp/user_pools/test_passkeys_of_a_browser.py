"""Chromium's own authenticator makes a passkey for an app on this machine, and signs in with it."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import browsers
import pytest
from test_choices_of_sign_in import answer, begin, policies
from test_user_pool_passkeys import asked_for, configure

pytestmark = pytest.mark.clients

CREATE = """async options => (await navigator.credentials.create(
  {publicKey: PublicKeyCredential.parseCreationOptionsFromJSON(options)})).toJSON()"""
GET = """async options => (await navigator.credentials.get(
  {publicKey: PublicKeyCredential.parseRequestOptionsFromJSON(options)})).toJSON()"""


@pytest.fixture
def site():
    """An empty page of an app, at this machine's name."""

    class Page(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("content-type", "text/html")
            self.end_headers()
            self.wfile.write(b"<!doctype html><title>shop</title>")

        def log_message(self, *_: object) -> None:
            """Nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Page)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    yield f"http://localhost:{server.server_port}/"
    server.shutdown()
    server.server_close()


def test_a_passkey_is_made_and_signs_in(new_app, site):
    app = new_app(Policies=policies("WEB_AUTHN"))
    app.client = app.add_client(ExplicitAuthFlows=["ALLOW_USER_AUTH", "ALLOW_USER_PASSWORD_AUTH"])["ClientId"]
    configure(app, RelyingPartyId="localhost", UserVerification="required")
    app.add_user("ada", email="ada@example.org")
    access = app.tokens()["AccessToken"]
    with browsers.chromium() as browser:
        page = browser.new_context().new_page()
        page.set_default_timeout(120_000)
        session = page.context.new_cdp_session(page)
        session.send("WebAuthn.enable")
        built_in = {"protocol": "ctap2", "transport": "internal", "hasResidentKey": True, "hasUserVerification": True}
        wish = {**built_in, "isUserVerified": True, "automaticPresenceSimulation": True}
        session.send("WebAuthn.addVirtualAuthenticator", {"options": wish})
        page.goto(site)

        options = app.idp.start_web_authn_registration(AccessToken=access)["CredentialCreationOptions"]
        made = page.evaluate(CREATE, options)
        app.idp.complete_web_authn_registration(AccessToken=access, Credential=made)
        (listed,) = app.idp.list_web_authn_credentials(AccessToken=access)["Credentials"]
        assert listed["AuthenticatorAttachment"] == "platform"

        begun = begin(app, PREFERRED_CHALLENGE="WEB_AUTHN")
        proof = page.evaluate(GET, asked_for(begun))
        tokens = answer(app, begun, CREDENTIAL=json.dumps(proof))["AuthenticationResult"]
    assert app.claims(tokens["IdToken"])["email"] == "ada@example.org"
