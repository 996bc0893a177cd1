"""From a SAMLResponse to proven claims: the order of the checks, and what a strict provider demands beyond AWS.

Pure: it reads no clock, opens nothing and touches no world, so that it may run in a thread.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import field, replace
from functools import lru_cache
from typing import Any, Final

from sts_emulator.accounts.propagation import Propagation
from sts_emulator.core import clock
from sts_emulator.methods.saml import claims, encryption, message, signature
from sts_emulator.methods.saml.assertion_refusals import (
    badly_signed,
    expired,
    foreign_issuer,
    malformed,
    nobody,
    redeemed_late,
    refused,
    wrong_audience,
)
from sts_emulator.methods.saml.claims import Claims
from sts_emulator.methods.saml.message import ENCRYPTED, SIGNATURE, Message
from sts_emulator.policy.light_dataclass import dataclass
from sts_emulator.wire import xml

SIGN_IN: Final = "https://signin.aws.amazon.com/saml"
AUDIENCES: Final = frozenset({"urn:amazon:webservices", SIGN_IN})
REDEMPTION_SECONDS: Final = 300

_SIGN_IN_HOSTS = ("signin.aws.amazon.com", "signin.amazonaws-us-gov.com", "signin.amazonaws.cn")


@dataclass(frozen=True, slots=True)
class Trusted:
    """What a SAML provider of IAM vouches for.

    `issuers` maps each entity id of its metadata to that identity provider's signing certificates in DER; `keys` are
    private keys (PEM) for encrypted assertions, which are demanded when `encrypted_only`. `valid_until`: when a
    strict provider's metadata ends by its own word, in seconds; IAM's ValidUntil is another time.
    `sha1` takes signatures with SHA-1 as well.
    """

    arn: str
    account: str
    name: str
    issuers: Mapping[str, tuple[bytes, ...]]
    keys: tuple[str, ...] = ()
    encrypted_only: bool = False
    strict: bool = False
    sha1: bool = False
    valid_until: float = 0.0
    propagation: Propagation = field(default_factory=Propagation)

    @classmethod
    def of(cls, stored: Mapping[str, Any]) -> Trusted:
        """The provider as its document has it (accounts.resources)."""
        return cls(
            arn=stored["arn"],
            account=stored["account"],
            name=stored["name"],
            issuers={
                entity: tuple(base64.b64decode(certificate) for certificate in certificates)
                for entity, certificates in stored["issuers"].items()
            },
            keys=tuple(key["pem"] for key in stored.get("private_keys", ())),
            encrypted_only=stored.get("encryption") == "Required",
            strict=bool(stored.get("strict")),
            sha1=bool(stored.get("sha1")),
            valid_until=_metadata_ends(stored["metadata"]) if stored.get("strict") else 0.0,
            propagation=stored.get("propagation", {}),
        )


@lru_cache(maxsize=64)
def _metadata_ends(document: str) -> float:
    """The earliest `validUntil` of a metadata document, 0 where it has none; one that cannot be read has passed."""
    root = xml.parse(document.encode(), max_bytes=len(document) * 4)
    stated = [until for element in root.iter() if (until := element.get("validUntil"))]
    try:
        return min(map(clock.parse_iso, stated), default=0.0)
    except ValueError:
        return 1.0


def verify(provider: Trusted, response: Message, now: float, sign_in: str) -> Claims:
    """The claims of a response, proven by the provider's keys and still good at `now`.

    `sign_in` is our own sign-in address, accepted beside AWS's where the recipient matters.

    Raises:
        Refused: in AWS's words (docs/aws/saml.md, "Errors"); `why` says which check it was.
    """
    return _good(provider, response, _proven(provider, response, now), now, sign_in)


def suppose(provider: Trusted, response: Message, signer: bytes, now: float, sign_in: str) -> Claims:
    """What `verify` would say of a response if the key of that certificate (DER) had signed its assertion.

    For trials of what nobody has sent: a signature costs several milliseconds.

    Raises:
        Refused: see `verify`.
    """
    assertion, _, certificates = _vouched(provider, response, now)
    if signer not in certificates:
        raise badly_signed("no certificate of the provider verifies it")
    proven = replace(claims.read(assertion), signer=signer, encrypted=response.assertion is None)
    return _good(provider, response, proven, now, sign_in)


def _good(provider: Trusted, response: Message, proven: Claims, now: float, sign_in: str) -> Claims:
    """Proven claims that are still good at `now`."""
    if not proven.subject:
        raise nobody("no NameID")
    if proven.ends <= now:
        raise expired("a NotOnOrAfter has passed")
    if provider.strict:
        _check_strictly(provider, response, proven, now, sign_in)
    return proven


def is_sign_in(recipient: str, sign_in: str) -> bool:
    """Whether an address is AWS's sign-in endpoint, global or regional, a provider's own below it, or ours."""
    for base in (*_addresses(recipient), sign_in):
        if recipient == base or (recipient.startswith(f"{base}/acs/") and recipient[len(base) + 5 :].isalnum()):
            return True
    return False


def _addresses(recipient: str) -> list[str]:
    host, _, path = recipient.removeprefix("https://").partition("/")
    known = any(
        host == own or (host.endswith(f".{own}") and host[: -len(own) - 1].replace("-", "").isalnum())
        for own in _SIGN_IN_HOSTS
    )
    return [f"https://{host}/saml", f"https://{host}/static/saml"] if known and path else []


def check_audience(proven: Claims, sign_in: str) -> None:
    """Refuse an assertion that is not meant for AWS: what the console demands, and STS only of strict providers.

    Raises:
        Refused: no audience that is AWS's or ours, or a recipient that is no sign-in address.
    """
    if not any(audience in AUDIENCES or is_sign_in(audience, sign_in) for audience in proven.audiences):
        raise wrong_audience(f"audiences {list(proven.audiences)[:5]}")
    if not is_sign_in(proven.recipient, sign_in):
        raise wrong_audience(f"recipient `{proven.recipient[:200]}`")


def _vouched(provider: Trusted, response: Message, now: float) -> tuple[Any, str, tuple[bytes, ...]]:
    """The assertion, its issuer, and the certificates of which one has to verify it."""
    if response.assertion is None:
        assertion = encryption.decrypt(response.encrypted, provider.keys)
    else:
        if provider.encrypted_only:
            raise malformed("a plain assertion, where the provider requires encryption")
        assertion = response.assertion
    issuer = assertion.findtext(f"{message.SAML}Issuer", "").strip()
    certificates = provider.issuers.get(issuer)
    if certificates is None:
        raise foreign_issuer(f"issuer `{issuer[:200]}`")
    if provider.strict:
        certificates = _valid(certificates, now)
    return assertion, issuer, certificates


def _proven(provider: Trusted, response: Message, now: float) -> Claims:
    assertion, issuer, certificates = _vouched(provider, response, now)
    verified, signer = signature.verify(response, assertion, certificates, sha1=provider.sha1)
    _concur(response, assertion, _settings(issuer, certificates, sha1=provider.sha1))
    proven = claims.read(verified)
    if proven.issuer != issuer:
        raise badly_signed("the issuer that was looked up is not the one that signed")
    return replace(proven, signer=signer, encrypted=response.assertion is None)


def _check_strictly(provider: Trusted, response: Message, proven: Claims, now: float, sign_in: str) -> None:
    check_audience(proven, sign_in)
    destination = response.response.get("Destination")
    if destination is not None and not is_sign_in(destination, sign_in):
        raise wrong_audience(f"destination `{destination[:200]}`")
    if proven.starts > now or proven.issued > now + REDEMPTION_SECONDS:
        raise refused("Response is not yet valid")
    if now >= proven.issued + REDEMPTION_SECONDS:
        raise redeemed_late("IssueInstant is more than 5 minutes ago")
    stated = response.response.findtext(f"{message.SAML}Issuer")
    if stated is not None and stated.strip() != proven.issuer:
        raise foreign_issuer("the response's issuer is not the assertion's")
    if now >= provider.valid_until > 0:
        raise refused("The provider's metadata has expired")


def _valid(certificates: tuple[bytes, ...], now: float) -> tuple[bytes, ...]:
    from cryptography import x509

    parsed = [(der, x509.load_der_x509_certificate(der)) for der in certificates]
    return tuple(
        der
        for der, certificate in parsed
        if certificate.not_valid_before_utc.timestamp() <= now < certificate.not_valid_after_utc.timestamp()
    )


def _concur(response: Message, assertion: object, settings: object) -> None:
    """Ask python3-saml for a second opinion on status, number of assertions, signed elements and signatures.

    Not in its strict mode: that reads the real clock, compiles its XML schemas anew on every call (2 ms) and adds rules
    that AWS does not have; those that AWS has are checked here.
    """
    from onelogin.saml2.response import OneLogin_Saml2_Response

    text = response.text if response.assertion is not None else _decrypted_text(response, assertion)
    try:
        opinion = OneLogin_Saml2_Response(settings, text)
        opinion.is_valid({}, raise_exceptions=True)
    except Exception as bad:  # noqa: BLE001  # the library raises bare Exception among others; each is a no
        raise badly_signed(f"python3-saml: {bad}") from None


@lru_cache(maxsize=256)
def _settings(issuer: str, certificates: tuple[bytes, ...], *, sha1: bool) -> object:
    from onelogin.saml2.settings import OneLogin_Saml2_Settings

    return OneLogin_Saml2_Settings(
        {
            "strict": False,
            "sp": {"entityId": "urn:amazon:webservices", "assertionConsumerService": {"url": SIGN_IN}},
            "idp": {
                "entityId": issuer,
                "singleSignOnService": {"url": SIGN_IN},
                "x509certMulti": {"signing": [base64.b64encode(der).decode() for der in certificates]},
            },
            "security": {"rejectDeprecatedAlgorithm": not sha1},
        },
        sp_validation_only=True,
    )


def _decrypted_text(response: Message, assertion: Any) -> str:
    """The response as if it had never been encrypted; its own signature, verified before, covers the cipher text."""
    from copy import deepcopy

    from lxml import etree

    shell = deepcopy(response.response)
    for own in shell.findall(SIGNATURE):
        shell.remove(own)
    shell.replace(shell.find(ENCRYPTED), etree.Comment("assertion"))
    plain = etree.tostring(assertion, with_tail=False)
    return base64.b64encode(etree.tostring(shell).replace(b"<!--assertion-->", plain)).decode()
