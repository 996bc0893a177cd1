"""MFA devices: virtual ones are made, given to users, synchronized and taken back; passkeys are listed and taken away.

A passkey or security key is registered in a browser only (methods.console_login).
"""

from __future__ import annotations

import io
from typing import Unpack

from sts_emulator.accounts import documents, people
from sts_emulator.accounts.documents import FidoDevice, MfaDevice, User, changed
from sts_emulator.accounts.resources import key_of
from sts_emulator.core.errors import AwsError
from sts_emulator.iam import tags
from sts_emulator.iam.nouns import MFA_DEVICE, USER, listing, over_quota
from sts_emulator.iam.paging import Paging, page
from sts_emulator.iam.permits import consult, permit, permit_new, reach, reach_user
from sts_emulator.iam.principals import users
from sts_emulator.vending.context import TRUE, Context
from sts_emulator.wire.dispatch import Result, operation

PER_USER = 8
LONGEST_NAME = 226  # in no model, but in CloudFormation's reference of AWS::IAM::VirtualMFADevice

tag_mfa_device, untag_mfa_device, list_mfa_device_tags = tags.operations(MFA_DEVICE)


@operation("iam", "CreateVirtualMFADevice")
def create_virtual_mfa_device(
    ctx: Context, *, VirtualMFADeviceName: str, Path: str = "/", Tags: tags.Pairs | None = None
) -> Result:
    """Make a device; its seed, also as a QR code to scan, is shown this once."""
    labels = tags.checked(MFA_DEVICE, Tags)
    if len(VirtualMFADeviceName) > LONGEST_NAME:
        raise AwsError(
            "ValidationError",
            "1 validation error detected: Value at 'virtualMFADeviceName' failed to satisfy constraint: "
            f"Member must have length less than or equal to {LONGEST_NAME}",
        )
    account = ctx.identity.account
    arn = MFA_DEVICE.arn(account, Path, VirtualMFADeviceName)
    permit_new(ctx, MFA_DEVICE, arn, labels)
    if ctx.world.get(MFA_DEVICE.kind, key_of(account, VirtualMFADeviceName)) is not None:
        raise AwsError("EntityAlreadyExists", MFA_DEVICE.taken)
    device: MfaDevice = {
        "account": account,
        "name": VirtualMFADeviceName,
        "path": Path,
        "arn": arn,
        "seed": people.new_seed(),
        "created": int(ctx.world.now()),
        "tags": labels,
        "owner": "",
        "drift": 0,
        "paired": 0,
        "used": [],
    }
    ctx.world.add(MFA_DEVICE.kind, MFA_DEVICE.key(device), device, uid=arn)
    return {
        "VirtualMFADevice": {
            "SerialNumber": arn,
            "Base32StringSeed": str(device["seed"]).encode(),
            "QRCodePNG": _picture(_otpauth(device)),
            **tags.echoed(labels),
        }
    }


@operation("iam", "EnableMFADevice")
def enable_mfa_device(
    ctx: Context, *, UserName: str, SerialNumber: str, AuthenticationCode1: str, AuthenticationCode2: str
) -> Result:
    """Give a device to a user, who proves to have it by two codes in a row."""
    user = reach(ctx, USER, UserName)
    _refuse_unproven(ctx, user)
    device = MFA_DEVICE.find(ctx.world, user["account"], SerialNumber)
    if device is None:
        raise MFA_DEVICE.absent(SerialNumber)
    if device["owner"] == user["id"]:
        raise AwsError("EntityAlreadyExists", f"MFA Device for user {user['name']} already exists.")
    if device["owner"]:
        raise AwsError("EntityAlreadyExists", "MFA Device is already in use.")
    if len(users.devices_of(ctx.world, user["account"], user["id"])) >= PER_USER:
        raise over_quota("MFADevicesPerUser", PER_USER)
    changes = _proven(ctx, device, AuthenticationCode1, AuthenticationCode2)
    _update(ctx, device, owner=user["id"], enabled=int(ctx.world.now()), **changes)
    return {}


@operation("iam", "ResyncMFADevice")
def resync_mfa_device(
    ctx: Context, *, UserName: str, SerialNumber: str, AuthenticationCode1: str, AuthenticationCode2: str
) -> Result:
    """Learn how far a device's clock is off, from two codes in a row."""
    user = reach(ctx, USER, UserName)
    device = _owned(ctx, user, SerialNumber)
    _update(ctx, device, **_proven(ctx, device, AuthenticationCode1, AuthenticationCode2))
    return {}


@operation("iam", "DeactivateMFADevice")
def deactivate_mfa_device(ctx: Context, *, SerialNumber: str, UserName: str | None = None) -> Result:
    """Take a device back from its user, or from the caller; a passkey is then gone."""
    user = reach_user(ctx, UserName)
    if user is not None:
        _refuse_unproven(ctx, user)
    fido = _fido(ctx, user, SerialNumber)
    if fido is not None:
        ctx.world.take(documents.FIDO_DEVICE, f"{fido['account']}/{fido['arn']}")
        return {}
    device = _owned(ctx, user, SerialNumber)
    _update(ctx, device, owner="", enabled=None)
    return {}


