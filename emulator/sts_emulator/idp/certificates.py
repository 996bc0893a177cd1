"""Makes X.509 certificates, keys and revocation lists, good ones and those that somebody has to refuse.

Nothing here is used to check one: what verifies shares no code with what makes.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from sts_emulator.core import rsa_keys
from sts_emulator.policy.json_types import Json
from sts_emulator.policy.light_dataclass import dataclass

if TYPE_CHECKING:
    from cryptography import x509

KEYS: Final = (
    *("ec-p256", "ec-p384", "ec-p521", "rsa-2048", "rsa-3072", "rsa-4096", "ml-dsa-44", "ml-dsa-65", "ml-dsa-87"),
    *("rsa-1024", "ec-p224"),  # too weak, for who wants to see them refused
)
HASHES: Final = ("sha256", "sha384", "sha512", "sha1")
USAGES: Final = (
    "digital_signature",
    "content_commitment",
    "key_encipherment",
    "data_encipherment",
    "key_agreement",
    "key_cert_sign",
    "crl_sign",
)
RDN: Final[Mapping[str, str]] = {
    "CN": "2.5.4.3",
    "OU": "2.5.4.11",
    "O": "2.5.4.10",
    "C": "2.5.4.6",
    "ST": "2.5.4.8",
    "L": "2.5.4.7",
    "UID": "0.9.2342.19200300.100.1.1",
    "DC": "0.9.2342.19200300.100.1.25",
    "SERIALNUMBER": "2.5.4.5",
    "T": "2.5.4.12",
    "E": "1.2.840.113549.1.9.1",
}

Names = Mapping[str, str | Sequence[str]]
"""A distinguished name: RDN types with a value, or values in their order."""

_SHA256_RSA = bytes.fromhex("06092a864886f70d01010b")
_SHA1_RSA = bytes.fromhex("06092a864886f70d010105")


@dataclass(frozen=True, slots=True)
class Pair:
    """A certificate and its private key."""

    certificate: x509.Certificate
    key: Any


@dataclass(frozen=True, kw_only=True, slots=True)
class Wish:
    """What a certificate should say. `begins` and `ends` are relative to the moment of issue.

    `usages` are names out of USAGES; None leaves the extension away. `path_length` counts for authorities.
    """

    subject: Names
    begins: timedelta = timedelta(hours=-1)
    ends: timedelta = timedelta(days=365)
    is_authority: bool = False
    path_length: int | None = None
    usages: Sequence[str] | None = ("digital_signature",)
    hash: str = "sha256"
    dns: Sequence[str] = ()
    uris: Sequence[str] = ()
    addresses: Sequence[str] = ()
    directory: Names = field(default_factory=dict)
    extended: Sequence[str] = ("clientAuth",)
    crl_url: str = ""
    serial: int | None = None


def make_key(kind: str) -> object:
    """A new private key of a kind out of KEYS."""
    from cryptography.hazmat.primitives.asymmetric import ec, mldsa, rsa

    family, _, size = kind.rpartition("-")
    if family == "rsa":
        # rsa-1024 is there to be refused
        return rsa_keys.new() if size == "2048" else rsa.generate_private_key(65537, int(size))
    if family == "ml-dsa":
        makers: Any = {"44": mldsa.MLDSA44PrivateKey, "65": mldsa.MLDSA65PrivateKey, "87": mldsa.MLDSA87PrivateKey}
        return makers[size].generate()
    curves: Any = {"p224": ec.SECP224R1, "p256": ec.SECP256R1, "p384": ec.SECP384R1, "p521": ec.SECP521R1}
    return ec.generate_private_key(curves[size]())


def make_name(names: Names) -> x509.Name:
    """A distinguished name, one RDN for each value.

    Raises:
        ValueError: a type that is not in RDN, or a value that the type does not allow.
    """
    from cryptography import x509

    if not isinstance(names, Mapping):
        raise ValueError(f"a name maps types such as CN to values, got {names!r:.80}")  # noqa: TRY004 - user input
    unknown = [kind for kind in names if kind not in RDN]
    if unknown:
        raise ValueError(f"unknown name type `{unknown[0]}`; known are {', '.join(RDN)}")
    return x509.Name(
        x509.NameAttribute(x509.ObjectIdentifier(RDN[kind]), value)
        for kind, given in names.items()
        for value in ((given,) if isinstance(given, str) else given)
    )


def certify(wish: Wish, key: Any, issuer: Pair | None, now: float) -> Pair:
    """A private key with its certificate; without an issuer, one that vouches for itself."""
    from cryptography import x509

    moment = datetime.fromtimestamp(int(now), UTC)
    subject, public_key = make_name(wish.subject), key.public_key()
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.certificate.subject if issuer else subject)
        .public_key(public_key)
        .serial_number(wish.serial or x509.random_serial_number())
        .not_valid_before(moment + wish.begins)
        .not_valid_after(moment + wish.ends)
    )
    for extension, critical in _extensions(wish, public_key, issuer):
        builder = builder.add_extension(extension, critical=critical)
    signing = issuer.key if issuer else key
    is_weak = wish.hash == "sha1"
    return Pair(_with_sha1(builder, signing) if is_weak else builder.sign(signing, _hash(wish.hash, signing)), key)


def revocation_list(issuer: Pair, revoked: Iterable[int], now: float) -> x509.CertificateRevocationList:
    """The issuer's list of revoked serial numbers, to be renewed within thirty days."""
    from cryptography import x509

    moment = datetime.fromtimestamp(int(now), UTC)
    builder = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(issuer.certificate.subject)
        .last_update(moment)
        .next_update(moment + timedelta(days=30))
        .add_extension(x509.CRLNumber(int(now * 1000)), critical=False)
    )
    for serial in sorted(set(revoked)):
        entry = x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(moment).build()
        builder = builder.add_revoked_certificate(entry)
    return builder.sign(issuer.key, _hash("sha256", issuer.key))


