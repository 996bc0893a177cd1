"""What service providers other than STS share: the question to an identity provider, and the check of its answer."""

from __future__ import annotations

import base64
import zlib
from typing import Final

from sts_emulator.core import clock
from sts_emulator.methods.saml import message
from sts_emulator.methods.saml.assertion_refusals import refused
from sts_emulator.methods.saml.claims import Claims
from sts_emulator.methods.saml.verify import Trusted, verify

FRESH: Final = 300
"""Seconds after which an assertion is too old, as STS documents it for its own."""


def authn_request(entity: str, place: str, number: str, now: float) -> str:
    """An AuthnRequest for the HTTP-Redirect binding (SAML bindings, 3.4.4.1: deflated, then base64)."""
    here = place.replace("&", "&amp;").replace('"', "&quot;")
    text = (
        '<samlp:AuthnRequest xmlns:samlp="urn:oasis:names:tc:SAML:2.0:protocol" '
        f'ID="{number}" Version="2.0" IssueInstant="{clock.iso(now)}" '
        'ProtocolBinding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST" '
        f'AssertionConsumerServiceURL="{here}">'
        f'<saml:Issuer xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion">{entity}</saml:Issuer></samlp:AuthnRequest>'
    )
    deflate = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return base64.b64encode(deflate.compress(text.encode()) + deflate.flush()).decode()


def prove(trusted: Trusted, text: str, entity: str, place: str, now: float) -> Claims:
    """What a response says, once the identity provider's key proves it; pure, so that it may run in a thread.

    Raises:
        Refused: the response proves nothing, is for somebody else than `entity` at `place`, or is too old.
    """
    response = message.read(text)
    claims = verify(trusted, response, now, "")
    if entity not in claims.audiences:
        raise refused(f"the assertion is for {', '.join(claims.audiences[:5])[:500] or 'nobody'}")
    if claims.recipient != place or response.response.get("Destination", place) != place:
        raise refused(f"the assertion is to be taken to {claims.recipient[:200]}")
    if claims.starts > now or claims.issued > now + FRESH or now >= claims.issued + FRESH:
        raise refused("the assertion is older than five minutes, or not good yet")
    if response.response.get("InResponseTo", claims.in_response_to) != claims.in_response_to:
        raise refused("the response answers another request than its assertion does")
    return claims
