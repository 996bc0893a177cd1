"""What tests of trusted identity propagation share: a company's issuer, and an application that takes its tokens."""

from __future__ import annotations

import json

import boto3
import httpx
from botocore import UNSIGNED
from botocore.config import Config
from sso_lab import DEV

CUSTOM = "arn:aws:sso::aws:applicationProvider/custom"
PROVIDER = "arn:aws:iam::aws:contextProvider/IdentityCenter"
JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"
TOKEN_EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
ACCESS_TOKEN = "urn:ietf:params:oauth:token-type:access_token"
ISSUER = "https://login.corp.example"

SCENARIO = """
issuers:
  corp: {preset: plain, url: "https://login.corp.example"}
  stranger: {preset: plain, url: "https://login.stranger.example"}
accounts:
  "111122223333":
    name: dev
    users:
      backend: {inline: {call: [{Effect: Allow, Action: "sso-oauth:CreateTokenWithIAM", Resource: "*"}]}}
      silent: {}
      mallory: {inline: {call: [{Effect: Allow, Action: "sso-oauth:CreateTokenWithIAM", Resource: "*"}]}}
  "444455556666": {name: prod}
organization:
  management: "111122223333"
  accounts: {"444455556666": {}}
identity_center:
  start_url: https://d-9067000000.awsapps.com/start
  groups: {auditors: {}}
  users:
    jane: {email: jane@corp.example}
    omar: {email: omar@corp.example}
    gone: {email: gone@corp.example, disabled: true}
    twin.one: {email: twin@corp.example}
  permission_sets:
    Developer: {inline: [{Effect: Allow, Action: "s3:*", Resource: "*"}]}
  assignments:
    - {users: [jane], permission_sets: [Developer], accounts: ["111122223333"]}
"""
DISABLED_JANE = SCENARIO.replace("jane@corp.example}", "jane@corp.example, disabled: true}")


class Company:
    """A world in which a company's backend acts for people that the company's own issuer signs in."""

    def __init__(self, aws) -> None:
        self.aws = aws
        self.sso = aws.client("sso-admin", aws.credentials(account=DEV))
        self.store = aws.client("identitystore", aws.credentials(account=DEV))
        (instance,) = self.sso.list_instances()["Instances"]
        self.instance, self.directory = instance["InstanceArn"], instance["IdentityStoreId"]
        self.store_arn = f"arn:aws:identitystore::{DEV}:identitystore/{self.directory}"
        self.issuer = self.trust("corp", ISSUER)
        self.application = self.new_application("shop")

    def trust(self, name: str, url: str, claim: str = "email", attribute: str = "emails.value") -> str:
        configuration = {
            "IssuerUrl": url,
            "ClaimAttributePath": claim,
            "IdentityStoreAttributePath": attribute,
            "JwksRetrievalOption": "OPEN_ID_DISCOVERY",
        }
        return self.sso.create_trusted_token_issuer(
            InstanceArn=self.instance,
            Name=name,
            TrustedTokenIssuerType="OIDC_JWT",
            TrustedTokenIssuerConfiguration={"OidcJwtConfiguration": configuration},
        )["TrustedTokenIssuerArn"]

    def new_application(self, name: str, caller: str = "backend", issuer: str = "") -> str:
        """An application that takes the issuer's tokens for the audience `shop`, by the hand of one IAM user."""
        arn = self.sso.create_application(InstanceArn=self.instance, ApplicationProviderArn=CUSTOM, Name=name)[
            "ApplicationArn"
        ]
        issuers = [{"TrustedTokenIssuerArn": issuer or self.issuer, "AuthorizedAudiences": ["shop"]}]
        self.grant(JWT_BEARER, {"JwtBearer": {"AuthorizedTokenIssuers": issuers}}, arn)
        self.let_call({"AWS": f"arn:aws:iam::{DEV}:user/{caller}"}, arn)
        self.assign("jane", arn)
        return arn

    def grant(self, kind: str, grant: dict, application: str = "") -> None:
        self.sso.put_application_grant(ApplicationArn=application or self.application, GrantType=kind, Grant=grant)

    def scope(self, name: str, application: str = "", targets: tuple[str, ...] = ()) -> None:
        wish = {"AuthorizedTargets": list(targets)} if targets else {}
        self.sso.put_application_access_scope(ApplicationArn=application or self.application, Scope=name, **wish)

    def let_call(self, principal: dict, application: str = "") -> None:
        statement = {
            "Effect": "Allow",
            "Principal": principal,
            "Action": "sso-oauth:CreateTokenWithIAM",
            "Resource": "*",
        }
        self.sso.put_application_authentication_method(
            ApplicationArn=application or self.application,
            AuthenticationMethodType="IAM",
            AuthenticationMethod={"Iam": {"ActorPolicy": {"Version": "2012-10-17", "Statement": [statement]}}},
        )

    def assign(self, user: str, application: str = "") -> None:
        self.sso.create_application_assignment(
            ApplicationArn=application or self.application, PrincipalId=self.user(user), PrincipalType="USER"
        )

    def user(self, name: str) -> str:
        unique = {"AttributePath": "userName", "AttributeValue": name}
        person = self.store.get_user_id(IdentityStoreId=self.directory, AlternateIdentifier={"UniqueAttribute": unique})
        return person["UserId"]

    def scim(self, method: str, path: str, operation: dict) -> None:
        """What the company's identity provider writes into the directory."""
        access = self.aws._api("POST", "scim")  # as `sts-emulator sso scim` asks
        headers = {"Authorization": f"Bearer {access['token']}"}
        body = {"schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"], "Operations": [operation]}
        httpx.request(method, f"{access['endpoint']}/{path}", json=body, headers=headers).raise_for_status()

    def token(self, user: str = "jane", issuer: str = "corp", **claims) -> str:
        """What the company's issuer gives to the backend when somebody signs in there."""
        return self.aws.token(issuer, **{"sub": user, "aud": "shop", "email": f"{user}@corp.example", **claims})

    def oidc(self, user: str = "backend"):
        return self.aws.client("sso-oidc", user=user)

    def exchange(self, assertion: str, application: str = "", *, caller: str = "backend", **more) -> dict:
        call = self.oidc(caller).create_token_with_iam
        return call(clientId=application or self.application, grantType=JWT_BEARER, assertion=assertion, **more)

    def context(self, user: str = "jane") -> str:
        return self.exchange(self.token(user))["awsAdditionalDetails"]["identityContext"]

    def role(self, name: str, condition: dict | None = None, actions=("sts:AssumeRole", "sts:SetContext")) -> str:
        """A role of dev that the backend may assume, with whom it acts for."""
        statement = {
            "Effect": "Allow",
            "Principal": {"AWS": f"arn:aws:iam::{DEV}:user/backend"},
            "Action": list(actions),
            **({"Condition": condition} if condition else {}),
        }
        trust = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        iam = self.aws.client("iam", self.aws.credentials(account=DEV))
        role = iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust)["Role"]
        allow = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
        iam.put_role_policy(RoleName=name, PolicyName="all", PolicyDocument=json.dumps(allow))
        return role["Arn"]

    def assume(self, role: str, *contexts: str, provider: str = PROVIDER) -> dict:
        provided = [{"ProviderArn": provider, "ContextAssertion": context} for context in contexts]
        sts = self.aws.client("sts", user="backend")
        return sts.assume_role(RoleArn=role, RoleSessionName="for-jane", ProvidedContexts=provided)["Credentials"]

    def portal(self):
        return boto3.client(
            "sso",
            endpoint_url=self.aws.endpoint_url,
            region_name="us-east-1",
            config=Config(signature_version=UNSIGNED),
        )
