"""Lab identity providers that speak SAML: users and groups kept in the world, metadata and assertions about them.

Assertions are made with lxml and cryptography; what verifies them uses xmlsec and python3-saml, and shares no code with
this. A provider is a document `saml-idp` of the world; its pages (idp.saml_pages) stand under `idp/NAME/`.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from sts_emulator.accounts import documents
from sts_emulator.accounts.documents import SamlIdp
from sts_emulator.core import rsa_keys
from sts_emulator.core.store import AlreadyExistsError
from sts_emulator.core.world import World
from sts_emulator.idp import certificates
from sts_emulator.policy.arns import parse_arn
from sts_emulator.policy.json_types import Json
from sts_emulator.policy.light_dataclass import dataclass

if TYPE_CHECKING:
    from sts_emulator.idp.saml_assertion import Facts

KIND: Final = documents.SAML_IDP
SIGN_IN: Final = "https://signin.aws.amazon.com/saml"
"""The Recipient by default, so that trust policies with the usual condition on SAML:aud hold."""

LIFETIME: Final = 300
"""Seconds that an assertion may be used."""

ATTRIBUTE: Final = "https://aws.amazon.com/SAML/Attributes/"
PERSISTENT: Final = "urn:oasis:names:tc:SAML:2.0:nameid-format:persistent"

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,62}")
_CERTIFIED: Final = timedelta(days=10 * 365)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What an assertion should be beside what its user is; None stands for the user's own or the usual.

    `roles` are ARNs or names, of those that the user has. `expires_in` seconds, negative for one that is over.
    `second_factor`: the user showed a code as well. `encrypt_for`: whose certificate (base64 of DER) only can read it.
    """

    roles: Sequence[str] | None = None
    destination: str | None = None
    recipient: str | None = None
    audience: str | None = None
    session_name: str | None = None
    session_duration: int | None = None
    source_identity: str | None = None
    tags: Mapping[str, str] | None = None
    transitive: Sequence[str] | None = None
    expires_in: int | None = None
    in_response_to: str | None = None
    second_factor: bool = False
    encrypt_for: str = ""


# -- providers ----------------------------------------------------------------------------------------------------


def ensure_idp(
    world: World,
    name: str,
    *,
    users: Mapping[str, Mapping[str, Any]] | None = None,
    groups: Mapping[str, Sequence[str]] | None = None,
    provider: str = "",
) -> SamlIdp:
    """The world's lab identity provider of that name, made when it is not there; users and groups replace what it had.

    A user has `groups`, `roles` (ARNs), `password` (default: its name), `totp` (seeds of authenticator apps by name),
    `email`, `session_name`, `session_duration`, `source_identity`, `tags`, `transitive` and `attributes` (lists by
    name), all optional. A group is a list of role ARNs. `provider` is the name under which IAM knows this identity
    provider (default: `name`).

    Raises:
        ValueError: a name that cannot be one, a group that is not there, a role that is no ARN of a role.
    """
    if not _NAME.fullmatch(name):
        raise ValueError(f"names are lower-case letters, digits, `.`, `_` and `-`; got `{name[:80]}`")
    existing = world.get(KIND, name)
    wanted = {
        "users": {user: dict(person) for user, person in (users or {}).items()} if users is not None else None,
        "groups": {group: list(roles) for group, roles in (groups or {}).items()} if groups is not None else None,
        "provider": provider or None,
    }
    given = {member: value for member, value in wanted.items() if value is not None}
    known: Any = existing or {"name": name, "entity_id": f"https://{name}.idp.test/saml", "provider": name}
    body: Any = {"users": {}, "groups": {}, **known, **given}
    _check(body)
    if existing is not None:
        return existing if body == existing else world.update(KIND, name, documents.changed(**given))
    body |= certified_key(f"{name} lab identity provider", world.now())
    try:
        world.add(KIND, name, body)
    except AlreadyExistsError:  # made by another process this very moment
        return ensure_idp(world, name, users=users, groups=groups, provider=provider)
    made: SamlIdp = body
    return made


def metadata(idp: SamlIdp, base_url: str) -> str:
    """The metadata document that IAM's CreateSAMLProvider takes; `base_url` is the world's address."""
    place = _escaped(f"{base_url}/idp/{idp['name']}")
    binding = "urn:oasis:names:tc:SAML:2.0:bindings"
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        '<md:EntityDescriptor xmlns:md="urn:oasis:names:tc:SAML:2.0:metadata" '
        f'entityID="{_escaped(idp["entity_id"])}">\n'
        '<md:IDPSSODescriptor WantAuthnRequestsSigned="false" '
        'protocolSupportEnumeration="urn:oasis:names:tc:SAML:2.0:protocol">\n'
        '<md:KeyDescriptor use="signing"><ds:KeyInfo xmlns:ds="http://www.w3.org/2000/09/xmldsig#"><ds:X509Data>'
        f"<ds:X509Certificate>{idp['certificate']}</ds:X509Certificate></ds:X509Data></ds:KeyInfo></md:KeyDescriptor>\n"
        f'<md:SingleLogoutService Binding="{binding}:HTTP-Redirect" Location="{place}/slo"/>\n'
        f"<md:NameIDFormat>{PERSISTENT}</md:NameIDFormat>\n"
        f'<md:SingleSignOnService Binding="{binding}:HTTP-Redirect" Location="{place}/sso"/>\n'
        f'<md:SingleSignOnService Binding="{binding}:HTTP-POST" Location="{place}/sso"/>\n'
        "</md:IDPSSODescriptor>\n</md:EntityDescriptor>\n"
    )


