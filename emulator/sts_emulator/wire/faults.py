"""How an `AwsError` looks in each protocol: envelope, headers, status, and the names that common errors take there."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from sts_emulator.core.errors import AwsError
from sts_emulator.wire.http import Response
from sts_emulator.wire.models import ErrorShape, Service
from sts_emulator.wire.query_xml import escape

_FAULT_NAMESPACE = "http://webservices.amazon.com/AWSFault/2005-15-09"  # docs/aws/wire.md, "Routing"
# What follows the code in x-amzn-ErrorType: docs/aws/identity-center.md, "OIDC service"; docs/aws/cognito.md,
# "Protocol".
_CORAL_SUFFIX = {
    "sso-oidc": ":http://internal.amazon.com/coral/com.amazonaws.sso.oidc/",
    "cognito-idp": ":",
    "cognito-identity": ":",
}
_MESSAGE_NAMES = ("message", "Message", "error_description")
_UNSAFE_IN_HEADER = re.compile("[^\x20-\x7e]")
_LONGEST_HEADER: Final = 1024
_SERVER_FAULT: Final = 500

# Common errors are raised under their query-protocol names; JSON services and EC2 call the same things otherwise.
# Seen on the wire: 400 UnrecognizedClientException from Cognito, 403 InvalidSignatureException from rest-json services.
_JSON_CODES: Mapping[str, tuple[str, int]] = {
    "AccessDenied": ("AccessDeniedException", 403),
    "ExpiredToken": ("ExpiredTokenException", 403),
    "IncompleteSignature": ("IncompleteSignatureException", 400),
    "InvalidClientTokenId": ("UnrecognizedClientException", 403),
    "MissingAuthenticationToken": ("MissingAuthenticationTokenException", 403),
    "SignatureDoesNotMatch": ("InvalidSignatureException", 403),
    "ServiceUnavailable": ("ServiceUnavailableException", 503),
    "Throttling": ("ThrottlingException", 429),
    "ValidationError": ("ValidationException", 400),
}
_EC2_CODES: Mapping[str, tuple[str, int]] = {
    "AccessDenied": ("UnauthorizedOperation", 403),
    "ExpiredToken": ("RequestExpired", 400),
    "InvalidClientTokenId": ("AuthFailure", 401),
    "SignatureDoesNotMatch": ("AuthFailure", 401),
    "Throttling": ("RequestLimitExceeded", 503),
}
_QUERY_STATUS: Mapping[str, int] = {  # docs/aws/wire.md, "Common errors"
    "AccessDenied": 403,
    "ExpiredToken": 403,
    "InternalFailure": 500,
    "InvalidClientTokenId": 403,
    "MissingAuthenticationToken": 403,
    "ServiceUnavailable": 503,
    "SignatureDoesNotMatch": 403,
}


def render_fault(
    service: Service | None, protocol: str, error: AwsError, request_id: str, *, accept_json: bool
) -> Response:
    """The error as a response. Without a protocol it is a bare status.

    Source: docs/aws/signatures.md, "Order of checks" row 1.
    """
    if not protocol:
        return Response(error.status or 400, [("x-amzn-RequestId", request_id)], b"")
    declared = service.errors.get(error.code) if service else None
    if protocol == "query":
        return _query(service, declared, error, request_id, accept_json=accept_json)
    if protocol == "ec2":
        return _ec2(error, request_id)
    if protocol == "rest-xml":
        return _rest_xml(error, request_id)
    return _json(service, declared, protocol, error, request_id)


def _rest_xml(error: AwsError, request_id: str) -> Response:
    """S3's form, which Route 53's and CloudFront's clients read as well; only services that are not here have it."""
    members = "".join(f"<{name}>{escape(str(value))}</{name}>" for name, value in error.members.items())
    text = (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>{error.code}</Code>'
        f"<Message>{escape(error.message)}</Message>{members}<RequestId>{request_id}</RequestId></Error>"
    )
    headers = [("x-amz-request-id", request_id), ("content-type", "application/xml")]
    return Response(error.status or 400, headers, text.encode("utf-8", "replace"))