@operation("iam", "DeleteVirtualMFADevice")
def delete_virtual_mfa_device(ctx: Context, *, SerialNumber: str) -> Result:
    """Delete a device that nobody has."""
    device = reach(ctx, MFA_DEVICE, SerialNumber)
    if device["owner"]:
        raise AwsError("DeleteConflict", "MFA VirtualDevice in use. Must deactivate first.")
    ctx.world.take(MFA_DEVICE.kind, MFA_DEVICE.key(device))
    return {}


@operation("iam", "ListMFADevices")
def list_mfa_devices(ctx: Context, *, UserName: str | None = None, **paging: Unpack[Paging]) -> Result:
    """The devices of a user, or of the caller."""
    user = reach_user(ctx, UserName)
    account = ctx.identity.account
    devices = users.devices_of(ctx.world, account, user["id"] if user else account)
    return page(ctx, "MFADevices", devices, paging, lambda device: _shown(user, device))


@operation("iam", "ListVirtualMFADevices")
def list_virtual_mfa_devices(ctx: Context, *, AssignmentStatus: str = "Any", **paging: Unpack[Paging]) -> Result:
    """The account's devices, without their seeds."""
    account = ctx.identity.account
    permit(ctx, "ListVirtualMFADevices", MFA_DEVICE.arn(account, "/", ""))
    wanted = {"Assigned": (True,), "Unassigned": (False,)}.get(AssignmentStatus, (True, False))
    devices = [device for device in listing(ctx.world, MFA_DEVICE, account) if bool(device["owner"]) in wanted]
    return page(ctx, "VirtualMFADevices", devices, paging, lambda device: _shown_virtual(ctx, device))


@operation("iam", "GetMFADevice")
def get_mfa_device(ctx: Context, *, SerialNumber: str, UserName: str | None = None) -> Result:
    """A passkey or security key; for a virtual device AWS refuses, in these words (recorded 2026-09).

    What the FIDO Alliance certified of it is not told: no attestation is asked for at its registration.
    """
    user = None
    if UserName:
        user = reach(ctx, USER, UserName)
    else:
        consult(ctx, MFA_DEVICE, SerialNumber)
    fido = _fido(ctx, user or ctx.identity.user, SerialNumber)
    if fido is not None:
        return _shown(user or ctx.identity.user, fido)
    raise AwsError(
        "ValidationError",
        "The MFA device serial number sent in the request is invalid or not supported by this API. Currently, only "
        "hardware FIDO security keys are supported. Please use the compatible device or API.",
    )


def _refuse_unproven(ctx: Context, user: User) -> None:
    """Users who have a device change their own devices only with MFA, whatever else they know about them.

    Resynchronizing is allowed, and so is everything about other users (recorded 2026-09; AWS-2023-001).

    Raises:
        AwsError: AccessDenied.
    """
    caller = ctx.identity
    proven = caller.context.get("aws:multifactorauthpresent") == TRUE
    if caller.user_id == user["id"] and not proven and users.devices_of(ctx.world, user["account"], user["id"]):
        raise AwsError(
            "AccessDenied",
            "To complete this action, please ensure that you are authenticated with an MFA device that is enabled for "
            "this user.",
            status=403,
        )


def _fido(ctx: Context, user: User | None, serial: str) -> FidoDevice | None:
    """The passkey of that ARN, if it is the user's, or root's where there is none."""
    device = ctx.world.find(documents.FIDO_DEVICE, serial)
    owner = user["id"] if user else ctx.identity.account
    return device if device is not None and device["owner"] == owner else None


def _owned(ctx: Context, user: User | None, serial: str) -> MfaDevice:
    account = ctx.identity.account
    device = MFA_DEVICE.find(ctx.world, account, serial)
    if device is None:
        raise MFA_DEVICE.absent(serial)
    if device["owner"] != (user["id"] if user else account):
        raise AwsError("NoSuchEntity", "MFA Device invalid for user.")
    return device


def _proven(ctx: Context, device: MfaDevice, first: str, second: str) -> Result:
    changes = people.synchronized(device, first, second, ctx.world.now())
    if changes is None:
        raise AwsError("InvalidAuthenticationCode", "Authentication code for device is not valid.")
    return changes


def _update(ctx: Context, device: MfaDevice, **members: object) -> None:
    ctx.world.update(MFA_DEVICE.kind, MFA_DEVICE.key(device), changed(**members))


def _shown(user: User | None, device: MfaDevice | FidoDevice) -> Result:
    return {
        "UserName": user["name"] if user else "root",
        "SerialNumber": device["arn"],
        "EnableDate": device["enabled"],
    }


def _shown_virtual(ctx: Context, device: MfaDevice) -> Result:
    user = users.by_id(ctx.world, device["owner"]) if device["owner"] else None
    if user is None:
        return {"SerialNumber": device["arn"]}
    return {"SerialNumber": device["arn"], "User": users.shown(user), "EnableDate": device["enabled"]}


def _picture(address: str) -> bytes:
    import segno

    picture = io.BytesIO()
    segno.make_qr(address).save(picture, kind="png", scale=5)
    return picture.getvalue()


def _otpauth(device: MfaDevice) -> str:
    """The address that authenticator applications scan, as the API's reference gives it."""
    return f"otpauth://totp/{device['name']}@{device['account']}?secret={device['seed']}"
