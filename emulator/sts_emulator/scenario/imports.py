"""What a scenario imports: files of other tools, planted into the world as if it had been built through IAM.

What exists in AWS (an account's dump, a state) is planted as it is. What is yet to be saved (a plan, a template, a bare
policy) must be what IAM would save. Principals that are named and not declared are taken to exist, unless the file
tells of a whole account.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import field
from functools import partial
from typing import Any

from sts_emulator.accounts import documents
from sts_emulator.accounts.resources import key_of
from sts_emulator.core import names
from sts_emulator.core.errors import AwsError
from sts_emulator.core.store import Kind
from sts_emulator.core.world import World
from sts_emulator.importers.inventory import Inventory, Thing
from sts_emulator.policy.arns import account_in, parse_arn
from sts_emulator.policy.deciding.document import Document, MalformedPolicy, as_list, parse
from sts_emulator.policy.light_dataclass import dataclass
from sts_emulator.scenario import assumed_providers, policy_texts, providers, roles_and_profiles, roles_anywhere, saml
from sts_emulator.scenario.inventories import read_inventory
from sts_emulator.scenario.load import Node, read_bytes
from sts_emulator.scenario.policy_texts import Held
from sts_emulator.scenario.problems import Problem, ScenarioError, Where
from sts_emulator.scenario.seed import Section, Seed
from sts_emulator.scenario.shape import Mistake, Reader, Shape

ASSUMED = "assumed"
"""The name of the inline policy of principals that are taken to exist: what they may do is not known, so all."""
ANYTHING = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"sts:*","Resource":"*"}]}'
PLACEHOLDER = '{"Version":"2012-10-17","Statement":[]}'

_ORDINARY = {
    section.key: section
    for section in (
        providers.OIDC_PROVIDERS,
        saml.PROVIDERS,
        roles_and_profiles.INSTANCE_PROFILES,
        roles_anywhere.TRUST_ANCHORS,
        roles_anywhere.PROFILES,
    )
}
_PREFIXES = {"users": "AIDA", "groups": "AGPA", "roles": "AROA", "policies": "ANPA"}
_KINDS: Mapping[str, Kind[Any]] = {
    "users": documents.USER,
    "groups": documents.GROUP,
    "roles": documents.ROLE,
    "policies": documents.POLICY,
}


@dataclass(frozen=True, kw_only=True)
class Import(Shape):
    """A file to import: `account` is that of what does not say in which it lives, `parameters` are a template's.

    In short its name.
    """

    file: str
    account: str = ""
    parameters: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def read_node(cls, reader: Reader, node: Node) -> Imported:
        """Read the file too, so that mistakes in it are told with all others."""
        given = cls(file=node.value) if isinstance(node.value, str) else reader.shape(cls, node)
        if reader.folder is None:
            raise Mistake("only a scenario that is itself a file may import others")
        if given.account and not names.is_account_id(given.account):
            raise Mistake(f"`{given.account[:60]}` is not an account id of twelve digits")
        path = reader.folder / given.file
        try:
            data = read_bytes(path)
            reader.files[given.file] = hashlib.sha256(data).hexdigest()
            return imported(data, str(path), given.account, given.parameters)
        except ScenarioError as error:
            reader.problems.extend(error.problems)
            raise Mistake("") from None


@dataclass(frozen=True, slots=True)
class Imported:
    """A file that was imported: its inventory, and what goes through the ordinary sections."""

    file: str
    inventory: Inventory
    entries: tuple[tuple[Section, str, Any], ...]


def imported(data: bytes, file: str, account: str = "", parameters: Mapping[str, str] | None = None) -> Imported:
    """Read a file of another tool.

    Raises:
        ScenarioError: with the file's name and line.
    """
    inventory = read_inventory(data, file, account, parameters)
    reader = Reader(file)
    return Imported(file, inventory, tuple(_ordinary_entries(reader, inventory)))


def _ordinary_entries(reader: Reader, inventory: Inventory) -> Iterator[tuple[Section, str, Any]]:
    """The few kinds of thing that are not planted but made as a scenario's own are."""
    for thing in inventory.things:
        section = _ORDINARY.get(thing.section)
        if section is None:
            continue
        body: Any = thing.body["role"] if thing.section == "instance_profiles" else thing.body
        whole = [body] if thing.section == "oidc_providers" else {thing.name: body}
        value = reader.read(section.shape, Node.of(whole, thing.line))
        reader.finish()
        yield section, thing.account, value


