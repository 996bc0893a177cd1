"""Who may ask for a page: requests that name a host of ours, and none that another site's page makes a browser send.

The first defeats DNS rebinding (a foreign name that is pointed at us), the second forged requests across sites. What is
the emulator's own also takes a token where others than this machine reach it. One guard for pages, for the control API,
and for AWS calls under `--permissive`, where no signature tells who asks.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from sts_emulator.core import hosts
from sts_emulator.core.errors import AwsError
from sts_emulator.pages import tokens
from sts_emulator.settings import Settings

Headers = Mapping[str, str]

CHALLENGE: Final = 'Basic realm="sts-emulator", charset="UTF-8"'
"""What has a browser ask for the token, as the password of any name."""

FOREIGN: Final = "requests of other web pages are refused"

_AUTHORITY = re.compile(r"(?:\[(?P<ipv6>[0-9A-Fa-f:.]{2,45})\]|(?P<name>[A-Za-z0-9._-]{1,253}))(?::[0-9]{1,5})?")
_ORIGIN = re.compile(rf"(?P<scheme>[a-z][a-z0-9+.-]{{0,30}})://(?P<authority>{_AUTHORITY.pattern})")
_READS: Final = frozenset({"GET", "HEAD", "OPTIONS"})
_OWN_SITES: Final = frozenset(
    {"", "same-origin", "none"}
)  # `none`: typed or bookmarked; "": a client that is no browser
_STANDARD_PORTS: Final = {"http": ":80", "https": ":443"}


def check_host(headers: Headers, settings: Settings, scheme: str = "http") -> None:
    """Refuse a name that is not ours. Raises AwsError: MalformedRequest 400, AccessDenied 403."""
    host = host_name(headers.get("host", ""))
    if not _is_ours(host, settings, scheme):
        message = f"host `{host}` is not served; use a loopback address, or start the server with --allow-host {host}"
        raise AwsError("AccessDenied", message, status=403)


def check_origin(headers: Headers, method: str) -> None:
    """Refuse what another site's page sends: any request with its Origin, and any write that a browser says is so.

    Raises:
        AwsError: MalformedRequest 400, AccessDenied 403.
    """
    origin = headers.get("origin")
    if origin is not None and not _is_same(origin, headers.get("host", "")):
        raise AwsError("AccessDenied", FOREIGN, status=403)
    if method not in _READS and headers.get("sec-fetch-site", "") not in _OWN_SITES:
        raise AwsError("AccessDenied", FOREIGN, status=403)


def check_token(headers: Headers, settings: Settings, method: str, world: str, path: str) -> None:
    """Refuse who brings no token for the emulator's own, where one is asked for. `world` may be tokens.ALL.

    Raises:
        AwsError: Unauthorized 401, AccessDenied 403.
    """
    if settings.is_shared:
        tokens.check(settings.token, headers.get("authorization", ""), world, writes=method not in _READS, path=path)


def check_call(headers: Headers, settings: Settings, scheme: str) -> None:
    """Refuse an unproven AWS call that a foreign page makes a browser send, in whatever way: an image is enough.

    Raises:
        AwsError: MalformedRequest 400, AccessDenied 403.
    """
    check_origin(headers, "POST")
    if "origin" in headers or "sec-fetch-site" in headers:
        check_host(headers, settings, scheme)


def host_name(authority: str) -> str:
    """The name or address of a Host header, lower-case, without port and brackets.

    Raises:
        AwsError: MalformedRequest 400: it is none.
    """
    match = _AUTHORITY.fullmatch(authority)
    if match is None or (match["ipv6"] and not hosts.is_address(match["ipv6"])):
        raise AwsError("MalformedRequest", "the Host header is not a host name", status=400)
    return (match["ipv6"] or match["name"]).lower().rstrip(".")


def _is_ours(host: str, settings: Settings, scheme: str) -> bool:
    # No address can be rebound: a page that was loaded from one has it as its Origin, which is checked apart. Nor can
    # AWS's own names where TLS proves them (transparent mode).
    if hosts.is_address(host) or hosts.is_loopback(host) or host in (settings.host, *settings.allowed_hosts):
        return True
    return scheme == "https" and hosts.is_aws(host)


def _is_same(origin: str, authority: str) -> bool:
    if origin == "null":  # a sandboxed or redirected page: nobody's
        return False
    match = _ORIGIN.fullmatch(origin)
    if match is None:
        raise AwsError("MalformedRequest", "the Origin header is not an origin", status=400)
    return match["authority"].lower() == authority.lower().removesuffix(_STANDARD_PORTS.get(match["scheme"], ":"))
