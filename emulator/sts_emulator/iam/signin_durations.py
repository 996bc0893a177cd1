"""How long a person may stay signed in: the setting that roles and login profiles share."""

from __future__ import annotations

from sts_emulator.core.errors import AwsError


def check_one_of(duration: int | None, *, reset: bool) -> None:
    """Refuse to set and clear it in one request, which the model forbids; AWS's sentence is not recorded.

    Raises:
        AwsError: ValidationError.
    """
    if duration is not None and reset:
        message = "MaxSigninSessionDuration and ResetMaxSigninSessionDuration cannot be specified in the same request."
        raise AwsError("ValidationError", message)
