"""Brings a world to what a scenario declares, through the operations that the API offers, all or nothing."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

from sts_emulator.accounts import documents, resources
from sts_emulator.accounts.resources import Stored
from sts_emulator.core.errors import AwsError
from sts_emulator.core.store import Kind
from sts_emulator.core.world import Body, World
from sts_emulator.policy.light_dataclass import dataclass
from sts_emulator.scenario.problems import ScenarioError, Where
from sts_emulator.scenario.shape import Shape

if TYPE_CHECKING:
    from sts_emulator.scenario.model import Scenario
    from sts_emulator.scenario.policy_texts import Held
    from sts_emulator.vending.context import Server

ACTIVE = "Active"
KEY_ID = re.compile(r"[A-Z0-9]{16,128}")
KEYS_PER_HOLDER = 2  # IAM's quota AccessKeysPerUser, which root shares


@dataclass(frozen=True, kw_only=True)
class AccessKey(Shape):
    """A long-term access key; what is left out is made up."""

    id: str = ""
    secret: str = ""


def _nothing(_seed: Seed, _value: object) -> None:
    """What a section does in a step that it has no part in."""


def _no_policies(_world: World, _file: str, _account: str, _value: object) -> Iterator[Held]:
    """Of a section that declares none."""
    return iter(())


def _no_providers(_scenario: Scenario, _account: str, _value: object) -> Iterator[str]:
    """Of a section that makes none."""
    return iter(())


@dataclass(frozen=True, slots=True)
class Section:
    """One key of the vocabulary: how it is read, and how it comes about.

    `create` makes what is declared, for every section in order, before any `connect` links it to what others declare;
    so a trust policy may name a role that stands further below. `scope` says where the key is written.
    `policies` tells which policies came of it, given world, file, account and value: `check` counts and changes them.
    `providers` tells the ARNs of the identity providers that will come of it, given scenario, account and value: `lint`
    knows by them whom a trust policy can name.
    """

    key: str
    shape: Any
    create: Callable[[Seed, Any], None] = _nothing
    connect: Callable[[Seed, Any], None] = _nothing
    scope: Literal["account", "world"] = "account"
    policies: Callable[[World, str, str, Any], Iterator[Held]] = _no_policies
    providers: Callable[[Scenario, str, Any], Iterator[str]] = _no_providers


class Seed:
    """The hand that sows: calls operations as an account's root, and turns their refusals into lines of the file."""

    def __init__(self, server: Server, world: World, scenario: Scenario) -> None:
        self.server = server
        self.world = world
        self.scenario = scenario
        self.account = ""
        self.where = Where()
        self.organization: documents.Organization | None = None

    def call(self, service: str, operation: str, **parameters: object) -> Mapping[str, Any]:
        """An API operation by the current account's root, its parameters checked as the wire checks them.

        Parameters that are None are left out. Raises AwsError.
        """
        # Here and not above: whoever only reads scenarios, as `lint` does, has no use for what answers calls.
        from sts_emulator.vending.authenticate import root_caller
        from sts_emulator.vending.context import Context
        from sts_emulator.wire import dispatch, models, validate

        given = {name: value for name, value in parameters.items() if value is not None}
        model = models.service(service)
        validate.validate(model.operations[operation], given)
        function = dispatch.find(service, operation)
        if function is None:
            raise AwsError("NotImplemented", f"sts-emulator does not have {service}:{operation}", status=501)
        ctx = Context(
            server=self.server,
            world=self.world,
            service=service,
            operation=operation,
            request_id="",
            region=self.server.settings.region,
            caller=root_caller(self.world, self.account, ""),
            parameters=given,
        )
        result = function(ctx, **given)
        return (_finish(result) if inspect.iscoroutine(result) else result) or {}

    def iam(self, operation: str, **parameters: object) -> Mapping[str, Any]:
        """An IAM operation, see `call`."""
        return self.call("iam", operation, **parameters)

    def stored(self, kind: Kind[Body], name: str) -> Body | None:
        """The current account's resource of that name, or None."""
        return self.world.get(kind, resources.key_of(self.account, name))

    def role(self, where: Where, name: str) -> documents.Role:
        """A role by its name in the current account, or by ARN. Raises ScenarioError."""
        arn = name.startswith("arn:")
        role = resources.role_by_arn(self.world, name) if arn else self.stored(documents.ROLE, name)
        if role is None:
            raise ScenarioError.at(where, f"no role `{name}` in account {self.account}")
        return role

    def set_organization_aside(self) -> None:
        """Service control policies must not stop the hand that sows: the organization is put back at the end."""
        self.organization = self.world.take(documents.ORGANIZATION, "organization")

    def put_organization_back(self) -> None:
        """With what sections have made of it."""
        if self.organization is not None:
            self.world.put(documents.ORGANIZATION, "organization", self.organization)

    @contextmanager
    def organization_in_place(self) -> Iterator[None]:
        """For calls about the organization, by its management account, which its policies do not reach."""
        self.put_organization_back()
        yield
        self.set_organization_aside()

    @contextmanager
    def blame(self, where: Where, what: str) -> Iterator[None]:
        """Turn a refusal inside into the scenario's mistake: `file:line: what: AWS's code and words`."""
        try:
            yield
        except AwsError as error:
            message = f"{what}: {error.code}: {error.message}".rstrip(": ")
            raise ScenarioError.at(where, message) from None

    # -- access keys ----------------------------------------------------------------------------------------------

    @cached_property
    def _keys(self) -> dict[tuple[str, str], list[Stored]]:
        """Access keys of the world by account and lower-case user name (empty: root)."""
        table: dict[tuple[str, str], list[Stored]] = {}
        for key in self.world.page(documents.ACCESS_KEY):
            table.setdefault((key["account"], key["user"].lower()), []).append(key)
        return table

    def set_keys(self, user: str, keys: tuple[AccessKey, ...] | None) -> None:
        """Give a user (root when empty) of the current account exactly these keys; None: one at least.

        Raises:
            ScenarioError: a key id that cannot be one or is somebody else's, or too many keys.
        """
        mine = self._keys.pop((self.account, user.lower()), [])
        if keys is None:
            keys = () if mine else (AccessKey(),)
        else:
            for gone in {key["id"] for key in mine} - {key.id for key in keys}:
                self.world.take(documents.ACCESS_KEY, gone)
        for number, key in enumerate(keys):
            if number >= KEYS_PER_HOLDER:
                raise ScenarioError.at(key.where, f"cannot exceed quota for AccessKeysPerUser: {KEYS_PER_HOLDER}")
            self._set_key(user, key)

    def _set_key(self, user: str, key: AccessKey) -> None:
        from sts_emulator.vending import credentials

        made_id, made_secret = credentials.new_long_term_key(self.account)
        if key.id and not KEY_ID.fullmatch(key.id):
            shown = key.id[:140]
            raise ScenarioError.at(key.where.at("id"), f"access key id `{shown}` is not 16 to 128 capitals and digits")
        key_id = key.id or made_id
        stored = self.world.get(documents.ACCESS_KEY, key_id)
        if stored is not None and (stored["account"], stored["user"].lower()) != (self.account, user.lower()):
            owner = stored["user"] or "root"
            message = f"access key `{key_id}` is already that of {owner} in account {stored['account']}"
            raise ScenarioError.at(key.where.at("id"), message)
        body = documents.AccessKey(
            id=key_id,
            account=self.account,
            user=user,
            secret=key.secret or (stored["secret"] if stored else made_secret),
            status=ACTIVE,
            created=stored["created"] if stored else int(self.world.now()),
        )
        if body != stored:
            self.world.put(documents.ACCESS_KEY, key_id, body)


