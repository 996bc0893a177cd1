"""What the tests of the console share: a browser that watches for complaints, and a world in which things were tried."""

from __future__ import annotations

import contextlib
import json
import urllib.error
import urllib.request
from dataclasses import dataclass

import pytest
from botocore.exceptions import ClientError
from lxml import html

THEMES = ("light", pytest.param("dark", marks=pytest.mark.clients))  # walks take long
WIDTHS = (400, 900, 1600)
DEV = "111122223333"
DEVELOPER = f"arn:aws:iam::{DEV}:role/developer"
DEPLOY = f"arn:aws:iam::{DEV}:role/github-deploy"
RELEASE = "arn:aws:iam::444455556666:role/release"


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    text: str

    @property
    def tree(self):
        return html.fromstring(self.text)

    def texts(self, path: str) -> list[str]:
        """The text of each element of an XPath, its white space made one space."""
        return [" ".join(element.text_content().split()) for element in self.tree.xpath(path)]


class NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_):
        return None


def visit(url: str, data: bytes | None = None, **headers: str) -> Answer:
    """Ask for a page as a browser without scripts does, without following where it leads."""
    given = {"Accept": "text/html", **{name.replace("_", "-"): value for name, value in headers.items()}}
    request = urllib.request.Request(url, data, given)
    try:
        with urllib.request.build_opener(NoRedirect).open(request) as answer:
            return Answer(answer.status, dict(answer.headers.items()), answer.read().decode())
    except urllib.error.HTTPError as error:
        return Answer(error.code, dict(error.headers.items()), error.read().decode())


def console(aws, path: str = "") -> str:
    """The address of a page of a world's console."""
    return f"{aws.endpoint_url}/_emulator/{path}"


def keys_of(aws, user: str) -> dict[str, str]:
    return aws.client("iam").create_access_key(UserName=user)["AccessKey"]


def tries(aws) -> None:
    """Attempts by several methods, allowed and refused, in the world that a fresh server starts with."""
    alice, bob = keys_of(aws, "alice"), keys_of(aws, "bob")
    aws.client("sts", alice).assume_role(RoleArn=DEVELOPER, RoleSessionName="alice")
    with contextlib.suppress(ClientError):
        aws.client("sts", bob).assume_role(RoleArn=DEVELOPER, RoleSessionName="bob")
    with contextlib.suppress(ClientError):
        aws.client("sts", {**bob, "SecretAccessKey": "wrong"}).get_caller_identity()
    deploy(aws, "refs/heads/feature")
    build = deploy(aws, "refs/heads/main")
    for external in ("wrong", "acme-release"):
        with contextlib.suppress(ClientError):
            aws.client("sts", build).assume_role(RoleArn=RELEASE, RoleSessionName="release", ExternalId=external)


def deploy(aws, ref: str, session: str = "build-1"):
    """A GitHub job asks for its role; what it gets, or None."""
    token = aws.page("POST", "issuers/github/token", body={"repo": "acme/shop", "ref": ref})["token"]
    with contextlib.suppress(ClientError):
        return aws.client("sts").assume_role_with_web_identity(
            RoleArn=DEPLOY, RoleSessionName=session, WebIdentityToken=token
        )["Credentials"]
    return None


def window(browser, *, theme: str = "light", width: int = 1600, **options):
    """A page that collects what the browser complains of: what the policy stopped, what failed, what a script threw."""
    page = browser.new_context(
        color_scheme=theme, viewport={"width": width, "height": 900}, reduced_motion="reduce", **options
    ).new_page()
    page.complaints = []
    page.on("console", lambda message: page.complaints.append(message.text))
    page.on("pageerror", lambda error: page.complaints.append(str(error)))
    page.on("dialog", lambda dialog: (page.complaints.append(f"dialog: {dialog.message}"), dialog.dismiss()))
    return page


def event_of(aws, name: str, outcome: str, whose: str = "") -> str:
    return next(
        event["requestID"]
        for event in reversed(aws.events())
        if event["eventName"] == name
        and event["additionalEventData"]["outcome"] == outcome
        and whose in json.dumps(event["requestParameters"]) + json.dumps(event["userIdentity"])
    )
