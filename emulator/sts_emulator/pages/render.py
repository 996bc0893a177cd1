"""HTML pages and other answers: templates that escape everything, and headers that let a page do nothing else.

Templates and the files that they load stand in this room; nothing is loaded from anywhere else.
"""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Iterable
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

from sts_emulator.core.errors import AwsError
from sts_emulator.wire.http import Response

ROOM: Final = Path(__file__).parent

NOTHING: Final = "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
"""The content security policy of an answer that is no page."""

_SELF = "'self'"
_TYPES = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
_ALWAYS = (
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
    live: bool = False,
    **values: Any,
) -> Response:
    """A page from a template.

    `root` is the path of the world, "" or `/w/name`; `posts_to` are origins beside our own that its forms may go to.
    `live`: its script may ask this server for what is new.
    """
    policy = (
        f"default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; base-uri 'none'; "
        f"{f'connect-src {_SELF}; ' if live else ''}"
        f"frame-ancestors 'none'; form-action {' '.join([_SELF, *posts_to])}"
    )
    body = fragment(template, root=root, **values)
    content = [("content-type", "text/html; charset=utf-8"), ("content-security-policy", policy)]
    return Response(status, [*content, *_ALWAYS, *headers], body.encode("utf-8", "replace"))


def fragment(template: str, **values: object) -> str:
    text: str = _templates().get_template(template).render(values)
    return text


def refused(refusal: AwsError | None) -> dict[str, Any]:
    """The status and the text `wrong` of a form that is shown again, or for the first time."""
    return {"status": 200 if refusal is None else refusal.status or 400, "wrong": refusal.message if refusal else ""}


def redirect(location: str, headers: Iterable[tuple[str, str]] = ()) -> Response:
    """Send the browser on, with GET."""
    return Response(302, [("location", location), ("content-security-policy", NOTHING), *_ALWAYS, *headers], b"")


def stream(content_type: str, chunks: AsyncGenerator[bytes, None]) -> Response:
    """An answer without an end."""
    content = [("content-type", content_type), ("content-security-policy", NOTHING), ("x-accel-buffering", "no")]
    return Response(200, [*content, *_ALWAYS], b"", stream=chunks)


def data(status: int, value: object) -> Response:
    return text(status, "application/json", json.dumps(value))


def text(status: int, content_type: str, body: str) -> Response:
    content = [("content-type", content_type), ("content-security-policy", NOTHING)]
    return Response(status, [*content, *_ALWAYS], body.encode())


def asset(name: str) -> Response:
    """A file of the `static` folder. Raises AwsError: NotFound 404."""
    content = _assets().get(name)
    if content is None:
        raise AwsError("NotFound", "no such file", status=404)
    headers = [("content-type", _TYPES[Path(name).suffix]), ("x-content-type-options", "nosniff")]
    return Response(200, [*headers, ("content-security-policy", NOTHING), ("cache-control", "max-age=60")], content)


@lru_cache(maxsize=1)
def _templates() -> Any:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    return Environment(
        loader=FileSystemLoader(ROOM / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


@lru_cache(maxsize=1)
def _assets() -> dict[str, bytes]:
    # A table of what is there: a name from a request never becomes a path.
    return {path.name: path.read_bytes() for path in (ROOM / "static").iterdir() if path.suffix in _TYPES}
