"""Assertions for the tests, made with lxml and signxml: no code is shared with the verifier or with the lab issuer."""

from __future__ import annotations

import base64
import datetime as dt
import secrets
from dataclasses import dataclass, field, replace
from functools import cache

import xmlsec
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID
from lxml import etree

ACCOUNT = "123456789012"
ISSUER = "https://idp.example.test/metadata"
PROVIDER = f"arn:aws:iam::{ACCOUNT}:saml-provider/Corp"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/Reader"
SIGN_IN = "https://signin.aws.amazon.com/saml"
PERSISTENT = "urn:oasis:names:tc:SAML:2.0:nameid-format:persistent"
AWS = "https://aws.amazon.com/SAML/Attributes/"
NS = {
    "p": "urn:oasis:names:tc:SAML:2.0:protocol",
    "a": "urn:oasis:names:tc:SAML:2.0:assertion",
    "ds": "http://www.w3.org/2000/09/xmldsig#",
}
DS = "{http://www.w3.org/2000/09/xmldsig#}"
A = "{urn:oasis:names:tc:SAML:2.0:assertion}"


@dataclass(frozen=True)
class Identity:
    """A key pair and its self-signed certificate."""

    key: object
    certificate: x509.Certificate

    @property
    def key_pem(self) -> bytes:
        return self.key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )

    @property
    def certificate_pem(self) -> bytes:
        return self.certificate.public_bytes(serialization.Encoding.PEM)

    @property
    def certificate_text(self) -> str:
        return base64.b64encode(self.certificate.public_bytes(serialization.Encoding.DER)).decode()


@cache
def identity(name: str = "idp", kind: str = "rsa", expires_in: int = 3650, bits: int = 2048) -> Identity:
    """The same identity for the same name within one test run."""
    key = rsa.generate_private_key(65537, bits) if kind == "rsa" else ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=4000))
        .not_valid_after(now + dt.timedelta(days=expires_in))
        .sign(key, hashes.SHA256())
    )
    return Identity(key, certificate)


def metadata(*certificates: str, issuer: str = ISSUER, extra: str = "", valid_until: str = "") -> str:
    """A metadata document of an identity provider, padded to AWS's minimum of 1000 characters."""
    keys = "".join(
        f'<md:KeyDescriptor use="signing"><ds:KeyInfo xmlns:ds="{NS["ds"]}"><ds:X509Data><ds:X509Certificate>{value}'
        "</ds:X509Certificate></ds:X509Data></ds:KeyInfo></md:KeyDescriptor>"
        for value in certificates
    )
    until = f' validUntil="{valid_until}"' if valid_until else ""
    return (
        f'<?xml version="1.0" encoding="UTF-8"?><md:EntityDescriptor '
        f'xmlns:md="urn:oasis:names:tc:SAML:2.0:metadata" entityID="{issuer}"{until}>'
        f'<md:IDPSSODescriptor protocolSupportEnumeration="{NS["p"]}">{keys}{extra}'
        '<md:SingleSignOnService Binding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST" '
        'Location="https://idp.example.test/sso"/></md:IDPSSODescriptor></md:EntityDescriptor>'
    )


