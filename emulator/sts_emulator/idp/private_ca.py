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
import uuid
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final

from sts_emulator.accounts import documents
from sts_emulator.accounts.documents import PrivateCa
from sts_emulator.control_plane.reach import required
from sts_emulator.core import names
from sts_emulator.core.errors import AwsError
from sts_emulator.core.world import World
from sts_emulator.idp import certificates
from sts_emulator.idp.certificates import KEYS, Names, Pair, Wish
from sts_emulator.pages import render
from sts_emulator.pages.forms import json_body
from sts_emulator.pages.routes import page
from sts_emulator.pages.visit import Visit
from sts_emulator.wire.http import Response

KIND: Final = documents.PRIVATE_CA
DEFAULT_KEY: Final = "ec-p256"
LIFETIME: Final = timedelta(days=3650)
MAX_DAYS: Final = 3650

Body = Mapping[str, Any]


def create(world: World, account: str, region: str, subject: Names, key: object) -> documents.PrivateCa:
    """A new root authority with that private key, as its document: id, arn, certificate, key, revoked (hex serials)."""
    identifier = str(uuid.uuid4())
    arn = f"arn:{names.PARTITION}:acm-pca:{region}:{account}:certificate-authority/{identifier}"
    wish = Wish(subject=subject, ends=LIFETIME, is_authority=True, usages=("key_cert_sign", "crl_sign"))
    pair = certificates.certify(wish, key, None, world.now())
    body = documents.PrivateCa(
        id=identifier,
        arn=arn,
        certificate=certificates.certificate_pem(pair.certificate),
        key=certificates.key_pem(pair.key),
        revoked=[],
    )
    world.add(KIND, arn, body, uid=identifier)
    return body


def issue(world: World, authority: PrivateCa, wish: Wish, key: Any) -> Pair:
    """A private key with its certificate by that authority."""
    return certificates.certify(wish, key, _pair(authority), world.now())


def revocation_list(world: World, authority: PrivateCa) -> str:
    """The authority's list of revoked certificates, as PEM."""
    serials = [int(serial, 16) for serial in authority["revoked"]]
    return certificates.certificate_pem(certificates.revocation_list(_pair(authority), serials, world.now()))


# -- pages ----------------------------------------------------------------------------------------------------------

MISTAKES: Final = (ValueError, TypeError)


@page("POST", "/private-ca", trusted=True, mistakes=MISTAKES)
async def create_authority(visit: Visit) -> Response:
    body = json_body(visit)
    account, region = str(body.get("account", "")), str(body.get("region", "us-east-1"))
    if not names.is_account_id(account):
        raise ValueError(f"`{account[:80]}` is not an account id")
    key = await asyncio.to_thread(certificates.make_key, _kind(body))
    made = create(visit.world, account, region, body.get("subject") or {"CN": "Private CA"}, key)
    return render.data(201, {name: made[name] for name in ("arn", "id", "certificate")})


@page("POST", "/private-ca/{identifier}/certificates", trusted=True, mistakes=MISTAKES)
async def issue_certificate(visit: Visit, identifier: str) -> Response:
    authority, body = _authority(visit, identifier), json_body(visit)
    days = int(body.get("days", 30))
    if not 1 <= days <= MAX_DAYS:
        raise ValueError(f"`days` must be between 1 and {MAX_DAYS}")
    wish = Wish(
        subject=body.get("subject") or {"CN": "workload"},
        ends=timedelta(days=days),
        dns=tuple(body.get("dns", ())),
        uris=tuple(body.get("uri", ())),
    )
    # Making a key may take long; all else belongs to the thread that owns the world.
    key = await asyncio.to_thread(certificates.make_key, _kind(body))
    pair = issue(visit.world, authority, wish, key)
    shown = {
        "certificate": certificates.certificate_pem(pair.certificate),
        "private_key": certificates.key_pem(pair.key),
        "serial": f"{pair.certificate.serial_number:x}",
    }
    return render.data(201, shown)


@page("POST", "/private-ca/{identifier}/revocations", trusted=True, mistakes=MISTAKES)
def revoke_certificate(visit: Visit, identifier: str) -> Response:
    """Revoke a serial number; the list that names it."""
    authority = _authority(visit, identifier)
    serial = f"{int(str(json_body(visit).get('serial', '')), 16):x}"
    changed = visit.world.update(KIND, authority["arn"], lambda kept: {**kept, "revoked": [*kept["revoked"], serial]})
    return render.data(200, {"crl": revocation_list(visit.world, changed)})


@page("GET", "/private-ca/{identifier}/crl")
def revoked_certificates(visit: Visit, identifier: str) -> Response:
    return render.text(200, "application/x-pem-file", revocation_list(visit.world, _authority(visit, identifier)))


def _authority(visit: Visit, identifier: str) -> PrivateCa:
    missing = AwsError("NotFound", f"there is no private authority `{identifier[:80]}`", status=404)
    return required(visit.world.find(KIND, identifier), missing)


def _pair(authority: PrivateCa) -> Pair:
    return certificates.load_pair(authority["certificate"], authority["key"])


def _kind(body: Body) -> str:
    kind = str(body.get("key", DEFAULT_KEY))
    if kind not in KEYS:
        raise ValueError(f"unknown kind of key `{kind[:80]}`; known are {', '.join(KEYS)}")
    return kind
