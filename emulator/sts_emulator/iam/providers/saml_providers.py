"""SAML providers of IAM: metadata documents that name identity providers and their keys, and keys for decryption."""

from __future__ import annotations

import base64
import secrets
import string
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final, TypedDict

from sts_emulator.accounts import documents
from sts_emulator.accounts.documents import SamlProvider, changed
from sts_emulator.accounts.propagation import key_hash
from sts_emulator.core.errors import AwsError
from sts_emulator.core.world import World
from sts_emulator.iam import tags
from sts_emulator.iam.nouns import Noun, claim
from sts_emulator.iam.permits import permit, permit_new, reach
from sts_emulator.iam.providers import propagation
from sts_emulator.vending.context import Context
from sts_emulator.wire import xml
from sts_emulator.wire.dispatch import Result, operation

SAML_PROVIDER: Final = Noun(
    documents.SAML_PROVIDER,
    "SAMLProvider",
    "SAMLProviderArn",
    "saml-provider",
    "Manifest not found for arn {}",
    "Provider with name {} already exists.",
    quota_name="SAMLProvidersPerAccount",
    quota=100,
    by_arn=True,
)
MAX_METADATA: Final = 10_000_000
MAX_PRIVATE_KEYS: Final = 2
MIN_RSA_BITS: Final = 1024
ALLOWED: Final = "Allowed"  # encrypted assertions, and others too: what a provider does unless told (recorded 2026-09)
REQUIRED: Final = "Required"

_MD: Final = "{urn:oasis:names:tc:SAML:2.0:metadata}"
_DS: Final = "{http://www.w3.org/2000/09/xmldsig#}"
_YEARS: Final = (
    100  # that a provider is good for from its last metadata on, whatever their validUntil says (recorded 2026-09)
)


@operation("iam", "CreateSAMLProvider")
def create_saml_provider(
    ctx: Context,
    *,
    SAMLMetadataDocument: str,
    Name: str,
    Tags: list[Mapping[str, str]] | None = None,
    AssertionEncryptionMode: str = "",
    AddPrivateKey: str = "",
    **propagated: object,
) -> Result:
    """Register an identity provider by its metadata."""
    account = ctx.identity.account
    arn = SAML_PROVIDER.arn(account, "/", Name)
    given = tags.checked(SAML_PROVIDER, Tags)
    now = int(ctx.world.now())
    issuers = _issuers(SAMLMetadataDocument, now) if propagated else ()
    guards = propagation.guards(propagated, issuers)
    permit_new(ctx, SAML_PROVIDER, arn, given, guards)
    claim(ctx, SAML_PROVIDER, Name)
    known = described(SAMLMetadataDocument, now)
    provider: SamlProvider = {
        "account": account,
        "name": Name,
        "arn": arn,
        "uuid": identifier("SAMLSP"),
        "created": now,
        "tags": given,
        "metadata": known["metadata"],
        "issuers": known["issuers"],
        "valid_until": known["valid_until"],
        **propagation.created(ctx.world, propagated),  # type: ignore[typeddict-item]  # members of it
    }
    if AssertionEncryptionMode == REQUIRED and not AddPrivateKey:
        raise AwsError(
            "ValidationError", "Unable to set assertion encryption mode to Required because no private key is provided."
        )
    _set_encryption(provider, now, AssertionEncryptionMode, AddPrivateKey, "")
    ctx.world.add(SAML_PROVIDER.kind, SAML_PROVIDER.key(provider), provider, uid=arn)
    return {"SAMLProviderArn": arn, **tags.echoed(given)}