def apply(server: Server, world: World, scenario: Scenario) -> None:
    """Create or update in `world` what the scenario declares; what it does not mention stays as it is.

    Everything happens in one transaction. What AWS could not change (a path, say) is refused, not replaced.

    Raises:
        ScenarioError: what the API would refuse, at the line that asks for it; the world is then as before.
    """
    world.refresh()
    with world.unit(lock=True):
        _apply(Seed(server, world, scenario), scenario)


def _apply(seed: Seed, scenario: Scenario) -> None:
    seed.set_organization_aside()
    for account, header in scenario.accounts.items():
        seed.account = account
        _account(seed, header.name, header.alias)
        seed.set_keys("", None if header.root is None else (header.root,))
    for step in ("create", "connect"):
        for entry in scenario.entries:
            seed.account, seed.where = entry.account, entry.where
            getattr(entry.section, step)(seed, entry.value)
    seed.put_organization_back()
    seed.world.put(documents.SCENARIO, scenario.file, scenario.record())
    if scenario.written is not None:
        expectations = documents.Expectations(file=scenario.file, expect=list(scenario.written))
        seed.world.put(documents.EXPECTATIONS, scenario.file, expectations)


def _account(seed: Seed, name: str, alias: str) -> None:
    world, account = seed.world, seed.account
    known = world.get(documents.ACCOUNT, account)
    body = known or documents.new_account(account, world.now())
    body = {**body, "name": name or body["name"], "alias": alias or body["alias"]}
    if body != known:
        world.put(documents.ACCOUNT, account, body)


def _finish(coroutine: Any) -> Any:
    """The result of an operation that is written as a coroutine but, given a scenario's input, has nothing to await."""
    try:
        coroutine.send(None)
    except StopIteration as done:
        return done.value
    coroutine.close()
    message = "an operation that waits cannot be called by a scenario"
    raise RuntimeError(message)
