"""Encrypted assertions, decrypted with the private keys that were added to the provider.

Written on the primitives instead of libxmlsec's decryption, which would follow references that the message names
(CipherReference, RetrievalMethod). Allowed is what AWS was seen to accept: AES-CBC and AES-GCM under RSA-OAEP
(docs/aws/saml.md, "Encryption"); PKCS #1 v1.5 key transport never is.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable
from typing import Any, Final

from sts_emulator.core import rsa_keys
from sts_emulator.methods.saml.assertion_refusals import Refused, malformed
from sts_emulator.methods.saml.message import DS, MAX_MESSAGE, SAML, check_assertion
from sts_emulator.wire import xml

XENC: Final = "{http://www.w3.org/2001/04/xmlenc#}"
XENC11: Final = "{http://www.w3.org/2009/xmlenc11#}"

_CBC = {f"http://www.w3.org/2001/04/xmlenc#aes{bits}-cbc": bits // 8 for bits in (128, 192, 256)}
_GCM = {f"http://www.w3.org/2009/xmlenc11#aes{bits}-gcm": bits // 8 for bits in (128, 192, 256)}
_OAEP_MGF1_SHA1 = "http://www.w3.org/2001/04/xmlenc#rsa-oaep-mgf1p"
_OAEP = "http://www.w3.org/2009/xmlenc11#rsa-oaep"
_DIGESTS = {
    "http://www.w3.org/2000/09/xmldsig#sha1": "SHA1",
    "http://www.w3.org/2001/04/xmlenc#sha256": "SHA256",
    "http://www.w3.org/2001/04/xmldsig-more#sha384": "SHA384",
    "http://www.w3.org/2001/04/xmlenc#sha512": "SHA512",
}
_MASKS = {
    f"http://www.w3.org/2009/xmlenc11#mgf1sha{bits}": name
    for bits, name in ((1, "SHA1"), (256, "SHA256"), (384, "SHA384"), (512, "SHA512"))
}
_TAG = 16  # bytes of a GCM tag, and of an AES block
_NONCE = 12


def decrypt(encrypted: object, keys: tuple[str, ...]) -> Any:
    """The assertion inside an EncryptedAssertion, its shape checked like a plain one's.

    `keys` are the provider's private keys as PEM; each is tried.

    Raises:
        Refused: always with the same sentence, whatever failed.
    """
    try:
        return _decrypt(encrypted, keys)
    except Refused:
        raise
    except (ValueError, binascii.Error, AttributeError, KeyError) as bad:
        raise malformed("the assertion cannot be decrypted") from bad


def _decrypt(encrypted: Any, keys: tuple[str, ...]) -> Any:
    data = _only(encrypted, f"{XENC}EncryptedData")
    method = data.find(f"{XENC}EncryptionMethod").get("Algorithm")
    carriers = list(encrypted.iter(f"{XENC}EncryptedKey"))
    if len(carriers) != 1:
        raise malformed("not one encrypted key")
    wrapped = _cipher_value(carriers[0])
    for key in keys:
        secret = _unwrap(carriers[0], wrapped, key)
        if secret is not None:
            return _assertion(encrypted, _plain(method, secret, _cipher_value(data)))
    raise malformed("no private key of the provider opens the assertion")


def _only(parent: Any, tag: str) -> Any:
    elements = parent.findall(tag)
    if len(elements) != 1 or any(child.tag not in (tag, f"{XENC}EncryptedKey") for child in parent):
        raise malformed("not one encrypted assertion")
    return elements[0]


def _cipher_value(element: Any) -> bytes:
    values = element.findall(f"{XENC}CipherData/{XENC}CipherValue")
    if len(values) != 1 or element.find(f".//{XENC}CipherReference") is not None:
        raise malformed("cipher text that is not in the message itself")
    return base64.b64decode("".join((values[0].text or "").split()), validate=True)


def _unwrap(carrier: Any, wrapped: bytes, pem: str) -> bytes | None:
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import padding

    method = carrier.find(f"{XENC}EncryptionMethod")
    if method.get("Algorithm") not in (_OAEP_MGF1_SHA1, _OAEP):
        raise malformed(f"key transport `{method.get('Algorithm')}`")
    digest = _named(method.iter(f"{DS}DigestMethod"), _DIGESTS)
    mask = _named(method.iter(f"{XENC11}MGF"), _MASKS) if method.get("Algorithm") == _OAEP else "SHA1"
    scheme = padding.OAEP(padding.MGF1(getattr(hashes, mask)()), getattr(hashes, digest)(), None)
    try:
        return bytes(rsa_keys.load(pem).decrypt(wrapped, scheme))
    except ValueError:  # another key of the provider may fit
        return None


def _named(elements: Iterable[Any], table: dict[str, str]) -> str:
    named = [table[element.get("Algorithm")] for element in elements]
    return named[0] if named else "SHA1"  # the default of both (xmlenc 1.1 §5.5.2)


def _plain(method: str, secret: bytes, cipher_text: bytes) -> bytes:
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    if method in _GCM and len(secret) == _GCM[method]:
        try:
            return AESGCM(secret).decrypt(cipher_text[:_NONCE], cipher_text[_NONCE:], None)
        except InvalidTag:
            raise malformed("the assertion was altered") from None
    if method not in _CBC or len(secret) != _CBC[method] or len(cipher_text) % _TAG or len(cipher_text) < 2 * _TAG:
        raise malformed(f"encryption `{method}` or its key's size")
    cipher = Cipher(algorithms.AES(secret), modes.CBC(cipher_text[:_TAG])).decryptor()
    padded = cipher.update(cipher_text[_TAG:]) + cipher.finalize()
    if not 1 <= padded[-1] <= _TAG:
        raise malformed("the assertion was altered")
    return padded[: -padded[-1]]


def _assertion(encrypted: Any, plain: bytes) -> Any:
    # The plain text may use prefixes that the elements around it declared.
    scope = " ".join(
        f'xmlns{":" if prefix else ""}{prefix or ""}="{_quoted(uri)}"' for prefix, uri in encrypted.nsmap.items()
    )
    text = _strip_declaration(plain)
    try:
        holder = xml.parse(b"<holder " + scope.encode() + b">" + text + b"</holder>", max_bytes=MAX_MESSAGE)
    except xml.UnsafeXmlError as bad:
        raise malformed(f"unsafe XML behind the encryption: {bad}") from None
    if len(holder) != 1 or holder[0].tag == f"{SAML}EncryptedAssertion":
        raise malformed("not one assertion behind the encryption")
    check_assertion(holder[0])
    return holder[0]


def _strip_declaration(plain: bytes) -> bytes:
    text = plain.lstrip()
    return text.partition(b"?>")[2] if text.startswith(b"<?xml") else text


def _quoted(text: str) -> str:
    return text.replace("&", "&amp;").replace('"', "&quot;").replace("<", "&lt;")
