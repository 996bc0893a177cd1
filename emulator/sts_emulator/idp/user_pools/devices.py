"""Devices of a pool's users: confirmed by an app, remembered or not, seen and forgotten.

Sources: botocore's model (ConfirmDevice, DeviceConfigurationType), docs/aws/cognito.md, "Devices".
"""

from __future__ import annotations

import base64
import secrets
import uuid
from collections.abc import Mapping
from typing import Any, Final, NotRequired, TypedDict

from sts_emulator.control_plane.reach import required
from sts_emulator.core.errors import AwsError
from sts_emulator.core.store import Kind
from sts_emulator.core.world import World
from sts_emulator.idp.user_pools import pools, srp, tokens
from sts_emulator.idp.user_pools.kinds import PAGES, Pool, PoolUser, arn_of, invalid, not_found, reach_user
from sts_emulator.vending.context import Context
from sts_emulator.wire.dispatch import Result, operation


class Device(TypedDict):
    """A device that an app has confirmed."""

    key: str
    group: str
    name: str
    salt: str  # hexadecimal, as the verifier is: the device's own password, for SRP
    verifier: str
    remembered: bool
    address: str
    created: float
    modified: float
    authenticated: float
    asked: NotRequired[str]  # the session of the newest question to prove itself


DEVICE: Final[Kind[Device]] = Kind("user-pool-device")  # key: `POOL/sub/DEVICE`

_LONGEST_VERIFIER = 385  # bytes: 3,072 bits, with the zero in front that big integers are written with
_LONGEST_SALT = 64


# -- by the user -----------------------------------------------------------------------------------------------------


@operation("cognito-idp", "ConfirmDevice")
def confirm_device(
    ctx: Context,
    *,
    AccessToken: str,
    DeviceKey: str,
    DeviceSecretVerifierConfig: Mapping[str, str] | None = None,
    DeviceName: str = "",
) -> Result:
    """Track the device that this sign-in was given, and remember it unless the user is to be asked."""
    party, sign_in = tokens.bearer(ctx.world, AccessToken)
    begun = ctx.world.get(tokens.SIGN_IN, sign_in)
    given = begun.get("device") if begun is not None else None
    if given is None or given["key"] != DeviceKey:
        raise _absent()
    if find(ctx.world, party.pool, party.user, DeviceKey) is not None:
        raise AwsError("DeviceKeyExistsException", "Device key already exists.")
    verifier, salt = _secret(DeviceSecretVerifierConfig or {})
    now, asks = ctx.world.now(), bool(_settings(party.pool).get("DeviceOnlyRememberedOnUserPrompt"))
    device = Device(
        key=DeviceKey,
        group=given["group"],
        name=DeviceName,
        salt=salt,
        verifier=verifier,
        remembered=not asks,
        address=ctx.source_ip,
        created=now,
        modified=now,
        authenticated=now,
    )
    ctx.world.add(DEVICE, _key(party.pool, party.user, DeviceKey), device)
    return {"UserConfirmationNecessary": asks}


@operation("cognito-idp", "GetDevice")
def get_device(ctx: Context, *, DeviceKey: str, AccessToken: str = "") -> Result:
    """One remembered device; one that is not remembered is not there for its user (docs/aws/cognito.md, "Devices")."""
    party, _ = tokens.bearer(ctx.world, AccessToken)
    device = _present(ctx.world, party.pool, party.user, DeviceKey)
    if not device["remembered"]:
        raise _absent()
    return {"Device": _shown(party.pool, party.user, device)}


@operation("cognito-idp", "ListDevices")
def list_devices(
    ctx: Context, *, AccessToken: str, Limit: int | None = None, PaginationToken: str | None = None
) -> Result:
    """The remembered devices."""
    party, _ = tokens.bearer(ctx.world, AccessToken)
    devices = [device for device in _all(ctx.world, party.pool, party.user) if device["remembered"]]
    return _page(ctx, party.pool, party.user, devices, PaginationToken, Limit)


