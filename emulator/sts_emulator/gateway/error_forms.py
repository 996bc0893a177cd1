"""How the door says no: in the form, the codes and the status of the service that was asked."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from sts_emulator.core.errors import AwsError
from sts_emulator.gateway.recognition import S3
from sts_emulator.wire import faults, foreign_routing
from sts_emulator.wire.foreign_routing import Meant
from sts_emulator.wire.http import Request, Response
from sts_emulator.wire.models import Service

# What the checks of a signature are called elsewhere, as S3 calls it: docs/aws/signatures.md, "Clock, headers,
# throttling"; docs/aws/s3-and-gateway.md, "Requests and errors".
_S3_CODES: Final[Mapping[str, tuple[str, int, str]]] = {
    "InvalidClientTokenId": (
        "InvalidAccessKeyId",
        403,
        "The AWS Access Key Id you provided does not exist in our records.",
    ),
    "ExpiredToken": ("ExpiredToken", 400, "The provided token has expired."),
    "MissingAuthenticationToken": ("AccessDenied", 403, "Access Denied"),
    "IncompleteSignature": ("AuthorizationHeaderMalformed", 400, ""),
    "MalformedQueryString": ("InvalidURI", 400, "Couldn't parse the specified URI."),
    "UnknownOperationException": (
        "MethodNotAllowed",
        405,
        "The specified method is not allowed against this resource.",
    ),
    "ServiceUnavailable": ("ServiceUnavailable", 503, "Service is unable to handle request."),
}
_PROTOCOLS: Final = {foreign_routing.CBOR: "json"}


def render(signing_name: str, meant: Meant | None, request: Request, error: AwsError, request_id: str) -> Response:
    """An error as the service would write it."""
    if signing_name == S3:
        return _of_s3(request, error, request_id)
    service = meant.service if meant is not None else foreign_routing.service_of(signing_name, request)
    if signing_name == "sns" and error.code == "AccessDenied":
        error = AwsError("AuthorizationError", error.message, status=403)
    protocol = _protocol(meant, service, request)
    if "smithy-protocol" in request.headers:
        return _of_cbor(faults.render_fault(service, "json", error, request_id, accept_json=False))
    return faults.render_fault(service, protocol, error, request_id, accept_json=False)


def _of_cbor(response: Response) -> Response:
    """An error of JSON as CBOR (Smithy, "RPC v2 CBOR protocol")."""
    import cbor2

    kept = [(name, value) for name, value in response.headers if name != "content-type"]
    headers = [*kept, ("content-type", "application/cbor"), ("smithy-protocol", "rpc-v2-cbor")]
    return Response(response.status, headers, cbor2.dumps(json.loads(response.body)))


def _of_s3(request: Request, error: AwsError, request_id: str) -> Response:
    code, status, message = _S3_CODES.get(error.code, (error.code, error.status or 400, error.message))
    members: dict[str, Any] = {**error.members, "Resource": request.raw_path}
    told = AwsError(code, message or error.message, status=status, members=members)
    return faults.render_fault(None, "rest-xml", told, request_id, accept_json=False)


def _protocol(meant: Meant | None, service: Service | None, request: Request) -> str:
    """What the request speaks, as far as that is known; else what its looks tell."""
    if meant is not None:
        return _PROTOCOLS.get(meant.protocol, meant.protocol)
    if "x-amz-target" in request.headers:
        return "json"
    is_form = request.headers.get("content-type", "").startswith("application/x-www-form-urlencoded")
    if is_form or "Action=" in request.query:
        return "ec2" if service is not None and service.protocol == "ec2" else "query"
    return _PROTOCOLS.get(service.protocol, service.protocol) if service is not None else "rest-json"
