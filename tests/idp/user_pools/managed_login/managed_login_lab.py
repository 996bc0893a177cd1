"""A pool with managed login, an app of it, and a person with a browser, in the tests of this room."""

from __future__ import annotations

import base64
import hashlib
import secrets
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlencode, urljoin, urlsplit

import httpx
import jwt
from lxml import html

POOL = "us-east-1_Shop1"
CALLBACK, OUT = "http://localhost:9876/cb", "http://localhost:9876/out"
PASSWORD = "Correct-horse-1"
SECRET = "a-secret-of-the-confidential-app"
SEED = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"

SCENARIO = f"""
accounts:
  "111122223333":
    user_pools:
      shop:
        id: {POOL}
        domain: shop
        verify: [email]
        custom_attributes: [plan]
        resource_servers: {{"https://api.example": [read, write]}}
        clients:
          web:
            id: web
            oauth: [code, implicit]
            scopes: [openid, email, profile, aws.cognito.signin.user.admin, "https://api.example/read"]
            callbacks: ["{CALLBACK}", "myapp://cb"]
            logouts: ["{OUT}"]
          server: {{id: server, secret: {SECRET}, callbacks: ["{CALLBACK}"]}}
          machine:
            id: machine
            secret: {SECRET}
            oauth: [client_credentials]
            scopes: ["https://api.example/read", "https://api.example/write"]
          api: {{id: api}}
        groups: {{staff: {{}}}}
        users:
          ana:
            password: {PASSWORD}
            attributes: {{email: ana@example.org, name: Ana, "custom:plan": premium}}
            groups: [staff]
          bob: {{temporary_password: Temporary-1, attributes: {{email: bob@example.org}}}}
      other:
        id: us-east-1_Other1
        domain: other
        clients: {{web: {{id: foreign, callbacks: ["{CALLBACK}"]}}}}
        users: {{ana: {{password: {PASSWORD}}}}}
      bare:
        id: us-east-1_Bare1
        clients: {{web: {{id: undomained, callbacks: ["{CALLBACK}"]}}}}
"""


@dataclass
class App:
    """An app that sends people to managed login and redeems what they bring back."""

    aws: Any
    client: str = "web"
    secret: str = ""
    redirect: str = CALLBACK
    verifier: str = field(default_factory=lambda: secrets.token_urlsafe(48))

    def parameters(self, **changes: str | None) -> dict[str, str]:
        digest = hashlib.sha256(self.verifier.encode()).digest()
        asked = {
            "client_id": self.client,
            "redirect_uri": self.redirect,
            "response_type": "code",
            "scope": "openid email",
            "state": "a state & more",
            "nonce": "a-nonce",
            "code_challenge": base64.urlsafe_b64encode(digest).decode().rstrip("="),
            "code_challenge_method": "S256",
            **changes,
        }
        return {name: value for name, value in asked.items() if value is not None}

    def url(self, page: str = "oauth2/authorize", **changes: str | None) -> str:
        return f"{self.aws.endpoint_url}/{page}?{urlencode(self.parameters(**changes))}"

    def token(self, *, basic: bool = False, **fields: str | None) -> httpx.Response:
        """What the token endpoint answers to a form."""
        given = {"client_id": self.client, "client_secret": self.secret or None, **fields}
        headers = {}
        if basic:
            name, secret = given.pop("client_id"), given.pop("client_secret")
            headers = {"authorization": "Basic " + base64.b64encode(f"{name}:{secret}".encode()).decode()}
        form = {name: value for name, value in given.items() if value is not None}
        return httpx.post(f"{self.aws.endpoint_url}/oauth2/token", data=form, headers=headers)

    def redeem(self, code: str, **changes: str | None) -> httpx.Response:
        fields = {"redirect_uri": self.redirect, "code_verifier": self.verifier, **changes}
        return self.token(grant_type="authorization_code", code=code, **fields)

    def user_info(self, token: str) -> httpx.Response:
        url = f"{self.aws.endpoint_url}/oauth2/userInfo"
        return httpx.get(url, headers={"authorization": f"Bearer {token}"})

    def claims(self, token: str, pool: str = POOL) -> dict[str, Any]:
        """The claims, verified by a library that knows nothing of the emulator."""
        keys = httpx.get(f"{self.aws.endpoint_url}/{pool}/.well-known/jwks.json").json()["keys"]
        kid = jwt.get_unverified_header(token)["kid"]
        key = next(key for key in keys if key["kid"] == kid)
        options = {"verify_aud": False, "verify_exp": False, "verify_iat": False}
        return jwt.decode(token, jwt.PyJWK(key).key, algorithms=["RS256"], options=options)


class Person:
    """A browser without scripts: keeps cookies, follows links within the emulator, fills in forms."""

    def __init__(self, aws: Any) -> None:
        self.aws = aws
        self.http = httpx.Client(follow_redirects=False)
        self.page: httpx.Response | None = None

    def close(self) -> None:
        self.http.close()

    def open(self, url: str, **headers: str) -> httpx.Response:
        self.page = self.http.get(urljoin(f"{self.aws.endpoint_url}/", url), headers=headers)
        return self._follow()

    def fill(self, *, form: int = 0, headers: dict[str, str] | None = None, **fields: str) -> httpx.Response:
        """Post a form of the page with these fields, beside those that it brings."""
        shown = self.tree.xpath("//form")[form]
        given = {item.get("name"): item.get("value", "") for item in shown.xpath(".//input[@name]")} | fields
        self.page = self.http.post(urljoin(str(self.page.url), shown.get("action")), data=given, headers=headers)
        return self._follow()

    def sign_in(self, url: str, user: str = "ana", password: str = PASSWORD) -> httpx.Response:
        self.open(url)
        return self.fill(username=user, password=password)

    def _follow(self) -> httpx.Response:
        for _ in range(10):
            place = urljoin(str(self.page.url), self.page.headers.get("location", ""))
            if not self.page.is_redirect or not place.startswith(self.aws.endpoint_url.partition("/w/")[0]):
                break
            self.page = self.http.get(place)
        return self.page

    @property
    def tree(self):
        return html.fromstring(self.page.text)

    @property
    def heading(self) -> str:
        return " ".join(self.tree.xpath("string(//form//h1 | //section//h1)").split())

    @property
    def alert(self) -> str:
        return " ".join(self.tree.xpath("string(//*[@role='alert'])").split())

    @property
    def back(self) -> dict[str, str]:
        """With what the browser went to the app, as query or fragment."""
        parts = urlsplit(self.page.headers["location"])
        assert self.page.status_code == 302
        return {name: values[0] for name, values in parse_qs(parts.query or parts.fragment).items()}

    @property
    def error(self) -> str:
        """What the page says that was wrong with a request."""
        return self.tree.xpath("string(//*[@id='code'])") or self.tree.xpath("string(//*[@id='sentence'])")
