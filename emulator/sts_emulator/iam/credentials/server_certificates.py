"""Server certificates, which load balancers took before there was ACM: what is uploaded must fit together and be valid.

The private key is looked at and not kept: nothing gives it back.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, Unpack

from sts_emulator.accounts.documents import Named
from sts_emulator.core.errors import AwsError
from sts_emulator.core.store import Kind
from sts_emulator.iam import tags
from sts_emulator.iam.nouns import Noun, born, claim
from sts_emulator.iam.paging import Paging, page
from sts_emulator.iam.permits import list_under, moved, permit_new, reach
from sts_emulator.vending.context import Context
from sts_emulator.wire.dispatch import Result, Wire, operation

if TYPE_CHECKING:
    from cryptography.x509 import Certificate


class ServerCertificate(Named):
    """A certificate for HTTPS; its private key is checked and not kept."""

    body: str
    chain: str
    expires: int
    tags: dict[str, str]


SERVER_CERTIFICATE: Final[Noun[ServerCertificate]] = Noun(
    Kind("server-certificate"),
    "ServerCertificate",
    "ServerCertificateName",
    "server-certificate",
    "The Server Certificate with name {} cannot be found.",
    "The Server Certificate with name {} already exists.",
    "ASCA",
    "ServerCertificatesPerAccount",
    20,
)
LONGEST_CHAIN: Final = 20  # more are refused before any is verified

tag_server_certificate, untag_server_certificate, list_server_certificate_tags = tags.operations(SERVER_CERTIFICATE)


@operation("iam", "UploadServerCertificate")
def upload_server_certificate(
    ctx: Context,
    *,
    ServerCertificateName: str,
    CertificateBody: str,
    PrivateKey: str,
    Path: str = "/",
    CertificateChain: str = "",
    Tags: tags.Pairs | None = None,
) -> Result:
    """Keep a certificate whose key and chain belong to it."""
    labels = tags.checked(SERVER_CERTIFICATE, Tags)
    arn = SERVER_CERTIFICATE.arn(ctx.identity.account, Path, ServerCertificateName)
    permit_new(ctx, SERVER_CERTIFICATE, arn, labels)
    expires = _checked(CertificateBody, PrivateKey, CertificateChain, ctx.world.now())
    claim(ctx, SERVER_CERTIFICATE, ServerCertificateName)
    certificate: ServerCertificate = {
        **born(ctx, SERVER_CERTIFICATE, Path, ServerCertificateName),
        "body": CertificateBody.strip(),
        "chain": CertificateChain.strip(),
        "expires": expires,
        "tags": labels,
    }
    ctx.world.add(SERVER_CERTIFICATE.kind, SERVER_CERTIFICATE.key(certificate), certificate, uid=certificate["id"])
    return {"ServerCertificateMetadata": _shown(certificate), **tags.echoed(labels)}


@operation("iam", "GetServerCertificate")
def get_server_certificate(ctx: Context, *, ServerCertificateName: str) -> Result:
    """One certificate with its chain; always with a list of tags (recorded 2026-02)."""
    certificate = reach(ctx, SERVER_CERTIFICATE, ServerCertificateName)
    result: dict[str, Wire] = {"ServerCertificateMetadata": _shown(certificate), "CertificateBody": certificate["body"]}
    if certificate["chain"]:
        result["CertificateChain"] = certificate["chain"]
    return {"ServerCertificate": {**result, "Tags": tags.shown(certificate["tags"])}}


@operation("iam", "ListServerCertificates")
def list_server_certificates(ctx: Context, *, PathPrefix: str = "/", **paging: Unpack[Paging]) -> Result:
    """The account's certificates under a path, without their bodies."""
    under = list_under(ctx, SERVER_CERTIFICATE, PathPrefix)
    return page(ctx, "ServerCertificateMetadataList", under, paging, _shown)


