"""How a refusal looks to whoever visits: as JSON to a script, as a page to a person."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from sts_emulator.core.errors import AwsError
from sts_emulator.pages import render
from sts_emulator.wire.http import Response

if TYPE_CHECKING:
    from sts_emulator.pages.visit import Visit

Refusal = Callable[["Visit", AwsError], Response]


def as_json(_: Visit, error: AwsError) -> Response:
    """`{"message": …}`, and the code of an error that AWS knows."""
    code = {} if error.code in _OURS else {"code": error.code}
    return render.data(error.status or 400, {**code, "message": error.message})


def as_page(visit: Visit, error: AwsError) -> Response:
    """A sentence on a page, with the code of an error that AWS knows."""
    return render.page(
        "refused.html",
        visit.root,
        status=error.status or 400,
        sentence=error.message,
        code=error.code if error.code not in _OURS else "",
        invalid=False,
    )


_OURS = frozenset({"NotFound", "MethodNotAllowed", "MalformedRequest", "Refused"})
