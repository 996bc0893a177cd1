"""What all pages of the console have around them, and their files."""

from __future__ import annotations

from typing import Any, Final

from sts_emulator.core.errors import AwsError
from sts_emulator.core.world import DEFAULT
from sts_emulator.pages import render
from sts_emulator.pages.routes import page
from sts_emulator.pages.visit import Visit
from sts_emulator.wire.http import Response

HOME: Final = "/_emulator"

PLACES: Final = (
    ("", "Timeline"),
    ("workbench", "Workbench"),
    ("explorer", "Explorer"),
    ("world", "Time and faults"),
    ("mailbox", "Mailbox"),
    ("worlds", "Worlds"),
    ("labs", "Labs"),
)


def view(visit: Visit, template: str, place: str, *, status: int = 200, **values: Any) -> Response:
    """A page of the console; `place` is which of PLACES it belongs to."""
    return render.page(
        f"web/{template}",
        visit.root,
        status=status,
        live=True,
        home=f"{visit.root}{HOME}",
        places=PLACES,
        place=place,
        world=visit.world.name,
        is_default=visit.world.name == DEFAULT,
        **values,
    )


def refused(visit: Visit, error: AwsError) -> Response:
    """A refusal, with the way back."""
    return view(visit, "refused.html", "", status=error.status or 400, sentence=error.message)


@page("GET", "/_emulator/static/{name}", own=True)
def static_file(_: Visit, name: str) -> Response:
    return render.asset(name)
