"""SSH public keys of users, for CodeCommit: read for what they are, kept without their comments."""

from __future__ import annotations

import hashlib
from base64 import b64decode
from typing import Final, TypedDict, Unpack

from sts_emulator.accounts.documents import User, changed
from sts_emulator.core.errors import AwsError
from sts_emulator.core.names import key_id
from sts_emulator.core.store import Kind
from sts_emulator.iam.nouns import USER, over_quota
from sts_emulator.iam.paging import Paging, page
from sts_emulator.iam.permits import reach, reach_user
from sts_emulator.vending.context import Context
from sts_emulator.wire.dispatch import Result, operation


class SshKey(TypedDict):
    """A user's key."""

    id: str
    account: str
    owner: str  # a user's unique id
    body: str
    fingerprint: str
    status: str  # Active, Inactive
    created: int


KIND: Final[Kind[SshKey]] = Kind("ssh-public-key")  # key: `owner/id`, uid: its id
PER_USER: Final = 5  # IAM quotas; AWS's name of the quota is not recorded
MIN_BITS: Final = 2048


@operation("iam", "UploadSSHPublicKey")
def upload_ssh_public_key(ctx: Context, *, UserName: str, SSHPublicKeyBody: str) -> Result:
    """Give a user a key; the answer shows it as it was sent, comment included (recorded 2026-09)."""
    user = reach(ctx, USER, UserName)
    body = _read(SSHPublicKeyBody)
    others = _of_user(ctx, user)
    if any(key["body"] == body for key in others):
        raise AwsError("DuplicateSSHPublicKey", "Duplicate SSH public key uploaded.")
    if len(others) >= PER_USER:
        raise over_quota("SSHPublicKeysPerUser", PER_USER)
    digest = hashlib.md5(b64decode(body.split()[1]), usedforsecurity=False).hexdigest()
    key: SshKey = {
        "id": key_id("APKA", user["account"]),
        "account": user["account"],
        "owner": user["id"],
        "body": body,
        "fingerprint": ":".join(digest[place : place + 2] for place in range(0, len(digest), 2)),
        "status": "Active",
        "created": int(ctx.world.now()),
    }
    ctx.world.add(KIND, _key(key), key, uid=key["id"])
    return {"SSHPublicKey": _shown(user, key, SSHPublicKeyBody)}


@operation("iam", "GetSSHPublicKey")
def get_ssh_public_key(ctx: Context, *, UserName: str, SSHPublicKeyId: str, Encoding: str) -> Result:
    """One key, as `ssh-rsa …` or as PEM."""
    user, key = _find(ctx, UserName, SSHPublicKeyId)
    return {"SSHPublicKey": _shown(user, key, key["body"] if Encoding == "SSH" else _pem(key["body"]))}


@operation("iam", "ListSSHPublicKeys")
def list_ssh_public_keys(ctx: Context, *, UserName: str | None = None, **paging: Unpack[Paging]) -> Result:
    """The keys of a user, or of the caller, without their bodies."""
    user = reach_user(ctx, UserName)
    keys = _of_user(ctx, user) if user else []
    return page(ctx, "SSHPublicKeys", keys, paging, lambda key: _listed(user, key))


@operation("iam", "UpdateSSHPublicKey")
def update_ssh_public_key(ctx: Context, *, UserName: str, SSHPublicKeyId: str, Status: str) -> Result:
    """Switch a key on or off."""
    _, key = _find(ctx, UserName, SSHPublicKeyId)
    if Status == "Expired":
        raise AwsError("InvalidInput", f"Operation does not support status {Status}")
    ctx.world.update(KIND, _key(key), changed(status=Status))
    return {}


@operation("iam", "DeleteSSHPublicKey")
def delete_ssh_public_key(ctx: Context, *, UserName: str, SSHPublicKeyId: str) -> Result:
    _, key = _find(ctx, UserName, SSHPublicKeyId)
    ctx.world.take(KIND, _key(key))
    return {}


def _read(text: str) -> str:
    """A key as `ssh-rsa BASE64`, however it was sent.

    Raises:
        AwsError: UnrecognizedPublicKeyEncoding for what is no RSA key in a known form, InvalidPublicKey for a short
            one.
    """
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
    from cryptography.hazmat.primitives.serialization import (
        Encoding,
        PublicFormat,
        load_pem_public_key,
        load_ssh_public_key,
    )

    read = load_ssh_public_key if text.startswith("ssh-") else load_pem_public_key
    try:
        key = read(text.strip().encode())
    except (ValueError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, RSAPublicKey):
        raise AwsError("UnrecognizedPublicKeyEncoding", "Invalid public key uploaded.")
    if key.key_size < MIN_BITS:
        raise AwsError("InvalidPublicKey", "Invalid body for public key")
    return key.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()


def _pem(body: str) -> str:
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_ssh_public_key

    key = load_ssh_public_key(body.encode())
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def _find(ctx: Context, name: str, identifier: str) -> tuple[User, SshKey]:
    user = reach(ctx, USER, name)
    key = ctx.world.find(KIND, identifier)
    if key is None or key["account"] != user["account"]:
        raise AwsError("NoSuchEntity", f"The Public Key with id {identifier} cannot be found.")
    if key["owner"] != user["id"]:
        raise AwsError("NoSuchEntity", f"User has no Public Key with id {identifier}.")
    return user, key


def _of_user(ctx: Context, user: User) -> list[SshKey]:
    return sorted(ctx.world.page(KIND, f"{user['id']}/"), key=lambda key: key["created"])


def _key(key: SshKey) -> str:
    return f"{key['owner']}/{key['id']}"


def _listed(user: User | None, key: SshKey) -> Result:
    return {
        "UserName": user["name"] if user else "",
        "SSHPublicKeyId": key["id"],
        "Status": key["status"],
        "UploadDate": key["created"],
    }


def _shown(user: User, key: SshKey, body: str) -> Result:
    return {**_listed(user, key), "Fingerprint": key["fingerprint"], "SSHPublicKeyBody": body}
