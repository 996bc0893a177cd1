"""Bearer tokens for SCIM, which identity providers show: each of one directory, and good for a year.

AWS has no API for them, only its console; here the control API and the command line give them.
"""

from __future__ import annotations

import hashlib
import os
import uuid
from typing import TypedDict

from sts_emulator.accounts import directory
from sts_emulator.accounts.directory import Instance, ScimToken
from sts_emulator.core.errors import AwsError
from sts_emulator.core.world import World

YEAR = 365 * 86_400
MOST = 2  # tokens of a directory at a time, as in AWS's console; the oldest makes room


class Access(TypedDict):
    """What an identity provider is configured with."""

    endpoint: str
    token: str
    expires: int


def create(world: World, base_url: str, instance: Instance) -> Access:
    token, tenant = f"{uuid.uuid4()}:{os.urandom(48).hex()}", tenant_of(instance)
    known = sorted(world.page_keys(directory.SCIM_TOKEN), key=lambda pair: (pair[1]["created"], pair[0]))
    mine = [key for key, other in known if other["store"] == instance["store"]]
    for key in mine[: max(len(mine) - MOST + 1, 0)]:
        world.take(directory.SCIM_TOKEN, key)
    now = world.now()
    body: ScimToken = {
        "id": token.partition(":")[0],
        "store": instance["store"],
        "tenant": tenant,
        "created": now,
        "expires": int(now) + YEAR,
    }
    world.add(directory.SCIM_TOKEN, _digest(token), body)
    return {"endpoint": f"{base_url}/scim/{tenant}/scim/v2", "token": token, "expires": body["expires"]}


def authenticate(world: World, header: str, tenant: str) -> Instance:
    """The instance whose directory the token in an `Authorization` header opens.

    Raises:
        AwsError: 401, also for a tenant that is another's or nobody's.
    """
    scheme, _, token = header.partition(" ")
    known = world.get(directory.SCIM_TOKEN, _digest(token)) if scheme.lower() == "bearer" and token else None
    instance = directory.instance_of_store(world, known["store"]) if known else None
    if known is None or instance is None or known["tenant"] != tenant or known["expires"] <= world.now():
        raise AwsError("UnauthorizedException", "Invalid or expired bearer token.", status=401)
    return instance


def tenant_of(instance: Instance) -> str:
    """The tenant in the endpoint of an instance's directory."""
    return str(uuid.UUID(hashlib.sha256(instance["id"].encode()).hexdigest()[:32], version=4))


def _digest(token: str) -> str:
    return hashlib.sha256(token.strip().encode()).hexdigest()
