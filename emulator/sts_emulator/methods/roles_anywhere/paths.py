"""From a certificate to a trust anchor: the path, validated at the world's time, with AWS's own constraints on top.

cryptography's verifier does the path (names, signatures, dates, basic constraints, path lengths, name constraints). It
refuses every certificate below an authority that constrains directory names or URIs, as those of companies and of
SPIFFE do (RFC 5280, 4.2.1.10): there OpenSSL's verifier does the same. What they let pass and AWS does not is judged in
`certificates` (docs/aws/roles-anywhere.md, "Certificates").
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
    """The certificates of an X-Amz-X509-Chain header. Raises UntrustedError: more than five, or one cannot be read."""
    if not header:
        return []
    if header.count(",") >= certificates.MAX_CHAIN:
        raise UntrustedError(UNTRUSTED, f"the chain has more than {certificates.MAX_CHAIN} certificates")
    try:
        return [certificates.load_encoded(text.strip()) for text in header.split(",")]
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
        constrained = any(_constrains_names(authority) for authority in (*chain, *anchors))
        path = (_verify_by_openssl if constrained else _verify)(certificate, chain, anchors, moment)
    except (VerificationError, ValueError) as why:
        first_line = str(why).partition(" (encountered")[0].removeprefix("validation failed: ")
        raise UntrustedError(UNTRUSTED, f"no path to the trust anchor: {first_line}") from None
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


def _constrains_names(authority: x509.Certificate) -> bool:
    """Whether an authority constrains names of other kinds than DNS names and IP addresses."""
    from cryptography.x509 import DNSName, IPAddress, NameConstraints

    constraints = certificates.extension(authority, NameConstraints)
    if constraints is None:
        return False
    subtrees = (*(constraints.permitted_subtrees or ()), *(constraints.excluded_subtrees or ()))
    return not all(isinstance(subtree, DNSName | IPAddress) for subtree in subtrees)


def _verify_by_openssl(
    certificate: x509.Certificate,
    chain: Sequence[x509.Certificate],
    anchors: Sequence[x509.Certificate],
    moment: datetime,
) -> list[x509.Certificate]:
    from OpenSSL.crypto import X509, Error, X509Store, X509StoreContext, X509StoreContextError, X509StoreFlags

    store = X509Store()
    for anchor in anchors:
        store.add_cert(X509.from_cryptography(anchor))
    store.set_flags(X509StoreFlags.PARTIAL_CHAIN)  # an anchor need not be self-signed
    store.set_time(moment)
    between = [X509.from_cryptography(authority) for authority in chain]
    context = X509StoreContext(store, X509.from_cryptography(certificate), between)
    try:
        return [verified.to_cryptography() for verified in context.get_verified_chain()]
    except (X509StoreContextError, Error) as why:
        raise ValueError(str(why)) from None
