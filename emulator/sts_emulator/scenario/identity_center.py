"""Identity Center in a scenario: its people, permission sets, and who has which of them where."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import field
from functools import lru_cache
from typing import Any

from sts_emulator.accounts import directory, people
from sts_emulator.accounts.directory import Instance, MfaMeans
from sts_emulator.accounts.organizations import IDENTITY_CENTER
from sts_emulator.core import names
from sts_emulator.policy.light_dataclass import dataclass
from sts_emulator.scenario.access_manager import Entitlement, entitle
from sts_emulator.scenario.identity_source import IdentitySource
from sts_emulator.scenario.policies import Policy, policy_arn, tag_list
from sts_emulator.scenario.problems import ScenarioError, Where
from sts_emulator.scenario.seed import Section, Seed
from sts_emulator.scenario.shape import Shape
from sts_emulator.scenario.users_and_groups import MfaSeed


@dataclass(frozen=True, kw_only=True)
class Person(Shape):
    """A user. Without names of their own they are made of the user name; `totp` are authenticator apps by name.

    A `one_time_password` is as an administrator gives it out: at the first sign-in a password of one's own takes its
    place, and applying the scenario again leaves that one alone.
    """

    given_name: str = ""
    family_name: str = ""
    display_name: str = ""
    email: str = ""
    password: str = ""
    one_time_password: str = ""
    totp: Mapping[str, MfaSeed] = field(default_factory=dict)
    disabled: bool = False
    groups: tuple[str, ...] = ()
    attributes: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Group(Shape):
    """A group; who is in it says so, or stands in `members`."""

    description: str = ""
    members: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class PermissionSet(Shape):
    """A permission set: `policies` are AWS's by name or ARN, `customer_policies` the accounts' own by path and name."""

    description: str = ""
    session_duration: str = "PT1H"
    relay_state: str = ""
    policies: tuple[str, ...] = ()
    customer_policies: tuple[str, ...] = ()
    inline: Policy | None = None
    boundary: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Assignment(Shape):
    """That users and groups have permission sets in accounts: all of the first in all of the last."""

    users: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    permission_sets: tuple[str, ...]
    accounts: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class TrustedIssuer(Shape):
    """An issuer whose tokens applications exchange: its `claim` names a user by an `attribute` of the directory."""

    url: str
    claim: str = "email"
    attribute: str = "emails.value"
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class IdentityCenter(Shape):
    """An instance, owned by the organization's management account; without an organization `account` says whose."""

    account: str = ""
    start_url: str = ""
    identity_source: IdentitySource = field(default_factory=IdentitySource)
    delegated_administrator: str = ""
    attributes: Mapping[str, str] = field(default_factory=dict)
    users: Mapping[str, Person] = field(default_factory=dict)
    groups: Mapping[str, Group] = field(default_factory=dict)
    permission_sets: Mapping[str, PermissionSet] = field(default_factory=dict)
    assignments: tuple[Assignment, ...] = ()
    trusted_token_issuers: Mapping[str, TrustedIssuer] = field(default_factory=dict)
    entitlements: tuple[Entitlement, ...] = ()


def _connect(seed: Seed, center: IdentityCenter) -> None:
    instance = _instance(seed, center)
    seed.account = instance["account"]
    _delegate(seed, center)
    sown = _Sown(seed, instance)
    for name, group in center.groups.items():
        sown.group(name, group)
    for name, person in center.users.items():
        sown.person(name, person)
    for name, group in center.groups.items():
        sown.members(name, group.members, group.where)
    for name, person in center.users.items():
        for group_name in person.groups:
            sown.members(group_name, (name,), person.where)
    for name, permission_set in center.permission_sets.items():
        sown.permission_set(name, permission_set)
    for assignment in center.assignments:
        sown.assignment(assignment)
    for name, issuer in center.trusted_token_issuers.items():
        sown.trusted_issuer(name, issuer)
    entitle(seed, instance, center.entitlements, sown.principals)


