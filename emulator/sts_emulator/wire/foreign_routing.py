"""Which operation of a foreign service a request means: as its client's model has it, and nothing that is in doubt.

Who decides on one reading of a request while its service acts on another lets callers past their policies: so a
request that could be read in two ways is refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cache, lru_cache
from typing import Final

from sts_emulator.core.errors import AwsError
from sts_emulator.policy.values import dataclass
from sts_emulator.wire import http, models
from sts_emulator.wire.http import Request
from sts_emulator.wire.models import Operation, Service

_CONTROL_PATH: Final = "/v20180820/"  # of s3control, which is signed for as S3 is
CBOR: Final = "smithy-rpc-v2-cbor"
_NAMING: Final = ("query", "ec2", "json", CBOR)
"""Protocols whose services may take a form, too; others look at the path, whatever the body is said to be."""

_FORM: Final = "application/x-www-form-urlencoded"
_RPC_PATH = re.compile(r"/service/([A-Za-z0-9_.]+)/operation/([A-Za-z0-9_]+)", re.ASCII)
_QUEUE_PATH = re.compile(r"/[0-9]{12}/[A-Za-z0-9_.-]{1,80}", re.ASCII)
_LABEL = re.compile(r"\{([^}+]+)(\+?)\}")
_MANY_NAMES = 16  # in a query: no operation has so many, so they are not worth remembering


@dataclass(frozen=True, slots=True)
class Meant:
    """What a request means, and the protocol that it speaks, which is not always the model's first."""

    service: Service
    operation: Operation
    protocol: str


def match(signing_name: str, request: Request) -> Meant:
    """The operation that a request means.

    Raises:
        AwsError: `UnknownOperationException`, or `InvalidRequest` for a request that can be read in two ways.
    """
    for service in _candidates(signing_name, request):
        meant = _match(service, request)
        if meant is not None:
            return meant
    raise _unknown(signing_name, request)


def service_of(signing_name: str, request: Request) -> Service | None:
    """The service itself, for errors before its operation is known."""
    return next(_candidates(signing_name, request), None)


def _unknown(signing_name: str, request: Request) -> AwsError:
    """In the words of the protocol that the request speaks (SQS API Reference, "Common errors")."""
    service = service_of(signing_name, request)
    action = http.parameters(request).get("Action", "") if service is not None and service.protocol in _NAMING else ""
    if action:
        return AwsError("InvalidAction", f"The action {action} is not valid for this endpoint.", status=400)
    status = 400 if "x-amz-target" in request.headers else 404
    told = f"No operation of {signing_name} is meant by this request"
    return AwsError("UnknownOperationException", told, status=status)


def _candidates(signing_name: str, request: Request) -> Iterator[Service]:
    """The service that is called as it signs first: the others are rarely meant, and looking for them takes long."""
    if signing_name == "s3" and request.raw_path.startswith(_CONTROL_PATH):
        yield models.foreign("s3control")
        return
    try:
        service = models.foreign(signing_name)
    except KeyError:
        pass
    else:
        yield service
    for name in models.signed_as(signing_name):
        if name != signing_name:
            yield models.foreign(name)


def _match(service: Service, request: Request) -> Meant | None:
    target = request.headers.get("x-amz-target", "")
    is_form = request.headers.get("content-type", "").lstrip().lower().startswith(_FORM)
    if target:
        if is_form:
            raise _in_doubt("X-Amz-Target and a form")
        prefix, _, action = target.rpartition(".")
        is_here = prefix == service.target_prefix and _is_posted_to(service, request.raw_path)
        return _named(service, action, "json") if is_here else None
    if "smithy-protocol" in request.headers:
        return _match_rpc(service, request)
    if service.protocol not in _NAMING:
        return _match_path(service, request)
    if is_form or "Action=" in request.query:
        return _match_action(service, request) if _is_posted_to(service, request.raw_path) else None
    return None


def _is_posted_to(service: Service, path: str) -> bool:
    """Whether calls that are named elsewhere go to a path: an upstream might find pages of its own at another."""
    return path == "/" or (service.name == "sqs" and _QUEUE_PATH.fullmatch(path) is not None)


def _named(service: Service, action: str, protocol: str) -> Meant | None:
    return Meant(service, service.operations[action], protocol) if action in service.operations else None


def _match_action(service: Service, request: Request) -> Meant | None:
    posted = request.body.decode("utf-8", "replace") if request.method == "POST" else ""
    given = [name for name, _ in http.pairs(request.query) + http.pairs(posted)]
    if len(set(given)) != len(given):
        raise _in_doubt("the same parameter twice")
    parameters = http.parameters(request)
    if parameters.get("Version", service.api_version) != service.api_version:
        return None
    protocol = "ec2" if service.protocol == "ec2" else "query"
    return _named(service, parameters.get("Action", ""), protocol)


