"""Providers outside of the world, at addresses of this machine: OIDC by discovery, and what stands in for social ones."""

from __future__ import annotations

import base64
import contextlib
import json
import secrets
import threading
import time
from dataclasses import dataclass, field
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from managed_login_lab import CALLBACK, PASSWORD, App, Person

from sts_emulator import Aws
from sts_emulator.cli.control import Control

POOL = "us-east-1_Out1"
SECRET = "a-secret-of-the-pool-at-the-provider"
GOOGLE = "https://accounts.google.com"
SCENARIO = f"""
accounts:
  "111122223333":
    user_pools:
      shop:
        id: {POOL}
        domain: outside
        clients: {{web: {{id: web, callbacks: ["{CALLBACK}"]}}}}
        users: {{ana: {{password: {PASSWORD}}}}}
"""


@cache
def key(_: str = "provider") -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, 2048)


def segment(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


@dataclass
class Outsider:
    """A provider of the test's own: what it says may be changed before somebody comes."""

    url: str = ""
    claims: dict[str, Any] = field(default_factory=dict)
    profile: dict[str, Any] = field(default_factory=dict)
    signer: Any = None
    algorithm: str = "RS256"
    issuer: str = ""
    answers: dict[str, tuple[int, bytes]] = field(default_factory=dict)  # path -> what is answered instead
    asked: dict[str, str] = field(default_factory=dict)
    seen: list[tuple[str, str, dict[str, str]]] = field(default_factory=list)

    def answer(self, method: str, path: str, query: str, body: str, authorization: str) -> tuple[int, bytes]:
        form = {name: values[0] for name, values in parse_qs(body or query).items()}
        self.seen.append((method, path, form))
        told = {
            "/.well-known/openid-configuration": self.document,
            "/keys": self.keys,
            "/token": lambda: self.tokens(form),
            "/me": lambda: (200, self.profile) if authorization == "Bearer for-me" else (401, {}),
        }.get(path)
        if path in self.answers or told is None:
            return self.answers.get(path, (404, b"{}"))
        status, value = told()
        return status, json.dumps(value).encode()

    def document(self) -> tuple[int, dict[str, Any]]:
        places = {"authorization": "authorize", "token": "token", "userinfo": "me"}
        told = {f"{name}_endpoint": f"{self.url}/{place}" for name, place in places.items()}
        return 200, {"issuer": self.url, **told, "jwks_uri": f"{self.url}/keys"}

    def keys(self) -> tuple[int, dict[str, Any]]:
        public = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(key().public_key()))
        own = {name: public[name] for name in ("kty", "n", "e")}
        return 200, {"keys": [{**own, "kid": "one", "use": "sig", "alg": "RS256"}]}

    def tokens(self, form: dict[str, str]) -> tuple[int, dict[str, Any]]:
        if (form.get("client_secret"), form.get("code")) != (SECRET, self.asked.get("code")):
            return 401, {"error": "invalid_client"}
        return 200, {"access_token": "for-me", "id_token": self.id_token(), "token_type": "x"}

    def id_token(self) -> str:
        now = int(time.time())
        told = {
            "iss": self.issuer or self.url,
            "aud": "pool-outside",
            "sub": "u1",
            "nonce": self.asked.get("nonce"),
            "iat": now,
            "exp": now + 300,
            **self.claims,
        }
        if self.algorithm == "none":
            head = segment(json.dumps({"alg": "none", "kid": "one"}).encode())
            return f"{head}.{segment(json.dumps(told).encode())}."
        return jwt.encode(told, self.signer or key(), algorithm=self.algorithm, headers={"kid": "one"})

    def send_back(self, person: Person, app: App, name: str) -> None:
        """The person signs in there: their browser comes back with a code."""
        location = person.http.get(app.url(identity_provider=name, prompt="login", scope="openid profile")).headers[
            "location"
        ]
        assert location.startswith(f"{self.url}/authorize?"), location
        asked = {name: values[0] for name, values in parse_qs(urlsplit(location).query).items()}
        assert (asked["client_id"], asked["response_type"]) == ("pool-outside", "code")
        self.asked = {**asked, "code": secrets.token_hex(8)}
        back = {"code": self.asked["code"], "state": asked["state"]}
        person.open(f"{asked['redirect_uri']}?{urlencode(back)}")