@operation("iam", "UpdateServerCertificate")
def update_server_certificate(
    ctx: Context, *, ServerCertificateName: str, NewPath: str | None = None, NewServerCertificateName: str | None = None
) -> Result:
    """Rename or move a certificate; what it is stays."""
    old = reach(ctx, SERVER_CERTIFICATE, ServerCertificateName)
    moved(ctx, SERVER_CERTIFICATE, old, NewPath, NewServerCertificateName)
    return {}


@operation("iam", "DeleteServerCertificate")
def delete_server_certificate(ctx: Context, *, ServerCertificateName: str) -> Result:
    """Delete a certificate; no load balancer here holds on to it."""
    certificate = reach(ctx, SERVER_CERTIFICATE, ServerCertificateName)
    ctx.world.take(SERVER_CERTIFICATE.kind, SERVER_CERTIFICATE.key(certificate))
    return {}


def _shown(certificate: ServerCertificate) -> Result:
    return {
        "Path": certificate["path"],
        "ServerCertificateName": certificate["name"],
        "ServerCertificateId": certificate["id"],
        "Arn": certificate["arn"],
        "UploadDate": certificate["created"],
        "Expiration": certificate["expires"],
    }


# -- what is uploaded ---------------------------------------------------------------------------------------------


def _checked(body: str, private_key: str, chain: str, now: float) -> int:
    """When the certificate expires, once it, its key and its chain are read and fit together.

    AWS's sentences of 2026-09 (tests/iam/test_iam_certificates.py), but for a certificate that is not valid yet.

    Raises:
        AwsError: MalformedCertificate; KeyPairMismatch.
    """
    listed = _certificates(body)
    if listed is None or len(listed) != 1:
        raise _malformed("Unable to parse certificate. Please ensure the certificate is in PEM format.")
    (certificate,) = listed
    _check_key(certificate, private_key)
    today = datetime.fromtimestamp(now, UTC)
    if today >= certificate.not_valid_after_utc:
        raise _malformed(
            "Certificate is no longer valid. The 'Not After' date restriction on the certificate has passed."
        )
    if today < certificate.not_valid_before_utc:
        raise _malformed(
            "Certificate is not yet valid. The 'Not Before' date restriction on the certificate has not passed."
        )
    if chain:
        _check_chain(certificate, chain)
    return int(certificate.not_valid_after_utc.timestamp())


def _certificates(text: str) -> list[Certificate] | None:
    from cryptography import x509

    if not text.lstrip().startswith("-----BEGIN CERTIFICATE-----"):
        return None
    try:
        return x509.load_pem_x509_certificates(text.encode())
    except ValueError:
        return None


def _check_key(certificate: Certificate, text: str) -> None:
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

    try:
        key = load_pem_private_key(text.strip().encode(), None)
        mine, theirs = (
            public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
            for public in (key.public_key(), certificate.public_key())
        )
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise _malformed("Invalid Private Key.") from None
    if mine != theirs:
        raise AwsError(
            "KeyPairMismatch",
            "The private key did not match the public key provided. Please verify the key material and try again.",
        )


def _check_chain(certificate: Certificate, text: str) -> None:
    """Each must have been issued by the next; a root may stand there more than once (recorded 2026-09)."""
    from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm

    chain = _certificates(text)
    if chain is None or len(chain) > LONGEST_CHAIN:
        raise _malformed("Unknown")
    for index, (issued, issuer) in enumerate(zip([certificate, *chain], chain, strict=False), -1):
        try:
            issued.verify_directly_issued_by(issuer)
        except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
            wrong = index if index < 0 else index + 1
            raise _malformed(
                "Unable to validate certificate chain. The certificate chain must start with the immediate signing "
                "certificate, followed by any intermediaries in order. The index within the chain of the invalid "
                f"certificate is: {wrong}"
            ) from None


def _malformed(message: str) -> AwsError:
    return AwsError("MalformedCertificate", message)
