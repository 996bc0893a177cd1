"""Refusals as the sign-in service writes them: an exception, and the code by which the AWS CLI tells them apart.

Source: docs/aws/console-sign-in.md, "AWS login".
"""

from __future__ import annotations

from typing import Final

from sts_emulator.control_plane.listing import Listing
from sts_emulator.core.errors import AwsError

TOKEN_EXPIRED: Final = "TOKEN_EXPIRED"  # noqa: S105 - an error code
AUTHCODE_EXPIRED: Final = "AUTHCODE_EXPIRED"
CREDENTIALS_CHANGED: Final = "USER_CREDENTIALS_CHANGED"
INSUFFICIENT_PERMISSIONS: Final = "INSUFFICIENT_PERMISSIONS"


def denied(error: str, message: str) -> AwsError:
    return AwsError("AccessDeniedException", message, status=400, members={"error": error})


def invalid(message: str, error: str = "INVALID_REQUEST") -> AwsError:
    return AwsError("ValidationException", message, members={"error": error})


def not_found(message: str) -> AwsError:
    return AwsError("ResourceNotFoundException", message, members={"error": "RESOURCE_NOT_FOUND"})


def conflict(message: str) -> AwsError:
    return AwsError("ConflictException", message, members={"error": "CONFLICT"})


LISTING: Final = Listing(100, lambda: invalid("The pagination token is invalid"), "nextToken")
