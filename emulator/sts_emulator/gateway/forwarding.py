"""A call that may pass goes to its upstream and its answer comes back, streamed; neither side keeps half of it."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Awaitable, Callable, Container
from contextlib import aclosing
from functools import lru_cache, partial
from typing import Final

from sts_emulator.core.errors import AwsError
from sts_emulator.core.store import UnavailableError
from sts_emulator.gateway import answers, conversation, cross_origin, leaving, naming, resigning, uploads
from sts_emulator.gateway.exchange import BrokenError, Exchange, LateError
from sts_emulator.gateway.large_bodies import worked
from sts_emulator.gateway.passage import Passage
from sts_emulator.gateway.recognition import S3
from sts_emulator.gateway.uploads import Upload
from sts_emulator.wire import foreign_parameters, foreign_routing, sigv4_s3
from sts_emulator.wire.asgi import ANSWER
from sts_emulator.wire.foreign_routing import Meant
from sts_emulator.wire.http import Response
from sts_emulator.wire.messages import NO_BODY

_LARGEST_READ: Final = 8 << 20
_KEPT: Final = 65_536
"""Bytes of an answer that is sent in one piece: one that breaks off before is a 502."""

_DROPPED: Final = frozenset(  # of an answer: what is between two neighbours, or has another value here
    {
        *(b"connection", b"keep-alive", b"proxy-authenticate", b"proxy-connection", b"te", b"trailer"),
        *(b"transfer-encoding", b"upgrade", b"content-length", b"date", b"server", b"alt-svc", b"set-cookie"),
        *(b"strict-transport-security", b"x-amz-request-id", b"x-amzn-requestid"),
    }
)
_WITH_CARE: Final = _DROPPED | {b"location"}
_REQUEST_IDS: Final = {S3: b"x-amz-request-id"}
_REQUEST_ID = re.compile(r"(<RequestI[dD]>)[^<]*(</RequestI[dD]>)")
RawHeaders = list[tuple[bytes, bytes]]
WriteDown = Callable[[], Awaitable[object]]
_FORMS: Final = ("query", "ec2")
_BY_PATH: Final = ("rest-json", "rest-xml")
_SAID_OF_FORMS: Final = ("application/x-www-form-urlencoded", "multipart/")
_NOTHING_READ: Final = frozenset({"GET", "HEAD", "DELETE", "OPTIONS"})


async def send(passage: Passage, body: bytes) -> Exchange:
    """Send a call whose body is known; the head of its answer has come then. Raises LateError and BrokenError."""
    if passage.signing_name == "sqs" and passage.meant is not None and passage.meant.protocol == "json":
        body = await worked(body, partial(naming.for_upstream, passage.upstream, passage.ctx.base_url, body))
    headers = resigning.passing(passage.request.headers)
    if body and passage.meant is not None:
        body = _in_one_reading(passage.meant, headers, body)
    has_none = not body and passage.request.method in _NOTHING_READ
    digest = await worked(body, partial(resigning.digest, body)) if body else resigning.OF_NOTHING
    head = head_of(passage, headers, digest, None if has_none else len(body))
    return await conversation.start(passage.upstream, passage.request.method, head, body)


def _in_one_reading(meant: Meant, headers: dict[str, str], body: bytes) -> bytes:
    """A body that no upstream can take for a form, where it is none, nor for a packed one: it was not read as such."""
    if meant.service.name != S3:
        headers.pop("content-encoding", None)
    if meant.protocol in _FORMS:
        return body
    if headers.get("content-type", "").lstrip().lower().startswith(_SAID_OF_FORMS):
        del headers["content-type"]
    is_json = meant.protocol in ("json", "rest-json") and not foreign_parameters.has_opaque_body(meant)
    return resigning.in_one_reading(body) if is_json else body


async def send_upload(passage: Passage, upload: Upload) -> Exchange:
    """Send a call whose body is still coming.

    Raises:
        AwsError: the body is not what was signed; the upstream has then not got all of it.
        GoneError: the caller has gone.
        LateError: the upstream does not take it, or does not answer, in time.
        BrokenError: the upstream ended before.
    """
    headers = _headers_of_upload(passage, upload)
    if upload.trailer:
        pieces, length, said = uploads.framed(upload), uploads.framed_length(upload), sigv4_s3.UNSIGNED_TRAILER
    else:
        is_digest = passage.said not in sigv4_s3.STREAMED
        pieces, length, said = upload.pieces(), upload.length, passage.said if is_digest else sigv4_s3.UNSIGNED
    head = head_of(passage, headers, said, length)
    return await send_pieces(passage, head, pieces)


async def send_pieces(passage: Passage, head: bytes, pieces: AsyncIterator[bytes]) -> Exchange:
    """Send a head and a body that is still coming; the head of the answer has come then. Raises what `pieces` does."""
    async with aclosing(pieces) as stream:  # type: ignore[type-var]  # an async generator, which has aclose
        first = await anext(stream, b"")
        # What has ended by now was checked; what has not, holds back its end.
        exchange = await passage.upstream.open()
        try:
            exchange.begin(for_head=False)
            await exchange.send(head + first)
            await _send_rest(exchange, stream)
            await exchange.head()
        except BaseException:
            exchange.abort()
            raise
    return exchange


async def _send_rest(exchange: Exchange, stream: AsyncIterator[bytes]) -> None:
    async for piece in stream:
        if exchange.has_answered:  # it does not want the rest
            exchange.leave_off()
            return
        await exchange.send(piece)


def _headers_of_upload(passage: Passage, upload: Upload) -> dict[str, str]:
    headers = resigning.passing(passage.request.headers)
    codings = [part.strip() for part in headers.pop("content-encoding", "").split(",")]
    codings = [part for part in codings if part and part.lower() != "aws-chunked"]
    if upload.trailer:
        codings.insert(0, "aws-chunked")
        headers |= {"x-amz-trailer": upload.trailer, "x-amz-decoded-content-length": str(upload.length)}
    if codings:
        headers["content-encoding"] = ",".join(codings)
    return headers


def head_of(passage: Passage, headers: dict[str, str], payload: str, length: int | None) -> bytes:
    """The head of what goes to the upstream, signed as whose call it is."""
    request = passage.request
    path = sigv4_s3.canonical_path(request.raw_path) if passage.signing_name == S3 else request.raw_path
    return resigning.head(
        passage.upstream,
        account=passage.owner or passage.account,
        service=passage.signing_name,
        region=passage.ctx.region,
        method=request.method,
        path=path,
        query=_query(passage),
        headers=headers,
        payload=payload,
        length=length,
    )


def _query(passage: Passage) -> str:
    """The query as it goes on.

    Where a body is anybody's bytes, there is one: moto looks into the body for an `Action` else, and does that instead.
    """
    query, meant = passage.request.query, passage.meant
    kept = resigning.query_of(query, _known_names(passage)) if query else ""
    if not kept and meant is not None and meant.protocol == "rest-json" and foreign_parameters.has_opaque_body(meant):
        return f"x-id={meant.operation.name}"
    return kept


def _known_names(passage: Passage) -> Container[str] | None:
    """What a query may hold, by the model; None where any name may pass."""
    meant = passage.meant
    if meant is None:
        return ()
    return foreign_routing.route(meant.operation).names if meant.protocol in _BY_PATH else None


async def relay(passage: Passage, exchange: Exchange, write_down: WriteDown) -> None:
    """Send the answer on as it comes; `write_down` is awaited when all of it is here, before its last piece leaves.

    Raises LateError, BrokenError and UnavailableError while nothing of it has left.
    """
    try:
        body = exchange.rest()
        if body is not None or _is_short(exchange) or not _is_stream(passage, exchange):
            await _relay_whole(passage, exchange, await _read(exchange) if body is None else body, write_down)
        else:
            await _relay_stream(passage, exchange, write_down)
    except BaseException:
        exchange.abort()
        raise
    passage.upstream.release(exchange)


def _is_short(exchange: Exchange) -> bool:
    length = exchange.length
    return exchange.status in NO_BODY or (length is not None and length <= _KEPT)


def _is_stream(passage: Passage, exchange: Exchange) -> bool:
    """Whether an answer is sent on as it comes; one that is not is a 502 where it breaks off."""
    if passage.meant is None or exchange.status >= 400:  # noqa: PLR2004 - an error
        return False
    return foreign_parameters.answers_with_a_stream(passage.meant)


async def _relay_whole(passage: Passage, exchange: Exchange, body: bytes, write_down: WriteDown) -> None:
    size = len(body)
    if not answers.is_one(passage.meant, exchange.status, body):
        raise BrokenError(f"answered {exchange.status}, and in no form of {passage.signing_name}")
    if size > _LARGEST_READ:  # too large to be looked through: it goes on as it is
        await _start(passage, exchange, None)
        await _send_on(passage, exchange, body, None, write_down)
        return
    await write_down()  # before its head leaves, which is the whole answer where the body is empty
    length: int | None = None
    if passage.request.method != "HEAD":
        if body and _is_text(exchange.header(b"content-type")):
            body = await worked(body, partial(named, passage, body, exchange.status))
        length = len(body)
    headers = _headers_of_answer(passage, exchange, length)
    answer = passage.scope.get(ANSWER) if passage.fault is None else None
    if answer is None or not answer(exchange.status, headers, body):
        await passage.send({"type": "http.response.start", "status": exchange.status, "headers": headers})
        await passage.send({"type": "http.response.body", "body": body})


async def _read(exchange: Exchange) -> bytes:
    """The body, as long as it may be read at once."""
    pieces, size = [], 0
    while size <= _LARGEST_READ and (piece := await exchange.read()):
        pieces.append(piece)
        size += len(piece)
    return b"".join(pieces)


def named(passage: Passage, body: bytes, status: int) -> bytes:
    """An answer's text in which the door stands for the upstream, where it may name it."""
    text = body.decode("utf-8", "surrogateescape")
    base_url, meant = passage.ctx.base_url, passage.meant
    if meant is not None and naming.holds_urls(meant.service.name, passage.operation):
        if meant.service.name == S3:
            parameters = passage.parameters
            text = naming.object_location(base_url, parameters.get("Bucket", ""), parameters.get("Key", ""), text)
        else:
            text = naming.renamed(passage.upstream, base_url, meant.service.name, meant.operation.name, text)
    if passage.signing_name != S3 or status >= 400:  # noqa: PLR2004 - an error: an object is never looked into
        text = _REQUEST_ID.sub(lambda tag: tag[1] + passage.ctx.request_id + tag[2], text)
    return text.encode("utf-8", "surrogateescape")


