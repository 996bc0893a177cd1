"""OIDC and social providers outside of the world: on this machine, or on a host that `serve --provider-host` allows.

Their addresses are those of ProviderDetails, or what their discovery document says. Nothing else is ever asked, so that
AWS's own Google, Facebook, Amazon and Apple are refused unless something here takes their place.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlencode

from sts_emulator.accounts import trigger_hooks
from sts_emulator.control_plane.reach import required
from sts_emulator.core.errors import AwsError
from sts_emulator.idp.user_pools import outside
from sts_emulator.idp.user_pools.federation.pool_providers import SUBJECTS, issuer_of
from sts_emulator.idp.user_pools.kinds import IdentityProvider
from sts_emulator.methods.tokens.jwk import KeySet
from sts_emulator.policy.json_types import JsonObject, object_in
from sts_emulator.policy.light_dataclass import dataclass
from sts_emulator.settings import Settings

PATIENCE: Final = 5.0
"""Seconds in which a provider has to answer. AWS publishes no number; this one is that of triggers."""

_DISCOVERED: Final = {
    "authorize_url": "authorization_endpoint",
    "token_url": "token_endpoint",
    "jwks_uri": "jwks_uri",
    "attributes_url": "userinfo_endpoint",
}


@dataclass(frozen=True, slots=True)
class Outside:
    """A provider outside, and its addresses by their names in ProviderDetails, each of which may be asked."""

    provider: IdentityProvider
    settings: Settings
    addresses: Mapping[str, str]

    async def redeem(self, code: str, place: str) -> JsonObject:
        """What the provider gives for a code. Raises AwsError: IdpError."""
        form, url = code_form(self.provider, code, place), self.addresses["token_url"]
        if self.provider["details"].get("token_request_method") == "GET":
            return await _object(self.settings, "GET", f"{url}{'&' if '?' in url else '?'}{urlencode(form)}")
        headers = {"content-type": "application/x-www-form-urlencoded"}
        return await _object(self.settings, "POST", url, headers, urlencode(form).encode())

    async def keys(self) -> KeySet:
        """With what its ID tokens verify. Raises AwsError: IdpError."""
        return KeySet(await _object(self.settings, "GET", self.addresses["jwks_uri"]))

    async def attributes(self, access_token: object) -> JsonObject:
        """What it says of the person of an access token, nothing where nobody is to be asked. Raises AwsError."""
        url, details = self.addresses.get("attributes_url", ""), self.provider["details"]
        if not url or not isinstance(access_token, str) or not access_token.isprintable():
            return {}
        if details.get("attributes_url_add_attributes") == "true":
            url += ",".join(dict.fromkeys(self.provider["mapping"].values()))
        method = details.get("attributes_request_method") or "GET"
        return await _object(self.settings, method, url, {"authorization": f"Bearer {access_token}"})

    async def subject(self, access_token: object) -> tuple[str, Mapping[str, Any]]:
        """The person of an access token, at a provider that has no ID tokens. Raises AwsError: IdpError."""
        said = await self.attributes(access_token)
        subject = said.get(SUBJECTS[self.provider["type"]])
        if not isinstance(subject, str) or not subject:
            raise _error(f"{self.provider['name']} does not say who the person is")
        return subject, said


def code_form(provider: IdentityProvider, code: str, place: str) -> dict[str, str]:
    """With what a code is redeemed (RFC 6749, 4.1.3)."""
    details = provider["details"]
    secret = {"client_secret": details["client_secret"]} if details.get("client_secret") else {}
    form = {"grant_type": "authorization_code", "code": code, "redirect_uri": place, "client_id": details["client_id"]}
    return {**form, **secret}


async def of(settings: Settings, provider: IdentityProvider) -> Outside:
    """A provider with its addresses, the ones that it lacks discovered. Raises AwsError: IdpError, with the reason."""
    issuer, details = issuer_of(provider), provider["details"]
    known = {name: details[name] for name in _DISCOVERED if details.get(name)}
    needed = ("authorize_url", "token_url", "jwks_uri" if issuer else "attributes_url")
    if any(name not in known for name in needed):
        if provider["type"] != "OIDC":
            raise _error(
                f"{provider['name']} is asked on the internet by AWS, and not at all here: give its ProviderDetails "
                f"the addresses of something on this machine ({', '.join(needed)}), or the world an issuer in its place"
            )
        known = {**await _discovered(settings, issuer), **known}
    if missing := [name for name in needed if not isinstance(known.get(name), str)]:
        raise _error(f"{provider['name']} has no {missing[0]}")
    for name, url in known.items():
        if isinstance(url, str) and name != "authorize_url":
            _check(settings, url)
    if not known["authorize_url"].startswith(("https://", "http://")):
        raise _error(f"{provider['name']} has an authorize_url that is no URL")
    return Outside(provider, settings, {name: url for name, url in known.items() if isinstance(url, str)})


async def _discovered(settings: Settings, issuer: str) -> dict[str, Any]:
    try:
        document = await _object(settings, "GET", f"{issuer.rstrip('/')}/.well-known/openid-configuration")
    except AwsError as why:
        raise _error(f"{issuer} is no issuer of this world, and {why.message}") from None
    if document.get("issuer") != issuer:
        raise _error(f"the discovery document of {issuer} names another issuer")
    return {name: document[said] for name, said in _DISCOVERED.items() if said in document}


async def _object(
    settings: Settings, method: str, url: str, headers: Mapping[str, str] | None = None, content: bytes = b""
) -> JsonObject:
    """A JSON object that is asked for. Raises AwsError: IdpError."""
    _check(settings, url)
    await outside.get_ready()
    try:
        async with asyncio.timeout(PATIENCE):
            answer = await outside.exchange(method, url, {"accept": "application/json", **(headers or {})}, content)
    except (outside.UnreachableError, outside.TooLargeError) as why:
        raise _error(str(why)) from None
    except TimeoutError:
        raise _error(f"{url} did not answer within {PATIENCE:g} s") from None
    place = url.partition("?")[0]  # the rest may hold a code and a secret
    if answer.status != 200:  # noqa: PLR2004 - the one that has what was asked for
        raise _error(f"{place} answered {answer.status}")
    return required(object_in(answer.body), _error(f"{place} did not answer with a JSON object"))


def _check(settings: Settings, url: str) -> None:
    if fault := trigger_hooks.url_fault(url, settings, settings.provider_host, "--provider-host"):
        raise _error(fault)


def _error(why: str) -> AwsError:
    return AwsError("IdpError", why)