def _instance(seed: Seed, center: IdentityCenter) -> Instance:
    """The instance, made if there is none; it is no operation that makes one of an organization, but the console."""
    from sts_emulator.identity.instances import ACCOUNT, ORGANIZATION, new_instance

    org = seed.organization
    account = center.account or (org["management"] if org else next(iter(seed.scenario.accounts), ""))
    kind = ORGANIZATION if org and org["management"] == account else ACCOUNT
    _check(center, account, kind)
    known = next((other for other in directory.instances(seed.world) if other["account"] == account), None)
    if known is None:
        region = seed.server.settings.region
        known = new_instance(seed.world, account, kind, region=region, start_url=center.start_url)
    wanted: Any = {
        **{member: value for member, value in known.items() if member != "identity_provider"},
        "start_url": center.start_url or known["start_url"],
        **center.identity_source.connected(seed),
        **({"attributes": {key: [path] for key, path in center.attributes.items()}} if center.attributes else {}),
    }
    if wanted != known:
        seed.world.update(directory.INSTANCE, known["id"], lambda _: wanted)
    instance: Instance = wanted
    return instance


def _delegate(seed: Seed, center: IdentityCenter) -> None:
    account, org = center.delegated_administrator, seed.organization
    if not account:
        return
    if org is None or account not in org["parents"] or account == org["management"]:
        where = center.where.at("delegated_administrator")
        raise ScenarioError.at(where, f"account `{account[:60]}` is not a member of the organization")
    org["delegated"] = {**org.get("delegated", {}), IDENTITY_CENTER: {account: int(seed.world.now())}}


def _check(center: IdentityCenter, account: str, kind: str) -> None:
    where = center.where
    if not names.is_account_id(account):
        raise ScenarioError.at(where.at("account"), "`account` must be an account id of twelve digits")
    if center.start_url and not center.start_url.startswith("https://"):
        raise ScenarioError.at(where.at("start_url"), "`start_url` must begin with https://")
    if kind == "account" and (center.permission_sets or center.assignments):
        message = "permission sets need an `organization` whose management account owns the instance"
        raise ScenarioError.at(where.at("permission_sets"), message)