def _match_rpc(service: Service, request: Request) -> Meant | None:
    """Smithy, "RPC v2 CBOR protocol": service and operation stand in the path."""
    named = _RPC_PATH.fullmatch(request.raw_path)
    if request.headers["smithy-protocol"] != "rpc-v2-cbor" or named is None or named[1] != service.target_prefix:
        return None
    return _named(service, named[2], CBOR)


def _match_path(service: Service, request: Request) -> Meant | None:
    names = frozenset([name for name, _ in http.pairs(request.query)])
    candidates = _candidate_routes if len(names) < _MANY_NAMES else _candidate_routes.__wrapped__
    for best in candidates(service.name, request.method, names):
        if best.matches(request.raw_path, request.headers):
            break
    else:
        return None
    if names and (strays := (names & _subresources(service.name)) - best.names):
        raise _in_doubt(f"`{min(strays)}`, which {best.operation} does not have")
    return Meant(service, service.operations[best.operation], service.protocol)


def _in_doubt(what: str) -> AwsError:
    return AwsError("InvalidRequest", f"This request can be read in two ways: it has {what}.", status=400)


class Route:
    """A URI template: its path, and what of query and headers the operation cannot be without."""

    def __init__(self, service: Service, operation: str, method: str, uri: str) -> None:
        path, _, query = uri.partition("?")
        self.operation = operation
        self.method = method
        self._path = re.compile("".join(_pattern(path)) + "/?")
        literals = [pair.partition("=")[0] for pair in query.split("&")] if query else []
        members = described.members if (described := service.operations[operation].input) else {}
        required = described.required if described else frozenset()
        asked = [member for member in members.values() if member.location == "querystring"]
        self.names = {*literals, *(member.location_name for member in asked)}
        self.needed = frozenset([*literals, *(member.location_name for member in asked if member.name in required)])
        self._headers = {
            member.location_name.lower()
            for member in members.values()
            if member.location == "header" and member.name in required
        }
        self._plain = {_group(label[1]): label[1] for label in _LABEL.finditer(path)}
        labels = path.count("{")
        self.weight = (-labels, len(self.needed) + len(self._headers), len(path))

    def matches(self, path: str, headers: Mapping[str, str]) -> bool:
        """Whether a request, whose query has what is needed, has all else that the operation cannot be without."""
        return self._headers.issubset(headers) and self._path.fullmatch(path) is not None

    def labels(self, path: str) -> dict[str, str]:
        """What stands at the labels of the path, still escaped."""
        match = self._path.fullmatch(path)
        return {} if match is None else {self._plain[name]: value for name, value in match.groupdict().items()}


def _pattern(path: str) -> Iterator[str]:
    end = 0
    for label in _LABEL.finditer(path):
        yield re.escape(path[end : label.start()])
        yield f"(?P<{_group(label[1])}>{'.+' if label[2] else '[^/]+'})"
        end = label.end()
    yield re.escape(path[end:].removesuffix("/"))


def _group(label: str) -> str:
    """A label as the name of a group: labels may hold hyphens."""
    return "L" + label.encode().hex()


@cache
def _routes(name: str) -> list[Route]:
    service = models.foreign(name)
    return [Route(service, operation, method, uri) for operation, method, uri in service.uris]


@cache
def _by_method(name: str) -> dict[str, dict[str, list[Route]]]:
    """Routes by method, and by one of the names that they need in the query, "" where they need none."""
    table: dict[str, dict[str, list[Route]]] = {}
    for route in _routes(name):
        table.setdefault(route.method, {}).setdefault(min(route.needed, default=""), []).append(route)
    return table


@lru_cache(maxsize=1024)
def _candidate_routes(service: str, method: str, names: frozenset[str]) -> list[Route]:
    """The routes that a query with these names leaves, the one that tells most first."""
    table = _by_method(service).get(method, {})
    routes = [route for name in ("", *names) for route in table.get(name, ()) if route.needed <= names]
    return sorted(routes, key=lambda route: route.weight, reverse=True)


@cache
def _by_operation(name: str) -> dict[str, Route]:
    return {route.operation: route for route in _routes(name)}


def route(operation: Operation) -> Route:
    """The URI template of an operation."""
    return _by_operation(operation.service.name)[operation.name]


@cache
def _subresources(name: str) -> set[str]:
    """Names in a query that make another operation of a request."""
    return {part for route in _routes(name) for part in route.needed if part != "x-id"}