@lru_cache(maxsize=256)
def _is_text(kind: bytes | None) -> bool:
    return kind is not None and (b"xml" in kind or b"json" in kind or b"text" in kind)


async def _relay_stream(passage: Passage, exchange: Exchange, write_down: WriteDown) -> None:
    first = await exchange.read()  # what breaks off before is a 502
    await _start(passage, exchange, exchange.length)
    await _send_on(passage, exchange, first, exchange.length, write_down)


async def _send_on(
    passage: Passage, exchange: Exchange, piece: bytes, length: int | None, write_down: WriteDown
) -> None:
    """Send a piece and those that follow it. Whoever knows the length takes the last one for the end."""
    sent = 0
    try:
        while piece:
            sent += len(piece)
            if sent == length:
                await write_down()
            await passage.send({"type": "http.response.body", "body": piece, "more_body": True})
            piece = await exchange.read()
        if sent != length:
            await write_down()
    except (BrokenError, LateError):
        raise HalfError from None
    except UnavailableError as error:
        raise HalfError from error
    await passage.send({"type": "http.response.body", "body": b"", "more_body": False})


class HalfError(Exception):
    """An answer of which a part has left has no end: the upstream broke off, or the state does not take its event."""


async def _start(passage: Passage, exchange: Exchange, length: int | None) -> None:
    headers = _headers_of_answer(passage, exchange, length)
    await passage.send({"type": "http.response.start", "status": exchange.status, "headers": headers})


