"""Names of objects in the parameters of a call: held to what holds for those in a path, and told on in one way."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final
from urllib.parse import quote

from sts_emulator.gateway import parameters as read
from sts_emulator.gateway.recognition import check_key, is_text
from sts_emulator.wire import http
from sts_emulator.wire.http import Request

_SOURCE: Final = "x-amz-copy-source"
_VERSION: Final = "?versionId="


def straightened(request: Request, parameters: Mapping[str, Any]) -> Request:
    """The request as it may go on: what it copies is written as it was decided on.

    Raises:
        AwsError: `InvalidURI` for a name that could be read as another one.
    """
    for key in read.at(parameters, "Delete.Objects.Key") if "Delete" in parameters else ():
        check_key(key)
    if _SOURCE not in request.headers:
        return request
    encoded, marker, version = request.headers[_SOURCE].partition(_VERSION)
    source = http.unquote(encoded)
    check_key(source if is_text(encoded) else "..")
    told = quote(source, safe="/:~") + (f"{_VERSION}{quote(http.unquote(version), safe='~')}" if marker else "")
    return replace(request, headers={**request.headers, _SOURCE: told})
