"""Page `idp`: the lab identity providers' sign-in pages and metadata, and assertions for scripts (docs/saml.md)."""

from __future__ import annotations

import asyncio
import hmac
import json
from collections.abc import Callable, Mapping
from typing import Any, Final

from sts_emulator.accounts.resources import Stored
from sts_emulator.core.errors import AwsError
from sts_emulator.idp.identity_providers import KIND, Wish, assert_user, chosen_roles, metadata, provider_arn
from sts_emulator.pages import render
from sts_emulator.pages.refusals import as_page
from sts_emulator.pages.routes import page
from sts_emulator.pages.visit import Visit
from sts_emulator.wire.http import Response

_AWS_SIGN_IN = ("https://signin.aws.amazon.com", "https://*.signin.aws.amazon.com")


@page("GET", "/idp")
def list_providers(visit: Visit) -> Response:
    """The world's lab identity providers."""
    listed = [_public(idp, visit.base_url) for idp in visit.world.page(KIND)]
    return render.data(200, {"identity_providers": listed})


@page("GET", "/idp/{name}", refusal=as_page)
def sign_in_form(visit: Visit, name: str) -> Response:
    """Where a person tells who they are."""
    return _form(visit, _idp(visit, name), visit.query.get("RelayState", ""))


@page("POST", "/idp/{name}/sso", refusal=as_page, mistakes=(ValueError,))
async def sign_in(visit: Visit, name: str) -> Response:
    """The form comes back: an assertion for AWS's sign-in, or the form again."""
    idp, fields = _idp(visit, name), visit.posted
    user, relay_state = fields.get("username", ""), fields.get("RelayState", "")
    if not _knows(idp, user, fields.get("password", "")):
        return _form(visit, idp, relay_state, username=user, wrong=True)
    response = await asyncio.to_thread(assert_user, idp, user, visit.world.now(), Wish(), visit.base_url)
    return render.page(
        "post.html",
        visit.root,
        posts_to=_AWS_SIGN_IN,
        name=idp["name"],
        action=f"{visit.base_url}/saml",
        response=response,
        relay_state=relay_state,
    )


@page("GET", "/idp/{name}/metadata")
def metadata_document(visit: Visit, name: str) -> Response:
    """What a SAML provider of AWS is made from."""
    return render.text(200, "application/samlmetadata+xml", metadata(_idp(visit, name), visit.base_url))


@page("POST", "/idp/{name}/assertions", mistakes=(ValueError,))
async def assertion(visit: Visit, name: str) -> Response:
    """An assertion for a script."""
    idp = _idp(visit, name)
    if "json" not in visit.request.headers.get("content-type", ""):
        raise AwsError("Refused", "send JSON, and not from another web page", status=403)
    user, wish = _wish(visit.request.body)
    response = await asyncio.to_thread(assert_user, idp, user, visit.world.now(), wish, visit.base_url)
    pairs = [{"role": role, "provider": provider_arn(idp, role)} for role in chosen_roles(idp, user, wish)]
    return render.data(200, {"SAMLResponse": response, "roles": pairs, "action": f"{visit.base_url}/saml"})


def _idp(visit: Visit, name: str) -> Stored:
    idp = visit.world.get(KIND, name)
    if idp is None:
        raise AwsError("NotFound", f"no identity provider `{name[:80]}`", status=404)
    return idp


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


def _form(visit: Visit, idp: Stored, relay_state: str, *, username: str = "", wrong: bool = False) -> Response:
    return render.page(
        "idp.html",
        visit.root,
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


def _public(idp: Stored, base_url: str) -> dict[str, Any]:
    return {
        "name": idp["name"],
        "entity_id": idp["entity_id"],
        "provider": idp["provider"],
        "users": list(idp["users"]),
        "sign_in": f"{base_url}/idp/{idp['name']}/",
        "metadata": f"{base_url}/idp/{idp['name']}/metadata",
    }
