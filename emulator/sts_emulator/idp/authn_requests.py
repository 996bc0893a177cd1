"""What service providers ask a lab identity provider by a browser's redirect: AuthnRequests and LogoutRequests of SAML.

Only service providers of the same world are answered, at their own address: no request sends an assertion elsewhere.
"""

from __future__ import annotations

import base64
import binascii
import zlib
from collections.abc import Iterator, Mapping
from typing import Any, Final

from sts_emulator.accounts import directory
from sts_emulator.accounts.resources import Stored
from sts_emulator.idp.user_pools.federation import saml_keys
from sts_emulator.idp.user_pools.kinds import IDENTITY_PROVIDER, IdentityProvider
from sts_emulator.pages.visit import Visit
from sts_emulator.policy.light_dataclass import dataclass
from sts_emulator.wire import xml
from sts_emulator.wire.http import unquote

_LONGEST: Final = 16_384  # characters, and bytes when inflated: a request is below one thousand
_SAMLP: Final = "{urn:oasis:names:tc:SAML:2.0:protocol}"
_SAML: Final = "{urn:oasis:names:tc:SAML:2.0:assertion}"
_POOL: Final = "urn:amazon:cognito:sp:"
_RSA_SHA256: Final = "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256"
_SIGNED: Final = ("SAMLRequest", "RelayState", "SigAlg")


@dataclass(frozen=True, slots=True)
class Asking:
    """Who asks, and where the answer goes."""

    id: str
    service_provider: str
    place: str
    encrypt_for: str = ""  # the certificate of who alone may read an assertion


def read(visit: Visit, idp: Stored, text: str) -> Asking:
    """A request of this world's Identity Center or of one of its user pools, to sign a person in.

    Raises:
        ValueError: it is none, or is of nobody that this identity provider knows.
    """
    root = _parsed(text, "AuthnRequest")
    issuer = root.findtext(f"{_SAML}Issuer", "").strip()
    known = {
        directory.service_provider(instance): f"{visit.base_url}{directory.acs_path(instance)}"
        for instance in directory.instances(visit.world)
        if idp["entity_id"] in instance.get("identity_provider", {}).get("issuers", ())
    }
    asking = list(_pool_providers(visit, idp, issuer))
    if asking:
        known[issuer] = f"{visit.base_url}/saml2/idpresponse"
    if issuer not in known:
        raise ValueError(f"no service provider `{issuer[:200]}` is registered at `{idp['name']}`")
    if root.get("AssertionConsumerServiceURL", known[issuer]) != known[issuer]:
        raise ValueError("the AssertionConsumerServiceURL is not the one that the service provider registered")
    certificates = [provider["details"].get("ActiveEncryptionCertificate", "") for provider in asking]
    return Asking(root.get("ID"), issuer, known[issuer], next(filter(None, certificates), ""))


def check_signed(visit: Visit, idp: Mapping[str, object], asking: Asking) -> None:
    """Look at the signature of the visit's query, which a user pool makes where it says so (RequestSigningAlgorithm).

    Raises:
        ValueError: it is not there, or not the pool's.
    """
    providers = list(_pool_providers(visit, idp, asking.service_provider))
    is_due = bool(providers) and all(provider["details"].get("RequestSigningAlgorithm") for provider in providers)
    if is_due or (providers and "Signature" in visit.query):
        _check_signature(visit, asking.service_provider)


def read_farewell(visit: Visit, idp: Stored, text: str) -> Asking:
    """A request of a user pool to sign a person out, which is always signed. Raises ValueError, as the others."""
    root = _parsed(text, "LogoutRequest")
    issuer = root.findtext(f"{_SAML}Issuer", "").strip()
    if not any(provider["details"].get("IDPSignout") == "true" for provider in _pool_providers(visit, idp, issuer)):
        raise ValueError(f"no user pool `{issuer[:200]}` signs people out at `{idp['name']}` (IDPSignout)")
    _check_signature(visit, issuer)
    return Asking(root.get("ID"), issuer, f"{visit.base_url}/saml2/logout")


def _pool_providers(visit: Visit, idp: Stored, issuer: str) -> Iterator[IdentityProvider]:
    """What a user pool knows this identity provider as."""
    pool = issuer.removeprefix(_POOL)
    for provider in visit.world.page(IDENTITY_PROVIDER, f"{pool}/") if pool != issuer else ():
        if provider["type"] == "SAML" and idp["certificate"] in "".join(provider["details"]["MetadataFile"].split()):
            yield provider


def _check_signature(visit: Visit, issuer: str) -> None:
    """It covers the query as it was sent (SAML bindings, 3.4.4.1)."""
    from cryptography import x509
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import padding

    key = visit.world.get(saml_keys.SAML_KEY, f"{issuer.removeprefix(_POOL)}/{saml_keys.SIGNING}")
    sent = dict(part.partition("=")[::2] for part in visit.request.query.split("&"))
    told = "&".join(f"{name}={sent[name]}" for name in _SIGNED if name in sent)
    if key is None or "Signature" not in sent or unquote(sent.get("SigAlg", ""), plus=True) != _RSA_SHA256:
        raise ValueError("the request is not signed, or not by rsa-sha256")
    public: Any = x509.load_der_x509_certificate(base64.b64decode(key["certificate"])).public_key()
    try:
        value = base64.b64decode(unquote(sent["Signature"], plus=True), validate=True)
        public.verify(value, told.encode(), padding.PKCS1v15(), hashes.SHA256())
    except (binascii.Error, InvalidSignature):
        raise ValueError("the signature of the request is not that of the user pool") from None


def _parsed(text: str, kind: str) -> Any:
    inflate = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        data = base64.b64decode(text[:_LONGEST], validate=True)
        root = xml.parse(inflate.decompress(data, _LONGEST), max_bytes=_LONGEST)
    except (binascii.Error, zlib.error, xml.UnsafeXmlError):
        raise ValueError("the SAMLRequest cannot be read") from None
    if inflate.unconsumed_tail or root.tag != f"{_SAMLP}{kind}" or not root.get("ID"):
        raise ValueError(f"the SAMLRequest is no {kind} with an ID")
    return root