@pytest.fixture
def outsider():
    known = Outsider()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.tell("")

        def do_POST(self) -> None:
            self.tell(self.rfile.read(int(self.headers.get("content-length", 0))).decode())

        def tell(self, body: str) -> None:
            parts = urlsplit(self.path)
            authorization = self.headers.get("authorization", "")
            status, answer = known.answer(self.command, parts.path, parts.query, body, authorization)
            self.send_response(status)
            self.send_header("location", f"{known.url}/keys")
            self.send_header("content-length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        known.url = f"http://127.0.0.1:{server.server_port}"
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        yield known
        server.shutdown()


@pytest.fixture
def aws(request, emulator_server, serve):
    """A world of the tests' server; with flags as its parameter, of a server that asks for a token."""
    if (flags := getattr(request, "param", None)) is None:
        with emulator_server.world(SCENARIO) as world:
            yield world
        return
    token = "a-token-of-the-school-server"
    with (
        serve("--scenario", "/dev/null", "--token", token, *flags) as (url, _),
        contextlib.closing(Control(url, token)) as api,
        contextlib.closing(Aws(api, "default")) as world,
    ):
        world.load(SCENARIO)
        yield world


@pytest.fixture
def trust(aws):
    """`trust(name, kind, **details)`: the pool trusts a provider of that kind, and its app has it."""
    idp = aws.client("cognito-idp")

    def trusted(name: str, kind: str = "OIDC", mapping: dict[str, str] | None = None, **details: str) -> None:
        given = {"client_id": "pool-outside", "client_secret": SECRET, "authorize_scopes": "openid email", **details}
        if kind == "OIDC":
            given["attributes_request_method"] = "GET"
        idp.create_identity_provider(
            UserPoolId=POOL,
            ProviderName=name,
            ProviderType=kind,
            ProviderDetails=given,
            AttributeMapping={"email": "email", **(mapping or {})},
        )
        known = idp.describe_user_pool_client(UserPoolId=POOL, ClientId="web")["UserPoolClient"]
        kept = {member: value for member, value in known.items() if not member.endswith("Date")}
        listed = [*known["SupportedIdentityProviders"], name]
        idp.update_user_pool_client(**{**kept, "SupportedIdentityProviders": listed})

    return trusted


def claims_of(app: App, person: Person) -> dict[str, Any]:
    assert "code" in person.back, person.back
    return app.claims(app.redeem(person.back["code"]).json()["id_token"], POOL)


def addresses(outsider: Outsider, attributes: str = "/me") -> dict[str, str]:
    return {
        "authorize_url": f"{outsider.url}/authorize",
        "token_url": f"{outsider.url}/token",
        "attributes_url": f"{outsider.url}{attributes}",
    }


def test_an_issuer_on_this_machine_by_discovery(outsider, trust, app, person):
    # Given a provider that nobody told more of than its issuer
    trust("keycloak", mapping={"name": "name"}, oidc_issuer=outsider.url)
    outsider.claims, outsider.profile = (
        {"email": "u@token.example"},
        {"sub": "u1", "email": "u@me.example", "name": "U"},
    )
    # When somebody comes from there
    outsider.send_back(person, app, "keycloak")
    # Then they are who its token says, and the rest is what it tells when it is asked
    claims = claims_of(app, person)
    assert (claims["cognito:username"], claims["email"], claims["name"]) == ("keycloak_u1", "u@token.example", "U")
    paths = [path for _, path, _ in outsider.seen]
    assert paths.count("/token") == paths.count("/me") == 1


def test_google_at_addresses_of_this_machine(outsider, trust, app, person):
    trust("Google", "Google", **addresses(outsider), jwks_uri=f"{outsider.url}/keys")
    outsider.issuer, outsider.claims = GOOGLE, {"email": "u@google.example"}
    outsider.profile = {"sub": "u1"}
    outsider.send_back(person, app, "Google")
    assert claims_of(app, person)["cognito:username"] == "google_u1"


def test_facebook_at_addresses_of_this_machine(outsider, trust, app, person):
    more = {"token_request_method": "GET", "attributes_url_add_attributes": "true"}
    trust("Facebook", "Facebook", **{**addresses(outsider, "/me?fields="), **more})
    outsider.profile = {"id": "10150", "email": "u@facebook.example"}
    outsider.send_back(person, app, "Facebook")
    claims = claims_of(app, person)
    assert (claims["cognito:username"], claims["email"]) == ("facebook_10150", "u@facebook.example")
    assert ("GET", "/me", {"fields": "email,id"}) in outsider.seen
    assert next(method for method, path, _ in outsider.seen if path == "/token") == "GET"


def test_amazon_at_addresses_of_this_machine(outsider, trust, app, person):
    trust("LoginWithAmazon", "LoginWithAmazon", **addresses(outsider))
    outsider.profile = {"user_id": "amzn1.account.K2L", "email": "u@amazon.example"}
    outsider.send_back(person, app, "LoginWithAmazon")
    assert claims_of(app, person)["cognito:username"] == "loginwithamazon_amzn1.account.k2l"


def test_the_pools_function_is_told_what_they_answer(aws, outsider, trust, app, person, hooks):
    # given a function that prefers the name that a provider's profile has
    def preferring(event: dict) -> dict:
        said = event["request"]["attributes"]
        event["response"]["userAttributesToMap"] = {**said.get("idToken", {}), **said["userInfo"]}
        return event

    trust("Facebook", "Facebook", **addresses(outsider))
    trust("keycloak", oidc_issuer=outsider.url)
    config = {"InboundFederation": {"LambdaVersion": "V1_0", "LambdaArn": hooks.arn("InboundFederation")}}
    pool = SimpleNamespace(aws=aws, admin=aws.client("cognito-idp"), pool=POOL)
    hooks.play(pool, config, InboundFederation=preferring)
    outsider.profile = {"id": "10150", "sub": "u1", "email": "u@me.example"}
    outsider.claims = {"email": "u@token.example"}

    # when people come from a social provider, and from an issuer
    for name in ("Facebook", "keycloak"):
        outsider.send_back(person, app, name)
        assert claims_of(app, person)["email"] == "u@me.example"

    # then it was told each answer apart
    social, issuer = (event["request"]["attributes"] for event in hooks.events)
    assert set(social) == {"tokenResponse", "userInfo"}
    assert set(issuer) == {"tokenResponse", "idToken", "userInfo"}
    assert issuer["idToken"]["email"] == "u@token.example"


@pytest.mark.parametrize("kind", ["Facebook", "Google", "LoginWithAmazon", "SignInWithApple"])
def test_what_would_ask_the_internet_is_refused(trust, app, person, kind):
    trust(kind, kind)
    person.open(app.url(identity_provider=kind))
    assert person.back["error"] == "invalid_request"
    assert "on the internet" in person.back["error_description"]


def test_what_aws_adds_is_told_and_not_asked(aws, trust, app, person):
    # Given social providers of which the pool knows no addresses
    trust("Facebook", "Facebook", api_version="v21.0")
    trust("Google", "Google")
    idp = aws.client("cognito-idp")
    told = {
        name: idp.describe_identity_provider(UserPoolId=POOL, ProviderName=name)["IdentityProvider"]["ProviderDetails"]
        for name in ("Facebook", "Google")
    }
    assert told["Facebook"]["token_url"] == "https://graph.facebook.com/v21.0/oauth/access_token"
    assert told["Google"]["oidc_issuer"] == GOOGLE
    # When somebody reads them and writes all back, as tools do
    for name, details in told.items():
        idp.update_identity_provider(UserPoolId=POOL, ProviderName=name, ProviderDetails=details)
        assert (
            idp.describe_identity_provider(UserPoolId=POOL, ProviderName=name)["IdentityProvider"]["ProviderDetails"]
            == details
        )
        # Then still nobody on the internet is asked
        person.open(app.url(identity_provider=name))
        assert person.back["error"] == "invalid_request"


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("https://elsewhere.example", "--provider-host elsewhere.example"),
        ("http://169.254.169.254/latest", "is not this machine"),
        ("http://127.0.0.1.evil.example", "is not this machine"),
        ("http://u:p@127.0.0.1:9", "is no URL"),
    ],
)
def test_only_this_machine_is_asked(trust, app, person, url, why):
    trust("far", oidc_issuer=url)
    person.open(app.url(identity_provider="far"))
    assert why in person.back["error_description"]


