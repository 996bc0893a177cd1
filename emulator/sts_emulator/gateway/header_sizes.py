"""How long the headers of a write to S3 may be (S3 User Guide, "Working with object metadata")."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from sts_emulator.core.errors import AwsError
from sts_emulator.wire.http import Request

_ALL: Final = 8_192
_METADATA: Final = 2_048
_PREFIX: Final = "x-amz-meta-"


def check(request: Request) -> None:
    """Refuse headers that are too long. Raises AwsError."""
    if request.method not in ("PUT", "POST"):
        return
    if _size(request.headers) > _ALL:
        raise AwsError(
            "RequestHeaderSectionTooLarge",
            "Your request header section exceeds the maximum allowed size.",
            members={"MaxSizeAllowed": _ALL},
        )
    named = {name[len(_PREFIX) :]: value for name, value in request.headers.items() if name.startswith(_PREFIX)}
    if (size := _size(named)) > _METADATA:
        raise AwsError(
            "MetadataTooLarge",
            "Your metadata headers exceed the maximum allowed metadata size",
            members={"Size": size, "MaxSizeAllowed": _METADATA},
        )


def _size(headers: Mapping[str, str]) -> int:
    return sum(len(name) + len(value) for name, value in headers.items())
