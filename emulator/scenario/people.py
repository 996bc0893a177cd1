"""The users and groups of a scenario."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from emulator.scenario.policies import Holder, Policy, tag_list
from emulator.scenario.problems import ScenarioError
from emulator.scenario.seed import AccessKey, Section, Seed
from emulator.scenario.shape import Shape


@dataclass(frozen=True, kw_only=True)
class User(Shape):
    """An IAM user. Without `access_keys` it gets one, made up; an empty list means none."""

    path: str = "/"
    tags: Mapping[str, str] = field(default_factory=dict)
    groups: tuple[str, ...] = ()
    policies: tuple[str, ...] = ()
    inline: Mapping[str, Policy] = field(default_factory=dict)
    boundary: str = ""
    access_keys: tuple[AccessKey, ...] | None = None


@dataclass(frozen=True, kw_only=True)
class Group(Shape):
    """An IAM group: policies that its members share."""

    path: str = "/"
    policies: tuple[str, ...] = ()
    inline: Mapping[str, Policy] = field(default_factory=dict)


def _create_users(seed: Seed, users: Mapping[str, User]) -> None:
    for name, user in users.items():
        with seed.blame(user.where, f"user `{name}`"):
            stored = seed.stored("user", name)
            if stored is None:
                seed.iam("CreateUser", UserName=name, Path=user.path, Tags=tag_list(user.tags))
            else:
                refuse_move(user, f"user `{name}`", stored["path"], user.path)
        seed.set_keys(name, user.access_keys)


def _connect_users(seed: Seed, users: Mapping[str, User]) -> None:
    for name, user in users.items():
        stored = seed.stored("user", name) or {}
        with seed.blame(user.where.at("groups"), f"user `{name}`"):
            for group in stored.get("groups", ()):
                if group not in user.groups:
                    seed.iam("RemoveUserFromGroup", UserName=name, GroupName=group)
            for group in user.groups:
                if group not in stored.get("groups", ()):
                    seed.iam("AddUserToGroup", UserName=name, GroupName=group)
        holder = Holder(seed, "User", name, user.where)
        holder.set_policies(user.policies)
        holder.set_inline(user.inline)
        holder.set_boundary(user.boundary)
        holder.set_tags(user.tags)


def _create_groups(seed: Seed, groups: Mapping[str, Group]) -> None:
    for name, group in groups.items():
        with seed.blame(group.where, f"group `{name}`"):
            stored = seed.stored("group", name)
            if stored is None:
                seed.iam("CreateGroup", GroupName=name, Path=group.path)
            else:
                refuse_move(group, f"group `{name}`", stored["path"], group.path)


def _connect_groups(seed: Seed, groups: Mapping[str, Group]) -> None:
    for name, group in groups.items():
        holder = Holder(seed, "Group", name, group.where)
        holder.set_policies(group.policies)
        holder.set_inline(group.inline)


def refuse_move(shape: Shape, what: str, old: str, new: str) -> None:
    """Refuse another path for something that exists: its ARN would change under those who trust it.

    Raises:
        ScenarioError: the paths differ.
    """
    if old != new:
        message = f"{what} exists with path `{old}`, which cannot become `{new}`; delete it first"
        raise ScenarioError.at(shape.where.at("path"), message)


USERS = Section("users", Mapping[str, User], _create_users, _connect_users)
GROUPS = Section("groups", Mapping[str, Group], _create_groups, _connect_groups)
