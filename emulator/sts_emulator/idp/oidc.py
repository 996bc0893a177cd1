"""Lab issuers of OIDC tokens: kept in the world, they mint tokens true to a real issuer and serve what issuers serve.

Their pages, under `issuers/` of a world, are described in docs/oidc.md. What verifies tokens reads only an issuer's
`url` and `jwks` from the world, and shares no code with this package.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final
from urllib.parse import parse_qsl, urlsplit

from sts_emulator.accounts.resources import Stored
from sts_emulator.core.store import AlreadyExistsError
from sts_emulator.core.world import World
from sts_emulator.idp.keys import ALGORITHMS, Key, make_key, sign
from sts_emulator.idp.presets import PRESETS
from sts_emulator.vending.context import Visit
from sts_emulator.vending.credentials import seal, unseal
from sts_emulator.wire.http import Response

LOCAL: Final = "local"
"""In place of a URL, over HTTP: the issuer's own page on this server."""

JOB_LIFETIME: Final = 6 * 3600
"""Seconds for which a job may ask for tokens: the longest that a hosted GitHub job runs."""

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,62}")


class UnknownIssuerError(ValueError):
    """No issuer of the world and no preset has that name."""


# -- issuers and tokens --------------------------------------------------------------------------------------------


def ensure_issuer(
    world: World, preset: str, url: str | None = None, name: str | None = None, *, algorithm: str = "RS256"
) -> Stored:
    """The world's issuer of that name, made when it is not there; without a name it is called as its preset.

    The URL defaults to the real issuer's. Keys come with the first token.

    Raises:
        ValueError: no such preset or algorithm; a name or URL that is none, or one that another issuer has.
    """
    if preset not in PRESETS:
        raise UnknownIssuerError(f"no issuer preset `{preset}`; there are {', '.join(PRESETS)}")
    name = name or preset
    found = world.get("issuer", name)
    if found is not None:
        if found.get("preset") != preset or (url is not None and found["url"] != url):
            raise ValueError(f"issuer `{name}` exists already, as `{found.get('preset')}` at `{found['url']}`")
        return found
    wanted = PRESETS[preset].url if url is None else url
    _check_new(world, name, wanted, algorithm)
    document = {"name": name, "url": wanted, "preset": preset, "algorithm": algorithm, "keys": [], "jwks": {"keys": []}}
    try:
        world.add("issuer", name, document, uid=wanted)
    except AlreadyExistsError:  # made by another process this very moment
        return ensure_issuer(world, preset, url, name, algorithm=algorithm)
    return document


def mint_token(world: World, issuer: str, /, **claims: Any) -> str:
    """A signed token of an issuer, named by its own name or by a preset's, which makes it.

    Of `claims`, the options of the issuer's preset (`repo`, `branch`, …) shape the token as the real issuer would;
    `expires_in` is the lifetime in seconds; every other name is a claim as it stands, and None removes a claim.

    Raises:
        ValueError: no such issuer or preset, or an option that cannot be used.
    """
    document = _issuer(world, issuer)
    if not document["keys"]:
        document = _publish_first(world, document["name"], make_key(document["algorithm"]))
    return sign(document["keys"][0], document["algorithm"], compose(document, claims, world.now()))


def compose(issuer: Stored, given: Mapping[str, Any], now: float) -> dict[str, Any]:
    """The claims of a token that `mint_token` would sign at `now`, in seconds since the epoch.

    Raises:
        ValueError: an option that cannot be used.
    """
    preset = PRESETS[issuer["preset"]]
    options = {**preset.options, **{name: value for name, value in given.items() if name in preset.options}}
    issued = int(now)
    try:
        lifetime = int(given.get("expires_in", preset.lifetime))
        shaped = preset.claims(options, issuer["url"])
    except (TypeError, ValueError) as bad:
        raise ValueError(f"an option cannot be used: {bad}") from None
    claims: dict[str, Any] = {
        "iss": issuer["url"],
        "aud": preset.audience(issuer["url"]),
        **shaped,
        "iat": issued,
        "exp": issued + lifetime,
        "jti": os.urandom(16).hex(),
    }
    if preset.early is not None:
        claims["nbf"] = issued - preset.early
    claims.update({name: value for name, value in given.items() if name not in preset.options and name != "expires_in"})
    return {name: value for name, value in claims.items() if value is not None}


