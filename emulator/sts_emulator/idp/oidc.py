"""Lab issuers of OIDC tokens: kept in the world, they mint tokens true to a real issuer and serve what issuers serve.

Their pages are in `issuer_pages`. What verifies tokens reads only an issuer's `url` and `jwks` from the world, and
shares no code with this package.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlsplit

from sts_emulator.accounts import documents
from sts_emulator.accounts.documents import Issuer
from sts_emulator.core.spelling import meant
from sts_emulator.core.store import AlreadyExistsError
from sts_emulator.core.world import World
from sts_emulator.idp.keys import ALGORITHMS, Key, make_key, sign
from sts_emulator.idp.presets import PRESETS
from sts_emulator.policy.json_types import Json
from sts_emulator.vending.credentials import seal

LOCAL: Final = "local"
"""In place of a URL, over HTTP: the issuer's own page on this server."""

JOB_LIFETIME: Final = 6 * 3600
"""Seconds for which a job may ask for tokens: the longest that a hosted GitHub job runs."""

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,62}")


class UnknownIssuerError(ValueError):
    """No issuer of the world and no preset has that name."""

    status = 404


# -- issuers and tokens --------------------------------------------------------------------------------------------


def ensure_issuer(
    world: World, preset: str, url: str | None = None, name: str | None = None, *, algorithm: str = "RS256"
) -> Issuer:
    """The world's issuer of that name, made when it is not there; without a name it is called as its preset.

    The URL defaults to the real issuer's. Keys come with the first token.

    Raises:
        ValueError: no such preset or algorithm; a name or URL that is none, or one that another issuer has.
    """
    if preset not in PRESETS:
        raise UnknownIssuerError(f"no issuer preset `{preset}`; there are {', '.join(PRESETS)}")
    name = name or preset
    known = world.get(documents.ISSUER, name)
    if known is not None:
        if known.get("preset") != preset or (url is not None and known["url"] != url):
            raise ValueError(f"issuer `{name}` exists already, as `{known.get('preset')}` at `{known['url']}`")
        return known
    wanted = PRESETS[preset].url if url is None else url
    _check_new(world, name, wanted, algorithm)
    document = documents.Issuer(name=name, url=wanted, preset=preset, algorithm=algorithm, keys=[], jwks={"keys": []})
    try:
        world.add(documents.ISSUER, name, document, uid=wanted)
    except AlreadyExistsError:  # made by another process this very moment
        return ensure_issuer(world, preset, url, name, algorithm=algorithm)
    return document


def mint_token(world: World, issuer: str, /, **claims: object) -> str:
    """A signed token of an issuer, named by its own name or by a preset's, which makes it.

    Of `claims`, the options of the issuer's preset (`repo`, `branch`, …) shape the token as the real issuer would;
    `expires_in` is the lifetime in seconds; every other name is a claim as it stands, and None removes a claim.

    Raises:
        ValueError: no such issuer or preset, or an option that cannot be used.
    """
    document = issuer_of(world, issuer)
    if not document["keys"]:
        document = publish_first(world, document["name"], make_key(document["algorithm"]))
    return sign(document["keys"][0], document["algorithm"], compose(document, claims, world.now()))


def compose(issuer: Issuer, given: Mapping[str, Any], now: float) -> dict[str, Json]:
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


def job_token(world: World, issuer: str, /, **claims: object) -> str:
    """The secret with which one CI job asks for its tokens, bound to the claims that those will have.

    Raises:
        ValueError: no such issuer or preset, or an option that cannot be used.
    """
    document = issuer_of(world, issuer)
    compose(document, claims, world.now())
    body = {"claims": claims, "until": world.now() + JOB_LIFETIME}
    return seal(world, f"job:{document['name']}", json.dumps(body, separators=(",", ":")).encode())


def issuer_of(world: World, name: str) -> Issuer:
    """The world's issuer of that name, made when a preset has it. Raises UnknownIssuerError."""
    issuer = world.get(documents.ISSUER, name)
    if issuer is not None and issuer.get("preset") in PRESETS:
        return issuer
    if issuer is not None or name not in PRESETS:
        near = meant(name, [*(known["name"] for known in world.page(documents.ISSUER)), *PRESETS])
        raise UnknownIssuerError(
            f"no issuer `{name}` that mints tokens in this world, and no preset of that name{near}"
        )
    return ensure_issuer(world, name)


def _check_new(world: World, name: str, url: str, algorithm: str) -> None:
    if not _NAME.fullmatch(name):
        raise ValueError(f"issuer names are lower-case letters, digits, `.`, `_` and `-`; got `{name[:80]}`")
    if algorithm not in ALGORITHMS:
        raise ValueError(f"no algorithm `{algorithm}`; there are {', '.join(ALGORITHMS)}")
    parts = urlsplit(url)
    if parts.scheme not in ("https", "http") or not parts.hostname or parts.query or parts.fragment:
        raise ValueError(f"`{url}` is not an issuer's URL")
    other = world.find(documents.ISSUER, url)
    if other is not None:
        raise ValueError(f"issuer `{other['name']}` has the URL `{url}` already")


def publish_first(world: World, name: str, key: Key) -> documents.Issuer:
    """Give an issuer its first key, unless somebody else was first."""
    return world.update(documents.ISSUER, name, lambda old: old if old["keys"] else _with_keys(old, [key]))


def publish_next(world: World, name: str, key: Key, *, keep: bool) -> documents.Issuer:
    """Give an issuer another key; `keep`: the one before stays published."""
    return world.update(documents.ISSUER, name, lambda old: _with_keys(old, [key, *old["keys"][:1]] if keep else [key]))


def _with_keys(document: documents.Issuer, keys: list[Key]) -> documents.Issuer:
    return {**document, "keys": [dict(key) for key in keys], "jwks": {"keys": [key["public"] for key in keys]}}
