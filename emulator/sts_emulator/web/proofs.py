"""What a call proved itself with, decoded: tokens, assertions, certificates, signatures, while the call is kept."""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

from sts_emulator.analysis.inspection import segment
from sts_emulator.core import clock
from sts_emulator.core.errors import AwsError
from sts_emulator.pages import tokens
from sts_emulator.pages.visit import Visit
from sts_emulator.policy.light_dataclass import dataclass
from sts_emulator.vending.context import Exchange, Server
from sts_emulator.wire import http, sigv4
from sts_emulator.wire.http import Request

if TYPE_CHECKING:
    from cryptography import x509

LONGEST: Final = 40_000
"""Characters of a token or assertion that are decoded."""

_JWT = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*")
_TIMES: Final = ("iat", "exp", "nbf", "auth_time")


@dataclass(frozen=True, slots=True)
class Part:
    """One piece of evidence in a readable form: `rows` by name, or a `text` as it stands."""

    title: str
    rows: Mapping[str, str]
    text: str = ""


def exchange_of(server: Server, identifier: str) -> Exchange | None:
    """The call of an attempt as it came, while it is kept."""
    return next((Exchange(*kept) for kept in server.exchanges if kept[0] == identifier), None)


def shown_exchange(visit: Visit, identifier: str) -> Exchange | None:
    """Likewise, for whoever may see it: it holds secrets, which a token for reading is not good for."""
    is_reader = tokens.only_reads(visit.server.settings, visit.request.headers.get("authorization", ""))
    return None if is_reader else exchange_of(visit.server, identifier)


def parts(request: Request) -> Iterator[Part]:
    """What can be read out of a call."""
    for name, value in _texts(request):
        yield from decoded(name, value)
    if certificate := request.headers.get("x-amz-x509", ""):
        yield from _certificate(certificate[:LONGEST])
    yield from _signature(request)


def decoded(name: str, value: str) -> Iterator[Part]:
    """A token's header and claims, or an assertion's text; nothing of what is neither."""
    if len(value) > LONGEST:
        return
    if _JWT.fullmatch(value):
        yield from _token(name, value)
    elif name.lower().endswith("samlassertion"):
        yield from _assertion(value)


def _texts(request: Request) -> Iterator[tuple[str, str]]:
    """Parameters of a call, in a form or in JSON."""
    try:
        yield from http.parameters(request).items()
        body = json.loads(request.body) if "json" in request.headers.get("content-type", "") else {}
    except (AwsError, ValueError, RecursionError):
        return
    if isinstance(body, dict):
        yield from ((name, value) for name, value in body.items() if isinstance(value, str))
        logins = body.get("Logins")
        if isinstance(logins, dict):
            yield from ((name, value) for name, value in logins.items() if isinstance(value, str))


def _token(name: str, value: str) -> Iterator[Part]:
    header, claims = map(segment, value.split(".")[:2])
    if header is not None and claims is not None:
        yield Part(f"{name}: the token's header", _rows(header))
        yield Part(f"{name}: the token's claims", _rows(claims))


def _rows(told: Mapping[str, Any]) -> dict[str, str]:
    rows = {}
    for name, value in told.items():
        shown = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        if name in _TIMES and isinstance(value, int | float) and 0 <= value < 10**11:
            shown += f" ({clock.iso(value)})"
        rows[str(name)] = shown
    return rows


def _assertion(value: str) -> Iterator[Part]:
    try:
        text = base64.b64decode(value, validate=False).decode("utf-8", "replace")
    except (binascii.Error, ValueError):
        return
    yield Part("SAMLAssertion: the response", {}, re.sub(r"><", ">\n<", text))


def _certificate(value: str) -> Iterator[Part]:
    from cryptography import x509

    try:
        yield certificate_part(x509.load_der_x509_certificate(base64.b64decode(value)))
    except ValueError:
        return


def certificate_part(certificate: x509.Certificate) -> Part:
    """What a certificate says. Raises ValueError: it cannot be read."""
    return Part(
        "X-Amz-X509: the certificate",
        {
            "subject": certificate.subject.rfc4514_string(),
            "issuer": certificate.issuer.rfc4514_string(),
            "serial number": str(certificate.serial_number),
            "not before": clock.iso(certificate.not_valid_before_utc.timestamp()),
            "not after": clock.iso(certificate.not_valid_after_utc.timestamp()),
            **{_name(extension.oid): _said(extension.value) for extension in certificate.extensions},
        },
    )


def _name(oid: x509.ObjectIdentifier) -> str:
    """What an object identifier is called."""
    return oid._name if oid._name != "Unknown OID" else oid.dotted_string  # noqa: SLF001 # the only name there is


def _said(value: x509.ExtensionType) -> str:
    """An extension in words, as far as Roles Anywhere and people look at it."""
    from cryptography import x509

    if isinstance(value, x509.SubjectAlternativeName):
        return ", ".join(str(getattr(name.value, "rfc4514_string", lambda name=name: name.value)()) for name in value)
    if isinstance(value, x509.BasicConstraints):
        return "an authority" if value.ca else "no authority"
    if isinstance(value, x509.KeyUsage):
        usages = [name.removeprefix("_") for name, is_so in vars(value).items() if is_so is True]
        return ", ".join(usages).replace("_", " ")
    if isinstance(value, x509.ExtendedKeyUsage):
        return ", ".join(map(_name, value))
    digest = getattr(value, "digest", None) or getattr(
        value, "key_identifier", None
    )  # of the subject's or issuer's key
    return digest.hex() if isinstance(digest, bytes) else str(value)


def _signature(request: Request) -> Iterator[Part]:
    try:
        signed = sigv4.read(request, (sigv4.HMAC, sigv4.ECDSA))
    except AwsError:
        return
    if signed is None:
        return
    rows = {
        "algorithm": signed.algorithm,
        "access key": signed.access_key_id,
        "day": signed.scope_date,
        "region": signed.region,
        "service": signed.service,
        "date": signed.date,
        "signed headers": ", ".join(signed.signed_headers),
        "session token": "there is one" if signed.token else "none",
        "signature": signed.signature,
    }
    yield Part("The signature", rows)
    try:
        yield Part("The canonical request", {}, sigv4.canonical_request(request, signed))
        yield Part("The string to sign", {}, sigv4.string_to_sign(request, signed))
    except AwsError:
        return


def as_text(exchange: Exchange) -> tuple[str, str]:
    """Request and response as they went over the wire."""
    request, response = exchange.request, exchange.response
    target = request.signed_path + (f"?{request.query}" if request.query else "")
    lines = [f"{request.method} {target} HTTP/1.1", *(f"{name}: {value}" for name, value in request.headers.items())]
    answer = [f"HTTP/1.1 {response.status}", *(f"{name}: {value}" for name, value in response.headers)]
    return _message(lines, request.body), _message(answer, response.body)


def _message(lines: list[str], body: bytes) -> str:
    return "\n".join([*lines, "", body.decode("utf-8", "replace")])


def claims(request: Request) -> Mapping[str, object]:
    """The claims of the token that a call carries; empty when it carries none."""
    for _, value in _texts(request):
        is_token = _JWT.fullmatch(value) and len(value) <= LONGEST
        if is_token and (told := segment(value.split(".")[1])) is not None:
            return told
    return {}


def lifetime(request: Request) -> tuple[float | None, float | None]:
    """From when to when the token of a call is good, in seconds."""
    told = claims(request)
    begins, ends = (told.get(name) for name in ("nbf", "exp"))
    return tuple(value if isinstance(value, int | float) and abs(value) < 10**11 else None for value in (begins, ends))  # type: ignore[return-value]  # two of two
