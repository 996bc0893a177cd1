"""What a verified assertion says: AWS's attributes, and the condition keys that are made from it."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Mapping
from typing import Any, Final

from sts_emulator.core import clock
from sts_emulator.methods.saml.assertion_refusals import malformed, nobody, refused
from sts_emulator.methods.saml.message import SAML
from sts_emulator.policy import federated
from sts_emulator.policy.light_dataclass import dataclass

ATTRIBUTE: Final = "https://aws.amazon.com/SAML/Attributes/"
ROLE_ATTRIBUTE: Final = f"{ATTRIBUTE}Role"
BEARER: Final = "urn:oasis:names:tc:SAML:2.0:cm:bearer"
_FORMAT = "urn:oasis:names:tc:SAML:2.0:nameid-format:"
_NAME = re.compile(r"[a-zA-Z_0-9+=,.@\-]{2,64}")
_INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)?", re.ASCII)
_TAG_TEXT = re.compile(r"[\w\s_.:/=+\-@]*")
_SHORTEST, _LONGEST = 900, 43_200
_MAX_TAGS, _MAX_TAG_KEY, _MAX_TAG_VALUE = 50, 128, 256

# The User Guide's table of attributes and condition keys (docs/aws/saml.md, "Condition keys").
_EDU_PERSON = (
    *("edupersonaffiliation", "edupersonnickname", "edupersonorgdn", "edupersonorgunitdn"),
    *("edupersonprimaryaffiliation", "edupersonprincipalname", "edupersonentitlement", "edupersonprimaryorgunitdn"),
    *("edupersonscopedaffiliation", "edupersontargetedid", "edupersonassurance"),
)
_EDU_ORG = (
    *("eduorghomepageuri", "eduorgidentityauthnpolicyuri", "eduorglegalname"),
    *("eduorgsuperioruri", "eduorgwhitepagesuri"),
)
_CLAIMS = "http://schemas.xmlsoap.org/"
_KEYS: Final[Mapping[str, str]] = {
    **{f"urn:oid:1.3.6.1.4.1.5923.1.1.1.{n}": name for n, name in enumerate(_EDU_PERSON, 1)},
    **{f"urn:oid:1.3.6.1.4.1.5923.1.2.1.{n}": name for n, name in enumerate(_EDU_ORG, 2)},
    "urn:oid:2.5.4.3": "cn",
    f"{_CLAIMS}ws/2005/05/identity/claims/name": "name",
    f"{_CLAIMS}claims/CommonName": "commonname",
    f"{_CLAIMS}ws/2005/05/identity/claims/givenname": "givenname",
    f"{_CLAIMS}ws/2005/05/identity/claims/surname": "surname",
    f"{_CLAIMS}ws/2005/05/identity/claims/emailaddress": "mail",
    "http://schemas.microsoft.com/ws/2008/06/identity/claims/primarygroupsid": "uid primarygroupsid",
    "2.5.4.3": "commonname",
    "2.5.4.4": "surname",
    "2.4.5.42": "givenname",  # as the table has it
    "2.5.4.45": "x500uniqueidentifier",
    "0.9.2342.19200300100.1.1": "uid",
    "0.9.2342.19200300100.1.3": "mail",
    "0.9.2342.19200300.100.1.45": "organizationstatus",  # as the table has it
}
_SINGLE = frozenset(
    {"edupersonorgdn", "edupersonprimaryaffiliation", "edupersonprincipalname", "edupersonprimaryorgunitdn"}
)


@dataclass(frozen=True, slots=True)
class Claims:
    """What an assertion says, each member read from what was digested under a good signature.

    Times are seconds since the epoch. `ends` is when the first of its time limits passes, `starts` the latest of its
    NotBefore. `attributes` holds all attributes by name; `subject` is empty where there is no NameID, and
    `in_response_to` where nobody had asked.
    """

    id: str
    issuer: str
    issued: float
    subject: str
    subject_format: str
    recipient: str
    audiences: tuple[str, ...]
    starts: float
    ends: float
    session_ends: float | None
    attributes: Mapping[str, tuple[str, ...]]
    in_response_to: str = ""
    session: str = ""  # SessionIndex of the first AuthnStatement
    signer: bytes = b""  # the certificate whose key signed, in DER
    encrypted: bool = False

    @property
    def digest(self) -> str:
        """What an assertion is known by once it is used up."""
        return hashlib.sha256(f"{self.issuer}\0{self.id}".encode()).hexdigest()

    @property
    def subject_type(self) -> str:
        """The NameID's format without the prefix of SAML 2.0; any other format is kept whole, as AWS does."""
        return self.subject_format.removeprefix(_FORMAT)

    def name_qualifier(self, account: str, provider: str) -> str:
        """BASE64(SHA1(issuer + account + "/" + provider name)): with `subject` it identifies a person."""
        text = f"{self.issuer}{account}/{provider}"
        return base64.b64encode(hashlib.sha1(text.encode(), usedforsecurity=False).digest()).decode()

    @property
    def roles(self) -> tuple[tuple[str, str], ...]:
        """(role ARN, provider ARN) pairs of the Role attribute, written in either order; others are passed over."""
        pairs = (split_pair(value) for value in self.attributes.get(ROLE_ATTRIBUTE, ()))
        return tuple(dict.fromkeys(pair for pair in pairs if pair))

    @property
    def session_name(self) -> str:
        """The RoleSessionName attribute. Raises Refused: it is absent, or AWS would not accept it."""
        name = self._single("RoleSessionName")
        if not name:
            raise refused("RoleSessionName is required in AuthnResponse")
        if not _NAME.fullmatch(name):
            raise refused("RoleSessionName in AuthnResponse must match [a-zA-Z_0-9+=,.@-]{2,64}")
        return name

    @property
    def source_identity(self) -> str:
        """The SourceIdentity attribute, or an empty string. Raises Refused: AWS would not accept it."""
        value = self._single("SourceIdentity")
        if value and (not _NAME.fullmatch(value) or value.startswith("aws:")):
            raise refused('Source Identity must match [a-zA-Z_0-9+=,.@-]{2,64} and not begin with "aws:"')
        return value

    @property
    def session_duration(self) -> int | None:
        """The SessionDuration attribute in seconds, or None.

        Raises:
            Refused: not a number from 900 to 43200. AWS's sentence for that is not recorded; this one is ours.
        """
        value = self._single("SessionDuration")
        if not value:
            return None
        if not (value.isascii() and value.isdigit() and _SHORTEST <= int(value[:9]) <= _LONGEST):
            raise refused(f"SessionDuration in AuthnResponse must be between {_SHORTEST} and {_LONGEST}")
        return int(value)

    @property
    def tags(self) -> list[Mapping[str, str]]:
        """The PrincipalTag:* attributes as tags of the session.

        Raises:
            Refused: a tag with several values, or one that STS would not accept as a parameter. The sentences are ours.
        """
        prefix = f"{ATTRIBUTE}PrincipalTag:"
        tags = {name[len(prefix) :]: values for name, values in self.attributes.items() if name.startswith(prefix)}
        if len(tags) > _MAX_TAGS:
            raise refused(f"AuthnResponse has more than {_MAX_TAGS} principal tags")
        return [_tag(key, values) for key, values in tags.items()]

    @property
    def transitive(self) -> tuple[str, ...]:
        """The keys of those tags that stay with chained sessions."""
        return self.attributes.get(f"{ATTRIBUTE}TransitiveTagKeys", ())

    def keys(self, account: str, provider: str) -> dict[str, tuple[str, ...]]:
        """The saml:* condition keys that hold while the role is assumed (docs/aws/saml.md, "Condition keys")."""
        keys: dict[str, tuple[str, ...]] = {
            "saml:aud": (self.recipient,),
            "saml:iss": (self.issuer,),
            "saml:sub": (self.subject,),
            "saml:sub_type": (self.subject_type,),
            "saml:namequalifier": (self.name_qualifier(account, provider),),
            "saml:doc": (f"{account}/{provider}",),
        }
        for name, values in self.attributes.items():
            for key in _KEYS.get(name, "").split() if values else ():
                # One claim for a key: later ones are passed over, as the User Guide says.
                keys.setdefault(f"saml:{key}", values[:1] if key in _SINGLE else values)
        return keys

    def texts(self, name: str) -> tuple[str, ...]:
        """The values of what a context provider names: `Subject/NameID`, or an attribute.

        How it names attributes is not documented: here by the Name that they have in the assertion.
        """
        return (self.subject,) if name == "Subject/NameID" else self.attributes.get(name, ())

    def _single(self, name: str) -> str:
        values = self.attributes.get(f"{ATTRIBUTE}{name}", ())
        if len(values) > 1:
            raise refused(f"{name} in AuthnResponse must have one value")
        return values[0] if values else ""


