"""EC2's instance metadata service, versions 1 and 2: what answers at 169.254.169.254.

Page `imds/INSTANCE/…` of a world; a listener of the instance's own serves the same at its root, because most SDKs drop
a path from the endpoint. Behaviour: docs/aws/instance-metadata.md, "Service".
"""

from __future__ import annotations

import math
import os
import struct
from typing import Final

from sts_emulator.accounts.compute import Instance
from sts_emulator.core.clock import http_date
from sts_emulator.core.errors import AwsError
from sts_emulator.core.world import World
from sts_emulator.methods.instance_profile import identity_document, instances, metadata
from sts_emulator.methods.instance_profile.instance_credentials import V1, V2
from sts_emulator.pages import render
from sts_emulator.pages.routes import ANY, page
from sts_emulator.pages.visit import Visit
from sts_emulator.vending.credentials import seal, unseal
from sts_emulator.wire.http import Request, Response, unquote

TTL_HEADER: Final = "x-aws-ec2-metadata-token-ttl-seconds"
TOKEN_HEADER: Final = "x-aws-ec2-metadata-token"  # noqa: S105 - a header's name
MAX_TTL: Final = 21_600

HOP_HEADER: Final = "x-emulator-hop-limit"
"""Tells whoever owns the socket which IP TTL a token may travel with; it never leaves a listener of ours."""

_TITLES = {
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    500: "Internal Server Error",
    503: "Service Unavailable",
}


def _page(visit: Visit, error: AwsError) -> Response:
    """A refusal as the metadata service shows it: a small page whose title says which."""
    status = error.status or 400
    title = f"{status} - {_TITLES.get(status, 'Error')}"
    body = (
        '<?xml version="1.0" encoding="iso-8859-1"?>\n'
        '<!DOCTYPE html PUBLIC "-//W3C//DTD XHTML 1.0 Transitional//EN"\n'
        '\t"http://www.w3.org/TR/xhtml1/DTD/xhtml1-transitional.dtd">\n'
        '<html xmlns="http://www.w3.org/1999/xhtml" xml:lang="en" lang="en">\n'
        f" <head>\n  <title>{title}</title>\n </head>\n <body>\n  <h1>{title}</h1>\n </body>\n</html>\n"
    )
    headers = _headers(visit.world, "text/html")
    if isinstance(error, Refused):
        headers += error.headers
    return Response(status, headers, body.encode())


class Refused(AwsError):  # noqa: N818 - an answer, not a failure
    """The request gets nothing but this status."""

    __slots__ = ("headers",)

    def __init__(self, status: int, *headers: tuple[str, str]) -> None:
        super().__init__("Refused", status=status)
        self.headers = headers


@page("GET", "/imds/certificate")
def certificate(visit: Visit) -> Response:
    """The certificate that instance identity documents are verified with."""
    return render.text(200, "application/x-pem-file", identity_document.certificate_pem(visit.world))


@page(ANY, "/imds/{identifier}/{*path}", refusal=_page)
def metadata_service(visit: Visit, identifier: str, path: str) -> Response:
    instance = instances.running(visit.world, identifier)
    if instance is None:
        raise Refused(404)
    return _answer(visit, instance, _segments(path))


def _answer(visit: Visit, instance: Instance, segments: list[str]) -> Response:
    request, options = visit.request, instance["options"]
    host = request.headers.get("host", "").lower()
    if options["endpoint"] == "disabled" or (options["ipv6"] == "disabled" and "fd00:ec2::254" in host):
        raise Refused(403)
    if segments[1:] == ["api", "token"]:
        return _token(visit, instance, segments[0])
    if request.method not in ("GET", "HEAD"):
        raise Refused(405, ("allow", "GET, HEAD, OPTIONS"))
    left = seconds_left(visit.world, instance, request)
    if left is None and options["tokens"] == "required":
        raise Refused(401)
    extra = () if left is None else ((TTL_HEADER, str(left)),)
    try:
        body, content_type = _look_up(visit, instance, segments, V1 if left is None else V2)
    except Refused as refused:
        raise Refused(refused.status or 400, *refused.headers, *extra) from None  # a 404 says it too
    return Response(200, [*_headers(visit.world, content_type), *extra], body)


# -- tokens --------------------------------------------------------------------------------------------------------


def _token(visit: Visit, instance: Instance, version: str) -> Response:
    request = visit.request
    if request.method != "PUT":
        raise Refused(405, ("allow", "OPTIONS, PUT"))
    if version != "latest" or "x-forwarded-for" in request.headers:
        raise Refused(403)
    ttl = request.headers.get(TTL_HEADER, "").strip()
    if not (ttl.isascii() and ttl.isdigit() and len(ttl) <= len(str(MAX_TTL)) and 1 <= int(ttl) <= MAX_TTL):
        raise Refused(400)
    token = new_token(visit.world, instance, int(ttl))
    headers = _headers(visit.world, "text/plain")
    hop_limit = (HOP_HEADER, str(instance["options"]["hop_limit"]))
    return Response(200, [*headers, (TTL_HEADER, ttl), hop_limit], token.encode())


def new_token(world: World, instance: Instance, ttl: int) -> str:
    """Forty sealed bytes: 56 characters of base64, as long as AWS's."""
    return seal(world, _purpose(instance), struct.pack(">d", world.now() + ttl) + os.urandom(4)) + "=="


def seconds_left(world: World, instance: Instance, request: Request) -> int | None:
    """How long the request's token is still good; None when it has none.

    Raises:
        Refused: 401 for a token that is expired, altered, or another instance's.
    """
    token = request.headers.get(TOKEN_HEADER)
    if token is None:
        return None
    opened = unseal(world, _purpose(instance), token.strip()) if len(token) < 200 else None  # noqa: PLR2004 - ours have 56
    if opened is None:
        raise Refused(401)
    left: float = struct.unpack(">d", opened[:8])[0] - world.now()
    if left <= 0:
        raise Refused(401)
    return math.ceil(left)


def _purpose(instance: Instance) -> str:
    return f"imds:{instance['id']}:{instance['launched']}"


# -- what is read ---------------------------------------------------------------------------------------------------


def _look_up(visit: Visit, instance: Instance, segments: list[str], how: str) -> tuple[bytes, str]:
    """The body and content type at a path. Raises Refused: 404."""
    if not segments:
        return "\n".join(metadata.VERSIONS).encode(), "text/plain"
    if segments[0] not in metadata.VERSIONS:
        raise Refused(404)
    path = "/".join(segments[1:])
    if path.startswith("meta-data/iam/security-credentials-extended"):
        tree = metadata.extended(visit.server, visit.world, instance, how)
    else:
        tree = metadata.tree(visit.server, visit.world, instance, how)
    value = tree.get(path)
    if value is None:
        folder = metadata.listing(tree, f"{path}/" if path else "")
        if folder is None:
            raise Refused(404)
        return folder.encode(), "text/plain"
    if isinstance(value, bytes):
        return value, "application/octet-stream"
    text = value if isinstance(value, str) else value()
    return text.encode(), "text/plain"


def _segments(path: str) -> list[str]:
    """The path's parts, unescaped; a slash at the end or twice says nothing (clients differ). Raises Refused: 400."""
    try:
        return [unquote(part) for part in path.split("/") if part]
    except AwsError:
        raise Refused(400) from None


def _headers(world: World, content_type: str) -> list[tuple[str, str]]:
    return [
        ("accept-ranges", "none"),
        ("content-type", content_type),
        ("last-modified", http_date(world.now())),
        ("server", "EC2ws"),
        ("connection", "close"),
    ]
