"""Pages `issuers`: the lab's OIDC issuers, their documents and keys, and what mints their tokens (docs/oidc.md)."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from typing import Any

from sts_emulator.accounts import documents
from sts_emulator.accounts.documents import Issuer
from sts_emulator.core.errors import AwsError
from sts_emulator.core.world import World
from sts_emulator.idp.keys import make_key, sign
from sts_emulator.idp.oidc import LOCAL, compose, ensure_issuer, issuer_of, job_token, publish_first, publish_next
from sts_emulator.idp.presets import PRESETS
from sts_emulator.pages import render
from sts_emulator.pages.forms import json_body
from sts_emulator.pages.routes import page
from sts_emulator.pages.visit import Visit
from sts_emulator.policy.json_types import Json, JsonObject
from sts_emulator.vending.credentials import unseal
from sts_emulator.wire.http import Response

MISTAKES = (ValueError,)


@page("GET", "/issuers")
def list_issuers(visit: Visit) -> Response:
    """The world's issuers, and the presets that others can be made from."""
    issuers = [_public(issuer) for issuer in visit.world.page(documents.ISSUER) if issuer.get("preset") in PRESETS]
    presets = {
        name: {"url": preset.url, "audience": preset.audience(preset.url), "options": dict(preset.options)}
        for name, preset in PRESETS.items()
    }
    return render.data(200, {"issuers": issuers, "presets": presets})


@page("GET", "/issuers/{name}", mistakes=MISTAKES)
def describe_issuer(visit: Visit, name: str) -> Response:
    """One issuer, made when a preset has the name."""
    return render.data(200, _public(issuer_of(visit.world, name)))


@page("PUT", "/issuers/{name}", trusted=True, mistakes=MISTAKES)
def put_issuer(visit: Visit, name: str) -> Response:
    """Make an issuer from a preset, at the real URL, another, or `local`: its own page on this server."""
    body = json_body(visit)
    preset, url, algorithm = body.get("preset", name), body.get("url"), body.get("algorithm", "RS256")
    if not isinstance(preset, str) or not isinstance(algorithm, str) or not isinstance(url, str | None):
        raise ValueError("preset, url and algorithm are strings")  # noqa: TRY004 - answered with 400
    if url == LOCAL:
        url = f"{visit.base_url}/issuers/{name}"
    existed = visit.world.get(documents.ISSUER, name) is not None
    document = ensure_issuer(visit.world, preset, url, name, algorithm=algorithm)
    return render.data(200 if existed else 201, _public(document))


@page("GET", "/issuers/{name}/.well-known/openid-configuration", mistakes=MISTAKES)
def discovery(visit: Visit, name: str) -> Response:
    document = issuer_of(visit.world, name)
    return render.data(
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


@page("GET", "/issuers/{name}/jwks", mistakes=MISTAKES)
@page("GET", "/issuers/{name}/.well-known/jwks", mistakes=MISTAKES)
async def published_keys(visit: Visit, name: str) -> Response:
    return render.data(200, (await _keyed(visit.world, name))["jwks"])


@page("POST", "/issuers/{name}/token", trusted=True, mistakes=MISTAKES)
async def mint(visit: Visit, name: str) -> Response:
    """A token with the claims that the body shapes."""
    token, claims = await minted(visit.world, name, json_body(visit))
    return render.data(200, {"token": token, "claims": claims})


async def minted(world: World, name: str, given: Mapping[str, object]) -> tuple[str, dict[str, Any]]:
    """A token and its claims. Raises ValueError."""
    document = await _keyed(world, name)
    claims = compose(document, given, world.now())
    return await asyncio.to_thread(sign, document["keys"][0], document["algorithm"], claims), claims


@page("POST", "/issuers/{name}/rotate", trusted=True, mistakes=MISTAKES)
async def rotate_key(visit: Visit, name: str) -> Response:
    """A new signing key; the one before stays published, unless `keep` is false."""
    keep = json_body(visit).get("keep", True) is not False
    document = issuer_of(visit.world, name)
    key = await asyncio.to_thread(make_key, document["algorithm"])
    return render.data(200, _public(publish_next(visit.world, name, key, keep=keep)))


@page("POST", "/issuers/{name}/job", trusted=True, mistakes=MISTAKES)
def job(visit: Visit, name: str) -> Response:
    """The variables with which one CI job asks for its tokens."""
    # The toolkit appends `&audience=…`, so the URL must have a query already
    # (docs/aws/oidc-issuers.md, "GitHub Actions").
    url = f"{visit.base_url}/issuers/{name}/id-token?api-version=2.0"
    token = job_token(visit.world, name, **json_body(visit))
    return render.data(200, {"ACTIONS_ID_TOKEN_REQUEST_URL": url, "ACTIONS_ID_TOKEN_REQUEST_TOKEN": token})


@page("GET", "/issuers/{name}/id-token", mistakes=MISTAKES)
async def id_token(visit: Visit, name: str) -> Response:
    """A job's token, for the audience that the query names."""
    document = issuer_of(visit.world, name)
    given = _claims_of_job(visit, name)
    audience = visit.query.get("audience")
    if audience:
        given["aud"] = audience
    elif document["preset"] == "github" and "aud" not in given:
        owner = str(given.get("repo", PRESETS["github"].options["repo"])).partition("/")[0]
        given["aud"] = f"https://github.com/{owner}"  # GitHub's own default, unlike what actions ask for
    value, _ = await minted(visit.world, name, given)
    return render.data(200, {"count": len(value), "value": value})


def _claims_of_job(visit: Visit, name: str) -> dict[str, Json]:
    scheme, _, secret = visit.request.headers.get("authorization", "").partition(" ")
    sealed = unseal(visit.world, f"job:{name}", secret.strip()) if scheme.lower() == "bearer" else None
    job_of_token: dict[str, Any] | None = json.loads(sealed) if sealed else None
    if job_of_token is None or job_of_token["until"] <= visit.world.now():
        raise AwsError("Refused", "the request token is not valid for this issuer, or no longer", status=401)
    claims: dict[str, Any] = job_of_token["claims"]
    return claims


async def _keyed(world: World, name: str) -> Issuer:
    document = issuer_of(world, name)
    if document["keys"]:
        return document
    return publish_first(world, name, await asyncio.to_thread(make_key, document["algorithm"]))


def _public(document: Issuer) -> JsonObject:
    return {name: document[name] for name in ("name", "url", "preset", "algorithm", "jwks")}