def certificate_pem(certificate: x509.Certificate | x509.CertificateRevocationList) -> str:
    """A certificate or revocation list as PEM text."""
    from cryptography.hazmat.primitives.serialization import Encoding

    return certificate.public_bytes(Encoding.PEM).decode()


def key_pem(key: Any) -> str:
    """A private key as unencrypted PKCS #8 PEM."""
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    text: bytes = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return text.decode()


def load_pair(certificate: str, key: str) -> Pair:
    from cryptography import x509

    return Pair(x509.load_pem_x509_certificate(certificate.encode()), rsa_keys.load(key))


def _extensions(wish: Wish, public_key: Any, issuer: Pair | None) -> Iterable[tuple[x509.ExtensionType, bool]]:
    from cryptography import x509
    from cryptography.x509.oid import ExtendedKeyUsageOID

    yield x509.BasicConstraints(wish.is_authority, wish.path_length if wish.is_authority else None), True
    if wish.usages is not None:
        known = {name: name in wish.usages for name in USAGES}
        yield x509.KeyUsage(**known, encipher_only=False, decipher_only=False), True
    yield x509.SubjectKeyIdentifier.from_public_key(public_key), False
    above: Any = issuer.certificate.public_key() if issuer else public_key
    yield x509.AuthorityKeyIdentifier.from_issuer_public_key(above), False
    names: list[x509.GeneralName] = [x509.DNSName(host) for host in wish.dns]
    names += [x509.UniformResourceIdentifier(uri) for uri in wish.uris]
    names += [x509.IPAddress(ipaddress.ip_address(address)) for address in wish.addresses]
    if wish.directory:
        names.append(x509.DirectoryName(make_name(wish.directory)))
    if names:
        yield x509.SubjectAlternativeName(names), False
    purposes = {"clientAuth": ExtendedKeyUsageOID.CLIENT_AUTH, "serverAuth": ExtendedKeyUsageOID.SERVER_AUTH}
    if wish.extended and not wish.is_authority:
        yield x509.ExtendedKeyUsage([purposes[purpose] for purpose in wish.extended]), False
    if wish.crl_url:
        point = x509.DistributionPoint([x509.UniformResourceIdentifier(wish.crl_url)], None, None, None)
        yield x509.CRLDistributionPoints([point]), False


def _hash(name: str, key: Json) -> Any:
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec, rsa

    if not isinstance(key, ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey):
        return None  # ML-DSA signs what it is given
    known: Any = {"sha256": hashes.SHA256, "sha384": hashes.SHA384, "sha512": hashes.SHA512}
    return known[name]()


def _with_sha1(builder: x509.CertificateBuilder, key: object) -> x509.Certificate:
    """Sign with RSA over SHA-1, which the library refuses: its names of the algorithm are replaced, then signed."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import padding, rsa
    from cryptography.hazmat.primitives.serialization import Encoding

    if not isinstance(key, rsa.RSAPrivateKey):
        raise ValueError("`hash: sha1` needs an issuer with an RSA key")  # noqa: TRY004 - a value of the declaration
    model = builder.sign(key, hashes.SHA256())
    body = model.tbs_certificate_bytes.replace(_SHA256_RSA, _SHA1_RSA)
    signature = key.sign(body, padding.PKCS1v15(), hashes.SHA1())  # noqa: S303 - weak on purpose: it is to be refused
    whole = model.public_bytes(Encoding.DER).replace(model.tbs_certificate_bytes, body)
    return x509.load_der_x509_certificate(whole.replace(_SHA256_RSA, _SHA1_RSA).replace(model.signature, signature))