@pytest.mark.parametrize(("aws", "is_asked"), [([], False), (["--provider-host", "127.0.0.1"], True)], indirect=["aws"])
def test_where_a_token_is_asked_for_no_other_port_is_asked(outsider, trust, app, person, is_asked):
    trust("near", oidc_issuer=outsider.url)
    person.open(app.url(identity_provider="near"))
    assert bool(outsider.seen) == is_asked


def test_this_server_itself_is_not_asked(aws, outsider, trust, app, person):
    own = f"http://127.0.0.1:{urlsplit(aws.endpoint_url).port}/_emulator/api/worlds"
    trust("own", oidc_issuer=outsider.url, **{**addresses(outsider), "token_url": own}, jwks_uri=f"{outsider.url}/keys")
    person.open(app.url(identity_provider="own"))
    assert "is this server itself" in person.back["error_description"]


def test_a_discovery_document_that_leads_elsewhere(outsider, trust, app, person):
    trust("liar", oidc_issuer=outsider.url)
    told = {
        "issuer": outsider.url,
        "authorization_endpoint": f"{outsider.url}/authorize",
        "jwks_uri": f"{outsider.url}/keys",
    }
    for changes in (
        {"token_endpoint": "http://169.254.169.254/token"},
        {"token_endpoint": f"{outsider.url}/token", "issuer": "https://other.example"},
        {"token_endpoint": f"{outsider.url}/token", "authorization_endpoint": "javascript:alert(1)"},
        {"token_endpoint": ["x"]},
        {},
    ):
        document = json.dumps({**told, **changes}).encode()
        outsider.answers = {"/.well-known/openid-configuration": (200, document)}
        person.open(app.url(identity_provider="liar"))
        assert person.back["error"] == "invalid_request", changes


