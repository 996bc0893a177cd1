"""What service providers other than STS share: the question to an identity provider, and the check of its answer."""

from __future__ import annotations

import base64
import zlib
from collections.abc import Mapping
from typing import Final
from urllib.parse import urlencode
from xml.sax.saxutils import escape

from sts_emulator.core import clock, rsa_keys
from sts_emulator.methods.saml import message, signature
from sts_emulator.methods.saml.assertion_refusals import refused
from sts_emulator.methods.saml.claims import Claims
from sts_emulator.methods.saml.verify import Trusted, verify

RSA_SHA256: Final = "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256"
FRESH: Final = 300
"""Seconds after which an assertion is too old, as STS documents it for its own."""


def authn_request(entity: str, place: str, number: str, now: float, destination: str = "") -> str:
    """An AuthnRequest for the HTTP-Redirect binding (SAML bindings, 3.4.4.1: deflated, then base64)."""
    attributes = (
        'ProtocolBinding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST" '
        f'AssertionConsumerServiceURL="{_escaped(place)}"'
    )
    return _deflated(_request("AuthnRequest", entity, number, now, destination, attributes))


def logout_request(
    entity: str, number: str, now: float, destination: str, name_id: tuple[str, str], session: str
) -> str:
    """A LogoutRequest for the same binding, of a NameID (its format, and itself) and the provider's session of it."""
    kind, subject = map(_escaped, name_id)
    content = f'<saml:NameID Format="{kind}">{subject}</saml:NameID>'
    content += f"<samlp:SessionIndex>{_escaped(session)}</samlp:SessionIndex>" if session else ""
    return _deflated(_request("LogoutRequest", entity, number, now, destination, "", content))


def signed(query: Mapping[str, str], private_key: str) -> dict[str, str]:
    """A query of that binding with its signature (SAML bindings, 3.4.4.1): it covers what is sent, as it is sent."""
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import padding

    told = {**query, "SigAlg": RSA_SHA256}
    value = rsa_keys.load(private_key).sign(urlencode(told).encode(), padding.PKCS1v15(), hashes.SHA256())
    return {**told, "Signature": base64.b64encode(value).decode()}


def _request(
    name: str, entity: str, number: str, now: float, destination: str, attributes: str, content: str = ""
) -> str:
    placed = f'Destination="{_escaped(destination)}" ' if destination else ""
    return (
        f'<samlp:{name} xmlns:samlp="urn:oasis:names:tc:SAML:2.0:protocol" '
        'xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion" '
        f'ID="{number}" Version="2.0" IssueInstant="{clock.iso(now)}" {placed}{attributes}>'
        f"<saml:Issuer>{_escaped(entity)}</saml:Issuer>{content}</samlp:{name}>"
    )


def _deflated(text: str) -> str:
    deflate = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return base64.b64encode(deflate.compress(text.encode()) + deflate.flush()).decode()


def _escaped(text: str) -> str:
    return escape(text, {'"': "&quot;"})


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


def prove_sign_out(trusted: Trusted, text: str, place: str, number: str, now: float) -> None:
    """Look at a LogoutResponse: whether it is the identity provider's, to this request, fresh, and says yes.

    Raises:
        Refused: it is not.
    """
    root = message.parsed(text)
    if root.tag != f"{message.SAMLP}LogoutResponse" or root.get("Version") != "2.0":
        raise refused("it is no LogoutResponse")
    issuer = root.findtext(f"{message.SAML}Issuer", "").strip()
    signature.verify_alone(root, trusted.issuers.get(issuer, ()))
    if root.get("InResponseTo") != number or root.get("Destination", place) != place:
        raise refused("it answers another request, or is to be taken elsewhere")
    try:
        issued = clock.parse_iso(root.get("IssueInstant", ""))
    except ValueError:
        raise refused("its IssueInstant is no instant") from None
    if abs(issued - now) > FRESH:
        raise refused("it is older than five minutes, or not good yet")
    codes = [code.get("Value") for code in root.findall(f"{message.SAMLP}Status/{message.SAMLP}StatusCode")]
    if codes != [message.SUCCESS]:
        raise refused("the identity provider says that it did not sign the person out")
