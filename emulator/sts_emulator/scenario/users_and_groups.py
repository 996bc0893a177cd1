"""The users and groups of a scenario."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import field
from functools import partial
from typing import Any

from sts_emulator.accounts import documents, people
from sts_emulator.accounts.documents import changed
from sts_emulator.accounts.resources import Stored, key_of
from sts_emulator.core import names
from sts_emulator.core.store import Kind
from sts_emulator.core.world import World
from sts_emulator.policy.json_types import JsonObject
from sts_emulator.policy.light_dataclass import dataclass
from sts_emulator.scenario import policy_texts
from sts_emulator.scenario.load import Node
from sts_emulator.scenario.policies import Holder, Policy, tag_list
from sts_emulator.scenario.policy_texts import Held
from sts_emulator.scenario.problems import ScenarioError
from sts_emulator.scenario.seed import AccessKey, Section, Seed
from sts_emulator.scenario.shape import Mistake, Reader, Shape, text

SEED = re.compile(r"(?:[A-Z2-7]{8}){2,16}")


class MfaSeed(str):
    """The secret of a virtual MFA device as base32, from which its codes follow; nothing written is a random one."""

    __slots__ = ()

    @classmethod
    def read_node(cls, _reader: Reader, node: Node) -> MfaSeed:
        if node.value is None:
            return cls()
        if not SEED.fullmatch(text(node)):
            raise Mistake(f"expected a seed, 16 to 128 letters of base32 in groups of 8, got {node.kind}")
        return cls(text(node))


@dataclass(frozen=True, kw_only=True)
class User(Shape):
    """An IAM user. Without `access_keys` it gets one, made up; an empty list means none. `mfa` are devices by name."""

    path: str = "/"
    tags: Mapping[str, str] = field(default_factory=dict)
    groups: tuple[str, ...] = ()
    policies: tuple[str, ...] = ()
    inline: Mapping[str, Policy] = field(default_factory=dict)
    boundary: str = ""
    access_keys: tuple[AccessKey, ...] | None = None
    mfa: Mapping[str, MfaSeed] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Group(Shape):
    """An IAM group: policies that its members share."""

    path: str = "/"
    policies: tuple[str, ...] = ()
    inline: Mapping[str, Policy] = field(default_factory=dict)


def _create_users(seed: Seed, users: Mapping[str, User]) -> None:
    for name, user in users.items():
        with seed.blame(user.where, f"user `{name}`"):
            stored = seed.stored(documents.USER, name)
            if stored is None:
                seed.iam("CreateUser", UserName=name, Path=user.path, Tags=tag_list(user.tags))
            else:
                refuse_move(user, f"user `{name}`", stored["path"], user.path)
        seed.set_keys(name, user.access_keys)


def _connect_users(seed: Seed, users: Mapping[str, User]) -> None:
    for name, user in users.items():
        known = seed.stored(documents.USER, name)
        stored: Stored = known or {}
        with seed.blame(user.where.at("groups"), f"user `{name}`"):
            for group in stored.get("groups", ()):
                if group not in user.groups:
                    seed.iam("RemoveUserFromGroup", UserName=name, GroupName=group)
            for group in user.groups:
                if group not in stored.get("groups", ()):
                    seed.iam("AddUserToGroup", UserName=name, GroupName=group)
        holder = Holder(seed, "User", name, user.where)
        holder.set_policies(user.policies, user.inline)
        holder.set_boundary(user.boundary)
        holder.set_tags(user.tags)
        _connect_devices(seed, name, user)


def _connect_devices(seed: Seed, name: str, user: User) -> None:
    with seed.blame(user.where.at("mfa"), f"user `{name}`"):
        for device, secret in user.mfa.items():
            arn = names.iam_arn(seed.account, "mfa", "/", device)
            if seed.stored(people.KIND, device) is None:
                seed.iam("CreateVirtualMFADevice", VirtualMFADeviceName=device)
                _change_device(seed, device, {"seed": secret} if secret else {})
                first, second = _next_codes(seed, device)
                seed.iam(
                    "EnableMFADevice",
                    UserName=name,
                    SerialNumber=arn,
                    AuthenticationCode1=first,
                    AuthenticationCode2=second,
                )
                # Nobody has typed these codes: the device's user may still use them.
                _change_device(seed, device, {"used": [], "paired": 0})
            elif secret:
                _change_device(seed, device, {"seed": secret})


def _next_codes(seed: Seed, device: str) -> tuple[str, str]:
    stored = seed.stored(people.KIND, device)
    assert stored is not None  # made just now
    now = seed.world.now()
    return people.totp(stored["seed"], now - people.STEP), people.totp(stored["seed"], now)


def _change_device(seed: Seed, device: str, changes: JsonObject) -> None:
    known = seed.stored(people.KIND, device)
    stored: Stored = known or {}
    if any(stored.get(member) != value for member, value in changes.items()):
        seed.world.update(people.KIND, key_of(seed.account, device), changed(**changes))


def _create_groups(seed: Seed, groups: Mapping[str, Group]) -> None:
    for name, group in groups.items():
        with seed.blame(group.where, f"group `{name}`"):
            stored = seed.stored(documents.GROUP, name)
            if stored is None:
                seed.iam("CreateGroup", GroupName=name, Path=group.path)
            else:
                refuse_move(group, f"group `{name}`", stored["path"], group.path)


def _connect_groups(seed: Seed, groups: Mapping[str, Group]) -> None:
    for name, group in groups.items():
        Holder(seed, "Group", name, group.where).set_policies(group.policies, group.inline)


def refuse_move(shape: Shape, what: str, old: str, new: str) -> None:
    """Refuse another path for something that exists: its ARN would change under those who trust it.

    Raises:
        ScenarioError: the paths differ.
    """
    if old != new:
        message = f"{what} exists with path `{old}`, which cannot become `{new}`; delete it first"
        raise ScenarioError.at(shape.where.at("path"), message)


def _policies(kind: Kind[Any], world: World, file: str, account: str, holders: JsonObject) -> Iterator[Held]:
    for name, holder in holders.items():
        yield from policy_texts.inline(world, file, (kind, account, name), holder)


USERS = Section("users", Mapping[str, User], _create_users, _connect_users, policies=partial(_policies, documents.USER))
GROUPS = Section(
    "groups", Mapping[str, Group], _create_groups, _connect_groups, policies=partial(_policies, documents.GROUP)
)
