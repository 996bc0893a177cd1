"""Libraries that nobody here wrote sign people in to managed login: openid-client in Node, Chromium at the pages."""

from __future__ import annotations

import json
import os
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlencode, urlsplit

import browsers
import pytest

from sts_emulator.accounts.people import totp

pytestmark = pytest.mark.clients

POOL, PASSWORD, SECRET = "us-east-1_Shop1", "Correct-horse-1", "a-secret-of-the-confidential-app"
CALLBACK, OUT = "http://localhost:9876/cb", "http://127.0.0.1:9876/out"
PICTURES = Path(__file__).parents[2] / "docs" / "pictures"
SCENARIO = f"""
saml_idps: {{corp: {{users: {{jane: {{}}}}}}}}
issuers: {{okta: {{preset: plain, url: "https://login.okta.example"}}}}
accounts:
  "111122223333":
    user_pools:
      shop:
        id: {POOL}
        domain: shop
        verify: [email]
        mfa: optional
        identity_providers:
          corp: {{saml_idp: corp, encrypted: true, signed_requests: true, sign_out: true}}
          okta: {{issuer: okta, client_id: pool, client_secret: {SECRET}}}
        clients:
          web:
            id: web
            callbacks: ["{CALLBACK}"]
            logouts: ["{CALLBACK}", "{OUT}"]
            identity_providers: [COGNITO, corp, okta]
          server: {{id: server, secret: {SECRET}, callbacks: ["{CALLBACK}"], logouts: ["{CALLBACK}"]}}
        users:
          ana: {{password: {PASSWORD}, attributes: {{email: ana@example.org}}}}
          bob: {{temporary_password: Temporary-1, attributes: {{email: bob@example.org}}}}
"""


class Listener(BaseHTTPRequestHandler):
    """The app, to which the browser goes back."""

    def do_GET(self) -> None:
        body = b"<!DOCTYPE html><html lang=en><title>app</title><link rel=icon href=data:,>the app"
        self.send_response(200)
        self.send_header("content-type", "text/html")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_) -> None:
        """Say nothing."""


@pytest.fixture
def callback():
    """Where the app listens."""
    with ThreadingHTTPServer(("localhost", 0), Listener) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield f"http://localhost:{server.server_port}/cb"
        server.shutdown()


@pytest.fixture
def aws(emulator_server, callback):
    out = callback.replace("localhost", "127.0.0.1").replace("/cb", "/out")  # another origin
    with emulator_server.world(SCENARIO.replace(CALLBACK, callback).replace(OUT, out)) as world:
        world.callback, world.out = callback, out
        yield world


def authorize(aws, **changes: str) -> str:
    query = {
        "client_id": "web",
        "redirect_uri": aws.callback,
        "response_type": "code",
        "scope": "openid email",
        **changes,
    }
    return f"{aws.endpoint_url}/oauth2/authorize?{urlencode(query)}"


@pytest.mark.parametrize(("client", "secret"), [("web", ""), ("server", SECRET)])
def test_openid_client(aws, javascript_clients, client, secret):
    def app(step: str, *more: str) -> dict:
        issuer = f"https://cognito-idp.us-east-1.amazonaws.com/{POOL}"
        command = [
            "node",
            "openid.mjs",
            f"{aws.endpoint_url}/{POOL}",
            issuer,
            client,
            secret,
            aws.callback,
            step,
            *more,
        ]
        done = subprocess.run(command, cwd=javascript_clients, capture_output=True, text=True, timeout=300, check=False)
        assert done.stdout, done.stderr
        return json.loads(done.stdout.splitlines()[-1])

    begun = app("begin")
    location = aws.approve(begun["url"], "ana")["location"]
    told = app("finish", location, json.dumps(begun["kept"]))
    assert (told["name"], told["email"], told["refreshed"], told["dead"]) == (
        "ana",
        "ana@example.org",
        True,
        "invalid_grant",
    )
    assert told["leave"].startswith(f"{aws.endpoint_url}/logout?")
    # And it notices what it should: a state and a nonce that are not its own, and a code that was used
    assert "error" in app("finish", location, json.dumps({**begun["kept"], "state": "another"}))
    assert "error" in app("finish", location, json.dumps({**begun["kept"], "nonce": "another"}))
    assert "invalid_grant" in app("finish", location, json.dumps(begun["kept"]))["error"]
    # And we notice a code without its verifier
    begun, other = app("begin"), app("begin")
    stolen = aws.approve(begun["url"], "ana")["location"]
    kept = {**begun["kept"], "codeVerifier": other["kept"]["codeVerifier"]}
    assert "invalid_grant" in app("finish", stolen, json.dumps(kept))["error"]


