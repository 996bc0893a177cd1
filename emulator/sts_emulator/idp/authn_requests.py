"""What a service provider asks of a lab identity provider: SAML's AuthnRequest, by a browser's redirect.

Only service providers of the same world are answered, at their own address: no request sends an assertion elsewhere.
"""

from __future__ import annotations

import base64
import binascii
import zlib
from dataclasses import dataclass
from typing import Any, Final

from sts_emulator.accounts import directory
from sts_emulator.accounts.resources import Stored
from sts_emulator.idp.user_pools.kinds import IDENTITY_PROVIDER
from sts_emulator.pages.visit import Visit
from sts_emulator.wire import xml

_LONGEST: Final = 16_384  # characters, and bytes when inflated: a request is below one thousand
_SAMLP: Final = "{urn:oasis:names:tc:SAML:2.0:protocol}"
_SAML: Final = "{urn:oasis:names:tc:SAML:2.0:assertion}"


@dataclass(frozen=True, slots=True)
class AuthnRequest:
    """Who asks, and where the answer goes."""

    id: str
    service_provider: str
    place: str  # its assertion consumer service


def read(visit: Visit, idp: Stored, text: str) -> AuthnRequest:
    """A request of this world's Identity Center or of one of its user pools, as its browser brings it.

    Raises:
        ValueError: it is none, or is of nobody that this identity provider knows.
    """
    root = _parsed(text)
    known = {
        directory.service_provider(instance): f"{visit.base_url}{directory.acs_path(instance)}"
        for instance in directory.instances(visit.world)
        if idp["entity_id"] in instance.get("identity_provider", {}).get("issuers", ())
    }
    issuer = root.findtext(f"{_SAML}Issuer", "").strip()
    known |= {
        f"urn:amazon:cognito:sp:{provider['pool']}": f"{visit.base_url}/saml2/idpresponse"
        for provider in visit.world.page(IDENTITY_PROVIDER)
        if provider["type"] == "SAML" and idp["certificate"] in "".join(provider["details"]["MetadataFile"].split())
    }
    if issuer not in known:
        raise ValueError(f"no service provider `{issuer[:200]}` is registered at `{idp['name']}`")
    if root.get("AssertionConsumerServiceURL", known[issuer]) != known[issuer]:
        raise ValueError("the AssertionConsumerServiceURL is not the one that the service provider registered")
    return AuthnRequest(root.get("ID"), issuer, known[issuer])


def _parsed(text: str) -> Any:
    inflate = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        data = base64.b64decode(text[:_LONGEST], validate=True)
        root = xml.parse(inflate.decompress(data, _LONGEST), max_bytes=_LONGEST)
    except (binascii.Error, zlib.error, xml.UnsafeXmlError):
        raise ValueError("the SAMLRequest cannot be read") from None
    if inflate.unconsumed_tail or root.tag != f"{_SAMLP}AuthnRequest" or not root.get("ID"):
        raise ValueError("the SAMLRequest is no AuthnRequest with an ID")
    return root
