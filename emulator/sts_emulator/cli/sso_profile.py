"""A profile of Identity Center as tools keep it: blocks of `~/.aws/config`, and the token of who is signed in.

Source: docs/aws/identity-center.md, "Clients".
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from sts_emulator.core import clock
from sts_emulator.policy.json_types import JsonObject

SESSION: Final = "emulator"
_DEVICE_CODE: Final = "urn:ietf:params:oauth:grant-type:device_code"
_SCOPE: Final = "sso:account:access"

Post = Callable[[str, Mapping[str, Any]], Any]
"""Posts JSON to a path of the world, and returns the JSON that comes."""


def blocks(center: Mapping[str, Any], roles: Sequence[Mapping[str, str]], region: str, endpoint: str = "") -> str:
    """A profile for each role, and the session that they share; with `endpoint`, the services section too."""
    services = f"services = {SESSION}\n" if endpoint else ""
    profiles = [
        f"[profile {role['name']}-{role['account']}]\nsso_session = {SESSION}\nsso_account_id = {role['account']}\n"
        f"sso_role_name = {role['name']}\nregion = {region}\n{services}"
        for role in roles
    ]
    session = (
        f"[sso-session {SESSION}]\nsso_start_url = {center['start_url']}\nsso_region = {center['region']}\n"
        f"sso_registration_scopes = {_SCOPE}\n"
    )
    nested = "".join(f"{name} =\n  endpoint_url = {endpoint}\n" for name in ("sso", "sso_oidc", "sts"))
    section = [f"[services {SESSION}]\n{nested}"] if endpoint else []
    return "\n".join([*profiles, session, *section])


def sign_in(post: Post, approve: Callable[[str], Any], center: JsonObject) -> JsonObject:
    """Sign in by device code, `approve` saying yes to it; the token as the AWS CLI keeps it."""
    wish = {"clientName": "sts-emulator", "clientType": "public", "scopes": [_SCOPE]}
    registered = post("client/register", wish)
    client = {name: registered[name] for name in ("clientId", "clientSecret")}
    device = post("device_authorization", {**client, "startUrl": center["start_url"]})
    approve(device["userCode"])
    tokens = post("token", {**client, "grantType": _DEVICE_CODE, "deviceCode": device["deviceCode"]})
    return {
        "startUrl": center["start_url"],
        "region": center["region"],
        "accessToken": tokens["accessToken"],
        "expiresAt": clock.iso(clock.real() + tokens["expiresIn"]),
        **client,
        "registrationExpiresAt": clock.iso(registered["clientSecretExpiresAt"]),
        "refreshToken": tokens["refreshToken"],
    }


def leave(home: Path, token: JsonObject, config: str) -> None:
    """Leave a token and a configuration below a home directory, where every SDK looks for them."""
    cache = home / ".aws" / "sso" / "cache"
    cache.mkdir(parents=True, exist_ok=True)
    name = hashlib.sha1(SESSION.encode(), usedforsecurity=False).hexdigest()
    (cache / f"{name}.json").write_text(json.dumps(token), encoding="utf-8")
    (home / ".aws" / "config").write_text(config, encoding="utf-8")