def window(chromium, theme: str, *, bypass_csp: bool = False):
    """A page that watches for complaints."""
    context = chromium.new_context(color_scheme=theme, viewport={"width": 900, "height": 900}, bypass_csp=bypass_csp)
    page = context.new_page()
    page.set_default_timeout(120_000)
    page.complaints = []
    page.on("console", lambda message: page.complaints.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: page.complaints.append(str(error)))
    return page


def picture(page, name: str) -> None:
    """What the page looks like, for who wants to look at it."""
    if os.environ.get("PICTURES_TO"):
        page.screenshot(path=Path(os.environ["PICTURES_TO"]) / f"{name}.png")


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_every_page_in_every_width(aws, chromium, theme):
    page = window(chromium, theme)
    base, query = aws.endpoint_url, authorize(aws).partition("?")[2]
    pages = {
        "login": f"{base}/login?{query}",
        "signup": f"{base}/signup?{query}",
        "confirm": f"{base}/confirmUser?{query}",
        "forgot": f"{base}/forgotPassword?{query}",
        "reset": f"{base}/confirmForgotPassword?{query}",
        "issuer": authorize(aws, identity_provider="okta"),
        "error": f"{base}/error?error=redirect_mismatch&client_id=web",
    }
    for name, url in pages.items():
        assert page.goto(url).status == (400 if name == "error" else 200), name
        for width in (400, 900, 1600):
            page.set_viewport_size({"width": width, "height": 900})
            assert browsers.serious(page) == [], (name, width)
            if width == 900:
                picture(page, f"managed-login-{name}-{theme}")
            wide = page.evaluate("document.documentElement.scrollWidth")
            assert wide <= width, f"{name} is {wide} wide at {width}"
        if name == "login" and theme == "light" and os.environ.get("CONSOLE_PICTURES"):
            page.set_viewport_size({"width": 1280, "height": 800})
            page.screenshot(path=PICTURES / "managed-login.png")
    assert [told for told in page.complaints if "400" not in told] == []


def test_a_person_signs_in_and_changes_a_password(aws, chromium):
    page = window(chromium, "light")
    page.goto(authorize(aws))
    page.fill("#username", "bob")
    page.fill("#password", "Temporary-1")
    page.click("#submit")
    page.fill("#new_password", "Another-horse-2")
    page.fill("#repeated", "Another-horse-2")
    page.click("#submit")
    page.wait_for_url(f"{aws.callback}?code=*")
    page.goto(authorize(aws, prompt="none"))
    page.wait_for_url(f"{aws.callback}?code=*")
    assert page.complaints == []


@pytest.mark.parametrize("provider", ["corp", "okta"])
def test_a_person_comes_from_an_identity_provider(aws, chromium, provider):
    page = window(chromium, "dark")
    page.goto(authorize(aws))
    page.click(f"text={provider}")
    if provider == "corp":
        page.fill("#username", "jane")
        page.fill("#password", "jane")
    else:
        page.fill("#subject", "jane")
    page.click("#submit")
    page.wait_for_url(f"{aws.callback}?code=*")
    assert page.complaints == []


def test_a_person_leaves_by_way_of_the_identity_provider(aws, chromium):
    # Given somebody who has come from the company's provider
    page = window(chromium, "light")
    page.goto(authorize(aws, identity_provider="corp"))
    page.fill("#username", "jane")
    page.fill("#password", "jane")
    page.click("#submit")
    page.wait_for_url(f"{aws.callback}?code=*")
    # When the app signs them out
    seen = []
    page.on("request", lambda request: seen.append(urlsplit(request.url).path.rpartition("/w/")[2].partition("/")[2]))
    page.goto(f"{aws.endpoint_url}/logout?client_id=web&logout_uri={aws.out}", wait_until="commit")
    # Then the browser goes there and back, and on to where the app wanted
    page.wait_for_url(aws.out)
    assert [place for place in seen if place in ("logout", "idp/corp/slo", "saml2/logout")] == [
        *("logout", "idp/corp/slo", "saml2/logout"),
    ]
    page.goto(authorize(aws, prompt="none"))
    page.wait_for_url(f"{aws.callback}?error=login_required*")
    assert page.complaints == []


def test_an_authenticator_app_by_its_picture(aws, chromium):
    aws.client("cognito-idp").set_user_pool_mfa_config(
        UserPoolId=POOL, MfaConfiguration="ON", SoftwareTokenMfaConfiguration={"Enabled": True}
    )
    page = window(chromium, "dark", bypass_csp=True)
    page.goto(authorize(aws))
    page.fill("#username", "ana")
    page.fill("#password", PASSWORD)
    page.click("#submit")
    seed = page.text_content("#seed")
    assert browsers.serious(page) == []
    page.fill("#code", totp(seed, aws.now()))
    page.click("#submit")
    page.wait_for_url(f"{aws.callback}?code=*")


