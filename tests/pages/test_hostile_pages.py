"""Every page meets names and forms that nobody means: it refuses them, and never fails inside."""

from __future__ import annotations

import asyncio
import importlib
import json
from functools import cache

import pytest

from sts_emulator.app import create_server
from sts_emulator.pages import answering, routes
from sts_emulator.scenario import later
from sts_emulator.scenario.watch import seed
from sts_emulator.settings import Settings
from sts_emulator.vending.context import Server
from sts_emulator.wire.http import Request, Response

HALF = "\ud800"  # half of a pair of surrogates: JSON can say it, and no database can hold it
MEMBERS = (
    *(
        "grant_type",
        "code",
        "client_id",
        "client_secret",
        "refresh_token",
        "redirect_uri",
        "state",
        "token",
        "username",
    ),
    *("password", "user_code", "SAMLResponse", "SAMLRequest", "RelayState", "grantType", "clientId", "clientSecret"),
    *(
        "refreshToken",
        "deviceCode",
        "userCode",
        "userName",
        "displayName",
        "externalId",
        "name",
        "id",
        "response",
        "sub",
    ),
)
BODIES = {
    "application/json": json.dumps(dict.fromkeys(MEMBERS, HALF)),
    "application/scim+json": json.dumps({"schemas": [HALF], "userName": HALF, "name": {"familyName": HALF}}),
    "application/x-www-form-urlencoded": "&".join(f"{name}=%C3%BC%ED%A0%80" for name in MEMBERS),
}


@cache
def server() -> Server:
    made = create_server(Settings())
    seed(made)
    later.plant(made, made.worlds.get("default"))
    return made


def pages() -> list[routes.Page]:
    server()
    for modules in list(routes.MODULES.values()):
        for module in list(modules):
            importlib.import_module(module)
    return [page for places in routes._PAGES.values() for page in places]


@pytest.mark.parametrize("kind", BODIES)
@pytest.mark.parametrize("name", ["x", "%ED%A0%80"])
def test_whatever_a_page_is_sent_it_does_not_fail_inside(name, kind):
    failed = []
    for page in pages():
        path = "/" + "/".join(name if part.startswith("{") else part for part in page.path)
        method = "POST" if page.method == routes.ANY else page.method
        headers = {"host": "localhost", "content-type": kind, "authorization": "Bearer x", "accept": "text/html"}
        request = Request(method, path, path, "", headers, BODIES[kind].encode())
        answer = answering.answer(server(), server().worlds.get("default"), request, "http://localhost")
        if not isinstance(answer, Response):
            answer = asyncio.run(answer)
        if answer.status == 500:
            failed.append(f"{method} {path}")
    assert failed == []
    assert len(pages()) > 100
