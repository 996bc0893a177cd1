"""Condition keys of S3 that no parameter tells: how and when a request was signed, and over which connection it came.

Source: S3 API Reference, "Amazon S3 Signature Version 4 Authentication Specific Policy Keys"; S3 User Guide, "Amazon S3
condition keys", for the others.
"""

from __future__ import annotations

import math
from typing import Final

from sts_emulator.core import clock
from sts_emulator.gateway import parameters as read
from sts_emulator.gateway.passage import Passage
from sts_emulator.wire import timestamps
from sts_emulator.wire.sigv4 import Signed

_DAY: Final = 86_400
_TLS: Final = "TLSv"
_RETAINED: Final = frozenset({"ObjectLockRetainUntilDate", "Retention"})


def keys(passage: Passage) -> dict[str, tuple[str, ...]]:
    """The keys that this call has, whatever of it is decided on. Who is anonymous has not signed."""
    told: dict[str, tuple[str, ...]] = {}
    if passage.ctx.secure and (version := _tls_version(passage)):
        told["s3:tlsversion"] = (version,)
    if not _RETAINED.isdisjoint(passage.parameters) and (days := _days_retained(passage)):
        told["s3:object-lock-remaining-retention-days"] = (days,)
    if passage.ctx.caller is None:
        return told
    told["s3:authtype"] = (_way_of_signing(passage),)
    told["s3:signatureversion"] = ("AWS4-HMAC-SHA256" if passage.signed is None else passage.signed.algorithm,)
    if passage.signed is not None:
        if passage.signed.presigned:
            told["s3:signatureage"] = (_age(passage.signed),)
        if passage.said:
            told["s3:x-amz-content-sha256"] = (passage.said,)
    return told


def _way_of_signing(passage: Passage) -> str:
    if "authorization" in passage.request.headers:
        return "REST-HEADER"
    return "REST-QUERY-STRING" if "X-Amz-Signature=" in passage.request.query else "POST"


def _age(signed: Signed) -> str:
    """Milliseconds since a URL was presigned; other requests do not have the key."""
    return str(max(0, int((clock.real() - signed.time) * 1000)))


def _tls_version(passage: Passage) -> str:
    """Such as `1.3`; only a socket of our own tells."""
    transport = passage.transport
    tls = transport.get_extra_info("ssl_object") if transport is not None else None
    return (tls.version() or "").removeprefix(_TLS) if tls is not None else ""


def _days_retained(passage: Passage) -> str:
    """Days until the date that a request sets. AWS does not say how it rounds: a day that has begun counts."""
    given = passage.parameters
    try:
        until = timestamps.parse_iso(read.first(given, "ObjectLockRetainUntilDate|Retention.RetainUntilDate"))
        return str(math.ceil((until - passage.ctx.world.now()) / _DAY))
    except ValueError:
        return ""  # no date: the upstream will say so
