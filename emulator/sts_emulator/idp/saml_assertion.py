"""How a lab identity provider writes an assertion: the elements, in the schema's order, and its signature.

The signature is computed here from its parts (digest, SignedInfo, RSA), with lxml's canonicalization and cryptography.
"""

from __future__ import annotations

import base64
import hashlib
import os
from collections.abc import Mapping, Sequence
from typing import Any, Final

from sts_emulator.core import clock, rsa_keys
from sts_emulator.policy.light_dataclass import dataclass

SAMLP: Final = "urn:oasis:names:tc:SAML:2.0:protocol"
SAML: Final = "urn:oasis:names:tc:SAML:2.0:assertion"
DS: Final = "http://www.w3.org/2000/09/xmldsig#"
XENC: Final = "http://www.w3.org/2001/04/xmlenc#"
XENC11: Final = "http://www.w3.org/2009/xmlenc11#"
EXCLUSIVE: Final = "http://www.w3.org/2001/10/xml-exc-c14n#"
RSA_SHA256: Final = "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256"
SHA256: Final = "http://www.w3.org/2001/04/xmlenc#sha256"
PERSISTENT: Final = "urn:oasis:names:tc:SAML:2.0:nameid-format:persistent"
BEARER: Final = "urn:oasis:names:tc:SAML:2.0:cm:bearer"
ONE_TIME_CODE: Final = "urn:oasis:names:tc:SAML:2.0:ac:classes:TimeSyncToken"
PASSWORD: Final = "urn:oasis:names:tc:SAML:2.0:ac:classes:PasswordProtectedTransport"  # noqa: S105 - a class of login
SUCCESS: Final = "urn:oasis:names:tc:SAML:2.0:status:Success"


@dataclass(frozen=True, slots=True)
class Facts:
    """What an assertion says; times in seconds, attributes as lists of values by name."""

    issuer: str
    subject: str
    now: float
    lifetime: int
    destination: str
    recipient: str
    audience: str
    attributes: Mapping[str, Sequence[str]]
    in_response_to: str = ""
    authentication: str = PASSWORD


def signed_response(facts: Facts, private_key: str, certificate: str, *, encrypt_for: str = "") -> str:
    """A Response with one signed assertion, in base64. `private_key` is PEM, `certificate` base64 of DER.

    With another certificate, `encrypt_for`, only the holder of its key can read the assertion.
    """
    assertion = _assertion(facts)
    _sign(assertion, private_key, certificate)
    return _response(facts, assertion, encrypt_for)


def unsigned_response(facts: Facts, *, encrypt_for: str = "") -> str:
    """That Response without a signature, for whoever only supposes one: no verifier takes it."""
    return _response(facts, _assertion(facts), encrypt_for)


def _response(facts: Facts, assertion: Any, encrypt_for: str) -> str:
    response = _answer("Response", facts.issuer, facts.now, facts.destination, facts.in_response_to)
    response.append(_encrypted(assertion, encrypt_for) if encrypt_for else assertion)
    return _encoded(response)


def signed_farewell(issuer: str, place: str, number: str, now: float, private_key: str, certificate: str) -> str:
    """A LogoutResponse to the request of that number, signed, in base64."""
    response = _answer("LogoutResponse", issuer, now, place, number)
    _sign(response, private_key, certificate)
    return _encoded(response)


def _answer(name: str, issuer: str, now: float, place: str, number: str) -> Any:
    """An answer that says yes, to the request of that number if there is one."""
    answer = _element(
        None, SAMLP, name, ID=_identifier(), Version="2.0", IssueInstant=clock.iso(now), Destination=place
    )
    if number:
        answer.set("InResponseTo", number)
    _element(answer, SAML, "Issuer").text = issuer
    _element(_element(answer, SAMLP, "Status"), SAMLP, "StatusCode", Value=SUCCESS)
    return answer


def _encoded(answer: Any) -> str:
    from lxml import etree

    return base64.b64encode(etree.tostring(answer)).decode()


