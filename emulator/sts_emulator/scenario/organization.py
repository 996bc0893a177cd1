"""The organization of a scenario: its tree of units and accounts, and the policies attached along it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import field
from typing import Literal

from sts_emulator.accounts.documents import ORGANIZATION, ControlPolicy
from sts_emulator.accounts.organizations import FULL_ACCESS_ID, RESOURCE_CONTROL, SERVICE_CONTROL, aws_policies
from sts_emulator.core import names
from sts_emulator.core.errors import AwsError
from sts_emulator.core.world import World
from sts_emulator.policy.deciding.document import MalformedPolicy
from sts_emulator.policy.light_dataclass import dataclass
from sts_emulator.policy.saving.validate import Kind, validate
from sts_emulator.scenario import policy_texts
from sts_emulator.scenario.policies import Policy
from sts_emulator.scenario.policy_texts import Held
from sts_emulator.scenario.problems import ScenarioError, Where
from sts_emulator.scenario.seed import Section, Seed
from sts_emulator.scenario.shape import Shape


@dataclass(frozen=True, kw_only=True)
class Place(Shape):
    """What is attached to an account, a unit or the root.

    `FullAWSAccess` is attached too, as AWS does it, unless `full_access` is false.
    """

    scps: tuple[str, ...] = ()
    rcps: tuple[str, ...] = ()
    full_access: bool = True


@dataclass(frozen=True, kw_only=True)
class Unit(Place):
    """An organizational unit: accounts and units below it, by id and name."""

    accounts: Mapping[str, Place] = field(default_factory=dict)
    units: Mapping[str, Unit] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Organization(Unit):
    """The organization: its root is what it itself holds. `management` is the management account's id.

    `service_control_policies` and `resource_control_policies` are the documents that `scps` and `rcps` name.
    """

    management: str
    id: str = ""
    service_control_policies: Mapping[str, Policy] = field(default_factory=dict)
    resource_control_policies: Mapping[str, Policy] = field(default_factory=dict)


def _connect(seed: Seed, organization: Organization) -> None:
    where = organization.where
    if not names.is_account_id(organization.management):
        raise ScenarioError.at(where.at("management"), "`management` must be an account id of twelve digits")
    known = seed.organization["id"] if seed.organization else ""
    identifier = organization.id or known or f"o-{_digits(organization.management, 10)}"
    tree = _Tree(organization, f"r-{_digits(identifier, 4)}")
    tree.grow(organization, tree.root)
    old = seed.organization
    seed.organization = {
        "id": identifier,
        "management": organization.management,
        "root": tree.root,
        "parents": {organization.management: tree.root, **tree.parents},
        "names": tree.names,
        "policies": tree.policies,
        "enabled": sorted({policy["type"] for policy in tree.policies.values()}),
    }
    if old is not None and "trusted" in old:  # which no scenario says; likewise who is delegated
        seed.organization["trusted"] = old["trusted"]
    if old is not None and "delegated" in old:
        seed.organization["delegated"] = old["delegated"]


class _Tree:
    """The stored form: who is whose parent, and what is attached where."""

    def __init__(self, organization: Organization, root: str) -> None:
        self.root = root
        self.parents: dict[str, str] = {}
        self.names: dict[str, str] = {}
        self.policies: dict[str, ControlPolicy] = {}
        self._attach_full_access = bool(organization.service_control_policies)
        for kind, of_kind, documents in (
            ("scp", SERVICE_CONTROL, organization.service_control_policies),
            ("rcp", RESOURCE_CONTROL, organization.resource_control_policies),
        ):
            for name, text in documents.items():
                _check(kind, name, text, organization.where)  # type: ignore[arg-type]  # the two literals above
                self.policies[_policy_id(kind, name)] = {"name": name, "type": of_kind, "text": text, "targets": []}
        if self._attach_full_access:
            self.policies[FULL_ACCESS_ID] = aws_policies()[FULL_ACCESS_ID]

    def grow(self, unit: Unit, identifier: str) -> None:
        """Take in a unit (or the root) and everything below it."""
        self._attach(unit, identifier)
        for account, place in unit.accounts.items():
            if not names.is_account_id(account):
                raise ScenarioError.at(
                    unit.where.at("accounts"), f"`{account[:60]}` is not an account id of twelve digits"
                )
            if account in self.parents:
                raise ScenarioError.at(place.where, f"account {account} already stands elsewhere in the organization")
            self.parents[account] = identifier
            self._attach(place, account)
        for name, below in unit.units.items():
            # The id follows from the path, so that applying an edited file again keeps it.
            child = f"ou-{self.root[2:]}-{_digits(f'{identifier}/{name}', 8)}"
            self.parents[child] = identifier
            self.names[child] = name
            self.grow(below, child)

    def _attach(self, place: Place, target: str) -> None:
        for kind, listed in (("scp", place.scps), ("rcp", place.rcps)):
            for name in listed:
                policy = self.policies.get(_policy_id(kind, name))
                if policy is None:
                    raise ScenarioError.at(place.where.at(f"{kind}s"), f"no {kind} `{name}` in this organization")
                policy["targets"].append(target)
        if self._attach_full_access and place.full_access:
            self.policies[FULL_ACCESS_ID]["targets"].append(target)


def _check(kind: Kind, name: str, text: str, where: Where) -> None:
    try:
        validate(kind, text)
    except (MalformedPolicy, AwsError) as bad:
        key = "service_control_policies" if kind == "scp" else "resource_control_policies"
        raise ScenarioError.at(where.at(key), f"{kind} `{name}`: {bad.code}: {bad.message}") from None


def _policy_id(kind: str, name: str) -> str:
    return f"p-{_digits(f'{kind}/{name}', 8)}"


def _digits(text: str, length: int) -> str:
    """Lower-case letters and digits that follow from a text."""
    return hashlib.sha256(text.encode()).hexdigest()[:length]


def _policies(world: World, file: str, _account: str, declared: Organization) -> Iterator[Held]:
    stored = world.get(ORGANIZATION, "organization")
    for identifier, policy in stored["policies"].items() if stored else ():
        kind: Literal["scp", "rcp"] = "scp" if policy["type"] == SERVICE_CONTROL else "rcp"
        key = "service_control_policies" if kind == "scp" else "resource_control_policies"
        if policy["name"] in getattr(declared, key):
            place = (ORGANIZATION, "organization", ("policies", identifier, "text"))
            line = policy_texts.fixed(declared.where.at(key).line)
            yield Held(kind, f"{kind} {policy['name']}", file, line, place)


SECTION = Section("organization", Organization, connect=_connect, scope="world", policies=_policies)