@operation("iam", "UpdateSAMLProvider")
def update_saml_provider(
    ctx: Context,
    *,
    SAMLProviderArn: str,
    SAMLMetadataDocument: str = "",
    AssertionEncryptionMode: str = "",
    AddPrivateKey: str = "",
    RemovePrivateKey: str = "",
    **propagated: object,
) -> Result:
    """Replace the metadata, change the encryption mode, add or remove a private key, set up propagation."""
    now = int(ctx.world.now())
    issuers = _issuers(SAMLMetadataDocument, now) if SAMLMetadataDocument else ()
    stored = SAML_PROVIDER.find(ctx.world, ctx.identity.account, SAMLProviderArn)
    guards = propagation.guards(propagated, issuers, stored)
    provider = reach(ctx, SAML_PROVIDER, SAMLProviderArn, guards).copy()
    if AddPrivateKey and RemovePrivateKey:
        raise AwsError(
            "ValidationError",
            "Unable to add and remove private keys in the same request. Set a value for only one of the two "
            "parameters.",
        )
    metadata = SAMLMetadataDocument or AssertionEncryptionMode or AddPrivateKey or RemovePrivateKey
    if not (metadata or any(propagated.values())):
        raise AwsError(
            "ValidationError",
            "Unable to update identity provider. No updates are defined for metadata or encryption assertion.",
        )
    if metadata and (propagated.get("ContextProvider") or propagated.get("RemoveContextProvider")):
        raise AwsError("InvalidInput", "A request can change either the context provider or the provider metadata.")
    if any(propagated.values()):
        provider["propagation"] = propagation.updated(ctx.world, provider.get("propagation", {}), propagated)
    if SAMLMetadataDocument:
        provider = {**provider, **described(SAMLMetadataDocument, now)}
    _set_encryption(provider, now, AssertionEncryptionMode, AddPrivateKey, RemovePrivateKey)
    ctx.world.update(SAML_PROVIDER.kind, SAML_PROVIDER.key(provider), lambda _: provider)
    return {"SAMLProviderArn": SAMLProviderArn}


@operation("iam", "GetSAMLProvider")
def get_saml_provider(ctx: Context, *, SAMLProviderArn: str) -> Result:
    """Everything about a provider but its private keys."""
    provider = reach(ctx, SAML_PROVIDER, SAMLProviderArn)
    return {
        "SAMLProviderUUID": provider["uuid"],
        "SAMLMetadataDocument": provider["metadata"],
        "CreateDate": provider["created"],
        "ValidUntil": provider["valid_until"],
        "Tags": tags.shown(provider["tags"]),
        "AssertionEncryptionMode": provider.get("encryption") or ALLOWED,
        "PrivateKeyList": [
            {"KeyId": key["id"], "Timestamp": key["created"]} for key in provider.get("private_keys", ())
        ],
        "SAMLKeyHashes": [
            {"IssuerURL": issuer, "KeyHashes": [key_hash(base64.b64decode(text)) for text in certificates]}
            for issuer, certificates in provider["issuers"].items()
        ],
        **propagation.shown(provider),
    }


@operation("iam", "ListSAMLProviders")
def list_saml_providers(ctx: Context) -> Result:
    """The account's providers, in the order of their names."""
    permit(ctx, "ListSAMLProviders", "*")
    providers = ctx.world.page(SAML_PROVIDER.kind, f"{ctx.identity.account}/")
    return {
        "SAMLProviderList": [
            {"Arn": provider["arn"], "ValidUntil": provider["valid_until"], "CreateDate": provider["created"]}
            for provider in providers
        ]
    }


@operation("iam", "DeleteSAMLProvider")
def delete_saml_provider(ctx: Context, *, SAMLProviderArn: str) -> None:
    """Remove a provider; roles that trust it stay, and cannot be assumed through it any more."""
    provider = reach(ctx, SAML_PROVIDER, SAMLProviderArn)
    ctx.world.take(SAML_PROVIDER.kind, SAML_PROVIDER.key(provider))


tag_saml_provider, untag_saml_provider, list_saml_provider_tags = tags.operations(SAML_PROVIDER)


def set_switches(world: World, arn: str, **switches: bool) -> None:
    """Make a provider differ from AWS: `strict` enforces recipient, audience, validity and single use.

    `sha1` takes signatures with SHA-1.

    Raises:
        KeyError: there is no such provider.
    """
    provider = world.find(SAML_PROVIDER.kind, arn)
    if provider is None:
        raise KeyError(arn)
    world.update(SAML_PROVIDER.kind, SAML_PROVIDER.key(provider), changed(**switches))


# -- metadata -----------------------------------------------------------------------------------------------------


class Described(TypedDict):
    """What a metadata document gives to its provider."""

    metadata: str
    issuers: dict[str, list[str]]
    valid_until: int


