"""Page `idp`: the lab identity providers' sign-in pages and metadata, and assertions for scripts (docs/saml.md)."""

from __future__ import annotations

import asyncio
import hmac
import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final
from urllib.parse import urlsplit

from sts_emulator.accounts.resources import Stored
from sts_emulator.idp.saml import KIND, Wish, assert_user, chosen_roles, metadata, provider_arn
from sts_emulator.vending.context import Visit
from sts_emulator.wire import pages
from sts_emulator.wire.http import Response, form

_AWS_SIGN_IN = ("https://signin.aws.amazon.com", "https://*.signin.aws.amazon.com")


async def respond(visit: Visit) -> Response:
    """Serve `idp/…`: the list, a provider's sign-in page and metadata, and assertions for scripts (docs/saml.md)."""
    name, _, rest = visit.path.strip("/").partition("/")
    if not name:
        listed = [_public(each, visit.base_url) for each in visit.world.page(KIND)]
        return pages.data(200, {"identity_providers": listed})
    idp = visit.world.get(KIND, name)
    page = _PAGES.get((visit.request.method, rest))
    if idp is None or page is None:
        return pages.data(404, {"message": f"no page `{visit.request.method} idp/{visit.path[:120]}`"})
    try:
        return await page(visit, idp)
    except ValueError as bad:
        return pages.data(400, {"message": str(bad)})


async def _sign_in_page(visit: Visit, idp: Stored) -> Response:
    return _form(visit, idp, form(visit.request.query).get("RelayState", ""))


async def _sso_page(visit: Visit, idp: Stored) -> Response:
    fields = pages.posted(visit.request)
    user, relay_state = fields.get("username", ""), fields.get("RelayState", "")
    if not _is_ours(visit):
        return pages.data(403, {"message": "requests of other web pages are refused"})
    if not _knows(idp, user, fields.get("password", "")):
        return _form(visit, idp, relay_state, username=user, wrong=True)
    response = await asyncio.to_thread(assert_user, idp, user, visit.world.now(), Wish(), visit.base_url)
    return pages.page(
        "post.html",
        pages.root_of(visit.base_url),
        posts_to=_AWS_SIGN_IN,
        name=idp["name"],
        action=f"{visit.base_url}/saml",
        response=response,
        relay_state=relay_state,
    )


async def _metadata_page(visit: Visit, idp: Stored) -> Response:
    document = metadata(idp, visit.base_url)
    return Response(200, [("content-type", "application/samlmetadata+xml")], document.encode())


async def _assertion_page(visit: Visit, idp: Stored) -> Response:
    foreign = pages.is_foreign(visit.request, visit.server.settings.host)
    if foreign or "json" not in visit.request.headers.get("content-type", ""):
        return pages.data(403, {"message": "send JSON, and not from another web page"})
    user, wish = _wish(visit.request.body)
    response = await asyncio.to_thread(assert_user, idp, user, visit.world.now(), wish, visit.base_url)
    pairs = [{"role": role, "provider": provider_arn(idp, role)} for role in chosen_roles(idp, user, wish)]
    return pages.data(200, {"SAMLResponse": response, "roles": pairs, "action": f"{visit.base_url}/saml"})


def _wish(body: bytes) -> tuple[str, Wish]:
    try:
        given = json.loads(body)
    except (ValueError, RecursionError):
        given = None
    if not isinstance(given, dict) or not isinstance(given.get("user"), str):
        raise ValueError("the body is no JSON object with a `user`")  # noqa: TRY004 - answered with 400
    unknown = sorted(set(given) - {"user", *_WISHES})
    if unknown:
        raise ValueError(f"unknown member `{unknown[0][:60]}`; known are user, {', '.join(_WISHES)}")
    wishes = {name: value for name, value in given.items() if name != "user" and value is not None}
    for name, value in wishes.items():
        if not _WISHES[name](value):
            raise ValueError(f"`{name}` has a value of another kind than it should")
    return given["user"], Wish(**wishes)


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_number(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and abs(value) < 10**9


def _is_texts(value: Any) -> bool:
    return isinstance(value, list) and all(map(_is_text, value))


def _is_text_table(value: Any) -> bool:
    return isinstance(value, dict) and all(map(_is_text, value.values()))


_WISHES: Final[Mapping[str, Callable[[Any], bool]]] = {
    "roles": _is_texts,
    "destination": _is_text,
    "recipient": _is_text,
    "audience": _is_text,
    "session_name": _is_text,
    "session_duration": _is_number,
    "source_identity": _is_text,
    "tags": _is_text_table,
    "transitive": _is_texts,
    "expires_in": _is_number,
}

_PAGES: Final[Mapping[tuple[str, str], Callable[[Visit, Stored], Awaitable[Response]]]] = {
    ("GET", ""): _sign_in_page,
    ("POST", "sso"): _sso_page,
    ("GET", "metadata"): _metadata_page,
    ("POST", "assertions"): _assertion_page,
}


def _form(visit: Visit, idp: Stored, relay_state: str, *, username: str = "", wrong: bool = False) -> Response:
    return pages.page(
        "idp.html",
        pages.root_of(visit.base_url),
        status=401 if wrong else 200,
        name=idp["name"],
        users=list(idp["users"]),
        username=username,
        relay_state=relay_state,
        wrong=wrong,
    )


def _knows(idp: Stored, user: str, password: str) -> bool:
    person = idp["users"].get(user)
    known = "" if person is None else person.get("password") or user
    return hmac.compare_digest(known.encode(), password.encode()) and person is not None


def _is_ours(visit: Visit) -> bool:
    """Whether the form was on a page of this server, under whatever name it was reached."""
    host = visit.request.headers.get("host", "")
    origin = visit.request.headers.get("origin")
    return not origin or urlsplit(origin).netloc == host


def _public(idp: Stored, base_url: str) -> dict[str, Any]:
    return {
        "name": idp["name"],
        "entity_id": idp["entity_id"],
        "provider": idp["provider"],
        "users": list(idp["users"]),
        "sign_in": f"{base_url}/idp/{idp['name']}/",
        "metadata": f"{base_url}/idp/{idp['name']}/metadata",
    }
