"""Revocation: what the imported lists, and where an anchor asks for it the distribution points, say of a path.

An imported list speaks for a certificate when it bears its issuer's name and signature. Nothing is cached beyond the
next write, so that a revocation takes effect on the next call (docs/aws/roles-anywhere.md, "Errors", "Certificates").
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Final

from sts_emulator.accounts.anywhere import TrustAnchor
from sts_emulator.core.world import World
from sts_emulator.methods.roles_anywhere import certificates, distribution
from sts_emulator.methods.roles_anywhere import kinds as nouns
from sts_emulator.methods.roles_anywhere.paths import UNTRUSTED, UntrustedError

if TYPE_CHECKING:
    from cryptography import x509

REVOKED: Final = "Certificate revoked"

Path = Sequence["x509.Certificate"]


def load(data: bytes) -> x509.CertificateRevocationList:
    """A list from PEM or DER. Raises ValueError: it is neither."""
    from cryptography import x509

    read = x509.load_pem_x509_crl if data.lstrip().startswith(b"-----BEGIN") else x509.load_der_x509_crl
    try:
        crl = read(data)
        issuer = crl.issuer  # parsed only when looked at
    except TypeError as wrong:  # a BIT STRING in a name
        raise ValueError(str(wrong)) from None
    if not list(issuer):
        raise ValueError("the list has no issuer")
    return crl


def imported(world: World, anchor: TrustAnchor) -> list[x509.CertificateRevocationList]:
    """The enabled lists of a trust anchor."""
    prefix = f"{anchor['account']}/{anchor['region']}/"

    def read() -> list[x509.CertificateRevocationList]:
        return [
            load(base64.b64decode(crl["data"]))
            for crl in world.page(nouns.CRL.kind, prefix)
            if crl["enabled"] and crl["anchor"] == anchor["arn"]
        ]

    return world.memo(("crls", anchor["arn"]), read)


def check(path: Path, anchors: Path, lists: Iterable[x509.CertificateRevocationList]) -> None:
    """Refuse a path that has a revoked certificate; `anchors` are all certificates of the anchor's bundle.

    Raises:
        UntrustedError: `Certificate revoked`.
    """
    for crl in lists:
        for certificate in path[:-1]:
            if _speaks_for(crl, certificate, (*path[1:], *anchors)) and _lists(crl, certificate):
                raise UntrustedError(REVOKED, f"{certificate.subject.rfc4514_string()} is revoked")


async def check_distribution_points(path: Path, now: float, *, may_ask: bool) -> None:
    """Refuse a path whose certificates' own distribution points revoke it, or do not say whether they do.

    A certificate without such a point passes. That a point without an answer refuses, as all do without `may_ask`, is
    the strict reading; what AWS does is not recorded.

    Raises:
        UntrustedError: `Certificate revoked`; `Untrusted signing certificate` when the status cannot be had.
    """
    for certificate, issuer in pairwise(path):
        urls = list(_points(certificate))
        if not urls:
            continue
        if not may_ask:
            raise UntrustedError(UNTRUSTED, f"revocation status of {certificate.subject}: nobody is asked here")
        try:
            crl = load(await distribution.fetch(urls[0]))
        except (distribution.UnavailableError, ValueError) as why:
            raise UntrustedError(UNTRUSTED, f"revocation status of {certificate.subject}: {why}") from None
        if not _speaks_for(crl, certificate, (issuer,)):
            raise UntrustedError(UNTRUSTED, f"the list at {urls[0]} is not the issuer's")
        ends = crl.next_update_utc
        if ends is not None and ends.timestamp() < now:
            raise UntrustedError(UNTRUSTED, f"the list at {urls[0]} is out of date since {ends}")
        if _lists(crl, certificate):
            raise UntrustedError(REVOKED, f"{certificate.subject.rfc4514_string()} is revoked at {urls[0]}")


def _points(certificate: x509.Certificate) -> Iterator[str]:
    from cryptography import x509

    points = certificates.extension(certificate, x509.CRLDistributionPoints)
    for point in points or ():
        for name in point.full_name or ():
            if isinstance(name, x509.UniformResourceIdentifier):
                yield name.value


def _speaks_for(crl: x509.CertificateRevocationList, certificate: x509.Certificate, authorities: Path) -> bool:
    """Whether a list is its issuer's: by name, and signed by a key that this issuer is known by."""
    from cryptography.exceptions import UnsupportedAlgorithm

    if crl.issuer != certificate.issuer:
        return False
    for authority in authorities:
        if authority.subject != crl.issuer:
            continue
        try:
            if crl.is_signature_valid(certificates.key_of(authority)):
                return True
        except (UnsupportedAlgorithm, ValueError, TypeError):
            continue  # signed with an algorithm that this key has not
    return False


def _lists(crl: x509.CertificateRevocationList, certificate: x509.Certificate) -> bool:
    from cryptography import x509

    entry = crl.get_revoked_certificate_by_serial_number(certificate.serial_number)
    if entry is None:
        return False
    try:
        reason = entry.extensions.get_extension_for_class(x509.CRLReason).value.reason
    except (x509.ExtensionNotFound, ValueError):
        return True
    return reason is not x509.ReasonFlags.remove_from_crl
