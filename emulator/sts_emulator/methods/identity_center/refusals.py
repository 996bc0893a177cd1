"""Refusals as the OIDC service and the portal write them."""

from __future__ import annotations

from typing import Final

from sts_emulator.core.errors import AwsError

# docs/aws/identity-center.md, "OIDC service": the exception, and the code of its OAuth body.
_OAUTH: Final = {
    "AuthorizationPendingException": "authorization_pending",
    "SlowDownException": "slow_down",
    "ExpiredTokenException": "expired_token",
    "InvalidGrantException": "invalid_grant",
    "InvalidClientException": "invalid_client",
    "InvalidRequestException": "invalid_request",
    "UnauthorizedClientException": "unauthorized_client",
    "UnsupportedGrantTypeException": "unsupported_grant_type",
    "InvalidScopeException": "invalid_scope",
    "AccessDeniedException": "access_denied",
    "InvalidClientMetadataException": "invalid_client_metadata",
    "InvalidRedirectUriException": "invalid_redirect_uri",
}
_PORTAL: Final = "com.amazonaws.switchboard.portal#"
_PORTAL_STATUS: Final = {
    "ForbiddenException": 403,
    "InvalidRequestException": 400,
    "ResourceNotFoundException": 404,
    "UnauthorizedException": 401,
}


def refused(code: str, message: str) -> AwsError:
    """An error of sso-oidc: OAuth's body, and the exception's name in the header, by which SDKs know it."""
    return AwsError(code, message, members={"error": _OAUTH[code]})


def portal_refused(code: str, message: str) -> AwsError:
    """An error of the portal, whose body names it (docs/aws/identity-center.md, "Recorded in 2026")."""
    return AwsError(code, message, status=_PORTAL_STATUS[code], members={"__type": f"{_PORTAL}{code}"})
