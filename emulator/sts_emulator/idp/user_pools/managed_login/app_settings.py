"""What an app client may set for managed login: flows, scopes, callback URLs and identity providers.

Source of the rules: botocore's model, CreateUserPoolClient.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlsplit

from sts_emulator.core.errors import AwsError
from sts_emulator.core.world import World
from sts_emulator.idp.user_pools.kinds import IDENTITY_PROVIDER, Pool, invalid
from sts_emulator.idp.user_pools.pools import RESOURCE_SERVER

LOCAL: Final = "COGNITO"
"""What the pool's own users are called among a client's identity providers."""

SYSTEM_SCOPES: Final = ("openid", "email", "phone", "profile", "aws.cognito.signin.user.admin")

_LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})
_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*")


def check(world: World, pool: Pool, settings: Mapping[str, Any], *, has_secret: bool) -> None:
    """Refuse settings of a client that cannot be.

    Raises:
        AwsError: InvalidParameterException, InvalidOAuthFlowException, ScopeDoesNotExistException.
    """
    _check_flows(settings, has_secret=has_secret)
    for member in ("CallbackURLs", "LogoutURLs"):
        for url in settings.get(member) or ():
            _check_url(member, url)
    default = settings.get("DefaultRedirectURI")
    if default and default not in (settings.get("CallbackURLs") or ()):
        raise invalid("DefaultRedirectURI must be in the CallbackURLs list.")
    for scope in settings.get("AllowedOAuthScopes") or ():
        if scope not in SYSTEM_SCOPES and not _is_custom(world, pool, scope):
            raise AwsError("ScopeDoesNotExistException", f"Invalid scope requested: {scope}")
    for provider in settings.get("SupportedIdentityProviders") or ():
        if provider != LOCAL and world.get(IDENTITY_PROVIDER, f"{pool['id']}/{provider}") is None:
            raise invalid(f"The provider {provider} does not exist for User Pool {pool['id']}.")


def _check_flows(settings: Mapping[str, Any], *, has_secret: bool) -> None:
    flows = settings.get("AllowedOAuthFlows") or ()
    if not settings.get("AllowedOAuthFlowsUserPoolClient") and (flows or settings.get("AllowedOAuthScopes")):
        raise invalid("AllowedOAuthFlows and AllowedOAuthScopes need AllowedOAuthFlowsUserPoolClient.")
    if "client_credentials" in flows and len(flows) > 1:
        raise AwsError(
            "InvalidOAuthFlowException",
            "client_credentials flow can not be selected along with code flow or implicit flow.",
        )
    if "client_credentials" in flows and not has_secret:
        message = "client_credentials flow can not be selected if client does not have a client secret."
        raise AwsError("InvalidOAuthFlowException", message)


def _check_url(member: str, url: str) -> None:
    """An absolute URL without a fragment: https, http of this machine, or an app's own scheme."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
    except ValueError:
        raise invalid(f"{url} is not a valid URL of {member}.") from None
    is_web = parts.scheme in ("http", "https")
    is_sound = _SCHEME.fullmatch(parts.scheme) and not parts.fragment and "#" not in url and " " not in url
    if not is_sound or (is_web and not host) or parts.scheme in ("javascript", "data", "vbscript", "blob", "file"):
        raise invalid(f"{url} is not a valid URL of {member}.")
    if parts.scheme == "http" and host not in _LOOPBACK:
        raise invalid(f"{url}: {member} over HTTP are for http://localhost, http://127.0.0.1 and http://[::1] only.")


def _is_custom(world: World, pool: Pool, scope: str) -> bool:
    identifier, _, name = scope.rpartition("/")
    server = world.get(RESOURCE_SERVER, f"{pool['id']}/{identifier}")
    return server is not None and any(known.get("ScopeName") == name for known in server["Scopes"])
