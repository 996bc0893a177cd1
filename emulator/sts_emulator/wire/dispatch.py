"""Which operation a request means, and which function carries it out.

Functions register themselves with `@operation`, checked against the model when their module loads; modules load when an
operation is asked for that none before them has. Requests are matched as AWS's front ends do it: `X-Amz-Target`, then
`Action` and `Version` in query or body, then the models' URI templates.
"""

from __future__ import annotations

import importlib
import inspect
import re
import threading
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any, Final, TypeAlias, TypeVar

from sts_emulator.core.errors import AwsError
from sts_emulator.wire import http, models
from sts_emulator.wire.foreign import foreign, signed_for
from sts_emulator.wire.models import Operation, Service

if TYPE_CHECKING:
    from datetime import datetime

REGISTRY: Final[dict[tuple[str, str], Callable[..., Any]]] = {}
"""(service, operation) -> the function that carries it out."""

MODULES: Final[dict[str, tuple[str, ...]]] = {}
"""service -> modules of its operations that are not imported yet: they are, one by one, until an operation is found."""

Wire: TypeAlias = "bool | int | float | str | bytes | datetime | Sequence[Wire] | Mapping[str, Wire] | None"
"""What a member can be in any model; what this model says, is seen when it is parsed or rendered."""

Result: TypeAlias = Mapping[str, Wire]
"""What an operation answers: members of the model's output."""

Function = TypeVar("Function", bound=Callable[..., Any])

_PAGE = "https://aws.amazon.com/iam"
_QUERY_METHODS: Final = ("POST", "GET")
_BAD_ESCAPE = re.compile("%(?![0-9A-Fa-f]{2})")


_LOADING: Final = threading.RLock()  # calls come by threads where the state is elsewhere: core.threads

_FOUND: Final[dict[tuple[str | None, str], tuple[Service, Operation]]] = {}
"""(version, action) -> what a query request has meant before."""


class NoAction(Exception):  # noqa: N818  # no error: STS answers with a redirect
    """A query request without `Action`: STS redirects (302, no body) to `location` (docs/aws/wire.md, "Routing")."""

    def __init__(self, location: str) -> None:
        super().__init__(location)
        self.location = location


class UnmatchedRequestError(AwsError):
    """No service or operation is meant. `protocol` is the shape its error takes; "" is a bare status, without body."""

    __slots__ = ("protocol",)

    def __init__(self, protocol: str, code: str, message: str = "", *, status: int | None = None) -> None:
        super().__init__(code, message, status=status)
        self.protocol = protocol


def operation(service: str, name: str) -> Callable[[Function], Function]:
    """Register the decorated function as an operation; its keyword-only parameters bear the wire names.

    Raises:
        TypeError: when the function's module loads, if a parameter is not in the model, a member of the model is
            neither a parameter nor absorbed by `**`, or a member that may be absent has no default. What `**` unpacks
            of a type (`Unpack[Paging]`) are parameters as well.
    """

    def register(function: Function) -> Function:
        _check(service, name, function)
        REGISTRY[service, name] = function
        return function

    return register


def register_modules(modules: Mapping[str, Iterable[str]]) -> None:
    """Say which modules hold the operations of which service; they load on the service's first request."""
    MODULES.update({service: tuple(names) for service, names in modules.items()})


def operations() -> dict[str, list[str]]:
    """The services that are there, and what operations each has by its model."""
    return {service: sorted(models.service(service).operations) for service in MODULES}


def find(service: str, name: str) -> Callable[..., Any] | None:
    """The function that carries out an operation, or None where none is registered."""
    function = REGISTRY.get((service, name))
    if function is not None:
        return function
    with _LOADING:
        while (function := REGISTRY.get((service, name))) is None and MODULES.get(service):
            importlib.import_module(MODULES[service][0])
            MODULES[service] = MODULES[service][1:]  # after the import: a module that fails to load fails again
    return function


def match(request: http.Request) -> tuple[Service, Operation]:
    """The service and operation that a request means.

    Raises:
        NoAction: a request to `/` that names no operation.
        UnmatchedRequestError: no such operation; its `protocol` says which shape the error takes.
        AwsError: `MalformedQueryString`.
    """
    try:
        return _match(request)
    except (NoAction, UnmatchedRequestError) as unmatched:
        if elsewhere := foreign(request, _Signed()):
            raise UnmatchedRequestError(elsewhere.protocol, "NotImplemented", elsewhere.advice, status=501) from None
        raise unmatched from None


class _Signed:
    """The names that the services here sign with; their models are read only when one is looked for."""

    def __contains__(self, name: object) -> bool:
        return any(models.service(service).signing_name == name for service in MODULES)


def _match(request: http.Request) -> tuple[Service, Operation]:
    path = request.raw_path
    if path in ("/", ""):
        target = request.headers.get("x-amz-target")
        return _match_action(request) if target is None else _match_target(target)
    if _BAD_ESCAPE.search(path) or _climbs(path):  # docs/aws/signatures.md, "Order of checks" row 1
        raise UnmatchedRequestError("", "BadRequest", status=400)
    return _match_uri(request)