# -- planting --------------------------------------------------------------------------------------------------------


def _create(seed: Seed, listed: tuple[Imported, ...]) -> None:
    for item in listed:
        _Planting(seed, item).create()


def _connect(seed: Seed, listed: tuple[Imported, ...]) -> None:
    for item in listed:
        _Planting(seed, item).connect()


class _Planting:
    """One import on its way into the world."""

    def __init__(self, seed: Seed, source: Imported) -> None:
        self._seed = seed
        self._world = seed.world
        self._source = source
        self._inventory = source.inventory
        self._problems: list[Problem] = []

    def create(self) -> None:
        """Make everything under its name, so that policies may name it."""
        for account in {thing.account for thing in self._inventory.things}:
            self._account(account)
        for section, account, value in self._source.entries:
            self._seed.account = account
            section.create(self._seed, value)
        for thing in self._inventory.things:
            if thing.section in _KINDS:
                self._checked(thing)
                self._put(thing)
        self._finish()

    def connect(self) -> None:
        """Set trust policies, and make what they name; then the ordinary sections."""
        named: dict[str, None] = {}
        providers = assumed_providers.named_by(self._trusts(named))
        assumed = sorted((*self._assume(named), *self._assume_providers(providers)))
        for thing in self._inventory.of("roles"):
            self._trust(thing)
        self._finish()
        for section, account, value in self._source.entries:
            self._seed.account = account
            section.connect(self._seed, value)
        notes = [note.told(self._source.file) for note in self._inventory.notes]
        body = documents.Import(file=self._source.file, kind=self._inventory.kind, assumed=assumed, notes=notes)
        self._world.put(documents.IMPORT, self._source.file, body)

    def _account(self, account: str) -> None:
        if not names.is_account_id(account):
            raise ScenarioError.at(Where(self._source.file, 1), f"account id `{account[:60]}` must be twelve digits")
        if self._world.get(documents.ACCOUNT, account) is None:
            self._world.put(documents.ACCOUNT, account, documents.new_account(account, self._world.now()))
        self._seed.account = account
        self._seed.set_keys("", None)

    def _put(self, thing: Thing) -> None:
        kind, body = _KINDS[thing.section], _stored(self._seed, thing)
        uid = body["arn"] if kind is documents.POLICY else body["id"]
        key = key_of(thing.account, thing.name)
        known = self._world.take(kind, key)
        if known is not None and known["arn"] == body["arn"]:  # the same thing again, of which others hold the id
            body |= {"id": thing.id or known["id"], "created": known["created"]}
            uid = body["arn"] if kind is documents.POLICY else body["id"]
        self._world.add(kind, key, body, uid=uid)
        if kind is documents.USER:
            self._seed.account = thing.account
            self._seed.set_keys(thing.name, None)

    def _checked(self, thing: Thing) -> None:
        """Refuse documents that nothing can evaluate, and of what is yet to be saved those that IAM would not save."""
        from sts_emulator.policy.saving.validate import validate

        for kind, member, text in thing.documents():
            try:
                if not self._inventory.exists and kind != "trust":
                    validate(kind, text)
                parse(text)
            except MalformedPolicy as bad:
                self._blame(thing, member, bad.code, bad.message)

    def _trust(self, thing: Thing) -> None:
        from sts_emulator.iam.policies.policy_documents import trust_to_store
        from sts_emulator.policy.saving.validate import rewrite_principals

        text = thing.body["trust"]
        try:
            if self._inventory.exists:
                text = rewrite_principals(text, partial(policy_texts.id_of, self._world))
            else:
                text = trust_to_store(self._world, text)
        except AwsError as bad:
            self._blame(thing, "trust", bad.code, bad.message)
            return
        key = key_of(thing.account, thing.name)
        self._world.update(documents.ROLE, key, lambda body: {**body, "trust": text})

    def _assume(self, named: Iterable[str]) -> Iterator[str]:
        """Make users and roles that trust policies name and nobody declares; those of a whole account do not exist."""
        whole = {thing.account for thing in self._inventory.things} if self._inventory.complete else set()
        for arn in named:
            parts = parse_arn(arn)
            if parts is None or parts.account in whole or not names.is_account_id(parts.account):
                continue
            section = {"user": "users", "role": "roles"}.get(parts.resource.partition("/")[0])
            path, _, name = parts.resource.partition("/")[2].rpartition("/")
            if (
                parts.service != "iam"
                or section is None
                or not name
                or policy_texts.id_of(self._world, arn) is not None
            ):
                continue
            if "*" in name or "?" in name or self._world.get(_KINDS[section], key_of(parts.account, name)) is not None:
                continue
            self._account(parts.account)
            body: dict[str, Any] = {"path": f"/{path}/" if path else "/", "inline": {ASSUMED: ANYTHING}}
            self._put(Thing(section, parts.account, name, {**body, "trust": PLACEHOLDER}))
            yield arn

    def _assume_providers(self, named: Mapping[str, tuple[str, ...]]) -> Iterator[str]:
        for arn, audiences in named.items():
            if assumed_providers.assume(self._world, arn, audiences):
                self._account(account_in(arn))
                yield arn

    def _trusts(self, named: dict[str, None]) -> Iterator[Document]:
        """The trust policies that can be read; `named` takes the AWS principals that they name, once each."""
        for thing in self._inventory.of("roles"):
            with suppress(MalformedPolicy):
                trust = parse(thing.body["trust"])
                entries = [entry for item in trust.statements if item.principals for entry in item.principals.entries]
                named.update((text, None) for kind, text in entries if kind == "AWS")
                yield trust

    def _blame(self, thing: Thing, member: str, code: str, message: str) -> None:
        where = Where(thing.file or self._source.file, thing.line_of(member))
        self._problems.append(Problem(where, f"{thing.called}: {code}: {message}".rstrip(": ")))

    def _finish(self) -> None:
        if self._problems:
            raise ScenarioError(self._problems)