class _Sown:
    """The parts of one instance, brought to what the scenario says."""

    def __init__(self, seed: Seed, instance: Instance) -> None:
        self._seed = seed
        self._world = seed.world
        self._instance = instance
        self._store = instance["store"]
        self._in_store = {"IdentityStoreId": instance["store"]}
        self._in_instance = {"InstanceArn": instance["arn"]}

    def group(self, name: str, group: Group) -> None:
        with self._seed.blame(group.where, f"group `{name}`"):
            known = directory.group_by_name(self._world, self._store, name)
            if known is None:
                self._store_call("CreateGroup", DisplayName=name, Description=group.description or None)
            elif known.get("description", "") != group.description:
                change = {"AttributePath": "description", "AttributeValue": group.description}
                self._store_call("UpdateGroup", GroupId=known["id"], Operations=[change])

    def person(self, name: str, person: Person) -> None:
        with self._seed.blame(person.where, f"user `{name}`"):
            known = directory.user_by_name(self._world, self._store, name)
            profile = _profile(name, person)
            if known is None:
                made = self._store_call("CreateUser", UserName=name, **profile)
                known = directory.user(self._world, self._store, made["UserId"])
        assert known is not None
        secrets = _secrets(known, person, self._world.now())
        wanted: Any = {**known, "profile": {"UserName": known["name"], **profile}, **secrets}
        if wanted != known:
            self._world.update(directory.USERS, f"{self._store}/{known['id']}", lambda _: wanted)

    def members(self, name: str, members: tuple[str, ...], where: Where) -> None:
        group = directory.group_by_name(self._world, self._store, name)
        if group is None:
            raise ScenarioError.at(where, f"no group `{name}` in the directory")
        for member in members:
            user = self._user(member, where)
            key = f"{self._store}/{group['id']}/{user}"
            if self._world.get(directory.MEMBERSHIP, key) is None:
                self._store_call("CreateGroupMembership", GroupId=group["id"], MemberId={"UserId": user})

    def permission_set(self, name: str, wanted: PermissionSet) -> None:
        with self._seed.blame(wanted.where, f"permission set `{name}`"):
            known = directory.permission_set_by_name(self._world, self._instance, name)
            settings = {
                "Description": wanted.description or None,
                "SessionDuration": wanted.session_duration,
                "RelayState": wanted.relay_state or None,
            }
            if known is None:
                made = self._call("CreatePermissionSet", Name=name, Tags=tag_list(wanted.tags), **settings)
                arn = str(made["PermissionSet"]["PermissionSetArn"])
            else:
                arn = known["arn"]
                self._call("UpdatePermissionSet", PermissionSetArn=arn, **settings)
            self._policies(arn, wanted)
            if known is not None:
                self._call("ProvisionPermissionSet", PermissionSetArn=arn, TargetType="ALL_PROVISIONED_ACCOUNTS")

    def _policies(self, arn: str, wanted: PermissionSet) -> None:
        known = self._world.get(directory.PERMISSION_SET, arn)
        assert known is not None
        where, of_set = wanted.where.at("policies"), {"PermissionSetArn": arn}
        managed = [policy_arn(self._seed, where, policy) for policy in wanted.policies]
        for gone in [policy for policy in known["managed"] if policy not in managed]:
            self._call("DetachManagedPolicyFromPermissionSet", **of_set, ManagedPolicyArn=gone)
        for new in [policy for policy in managed if policy not in known["managed"]]:
            self._call("AttachManagedPolicyToPermissionSet", **of_set, ManagedPolicyArn=new)
        references = [_reference(policy) for policy in wanted.customer_policies]
        attach, detach = (
            f"{verb}CustomerManagedPolicyReference{link}PermissionSet"
            for verb, link in (("Attach", "To"), ("Detach", "From"))
        )
        for old in [reference for reference in known["customer_managed"] if reference not in references]:
            self._call(detach, **of_set, CustomerManagedPolicyReference=old)
        for reference in [reference for reference in references if reference not in known["customer_managed"]]:
            self._call(attach, **of_set, CustomerManagedPolicyReference=reference)
        if wanted.inline and wanted.inline != known["inline"]:
            self._call("PutInlinePolicyToPermissionSet", **of_set, InlinePolicy=wanted.inline)
        elif known["inline"] and not wanted.inline:
            self._call("DeleteInlinePolicyFromPermissionSet", **of_set)
        if wanted.boundary:
            boundary = {"ManagedPolicyArn": policy_arn(self._seed, wanted.where.at("boundary"), wanted.boundary)}
            self._call("PutPermissionsBoundaryToPermissionSet", **of_set, PermissionsBoundary=boundary)

    def assignment(self, wanted: Assignment) -> None:
        for kind, principal in self.principals(wanted):
            for name in wanted.permission_sets:
                known = directory.permission_set_by_name(self._world, self._instance, name)
                if known is None:
                    raise ScenarioError.at(wanted.where.at("permission_sets"), f"no permission set `{name}`")
                for account in wanted.accounts:
                    self._assign(wanted.where, account, known["arn"], kind, principal)

    def _assign(self, where: Where, account: str, arn: str, kind: str, principal: str) -> None:
        org = self._seed.organization
        if org is None or account not in org["parents"] or not names.is_account_id(account):
            raise ScenarioError.at(where.at("accounts"), f"account `{account}` is not one of the organization")
        if self._world.get(directory.ASSIGNMENT, f"{arn}/{account}/{kind}/{principal}"):
            return
        made = self._call(
            "CreateAccountAssignment",
            TargetId=account,
            TargetType="AWS_ACCOUNT",
            PermissionSetArn=arn,
            PrincipalType=kind,
            PrincipalId=principal,
        )["AccountAssignmentCreationStatus"]
        ended = self._call(
            "DescribeAccountAssignmentCreationStatus", AccountAssignmentCreationRequestId=made["RequestId"]
        )["AccountAssignmentCreationStatus"]
        if ended["Status"] == "FAILED":
            raise ScenarioError.at(where, f"the assignment in account {account} fails: {ended['FailureReason']}")

    def trusted_issuer(self, name: str, wanted: TrustedIssuer) -> None:
        """Made, or brought to what is wanted but for its URL, which stays (as on AWS)."""
        paths = {"ClaimAttributePath": wanted.claim, "IdentityStoreAttributePath": wanted.attribute}
        issuers = self._world.page(directory.TRUSTED_ISSUER)
        mine = (issuer for issuer in issuers if issuer["instance"] == self._instance["id"])
        known = next((issuer for issuer in mine if issuer["name"] == name), None)
        with self._seed.blame(wanted.where, f"trusted token issuer `{name}`"):
            if known is None:
                made = {"IssuerUrl": wanted.url, **paths, "JwksRetrievalOption": "OPEN_ID_DISCOVERY"}
                self._call(
                    "CreateTrustedTokenIssuer",
                    Name=name,
                    TrustedTokenIssuerType="OIDC_JWT",
                    TrustedTokenIssuerConfiguration={"OidcJwtConfiguration": made},
                    Tags=tag_list(wanted.tags),
                )
            elif known["url"] != wanted.url:
                raise ScenarioError.at(wanted.where.at("url"), "the URL of a trusted token issuer cannot be changed")
            else:
                self._seed.call(
                    "sso-admin",
                    "UpdateTrustedTokenIssuer",
                    TrustedTokenIssuerArn=known["arn"],
                    TrustedTokenIssuerConfiguration={"OidcJwtConfiguration": paths},
                )

    def principals(self, wanted: Assignment | Entitlement) -> Iterator[tuple[str, str]]:
        for name in wanted.users:
            yield directory.USER, self._user(name, wanted.where.at("users"))
        for name in wanted.groups:
            group = directory.group_by_name(self._world, self._store, name)
            if group is None:
                raise ScenarioError.at(wanted.where.at("groups"), f"no group `{name}` in the directory")
            yield directory.GROUP, group["id"]

    def _user(self, name: str, where: Where) -> str:
        user = directory.user_by_name(self._world, self._store, name)
        if user is None:
            raise ScenarioError.at(where, f"no user `{name}` in the directory")
        return user["id"]

    def _call(self, operation: str, **parameters: object) -> Mapping[str, Any]:
        return self._seed.call("sso-admin", operation, **self._in_instance, **parameters)

    def _store_call(self, operation: str, **parameters: object) -> Mapping[str, Any]:
        return self._seed.call("identitystore", operation, **self._in_store, **parameters)


