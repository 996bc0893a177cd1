"""The door: the life of a call that goes to another emulator, in visible steps.

1 take the world, as every request (the caller has) · 2 see whose service is meant · 3 find who signed · 4 read the
body, unless it is streamed · 5 match the operation and read its parameters · 6 ask the map what it needs, and the
engine whether that is allowed · 7 forward it, signed as the caller's account · 8 send the answer on, and record the
event.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from functools import partial
from typing import Any, Final

from sts_emulator.core.beside import beside
from sts_emulator.core.errors import AwsError
from sts_emulator.core.store import NotAtHandError, UnavailableError
from sts_emulator.core.world import World
from sts_emulator.gateway import (
    batches,
    conversation,
    error_forms,
    expected_owners,
    form_upload,
    forwarding,
    header_sizes,
    large_bodies,
    leaving,
    object_names,
    recognition,
    signer,
    uploads,
    verdicts,
)
from sts_emulator.gateway.asking import MISSING
from sts_emulator.gateway.call import Need
from sts_emulator.gateway.exchange import BrokenError, Exchange, LateError
from sts_emulator.gateway.forwarding import HalfError
from sts_emulator.gateway.known_actions import PREFIXES
from sts_emulator.gateway.passage import Passage
from sts_emulator.gateway.recognition import S3, SHARED
from sts_emulator.gateway.resource_policies import ResourcePolicies
from sts_emulator.gateway.uploads import GoneError, Upload
from sts_emulator.gateway.upstreams import Upstream, Upstreams
from sts_emulator.pages import guard
from sts_emulator.vending.context import Context, Server
from sts_emulator.vending.record import new_request_id, record
from sts_emulator.wire import dispatch, foreign_parameters, foreign_routing
from sts_emulator.wire.asgi import Receive, Scope, Send, read_body
from sts_emulator.wire.http import Request, Response

log = logging.getLogger("emulator")

_LARGEST: Final = 32 << 20
"""Bytes of a body that is not streamed: a part of a layer in ECR, in base64."""

_LARGEST_CODE: Final = 100 << 20  # of a Lambda function

_LARGEST_DOCUMENT: Final = 8 << 20  # of S3: ten thousand parts of an upload
_INTERNAL: Final = "The request processing has failed because of an internal error."
_FAILED: Final = 400


class Door:
    """Whose calls go where, and whether they may."""

    def __init__(self, server: Server, upstreams: Upstreams) -> None:
        self._server = server
        self._upstreams = upstreams
        self._policies = ResourcePolicies(upstreams)

    @classmethod
    def of(cls, server: Server) -> Door:
        """The door that a server's settings ask for. Raises ValueError for an upstream that is none."""
        settings = server.settings
        return cls(server, Upstreams(settings.upstream, settings.upstream_account, settings.upstream_patience))

    def takes(self, request: Request) -> str:
        """The name that a call of the door's, there with its body, is signed with; "" for one that is answered here."""
        signed = recognition.signed_service(request.headers, request.query)
        if signed in recognition.whole_here():
            return ""
        if signed in SHARED:
            return self.shared_service(request)
        return (signed if self._upstreams.of(signed) is not None else "") if signed else self.service_of(request)

    def service_of(self, request: Request) -> str:
        """The name that a call of the door's is signed with; "" for one that is answered here."""
        name = recognition.service_of(request)
        return name if name and self._upstreams.of(name) is not None else ""

    def may_share(self, request: Request) -> bool:
        """Whether a call is to a service of which only some operations are here: its body tells which it is."""
        return recognition.signed_service(request.headers, request.query) in SHARED

    def shared_service(self, request: Request) -> str:
        """Likewise of a call with its body, to a service of which only some operations are here."""
        name = recognition.signed_service(request.headers, request.query)
        if name not in SHARED or self._upstreams.of(name) is None:
            return ""
        try:
            service, operation = dispatch.match(request)
        except (AwsError, dispatch.NoAction):
            return ""
        return name if dispatch.find(service.name, operation.name) is None else ""

    async def answer(
        self, world: World, name: str, request: Request, base_url: str, scope: Scope, receive: Receive, send: Send
    ) -> None:
        """Answer one call, whatever comes of it."""
        upstream = self._upstreams.of(name)
        assert upstream is not None
        ctx = _context(self._server, world, name, request, base_url, upstream)
        passage = Passage(name, request, ctx, upstream, scope, receive, send)
        try:
            await self._pass(passage)
        except GoneError:
            record(ctx, error=AwsError("IncompleteBody", "The caller has gone in the middle of its body"))
        except HalfError as half:
            if half.__cause__ is None:
                record(ctx, error=forwarding.unreachable(passage, "broke off in the middle of its answer"))
            await _break_off(passage)
        except leaving.HeldBackError:
            await leaving.wait_until_gone(receive)
        except UnavailableError as error:
            await forwarding.send_response(passage, self.refuse(name, passage.request, error))
        except Exception as error:  # noqa: BLE001 - told to the client, or logged whole
            response = _failure(passage, error)
            try:
                await self._server.events.settled()
            except UnavailableError as lost:
                response = self.refuse(name, passage.request, lost)
            await forwarding.send_response(passage, response)

    def refuse(self, name: str, request: Request, error: UnavailableError) -> Response:
        """The answer to a call that the state cannot serve, or whose event it does not take."""
        self._server.health.failed(error)
        told = AwsError("ServiceUnavailable", "The state is unavailable.", status=503)
        return error_forms.render(name, None, request, told, new_request_id())

    async def _pass(self, passage: Passage) -> None:
        if self._server.settings.permissive:  # no signature tells who asks: a foreign page must not
            guard.check_call(passage.request.headers, self._server.settings, passage.request.scheme)
        if passage.signing_name == S3:
            passage.request.raw_path = recognition.in_path_style(passage.request)
            header_sizes.check(passage.request)
        else:
            is_mapped = passage.signing_name in PREFIXES.values()
            recognition.straight(passage.request, has_plain_names=is_mapped)
        if passage.signing_name == S3 and passage.request.method == "OPTIONS":
            await self._pass_preflight(passage)
            return
        if passage.signing_name == S3 and form_upload.is_form(passage):
            await self._pass_form(passage)
            return
        try:
            signer.identify(passage)  # 3
        except NotAtHandError:
            await passage.read_beside(partial(signer.identify, passage))
        if passage.signing_name == S3:
            await self._pass_to_s3(passage)
            return
        await _read(passage)  # 4
        await signer.verify(passage)
        await _match(passage)  # 5
        await leaving.meet_fault(passage)
        await verdicts.allow(passage, self._policies, await verdicts.needs_of(passage, self._policies))  # 6
        exchange = await self._forward(passage, passage.request.body)  # 7
        await _answer(passage, exchange)  # 8

    async def _pass_to_s3(self, passage: Passage) -> None:
        meant = passage.meant = foreign_routing.match(S3, passage.request)
        passage.ctx.operation = meant.operation.name
        if passage.ctx.world.settings["faults"]:
            await leaving.meet_fault(passage)
        upload = None
        if foreign_parameters.is_streamed(meant) or not uploads.has_none(passage.request.headers, passage.said):
            upload = Upload(passage.request.headers, passage.said, passage.receive, passage.signed, passage.secret)
        if upload is not None and not foreign_parameters.is_streamed(meant):
            passage.request.body, upload = await upload.whole(_LARGEST_DOCUMENT), None
        await _match(passage)
        needs = await verdicts.needs_of(passage, self._policies)
        if passage.operation == batches.OPERATION and needs:
            await expected_owners.check(passage, self._policies)
            await self._delete(passage, needs)
            return
        await verdicts.allow(passage, self._policies, needs)
        if expected_owners.are_told(passage):
            await expected_owners.check(passage, self._policies)
        if upload is not None:
            exchange = await forwarding.send_upload(passage, upload)
        else:
            exchange = await self._forward(passage, passage.request.body)
        if exchange.status == MISSING:
            await self._hide_missing(passage, exchange)
        await _answer(passage, exchange)

    async def _pass_preflight(self, passage: Passage) -> None:
        """A browser asks whether a page may call: without credentials, so that nothing is decided but by the bucket.

        Source: docs/aws/s3-and-gateway.md, "Requests and errors".
        """
        passage.ctx.operation = "PreflightRequest"
        for name in ("origin", "access-control-request-method"):
            if not passage.request.headers.get(name):
                told = f"Insufficient information. {name.title()} request header needed."
                raise AwsError("BadRequest", told, status=400)
        await _answer(passage, await forwarding.send(passage, b""))

    async def _pass_form(self, passage: Passage) -> None:
        """An upload by a browser's form, which holds its own signature."""
        reader = form_upload.reader(passage)
        form = await reader.fields()
        assert form.file is not None
        with form.file:
            policy = await passage.read(partial(form_upload.judge, passage, form))
            await leaving.meet_fault(passage)
            await verdicts.allow(passage, self._policies, await verdicts.needs_of(passage, self._policies))
            await reader.file(policy.largest)
            policy.check_size(form.size)
            exchange = await form_upload.send(passage, form)
        if exchange.status >= _FAILED:
            await _answer(passage, exchange)
            return
        made = await conversation.whole(passage.upstream, exchange, _LARGEST_DOCUMENT)
        await _write_down(passage)
        await forwarding.send_response(passage, form_upload.answer(passage, form.fields, made.headers))

    async def _forward(self, passage: Passage, body: bytes) -> Exchange:
        self._policies.drop(passage.signing_name, passage.operation)
        try:
            return await forwarding.send(passage, body)
        finally:
            self._policies.drop(passage.signing_name, passage.operation)

    async def _delete(self, passage: Passage, needs: tuple[Any, ...]) -> None:
        allowed, refused = await batches.sort_out(passage, self._policies, needs)
        if not refused.errors:
            await _answer(passage, await self._forward(passage, passage.request.body))
            return
        if not allowed:
            body = batches.nothing_deleted(refused)
        else:
            body = batches.body_of(allowed, passage.parameters)
            passage.request = replace(
                passage.request, headers=batches.without_digests(passage.request.headers), body=body
            )
            exchange = await self._forward(passage, body)
            answer = await conversation.whole(passage.upstream, exchange, _LARGEST_DOCUMENT)
            if answer.status >= _FAILED:
                raise _of_upstream(passage, answer.status)
            body = batches.with_refused(answer.body, refused)
        await _write_down(passage, refused.errors[0][1])
        headers = [("content-type", "application/xml"), ("x-amz-request-id", passage.ctx.request_id)]
        await forwarding.send_response(passage, Response(200, headers, body))

    async def _hide_missing(self, passage: Passage, exchange: Exchange) -> None:
        """Who may not list a bucket does not learn which keys are missing (S3 API Reference, "GetObject")."""
        key = passage.parameters.get("Key")
        if not key or passage.request.method not in ("GET", "HEAD"):
            return
        listing = Need("s3:ListBucket", f"arn:aws:s3:::{passage.parameters['Bucket']}")
        try:
            await verdicts.allow(passage, self._policies, [listing])
        except AwsError:
            exchange.abort()
            raise


