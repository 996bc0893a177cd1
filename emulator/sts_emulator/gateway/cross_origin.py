"""What lets a page of another origin read the door's own answers: the bucket's CORS rules, told by its upstream."""

from __future__ import annotations

from typing import Final

from sts_emulator.core.errors import AwsError
from sts_emulator.gateway import asking
from sts_emulator.gateway.asking import Place
from sts_emulator.gateway.exchange import BrokenError, Headers, LateError
from sts_emulator.gateway.passage import Passage
from sts_emulator.gateway.recognition import S3

_TOLD: Final = frozenset(
    {
        *("access-control-allow-origin", "access-control-allow-methods", "access-control-allow-credentials"),
        *("access-control-expose-headers", "access-control-max-age", "vary"),
    }
)


async def headers(passage: Passage) -> Headers:
    """The headers for an answer that is not the upstream's: without them a page learns of no refusal.

    S3 sends them with errors as with objects, by the rules that a preflight for the same call would meet. Source: S3
    User Guide, "Testing CORS".
    """
    request = passage.request
    origin = request.headers.get("origin", "")
    if passage.signing_name != S3 or not origin or not origin.isprintable() or request.method == "OPTIONS":
        return []
    place = Place(passage.upstream, passage.account, passage.ctx.region)
    asked = {"origin": origin, "access-control-request-method": request.method}
    try:
        answer = await asking.ask(place, S3, "OPTIONS", request.raw_path, headers=asked)
    except (AwsError, LateError, BrokenError):
        return []
    return [(name, value) for name, value in answer.headers if name in _TOLD] if answer.status == asking.OK else []
