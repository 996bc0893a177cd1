"""A person's sign-in by script, as a tool and a pipeline do it: register, start, approve, token, credentials."""

from __future__ import annotations

import http.client
import json
import urllib.request
from urllib.parse import urlencode

from tests.bench.servers import Running

WORLD = "people"
DEV = "111122223333"
START_URL = "https://d-9067000000.awsapps.com/start"
SCENARIO = f"""
accounts: {{"{DEV}": {{}}}}
organization: {{management: "{DEV}"}}
identity_center:
  start_url: {START_URL}
  users: {{jane: {{}}}}
  permission_sets: {{Developer: {{policies: [PowerUserAccess]}}}}
  assignments: [{{users: [jane], permission_sets: [Developer], accounts: ["{DEV}"]}}]
"""


class People:
    """A world with Identity Center, and one connection to it."""

    def __init__(self, server: Running) -> None:
        self.port = server.port
        world = json.dumps({"name": WORLD, "scenario": SCENARIO}).encode()
        url = f"http://127.0.0.1:{server.port}/_emulator/api/worlds"
        urllib.request.urlopen(urllib.request.Request(url, world, {"Content-Type": "application/json"})).close()
        self.connection = http.client.HTTPConnection("127.0.0.1", server.port)

    def post(self, path: str, **members: object) -> dict:
        self.connection.request("POST", path, json.dumps(members).encode(), {"Content-Type": "application/json"})
        answer = self.connection.getresponse()
        body = json.loads(answer.read())
        assert answer.status < 300, body
        return body

    def sign_in(self) -> str:
        """The access token of a sign-in from the beginning, which has got credentials once."""
        root = f"/w/{WORLD}"
        registered = self.post(
            f"{root}/client/register", clientName="bench", clientType="public", scopes=["sso:account:access"]
        )
        client = {name: registered[name] for name in ("clientId", "clientSecret")}
        device = self.post(f"{root}/device_authorization", **client, startUrl=START_URL)
        self.post(f"/_emulator/api/worlds/{WORLD}/approve", code=device["userCode"], user="jane")
        grant = "urn:ietf:params:oauth:grant-type:device_code"
        token = self.post(f"{root}/token", **client, grantType=grant, deviceCode=device["deviceCode"])["accessToken"]
        self.connection.request("GET", self.place, headers={"x-amz-sso_bearer_token": token})
        answer = self.connection.getresponse()
        assert "roleCredentials" in json.loads(answer.read())
        return token

    @property
    def place(self) -> str:
        """Of the credentials."""
        return f"/w/{WORLD}/federation/credentials?{urlencode({'account_id': DEV, 'role_name': 'Developer'})}"

    def credentials(self, token: str) -> bytes:
        """A GetRoleCredentials as tools send it."""
        head = f"GET {self.place} HTTP/1.1\r\nHost: 127.0.0.1:{self.port}\r\nx-amz-sso_bearer_token: {token}\r\n\r\n"
        return head.encode()