def _context(server: Server, world: World, name: str, request: Request, base_url: str, upstream: Upstream) -> Context:
    headers = request.headers
    return Context(  # by place: by name it costs twice as much (docs/performance.md)
        server,
        world,
        name,
        "",
        new_request_id(),
        server.settings.region,
        request.client,
        headers.get("user-agent", ""),
        request.scheme == "https",
        headers.get("referer", ""),
        request,
        base_url,
        upstream.origin,
    )


async def _read(passage: Passage) -> None:
    largest = _LARGEST_CODE if passage.signing_name == "lambda" else _LARGEST
    body = await read_body(passage.receive, largest)
    if body is None:
        raise AwsError("RequestEntityTooLarge", f"The request is larger than {largest} bytes", status=413)
    passage.request.body = body


async def _match(passage: Passage) -> None:
    if passage.meant is None:
        passage.meant = foreign_routing.match(passage.signing_name, passage.request)
    passage.ctx.operation = passage.operation
    if large_bodies.is_large(passage.request.body):
        await beside(partial(_read_parameters, passage))
    else:
        _read_parameters(passage)
    if passage.signing_name == S3:
        passage.request = object_names.straightened(passage.request, passage.parameters)


def _read_parameters(passage: Passage) -> None:
    assert passage.meant is not None
    passage.parameters = foreign_parameters.read(passage.meant, passage.request)
    passage.ctx.parameters = foreign_parameters.without_secrets(passage.meant, passage.parameters)