def _headers_of_answer(passage: Passage, exchange: Exchange, length: int | None) -> RawHeaders:
    """Those of the upstream that may pass, and the door's own; `length` is that of the body, where it is known."""
    kept: RawHeaders = []
    between: list[bytes] = []
    for pair in exchange.raw_headers:
        name = pair[0]
        if name not in _WITH_CARE:
            kept.append(pair)
        elif name == b"location":
            kept.append((name, _location(passage, pair[1])))
        elif name == b"connection" and pair[1] != b"keep-alive":  # it names others that are between two neighbours
            between += [part.strip().lower() for part in pair[1].split(b",")]
    if between:
        kept = [pair for pair in kept if pair[0] not in between]
    kept.append((_REQUEST_IDS.get(passage.signing_name, b"x-amzn-requestid"), passage.ctx.request_id.encode()))
    if length is not None and exchange.status not in NO_BODY:
        kept.append((b"content-length", b"%d" % length))
    elif passage.request.method == "HEAD":
        kept += [pair for pair in exchange.raw_headers if pair[0] == b"content-length"]
    kept.append((b"date", leaving.date(passage)))
    return kept


def _location(passage: Passage, value: bytes) -> bytes:
    place = naming.location(passage.upstream, passage.ctx.base_url, value.decode("latin-1"))
    return place.encode("latin-1")


async def send_response(passage: Passage, response: Response) -> None:
    """Send an answer of the door's own."""
    told = [*response.headers, *await cross_origin.headers(passage)]
    headers = [(name.encode("latin-1"), value.encode("latin-1", "replace")) for name, value in told]
    headers += [(b"content-length", str(len(response.body)).encode()), (b"date", leaving.date(passage))]
    await passage.send({"type": "http.response.start", "status": response.status, "headers": headers})
    body = b"" if passage.request.method == "HEAD" else response.body
    await passage.send({"type": "http.response.body", "body": body})


def unreachable(passage: Passage, why: str) -> AwsError:
    """What a caller is told whose upstream gives no answer."""
    origin = passage.upstream.origin
    return AwsError("BadGateway", f"The upstream {origin} {why}", status=502)


def late(passage: Passage) -> AwsError:
    """Likewise, where it takes longer than it may."""
    told = f"The upstream {passage.upstream.origin} has not answered in {passage.upstream.patience:g} seconds"
    return AwsError("GatewayTimeout", told, status=504)
