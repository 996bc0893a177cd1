"""XML signatures, verified with the provider's own keys and after their form was found to be the one that is allowed.

libxmlsec does what a signature tells it to before it knows whose signature it is: a second reference to a `file://` URI
opens that file, an XPath transform of a few kilobytes takes 14 seconds (docs/aws/saml.md, "Verifiers and forgeries").
So the form is checked first, xmlsec is restricted to the same algorithms, and claims are read from the bytes that were
digested.
"""

from __future__ import annotations

import base64
import hashlib
import importlib
import re
from functools import lru_cache
from typing import Any, Final

from sts_emulator.methods.saml.assertion_refusals import badly_signed
from sts_emulator.methods.saml.message import DS, Message, signature_of

EXCLUSIVE: Final = "http://www.w3.org/2001/10/xml-exc-c14n#"
ENVELOPED: Final = "http://www.w3.org/2000/09/xmldsig#enveloped-signature"
DIGESTS: Final = {
    "http://www.w3.org/2001/04/xmlenc#sha256": "sha256",
    "http://www.w3.org/2001/04/xmldsig-more#sha384": "sha384",
    "http://www.w3.org/2001/04/xmlenc#sha512": "sha512",
}
METHODS: Final = frozenset(
    f"http://www.w3.org/2001/04/xmldsig-more#{kind}-{digest}"
    for kind in ("rsa", "ecdsa")
    for digest in ("sha256", "sha384", "sha512")
)

# What pysaml2 signs with unless told otherwise. AWS's stance is not recorded: refused, but for a provider that is
# marked to take it.
SHA1_DIGEST: Final = "http://www.w3.org/2000/09/xmldsig#sha1"
SHA1_METHOD: Final = "http://www.w3.org/2000/09/xmldsig#rsa-sha1"

_KEY_INFO = {f"{DS}{name}" for name in ("X509Data", "KeyValue", "KeyName")}
_ID = re.compile(r"[A-Za-z_][\w.\-]{0,255}", re.ASCII)
_PREFIXES = f"{{{EXCLUSIVE}}}InclusiveNamespaces"


def verify(
    message: Message, assertion: object, certificates: tuple[bytes, ...], *, sha1: bool = False
) -> tuple[Any, bytes]:
    """The assertion as its signer wrote it, and the certificate whose key signed it.

    It is a tree made anew from the bytes that the signature's digest covers.

    `assertion` is the message's own, or what was decrypted. `certificates` are the provider's, in DER; a KeyInfo in the
    message is never asked, and a certificate's validity does not matter, as on AWS
    (docs/aws/saml.md, "What is accepted").

    Raises:
        Refused: the assertion has no signature; a signature has a form that is not allowed, or none of the certificates
            verifies it. A signature on the response is optional, but must be good.
    """
    signature = signature_of(assertion)
    check_form(signature, sha1=sha1)
    if message.response_signature is not None:
        check_form(message.response_signature, sha1=sha1)
        _check(message.response_signature, certificates, sha1=sha1)
    signer = _check(signature, certificates, sha1=sha1)
    return _as_digested(signature), signer


def verify_alone(root: Any, certificates: tuple[bytes, ...]) -> None:
    """Refuse a document that is not signed as a whole, and once, by one of the certificates. Raises Refused."""
    signatures = list(root.iter(f"{DS}Signature"))
    _need(len(signatures) == 1 and signatures[0].getparent() is root, "not one signature, of the whole")
    check_form(signatures[0])
    _check(signatures[0], certificates, sha1=False)


def check_form(signature: Any, *, sha1: bool = False) -> None:
    """Refuse a signature that is not one enveloped, exclusively canonicalized reference to its own parent.

    Raises:
        Refused: with the reason.
    """
    info = _parts(signature)
    _need(
        [child.tag for child in info]
        == [f"{DS}{n}" for n in ("CanonicalizationMethod", "SignatureMethod", "Reference")],
        "not one reference",
    )
    canonical, method, reference = info
    _need(canonical.get("Algorithm") == EXCLUSIVE and _only_prefixes(canonical), "canonicalization is not exclusive")
    methods = METHODS | {SHA1_METHOD} if sha1 else METHODS
    _need(method.get("Algorithm") in methods and not len(method), f"signature method `{method.get('Algorithm')}`")
    _need(set(reference.attrib) <= {"URI", "Id", "Type"}, "a strange reference")
    identifier = signature.getparent().get("ID") or ""
    _need(_ID.fullmatch(identifier) is not None, "the signed element has no plain ID")
    _need(reference.get("URI") == f"#{identifier}", "the reference is not to the signature's parent")
    _need(
        [child.tag for child in reference] == [f"{DS}{n}" for n in ("Transforms", "DigestMethod", "DigestValue")],
        "a strange reference",
    )
    transforms, digest, _ = reference
    used = [transform.get("Algorithm") for transform in transforms]
    _need(used == [ENVELOPED, EXCLUSIVE], "a transform that is not allowed")
    _need(not len(transforms[0]) and _only_prefixes(transforms[1]), "a transform with arguments")
    digests = {*DIGESTS, SHA1_DIGEST} if sha1 else set(DIGESTS)
    _need(digest.get("Algorithm") in digests and not len(digest), f"digest method `{digest.get('Algorithm')}`")