def rotate(world: World, issuer: str, *, keep: bool = True) -> Stored:
    """Give an issuer a new signing key; the one before stays published unless `keep` is false.

    Raises:
        ValueError: no such issuer or preset.
    """
    document = _issuer(world, issuer)
    return _publish_next(world, document["name"], make_key(document["algorithm"]), keep=keep)


def job_token(world: World, issuer: str, /, **claims: Any) -> str:
    """The secret with which one CI job asks for its tokens, bound to the claims that those will have.

    Raises:
        ValueError: no such issuer or preset, or an option that cannot be used.
    """
    document = _issuer(world, issuer)
    compose(document, claims, world.now())
    body = {"claims": claims, "until": world.now() + JOB_LIFETIME}
    return seal(world, f"job:{document['name']}", json.dumps(body, separators=(",", ":")).encode())


def _issuer(world: World, name: str) -> Stored:
    found = world.get("issuer", name)
    if found is not None and found.get("preset") in PRESETS:
        return found
    if found is not None or name not in PRESETS:
        raise UnknownIssuerError(f"no issuer `{name}` that mints tokens in this world, and no preset of that name")
    return ensure_issuer(world, name)


def _check_new(world: World, name: str, url: str, algorithm: str) -> None:
    if not _NAME.fullmatch(name):
        raise ValueError(f"issuer names are lower-case letters, digits, `.`, `_` and `-`; got `{name[:80]}`")
    if algorithm not in ALGORITHMS:
        raise ValueError(f"no algorithm `{algorithm}`; there are {', '.join(ALGORITHMS)}")
    parts = urlsplit(url)
    if parts.scheme not in ("https", "http") or not parts.hostname or parts.query or parts.fragment:
        raise ValueError(f"`{url}` is not an issuer's URL")
    other = world.find("issuer", url)
    if other is not None:
        raise ValueError(f"issuer `{other['name']}` has the URL `{url}` already")


def _publish_first(world: World, name: str, key: Key) -> Stored:
    return world.update("issuer", name, lambda old: old if old["keys"] else _with_keys(old, [key]))


def _publish_next(world: World, name: str, key: Key, *, keep: bool) -> Stored:
    return world.update("issuer", name, lambda old: _with_keys(old, [key, *old["keys"][:1]] if keep else [key]))


def _with_keys(document: Mapping[str, Any], keys: list[Key]) -> dict[str, Any]:
    return {**document, "keys": keys, "jwks": {"keys": [key["public"] for key in keys]}}


# -- pages ---------------------------------------------------------------------------------------------------------


async def respond(visit: Visit) -> Response:
    """Serve `issuers/…`: the list, an issuer's documents, and what mints (docs/oidc.md)."""
    name, _, rest = visit.path.strip("/").partition("/")
    page = _PAGES.get((visit.request.method, rest)) if name else _list_page
    if page is None:
        return _json(404, {"message": f"no page `{visit.request.method} issuers/{visit.path}`"})
    try:
        if _is_foreign(visit):
            return _json(403, {"message": "requests of other web pages are refused"})
        return await page(visit, name)
    except UnknownIssuerError as unknown:
        return _json(404, {"message": str(unknown)})
    except ValueError as bad:
        return _json(400, {"message": str(bad)})


def _is_foreign(visit: Visit) -> bool:
    """Whether a page of somebody else's makes the browser ask: its origin differs, or its name was pointed at us."""
    origin, host = visit.request.headers.get("origin"), visit.request.headers.get("host", "")
    if not origin:
        return False
    served = visit.server.settings.host
    name = urlsplit(f"//{host}").hostname or ""
    ours = name in ("localhost", "127.0.0.1", "::1", served) or served in ("0.0.0.0", "::")  # noqa: S104 - a comparison
    return urlsplit(origin).netloc != host or not ours


async def _list_page(visit: Visit, _: str) -> Response:
    issuers = [_public(one) for one in visit.world.page("issuer") if one.get("preset") in PRESETS]
    presets = {
        name: {"url": preset.url, "audience": preset.audience(preset.url), "options": dict(preset.options)}
        for name, preset in PRESETS.items()
    }
    return _json(200, {"issuers": issuers, "presets": presets})


async def _issuer_page(visit: Visit, name: str) -> Response:
    return _json(200, _public(_issuer(visit.world, name)))


