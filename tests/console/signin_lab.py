"""What the tests of sign-in pages share: a lab with two accounts, and a browser without a screen."""

from __future__ import annotations

import httpx
from lxml import html

DEV, PROD = "111122223333", "444455556666"
DEVELOPER = f"arn:aws:iam::{DEV}:role/Developer"
ADMIN = f"arn:aws:iam::{DEV}:role/team/Admin"
READ_ONLY = f"arn:aws:iam::{PROD}:role/ReadOnly"

LAB = """
saml_idps:
  corp:
    groups:
      engineers: ["arn:aws:iam::111122223333:role/Developer", "arn:aws:iam::444455556666:role/ReadOnly"]
      admins: ["arn:aws:iam::111122223333:role/team/Admin"]
    users:
      jane: {groups: [engineers, admins], email: jane@corp.test, source_identity: jane}
      omar: {groups: admins, password: let me in}
      eve: {groups: [], password: x}
      long: {groups: admins, session_duration: 7200}
      '<script>alert(1)</script>': {groups: [engineers], session_name: script, password: x}
accounts:
  "111122223333":
    alias: acme-dev
    saml_providers: {corp: {idp: corp}}
    roles:
      Developer:
        trust:
          - Effect: Allow
            Principal: {Federated: "arn:aws:iam::111122223333:saml-provider/corp"}
            Action: ["sts:AssumeRoleWithSAML", "sts:SetSourceIdentity"]
            Condition: {StringEquals: {"SAML:aud": "https://signin.aws.amazon.com/saml"}}
      Admin:
        path: /team/
        trust:
          - Effect: Allow
            Principal: {Federated: "arn:aws:iam::111122223333:saml-provider/corp"}
            Action: ["sts:AssumeRoleWithSAML"]
  "444455556666":
    name: prod
    saml_providers: {corp: {idp: corp}}
    roles:
      ReadOnly:
        trust:
          - Effect: Allow
            Principal: {Federated: "arn:aws:iam::444455556666:saml-provider/corp"}
            Action: ["sts:AssumeRoleWithSAML", "sts:SetSourceIdentity"]
"""


class Browser:
    """Keeps cookies, follows links and forms of one world by hand."""

    def __init__(self, aws) -> None:
        self.aws = aws
        self.http = httpx.Client(
            verify=False, base_url=aws.endpoint_url, follow_redirects=False
        )  # loading certificates takes 40 ms

    def get(self, path: str, **options) -> httpx.Response:
        return self.http.get(f"{self.aws.endpoint_url}/{path}", **options)

    def post(self, path: str, fields: dict[str, str], **options) -> httpx.Response:
        return self.http.post(f"{self.aws.endpoint_url}/{path}", data=fields, **options)

    def assertion(self, user: str, **wish) -> str:
        return self.aws.page("POST", "idp/corp/assertions", body={"user": user, **wish})["SAMLResponse"]

    def sign_in(self, user: str, role: str = "", **wish) -> httpx.Response:
        fields = {"SAMLResponse": self.assertion(user, **wish), "RelayState": ""}
        return self.post("saml", {**fields, **({"roleIndex": role} if role else {})})


def tree(response: httpx.Response):
    return html.fromstring(response.text)


def sentence(response: httpx.Response) -> str:
    return " ".join(tree(response).xpath("string(//*[@id='sentence'])").split())


def shell(response: httpx.Response) -> dict[str, str]:
    """The credentials that a console page shows, as STS would give them."""
    lines = tree(response).xpath("string(//pre[@id='bash'])").splitlines()
    pairs = dict(line.removeprefix("export ").split("=", 1) for line in lines)
    return {
        "AccessKeyId": pairs["AWS_ACCESS_KEY_ID"],
        "SecretAccessKey": pairs["AWS_SECRET_ACCESS_KEY"],
        "SessionToken": pairs["AWS_SESSION_TOKEN"],
    }
