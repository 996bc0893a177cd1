"""The roles and instance profiles of a scenario."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import field

from sts_emulator.accounts import documents
from sts_emulator.accounts.resources import Stored
from sts_emulator.core import names
from sts_emulator.core.world import World
from sts_emulator.policy.light_dataclass import dataclass
from sts_emulator.scenario import policy_texts
from sts_emulator.scenario.policies import Holder, Policy, tag_list
from sts_emulator.scenario.policy_texts import Held
from sts_emulator.scenario.seed import Section, Seed
from sts_emulator.scenario.shape import Shape
from sts_emulator.scenario.users_and_groups import refuse_move

HOUR = 3600


@dataclass(frozen=True, kw_only=True)
class Role(Shape):
    """An IAM role: who may assume it (`trust`), and what its sessions may do."""

    trust: Policy
    path: str = "/"
    description: str = ""
    max_session_duration: int = HOUR
    tags: Mapping[str, str] = field(default_factory=dict)
    policies: tuple[str, ...] = ()
    inline: Mapping[str, Policy] = field(default_factory=dict)
    boundary: str = ""


def _create_roles(seed: Seed, roles: Mapping[str, Role]) -> None:
    # A role begins by trusting its own account, until everything that its trust policy may name exists.
    own = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"sts:AssumeRole","Principal":{"AWS":"%s"}}]}'
    for name, role in roles.items():
        with seed.blame(role.where, f"role `{name}`"):
            stored = seed.stored(documents.ROLE, name)
            if stored is None:
                seed.iam(
                    "CreateRole",
                    RoleName=name,
                    Path=role.path,
                    AssumeRolePolicyDocument=own % names.root_arn(seed.account),
                    Description=role.description or None,
                    MaxSessionDuration=role.max_session_duration,
                    Tags=tag_list(role.tags),
                )
            else:
                refuse_move(role, f"role `{name}`", stored["path"], role.path)
                _update(seed, name, role)


def _update(seed: Seed, name: str, role: Role) -> None:
    known = seed.stored(documents.ROLE, name)
    stored: Stored = known or {}
    wanted = (role.description, role.max_session_duration)
    if wanted != (stored.get("description", ""), stored.get("max_duration", HOUR)):
        seed.iam(
            "UpdateRole", RoleName=name, Description=role.description, MaxSessionDuration=role.max_session_duration
        )


def _connect_roles(seed: Seed, roles: Mapping[str, Role]) -> None:
    for name, role in roles.items():
        with seed.blame(role.where.at("trust"), f"role `{name}`"):
            seed.iam("UpdateAssumeRolePolicy", RoleName=name, PolicyDocument=role.trust)
        holder = Holder(seed, "Role", name, role.where)
        holder.set_policies(role.policies, role.inline)
        holder.set_boundary(role.boundary)
        holder.set_tags(role.tags)


def _connect_profiles(seed: Seed, profiles: Mapping[str, str]) -> None:
    for name, role in profiles.items():
        with seed.blame(seed.where.at(name), f"instance profile `{name}`"):
            stored = seed.stored(documents.INSTANCE_PROFILE, name)
            if stored is None:
                seed.iam("CreateInstanceProfile", InstanceProfileName=name)
            held = list(stored["roles"]) if stored else []
            if held and held != [role]:
                seed.iam("RemoveRoleFromInstanceProfile", InstanceProfileName=name, RoleName=held[0])
            if held != [role]:
                seed.iam("AddRoleToInstanceProfile", InstanceProfileName=name, RoleName=role)


def _policies(world: World, file: str, account: str, roles: Mapping[str, Role | None]) -> Iterator[Held]:
    for name, role in roles.items():
        if role is not None:
            line = policy_texts.fixed(role.where.at("trust").line)
            yield policy_texts.trust(account, name, file, line, world)
            yield from policy_texts.inline(world, file, (documents.ROLE, account, name), role)


ROLES = Section("roles", Mapping[str, Role], _create_roles, _connect_roles, policies=_policies)
INSTANCE_PROFILES = Section("instance_profiles", Mapping[str, str], connect=_connect_profiles)