def _query(
    service: Service | None, declared: ErrorShape | None, error: AwsError, request_id: str, *, accept_json: bool
) -> Response:
    code = declared.code if declared else error.code
    status = error.status or (declared.status if declared else _QUERY_STATUS.get(code, 400))
    sender = "Sender" if status < _SERVER_FAULT else "Receiver"
    members = {name: str(value) for name, value in error.members.items()}
    if accept_json:
        from sts_emulator.wire import jsons

        content = {"Code": code, "Message": error.message, "Type": sender, **members}
        body = jsons.dump({"Error": {k: v for k, v in content.items() if v}, "RequestId": request_id})
        return Response(status, [("x-amzn-RequestId", request_id), ("content-type", "application/json")], body)
    known = {"Type": sender, "Code": code, "Message": error.message, **members}
    lines = "".join(f"    <{name}>{escape(value)}</{name}>\n" for name, value in known.items() if value)
    namespace = _FAULT_NAMESPACE if service is None else service.xmlns
    text = (
        f'<ErrorResponse xmlns="{namespace}">\n  <Error>\n{lines}  </Error>\n'
        f"  <RequestId>{request_id}</RequestId>\n</ErrorResponse>\n"
    )
    return Response(
        status, [("x-amzn-RequestId", request_id), ("content-type", "text/xml")], text.encode("utf-8", "replace")
    )


def _ec2(error: AwsError, request_id: str) -> Response:
    code, status = _EC2_CODES.get(error.code, (error.code, error.status or _QUERY_STATUS.get(error.code, 400)))
    message = error.message
    if code == "AuthFailure":
        message = "AWS was not able to validate the provided access credentials"
    text = (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f"<Response><Errors><Error><Code>{escape(code)}</Code><Message>{escape(message)}</Message></Error></Errors>"
        f"<RequestID>{request_id}</RequestID></Response>"
    )
    headers = [("x-amzn-RequestId", request_id), ("content-type", "text/xml;charset=UTF-8")]
    return Response(status, headers, text.encode("utf-8", "replace"))


def _json(
    service: Service | None, declared: ErrorShape | None, protocol: str, error: AwsError, request_id: str
) -> Response:
    from sts_emulator.wire import jsons  # late, as in protocols

    code, status = _json_code(declared, protocol, error)
    content: dict[str, Any] = {} if protocol == "rest-json" else {"__type": code}
    if error.message:
        content[_message_name(declared)] = error.message
    content.update(error.members)
    kind = "application/json" if protocol == "rest-json" else f"application/x-amz-json-{_version(service)}"
    suffix = _CORAL_SUFFIX.get(service.name, "") if service else ""
    headers = [("x-amzn-RequestId", request_id), ("x-amzn-ErrorType", code + suffix), ("content-type", kind)]
    if suffix == ":" and error.message and len(error.message) <= _LONGEST_HEADER:
        headers.append(("x-amzn-ErrorMessage", _UNSAFE_IN_HEADER.sub(" ", error.message)))
    return Response(status, headers, jsons.dump(content))


def _json_code(declared: ErrorShape | None, protocol: str, error: AwsError) -> tuple[str, int]:
    if declared is not None:
        return declared.code, error.status or declared.status
    if error.code in _JSON_CODES:
        code, status = _JSON_CODES[error.code]
        return code, 400 if protocol == "json" and status < _SERVER_FAULT else status
    return error.code, error.status or _QUERY_STATUS.get(error.code, 400)


def _message_name(declared: ErrorShape | None) -> str:
    members = declared.members if declared else ()
    return next((name for name in _MESSAGE_NAMES if name in members), "message")


def _version(service: Service | None) -> str:
    return service.json_version if service else "1.1"