async def _answer(passage: Passage, exchange: Exchange) -> None:
    status = exchange.status
    passage.ctx.evidence |= {"upstream": passage.upstream.origin, "status": status}
    error = _of_upstream(passage, status) if status >= _FAILED else None
    await forwarding.relay(passage, exchange, partial(_write_down, passage, error))


async def _write_down(passage: Passage, error: AwsError | None = None) -> None:
    """Record a call; its answer may leave then. Raises UnavailableError: the state does not take it."""
    record(passage.ctx, error=error)
    events = passage.ctx.server.events
    if events.waits():
        await events.settled()


def _of_upstream(passage: Passage, status: int) -> AwsError:
    return AwsError("UpstreamError", f"The upstream {passage.upstream.origin} answered {status}", status=status)


def _failure(passage: Passage, error: Exception) -> Response:
    ctx = passage.ctx
    if isinstance(error, LateError):
        error = forwarding.late(passage)
    elif isinstance(error, BrokenError):
        error = forwarding.unreachable(passage, str(error))
    elif not isinstance(error, AwsError):
        log.error("%s %s failed inside", passage.request.method, passage.request.signed_path, exc_info=error)
        error = AwsError("InternalFailure", _INTERNAL, status=500)
    ctx.operation = ctx.operation or _attempted(passage)
    record(ctx, error=error)
    return error_forms.render(passage.signing_name, passage.meant, passage.request, error, ctx.request_id)


def _attempted(passage: Passage) -> str:
    """The operation of a call that was refused before it was matched, for its event; "" where none is meant."""
    try:
        return foreign_routing.match(passage.signing_name, passage.request).operation.name
    except AwsError:
        return ""


async def _break_off(passage: Passage) -> None:
    """End the connection in the middle of an answer, as the upstream did: its end must not look like a whole one."""
    if passage.transport is None:
        raise RuntimeError("the upstream broke off in the middle of its answer")
    passage.transport.abort()
    await leaving.wait_until_gone(passage.receive)