def assert_user(idp: SamlIdp, user: str, now: float, wish: Wish, base_url: str = "") -> str:
    """A signed response about a user, in base64. Takes a millisecond: servers make it in a thread.

    Raises:
        ValueError: no such user, or a role that the user does not have.
    """
    from sts_emulator.idp.saml_assertion import signed_response

    facts = _facts(idp, user, now, wish, base_url)
    return signed_response(facts, idp["private_key"], idp["certificate"], encrypt_for=wish.encrypt_for)


def suppose_user(idp: SamlIdp, user: str, now: float, wish: Wish) -> str:
    """What `assert_user` makes, but not signed, for trials: see methods.saml.verify.suppose. Raises likewise."""
    from sts_emulator.idp.saml_assertion import unsigned_response

    return unsigned_response(_facts(idp, user, now, wish, ""), encrypt_for=wish.encrypt_for)


def _facts(idp: SamlIdp, user: str, now: float, wish: Wish, base_url: str) -> Facts:
    from sts_emulator.idp.saml_assertion import ONE_TIME_CODE, PASSWORD, Facts

    person = idp["users"].get(user)
    if person is None:
        raise ValueError(f"no user `{user[:80]}` in `{idp['name']}`; there are {', '.join(idp['users']) or 'none'}")
    destination = wish.destination or (f"{base_url}/saml" if base_url else SIGN_IN)
    return Facts(
        issuer=idp["entity_id"],
        subject=user,
        now=now,
        lifetime=LIFETIME if wish.expires_in is None else wish.expires_in,
        destination=destination,
        recipient=wish.recipient or SIGN_IN,
        audience=wish.audience or "urn:amazon:webservices",
        attributes=_attributes(idp, user, person, wish),
        in_response_to=wish.in_response_to or "",
        authentication=ONE_TIME_CODE if wish.second_factor else PASSWORD,
    )


def farewell(idp: SamlIdp, place: str, number: str, now: float) -> str:
    """A signed LogoutResponse to the request of that number, in base64."""
    from sts_emulator.idp.saml_assertion import signed_farewell

    return signed_farewell(idp["entity_id"], place, number, now, idp["private_key"], idp["certificate"])


def roles_of(idp: SamlIdp, user: str) -> list[str]:
    """The ARNs of a user's roles: its own, and those of its groups."""
    person = idp["users"][user]
    listed = [*person.get("roles", ())]
    for group in person.get("groups", ()):
        listed += idp["groups"][group]
    return list(dict.fromkeys(listed))


def _attributes(idp: SamlIdp, user: str, person: Mapping[str, Any], wish: Wish) -> dict[str, list[str]]:
    def chosen(member: str, fallback: Json = None) -> Any:
        wished = getattr(wish, member)
        return person.get(member, fallback) if wished is None else wished

    attributes = {
        f"{ATTRIBUTE}Role": [f"{role},{provider_arn(idp, role)}" for role in chosen_roles(idp, user, wish)],
        f"{ATTRIBUTE}RoleSessionName": [str(chosen("session_name", user))],
    }
    for member, name in (("session_duration", "SessionDuration"), ("source_identity", "SourceIdentity")):
        if chosen(member):
            attributes[f"{ATTRIBUTE}{name}"] = [str(chosen(member))]
    for key, value in (chosen("tags") or {}).items():
        attributes[f"{ATTRIBUTE}PrincipalTag:{key}"] = [value]
    if chosen("transitive"):
        attributes[f"{ATTRIBUTE}TransitiveTagKeys"] = list(chosen("transitive"))
    if person.get("email"):
        attributes["http://schemas.xmlsoap.org/ws/2005/05/identity/claims/emailaddress"] = [person["email"]]
    return attributes | {name: list(values) for name, values in person.get("attributes", {}).items()}


def chosen_roles(idp: SamlIdp, user: str, wish: Wish) -> list[str]:
    """The ARNs of the roles that an assertion will hold. Raises ValueError for one that the user does not have."""
    has = roles_of(idp, user)
    if wish.roles is None:
        return has
    by_name = {role: role for role in has} | {role.rpartition("/")[2]: role for role in has}
    for role in wish.roles:
        if role not in by_name:
            raise ValueError(f"`{user}` does not have the role `{role[:120]}`; there are {', '.join(has) or 'none'}")
    return [by_name[role] for role in wish.roles]


def provider_arn(idp: SamlIdp, role: str) -> str:
    """The ARN of the SAML provider that stands for this identity provider in a role's account."""
    parts = parse_arn(role)
    assert parts is not None  # _check has seen it
    return f"arn:{parts.partition}:iam::{parts.account}:saml-provider/{idp['provider']}"


def _check(idp: Mapping[str, Any]) -> None:
    listed = [role for roles in idp["groups"].values() for role in roles]
    for user, person in idp["users"].items():
        listed += person.get("roles", ())
        for group in person.get("groups", ()):
            if group not in idp["groups"]:
                raise ValueError(f"user `{user}`: no group `{group}`")
    for role in listed:
        parts = parse_arn(role)
        if parts is None or not parts.resource.startswith("role/"):
            raise ValueError(f"`{role}` is not the ARN of a role")


def certified_key(name: str, now: float) -> dict[str, str]:
    """A key and its self-signed certificate; about 80 ms, half of it for loading the library."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.serialization import Encoding

    key, subject = rsa_keys.new(), certificates.make_name({"CN": name})
    start = datetime.fromtimestamp(int(now) - 86_400, UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(start + _CERTIFIED)
        .sign(key, hashes.SHA256())
    )
    der = certificate.public_bytes(Encoding.DER)
    return {"private_key": certificates.key_pem(key), "certificate": base64.b64encode(der).decode()}


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace('"', "&quot;")