def _stored(seed: Seed, thing: Thing) -> dict[str, Any]:
    """A thing as IAM's operations store it (accounts.resources)."""
    body, account = thing.body, thing.account
    kind, path = _KINDS[thing.section], body.get("path") or "/"
    created = int(seed.world.now())
    base = {
        "account": account,
        "name": thing.name,
        "path": path,
        "id": thing.id or names.unique_id(_PREFIXES[thing.section], account),
        "arn": names.iam_arn(account, kind, path, thing.name),
        "created": created,
    }
    if kind is documents.POLICY:
        versions = {"v1": {"text": body["document"], "created": created}}
        more = {"updated": created, "description": body.get("description", ""), "tags": body.get("tags", {})}
        return {**base, **more, "default": "v1", "versions": versions}
    named = as_list(body.get("policies", []))
    attached = [text if text.startswith("arn:") else names.iam_arn(account, "policy", "/", text) for text in named]
    base |= {"inline": dict(body.get("inline", {})), "attached": list(dict.fromkeys(attached))}
    if kind is documents.GROUP:
        return base
    base["tags"] = dict(body.get("tags", {}))
    if body.get("boundary"):
        base["boundary"] = body["boundary"]
    if kind is documents.USER:
        return {**base, "groups": list(body.get("groups", ()))}
    duration = str(body.get("max_session_duration") or roles_and_profiles.HOUR)
    longest = int(duration) if duration.isdecimal() and len(duration) < 6 else roles_and_profiles.HOUR  # noqa: PLR2004 - 43200 at most
    return {**base, "trust": PLACEHOLDER, "description": body.get("description", ""), "max_duration": longest}


def _policies(world: World, _file: str, _account: str, declared: tuple[Imported, ...]) -> Iterator[Held]:
    for source in declared:
        for thing in source.inventory.things:
            yield from _policies_of(world, thing.file or source.file, thing)


def _policies_of(world: World, file: str, thing: Thing) -> Iterator[Held]:
    if thing.section == "policies":
        yield from policy_texts.managed(world, thing.account, thing.name, file, partial(thing.line_of, "document"))
        return
    if thing.section == "roles":
        yield policy_texts.trust(thing.account, thing.name, file, partial(thing.line_of, "trust"), world)
    kind = _KINDS.get(thing.section)
    if kind is None:
        return
    for name in thing.body.get("inline", ()):
        place = (kind, key_of(thing.account, thing.name), ("inline", name))
        label = f"{kind} {thing.name}, policy {name}"
        yield Held("inline", label, file, partial(thing.line_of, f"inline.{name}"), place)


SECTION = Section("import", tuple[Import, ...], _create, _connect, scope="world", policies=_policies)