@operation("cognito-idp", "UpdateDeviceStatus")
def update_device_status(ctx: Context, *, AccessToken: str, DeviceKey: str, DeviceRememberedStatus: str = "") -> Result:
    party, _ = tokens.bearer(ctx.world, AccessToken)
    _remember(ctx.world, party.pool, party.user, DeviceKey, DeviceRememberedStatus)
    return {}


@operation("cognito-idp", "ForgetDevice")
def forget_device(ctx: Context, *, DeviceKey: str, AccessToken: str = "") -> Result:
    """Forget a device: what was signed in on it can be refreshed no more."""
    party, _ = tokens.bearer(ctx.world, AccessToken)
    _forget(ctx.world, party.pool, party.user, DeviceKey)
    return {}


# -- by an administrator ---------------------------------------------------------------------------------------------


@operation("cognito-idp", "AdminGetDevice")
def admin_get_device(ctx: Context, *, DeviceKey: str, UserPoolId: str, Username: str) -> Result:
    """One device, remembered or not."""
    pool, user = reach_user(ctx, UserPoolId, Username)
    return {"Device": _shown(pool, user, _present(ctx.world, pool, user, DeviceKey))}


@operation("cognito-idp", "AdminListDevices")
def admin_list_devices(
    ctx: Context, *, UserPoolId: str, Username: str, Limit: int | None = None, PaginationToken: str | None = None
) -> Result:
    """All devices of a user."""
    pool, user = reach_user(ctx, UserPoolId, Username)
    return _page(ctx, pool, user, _all(ctx.world, pool, user), PaginationToken, Limit)


@operation("cognito-idp", "AdminUpdateDeviceStatus")
def admin_update_device_status(
    ctx: Context, *, UserPoolId: str, Username: str, DeviceKey: str, DeviceRememberedStatus: str = ""
) -> Result:
    _remember(ctx.world, *reach_user(ctx, UserPoolId, Username), DeviceKey, DeviceRememberedStatus)
    return {}


@operation("cognito-idp", "AdminForgetDevice")
def admin_forget_device(ctx: Context, *, UserPoolId: str, Username: str, DeviceKey: str) -> Result:
    _forget(ctx.world, *reach_user(ctx, UserPoolId, Username), DeviceKey)
    return {}


# -- at a sign-in ----------------------------------------------------------------------------------------------------


def tracks(pool: Pool) -> bool:
    """Whether the pool has any device configuration, which is what switches tracking on."""
    return bool(_settings(pool))


def stands_in_for_codes(pool: Pool) -> bool:
    """Whether a remembered device that proves itself makes a second factor unnecessary."""
    return bool(_settings(pool).get("ChallengeRequiredOnNewDevice"))


def find(world: World, pool: Pool, user: PoolUser, key: str) -> Device | None:
    """A user's device, remembered or not."""
    return world.get(DEVICE, _key(pool, user, key))


def to_challenge(world: World, pool: Pool, user: PoolUser, key: str) -> Device | None:
    """The remembered device that a sign-in names, which has yet to prove itself.

    Raises:
        AwsError: ResourceNotFoundException, for the key of no device of the user's: apps then forget the key.
    """
    if not key or not tracks(pool):
        return None
    device = _present(world, pool, user, key)
    return device if device["remembered"] else None


def ask(world: World, pool: Pool, user: PoolUser, key: str, session: str) -> None:
    """Keep the session of a question, for apps that answer without one: pycognito is one of them."""
    world.update(DEVICE, _key(pool, user, key), lambda device: {**device, "asked": session})


def for_sign_in(world: World, pool: Pool, user: PoolUser, key: str, address: str) -> tuple[tokens.Held, dict[str, Any]]:
    """The device that a sign-in is on, and the member that tells of it where it is new. Called with the lock held."""
    known = find(world, pool, user, key) if key else None
    if known is not None:
        used: Device = {**known, "authenticated": world.now(), "address": address}
        world.put(DEVICE, _key(pool, user, key), used)
        return {"key": key, "group": known["group"]}, {}
    held: tokens.Held = {
        "key": f"{pool['region']}_{uuid.uuid4()}",
        "group": "-" + "".join(secrets.choice(pools.LETTERS) for _ in range(8)),
    }
    return held, {"NewDeviceMetadata": {"DeviceKey": held["key"], "DeviceGroupKey": held["group"]}}


