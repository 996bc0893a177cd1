"""Headers that a presigned URL has in its query, where SDKs put them: S3 heeds some there, and some it does not.

Checksums, tags and locks it has been seen to ignore, metadata and encryption to heed (docs/aws/s3-and-gateway.md,
"Requests and errors"). Of others nobody has told. The strict reading is that it heeds them: the caller must be allowed
what they ask for, and they go on, so that nothing that was signed is lost without a word.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Final

from sts_emulator.core.errors import AwsError
from sts_emulator.gateway.resigning import SIGNING
from sts_emulator.wire import http
from sts_emulator.wire.http import Request

_IGNORED: Final = ("x-amz-checksum-", "x-amz-sdk-", "x-amz-tagging", "x-amz-object-lock-", "x-amz-user-agent")
_VALUE: Final = re.compile(r"[\x20-\x7e]*")


def lowered(request: Request) -> Request:
    """The request with the headers of its query among its headers; the signature over both is checked before.

    Raises:
        AwsError: `InvalidRequest`, where a header is there twice and says two things, or is none.
    """
    headers: dict[str, str] = {}
    for named, value in http.pairs(request.query):
        name = named.lower()
        if not name.startswith("x-amz-") or name in SIGNING or name.startswith(_IGNORED):
            continue
        if not _VALUE.fullmatch(value) or {**request.headers, **headers}.get(name, value) != value:
            told = f"{named} in the query of this request is no header, or not the one that is there."
            raise AwsError("InvalidRequest", told, status=400)
        headers[name] = value
    return replace(request, headers={**request.headers, **headers}) if headers else request