def take_passkeys(aws) -> None:
    """Have the pool take passkeys for this host, and its app let people choose."""
    idp = aws.client("cognito-idp")
    factors = {"SignInPolicy": {"AllowedFirstAuthFactors": ["PASSWORD", "EMAIL_OTP", "WEB_AUTHN"]}}
    idp.update_user_pool(UserPoolId=POOL, Policies=factors)
    idp.set_user_pool_mfa_config(UserPoolId=POOL, WebAuthnConfiguration={"RelyingPartyId": "localhost"})
    known = idp.describe_user_pool_client(UserPoolId=POOL, ClientId="web")["UserPoolClient"]
    kept = {name: value for name, value in known.items() if not name.endswith("Date")}
    idp.update_user_pool_client(**{**kept, "ExplicitAuthFlows": ["ALLOW_USER_AUTH"]})


def plug_in(page) -> None:
    """An authenticator in the machine that knows its person again."""
    authenticator = {
        "protocol": "ctap2",
        "transport": "internal",
        "hasResidentKey": True,
        "hasUserVerification": True,
        "isUserVerified": True,
        "automaticPresenceSimulation": True,
    }
    session = page.context.new_cdp_session(page)
    session.send("WebAuthn.enable")
    session.send("WebAuthn.addVirtualAuthenticator", {"options": authenticator})


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_a_passkey_is_added_on_a_page_and_signs_in_there(aws, chromium, theme):
    # Given a pool with passkeys for this host, and somebody who is signed in
    take_passkeys(aws)
    idp = aws.client("cognito-idp")
    page = window(chromium, theme, bypass_csp=True)
    plug_in(page)
    here = authorize(aws).replace("127.0.0.1", "localhost")
    page.goto(here.replace("/oauth2/authorize", "/passkeys/add"))
    page.fill("#username", "ana")  # who is not signed in yet does so first
    assert browsers.serious(page) == []
    page.click("#submit")
    page.fill("#password", PASSWORD)  # there is nothing else yet that she could choose
    assert browsers.serious(page) == []
    page.click("#submit")
    page.wait_for_url(f"{aws.callback}?code=*")
    # When they add one
    page.goto(here.replace("/oauth2/authorize", "/passkeys/add"))
    assert page.text_content("#person") == "ana@example.org"
    assert browsers.serious(page) == []
    page.click("#register")
    page.wait_for_url(aws.callback)
    # Then it is theirs
    token = aws.page("POST", "user-pools/tokens", body={"pool": "shop", "client": "web", "user": "ana"})["AccessToken"]
    (credential,) = idp.list_web_authn_credentials(AccessToken=token)["Credentials"]
    assert credential["RelyingPartyId"] == "localhost"
    # And the next time she signs in with it
    page.goto(f"{aws.endpoint_url.replace('127.0.0.1', 'localhost')}/logout?client_id=web&logout_uri={aws.callback}")
    page.goto(here)
    page.fill("#username", "ana")
    page.click("#submit")
    assert browsers.serious(page) == []
    page.check("text=A passkey")
    picture(page, f"managed-login-choice-{theme}")
    page.click("#submit")
    assert browsers.serious(page) == []
    picture(page, f"managed-login-passkey-{theme}")
    page.click("#submit")
    page.wait_for_url(f"{aws.callback}?code=*")
    assert page.complaints == []


def with_a_passkey(aws, chromium):
    """A page of whom ana has a passkey in her machine, with the policy that pages have; and where she begins."""
    take_passkeys(aws)
    page = window(chromium, "light")
    plug_in(page)
    here = authorize(aws, prompt="login").replace("127.0.0.1", "localhost")
    page.goto(here)
    page.fill("#username", "ana")
    page.click("#submit")
    page.fill("#password", PASSWORD)
    page.click("#submit")
    page.wait_for_url(f"{aws.callback}?code=*")
    page.goto(here.replace("/oauth2/authorize", "/passkeys/add"))
    page.click("#register")
    page.wait_for_url(aws.callback)
    return page, here


def choose_the_passkey(page) -> None:
    page.fill("#username", "ana")
    page.click("#submit")
    page.check("text=A passkey")
    page.click("#submit")
    page.click("#submit")


def test_the_policy_of_a_page_lets_a_passkey_sign_in(aws, chromium):
    page, here = with_a_passkey(aws, chromium)
    page.goto(here)
    choose_the_passkey(page)
    page.wait_for_url(f"{aws.callback}?code=*")
    assert page.complaints == []


def test_a_passkey_of_another_address_proves_nothing(aws, chromium):
    # Given a passkey of this machine's name
    page, _ = with_a_passkey(aws, chromium)
    # When its holder comes by the machine's address, of which browsers have none
    page.goto(authorize(aws))
    choose_the_passkey(page)
    # Then the page says so, and the other ways stay
    page.wait_for_selector("text=Nothing came of it")
    page.click("#again")
    assert page.input_value("#username") == "ana"
