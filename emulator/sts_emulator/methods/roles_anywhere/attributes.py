"""What a session learns from its certificate: tags by the profile's mappings, the source identity, the origin.

Source: docs/aws/roles-anywhere.md, "Sessions" and "Attribute mappings".
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Final

from sts_emulator.methods.roles_anywhere import certificates
from sts_emulator.vending.origin import Origin

if TYPE_CHECKING:
    from cryptography import x509

SUBJECT: Final = "x509Subject"
ISSUER: Final = "x509Issuer"
SAN: Final = "x509SAN"

DEFAULT_MAPPINGS: Final[Mapping[str, tuple[str, ...]]] = {
    ISSUER: ("*",),
    SAN: ("DNS", "URI", "Name/*"),
    SUBJECT: ("*",),
}
"""What every profile maps until told otherwise, in the order in which GetProfile shows it."""

_SHORT_NAMES = {  # the first six are the documented ones; the others are the names in common use
    "2.5.4.3": "CN",
    "2.5.4.11": "OU",
    "2.5.4.10": "O",
    "2.5.4.6": "C",
    "2.5.4.8": "ST",
    "2.5.4.7": "L",
    "2.5.4.9": "STREET",
    "0.9.2342.19200300.100.1.25": "DC",
    "0.9.2342.19200300.100.1.1": "UID",
    "2.5.4.5": "SERIALNUMBER",
    "2.5.4.4": "SURNAME",
    "2.5.4.42": "GIVENNAME",
    "2.5.4.43": "INITIALS",
    "2.5.4.44": "GENERATION",
    "2.5.4.12": "T",
    "2.5.4.46": "DN",
    "2.5.4.65": "Pseudonym",
    "1.2.840.113549.1.9.1": "E",
}
_OID = re.compile(r"[0-2](?:\.[0-9]{1,20}){1,20}")
_MAX_TAG_KEY: Final = 128
_MAX_TAG_VALUE: Final = 256
_TAG_PUNCTUATION = frozenset("_.:/=+-@")
_LONGEST_CN_WITH_PREFIX: Final = 61
_LONGEST_CN: Final = 64
# With spaces, which a source identity that a caller passes may not have: common names with spaces are usual in company
# PKIs, and work (rolesanywhere-credential-helper#188, of which only the parentheses are a problem).
_SOURCE_IDENTITY = re.compile(r"[A-Za-z0-9_+=,.@ -]{2,64}")


def short_name(oid: str) -> str:
    """The name of an RDN type; types without one are called by their object identifier."""
    return _SHORT_NAMES.get(oid, oid)


def is_specifier(text: str) -> bool:
    """Whether a mapping may name this RDN type: by a short name or by an object identifier."""
    known = {name.lower() for name in _SHORT_NAMES.values()}
    return text.lower() in known or _OID.fullmatch(text) is not None


def tags(certificate: x509.Certificate, mappings: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """The session tags (`x509Subject/CN` …) that a profile's mappings make of a certificate.

    Values that STS would not take as tags are left out without a word, as AWS does.
    """
    mapped = dict(pair for pairs in _mapped(certificate, mappings).values() for pair in pairs)
    return {key: value for key, value in mapped.items() if _is_tag(key, value)}


def unmapped(certificate: x509.Certificate, mappings: Mapping[str, Sequence[str]]) -> str:
    """AWS's sentence about values that could not become tags; empty when there are none.

    Names beyond the first become no tags either way, but are told all the same, with their number
    (rolesanywhere-credential-helper#77).
    """
    names = _mapped(certificate, mappings)
    names[SAN] += _further_names(certificate, mappings.get(SAN, ()))
    failed = {
        field: ", ".join(key.removeprefix(f"{field}/") for key, value in values if not _is_tag(key, value))
        for field, values in names.items()
    }
    if not any(failed.values()):
        return ""
    issuer, subject, san = (f"[ {text} ]" for text in (failed[ISSUER], failed[SUBJECT], failed[SAN]))
    return f"Some attributes failed to be mapped into session tags. Issuer: {issuer}; Subject: {subject}; SAN: {san}"


def _mapped(certificate: x509.Certificate, mappings: Mapping[str, Sequence[str]]) -> dict[str, list[tuple[str, str]]]:
    """What would be tags, by the field that it is of."""
    return {
        SUBJECT: list(_name_tags(SUBJECT, certificate.subject, mappings.get(SUBJECT, ()))),
        ISSUER: list(_name_tags(ISSUER, certificate.issuer, mappings.get(ISSUER, ()))),
        SAN: list(_alternative_tags(certificate, mappings.get(SAN, ()))),
    }


def _further_names(certificate: x509.Certificate, specifiers: Sequence[str]) -> Iterator[tuple[str, str]]:
    for specifier, values in _plain_names(certificate).items():
        if specifier in specifiers:
            for number, value in enumerate(values[1:], 2):
                yield f"{SAN}/{specifier}/{number}", value


def _name_tags(prefix: str, name: x509.Name, specifiers: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Tags of one distinguished name; several values of a type are joined with `/` in the certificate's order."""
    by_type: dict[str, list[str]] = {}
    for attribute in name:
        value = attribute.value
        by_type.setdefault(attribute.oid.dotted_string, []).append(value if isinstance(value, str) else value.hex())
    for specifier in specifiers:
        for oid, values in by_type.items():
            if specifier == "*" or specifier.lower() in (oid, short_name(oid).lower()):
                # A rule that names an object identifier makes a tag of that name: whether AWS does is not recorded.
                name_of_tag = specifier if specifier == oid else short_name(oid)
                yield f"{prefix}/{name_of_tag}", "/".join(values)


def _alternative_tags(certificate: x509.Certificate, specifiers: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Tags of the first DNS name, URI and directory name of the subject's alternative names."""
    from cryptography import x509

    names = certificates.extension(certificate, x509.SubjectAlternativeName)
    if names is None:
        return
    plain = _plain_names(certificate)
    directory = names.get_values_for_type(x509.DirectoryName)
    for specifier in specifiers:
        if specifier not in plain:
            if directory:
                yield from _name_tags(f"{SAN}/Name", directory[0], (specifier.removeprefix("Name/"),))
        elif plain[specifier]:
            yield f"{SAN}/{specifier}", plain[specifier][0]


def _plain_names(certificate: x509.Certificate) -> dict[str, list[str]]:
    from cryptography import x509

    names = certificates.extension(certificate, x509.SubjectAlternativeName)
    if names is None:
        return {}
    return {
        "DNS": names.get_values_for_type(x509.DNSName),
        "URI": names.get_values_for_type(x509.UniformResourceIdentifier),
    }


def _is_tag(key: str, value: str) -> bool:
    """Whether STS takes a tag: letters, digits, white space and `_.:/=+-@`, within its lengths."""
    if len(key) > _MAX_TAG_KEY or len(value) > _MAX_TAG_VALUE:
        return False
    return all(c in _TAG_PUNCTUATION or c.isspace() or c.isalnum() for c in value)


def source_identity(certificate: x509.Certificate) -> str:
    """`CN=…`, a long CN bare, or without one `ID=` and the serial number.

    Raises:
        ValueError: STS would not take it, because the CN has characters that a source identity may not have. What
            AWS does then is not recorded; this is the strict reading.
    """
    from cryptography.x509.oid import NameOID

    common = [str(attribute.value) for attribute in certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)]
    name = "/".join(common)
    if not name or len(name) > _LONGEST_CN:
        identity = f"ID={certificates.serial(certificate)}"
    else:
        identity = f"CN={name}" if len(name) <= _LONGEST_CN_WITH_PREFIX else name
    if not _SOURCE_IDENTITY.fullmatch(identity):
        raise ValueError(f"`{identity}` cannot be a source identity")
    return identity


def origin(tags_of_session: Mapping[str, str], settings: Mapping[str, str]) -> Origin | None:
    """Who it was originally, by a profile with trusted identity propagation.

    Of issuer and provider its documentation says nothing: the session has no such keys.

    Raises:
        ValueError: the certificate has no value for the profile's subject, or the mappings leave it out.
    """
    if settings.get("status") != "ENABLED":
        return None
    source = settings.get("subjectSource", "x509Subject/CN")
    if source not in tags_of_session:
        raise ValueError(f"the certificate has no {source} for the profile's trusted identity propagation")
    return Origin(tags_of_session[source], settings.get("subjectType", ""))
