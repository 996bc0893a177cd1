"""The JSON that a script sends in a body; a form's fields are `Visit.posted`, its token is the cookie's."""

from __future__ import annotations

from typing import Any

from sts_emulator.core.errors import AwsError
from sts_emulator.pages.visit import Visit
from sts_emulator.policy.json_types import object_in


def json_body(visit: Visit) -> dict[str, Any]:
    """The JSON object of the body; an empty body is an empty one. Raises AwsError: Refused 400."""
    if not visit.request.body:
        return {}
    value = object_in(visit.request.body)
    if value is None:
        raise AwsError("Refused", "the body is not a JSON object")
    return value
