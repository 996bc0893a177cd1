"""What an identity pool says of an identity: the claims by which a role's trust policy decides, and the signed token.

Both flows rest on the same claims; the basic one carries them in a token. What verifies tokens does not share its code
with what signs here, which is PyJWT.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from sts_emulator.accounts import documents
from sts_emulator.core import rsa_keys
from sts_emulator.methods.tokens.checks import claim_text
from sts_emulator.policy.federated import COGNITO
from sts_emulator.policy.json_types import Json, JsonObject

if TYPE_CHECKING:
    from sts_emulator.accounts.documents import IdentityPool, Issuer
    from sts_emulator.core.world import World
    from sts_emulator.methods.cognito.logins import Login

ISSUER: Final = f"https://{COGNITO}"
TAGS: Final = "https://aws.amazon.com/tags"
ALGORITHM: Final = (
    "RS512"  # so the header of a real token says, with "typ": "JWS": docs/aws/cognito.md, "Identity pools"
)
BASIC_LIFETIME: Final = 600
_LONGEST_TAG: Final = 256


def claims(
    pool: IdentityPool,
    identity: str,
    logins: Sequence[Login],
    now: float,
    *,
    lifetime: int = BASIC_LIFETIME,
    tags: Mapping[str, str] | None = None,
) -> dict[str, Json]:
    """Everything that a token of the pool says of an identity, with these sign-ins behind it or, without any, a guest.

    `tags` are those that a developer's backend gives; of other sign-ins they follow from the pool's maps.
    """
    issued = int(now)
    said: dict[str, Any] = {
        "iss": ISSUER,
        "aud": pool["id"],
        "sub": identity,
        "amr": _amr(logins),
        f"{ISSUER}/identity-pool-arn": pool["arn"],
        "iat": issued,
        "exp": issued + lifetime,
    }
    wanted = tags or _mapped(pool, logins)
    if wanted:
        said[TAGS] = {"principal_tags": {name: [value] for name, value in wanted.items()}}
    return said


async def sign(world: World, said: Mapping[str, Any], region: str) -> str:
    """A token with these claims, signed by the world's own key for cognito-identity.amazonaws.com."""
    key = _key(world) or await _new_key(world, region)
    return await asyncio.to_thread(_signed, key["private"], key["kid"], said)


# -- claims ----------------------------------------------------------------------------------------------------------


def _amr(logins: Sequence[Login]) -> list[str]:
    """How somebody signed in; of a redeemed developer's token what that says."""
    if not logins:
        return ["unauthenticated"]
    ways: list[str] = ["authenticated"]
    for login in logins:
        told = login.claims["amr"] if login.identity else (login.provider, login.how)
        ways += [way for way in told if isinstance(way, str)]
    return list(dict.fromkeys(ways))


def _mapped(pool: IdentityPool, logins: Sequence[Login]) -> dict[str, str]:
    """The tags that the pool makes of claims. A claim that is not there, or no text, gives none."""
    tags: dict[str, str] = {}
    for login in logins:
        redeemed = login.claims.get(TAGS) if login.identity else None
        if isinstance(redeemed, Mapping):
            tags.update({name: values[0] for name, values in redeemed["principal_tags"].items()})
            continue
        maps = pool["principal_tags"]
        entry = maps.get(login.provider) or maps.get(login.mapping) or {}
        for name, claim in entry.get("PrincipalTags", {}).items():
            value = login.claims.get(claim)
            text = claim_text(value[0] if isinstance(value, list | tuple) and len(value) == 1 else value)
            if text is not None and len(text) <= _LONGEST_TAG:
                tags[name] = text
    return tags


# -- keys ------------------------------------------------------------------------------------------------------------


def _key(world: World) -> Mapping[str, Any] | None:
    issuer = world.find(documents.ISSUER, ISSUER)
    return issuer["keys"][0] if issuer is not None and issuer["keys"] else None


async def _new_key(world: World, region: str) -> Mapping[str, Any]:
    """The key, made when first needed, and published where AssumeRoleWithWebIdentity looks for those of issuers."""
    made = await asyncio.to_thread(_make, f"{region}1")

    def keyed(issuer: Issuer) -> Issuer:
        return issuer if issuer["keys"] else {**issuer, "keys": [made], "jwks": {"keys": [made["public"]]}}

    with world.unit(lock=True):
        issuer = world.find(documents.ISSUER, ISSUER)
        if issuer is None:
            issuer = documents.Issuer(
                name=COGNITO, url=ISSUER, preset="", algorithm=ALGORITHM, keys=[], jwks={"keys": []}
            )
            world.add(documents.ISSUER, issuer["name"], issuer, uid=ISSUER)
        return world.update(documents.ISSUER, issuer["name"], keyed)["keys"][0]


def _make(key_id: str) -> dict[str, Json]:
    from cryptography.hazmat.primitives import serialization
    from jwt.algorithms import RSAAlgorithm

    private = rsa_keys.new()
    pem = private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    numbers = RSAAlgorithm.to_jwk(private.public_key(), as_dict=True)
    public = {"kid": key_id, "use": "sig", "alg": ALGORITHM, **{name: numbers[name] for name in ("kty", "n", "e")}}
    return {"kid": key_id, "private": pem.decode(), "public": public}


def _signed(pem: str, key_id: str, said: JsonObject) -> str:
    from jwt.api_jws import PyJWS

    payload = json.dumps(said, separators=(",", ":")).encode()
    headers = {"kid": key_id, "typ": "JWS"}
    return PyJWS(algorithms=[ALGORITHM]).encode(payload, rsa_keys.load(pem), ALGORITHM, headers=headers)
