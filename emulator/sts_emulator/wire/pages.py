"""HTML pages: templates that escape everything, and headers that let a page do nothing but what it says itself.

Templates and the style sheet stand in `emulator/console`; nothing is loaded from anywhere else.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from sts_emulator.wire.http import Request, Response, form

CONSOLE: Final = Path(__file__).parent.parent / "console"

_TYPES = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
_ANYWHERE = frozenset({"0.0.0.0", "::"})  # noqa: S104 - compared, not listened on
_GUARDS = (
    ("cache-control", "no-store"),
    ("referrer-policy", "same-origin"),  # with no-referrer a browser says `Origin: null` even to ourselves
    ("x-content-type-options", "nosniff"),
    ("x-frame-options", "DENY"),
)


def page(
    template: str,
    root: str,
    *,
    status: int = 200,
    headers: Iterable[tuple[str, str]] = (),
    posts_to: Iterable[str] = (),
    **values: Any,
) -> Response:
    """A page from a template.

    `root` is the path of the world, "" or `/w/name`; `posts_to` are origins beside our own that its forms may go to.
    """
    policy = (
        "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; base-uri 'none'; "
        f"frame-ancestors 'none'; form-action {' '.join([_SELF, *posts_to])}"
    )
    body = _templates().get_template(template).render(root=root, **values)
    found = [("content-type", "text/html; charset=utf-8"), ("content-security-policy", policy), *_GUARDS, *headers]
    return Response(status, found, body.encode())


def redirect(location: str, headers: Iterable[tuple[str, str]] = ()) -> Response:
    """Send the browser on, with GET."""
    return Response(302, [("location", location), *_GUARDS, *headers], b"")


def data(status: int, value: Any) -> Response:
    """A JSON answer."""
    return Response(status, [("content-type", "application/json"), *_GUARDS], json.dumps(value).encode())


def asset(name: str) -> Response | None:
    """A file of the console's `static` folder, or None."""
    content = _assets().get(name)
    if content is None:
        return None
    headers = [("content-type", _TYPES[Path(name).suffix]), ("x-content-type-options", "nosniff")]
    return Response(200, [*headers, ("cache-control", "max-age=60")], content)


def posted(request: Request) -> dict[str, str]:
    """The fields of a posted form; of a repeated name the first value wins.

    Raises:
        AwsError: MalformedQueryString.
    """
    return form(request.body.decode("utf-8", "replace"))


def root_of(base_url: str) -> str:
    """The path part of a world's address, "" for the default world."""
    return urlsplit(base_url).path.rstrip("/")


def is_foreign(request: Request, served: str) -> bool:
    """Whether somebody else's web page makes the browser ask: another origin, or a name that was pointed at us.

    `served` is the address that the server was told to listen on.
    """
    origin, host = request.headers.get("origin"), request.headers.get("host", "")
    if not origin:
        return False
    name = urlsplit(f"//{host}").hostname or ""
    ours = name in _LOOPBACK or name == served or served in _ANYWHERE
    return urlsplit(origin).netloc != host or not ours


_SELF = "'self'"


@lru_cache(maxsize=1)
def _templates() -> Any:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    return Environment(
        loader=FileSystemLoader(CONSOLE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


@lru_cache(maxsize=1)
def _assets() -> dict[str, bytes]:
    # A table of what is there: a name from a request never becomes a path.
    return {path.name: path.read_bytes() for path in (CONSOLE / "static").iterdir() if path.suffix in _TYPES}
