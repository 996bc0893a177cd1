"""A visit's life: routes, cookies, form tokens and what is told when something is wrong."""

from __future__ import annotations

import asyncio
import importlib
import inspect

import pytest
from raw_http import ask

from sts_emulator.app import create_server
from sts_emulator.core.errors import AwsError
from sts_emulator.pages import answering, forms, render, routes
from sts_emulator.pages.refusals import as_page
from sts_emulator.pages.sessions import Cookie
from sts_emulator.pages.visit import Visit
from sts_emulator.settings import Settings
from sts_emulator.wire.http import Request

COOKIE = Cookie("lab", "lab-session", 3_600)


@pytest.fixture
def server():
    return create_server(Settings())


def visit(server, request: Request | None = None, world: str = "default", **headers: str) -> Visit:
    request = request or Request("GET", "/lab", "/lab", headers={"host": "localhost", **headers})
    root = "" if world == "default" else f"/w/{world}"
    return Visit(server, server.worlds.get(world) or server.worlds.create(world), request, f"http://localhost{root}")


async def answered(answer):
    return await answer if inspect.isawaitable(answer) else answer


@pytest.fixture
def lab(server, monkeypatch):
    """Pages of a room `lab`, and a way to visit them."""
    monkeypatch.setattr(routes, "MODULES", {"lab": []})
    monkeypatch.setattr(routes, "_PAGES", {})

    def go(method: str, path: str, body: bytes = b"", **headers: str):
        request = Request(method, path, path, headers={"host": "localhost", **headers}, body=body)
        world = server.worlds.get("default")
        return asyncio.run(answered(answering.answer(server, world, request, "http://localhost")))

    return go


def test_a_page_is_given_what_stands_in_its_path(lab):
    @routes.page("GET", "/lab/{name}/users/{user}")
    def person(_, name, user):
        return render.data(200, [name, user])

    @routes.page("GET", "/lab/static/users/me")
    async def me(_):
        return render.data(200, "me")

    @routes.page(routes.ANY, "/lab/files/{*path}")
    def files(visit, path):
        return render.data(200, [visit.request.method, path])

    assert lab("GET", "/lab/corp/users/j%C3%A4ne%2Fx").body == b'["corp", "j\\u00e4ne/x"]'
    assert lab("HEAD", "/lab/corp/users/jane/").status == 200
    assert lab("GET", "/lab/static/users/me").body == b'"me"'
    assert lab("PATCH", "/lab/files/a%2Fb//c/").body == b'["PATCH", "a%2Fb//c/"]'


def test_what_is_no_page_is_said_in_one_place(lab):
    @routes.page("POST", "/lab/{name}")
    def post(_, name):
        return render.data(200, name)

    assert lab("GET", "/lab").status == 404
    assert lab("GET", "/lab/a/b").status == 404
    assert lab("GET", "/lab/a").status == 405
    assert b"takes POST" in lab("PUT", "/lab/a").body
    assert lab("POST", "/lab/%zz").status == 400


def test_refusals_mistakes_and_failures_look_as_the_page_wants(lab, caplog):
    @routes.page("GET", "/lab/{what}", refusal=as_page, mistakes=(ValueError,))
    def page(_, what):
        if what == "refused":
            raise AwsError("AccessDenied", "<b>no</b>", status=403)
        if what == "mistaken":
            raise ValueError("that is no number")
        raise ZeroDivisionError("secret")

    refused, mistaken, failed = lab("GET", "/lab/refused"), lab("GET", "/lab/mistaken"), lab("GET", "/lab/x")

    assert (refused.status, mistaken.status, failed.status) == (403, 400, 500)
    assert b"&lt;b&gt;no&lt;/b&gt;" in refused.body
    assert b"that is no number" in mistaken.body
    assert b"secret" not in failed.body
    assert "ZeroDivisionError: secret" in caplog.text


def test_an_attempt_is_an_event_however_it_ends(server):
    guest = visit(server)
    with guest.attempt("signin", "ConsoleLogin") as attempt:
        attempt.result = {"ConsoleLogin": "Success"}
    with pytest.raises(AwsError), guest.attempt("signin", "ConsoleLogin"):
        raise AwsError("AccessDenied", "wrong password", status=403)

    refused, entered = (event.record() for event in server.events.newest("default", 2))
    assert refused["additionalEventData"]["outcome"] == "denied"
    assert (entered["eventName"], entered["additionalEventData"]["outcome"]) == ("ConsoleLogin", "allowed")


def test_a_cookie_is_sealed_for_its_world_purpose_and_time(server):
    name, value = COOKIE.give(visit(server, world="lab"), b"jane")
    assert name == "set-cookie"
    text = value.split(";")[0]
    assert "; Max-Age=3600; Path=/w/lab; HttpOnly; SameSite=Lax" in value

    assert COOKIE.read(visit(server, world="lab", cookie=f"a=b; {text}")) == b"jane"
    assert COOKIE.read(visit(server, world="lab", cookie=text[:-2])) is None
    assert COOKIE.read(visit(server, cookie=text)) is None  # another world
    assert Cookie("lab", "another", 3_600).read(visit(server, world="lab", cookie=text)) is None
    server.worlds.get("lab").advance(3_600)
    assert COOKIE.read(visit(server, world="lab", cookie=text)) is None


def test_a_form_is_taken_only_from_the_session_that_was_shown_it(server):
    mine = COOKIE.give(visit(server), b"jane")[1].split(";")[0]
    other = COOKIE.give(visit(server), b"omar")[1].split(";")[0]
    token = COOKIE.form_token(visit(server, cookie=mine), "consent")

    def post(cookie: str, token: str, form: str = "consent") -> None:
        headers = {"host": "localhost", "cookie": cookie}
        COOKIE.check_form(
            visit(server, Request("POST", "/", "/", headers=headers, body=f"token={token}".encode())), form
        )

    post(mine, token)
    for cookie, sent, form in [
        (other, token, "consent"),
        ("", token, "consent"),
        (mine, "", "consent"),
        (mine, token, "x"),
    ]:
        with pytest.raises(AwsError, match="not the one"):
            post(cookie, sent, form)


@pytest.mark.parametrize("body", [b"[]", b"{", b"1", b"[" * 100_000, b"\xff"])
def test_a_body_that_is_no_object_is_refused(server, body):
    request = Request("POST", "/", "/", headers={"host": "localhost"}, body=body)

    with pytest.raises(AwsError, match="not a JSON object"):
        forms.json_body(visit(server, request))


def test_faults_reach_pages_in_the_pages_own_shape(aws):
    aws.faults({"service": "issuers", "status": 503, "message": "not now", "times": 1})

    refused = ask(aws.endpoint_url, "GET", "/issuers")
    assert refused.status == 503
    assert "not now" in refused.text
    assert ask(aws.endpoint_url, "GET", "/issuers").status == 200


def test_every_place_of_pages_has_some():
    from sts_emulator.app import PAGES

    for place, modules in PAGES.items():
        for module in modules:
            importlib.import_module(module)
        first = place.rpartition(" ")[2].lstrip("/")  # of a path alone (`/v1/authorize`), the first segment
        assert routes._PAGES[first if place.startswith("*") else first.partition("/")[0]], place