def described(document: str, now: int) -> Described:
    """The members that a metadata document gives: the text, its issuers with their certificates, and its end.

    An issuer without certificates is taken, and no assertion of it ever verifies (recorded 2026-09).

    Raises:
        AwsError: InvalidInput for what is no metadata, and for metadata of no identity provider.
    """
    try:
        root = xml.parse(document.encode(), max_bytes=MAX_METADATA)
    except (xml.UnsafeXmlError, UnicodeEncodeError):
        raise _unreadable() from None
    entities = [root] if root.tag == f"{_MD}EntityDescriptor" else root.findall(f".//{_MD}EntityDescriptor")
    issuers = {}
    for entity in entities:
        certificates = [
            _certificate(element.text or "")
            for descriptor in entity.iterfind(f"{_MD}IDPSSODescriptor/{_MD}KeyDescriptor")
            if descriptor.get("use", "signing") == "signing"
            for element in descriptor.iterfind(f"{_DS}KeyInfo/{_DS}X509Data/{_DS}X509Certificate")
        ]
        if entity.get("entityID") and entity.find(f"{_MD}IDPSSODescriptor") is not None:
            issuers[entity.get("entityID")] = certificates
    if not entities:
        raise _unreadable()
    if not issuers:
        raise AwsError("InvalidInput", "SAML Providers must reference at least one SAML assertion issuer.")
    return {"metadata": document, "issuers": issuers, "valid_until": _years_later(now)}


def _issuers(document: str, now: int) -> tuple[str, ...]:
    """The issuers that a request names, for policies; none of metadata that is going to be refused."""
    try:
        return tuple(described(document, now)["issuers"])
    except AwsError:
        return ()


def _certificate(text: str) -> str:
    from cryptography import x509
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric import ec, rsa
    from cryptography.hazmat.primitives.serialization import Encoding

    compact = "".join(text.split()).removeprefix("-----BEGINCERTIFICATE-----").removesuffix("-----ENDCERTIFICATE-----")
    try:
        certificate = x509.load_der_x509_certificate(base64.b64decode(compact, validate=True))
        list(certificate.extensions)  # refuses repeated extensions, as IAM does
        key = certificate.public_key()
    except (ValueError, UnsupportedAlgorithm, x509.DuplicateExtension, x509.UnsupportedGeneralNameType):
        raise _unreadable() from None
    if not isinstance(key, rsa.RSAPublicKey | ec.EllipticCurvePublicKey):
        raise _unreadable()
    if isinstance(key, rsa.RSAPublicKey) and key.key_size < MIN_RSA_BITS:
        raise _unreadable()
    return base64.b64encode(certificate.public_bytes(Encoding.DER)).decode()


def _years_later(now: int) -> int:
    today = datetime.fromtimestamp(now, UTC)
    leap_day = today.month == 2 and today.day == 29  # noqa: PLR2004 - 29 February
    return int(today.replace(year=today.year + _YEARS, day=28 if leap_day else today.day).timestamp())


def _unreadable() -> AwsError:
    return AwsError("InvalidInput", "Could not parse metadata")


# -- encryption ---------------------------------------------------------------------------------------------------


def _set_encryption(provider: SamlProvider, now: int, mode: str, added: str, removed: str) -> None:
    """Change encryption mode and private keys in place; AWS's sentences of 2026-09."""
    keys = list(provider.get("private_keys", ()))
    if removed:
        if all(key["id"] != removed for key in keys):
            raise AwsError("NoSuchEntity", f"Private key {removed} not found")
        keys = [key for key in keys if key["id"] != removed]
        if not keys and (mode or provider.get("encryption")) == REQUIRED:
            raise AwsError("InvalidInput", "Failed to remove private key.")
    if added:
        _check_private_key(added)
        if len(keys) >= MAX_PRIVATE_KEYS:
            raise AwsError("LimitExceeded", f"Private key limit of {MAX_PRIVATE_KEYS} is reached.")
        keys.append({"id": identifier("SAMLPK"), "pem": added, "created": now})
    if mode == REQUIRED and not keys:
        raise AwsError(
            "InvalidInput", "Failed to set assertion encryption mode to Required because no private key is present."
        )
    if mode:
        provider["encryption"] = mode
    provider["private_keys"] = keys


def _check_private_key(pem: str) -> None:
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        key = load_pem_private_key(pem.encode(), None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise AwsError("InvalidInput", "Could not parse private key.") from None
    if not isinstance(key, RSAPrivateKey | EllipticCurvePrivateKey):  # AWS takes either, though only RSA can decrypt
        raise AwsError("InvalidInput", "The private key is neither an RSA nor an EC key.")


def identifier(prefix: str) -> str:
    """An id as AWS makes them for providers and private keys: a prefix and sixteen letters or digits."""
    return prefix + "".join(secrets.choice(_ALPHABET) for _ in range(16))


_ALPHABET: Final = string.ascii_uppercase + string.digits
