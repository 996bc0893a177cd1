"""The refusals of an assertion, in the words that STS was seen to use (docs/aws/saml.md, "Errors")."""

from __future__ import annotations

import uuid

from sts_emulator.core.errors import AwsError


class Refused(AwsError):  # noqa: N818  # reads as what it is at every `raise`
    """A refused assertion. AWS's sentences say little; `why` is the reason in ours, and goes to the event log only."""

    __slots__ = ("why",)

    def __init__(self, code: str, message: str, why: str, *, status: int | None = None) -> None:
        super().__init__(code, message, status=status)
        self.why = why


def malformed(why: str) -> Refused:
    """The response is not base64, not XML, or not shaped as AWS requires."""
    return Refused("InvalidIdentityToken", f"Invalid base64 SAMLResponse {_origin(_RESPONSE)}", why)


def unsigned(why: str) -> Refused:
    """There is no signature on the assertion itself; one on the response alone does not count."""
    return Refused(
        "InvalidIdentityToken",
        f"Response (with optional signature) must contain an assertion with a mandatory signature {_origin(_RESPONSE)}",
        why,
    )


def badly_signed(why: str) -> Refused:
    """A signature does not verify with the provider's keys, or is of a form that is not even tried."""
    return Refused("InvalidIdentityToken", "Response signature invalid", why)


def foreign_issuer(why: str) -> Refused:
    """The assertion's issuer is not in the provider's metadata."""
    return Refused("InvalidIdentityToken", f"Issuer not present in specified provider {_origin(_RESPONSE)}", why)


def unknown_provider(arn: str) -> Refused:
    return Refused(
        "InvalidIdentityToken", f"Specified provider doesn't exist {_origin(_MANIFEST)}", f"there is no provider {arn}"
    )


def expired(why: str) -> Refused:
    """Conditions, the subject's confirmation or the session at the identity provider are over."""
    return Refused("ExpiredTokenException", "Response has expired", why)


def redeemed_late(why: str) -> Refused:
    """The documented five-minute rule, which STS did not enforce when last observed; strict providers do."""
    return Refused("ExpiredTokenException", "Token must be redeemed within 5 minutes of issuance", why)


def missing_pair(why: str) -> Refused:
    """The asked role and provider are not a pair in the Role attribute."""
    return Refused(
        "InvalidIdentityToken", "SAML Assertion doesn't contain the requested Role and Metadata in the attributes", why
    )


def nobody(why: str) -> Refused:
    """The assertion names no subject, which STS treats like a refusal of the role (User Guide, troubleshoot_saml)."""
    return Refused("AccessDenied", "Not authorized to perform sts:AssumeRoleWithSAML", why, status=403)


def wrong_audience(why: str) -> Refused:
    """The assertion is meant for somebody else; the sign-in page and strict providers refuse it."""
    return Refused("InvalidIdentityToken", "Response does not contain the required audience.", why)


def refused(sentence: str) -> Refused:
    """A claim that AWS reads has a value that it does not accept; the sentence says which."""
    return Refused("InvalidIdentityToken", sentence, sentence)


_RESPONSE = "AuthSamlInvalidSamlResponseException"
_MANIFEST = "AuthSamlManifestNotFoundException"


def _origin(code: str) -> str:
    return (
        f"(Service: AWSOpenIdDiscoveryService; Status Code: 400; Error Code: {code}; "
        f"Request ID: {uuid.uuid4()}; Proxy: null)"
    )
