"""Decides what AWS accepts in the claims of a proven OIDC token, and what a role session takes from them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import field
from typing import Any, Final, NoReturn

from sts_emulator.core.errors import AwsError
from sts_emulator.methods.tokens import checks
from sts_emulator.policy.light_dataclass import dataclass
from sts_emulator.vending.tags import tag_map

TOLERANCE: Final = 300
"""Seconds that `iat` and `nbf` may lie ahead and `exp` behind (docs/aws/web-identity.md, "Rules for tokens")."""

TAGS = "https://aws.amazon.com/tags"
SOURCE_IDENTITY = "https://aws.amazon.com/source_identity"
ROLES = "https://aws.amazon.com/roles"

NOT_VALIDATED: Final = (
    "The web identity token provided could not be validated. "
    "See the AssumeRoleWithWebIdentity documentation for requirements."
)

_REQUIRED = ("iss", "sub", "aud", "iat", "exp")
_REQUIRED_TOGETHER = frozenset(_REQUIRED)
_SOURCE_IDENTITY = re.compile(r"(?![aA][wW][sS]:)[A-Za-z0-9_+=,.@-]{2,64}")
_ROLE_ARN = re.compile(r"arn:aws[a-z-]*:iam::[0-9]{12}:role/[^:;*?\s]{1,600}")
_MAX_TAGS, _MAX_TAG_KEY, _MAX_TAG_VALUE = 50, 128, 256  # the API's own limits for session tags
_TAG_TEXT = re.compile(r"[\w\s.:/=+@-]*")


@dataclass(slots=True)
class IdToken:
    """A token whose claims hold. `audience` is `azp` where there is one, `original_audiences` what `aud` says.

    `roles` is None without a roles claim, else the exact ARNs that the issuer lets this token assume.
    """

    subject: str
    audience: str
    original_audiences: tuple[str, ...]
    source_identity: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)
    transitive: tuple[str, ...] = ()
    roles: tuple[str, ...] | None = None


def read(claims: Mapping[str, object], now: float) -> IdToken:
    """Check the claims of a proven token against the world's time `now`, in seconds since the epoch.

    Raises:
        AwsError: InvalidIdentityToken, ExpiredTokenException, or InternalFailure for a subject of null, as recorded
            from AWS (docs/aws/web-identity.md, "Errors", "Rules for tokens").
    """
    if not claims.keys() >= _REQUIRED_TOGETHER:
        refuse(f"Missing a required claim: {next(name for name in _REQUIRED if name not in claims)}")
    subject = _subject(claims["sub"])
    audiences, audience = _audience(claims)
    _check_times(claims, int(now))
    tags, transitive = _tags(claims)
    return IdToken(subject, audience, audiences, _source_identity(claims), tags, transitive, _roles(claims.get(ROLES)))


def refuse(message: str) -> NoReturn:
    """Raise InvalidIdentityToken, status 400."""
    raise AwsError("InvalidIdentityToken", message)


def _subject(value: object) -> str:
    if value is None:
        raise AwsError("InternalFailure", "Unknown error validating third-party token", status=500)
    if isinstance(value, str):
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    refuse(NOT_VALIDATED)


def _audience(claims: Mapping[str, Any]) -> tuple[tuple[str, ...], str]:
    only = claims["aud"]
    if type(only) is str and "azp" not in claims:
        return (only,), only
    values = checks.audiences(claims)
    if not values:
        refuse("Claim is not allowed to be empty: aud")
    party = claims.get("azp", values[0])
    if len(values) > 1 and "azp" not in claims:
        refuse("Token audience contains more than one audience while authorized party is not present")
    if not all(isinstance(audience, str) for audience in (*values, party)):
        refuse("Incorrect token audience")
    return values, party


def _check_times(claims: Mapping[str, object], now: int) -> None:
    try:
        issued, starts, expires = checks.lifetime(claims)
    except ValueError:
        refuse("Invalid timestamp in token claims.")
    assert issued is not None, "read() has seen that it is there"
    assert expires is not None, "likewise"
    # The times that the messages print have the tolerance in them already: recorded on 2026-09-11 for tokens that were
    # 324 s over and 3,572 s early.
    latest, earliest = now + TOLERANCE, now - TOLERANCE
    if issued > latest:
        refuse(f"Token issued in the future: {issued}")
    if starts is not None and starts > latest:
        refuse(
            f"Token not yet valid: current date/time {latest} must be after or equal to "
            f"the not-before date/time {starts}"
        )
    if earliest >= expires:
        raise AwsError(
            "ExpiredTokenException",
            f"Token expired: current date/time {earliest} must be before the expiration date/time {expires}",
        )


def _source_identity(claims: Mapping[str, object]) -> str:
    value = claims.get(SOURCE_IDENTITY)
    if value is None:
        return ""
    if not isinstance(value, str) or not _SOURCE_IDENTITY.fullmatch(value):
        refuse("source_identity passed in claim is not in correct format.")
    return value


def _tags(claims: Mapping[str, object]) -> tuple[Mapping[str, str], tuple[str, ...]]:
    """Session tags in either form: one nested object with lists of one value, or flattened claims with strings."""
    if TAGS not in " ".join(claims):  # what nearly every token is, found out in one go
        return {}, ()
    nested = claims.get(TAGS)
    if nested is None:
        nested = {}
    elif not isinstance(nested, Mapping):
        refuse("principal_tags passed in claim is not in correct format.")
    principal = nested.get("principal_tags", {})
    if not isinstance(principal, Mapping):
        refuse("principal_tags passed in claim is not in correct format.")
    pairs: list[tuple[str, Any]] = [
        (key, value[0] if isinstance(value, list) and len(value) == 1 else None) for key, value in principal.items()
    ]
    prefix = f"{TAGS}/principal_tags/"
    pairs += [(name[len(prefix) :], value) for name, value in claims.items() if name.startswith(prefix)]
    if len(pairs) > _MAX_TAGS or not all(_is_tag(key, value) for key, value in pairs):
        refuse("principal_tags passed in claim is not in correct format.")
    transitive = nested.get("transitive_tag_keys", claims.get(f"{TAGS}/transitive_tag_keys", []))
    if not isinstance(transitive, list) or not all(isinstance(key, str) for key in transitive):
        refuse("transitive_tag_keys passed in claim is not in correct format.")
    return tag_map([{"Key": key, "Value": value} for key, value in pairs]), tuple(transitive)


def _is_tag(key: str, value: object) -> bool:
    return (
        isinstance(value, str)
        and 1 <= len(key) <= _MAX_TAG_KEY
        and len(value) <= _MAX_TAG_VALUE
        and not key.lower().startswith("aws:")
        and _TAG_TEXT.fullmatch(key) is not None
        and _TAG_TEXT.fullmatch(value) is not None
    )


def _roles(value: object) -> tuple[str, ...] | None:
    """The roles claim: a list, or one string of ARNs between semicolons; entries that are no role ARNs are ignored.

    Texts: docs/aws/web-identity.md, "Roles claim".
    """
    if value is None:
        return None
    if not isinstance(value, str | list):
        refuse("The roles claim is not in a supported format")
    entries = value.split(";") if isinstance(value, str) else value
    trimmed = (entry.strip() for entry in entries if isinstance(entry, str))
    arns = tuple(entry for entry in trimmed if _ROLE_ARN.fullmatch(entry))
    if not arns:
        refuse("The roles claim contains no valid role ARNs")
    return arns
