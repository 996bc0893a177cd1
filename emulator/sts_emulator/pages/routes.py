"""Which page answers a path. Pages declare themselves with `@page`; their modules load when they are asked for."""

from __future__ import annotations

import importlib
import threading
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final, TypeVar

from sts_emulator.core.errors import AwsError
from sts_emulator.pages import refusals
from sts_emulator.policy.light_dataclass import dataclass
from sts_emulator.wire.http import unquote

if TYPE_CHECKING:
    from sts_emulator.pages.refusals import Refusal

ANY: Final = "*"
"""A page of this method answers all methods: what it stands for has answers of its own to wrong ones."""

Function = TypeVar("Function", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class Page:
    """One page: what answers it, and how its refusals look.

    `foreign`: other sites' pages may send people here, with a form
    or a link that proves something itself. `own_hosts`: it judges the Host header itself, as what it stands for does.
    `own`: it is the emulator's own, and nothing of AWS's that faults could be about. `trusted`: it makes evidence for
    whoever asks, and so asks for the server's token, as what is its own does.
    """

    method: str
    path: tuple[str, ...]
    answer: Callable[..., Any]
    refusal: Refusal
    mistakes: tuple[type[Exception], ...]
    foreign: bool
    own_hosts: bool
    own: bool
    trusted: bool

    def values(self, segments: list[str]) -> dict[str, str] | None:
        """What stands in a path for the names of this page's; None when the path is another."""
        values: dict[str, str] = {}
        for index, part in enumerate(self.path):
            if part.startswith("{*"):
                return values | {part[2:-1]: "/".join(segments[index:])}
            if index >= len(segments):
                return None
            if part.startswith("{"):
                values[part[1:-1]] = unquote(segments[index])
            elif part != segments[index]:
                return None
        return values if len(segments) == len(self.path) else None


MODULES: Final[dict[str, list[str]]] = {}
"""First segment, the first two, whole path with its slash (perhaps after a method), or `*/second` -> modules of its
pages, not imported yet."""

_LOADING: Final = threading.RLock()  # visits come by threads where the state is elsewhere: core.threads

_PAGES: Final[dict[str, list[Page]]] = {}
"""First segment, or `*/second` -> its pages, the most particular first."""


def page(
    method: str,
    path: str,
    *,
    refusal: Refusal = refusals.as_json,
    mistakes: tuple[type[Exception], ...] = (),
    foreign: bool = False,
    own_hosts: bool = False,
    own: bool = False,
    trusted: bool = False,
) -> Callable[[Function], Function]:
    """Declare the decorated function as a page: it is given the Visit, and by name what stands in the path.

    In `path`, `{name}` is one segment, unescaped, and `{*name}` at its end all the rest, as it was sent. A page of GET
    answers HEAD as well. Exceptions of `mistakes` are the visitor's own: a 400 with their text (or their `status`).
    """
    parts = tuple(path.strip("/").split("/"))

    def register(function: Function) -> Function:
        declared = Page(method, parts, function, refusal, mistakes, foreign, own_hosts, own, trusted)
        first = _below_any(path) if parts[0].startswith("{") else parts[0]
        rivals = _PAGES.setdefault(first, [])
        rivals.append(declared)
        rivals.sort(
            key=lambda rival: (
                rival.method == ANY,
                [part.startswith("{") + part.startswith("{*") for part in rival.path],
            )
        )
        return function

    return register


def register_modules(table: Mapping[str, Iterable[str]]) -> None:
    """Say which modules declare the pages below a first segment, or at one path alone (`/federation`)."""
    for place, modules in table.items():
        MODULES[place] = list(modules)


def is_page(method: str, path: str) -> bool:
    """Whether a path belongs to pages, and not to AWS's API."""
    places = (path, path[1:].partition("/")[0], _below_any(path), _by_method(method, path))
    return any(place in MODULES for place in places)


def _by_method(method: str, path: str) -> str:
    """The place of a page on a path that an operation of AWS's has, too, by another method."""
    return f"{'GET' if method == 'HEAD' else method} {path}"


def _below_any(path: str) -> str:
    """The place of pages whose first segment is a name (`*/.well-known`), as a path would have it."""
    return "*/" + path[1:].partition("/")[2].partition("/")[0]


def match(method: str, path: str) -> tuple[Page, dict[str, str]]:
    """The page of a path, and what stands in it for the page's names.

    Raises:
        AwsError: NotFound 404, MethodNotAllowed 405; MalformedQueryString: an escape that is none.
    """
    first = path[1:].partition("/")[0]
    places = (_by_method(method, path), path, "/".join(path[1:].split("/", 2)[:2]), first, _below_any(path))
    _load(next((place for place in places if place in MODULES), first))
    if first not in MODULES and places[-1] in MODULES:
        first = places[-1]
    segments = path[1:].split("/")
    fitting = [(rival, values) for rival in _PAGES.get(first, ()) if (values := _values(rival, segments)) is not None]
    for rival, values in fitting:
        if rival.method in (ANY, "GET" if method == "HEAD" else method):
            return rival, values
    if not fitting:
        raise AwsError("NotFound", f"no page `{path[:120]}`", status=404)
    allowed = sorted({rival.method for rival, _ in fitting})
    raise AwsError("MethodNotAllowed", f"`{path[:120]}` takes {' and '.join(allowed)}", status=405)


def _values(rival: Page, segments: list[str]) -> dict[str, str] | None:
    """As `values`; a slash at the end says nothing, except where the page takes the rest of the path as it is."""
    if rival.path[-1].startswith("{*"):
        return rival.values(segments)
    return rival.values("/".join(segments).rstrip("/").split("/"))


def _load(place: str) -> None:
    modules = MODULES.get(place, [])
    if not modules:
        return
    with _LOADING:
        while modules:
            importlib.import_module(modules[0])
            modules.pop(0)
