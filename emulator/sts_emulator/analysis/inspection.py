"""What a piece of evidence says: a token, an assertion or a certificate. Nothing of it is verified here."""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final
from urllib.parse import unquote_plus

from sts_emulator.core import clock
from sts_emulator.core.errors import AwsError
from sts_emulator.policy.json_types import JsonObject
from sts_emulator.policy.light_dataclass import dataclass

MOST: Final = 1 << 20  # bytes of evidence that are looked at; a SAML response ends at 100,000 characters
_TIMES: Final = ("iat", "nbf", "exp", "auth_time")
_PEM: Final = re.compile("-----BEGIN ([A-Z0-9 ]+)-----")
_END_OF_TIME: Final = 253_370_764_800  # the year 9999: what ISO dates can say


@dataclass(frozen=True)
class Inspected:
    """`facts` as they stand there; `keys` are condition keys that a trust policy may test; `notes` in words."""

    kind: str
    facts: Mapping[str, Any]
    keys: Mapping[str, Any]
    notes: tuple[str, ...]


def inspect(data: bytes) -> Inspected | None:
    """What the evidence says, or None where it is of no kind known here.

    Raises:
        ValueError: it is of a known kind, and damaged.
    """
    if len(data) > MOST:
        return None
    text = data.decode("utf-8", "replace").strip()
    pem = _PEM.findall(text)
    if pem and "CERTIFICATE" not in pem:
        raise ValueError(f"holds a {pem[0].lower()}; what proves somebody's identity is a certificate: name its file")
    return _token(text) or _assertion(text) or _certificate(data, text)


# -- tokens ----------------------------------------------------------------------------------------------------------


def _token(text: str) -> Inspected | None:
    parts = text.split(".")
    if len(parts) != 3:  # noqa: PLR2004 - header, claims, signature
        return None
    header, claims = map(segment, parts[:2])
    if header is None or claims is None:
        return None
    times = {name: clock.iso(claims[name]) for name in _TIMES if _is_instant(claims.get(name))}
    host = str(claims.get("iss", "")).removeprefix("https://")
    keys = {f"{host}:{name}": claims[name] for name in ("aud", "sub", "amr") if name in claims}
    return Inspected(
        "token", {"header": header, "claims": claims, "times": times}, keys, tuple(_token_notes(header, claims))
    )


def segment(part: str) -> dict[str, Any] | None:
    """The JSON object in a part of a token; None where there is none."""
    try:
        value = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)), parse_constant=_refuse)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _refuse(constant: str) -> None:
    """NaN and its like are no JSON, though Python reads them. Raises ValueError."""
    raise ValueError(constant)


def _is_instant(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < _END_OF_TIME


def _token_notes(header: JsonObject, claims: JsonObject) -> Iterator[str]:
    from sts_emulator.idp.presets import PRESETS

    kinds = [name for name, preset in PRESETS.items() if preset.url == claims.get("iss")]
    yield from (f"the issuer is that of `sts-emulator token {name}`" for name in kinds)
    if str(header.get("alg", "")).lower() in ("none", ""):
        yield "it is not signed (`alg`): nobody accepts it"
    yield from _over(claims.get("nbf"), claims.get("exp"))
    missing = [name for name in ("iss", "sub", "aud", "iat", "exp") if name not in claims]
    if missing:
        yield f"AssumeRoleWithWebIdentity needs {', '.join(missing)}"


def _over(begins: Any, ends: Any) -> Iterator[str]:
    """By this machine's clock; a world may have another."""
    now = clock.real()
    if _is_instant(ends) and ends <= now:
        yield f"it expired {int(now - ends)} seconds ago"
    if _is_instant(begins) and begins > now:
        yield f"it becomes valid in {int(begins - now)} seconds"


# -- assertions ------------------------------------------------------------------------------------------------------


def _assertion(text: str) -> Inspected | None:
    from sts_emulator.methods.saml import claims as saml_claims
    from sts_emulator.methods.saml import message as saml_message

    encoded = _saml_text(text)
    if not encoded:
        return None
    try:
        message = saml_message.read(encoded)
        if message.assertion is None:
            return Inspected("assertion", {"issuer": message.issuer}, {}, ("the assertion is encrypted",))
        claims = saml_claims.read(message.assertion)
    except AwsError as refused:
        return Inspected("assertion", {}, {}, (f"STS would refuse its shape: {refused.message}",))
    facts = {
        "issuer": claims.issuer,
        "subject": claims.subject,
        "recipient": claims.recipient,
        "audiences": list(claims.audiences),
        "issued": clock.iso(claims.issued),
        "ends": clock.iso(claims.ends),
        "attributes": {name: list(values) for name, values in claims.attributes.items()},
    }
    keys = {"saml:iss": claims.issuer, "saml:sub": claims.subject, "saml:aud": claims.recipient}
    notes = list(_over(claims.starts, claims.ends))
    if saml_claims.ROLE_ATTRIBUTE not in claims.attributes:
        notes.append("no role attribute: AssumeRoleWithSAML refuses it")
    return Inspected("assertion", facts, keys, tuple(notes))


def _saml_text(text: str) -> str:
    """The base64 of what looks like a response: XML, its base64, or the form field that a browser sends."""
    if text.startswith("<"):
        return base64.b64encode(text.encode()).decode()
    field = text.partition("SAMLResponse=")[2].partition("&")[0]
    compact = "".join((unquote_plus(field) or text).split())
    try:
        begin = base64.b64decode(compact[:64], validate=True)
    except (binascii.Error, ValueError):
        return ""
    return compact if begin.lstrip().startswith(b"<") else ""


# -- certificates ----------------------------------------------------------------------------------------------------


def _certificate(data: bytes, text: str) -> Inspected | None:
    from cryptography import x509

    from sts_emulator.methods.roles_anywhere import attributes, certificates, mappings

    pem = "-----BEGIN CERTIFICATE-----" in text
    if not pem and not data.startswith(b"\x30\x82"):  # DER: a sequence whose length takes two bytes
        return None
    try:
        certificate = x509.load_pem_x509_certificate(data) if pem else x509.load_der_x509_certificate(data)
        constraints = certificates.extension(certificate, x509.BasicConstraints)
        names = certificates.extension(certificate, x509.SubjectAlternativeName)
        tags = attributes.tags(certificate, mappings.defaults())
    except ValueError:
        raise ValueError(
            "is a damaged certificate: what was cut off or changed on the way? "
            f"`openssl x509 -noout -text{'' if pem else ' -inform der'}` must read it; copy it again, whole"
        ) from None
    authority = constraints is not None and constraints.ca
    begins, ends = (when.timestamp() for when in (certificate.not_valid_before_utc, certificate.not_valid_after_utc))
    facts = {
        "subject": certificate.subject.rfc4514_string(),
        "issuer": certificate.issuer.rfc4514_string(),
        "serial": certificates.serial(certificate),
        "begins": clock.iso(begins),
        "ends": clock.iso(ends),
        "authority": authority,
        "alternative names": [_general_name(name) for name in names] if names is not None else [],
    }
    problem = certificates.authority_problem(certificate) if authority else certificates.end_entity_problem(certificate)
    notes = (*_over(begins, ends), *([f"IAM Roles Anywhere refuses it: {problem}"] if problem else []))
    keys = {} if authority else {f"aws:PrincipalTag/{name}": value for name, value in tags.items()}
    return Inspected("certificate", facts, keys, notes)


def _general_name(name: Any) -> str:
    return f"{type(name).__name__}: {name.value}"
