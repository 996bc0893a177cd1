"""Page `idp`: the lab identity providers' sign-in pages and metadata, and assertions for scripts (docs/saml.md)."""

from __future__ import annotations

import asyncio
import hmac
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from sts_emulator.accounts import people
from sts_emulator.accounts.documents import SamlIdp
from sts_emulator.core.errors import AwsError
from sts_emulator.core.spelling import meant
from sts_emulator.core.world import World
from sts_emulator.idp import authn_requests
from sts_emulator.idp.identity_providers import KIND, Wish, assert_user, chosen_roles, farewell, metadata, provider_arn
from sts_emulator.idp.user_pools.managed_login.authorization import app_origins
from sts_emulator.pages import render
from sts_emulator.pages.refusals import as_page
from sts_emulator.pages.routes import page
from sts_emulator.pages.sessions import open_sealed, seal_until
from sts_emulator.pages.visit import Visit
from sts_emulator.policy.json_types import JsonObject, object_in
from sts_emulator.wire.http import Response

_STEP_LIFETIME: Final = 300  # between the password and the code
_AWS_SIGN_IN = ("https://signin.aws.amazon.com", "https://*.signin.aws.amazon.com")


@page("GET", "/idp")
def list_providers(visit: Visit) -> Response:
    listed = [_public(idp, visit.base_url) for idp in visit.world.page(KIND)]
    return render.data(200, {"identity_providers": listed})


@page("GET", "/idp/{name}", refusal=as_page)
def sign_in_form(visit: Visit, name: str) -> Response:
    return _form(visit, _idp(visit, name), visit.query.get("RelayState", ""))


@page("GET", "/idp/{name}/sso", refusal=as_page, mistakes=(ValueError,))
def asked_form(visit: Visit, name: str) -> Response:
    """The same, for a service provider that asks (SAML bindings, 3.4): the answer goes back there."""
    idp, query = _idp(visit, name), visit.query
    request = query.get("SAMLRequest", "")
    authn_requests.check_signed(visit, idp, authn_requests.read(visit, idp, request))
    return _form(visit, idp, query.get("RelayState", ""), request=request)


@page("POST", "/idp/{name}/sso", refusal=as_page, mistakes=(ValueError,))
async def sign_in(visit: Visit, name: str) -> Response:
    """The form comes back: a code is asked for, an assertion made, or the form shown again."""
    idp, fields = _idp(visit, name), visit.posted
    user, relay_state, request = (fields.get(field, "") for field in ("username", "RelayState", "SAMLRequest"))
    people.check_tries(visit.world, f"idp/{name}/{user[:200]}")
    if not _knows(idp, user, fields.get("password", "")):
        return _form(visit, idp, relay_state, request=request, username=user, wrong=True)
    if idp["users"][user].get("totp"):
        return _code_form(visit, idp, [user, relay_state, request])
    return await _back(visit, idp, user, relay_state, request)


@page("POST", "/idp/{name}/sso/code", refusal=as_page, mistakes=(ValueError,))
async def second_step(visit: Visit, name: str) -> Response:
    """The code of the person's authenticator app."""
    idp = _idp(visit, name)
    step = open_sealed(visit.world, f"idp-second-step:{name}", visit.posted.get("step", ""))
    if step is None:
        raise AwsError("Refused", "That took too long. Sign in again.", status=403)
    user, relay_state, request = json.loads(step)
    people.check_tries(visit.world, f"idp/{name}/{user[:200]}")
    if not _use_code(visit.world, name, user, visit.posted.get("code", "")):
        return _code_form(visit, idp, [user, relay_state, request], wrong=True)
    return await _back(visit, idp, user, relay_state, request, second_factor=True)


async def _back(
    visit: Visit, idp: SamlIdp, user: str, relay_state: str, request: str, *, second_factor: bool = False
) -> Response:
    """An assertion for whoever asked, or else for AWS's sign-in."""
    wish, action = Wish(second_factor=second_factor), f"{visit.base_url}/saml"
    if request:
        asking = authn_requests.read(visit, idp, request)
        action = asking.place
        wish = replace(
            wish,
            roles=(),
            audience=asking.service_provider,
            recipient=action,
            destination=action,
            in_response_to=asking.id,
            encrypt_for=asking.encrypt_for,
        )
    response = await asyncio.to_thread(assert_user, idp, user, visit.world.now(), wish, visit.base_url)
    return _post(visit, idp, [*_AWS_SIGN_IN, *app_origins(visit.world)], action, response, relay_state)


@page("GET", "/idp/{name}/slo", refusal=as_page, mistakes=(ValueError,), foreign=True)
async def sign_out(visit: Visit, name: str) -> Response:
    """A person is to be signed out, whom this provider never keeps signed in: the answer is always yes."""
    idp, query = _idp(visit, name), visit.query
    asking = authn_requests.read_farewell(visit, idp, query.get("SAMLRequest", ""))
    response = await asyncio.to_thread(farewell, idp, asking.place, asking.id, visit.world.now())
    origins = app_origins(visit.world, "LogoutURLs")
    return _post(visit, idp, origins, asking.place, response, query.get("RelayState", ""))


