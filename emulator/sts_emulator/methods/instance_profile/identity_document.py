"""The instance identity document, and its signatures by a key of the lab in place of AWS's regional ones."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, TypedDict

from sts_emulator.accounts.compute import Instance
from sts_emulator.core import clock, rsa_keys
from sts_emulator.core.store import AlreadyExistsError, Kind
from sts_emulator.core.world import World
from sts_emulator.methods.instance_profile.instances import place_of

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
    from cryptography.x509 import Certificate


class SigningKey(TypedDict):
    """What signs the identity documents of a world, in PEM."""

    key: str
    certificate: str


KIND: Final[Kind[SigningKey]] = Kind("identity-document-key")  # key: its own name: one at most
_ONLY: Final = "identity-document-key"
SIGNATURES: Final = ("pkcs7", "rsa2048", "signature")
_LINE: Final = 64


def document(instance: Instance) -> str:
    """The document as text, its keys in AWS's order (docs/aws/instance-metadata.md, "Credentials")."""
    values = {
        "accountId": instance["account"],
        "architecture": "x86_64",
        "availabilityZone": instance["zone"],
        "billingProducts": None,
        "devpayProductCodes": None,
        "marketplaceProductCodes": None,
        "imageId": instance["image"],
        "instanceId": instance["id"],
        "instanceType": instance["type"],
        "kernelId": None,
        "pendingTime": clock.iso(instance["launched"]),
        "privateIp": place_of(instance).private_ip,
        "ramdiskId": None,
        "region": instance["region"],
        "version": "2017-09-30",
    }
    return json.dumps(values, indent=2, separators=(",", " : "))


def signature(world: World, text: str, form: str) -> str:
    """The document's signature in base64, plain (`signature`) or as PKCS #7 with the document in it (the others).

    AWS makes `pkcs7` with DSA and SHA-1, which current libraries no longer make; here both are RSA with SHA-256.
    """
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import padding
    from cryptography.hazmat.primitives.serialization import pkcs7

    key, certificate = _signer(world)
    if form == "signature":
        return _lines(key.sign(text.encode(), padding.PKCS1v15(), hashes.SHA256()))
    signed = (
        pkcs7.PKCS7SignatureBuilder()
        .set_data(text.encode())
        .add_signer(certificate, key, hashes.SHA256())
        .sign(serialization.Encoding.DER, [pkcs7.PKCS7Options.Binary, pkcs7.PKCS7Options.NoCapabilities])
    )
    return _lines(signed)


def certificate_pem(world: World) -> str:
    """The certificate that checks this world's identity documents, in PEM; AWS publishes its own by region."""
    return _stored(world)["certificate"]


def _signer(world: World) -> tuple[RSAPrivateKey, Certificate]:
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

    stored = _stored(world)
    key = rsa_keys.load(stored["key"])
    assert isinstance(key, RSAPrivateKey)
    return key, x509.load_pem_x509_certificate(stored["certificate"].encode())


def _stored(world: World) -> SigningKey:
    kept = world.get(KIND, _ONLY)
    if kept is not None:
        return kept
    made = _make_key()
    try:
        world.add(KIND, _ONLY, made)
    except AlreadyExistsError:  # another process was quicker
        return _stored(world)
    return made


def _make_key() -> SigningKey:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.x509.oid import NameOID

    key = rsa_keys.new()
    name = x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "sts-emulator"),
            x509.NameAttribute(NameOID.COMMON_NAME, "instance identity documents"),
        ]
    )
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        # As wide as AWS's own, which live for 179 years: a world's clock may stand anywhere.
        .not_valid_before(datetime(2012, 1, 5, tzinfo=UTC))
        .not_valid_after(datetime(2191, 1, 5, tzinfo=UTC))
        .sign(key, hashes.SHA256())
    )
    return {
        "key": key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        ).decode(),
        "certificate": certificate.public_bytes(serialization.Encoding.PEM).decode(),
    }


def _lines(data: bytes) -> str:
    text = base64.b64encode(data).decode()
    return "\n".join(text[start : start + _LINE] for start in range(0, len(text), _LINE))
