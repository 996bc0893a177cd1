"""The shape of a SAML response, settled before any signature code runs: what is where, exactly once.

A verifier that looks for elements by name finds what an attacker moved there (signature wrapping). Here every element
that matters has one permitted place, and everything else about the document is refused.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import Any, Final

from sts_emulator.methods.saml.assertion_refusals import badly_signed, malformed, unsigned
from sts_emulator.policy.light_dataclass import dataclass
from sts_emulator.wire import xml

MAX_MESSAGE: Final = 100_000
"""Characters of base64: STS's own limit for SAMLAssertion (docs/aws/sts.md, "Limits of parameters")."""

SAMLP: Final = "{urn:oasis:names:tc:SAML:2.0:protocol}"
SAML: Final = "{urn:oasis:names:tc:SAML:2.0:assertion}"
DS: Final = "{http://www.w3.org/2000/09/xmldsig#}"

ASSERTION = f"{SAML}Assertion"
ENCRYPTED = f"{SAML}EncryptedAssertion"
RESPONSE = f"{SAMLP}Response"
SIGNATURE = f"{DS}Signature"
SUCCESS = "urn:oasis:names:tc:SAML:2.0:status:Success"

_PARTS = {f"{SAML}Issuer", SIGNATURE, f"{SAMLP}Extensions", f"{SAMLP}Status", ASSERTION, ENCRYPTED}
_SPACE = str.maketrans("", "", " \t\r\n")


@dataclass(frozen=True, slots=True)
class Message:
    """A response of sound shape; nothing in it is proven yet.

    `text` is the base64 without white space. Exactly one of `assertion` and `encrypted` is set. The signatures are
    direct children of the element that they sign.
    """

    text: str
    response: Any
    assertion: Any | None
    encrypted: Any | None
    response_signature: Any | None

    @property
    def issuer(self) -> str:
        """Whoever the assertion, or else the response, claims to be from."""
        for element in (self.assertion, self.response):
            if element is not None and (issuer := element.find(f"{SAML}Issuer")) is not None:
                return (issuer.text or "").strip()
        return ""


def read(text: str) -> Message:
    """Parse a SAMLResponse and settle its shape.

    Raises:
        Refused: not base64 or XML, too large, not a successful Response with one assertion, or an assertion, signature
            or id in a place where it has no business.
    """
    compact = text.translate(_SPACE)
    response = parsed(compact)
    _check_response(response)
    (content,) = [child for child in response if child.tag in (ASSERTION, ENCRYPTED)]
    assertion = content if content.tag == ASSERTION else None
    return Message(
        text=compact,
        response=response,
        assertion=assertion,
        encrypted=content if assertion is None else None,
        response_signature=_signatures(response, assertion),
    )


def signature_of(assertion: Any) -> object:
    """The assertion's own signature. Raises Refused: there is none, or more than one."""
    signatures = assertion.findall(SIGNATURE)
    if not signatures:
        raise unsigned("no signature on the assertion")
    if len(signatures) > 1:
        raise badly_signed("several signatures on one assertion")
    return signatures[0]


def check_assertion(assertion: Any) -> None:
    """Settle the shape of an assertion that was encrypted: one assertion, its ids unique, no other signature in it.

    Raises:
        Refused: anything else.
    """
    if assertion.tag != ASSERTION or _count(assertion, (ASSERTION, ENCRYPTED, RESPONSE)) != 1:
        raise malformed("not one assertion behind the encryption")
    _check_ids(assertion)
    if _count(assertion, (SIGNATURE,)) != len(assertion.findall(SIGNATURE)):
        raise badly_signed("a signature that is not the assertion's own")


def parsed(text: str) -> Any:
    """The document behind base64, each id in it once. Raises Refused."""
    compact = text.translate(_SPACE)
    if len(compact) > MAX_MESSAGE:
        raise malformed(f"longer than {MAX_MESSAGE} characters")
    try:
        data = base64.b64decode(compact, validate=True)
    except ValueError:
        raise malformed("not base64") from None
    try:
        root = xml.parse(data, max_bytes=MAX_MESSAGE)
    except xml.UnsafeXmlError as bad:
        raise malformed(f"unsafe XML: {bad}") from None
    _check_ids(root)
    return root


def _check_response(response: Any) -> None:
    if response.tag != RESPONSE or response.get("Version") != "2.0" or not response.get("ID"):
        raise malformed("not a SAML 2.0 Response with an ID")
    if any(child.tag not in _PARTS for child in response):
        raise malformed("an element that a Response does not have")
    codes = [code.get("Value") for code in response.findall(f"{SAMLP}Status/{SAMLP}StatusCode")]
    if codes != [SUCCESS]:
        raise malformed("the status is not Success")
    placed = [child for child in response if child.tag in (ASSERTION, ENCRYPTED)]
    if len(placed) != 1 or _count(response, (ASSERTION, ENCRYPTED, RESPONSE)) != 2:  # noqa: PLR2004 - it and its content
        raise malformed("not exactly one assertion, child of the response")


def _check_ids(root: object) -> None:
    seen: set[str] = set()
    for value in _ids(root):
        if value in seen:
            raise malformed("two elements with one id")
        seen.add(value)


def _ids(root: Any) -> Iterator[str]:
    # Every attribute that some library takes for an id, so that none can resolve `#x` to another element than we do.
    for element in root.iter():
        for name, value in element.attrib.items():
            if name.rpartition("}")[2].lower() == "id":
                yield value


def _signatures(response: Any, assertion: Any | None) -> Any | None:
    """The response's signature or None, once every signature in the document is the response's or the assertion's."""
    own = response.findall(SIGNATURE)
    inner = [] if assertion is None else assertion.findall(SIGNATURE)
    if len(own) > 1 or len(inner) > 1 or _count(response, (SIGNATURE,)) != len(own) + len(inner):
        raise badly_signed("a signature that belongs to neither the response nor the assertion")
    return own[0] if own else None


def _count(root: Any, tags: tuple[str, ...]) -> int:
    return sum(1 for _ in root.iter(*tags))