def _match_action(request: http.Request) -> tuple[Service, Operation]:
    parameters = http.parameters(request)
    action = parameters.get("Action") if request.method in _QUERY_METHODS else None
    if action is None:
        query = "" if request.method == "POST" else request.query
        raise NoAction(f"{_PAGE}?{query}" if query else _PAGE)
    version = parameters.get("Version")
    known = _FOUND.get((version, action))
    if known is not None:
        return known
    name = _versions().get(version) if version is not None else None
    if name is not None:
        service = models.service(name)
        if action in service.operations:
            match = _FOUND[version, action] = service, service.operations[action]
            return match
    shown = "NO_VERSION_SPECIFIED" if version is None else version
    raise UnmatchedRequestError("query", "InvalidAction", f"Could not find operation {action} for version {shown}")


def _climbs(path: str) -> bool:
    """Whether a path is not absolute or leads above its root."""
    depth = 0
    for segment in path[1:].split("/"):
        depth += {"..": -1, ".": 0, "": 0}.get(segment, 1)
        if depth < 0:
            return True
    return not path.startswith("/")


@cache
def _versions() -> dict[str, str]:
    return {models.api_version(name): name for name in models.by_protocol("query")}


def _match_target(target: str) -> tuple[Service, Operation]:
    prefix, _, action = target.rpartition(".")
    for name in models.by_protocol("json"):
        service = models.service(name)
        if service.target_prefix == prefix:
            if action in service.operations:
                return service, service.operations[action]
            break
    raise UnmatchedRequestError("json", "UnknownOperationException")


def _match_uri(request: http.Request) -> tuple[Service, Operation]:
    segments = request.raw_path[1:].split("/")
    given = (
        {pair.partition("=")[0]: pair.partition("=")[2] for pair in request.query.split("&")} if request.query else {}
    )
    routes = _routes().get((request.method, len(segments)), {})
    known = routes.get(segments[0]) or routes.get(_ANY, [])
    meant = [route for route in known if route.matches(segments, given)]
    if not meant:
        raise UnmatchedRequestError("rest-json", "UnknownOperationException", status=404)
    route = meant[0] if len(meant) == 1 else _signed_route(meant, request)
    service = models.service(route.service)
    return service, service.operations[route.operation]


def _signed_route(meant: list[_Route], request: http.Request) -> _Route:
    """Of the most demanding routes the one of the service that the request is signed for.

    Several services have `/tags/{resourceArn}`: on AWS their hosts tell them apart.
    """
    equals = [route for route in meant if route.rank == meant[0].rank]
    name = signed_for(request)
    return next((route for route in equals if models.service(route.service).signing_name == name), equals[0])


class _Route:
    """One URI template: literal segments by place, and the query parameters that it demands."""

    def __init__(self, service: str, operation: str, uri: str) -> None:
        path, _, query = uri.partition("?")
        self.service = service
        self.operation = operation
        self.segments = path[1:].split("/")
        self.first = _ANY if self.segments[0].startswith("{") else self.segments[0]
        self.literals = [(place, text) for place, text in enumerate(self.segments) if not text.startswith("{")]
        self.query = [pair.partition("=")[::2] for pair in query.split("&")] if query else []

    @property
    def rank(self) -> tuple[int, int]:
        """How much it demands: literals, then query."""
        return len(self.literals), len(self.query)

    def matches(self, segments: list[str], given: Mapping[str, str]) -> bool:
        return all(segments[place] == text for place, text in self.literals) and all(
            given.get(name) == value for name, value in self.query
        )


_UNPACKED = re.compile(r"Unpack\[(\w+)\]")  # parameters that operations share, none of which is required
_ANY = "{}"  # stands for a first segment that is in no URI template


@cache
def _routes() -> dict[tuple[str, int], dict[str, list[_Route]]]:
    """Routes by method and number of segments, and by the first, the most demanding first (literals, then query)."""
    table: dict[tuple[str, int], list[_Route]] = {}
    for name in models.by_protocol("rest-json"):
        for action, method, uri in models.service(name).uris:
            route = _Route(name, action, uri)
            table.setdefault((method, len(route.segments)), []).append(route)
    for routes in table.values():
        routes.sort(key=lambda route: route.rank, reverse=True)
    return {
        place: {
            first: [route for route in routes if route.first in (first, _ANY)]
            for first in {_ANY, *(route.first for route in routes)}
        }
        for place, routes in table.items()
    }


def _check(service: str, name: str, function: Callable[..., Any]) -> None:
    declared = models.service(service).parameters(name)
    if declared is None:
        raise TypeError(f"{service} has no operation `{name}`")
    problems = list(_disagreements(function, *declared))
    if problems:
        raise TypeError(f"{service}:{name}: {'; '.join(problems)}")


def _disagreements(function: Callable[..., Any], members: Collection[str], required: Collection[str]) -> Iterator[str]:
    function = inspect.unwrap(function)
    code = function.__code__  # inspect.signature takes a tenth of a millisecond for each
    end = code.co_argcount + code.co_kwonlyargcount
    named, defaults = code.co_varnames[code.co_argcount : end], function.__kwdefaults__ or {}
    is_open = bool(code.co_flags & inspect.CO_VARKEYWORDS)
    if is_open and (shared := _UNPACKED.fullmatch(str(function.__annotations__.get(code.co_varnames[end])))):
        optional = function.__globals__[shared[1]].__annotations__
        named, defaults, is_open = (*named, *optional), {**optional, **defaults}, False
    for parameter in named:
        if parameter not in members:
            yield f"parameter `{parameter}` is not in the model"
        elif parameter not in defaults and parameter not in required:
            yield f"parameter `{parameter}` may be absent and has no default"
    if not is_open:
        yield from (f"member `{member}` has no parameter" for member in members if member not in named)
