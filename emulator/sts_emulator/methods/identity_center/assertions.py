"""The JWT bearer grant: a token of an issuer that Identity Center trusts, and whom of the directory it names."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any, Final

from sts_emulator.accounts import directory, single_use
from sts_emulator.accounts.directory import Application, DirectoryUser, Instance, TrustedTokenIssuer
from sts_emulator.accounts.single_use import Kept
from sts_emulator.core.errors import AwsError
from sts_emulator.core.store import Kind
from sts_emulator.methods.identity_center.refusals import refused
from sts_emulator.methods.tokens import checks, issuer_keys, jwt
from sts_emulator.methods.tokens.issuers import KeysUnavailableError, Provider, ThumbprintError
from sts_emulator.methods.tokens.jwk import ALGORITHMS, KeySet
from sts_emulator.policy.json_types import JsonObject
from sts_emulator.policy.light_dataclass import dataclass
from sts_emulator.vending.context import Context

JWT_BEARER: Final = "urn:ietf:params:oauth:grant-type:jwt-bearer"
_SPENT: Final[Kind[Kept]] = Kind("spent-assertion")
_TOLERANCE: Final = 300  # seconds that clocks may differ: what STS allows; Identity Center publishes none
_LONGEST: Final = 256  # characters of a claim that an event tells


@dataclass(frozen=True, slots=True)
class Assertion:
    """A token that an application brought, of an issuer that it may bring tokens of; nothing of it is proven yet."""

    text: str
    token: jwt.Token
    issuer: TrustedTokenIssuer
    audiences: tuple[str, ...]

    @property
    def provider(self) -> Provider:
        """The issuer as those know it who find its keys."""
        url = self.issuer["url"]
        return Provider(self.issuer["arn"], url, url.partition("://")[2], client_ids=self.audiences)


def read(ctx: Context, application: Application, text: str) -> Assertion:
    """Take the assertion apart, and find the issuer that it claims among those that the application names.

    Raises:
        AwsError: InvalidRequestException; InvalidGrantException.
    """
    if not text:
        raise refused("InvalidRequestException", "Assertion is required for this grant type")
    try:
        token = jwt.parse(text)
    except jwt.NotAToken as why:
        raise invalid(ctx, f"the assertion is no JWT: {why}") from None
    claimed = token.hint("iss")
    named = application["grants"][JWT_BEARER]["JwtBearer"].get("AuthorizedTokenIssuers", ())
    for entry in named:
        issuer = ctx.world.get(directory.TRUSTED_ISSUER, entry.get("TrustedTokenIssuerArn", ""))
        if issuer is not None and issuer["url"] == claimed:
            ctx.evidence.update(issuer=issuer["url"], trustedTokenIssuer=issuer["arn"])
            return Assertion(text, token, issuer, tuple(entry.get("AuthorizedAudiences", ())))
    raise invalid(ctx, f"the application names no trusted token issuer for `{_shown(claimed)}`, exact to a slash")


def keys(ctx: Context, assertion: Assertion) -> KeySet | None:
    """The keys that may prove it; None where the issuer must be asked first (`issuer_keys.fetch`).

    INVARIANT: the address that is asked is the trusted issuer's, which an administrator wrote, and never the token's.

    Raises:
        AwsError: InvalidGrantException.
    """
    if assertion.token.algorithm not in ALGORITHMS:
        raise invalid(ctx, f"the algorithm is not accepted: only {', '.join(sorted(ALGORITHMS))} are")
    try:
        return issuer_keys.known(ctx, assertion.provider, assertion.token.key_id)
    except KeysUnavailableError as why:
        raise invalid(ctx, str(why)) from None
    except ThumbprintError:
        raise invalid(ctx, "the certificate of the issuer's server is not trusted") from None


def redeem(ctx: Context, instance: Instance, assertion: Assertion, proving: KeySet) -> DirectoryUser:
    """The person whom the token names, once it is proven; it is used up.

    Raises:
        AwsError: InvalidGrantException; ExpiredTokenException.
    """
    claims = _proven(ctx, assertion, proving)
    ends = _check_claims(ctx, assertion, claims)
    person = _person(ctx, instance, assertion.issuer, claims)
    number = claims.get("jti")
    number = number if isinstance(number, str) else assertion.text
    digest = hashlib.sha256(f"{assertion.issuer['arn']}\0{number}".encode()).hexdigest()
    if not single_use.spend(ctx.world, _SPENT, digest, ends + _TOLERANCE):
        raise invalid(ctx, "the assertion was used before")
    return person


def invalid(ctx: Context, why: str) -> AwsError:
    """The refusal that says nothing; its reason stands in the event."""
    ctx.evidence["refused"] = why
    return refused("InvalidGrantException", "Invalid grant provided")


def _shown(claim: object) -> str:
    """A claim for an event: only text, for anything else may be nested deeper than can be written."""
    return claim[:_LONGEST] if isinstance(claim, str) else "no text"


def _proven(ctx: Context, assertion: Assertion, proving: KeySet) -> JsonObject:
    verify = proving.verifier(assertion.token.key_id, assertion.token.algorithm)
    if verify is None:
        raise invalid(ctx, "no key of the issuer fits the assertion's key id and algorithm")
    try:
        return assertion.token.claims(verify)
    except jwt.BadSignature:
        raise invalid(ctx, "the signature is not the issuer's, or the assertion was changed afterwards") from None


def _check_claims(ctx: Context, assertion: Assertion, claims: JsonObject) -> int:
    """When the token ends, if it is for this application and good now."""
    told = checks.audiences(claims)
    if not any(isinstance(audience, str) and audience in assertion.audiences for audience in told):
        admitted = ", ".join(assertion.audiences[:5]) or "none"
        raise invalid(
            ctx, f"the assertion is for `{_shown(told[0] if told else '')}`; the application admits {admitted}"
        )
    try:
        issued, starts, ends = checks.lifetime(claims)
    except ValueError:
        raise invalid(ctx, "a time of the assertion is no number") from None
    now = ctx.world.now()
    if ends is None or issued is None:
        raise invalid(ctx, "the assertion lacks `iat` or `exp`")
    if max(issued, starts or 0) > now + _TOLERANCE:
        raise invalid(ctx, "the assertion is not good yet")
    if ends + _TOLERANCE <= now:
        ctx.evidence["refused"] = "the assertion's `exp` has passed"
        raise refused("ExpiredTokenException", "The assertion has expired")
    return ends


def _person(ctx: Context, instance: Instance, issuer: TrustedTokenIssuer, claims: JsonObject) -> DirectoryUser:
    value: Any = claims
    for name in issuer["claim"].split("."):
        value = value.get(name) if isinstance(value, Mapping) else None
    if not isinstance(value, str) or not value:
        raise invalid(ctx, f"the assertion has no text in its claim `{issuer['claim']}`")
    person = directory.user_by_attribute(ctx.world, instance["store"], issuer["attribute"], value)
    if person is None:
        raise invalid(ctx, f"not exactly one user has `{value[:_LONGEST]}` as {issuer['attribute']}")
    if not person["enabled"]:
        raise invalid(ctx, f"the user {person['name']} is disabled")
    return person
