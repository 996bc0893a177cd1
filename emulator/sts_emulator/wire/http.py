"""One HTTP request and response as the wire sees them, and how their escapes and forms are read.

Everything here is hostile input: sizes are checked before anything is built from it, and bad escapes leave as AWS's
`MalformedQueryString` (docs/aws/signatures.md, "Order of checks" row 4).
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable
from dataclasses import field
from functools import lru_cache
from typing import Final

from sts_emulator.core.errors import AwsError
from sts_emulator.core.faults import Fault
from sts_emulator.policy.light_dataclass import dataclass

MAX_BODY: Final = 1 << 20
"""Bytes of body that are read before a request is refused; whoever reads the socket enforces it."""

MAX_PARAMETERS: Final = 5_000
"""Parameters of one query string or form; far above what any operation takes (IAM lists hold tens)."""

SHORT_FORM: Final = 64
"""Bytes of a body of which is remembered what was made: GetCallerIdentity's is always the same."""

_SHORT_VALUE: Final = 128
_FORM = "application/x-www-form-urlencoded"
_HEX = frozenset("0123456789abcdefABCDEF")
_ASCII_ESCAPES = {
    high + low: chr(int(high + low, 16)) for high in "01234567" for low in "0123456789abcdefABCDEF"
}  # only these decode one by one: anything from %80 on is part of a UTF-8 sequence


@dataclass(slots=True)
class Request:
    """What arrived.

    `raw_path` is the path as received (still escaped) without the world's prefix: it routes. `signed_path` is the whole
    path that the client signed. `query` is the raw query string. Header names are lower-case, the values of a repeated
    header joined with ",". `client` is the peer's address and `scheme` is "http" or "https". `message` is all of it as
    it came, where it came at once (wire.messages).
    """

    method: str
    raw_path: str
    signed_path: str
    query: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    client: str = ""
    scheme: str = "http"
    message: bytes = b""
    _parameters: dict[str, str] | None = field(default=None, init=False, repr=False, compare=False)


@dataclass(slots=True)
class Response:
    """What is sent back; whoever writes the socket adds `content-length` and `date`, and spoils it by its `fault`.

    With a `stream` that is sent instead of the body, for as long as somebody reads it.
    """

    status: int
    headers: list[tuple[str, str]]
    body: bytes
    fault: Fault | None = None
    stream: AsyncGenerator[bytes, None] | None = None


def parameters(request: Request) -> dict[str, str]:
    """Query-protocol parameters from the query string and a form body, whatever the method; the first value wins.

    A body without the form content type is no form (docs/aws/wire.md, "Routing"). Raises `MalformedQueryString`.
    """
    known = request._parameters  # noqa: SLF001  # this module owns the memo
    if known is None:
        known = form(request.query) if request.query else {}
        kind = request.headers.get("content-type", "")
        if request.body and (kind.startswith(_FORM) or kind.lstrip()[: len(_FORM)].lower() == _FORM):
            text = request.body.decode("utf-8", "replace")
            posted = _short_form(text) if len(text) <= SHORT_FORM else form(text)
            known = {**posted, **known} if known else posted
        request._parameters = known  # noqa: SLF001  # this module owns the memo
    return known


@lru_cache(maxsize=256)
def _short_form(text: str) -> dict[str, str]:
    """A short form, remembered: GetCallerIdentity's is always the same. Nobody changes what `parameters` returns."""
    return form(text)


def form(text: str) -> dict[str, str]:
    """Pairs of a query string or form, decoded; of a repeated name the first value wins."""
    result: dict[str, str] = {}
    for pair in _pairs(text):
        name, _, value = pair.partition("=")
        if "%" in pair or "+" in pair:
            name, value = unquote(name, plus=True), _value(value)
        if name not in result:
            result[name] = value
    return result


def _value(text: str) -> str:
    return _short_value(text) if len(text) <= _SHORT_VALUE else unquote(text, plus=True)


@lru_cache(maxsize=1024)
def _short_value(text: str) -> str:
    """A short value, remembered: most are ARNs, and the same ones again."""
    return unquote(text, plus=True)


def pairs(text: str) -> list[tuple[str, str]]:
    """Pairs of a query string in the order sent, decoded, repeated names kept (rest-json lists)."""
    if not text:
        return []
    split = (pair.partition("=") for pair in _pairs(text))
    return [(unquote(name, plus=True), unquote(value, plus=True)) for name, _, value in split]


def unquote(text: str, *, plus: bool = False) -> str:
    """Percent-decode as UTF-8 (ill-formed sequences become U+FFFD); with `plus`, "+" is a space.

    Raises:
        AwsError: `MalformedQueryString`, in the words of docs/aws/signatures.md, "Order of checks" row 4.
    """
    if plus and "+" in text:
        text = text.replace("+", " ")
    if "%" not in text:
        return text
    head, *escaped = text.split("%")
    try:
        return head + "".join([_ASCII_ESCAPES[part[:2]] + part[2:] for part in escaped])
    except KeyError:
        return _unquote_utf8(head, escaped)


def _unquote_utf8(head: str, escaped: list[str]) -> str:
    result = bytearray(head.encode("utf-8", "replace"))
    for index, part in enumerate(escaped):
        digits = part[:2]
        if len(digits) < 2 and index == len(escaped) - 1:  # noqa: PLR2004  # an escape has two digits
            raise AwsError("MalformedQueryString", "Incomplete trailing escape % sequence")
        if len(digits) < 2 or not _HEX.issuperset(digits):  # noqa: PLR2004  # an escape has two digits
            shown = ("%" + "%".join(escaped[index:]))[:3]
            raise AwsError("MalformedQueryString", f"Illegal hex character in escape % pattern: {shown}")
        result.append(int(digits, 16))
        result += part[2:].encode("utf-8", "replace")
    return result.decode("utf-8", "replace")


def _pairs(text: str) -> Iterable[str]:
    if text.count("&") >= MAX_PARAMETERS:
        raise AwsError("MalformedQueryString", f"More than {MAX_PARAMETERS} parameters")
    return filter(None, text.split("&"))
