"""The face of the wire: a request becomes parameters, a result or an error becomes a response, for any operation.

Parameters and results are plain Python under the model's member names: str, int, float, bool, bytes for blobs, list,
dict. Timestamps are seconds since the epoch (int, or float with a fraction); results may also hold aware datetimes.
Absent members are absent keys; a result's None is absent too, and its members are sent in the order of the mapping.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sts_emulator.core.errors import AwsError
from sts_emulator.wire import faults, query, query_xml
from sts_emulator.wire.dispatch import UnmatchedRequestError
from sts_emulator.wire.http import Request, Response
from sts_emulator.wire.models import Operation, Service

_XML = ("query", "ec2")


def parse(operation: Operation, request: Request) -> dict[str, Any]:
    """Read an operation's parameters from a request.

    Raises:
        AwsError: `MalformedInput` (query), `SerializationException` (JSON) or `MalformedQueryString`.
    """
    if operation.service.protocol in _XML:
        return query.parse(operation, request)
    from sts_emulator.wire import jsons  # 3 ms at start, which only JSON services shall pay

    return jsons.parse(operation, request)


def render(
    operation: Operation, result: Mapping[str, Any] | None, request_id: str, accept_json: bool = False
) -> Response:
    """Write an operation's result; `accept_json` is what `wants_json` said of the request.

    Raises:
        KeyError: the result has a member that the model does not know: a mistake of ours, never the client's.
    """
    protocol = operation.service.protocol
    if protocol == "query":
        return (query.render_json if accept_json else query_xml.render_query)(operation, result or {}, request_id)
    if protocol == "ec2":
        return query_xml.render_ec2(operation, result or {}, request_id)
    from sts_emulator.wire import jsons

    return jsons.render(operation, result or {}, request_id)


def render_error(
    service: Service | None, operation: Operation | None, error: AwsError, request_id: str, *, accept_json: bool = False
) -> Response:
    """Write an error as the service's protocol does; an `UnmatchedRequestError` brings its own protocol.

    The status is the error's own, or what the model declares for its code, or what is common for it. Common errors are
    raised under their query names (`AccessDenied`, `SignatureDoesNotMatch`, ...) and renamed for JSON services and EC2.
    """
    service = service or (operation.service if operation else None)
    if isinstance(error, UnmatchedRequestError):
        return faults.render_fault(None, error.protocol, error, request_id, accept_json=accept_json)
    protocol = service.protocol if service else "query"
    return faults.render_fault(service, protocol, error, request_id, accept_json=accept_json)


def wants_json(request: Request) -> bool:
    """Whether a query request asks for a JSON reply (docs/aws/wire.md, "Errors")."""
    return "application/json" in request.headers.get("accept", "").lower()
