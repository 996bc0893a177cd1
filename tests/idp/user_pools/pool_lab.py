"""What tests of user pools share: a pool with an app client, as its developer has it."""

from __future__ import annotations

import json
import urllib.request
from dataclasses import dataclass
from typing import Any

import jwt
from botocore import UNSIGNED
from botocore.config import Config

PASSWORD = "Correct-horse-1"


@dataclass
class App:
    """What an app's developer has: the pool's administration, and the API without credentials that its users call."""

    aws: Any
    admin: Any
    idp: Any
    pool: str
    client: str

    def sign_in(self, user: str = "ada", password: str = PASSWORD, client: str = "", **more: str) -> dict[str, Any]:
        return self.idp.initiate_auth(
            AuthFlow="USER_PASSWORD_AUTH",
            ClientId=client or self.client,
            AuthParameters={"USERNAME": user, "PASSWORD": password, **more},
        )

    def tokens(self, user: str = "ada", password: str = PASSWORD, client: str = "") -> dict[str, Any]:
        return self.sign_in(user, password, client)["AuthenticationResult"]

    def stretch_wait(self) -> None:
        """Set the clock a minute back: what a user waits for a second then lasts, however slow the test is."""
        self.aws.advance(-60)

    def add_user(self, name: str, password: str | None = PASSWORD, **attributes: str) -> str:
        """A user with a permanent password, or only a temporary one; their sub."""
        pairs = [{"Name": key, "Value": value} for key, value in attributes.items()]
        made = self.admin.admin_create_user(
            UserPoolId=self.pool,
            Username=name,
            UserAttributes=pairs,
            MessageAction="SUPPRESS",
            TemporaryPassword="Temporary-1",
        )
        if password:
            self.admin.admin_set_user_password(UserPoolId=self.pool, Username=name, Password=password, Permanent=True)
        return next(pair["Value"] for pair in made["User"]["Attributes"] if pair["Name"] == "sub")

    def add_client(self, **settings: Any) -> dict[str, Any]:
        flows = [
            "ALLOW_USER_PASSWORD_AUTH",
            "ALLOW_USER_SRP_AUTH",
            "ALLOW_REFRESH_TOKEN_AUTH",
            "ALLOW_ADMIN_USER_PASSWORD_AUTH",
        ]
        settings = {"ExplicitAuthFlows": flows, **settings}
        return self.admin.create_user_pool_client(UserPoolId=self.pool, ClientName="app", **settings)["UserPoolClient"]

    def jwks(self) -> dict[str, Any]:
        with urllib.request.urlopen(f"{self.aws.endpoint_url}/{self.pool}/.well-known/jwks.json") as answer:
            return json.load(answer)

    def claims(self, token: str) -> dict[str, Any]:
        """The claims, verified by a library that knows nothing of the emulator."""
        kid = jwt.get_unverified_header(token)["kid"]
        key = next(key for key in self.jwks()["keys"] if key["kid"] == kid)
        options = {"verify_aud": False, "verify_exp": False, "verify_iat": False}
        return jwt.decode(token, jwt.PyJWK(key).key, algorithms=["RS256"], options=options)


def new_pool(aws, **settings: Any) -> App:
    admin = aws.client("cognito-idp")
    idp = aws.client("cognito-idp", config=Config(signature_version=UNSIGNED))
    pool = admin.create_user_pool(PoolName="shop", **settings)["UserPool"]["Id"]
    app = App(aws, admin, idp, pool, "")
    app.client = app.add_client()["ClientId"]
    return app