def _encrypted(assertion: Any, certificate: str) -> Any:
    """An EncryptedAssertion: AES-256-GCM under RSA-OAEP (XML Encryption 1.1, 5.2.4 and 5.5.2)."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import padding
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM
    from lxml import etree

    secret, start = os.urandom(32), os.urandom(12)
    cipher_text = start + AESGCM(secret).encrypt(start, etree.tostring(assertion), None)
    scheme = padding.OAEP(padding.MGF1(hashes.SHA1()), hashes.SHA1(), None)  # noqa: S303 - what rsa-oaep-mgf1p means
    key: Any = x509.load_der_x509_certificate(base64.b64decode(certificate)).public_key()
    holder = _element(None, SAML, "EncryptedAssertion")
    data = _element(holder, XENC, "EncryptedData", Type=f"{XENC}Element")
    _element(data, XENC, "EncryptionMethod", Algorithm=f"{XENC11}aes256-gcm")
    carrier = _element(_element(data, DS, "KeyInfo"), XENC, "EncryptedKey")
    _element(carrier, XENC, "EncryptionMethod", Algorithm=f"{XENC}rsa-oaep-mgf1p")
    for parent, value in ((carrier, key.encrypt(secret, scheme)), (data, cipher_text)):
        _element(_element(parent, XENC, "CipherData"), XENC, "CipherValue").text = base64.b64encode(value).decode()
    return holder


def _assertion(facts: Facts) -> Any:
    issued, expires = clock.iso(facts.now), clock.iso(facts.now + facts.lifetime)
    assertion = _element(None, SAML, "Assertion", ID=_identifier(), Version="2.0", IssueInstant=issued)
    _element(assertion, SAML, "Issuer").text = facts.issuer
    subject = _element(assertion, SAML, "Subject")
    _element(subject, SAML, "NameID", Format=PERSISTENT).text = facts.subject
    confirmation = _element(subject, SAML, "SubjectConfirmation", Method=BEARER)
    data = _element(confirmation, SAML, "SubjectConfirmationData", NotOnOrAfter=expires, Recipient=facts.recipient)
    if facts.in_response_to:
        data.set("InResponseTo", facts.in_response_to)
    start = clock.iso(min(facts.now, facts.now + facts.lifetime) - 60)  # for clocks that run behind
    conditions = _element(assertion, SAML, "Conditions", NotBefore=start, NotOnOrAfter=expires)
    _element(_element(conditions, SAML, "AudienceRestriction"), SAML, "Audience").text = facts.audience
    statement = _element(assertion, SAML, "AuthnStatement", AuthnInstant=issued, SessionIndex=_identifier())
    _element(_element(statement, SAML, "AuthnContext"), SAML, "AuthnContextClassRef").text = facts.authentication
    listed = _element(assertion, SAML, "AttributeStatement")
    for name, values in facts.attributes.items():
        attribute = _element(listed, SAML, "Attribute", Name=name)
        for value in values:
            _element(attribute, SAML, "AttributeValue").text = value
    return assertion


def _sign(assertion: Any, private_key: str, certificate: str) -> None:
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import padding

    digest = hashlib.sha256(_canonical(assertion)).digest()  # before the signature is in it, as it is "enveloped"
    signature = _element(None, DS, "Signature")
    assertion.insert(1, signature)
    info = _element(signature, DS, "SignedInfo")
    _element(info, DS, "CanonicalizationMethod", Algorithm=EXCLUSIVE)
    _element(info, DS, "SignatureMethod", Algorithm=RSA_SHA256)
    reference = _element(info, DS, "Reference", URI=f"#{assertion.get('ID')}")
    transforms = _element(reference, DS, "Transforms")
    for algorithm in (f"{DS}enveloped-signature", EXCLUSIVE):
        _element(transforms, DS, "Transform", Algorithm=algorithm)
    _element(reference, DS, "DigestMethod", Algorithm=SHA256)
    _element(reference, DS, "DigestValue").text = base64.b64encode(digest).decode()
    value = rsa_keys.load(private_key).sign(_canonical(info), padding.PKCS1v15(), hashes.SHA256())
    _element(signature, DS, "SignatureValue").text = base64.b64encode(value).decode()
    data = _element(_element(signature, DS, "KeyInfo"), DS, "X509Data")
    _element(data, DS, "X509Certificate").text = certificate


def _canonical(element: Any) -> bytes:
    from lxml import etree

    return etree.tostring(element, method="c14n", exclusive=True)


def _element(parent: Any, namespace: str, name: str, **attributes: str) -> Any:
    from lxml import etree

    tag = f"{{{namespace}}}{name}"
    if parent is None:
        return etree.Element(tag, attributes, nsmap=_PREFIXES[namespace])
    return etree.SubElement(parent, tag, attributes, nsmap=_PREFIXES[namespace])


_PREFIXES: Final[Mapping[str, dict[str, str]]] = {
    SAMLP: {"samlp": SAMLP},
    SAML: {"saml": SAML},
    DS: {"ds": DS},
    XENC: {"xenc": XENC},
}


def _identifier() -> str:
    return f"_{os.urandom(16).hex()}"
