"""The JSON that a script sends in a body; a form's fields are `Visit.posted`, its token is the cookie's."""

from __future__ import annotations

import json
from typing import Any

from sts_emulator.core.errors import AwsError
from sts_emulator.pages.visit import Visit


def json_body(visit: Visit) -> dict[str, Any]:
    """The JSON object of the body; an empty body is an empty one.

    Raises:
        AwsError: Refused 400.
    """
    if not visit.request.body:
        return {}
    try:
        value = json.loads(visit.request.body)
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise AwsError("Refused", "the body is not a JSON object")
    return value