@dataclass(frozen=True)
class Ticket:
    """What an assertion is to say; times are seconds from `now`, None leaves the attribute or element out.

    A ticket that names no `now` takes it when it is written: tests are collected long before they run.
    """

    now: float | None = None
    id: str = field(default_factory=lambda: f"_{secrets.token_hex(16)}")
    response_id: str = field(default_factory=lambda: f"_{secrets.token_hex(16)}")
    issuer: str = ISSUER
    response_issuer: str = ISSUER
    subject: str | None = "subject-123"
    name_format: str | None = PERSISTENT
    recipient: str | None = SIGN_IN
    destination: str | None = SIGN_IN
    audience: str | None = "urn:amazon:webservices"
    issued: float = 0
    starts: float | str | None = -60
    ends: float | None = 300
    subject_starts: float | None = None
    subject_ends: float | None = 300
    session_ends: float | None = None
    conditions: bool = True
    authn: bool = True
    confirmations: int = 1
    roles: tuple[str, ...] = (f"{ROLE},{PROVIDER}",)
    session_name: str | None = "jane"
    attributes: dict[str, list[str]] = field(default_factory=dict)

    def but(self, **changes: object) -> Ticket:
        return replace(self, **changes)

    def _instant(self, offset: float | str) -> str:
        if isinstance(offset, str):
            return offset
        now = dt.datetime.now(dt.UTC).timestamp() if self.now is None else self.now
        return dt.datetime.fromtimestamp(now + offset, dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

    def _times(self, **offsets: float | str | None) -> str:
        return "".join(f' {name}="{self._instant(at)}"' for name, at in offsets.items() if at is not None)

    def assertion(self) -> str:
        """The assertion as unsigned XML; a placeholder marks where the signature goes."""
        attributes = {f"{AWS}Role": list(self.roles), **self.attributes}
        if self.session_name is not None:
            attributes[f"{AWS}RoleSessionName"] = [self.session_name]
        values = "".join(
            f'<a:Attribute Name="{name}">'
            + "".join(f"<a:AttributeValue>{value}</a:AttributeValue>" for value in several)
            + "</a:Attribute>"
            for name, several in attributes.items()
            if several
        )
        return (
            f'<a:Assertion xmlns:a="{NS["a"]}" ID="{self.id}" Version="2.0"{self._times(IssueInstant=self.issued)}>'
            f"<a:Issuer>{self.issuer}</a:Issuer>"
            f'<ds:Signature xmlns:ds="{NS["ds"]}" Id="placeholder"></ds:Signature>'
            f"{self._subject()}{self._conditions()}{self._authn()}"
            f"<a:AttributeStatement>{values}</a:AttributeStatement></a:Assertion>"
        )

    def _subject(self) -> str:
        recipient = f' Recipient="{self.recipient}"' if self.recipient is not None else ""
        times = self._times(NotBefore=self.subject_starts, NotOnOrAfter=self.subject_ends)
        confirmation = (
            '<a:SubjectConfirmation Method="urn:oasis:names:tc:SAML:2.0:cm:bearer">'
            f"<a:SubjectConfirmationData{recipient}{times}/></a:SubjectConfirmation>"
        )
        form = f' Format="{self.name_format}"' if self.name_format is not None else ""
        name = f"<a:NameID{form}>{self.subject}</a:NameID>" if self.subject is not None else ""
        return f"<a:Subject>{name}{confirmation * self.confirmations}</a:Subject>"

    def _conditions(self) -> str:
        if not self.conditions:
            return ""
        audience = (
            f"<a:AudienceRestriction><a:Audience>{self.audience}</a:Audience></a:AudienceRestriction>"
            if self.audience is not None
            else ""
        )
        return f"<a:Conditions{self._times(NotBefore=self.starts, NotOnOrAfter=self.ends)}>{audience}</a:Conditions>"

    def _authn(self) -> str:
        if not self.authn:
            return ""
        times = self._times(AuthnInstant=self.issued, SessionNotOnOrAfter=self.session_ends)
        return (
            f"<a:AuthnStatement{times}><a:AuthnContext><a:AuthnContextClassRef>"
            "urn:oasis:names:tc:SAML:2.0:ac:classes:Password</a:AuthnContextClassRef></a:AuthnContext></a:AuthnStatement>"
        )

    def response(self, content: str) -> str:
        """The response around an assertion's XML."""
        destination = f' Destination="{self.destination}"' if self.destination is not None else ""
        return (
            f'<p:Response xmlns:p="{NS["p"]}" ID="{self.response_id}" Version="2.0"'
            f"{self._times(IssueInstant=self.issued)}{destination}>"
            f'<a:Issuer xmlns:a="{NS["a"]}">{self.response_issuer}</a:Issuer>'
            f'<p:Status><p:StatusCode Value="urn:oasis:names:tc:SAML:2.0:status:Success"/></p:Status>'
            f"{content}</p:Response>"
        )


def sign(xml: str, by: Identity | None = None, algorithm: str = "sha256", reference: str | None = None) -> str:
    """The XML with an enveloped signature in place of its placeholder (or at its end), by signxml."""
    from signxml import CanonicalizationMethod, DigestAlgorithm, SignatureMethod, XMLSigner, methods

    by = by or identity()
    kind = "RSA" if isinstance(by.key, rsa.RSAPrivateKey) else "ECDSA"

    class Signer(XMLSigner):
        def check_deprecated_methods(self):
            """Let SHA-1 pass, which pysaml2 uses."""

    signer = Signer(
        method=methods.enveloped,
        signature_algorithm=SignatureMethod[f"{kind}_{algorithm.upper()}"],
        digest_algorithm=DigestAlgorithm[algorithm.upper()],
        c14n_algorithm=CanonicalizationMethod.EXCLUSIVE_XML_CANONICALIZATION_1_0,
    )
    root = etree.fromstring(xml)
    signed = signer.sign(root, key=by.key, cert=by.certificate_pem.decode(), reference_uri=reference or root.get("ID"))
    return etree.tostring(signed).decode()


def unsigned(xml: str) -> str:
    """The XML without the placeholder."""
    root = etree.fromstring(xml)
    for placeholder in root.findall(f".//{DS}Signature[@Id='placeholder']"):
        placeholder.getparent().remove(placeholder)
    return etree.tostring(root).decode()


def encode(xml: str | bytes) -> str:
    return base64.b64encode(xml.encode() if isinstance(xml, str) else xml).decode()


def saml_response(ticket: Ticket | None = None, by: Identity | None = None, **changes: object) -> str:
    """A good response in base64, signed on its assertion."""
    ticket = (ticket or Ticket()).but(**changes)
    return encode(ticket.response(sign(ticket.assertion(), by)))


def by_xmlsec(plain: str, certificate: bytes | str, bits: int = 128) -> str:
    """The assertion encrypted for a certificate (PEM) by libxmlsec, without the namespaces declared around it."""
    root = etree.fromstring(f'<a:EncryptedAssertion xmlns:a="{NS["a"]}">{plain}</a:EncryptedAssertion>')
    cipher = {128: xmlsec.Transform.AES128, 256: xmlsec.Transform.AES256}[bits]
    data = xmlsec.template.encrypted_data_create(root, cipher, type=xmlsec.EncryptionType.ELEMENT, ns="x")
    xmlsec.template.encrypted_data_ensure_cipher_value(data)
    info = xmlsec.template.encrypted_data_ensure_key_info(data, ns="ds")
    carrier = xmlsec.template.add_encrypted_key(info, xmlsec.Transform.RSA_OAEP)
    xmlsec.template.encrypted_data_ensure_cipher_value(carrier)
    manager = xmlsec.KeysManager()
    manager.add_key(xmlsec.Key.from_memory(certificate, xmlsec.KeyFormat.CERT_PEM))
    context = xmlsec.EncryptionContext(manager)
    context.key = xmlsec.Key.generate(xmlsec.KeyData.AES, bits, xmlsec.KeyDataType.SESSION)
    context.encrypt_xml(data, root[0])
    return etree.tostring(root).decode()
