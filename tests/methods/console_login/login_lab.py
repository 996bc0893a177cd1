"""A tool that logs in as `aws login` does: PKCE, and a P-256 key whose proofs (DPoP) go with each request."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import secrets
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit

import boto3
from awscrt.crypto import EC, ECExportFormat, ECType
from botocore import UNSIGNED
from botocore.config import Config
from botocore.credentials import _build_dpop_header

DEV = "111122223333"
SAME_DEVICE, CROSS_DEVICE = (f"arn:aws:signin:::devtools/{kind}-device" for kind in ("same", "cross"))
CALLBACK = "http://127.0.0.1:49153/oauth/callback"

SCENARIO = """
accounts:
  "111122223333":
    alias: acme
    users:
      alice: {policies: [AdministratorAccess]}
      dora: {}
"""


def new_key() -> EC:
    """A key that survives being written and read: of what awscrt 0.38 writes, one in seven hundred does not."""
    while True:
        key = EC.new_generate(ECType.P_256)
        with contextlib.suppress(RuntimeError):
            EC.new_key_from_der_data(key.export_key(ECExportFormat.SEC1))
            return key


class LoginTool:
    def __init__(self, aws, client: str = SAME_DEVICE) -> None:
        self.aws = aws
        self.client = client
        self.redirect = CALLBACK if client == SAME_DEVICE else f"{aws.endpoint_url}/v1/sessions/confirmation"
        self.key = new_key()
        self.verifier = secrets.token_urlsafe(48)
        options = {"endpoint_url": aws.endpoint_url, "region_name": "us-east-1"}
        self.signin = boto3.client("signin", config=Config(signature_version=UNSIGNED), **options)
        self.signin.meta.events.register("before-call.signin.CreateOAuth2Token", self._prove)
        self.proof = None

    def _prove(self, params, **_) -> None:
        if self.proof != "":
            params["headers"]["DPoP"] = self.proof or _build_dpop_header(self.key, params["url"])

    def url(self, **changed: str) -> str:
        digest = hashlib.sha256(self.verifier.encode()).digest()
        query = {
            "response_type": "code",
            "client_id": self.client,
            "state": "a-state",
            "code_challenge_method": "SHA-256",
            "scope": "openid",
            "redirect_uri": self.redirect,
            "code_challenge": base64.urlsafe_b64encode(digest).rstrip(b"=").decode(),
        }
        return f"{self.aws.endpoint_url}/v1/authorize?{urlencode({**query, **changed})}"

    def approved(self, user: str) -> str:
        """The code, after a script said yes as `user`."""
        answer = self.aws.approve(self.url(), user)
        if self.client == CROSS_DEVICE:
            members = dict(parse_qsl(base64.b64decode(answer["paste"]).decode()))
        else:
            members = {name: values[0] for name, values in parse_qs(urlsplit(answer["location"]).query).items()}
        assert members["state"] == "a-state"
        return members["code"]

    def exchange(self, code: str, **changed: str) -> dict:
        given = {"clientId": self.client, "grantType": "authorization_code", "code": code}
        given |= {"redirectUri": self.redirect, "codeVerifier": self.verifier, **changed}
        return self.signin.create_o_auth2_token(tokenInput=given)["tokenOutput"]

    def login(self, user: str) -> dict:
        return self.exchange(self.approved(user))

    def refresh(self, tokens: dict, **changed: str) -> dict:
        given = {"clientId": self.client, "grantType": "refresh_token", "refreshToken": tokens["refreshToken"]}
        return self.signin.create_o_auth2_token(tokenInput={**given, **changed})["tokenOutput"]

    def who(self, tokens: dict) -> str:
        key = {name[0].upper() + name[1:]: value for name, value in tokens["accessToken"].items()}
        return self.aws.client("sts", key).get_caller_identity()["Arn"]

    @property
    def pem(self) -> str:
        text = base64.b64encode(self.key.export_key(ECExportFormat.SEC1)).decode()
        return f"-----BEGIN EC PRIVATE KEY-----\n{text}\n-----END EC PRIVATE KEY-----\n"


def signed(aws, credentials=None):
    """A client led here by hand: botocore's rules give these operations an address that no setting overrules."""
    client = aws.client("signin", credentials)

    def lead(params, **_) -> None:
        params["url"] = f"{aws.endpoint_url}{params['url_path']}"

    client.meta.events.register("before-call.signin", lead)
    return client