async def _put_page(visit: Visit, name: str) -> Response:
    body = _body(visit)
    preset, url, algorithm = body.get("preset", name), body.get("url"), body.get("algorithm", "RS256")
    if not isinstance(preset, str) or not isinstance(algorithm, str) or not isinstance(url, str | None):
        raise ValueError("preset, url and algorithm are strings")  # noqa: TRY004 - answered with 400
    if url == LOCAL:
        url = f"{visit.base_url}/issuers/{name}"
    existed = visit.world.get("issuer", name) is not None
    document = ensure_issuer(visit.world, preset, url, name, algorithm=algorithm)
    return _json(200 if existed else 201, _public(document))


async def _discovery_page(visit: Visit, name: str) -> Response:
    document = _issuer(visit.world, name)
    return _json(
        200,
        {
            "issuer": document["url"],
            "jwks_uri": f"{visit.base_url}/issuers/{name}/jwks",
            "response_types_supported": ["id_token"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": [document["algorithm"]],
            "scopes_supported": ["openid"],
            "claims_supported": sorted(compose(document, {}, 0)),
        },
    )


async def _jwks_page(visit: Visit, name: str) -> Response:
    return _json(200, (await _keyed(visit.world, name))["jwks"])


async def _token_page(visit: Visit, name: str) -> Response:
    document = await _keyed(visit.world, name)
    claims = compose(document, _body(visit), visit.world.now())
    return _json(200, {"token": await _signed(document, claims), "claims": claims})


async def _rotate_page(visit: Visit, name: str) -> Response:
    keep = _body(visit).get("keep", True) is not False
    document = _issuer(visit.world, name)
    key = await asyncio.to_thread(make_key, document["algorithm"])
    return _json(200, _public(_publish_next(visit.world, name, key, keep=keep)))


async def _job_page(visit: Visit, name: str) -> Response:
    # The toolkit appends `&audience=…`, so the URL must have a query already
    # (docs/aws/oidc-issuers.md, "GitHub Actions").
    url = f"{visit.base_url}/issuers/{name}/id-token?api-version=2.0"
    token = job_token(visit.world, name, **_body(visit))
    return _json(200, {"ACTIONS_ID_TOKEN_REQUEST_URL": url, "ACTIONS_ID_TOKEN_REQUEST_TOKEN": token})


async def _id_token_page(visit: Visit, name: str) -> Response:
    scheme, _, secret = visit.request.headers.get("authorization", "").partition(" ")
    document = await _keyed(visit.world, name)
    sealed = unseal(visit.world, f"job:{name}", secret.strip()) if scheme.lower() == "bearer" else None
    job = json.loads(sealed) if sealed else None
    if job is None or job["until"] <= visit.world.now():
        return _json(401, {"message": "the request token is not valid for this issuer, or no longer"})
    given = job["claims"]
    audience = dict(parse_qsl(visit.request.query)).get("audience")
    if audience:
        given["aud"] = audience
    elif document["preset"] == "github" and "aud" not in given:
        owner = str(given.get("repo", PRESETS["github"].options["repo"])).partition("/")[0]
        given["aud"] = f"https://github.com/{owner}"  # GitHub's own default, unlike what actions ask for
    value = await _signed(document, compose(document, given, visit.world.now()))
    return _json(200, {"count": len(value), "value": value})


async def _keyed(world: World, name: str) -> Stored:
    document = _issuer(world, name)
    if document["keys"]:
        return document
    return _publish_first(world, name, await asyncio.to_thread(make_key, document["algorithm"]))


async def _signed(document: Stored, claims: Mapping[str, Any]) -> str:
    return await asyncio.to_thread(sign, document["keys"][0], document["algorithm"], claims)


def _body(visit: Visit) -> dict[str, Any]:
    if not visit.request.body:
        return {}
    try:
        value = json.loads(visit.request.body)
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise ValueError("the body is not a JSON object")  # noqa: TRY004 - answered with 400
    return value


def _public(document: Stored) -> dict[str, Any]:
    return {name: document[name] for name in ("name", "url", "preset", "algorithm", "jwks")}


def _json(status: int, value: Any) -> Response:
    return Response(status, [("content-type", "application/json")], json.dumps(value).encode())


_PAGES: Final[Mapping[tuple[str, str], Callable[[Visit, str], Awaitable[Response]]]] = {
    ("PUT", ""): _put_page,
    ("GET", ""): _issuer_page,
    ("GET", ".well-known/openid-configuration"): _discovery_page,
    ("GET", ".well-known/jwks"): _jwks_page,
    ("GET", "jwks"): _jwks_page,
    ("POST", "token"): _token_page,
    ("POST", "rotate"): _rotate_page,
    ("POST", "job"): _job_page,
    ("GET", "id-token"): _id_token_page,
}
