"""Which operation of a foreign service a request means: as its client's model has it, and nothing that is in doubt.

Who decides on one reading of a request while its service acts on another lets callers past their policies: so a
request that could be read in two ways is refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import cache, cached_property, lru_cache
from typing import Final
from urllib.parse import unquote_to_bytes

from sts_emulator.core.errors import AwsError
from sts_emulator.policy.light_dataclass import dataclass
from sts_emulator.wire import http, models
from sts_emulator.wire.http import Request
from sts_emulator.wire.models import Operation, Service

_CONTROL_PATH: Final = "/v20180820/"  # of s3control, which is signed for as S3 is
CBOR: Final = "smithy-rpc-v2-cbor"
_NAMING: Final = ("query", "ec2", "json", CBOR)
"""Protocols whose services may take a form, too; others look at the path, whatever the body is said to be."""

_FORM: Final = "application/x-www-form-urlencoded"
_SIGNING: Final = "x-amz-"
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
    for name in _candidates(signing_name, request):
        meant = _match(models.foreign(name), request)
        if meant is not None:
            return meant
    raise _unknown(signing_name, request)


def service_of(signing_name: str, request: Request) -> Service | None:
    """The service itself, for errors before its operation is known."""
    return next(map(models.foreign, _candidates(signing_name, request)), None)


def _unknown(signing_name: str, request: Request) -> AwsError:
    """In the words of the protocol that the request speaks (SQS API Reference, "Common errors")."""
    service = service_of(signing_name, request)
    action = http.parameters(request).get("Action", "") if service is not None and service.protocol in _NAMING else ""
    if action:
        return AwsError("InvalidAction", f"The action {action} is not valid for this endpoint.", status=400)
    status = 400 if "x-amz-target" in request.headers else 404
    told = f"No operation of {signing_name} is meant by this request"
    return AwsError("UnknownOperationException", told, status=status)


def _candidates(signing_name: str, request: Request) -> Iterable[str]:
    """The names of the services that may be meant."""
    if signing_name == "s3":
        return ("s3control",) if request.raw_path.startswith(_CONTROL_PATH) else ("s3",)
    return _signing(signing_name)


def _signing(name: str) -> Iterator[str]:
    """The service that is called as it signs first: the others are rarely meant, and looking for them takes long."""
    try:
        models.foreign(name)
    except KeyError:
        pass
    else:
        yield name
    for other in models.signed_as(name):
        if other != name:
            yield other


def _match(service: Service, request: Request) -> Meant | None:
    target = request.headers.get("x-amz-target", "")
    if target:
        _check_named(request, "X-Amz-Target")
        prefix, _, action = target.rpartition(".")
        is_here = prefix == service.target_prefix and _is_posted_to(service, request.raw_path)
        return _named(service, action, "json") if is_here else None
    if "smithy-protocol" in request.headers:
        return _match_rpc(service, request)
    if service.protocol not in _NAMING:
        return _match_path(service, request)
    if _is_form(request) or "Action=" in request.query:
        return _match_action(service, request) if _is_posted_to(service, request.raw_path) else None
    return None


def _check_named(request: Request, by: str) -> None:
    """Refuse a form or a query beside what names the operation in a header or the path: moto looks into these first."""
    if _is_form(request) or _has_query(request):
        raise in_doubt(f"{by}, and a form or a query")


def _has_query(request: Request) -> bool:
    """Whether the query says more than who has signed."""
    return any(not name.lower().startswith(_SIGNING) for name, _ in http.pairs(request.query))


def _is_form(request: Request) -> bool:
    return request.headers.get("content-type", "").lstrip().lower().startswith(_FORM)


def _is_posted_to(service: Service, path: str) -> bool:
    """Whether calls that are named elsewhere go to a path: an upstream might find pages of its own at another."""
    return path == "/" or (service.name == "sqs" and _QUEUE_PATH.fullmatch(path) is not None)


def _named(service: Service, action: str, protocol: str) -> Meant | None:
    return Meant(service, service.operations[action], protocol) if action in service.operations else None


def _match_action(service: Service, request: Request) -> Meant | None:
    if request.body and (request.method != "POST" or not _is_form(request) or _has_query(request)):
        raise in_doubt("parameters in its query, and a body")
    if request.method not in ("GET", "POST"):
        return None
    posted = request.body.decode("utf-8", "replace")
    given = [name for name, _ in http.pairs(request.query) + http.pairs(posted)]
    if len(set(given)) != len(given):
        raise in_doubt("the same parameter twice")
    parameters = http.parameters(request)
    if parameters.get("Version", service.api_version) != service.api_version:
        return None
    protocol = "ec2" if service.protocol == "ec2" else "query"
    return _named(service, parameters.get("Action", ""), protocol)


def _match_rpc(service: Service, request: Request) -> Meant | None:
    """Smithy, "RPC v2 CBOR protocol": service and operation stand in the path."""
    _check_named(request, "Smithy-Protocol")
    if b"Action" in unquote_to_bytes(request.body):
        raise in_doubt("`Action` in its body, which may be read as a form")
    named = _RPC_PATH.fullmatch(request.raw_path)
    if request.headers["smithy-protocol"] != "rpc-v2-cbor" or named is None or named[1] != service.target_prefix:
        return None
    return _named(service, named[2], CBOR)


def _match_path(service: Service, request: Request) -> Meant | None:
    names = frozenset([name for name, _ in http.pairs(request.query)] if request.query else ())
    present = _needed_headers(service.name).intersection(request.headers)
    leading = _candidates_for if len(names) < _MANY_NAMES else _candidates_for.__wrapped__
    paths, routes = leading(service.name, request.method, names, present)
    way = paths.fullmatch(request.raw_path)
    if way is None:
        return None
    assert way.lastindex is not None, "each alternative is a group"
    best = routes[way.lastindex - 1]
    if names and (strays := (names & _subresources(service.name)) - best.names):
        raise in_doubt(f"`{min(strays)}`, which {best.operation} does not have")
    return best.meant


def in_doubt(what: str) -> AwsError:
    """What is told of a request that has what readers may take in two ways."""
    return AwsError("InvalidRequest", f"This request can be read in two ways: it has {what}.", status=400)


class Route:
    """A URI template: its path, and what of query and headers the operation cannot be without."""

    def __init__(self, service: Service, operation: str, method: str, uri: str) -> None:
        path, _, query = uri.partition("?")
        self.operation = operation
        self.method = method
        self._service = service
        self.path = "".join(_pattern(path, "(?:"))
        self._path = re.compile("".join(_pattern(path, "(")))
        literals = [pair.partition("=")[0] for pair in query.split("&")] if query else []
        members = described.members if (described := service.operations[operation].input) else {}
        required = described.required if described else frozenset()
        asked = [member for member in members.values() if member.location == "querystring"]
        self.names = {*literals, *(member.location_name for member in asked)}
        self.needed = frozenset([*literals, *(member.location_name for member in asked if member.name in required)])
        self.headers = frozenset(
            member.location_name.lower()
            for member in members.values()
            if member.location == "header" and member.name in required
        )
        self._labels = [label[1] for label in _LABEL.finditer(path)]
        self.weight = (-len(self._labels), len(self.needed) + len(self.headers), len(path))

    @cached_property
    def meant(self) -> Meant:
        """What a request means that is routed here."""
        return Meant(self._service, self._service.operations[self.operation], self._service.protocol)

    def labels(self, path: str) -> dict[str, str]:
        """What stands at the labels of the path, still escaped."""
        match = self._path.fullmatch(path)
        return {} if match is None else dict(zip(self._labels, match.groups(), strict=True))


def _pattern(path: str, group: str) -> Iterator[str]:
    """What matches a path, part by part; `group` is how the pattern of a label begins."""
    end = 0
    for label in _LABEL.finditer(path):
        yield re.escape(path[end : label.start()])
        yield f"{group}.+)" if label[2] else f"{group}[^/]+)"
        end = label.end()
    yield re.escape(path[end:].removesuffix("/")) + "/?"


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


@cache
def _needed_headers(name: str) -> frozenset[str]:
    """The headers without which some operation of a service is not meant."""
    return frozenset().union(*(route.headers for route in _routes(name)))


@lru_cache(maxsize=1024)
def _candidates_for(
    service: str, method: str, names: frozenset[str], headers: frozenset[str]
) -> tuple[re.Pattern[str], list[Route]]:
    """The routes that these names in a query and these headers leave, the one that tells most first.

    And their paths as one pattern, in which each is a group.
    """
    table = _by_method(service).get(method, {})
    routes = [
        route
        for name in ("", *names)
        for route in table.get(name, ())
        if route.needed <= names and route.headers <= headers
    ]
    routes.sort(key=lambda route: route.weight, reverse=True)
    return re.compile("|".join(f"({route.path})" for route in routes) or "(?!)"), routes


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
