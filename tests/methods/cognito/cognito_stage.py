"""A stage for identity pools: a pool, the roles that trust it, and an app that holds no AWS key."""

from __future__ import annotations

import json

from botocore import UNSIGNED
from botocore.config import Config

ACCOUNT = "111122223333"
USER_POOL = "cognito-idp.us-east-1.amazonaws.com/us-east-1_Phone0001"
APP = "phoneapp0001"
COGNITO = "cognito-identity.amazonaws.com"


def trust(pool: str, amr: str = "authenticated", *, tags: bool = False) -> dict:
    """The trust policy of AWS's guide for a role of an identity pool."""
    actions = ["sts:AssumeRoleWithWebIdentity", *(["sts:TagSession"] if tags else [])]
    return {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"Federated": COGNITO},
                "Action": actions,
                "Condition": {
                    "StringEquals": {f"{COGNITO}:aud": pool},
                    "ForAnyValue:StringLike": {f"{COGNITO}:amr": amr},
                },
            }
        ],
    }


class Stage:
    """A pool as a test has it, its roles by name, and both sides: `owner` signs as root, `app` does not sign."""

    def __init__(self, aws) -> None:
        self.aws = aws
        self.owner = aws.client("cognito-identity")
        self.iam = aws.client("iam")
        self.app = self.unsigned("cognito-identity")
        self.pool = ""

    def unsigned(self, service: str):
        config = Config(signature_version=UNSIGNED, retries={"total_max_attempts": 1})
        return self.aws.client(service, config=config)

    def create(self, **settings: object) -> str:
        given = {
            "IdentityPoolName": "phone",
            "AllowUnauthenticatedIdentities": True,
            "CognitoIdentityProviders": [{"ProviderName": USER_POOL, "ClientId": APP}],
            **settings,
        }
        self.pool = self.owner.create_identity_pool(**given)["IdentityPoolId"]
        return self.pool

    def role(self, name: str, amr: str = "authenticated", *, pool: str = "", tags: bool = False, allow=()) -> str:
        document = trust(pool or self.pool, amr, tags=tags)
        arn = self.iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(document))["Role"]["Arn"]
        if allow:
            statement = {"Version": "2012-10-17", "Statement": list(allow)}
            self.iam.put_role_policy(RoleName=name, PolicyName="may", PolicyDocument=json.dumps(statement))
        return arn

    def assign(self, mappings: dict | None = None, **roles: str) -> None:
        extra = {"RoleMappings": mappings} if mappings else {}
        self.owner.set_identity_pool_roles(IdentityPoolId=self.pool, Roles=roles, **extra)

    def token(self, issuer: str = "users", **claims: object) -> str:
        """An ID token as the user pool's app client gets it."""
        return self.aws.token(issuer, **{"aud": APP, "sub": "ana", "token_use": "id", **claims})

    def logins(self, **claims: object) -> dict[str, str]:
        return {USER_POOL: self.token(**claims)}

    def credentials(self, logins: dict | None = None, **more: object) -> dict:
        """What an app does: GetId, then GetCredentialsForIdentity."""
        given = {"Logins": logins} if logins else {}
        identity = self.app.get_id(IdentityPoolId=self.pool, **given)["IdentityId"]
        return self.app.get_credentials_for_identity(IdentityId=identity, **given, **more)

    def caller(self, answer: dict) -> str:
        """Who the credentials of an answer are."""
        return self.signed("sts", answer).get_caller_identity()["Arn"]

    def signed(self, service: str, answer: dict):
        given = answer["Credentials"]
        return self.aws.client(
            service,
            {
                "access_key_id": given["AccessKeyId"],
                "secret_access_key": given["SecretKey"],
                "session_token": given["SessionToken"],
            },
        )