def _post(visit: Visit, idp: SamlIdp, origins: Sequence[str], action: str, response: str, relay_state: str) -> Response:
    """A response goes to who asked, by the browser (SAML bindings, 3.5), and from there perhaps to the origins."""
    return render.page(
        "post.html",
        visit.root,
        posts_to=origins,
        place=f"Identity provider {idp['name']}",
        action=action,
        response=response,
        relay_state=relay_state,
        again=False,
    )


def _use_code(world: World, name: str, user: str, code: str) -> bool:
    """Whether one of the user's apps shows the code; it is used up."""
    now = int(world.now() // people.STEP)
    shown: list[int] = []

    def use(stored: SamlIdp) -> SamlIdp:
        person = stored["users"].get(user, {})
        used = [step for step in person.get("used_codes", ()) if step >= now - people.WINDOW]
        devices = [{"drift": 0, "used": used, "seed": seed} for seed in person.get("totp", {}).values()]
        shown[:] = [step for device in devices if (step := people.fresh_step(device, code[:20], now)) is not None]
        return {**stored, "users": {**stored["users"], user: {**person, "used_codes": [*used, *shown[:1]]}}}

    world.update(KIND, name, use)
    return bool(shown)


@page("GET", "/idp/{name}/metadata")
def metadata_document(visit: Visit, name: str) -> Response:
    """What a SAML provider of AWS is made from."""
    return render.text(200, "application/samlmetadata+xml", metadata(_idp(visit, name), visit.base_url))


@page("POST", "/idp/{name}/assertions", trusted=True, mistakes=(ValueError,))
async def assertion(visit: Visit, name: str) -> Response:
    idp = _idp(visit, name)
    if "json" not in visit.request.headers.get("content-type", ""):
        raise AwsError("Refused", "send JSON, and not from another web page", status=403)
    user, wish = _wish(visit.request.body)
    response = await asyncio.to_thread(assert_user, idp, user, visit.world.now(), wish, visit.base_url)
    pairs = [{"role": role, "provider": provider_arn(idp, role)} for role in chosen_roles(idp, user, wish)]
    return render.data(200, {"SAMLResponse": response, "roles": pairs, "action": f"{visit.base_url}/saml"})


def _idp(visit: Visit, name: str) -> SamlIdp:
    idp = visit.world.get(KIND, name)
    if idp is None:
        near = meant(name, (known["name"] for known in visit.world.page(KIND)))
        raise AwsError("NotFound", f"no identity provider `{name[:80]}`{near}", status=404)
    return idp


def _wish(body: bytes) -> tuple[str, Wish]:
    given = object_in(body)
    if given is None or not isinstance(given.get("user"), str):
        raise ValueError("the body is no JSON object with a `user`")
    unknown = sorted(set(given) - {"user", *_WISHES})
    if unknown:
        raise ValueError(f"unknown member `{unknown[0][:60]}`; known are user, {', '.join(_WISHES)}")
    wishes = {name: value for name, value in given.items() if name != "user" and value is not None}
    for name, value in wishes.items():
        if not _WISHES[name](value):
            raise ValueError(f"`{name}` has a value of another kind than it should")
    return given["user"], Wish(**wishes)


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _is_number(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and abs(value) < 10**9


def _is_texts(value: object) -> bool:
    return isinstance(value, list) and all(map(_is_text, value))


def _is_text_table(value: object) -> bool:
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
    "in_response_to": _is_text,
    "encrypt_for": _is_text,
}


def _form(
    visit: Visit, idp: SamlIdp, relay_state: str, *, request: str = "", username: str = "", wrong: bool = False
) -> Response:
    return render.page(
        "idp.html",
        visit.root,
        status=401 if wrong else 200,
        name=idp["name"],
        users=list(idp["users"]),
        username=username,
        relay_state=relay_state,
        request=request,
        wrong=wrong,
    )


def _code_form(visit: Visit, idp: SamlIdp, step: list[str], *, wrong: bool = False) -> Response:
    until = int(visit.world.now()) + _STEP_LIFETIME
    return render.page(
        "second_factor.html",
        visit.root,
        action=f"/idp/{idp['name']}/sso/code",
        status=401 if wrong else 200,
        token="",
        wrong="That code is not right, or was used. Wait for the next one." if wrong else "",
        then="",
        code=True,
        passkey=None,
        elsewhere="",
        step=seal_until(visit.world, f"idp-second-step:{idp['name']}", json.dumps(step).encode(), until),
    )


def _knows(idp: SamlIdp, user: str, password: str) -> bool:
    person = idp["users"].get(user)
    known = "" if person is None else person.get("password") or user
    return hmac.compare_digest(known.encode(), password.encode()) and person is not None


def _public(idp: SamlIdp, base_url: str) -> JsonObject:
    return {
        "name": idp["name"],
        "entity_id": idp["entity_id"],
        "provider": idp["provider"],
        "users": list(idp["users"]),
        "sign_in": f"{base_url}/idp/{idp['name']}/",
        "metadata": f"{base_url}/idp/{idp['name']}/metadata",
    }