def split_pair(value: str) -> tuple[str, str] | None:
    """(role ARN, provider ARN) of one value of the Role attribute; None when it is no such pair.

    Role names may hold commas, provider names may not: the comma beside the provider is the one that divides.
    """
    first, _, rest = value.partition(",")
    start, _, last = value.rpartition(",")
    for role, provider in ((start, last), (rest, first)):
        if ":role/" in role and federated.kind_of(provider) is federated.SAML:
            return role.strip(), provider.strip()
    return None


def attributes_of(assertion: Any) -> dict[str, tuple[str, ...]]:
    """All attributes by name, their values without white space around them; empty values are left out."""
    attributes: dict[str, tuple[str, ...]] = {}
    for attribute in assertion.iterfind(f"{SAML}AttributeStatement/{SAML}Attribute"):
        values = tuple(text for value in attribute.iterfind(f"{SAML}AttributeValue") if (text := _value(value)))
        name = attribute.get("Name") or ""
        attributes[name] = attributes.get(name, ()) + values
    return attributes


def read(assertion: Any) -> Claims:
    """The claims of a verified assertion, of which AWS demands these parts (docs/aws/saml.md, "Errors").

    Raises:
        Refused: no Conditions, no AuthnStatement, not one bearer SubjectConfirmation with Recipient and NotOnOrAfter, a
            NameID without Format, an instant that is none.
    """
    conditions = _one(assertion, "Conditions")
    statements = assertion.findall(f"{SAML}AuthnStatement")
    if not statements:
        raise malformed("no AuthnStatement")
    if assertion.find(f"{SAML}Subject") is None:
        raise nobody("no Subject")
    subject = _one(assertion, "Subject")
    confirmation = _one(subject, "SubjectConfirmation")
    data = _one(confirmation, "SubjectConfirmationData")
    if confirmation.get("Method") != BEARER:
        raise malformed("the SubjectConfirmation is not bearer")
    recipient, deadline = data.get("Recipient"), _instant(data, "NotOnOrAfter")
    if not recipient or deadline is None:
        raise malformed("SubjectConfirmationData without Recipient or NotOnOrAfter")
    name_id = subject.find(f"{SAML}NameID")
    if name_id is not None and not name_id.get("Format"):
        raise malformed("NameID without Format")
    sessions = [end for statement in statements if (end := _instant(statement, "SessionNotOnOrAfter")) is not None]
    limits = [deadline, *sessions, *_some(_instant(conditions, "NotOnOrAfter"))]
    begins = [*_some(_instant(conditions, "NotBefore")), *_some(_instant(data, "NotBefore"))]
    issued = _instant(assertion, "IssueInstant")
    if issued is None or not assertion.get("ID"):
        raise malformed("no IssueInstant or ID")
    return Claims(
        id=assertion.get("ID"),
        issuer=_value(_one(assertion, "Issuer")),
        issued=issued,
        subject="" if name_id is None else "".join(name_id.itertext()),
        subject_format="" if name_id is None else name_id.get("Format"),
        recipient=recipient,
        audiences=tuple(map(_value, conditions.iterfind(f"{SAML}AudienceRestriction/{SAML}Audience"))),
        starts=max(begins, default=0.0),
        ends=min(limits),
        session_ends=min(sessions, default=None),
        attributes=attributes_of(assertion),
        in_response_to=data.get("InResponseTo", ""),
        session=statements[0].get("SessionIndex", ""),
    )