@pytest.mark.parametrize(
    "changes",
    [
        {"claims": {"nonce": "another"}},
        {"claims": {"nonce": None}},
        {"claims": {"aud": "another-client"}},
        {"claims": {"aud": ["pool-outside", "another-client"], "azp": "another-client"}},
        {"claims": {"iss": "https://another.example"}},
        {"claims": {"exp": 1}},
        {"claims": {"exp": "soon"}},
        {"claims": {"iat": 4_000_000_000}},
        {"claims": {"sub": ""}},
        {"claims": {"sub": ["u1"]}},
        {"claims": {"sub": "x" * 128}},
        {"signer": "another key"},
        {"algorithm": "none"},
        {"algorithm": "HS256", "signer": "the public key as a secret that is long enough for it"},
        {"profile": {"sub": "u2", "email": "u2@example.org"}},
        {"answers": {"/token": (302, b"{}")}},
        {"answers": {"/token": (500, b"{}")}},
        {"answers": {"/token": (200, b"[]")}},
        {"answers": {"/token": (200, b"no JSON")}},
        {"answers": {"/token": (200, b'{"id_token": 7}')}},
        {"answers": {"/token": (200, b" " * 1_100_000)}},
        {"answers": {"/keys": (200, b'{"keys": 7}')}},
        {"answers": {"/me": (500, b"")}},
    ],
    ids=str,
)
def test_answers_that_sign_nobody_in(outsider, trust, app, person, changes):
    trust("okta", oidc_issuer=outsider.url)
    outsider.profile = {"sub": "u1"}
    for name, value in changes.items():
        setattr(outsider, name, key("another") if value == "another key" else value)
    outsider.send_back(person, app, "okta")
    assert person.back["error"] == "invalid_request"
    assert SECRET not in person.page.headers["location"]
    person.open(app.url(prompt="none"))
    assert person.back["error"] == "login_required"


@pytest.mark.parametrize("said", [{}, {"id": ""}, {"id": 7}, {"id": ["x"]}, {"id": "x" * 128}, {"user_id": "x"}])
def test_a_profile_that_names_nobody(outsider, trust, app, person, said):
    trust("Facebook", "Facebook", **addresses(outsider))
    outsider.profile = said
    outsider.send_back(person, app, "Facebook")
    assert person.back["error"] == "invalid_request"
