"""Private certificate authorities of a world, standing in for AWS Private CA behind trust anchors.

Pages under `private-ca/` of a world; bodies and answers are JSON:
POST private-ca                      {account, region, subject, key}        -> {arn, id, certificate}
POST private-ca/ID/certificates      {subject, dns, uri, days, key}         -> {certificate, private_key, serial}
POST private-ca/ID/revocations       {serial} (hex)                         -> {crl}
GET  private-ca/ID/crl               the list, as PEM
What verifies reads only the `certificate` of the world's `private-ca` document.
"""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any, Final

from sts_emulator.accounts.resources import Stored
from sts_emulator.core import names
from sts_emulator.core.world import World
from sts_emulator.idp import certificates
from sts_emulator.idp.certificates import KEYS, Names, Pair, Wish
from sts_emulator.vending.context import Visit
from sts_emulator.wire.http import Response

KIND: Final = "private-ca"
DEFAULT_KEY: Final = "ec-p256"
LIFETIME: Final = timedelta(days=3650)
MAX_DAYS: Final = 3650

Body = Mapping[str, Any]


def create(world: World, account: str, region: str, subject: Names, key: Any) -> dict[str, Any]:
    """A new root authority with that private key, as its document: id, arn, certificate, key, revoked (hex serials)."""
    identifier = str(uuid.uuid4())
    arn = f"arn:{names.PARTITION}:acm-pca:{region}:{account}:certificate-authority/{identifier}"
    wish = Wish(subject=subject, ends=LIFETIME, is_authority=True, usages=("key_cert_sign", "crl_sign"))
    pair = certificates.certify(wish, key, None, world.now())
    body = {
        "id": identifier,
        "arn": arn,
        "certificate": certificates.certificate_pem(pair.certificate),
        "key": certificates.key_pem(pair.key),
        "revoked": [],
    }
    world.add(KIND, arn, body, uid=identifier)
    return body


def issue(world: World, authority: Stored, wish: Wish, key: Any) -> Pair:
    """A private key with its certificate by that authority."""
    return certificates.certify(wish, key, _pair(authority), world.now())


def revocation_list(world: World, authority: Stored) -> str:
    """The authority's list of revoked certificates, as PEM."""
    serials = [int(serial, 16) for serial in authority["revoked"]]
    return certificates.certificate_pem(certificates.revocation_list(_pair(authority), serials, world.now()))


# -- pages ----------------------------------------------------------------------------------------------------------


async def respond(visit: Visit) -> Response:
    """Answer one request to the pages."""
    try:
        body = json.loads(visit.request.body) if visit.request.body else {}
        if not isinstance(body, dict):
            return _problem(400, "the body must be a JSON object")
        identifier, _, what = visit.path.partition("/")
        if not identifier:
            return await _create(visit, body)
        authority = visit.world.find(KIND, identifier)
        if authority is None:
            return _problem(404, f"there is no private authority `{identifier[:80]}`")
        page = _PAGES.get((visit.request.method, what))
        if page is None:
            return _problem(404, "no such page")
        # Making a key may take long; all else belongs to the thread that owns the world.
        key = await asyncio.to_thread(certificates.make_key, _kind(body)) if page is _issue else None
        return page(visit.world, authority, body, key)
    except (ValueError, TypeError, RecursionError) as wrong:
        return _problem(400, str(wrong))


async def _create(visit: Visit, body: Body) -> Response:
    if visit.request.method != "POST":
        return _problem(405, "POST creates an authority")
    account, region = str(body.get("account", "")), str(body.get("region", "us-east-1"))
    if not names.is_account_id(account):
        return _problem(400, f"`{account[:80]}` is not an account id")
    key = await asyncio.to_thread(certificates.make_key, _kind(body))
    made = create(visit.world, account, region, body.get("subject") or {"CN": "Private CA"}, key)
    return _json(201, {name: made[name] for name in ("arn", "id", "certificate")})


def _issue(world: World, authority: Stored, body: Body, key: Any) -> Response:
    days = int(body.get("days", 30))
    if not 1 <= days <= MAX_DAYS:
        raise ValueError(f"`days` must be between 1 and {MAX_DAYS}")
    wish = Wish(
        subject=body.get("subject") or {"CN": "workload"},
        ends=timedelta(days=days),
        dns=tuple(body.get("dns", ())),
        uris=tuple(body.get("uri", ())),
    )
    pair = issue(world, authority, wish, key)
    shown = {
        "certificate": certificates.certificate_pem(pair.certificate),
        "private_key": certificates.key_pem(pair.key),
        "serial": f"{pair.certificate.serial_number:x}",
    }
    return _json(201, shown)


def _revoke(world: World, authority: Stored, body: Body, _: Any) -> Response:
    serial = f"{int(str(body.get('serial', '')), 16):x}"
    changed = world.update(KIND, authority["arn"], lambda kept: {**kept, "revoked": [*kept["revoked"], serial]})
    return _json(200, {"crl": revocation_list(world, changed)})


def _list(world: World, authority: Stored, _: Body, __: Any) -> Response:
    text = revocation_list(world, authority)
    return Response(200, [("content-type", "application/x-pem-file")], text.encode())


_PAGES: Mapping[tuple[str, str], Callable[[World, Stored, Body, Any], Response]] = {
    ("POST", "certificates"): _issue,
    ("POST", "revocations"): _revoke,
    ("GET", "crl"): _list,
}


def _pair(authority: Stored) -> Pair:
    return certificates.load_pair(authority["certificate"], authority["key"])


def _kind(body: Body) -> str:
    kind = str(body.get("key", DEFAULT_KEY))
    if kind not in KEYS:
        raise ValueError(f"unknown kind of key `{kind[:80]}`; known are {', '.join(KEYS)}")
    return kind


def _json(status: int, value: Mapping[str, Any]) -> Response:
    return Response(status, [("content-type", "application/json")], json.dumps(value).encode())


def _problem(status: int, message: str) -> Response:
    return _json(status, {"message": message})
