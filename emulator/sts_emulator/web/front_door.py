"""Calls that the workbench makes in a world as a client would, with the proof that was made there; none is supposed."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlencode

from sts_emulator.app import handle
from sts_emulator.core.errors import AwsError
from sts_emulator.idp import x509_signer
from sts_emulator.pages import approvals
from sts_emulator.pages.visit import Visit
from sts_emulator.policy.arns import parse_arn
from sts_emulator.policy.light_dataclass import dataclass
from sts_emulator.wire.http import Request, Response

if TYPE_CHECKING:
    from cryptography import x509

LONGEST_PEM: Final = 64 << 10
_MOST_CERTIFICATES: Final = 8
_DEVICE_CODE: Final = "urn:ietf:params:oauth:grant-type:device_code"
_KEY: Final = re.compile("-----BEGIN ([A-Z ]*)PRIVATE KEY-----[^-]*-----END \\1PRIVATE KEY-----")


async def call(
    visit: Visit, method: str, path: str, headers: Mapping[str, str], body: bytes = b"", query: str = ""
) -> Response:
    """Make a call."""
    source = visit.request
    own = {"host": source.headers.get("host", ""), "user-agent": source.headers.get("user-agent", "")}
    request = Request(
        method=method,
        raw_path=path,
        signed_path=f"{visit.root}{path}",
        query=query,
        headers={**own, **headers},
        body=body,
        client=source.client,
        scheme=source.scheme,
    )
    answer = handle(visit.server, visit.world, request, visit.base_url)
    return answer if isinstance(answer, Response) else await answer


def attempt_of(response: Response) -> str:
    """The request id of a call, by which its attempt is found; that of the last where a fault took its answer away."""
    return next((value for name, value in response.headers if name.lower() == "x-amzn-requestid"), "last")


async def sts(visit: Visit, **given: str) -> Response:
    """An operation of STS that nobody signs."""
    body = urlencode({"Version": "2011-06-15", **given}).encode()
    return await call(visit, "POST", "/", {"content-type": "application/x-www-form-urlencoded; charset=utf-8"}, body)


async def _json(
    visit: Visit, path: str, body: Mapping[str, object], target: str = ""
) -> tuple[Response, dict[str, Any]]:
    headers = {"content-type": "application/x-amz-json-1.1" if target else "application/json"}
    response = await call(
        visit, "POST", path, headers | ({"x-amz-target": target} if target else {}), json.dumps(body).encode()
    )
    try:
        told = json.loads(response.body)
    except ValueError:  # such as nothing, where the world has a fault
        told = None
    return response, told if isinstance(told, dict) else {}


# -- Identity Center -------------------------------------------------------------------------------------------------


async def portal_token(visit: Visit, start_url: str, person: str) -> str:
    """The access token of a person who signs in as a tool has them do: by a device's code. Raises AwsError."""
    client = await _told(visit, "/client/register", {"clientName": "workbench", "clientType": "public"})
    known = {"clientId": client["clientId"], "clientSecret": client["clientSecret"]}
    device = await _told(visit, "/device_authorization", {**known, "startUrl": start_url})
    await approvals.approve(visit, approvals.Request(user=person, code=device["userCode"]))
    given = {**known, "grantType": _DEVICE_CODE, "deviceCode": device["deviceCode"]}
    return str((await _told(visit, "/token", given))["accessToken"])


async def role_credentials(visit: Visit, token: str, account: str, role: str) -> Response:
    """A person's credentials of a permission set in an account."""
    query = urlencode({"account_id": account, "role_name": role})
    return await call(visit, "GET", "/federation/credentials", {"x-amz-sso_bearer_token": token}, query=query)


async def _told(visit: Visit, path: str, body: Mapping[str, object]) -> dict[str, Any]:
    response, told = await _json(visit, path, body)
    if response.status != 200:  # noqa: PLR2004 - OK
        reason = told.get("error_description") or told.get("message") or told.get("error") or response.status
        raise AwsError("Refused", f"{path}: {reason}")
    return told


# -- identity pools --------------------------------------------------------------------------------------------------


async def pool_credentials(visit: Visit, pool: str, provider: str, token: str) -> Response:
    """The credentials that an identity pool gives to whoever signed in at a provider; or its refusal."""
    logins, service = {provider: token}, "AWSCognitoIdentityService"
    response, told = await _json(visit, "/", {"IdentityPoolId": pool, "Logins": logins}, f"{service}.GetId")
    if response.status != 200:  # noqa: PLR2004 - OK
        return response
    given = {"IdentityId": told["IdentityId"], "Logins": logins}
    return (await _json(visit, "/", given, f"{service}.GetCredentialsForIdentity"))[0]


# -- Roles Anywhere --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Holder:
    """A certificate with the chain behind it, and its key."""

    chain: tuple[x509.Certificate, ...]
    key: Any

    @classmethod
    def of(cls, pem: str) -> Holder:
        """What a PEM text holds: certificates, the leaf first, and a key. Raises ValueError."""
        from cryptography import x509
        from cryptography.exceptions import UnsupportedAlgorithm
        from cryptography.hazmat.primitives.serialization import load_pem_private_key

        if len(pem) > LONGEST_PEM:
            raise ValueError(f"certificates and key have at most {LONGEST_PEM >> 10} KiB here")
        block = _KEY.search(pem)
        if block is None or "-----BEGIN CERTIFICATE-----" not in pem:
            raise ValueError("paste a certificate and its private key, both as PEM")
        try:
            key: Any = load_pem_private_key(block[0].encode(), None)
            chain = tuple(x509.load_pem_x509_certificates(_KEY.sub("", pem).encode()))
        except (ValueError, TypeError, UnsupportedAlgorithm):
            raise ValueError("the certificate or its key cannot be read; a key is PEM without a password") from None
        if len(chain) > _MOST_CERTIFICATES:
            raise ValueError(f"at most {_MOST_CERTIFICATES} certificates")
        if chain[0].public_key() != key.public_key():
            raise ValueError("the key is not that of the first certificate")
        return cls(chain, key)


async def create_session(visit: Visit, holder: Holder, anchor: str, profile: str, role: str) -> Response:
    """A session by a certificate. Raises ValueError: such a key signs no call."""
    body = json.dumps({"trustAnchorArn": anchor, "profileArn": profile, "roleArn": role}).encode()
    named = parse_arn(anchor[:200])
    region = named.region if named is not None else visit.server.settings.region
    leaf, *chain = holder.chain
    headers = x509_signer.signed(visit.request.headers.get("host", ""), body, leaf, holder.key, chain, region)
    return await call(visit, "POST", "/sessions", headers, body)
