"""From a certificate to a trust anchor: the path, validated at the world's time, with AWS's own constraints on top.

cryptography's verifier does the path (names, signatures, dates, basic constraints, path lengths, name constraints);
what it lets pass and AWS does not is judged in `certificates` (docs/aws/roles-anywhere.md, "Certificates").
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from sts_emulator.methods.roles_anywhere import certificates

if TYPE_CHECKING:
    from cryptography import x509

UNTRUSTED: Final = "Untrusted signing certificate"
"""AWS's words when no path leads to the trust anchor; seen for wrong authorities and for missing intermediates."""

INSUFFICIENT: Final = "Untrusted certificate. Insufficient certificate"
"""AWS's words when the end entity's certificate breaks a constraint; seen for a missing digital signature usage."""


class UntrustedError(Exception):
    """The certificate proves nothing here; `words` are for the client, the message is for the event."""

    def __init__(self, words: str, reason: str) -> None:
        super().__init__(reason)
        self.words = words


def read_chain(header: str) -> list[x509.Certificate]:
    """The certificates of an X-Amz-X509-Chain header.

    Raises:
        UntrustedError: more than five, or one cannot be read.
    """
    if not header:
        return []
    if header.count(",") >= certificates.MAX_CHAIN:
        raise UntrustedError(UNTRUSTED, f"the chain has more than {certificates.MAX_CHAIN} certificates")
    try:
        return [certificates.load_encoded(each.strip()) for each in header.split(",")]
    except ValueError as wrong:
        raise UntrustedError(UNTRUSTED, f"in the chain {wrong}") from None


def validate(
    certificate: x509.Certificate, chain: Sequence[x509.Certificate], anchors: Sequence[x509.Certificate], now: float
) -> list[x509.Certificate]:
    """The path from the certificate to one of the anchors, both ends included. `now` is in epoch seconds.

    Raises:
        UntrustedError: a constraint is broken, or there is no path that is valid now.
    """
    from cryptography.x509.verification import VerificationError

    problem = certificates.end_entity_problem(certificate)
    if problem:
        raise UntrustedError(INSUFFICIENT, problem)
    moment = datetime.fromtimestamp(now, UTC)
    # AWS's words for these two are not recorded; a path is valid only while its certificates are.
    if moment < certificate.not_valid_before_utc:
        raise UntrustedError(UNTRUSTED, f"the certificate is not valid before {certificate.not_valid_before_utc}")
    if moment > certificate.not_valid_after_utc:
        raise UntrustedError(UNTRUSTED, f"the certificate expired at {certificate.not_valid_after_utc}")
    try:
        path = _verify(certificate, chain, anchors, moment)
    except (VerificationError, ValueError) as why:
        raise UntrustedError(UNTRUSTED, f"no path to the trust anchor: {_first_line(why)}") from None
    for authority in path[1:]:
        problem = certificates.authority_problem(authority)
        if problem:
            raise UntrustedError(UNTRUSTED, f"{authority.subject.rfc4514_string()}: {problem}")
    return path


def _verify(
    certificate: x509.Certificate,
    chain: Sequence[x509.Certificate],
    anchors: Sequence[x509.Certificate],
    moment: datetime,
) -> list[x509.Certificate]:
    from cryptography.x509 import BasicConstraints
    from cryptography.x509.verification import Criticality, ExtensionPolicy, PolicyBuilder, Store

    # The verifier's defaults are those of the web: they want authority key ids and alternative names, which AWS does
    # not. A bare permit_all() for authorities is refused by the library.
    authorities = ExtensionPolicy.permit_all().require_present(BasicConstraints, Criticality.AGNOSTIC, None)
    verifier = (
        PolicyBuilder()
        .store(Store(list(anchors)))
        .time(moment)
        .max_chain_depth(certificates.MAX_CHAIN)
        .extension_policies(ca_policy=authorities, ee_policy=ExtensionPolicy.permit_all())
        .build_client_verifier()
    )
    return verifier.verify(certificate, list(chain)).chain


def _first_line(why: Exception) -> str:
    return str(why).partition(" (encountered")[0].removeprefix("validation failed: ")