def forget_all(world: World, pool: Pool, user: PoolUser) -> None:
    """Drop the devices of a user who goes."""
    for key, _ in world.page_keys(DEVICE, f"{pool['id']}/{user['sub']}/"):
        world.take(DEVICE, key)


def _settings(pool: Pool) -> Result:
    settings: Mapping[str, Any] = pool["settings"].get("DeviceConfiguration") or {}
    return settings


def _key(pool: Pool, user: PoolUser, device: str) -> str:
    return f"{pool['id']}/{user['sub']}/{device}"


def _all(world: World, pool: Pool, user: PoolUser) -> list[Device]:
    return world.page(DEVICE, f"{pool['id']}/{user['sub']}/")


def _present(world: World, pool: Pool, user: PoolUser, key: str) -> Device:
    return required(find(world, pool, user, key), _absent())


def _absent() -> AwsError:
    return not_found("Device does not exist.")  # Amplify looks for this sentence


def _secret(given: Mapping[str, str]) -> tuple[str, str]:
    """Verifier and salt in hexadecimal. A device without them could never prove itself."""
    verifier = _decoded(given, "PasswordVerifier", _LONGEST_VERIFIER)
    salt = _decoded(given, "Salt", _LONGEST_SALT)
    if not int(verifier, 16) % srp.N:
        raise invalid("Invalid PasswordVerifier")
    return verifier, salt


def _decoded(given: Mapping[str, str], member: str, longest: int) -> str:
    text = given.get(member) or ""
    try:
        decoded = base64.b64decode(text[: 2 * longest], validate=True)
    except ValueError:
        decoded = b""
    if not 0 < len(decoded) <= longest or len(text) > 2 * longest:
        raise invalid(f"Invalid {member}")
    return decoded.hex()


def _remember(world: World, pool: Pool, user: PoolUser, key: str, status: str) -> None:
    device = _present(world, pool, user, key)
    if not status:
        raise invalid("Missing required parameter DeviceRememberedStatus")  # optional in the model, and nothing without
    changed: Device = {**device, "remembered": status == "remembered", "modified": world.now()}
    world.put(DEVICE, _key(pool, user, key), changed)


def _forget(world: World, pool: Pool, user: PoolUser, key: str) -> None:
    _present(world, pool, user, key)
    world.take(DEVICE, _key(pool, user, key))


def _page(
    ctx: Context, pool: Pool, user: PoolUser, devices: list[Device], token: str | None, limit: int | None
) -> Result:
    told = [_shown(pool, user, device) for device in devices]
    return PAGES.page(ctx, "Devices", told, token, limit, of=f"{pool['id']}/{user['sub']}")


def _shown(pool: Pool, user: PoolUser, device: Device) -> Result:
    """As the AWS CLI's documentation shows a device (examples of `admin-list-devices`)."""
    owner = f"{user['username']}.{pool['id']}"
    place = arn_of(pool["region"], pool["account"], "").removesuffix("userpool/")
    attributes = {
        "device_status": "valid",
        **({"device_name": device["name"]} if device["name"] else {}),
        "dev:device_arn": f"{place}owner/{owner}/device/{device['key']}",
        "dev:device_owner": owner,
        "last_ip_used": device["address"],
        "dev:device_remembered_status": "remembered" if device["remembered"] else "not_remembered",
        "dev:device_sdk": "aws-sdk-unknown-unknown",
    }
    return {
        "DeviceKey": device["key"],
        "DeviceAttributes": [{"Name": name, "Value": value} for name, value in attributes.items()],
        "DeviceCreateDate": device["created"],
        "DeviceLastModifiedDate": device["modified"],
        "DeviceLastAuthenticatedDate": device["authenticated"],
    }