def _parts(signature: Any) -> Any:
    tags = [child.tag for child in signature]
    _need(tags[:2] == [f"{DS}SignedInfo", f"{DS}SignatureValue"], "no SignedInfo and SignatureValue")
    _need(tags[2:] in ([], [f"{DS}KeyInfo"]), "more than SignedInfo, SignatureValue and KeyInfo")
    if len(tags) > 2:  # noqa: PLR2004 - a KeyInfo follows
        _need(all(child.tag in _KEY_INFO for child in signature[2]), "a KeyInfo that points elsewhere")
    return signature[0]


def _only_prefixes(method: Any) -> bool:
    return all(child.tag == _PREFIXES for child in method) and len(method) <= 1


def _need(condition: bool, why: str) -> None:
    if not condition:
        raise badly_signed(why)


def _check(signature: Any, certificates: tuple[bytes, ...], *, sha1: bool) -> bytes:
    import xmlsec

    for certificate in certificates:
        context = _restricted(xmlsec, sha1=sha1)
        context.key = _key(certificate)
        context.register_id(signature.getparent(), "ID")
        try:
            context.verify(signature)
        except xmlsec.Error:
            continue
        return certificate
    raise badly_signed("no certificate of the provider verifies it")


def _restricted(xmlsec: Any, *, sha1: bool) -> Any:
    """A context that knows no other algorithm than those allowed, whatever `check_form` might let through."""
    transform, context = xmlsec.Transform, xmlsec.SignatureContext()
    digests = (transform.SHA256, transform.SHA384, transform.SHA512)
    if sha1:
        context.enable_reference_transform(transform.SHA1)
        context.enable_signature_transform(transform.RSA_SHA1)
    for allowed in (transform.EXCL_C14N, transform.ENVELOPED, *digests):
        context.enable_reference_transform(allowed)
    rsa = (transform.RSA_SHA256, transform.RSA_SHA384, transform.RSA_SHA512)
    ecdsa = (transform.ECDSA_SHA256, transform.ECDSA_SHA384, transform.ECDSA_SHA512)
    for allowed in (transform.EXCL_C14N, *rsa, *ecdsa):
        context.enable_signature_transform(allowed)
    return context


@lru_cache(maxsize=256)
def _key(certificate: bytes) -> Any:
    xmlsec: Any = importlib.import_module("xmlsec")  # its type stubs lack KeyFormat
    return xmlsec.Key.from_memory(certificate, xmlsec.KeyFormat.CERT_DER, None)


def _as_digested(signature: Any) -> object:
    from lxml import etree

    # Serialized with every namespace in scope, so that the copy stands alone.
    parent: Any = etree.fromstring(etree.tostring(signature.getparent(), with_tail=False))
    own = parent.find(signature.tag)
    _, exclusive = own.find(f"{DS}SignedInfo/{DS}Reference/{DS}Transforms")
    prefixes = exclusive[0].get("PrefixList", "").split() if len(exclusive) else []
    digest = own.find(f"{DS}SignedInfo/{DS}Reference/{DS}DigestMethod").get("Algorithm")
    value = own.find(f"{DS}SignedInfo/{DS}Reference/{DS}DigestValue").text or ""
    _cut(own)
    canonical = etree.tostring(parent, method="c14n", exclusive=True, inclusive_ns_prefixes=prefixes)
    if hashlib.new(DIGESTS.get(digest, "sha1"), canonical).digest() != _decoded(value):
        raise badly_signed("what xmlsec verified is not what is read")
    return etree.fromstring(canonical)


def _cut(element: Any) -> None:
    """Remove an element but leave the text behind it, as the enveloped-signature transform does."""
    parent, previous, tail = element.getparent(), element.getprevious(), element.tail or ""
    parent.remove(element)
    if previous is not None:
        previous.tail = (previous.tail or "") + tail
    else:
        parent.text = (parent.text or "") + tail


def _decoded(value: str) -> bytes:
    try:
        return base64.b64decode(value)
    except ValueError:
        return b""
