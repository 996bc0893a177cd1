"""X.509 certificates with which users and roots once signed SOAP requests; AWS still takes and lists them."""

from __future__ import annotations

import base64
import hashlib
from datetime import UTC, datetime
from typing import Final, TypedDict, Unpack

from sts_emulator.accounts.documents import User, changed
from sts_emulator.core.errors import AwsError
from sts_emulator.core.store import Kind
from sts_emulator.core.world import World
from sts_emulator.iam.nouns import over_quota
from sts_emulator.iam.paging import Paging, page
from sts_emulator.iam.permits import reach_user
from sts_emulator.vending.context import Context
from sts_emulator.wire.dispatch import Result, operation


class Certificate(TypedDict):
    """A certificate of a user, or of root."""

    id: str
    account: str
    owner: str  # a user's unique id, or the account's
    body: str
    status: str  # Active, Inactive
    created: int


KIND: Final[Kind[Certificate]] = Kind("signing-certificate")  # key: `owner/id`, uid: its id
PER_USER: Final = 2


@operation("iam", "UploadSigningCertificate")
def upload_signing_certificate(ctx: Context, *, CertificateBody: str, UserName: str | None = None) -> Result:
    """Give a user, or the caller, a certificate; the same one again changes nothing, and the answer calls it active."""
    user = reach_user(ctx, UserName)
    identifier = _identifier(CertificateBody, ctx.world.now())
    account = ctx.identity.account
    owner = user["id"] if user else account
    known = ctx.world.find(KIND, identifier)
    if known is not None and known["owner"] != owner:
        raise AwsError("DuplicateCertificate", "Duplicate certificate uploaded.")
    if known is None:
        if len(of_owner(ctx.world, owner)) >= PER_USER:
            raise over_quota("CertificatesPerUser", PER_USER)
        known = {
            "id": identifier,
            "account": account,
            "owner": owner,
            "body": CertificateBody,
            "status": "Active",
            "created": int(ctx.world.now()),
        }
        ctx.world.add(KIND, _key(known), known, uid=identifier)
    return {"Certificate": {**_shown(user, known), "Status": "Active"}}


@operation("iam", "ListSigningCertificates")
def list_signing_certificates(ctx: Context, *, UserName: str | None = None, **paging: Unpack[Paging]) -> Result:
    """The certificates of a user, or of the caller."""
    user = reach_user(ctx, UserName)
    certificates = of_owner(ctx.world, user["id"] if user else ctx.identity.account)
    return page(ctx, "Certificates", certificates, paging, lambda certificate: _shown(user, certificate))


@operation("iam", "UpdateSigningCertificate")
def update_signing_certificate(ctx: Context, *, CertificateId: str, Status: str, UserName: str | None = None) -> Result:
    """Switch a certificate on or off."""
    certificate = _find(ctx, UserName, CertificateId)
    if Status == "Expired":
        raise AwsError("InvalidInput", f"Operation does not support status {Status}")
    ctx.world.update(KIND, _key(certificate), changed(status=Status))
    return {}


@operation("iam", "DeleteSigningCertificate")
def delete_signing_certificate(ctx: Context, *, CertificateId: str, UserName: str | None = None) -> Result:
    certificate = _find(ctx, UserName, CertificateId)
    ctx.world.take(KIND, _key(certificate))
    return {}


def of_owner(world: World, owner: str) -> list[Certificate]:
    """The certificates of the user of that unique id, or of an account's root, oldest first."""
    return sorted(world.page(KIND, f"{owner}/"), key=lambda certificate: certificate["created"])


def _identifier(body: str, now: float) -> str:
    """The id of a certificate: base32 of the SHA-1 of its DER (recorded 2026-09).

    Raises:
        AwsError: MalformedCertificate for what is none, and for one that is not valid now.
    """
    from cryptography import x509
    from cryptography.hazmat.primitives.serialization import Encoding

    malformed = AwsError("MalformedCertificate", f"Certificate {body} is malformed.")
    try:
        certificate = x509.load_pem_x509_certificate(body.encode())
    except ValueError:
        raise malformed from None
    if not certificate.not_valid_before_utc <= datetime.fromtimestamp(now, UTC) < certificate.not_valid_after_utc:
        raise malformed
    return base64.b32encode(hashlib.sha1(certificate.public_bytes(Encoding.DER)).digest()).decode()  # noqa: S324 - an id


def _find(ctx: Context, name: str | None, identifier: str) -> Certificate:
    user = reach_user(ctx, name)
    certificate = ctx.world.find(KIND, identifier)
    if certificate is None or certificate["owner"] != (user["id"] if user else ctx.identity.account):
        raise AwsError("NoSuchEntity", f"The Certificate with id {identifier} cannot be found.")
    return certificate


def _key(certificate: Certificate) -> str:
    return f"{certificate['owner']}/{certificate['id']}"


def _shown(user: User | None, certificate: Certificate) -> Result:
    return {
        "UserName": user["name"] if user else "root",
        "CertificateId": certificate["id"],
        "CertificateBody": certificate["body"],
        "Status": certificate["status"],
        "UploadDate": certificate["created"],
    }