def _one(parent: Any, name: str) -> Any:
    elements = parent.findall(f"{SAML}{name}")
    if len(elements) != 1:
        raise malformed(f"{len(elements) or 'no'} {name}")
    return elements[0]


def _some(value: float | None) -> list[float]:
    return [] if value is None else [value]


def _value(element: Any) -> str:
    return "".join(element.itertext()).strip()


def _instant(element: Any, name: str) -> float | None:
    text = element.get(name)
    if text is None:
        return None
    if not _INSTANT.fullmatch(text):
        raise malformed(f"{name} is no instant")
    try:
        return clock.parse_iso(text)
    except ValueError:
        raise malformed(f"{name} is no instant") from None


def _tag(key: str, values: tuple[str, ...]) -> dict[str, str]:
    if len(values) > 1:
        raise refused(f"PrincipalTag:{key} in AuthnResponse must have one value")
    value = values[0] if values else ""
    sound = 0 < len(key) <= _MAX_TAG_KEY and len(value) <= _MAX_TAG_VALUE and not key.lower().startswith("aws:")
    if not sound or not _TAG_TEXT.fullmatch(key) or not _TAG_TEXT.fullmatch(value):
        raise refused(f"PrincipalTag:{key[:_MAX_TAG_KEY]} in AuthnResponse is not a valid tag")
    return {"Key": key, "Value": value}