def _profile(name: str, person: Person) -> Mapping[str, object]:
    """A user as the API takes one; `attributes` are those of the enterprise extension, such as `department`."""
    first, _, last = name.partition("@")[0].replace("_", ".").partition(".")
    given, family = person.given_name or first.capitalize(), person.family_name or last.capitalize() or "Doe"
    profile: dict[str, Any] = {
        "Name": {"GivenName": given, "FamilyName": family},
        "DisplayName": person.display_name or f"{given} {family}",
    }
    email = person.email or (name if "@" in name else "")
    if email:
        profile["Emails"] = [{"Value": email, "Type": "work", "Primary": True}]
    if person.attributes:
        profile["Extensions"] = {"aws:identitystore:enterprise": dict(person.attributes)}
    return profile


def _secrets(known: directory.DirectoryUser, person: Person, now: float) -> Mapping[str, object]:
    """Whether somebody may sign in, and with what; a password that is right already is not hashed anew."""
    secrets: dict[str, Any] = {"enabled": not person.disabled}
    password = known.get("password")
    if person.password and (password is None or not people.is_password(password, person.password)):
        secrets["password"] = dict(_hashed(person.password))
    given = person.one_time_password
    if given and (password is None or (password.get("once") and not people.is_password(password, given))):
        secrets["password"] = {**_hashed(given), "once": True}
    devices = {device["id"]: device for device in known.get("mfa", ())}
    for name, secret in person.totp.items():
        device = _device(name, secret, int(now))
        old = devices.get(device["id"])
        if old is None or (secret and old.get("seed") != secret):
            devices[device["id"]] = device
    if devices:
        secrets["mfa"] = list(devices.values())
    return secrets


@lru_cache(maxsize=256)
def _hashed(password: str) -> Mapping[str, str]:
    """Hashed once for all worlds: a test suite seeds hundreds from a few texts, which anybody may read."""
    return people.new_password(password)


def _device(name: str, secret: str, now: int) -> MfaMeans:
    return {
        "id": f"totp-{name}",
        "type": "totp",
        "name": name,
        "created": now,
        "seed": secret or people.new_seed(),
        "drift": 0,
        "used": [],
    }


def _reference(policy: str) -> dict[str, str]:
    """`/team/name` or `name`, as the API names a policy of an account's own."""
    path, _, name = policy.rpartition("/")
    return {"Name": name, "Path": f"/{path.strip('/')}/" if path.strip("/") else "/"}


SECTION = Section("identity_center", IdentityCenter, connect=_connect, scope="world")
