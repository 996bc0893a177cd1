"""The world of some scenarios and imports, as analysis sees it: its roles and users, and what each would ask with."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any, Self

from sts_emulator.accounts import documents, organizations, resources
from sts_emulator.analysis import callers
from sts_emulator.analysis.callers import Caller, Context
from sts_emulator.control_plane.reach import resource_tag_keys
from sts_emulator.core.world import DEFAULT, World
from sts_emulator.policy.arns import account_in, parse_arn
from sts_emulator.policy.deciding.document import Document, parse
from sts_emulator.policy.deciding.engine import PolicySet
from sts_emulator.policy.deciding.matching import Glob, glob, has_wildcard
from sts_emulator.policy.federated import OIDC, SAML, kind_of
from sts_emulator.policy.light_dataclass import dataclass
from sts_emulator.policy.saving.validate import restore_principals
from sts_emulator.scenario import Scenario
from sts_emulator.scenario.repeats import repeated
from sts_emulator.vending.context import Server

Stored = Mapping[str, Any]

# Where an sts: action may be named: by its name, by a wildcard, or by a NotAction that leaves it out.
_MAY_NAME_STS = re.compile(r'"(?:\*|\?|s\*|s\?|st\*|st\?|sts:|sts\*|sts\?)|NotAction', re.IGNORECASE)
_UNIQUE_ID = re.compile('"(?:AROA|AIDA)')
_VARIABLE = re.compile(r"\$\{[^}]*\}")


@dataclass(frozen=True, eq=False)
class Holder:
    """A user or role of the estate as a caller, with the policies on its side; `is_assumed`: nobody declared it."""

    caller: Caller
    identity: tuple[Document, ...]
    boundary: Document | None
    scps: tuple[tuple[Document, ...], ...]
    is_assumed: bool
    stored: Stored

    @property
    def arn(self) -> str:
        """The ARN of the user or role."""
        return str(self.stored["arn"])


def _about_sts(text: str) -> Document | None:
    """A policy compiled, or None when no statement of it concerns what is asked when a role is assumed."""
    if not _MAY_NAME_STS.search(text):
        return None
    document = parse(text)
    actions = ("sts:assumerole", "sts:tagsession", "sts:setsourceidentity")
    concerns = any(
        statement.actions.match(action) is not statement.not_action
        for statement in document.statements
        for action in actions
    )
    return document if concerns else None


def _assumable(document: Document) -> Iterator[str]:
    """The resources that a document's Allow statements let be assumed; `*` for those that only say which not."""
    for statement in document.allows:
        if statement.actions.match("sts:assumerole") is not statement.not_action and statement.resources is not None:
            yield from ("*",) if statement.not_resource else statement.resources.texts


class _Assumable:
    """The roles that somebody's own policies allow to assume, by ARN and by pattern."""

    def __init__(self, texts: frozenset[str]) -> None:
        patterns = {text for text in texts if has_wildcard(text) or "${" in text}
        self._exact = texts - patterns
        self._patterns: tuple[Glob, ...] = tuple(glob(_VARIABLE.sub("*", text)) for text in patterns)

    def takes(self, role_arn: str) -> bool:
        """Whether a role is one of them."""
        return role_arn in self._exact or any(pattern.matches(role_arn) for pattern in self._patterns)


def _whole(scenario: Scenario) -> Iterator[str]:
    """The accounts that imports of a scenario tell of as a whole."""
    for source in scenario.imported:
        if source.inventory.complete:
            yield from {thing.account for thing in source.inventory.things}


class Estate:
    """What some files declare, in a private world; or `running`, a world of a server. A context manager.

    Raises ScenarioError for files that cannot be used.
    """

    def __init__(self, scenarios: Sequence[Scenario], running: World | None = None) -> None:
        self._compiled: dict[str, Document | None] = {}
        self.whole: frozenset[str] = frozenset()
        """Accounts of which everybody is known."""
        self._repeated = tuple(repeated(scenarios))
        self._server: Server | None = None
        if running is None:
            self.world = self._made(scenarios)
        else:
            self.world = running
            self.whole = frozenset(account["id"] for account in running.page(documents.ACCOUNT))

    def _made(self, scenarios: Sequence[Scenario]) -> World:
        from sts_emulator.app import create_server
        from sts_emulator.scenario import apply
        from sts_emulator.settings import Settings

        server = self._server = create_server(Settings())
        world = server.worlds.get(DEFAULT)
        assert world is not None  # made with the server
        for scenario in scenarios:
            apply(server, world, scenario)
            self.whole |= frozenset(_whole(scenario))
        return world

    @classmethod
    def of_files(cls, paths: Sequence[Path], account: str = "", parameters: Mapping[str, str] | None = None) -> Self:
        """The estate of scenario files and imports. Raises ScenarioError."""
        from sts_emulator.scenario import parse_file

        scenarios = [parse_file(path, account, parameters) for path in paths]
        imported = (source for scenario in scenarios for source in scenario.imported)
        nested = {Path(file) for source in imported for file in source.inventory.merged}  # templates of nested stacks
        return cls([scenario for scenario in scenarios if Path(scenario.file) not in nested])

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._server is not None:
            self._server.worlds.store.close()

    # -- who and what there is ----------------------------------------------------------------------------------------

    @cached_property
    def roles(self) -> dict[str, Stored]:
        """Roles by ARN."""
        return {role["arn"]: role for role in self.world.page(documents.ROLE)}

    @cached_property
    def users(self) -> dict[str, Stored]:
        """Users by ARN."""
        return {user["arn"]: user for user in self.world.page(documents.USER)}

    @cached_property
    def accounts(self) -> frozenset[str]:
        """The accounts of which more is known than that somebody in them is named."""
        return frozenset(
            holder["account"]
            for kind in (self.roles, self.users)
            for arn, holder in kind.items()
            if arn not in self.assumed
        )

    @cached_property
    def assumed(self) -> frozenset[str]:
        """ARNs of users and roles that are taken to exist because an import names them."""
        return frozenset(arn for source in self.world.page(documents.IMPORT) for arn in source["assumed"])

    @property
    def notes(self) -> list[tuple[str, ...]]:
        """What each imported file does not tell, and what the files declare twice."""
        return [*(tuple(source["notes"]) for source in self.world.page(documents.IMPORT)), self._repeated]

    def holder(self, arn: str) -> Holder | None:
        """A user or role as a caller, or None."""
        stored = self.users.get(arn) or self.roles.get(arn)
        if stored is None:
            return None
        kind = "user" if arn in self.users else "role"
        account, path = stored["account"], stored["path"]
        made = (callers.user if kind == "user" else callers.role)(account, stored["name"], arn, path)
        identifier = stored["id"] if kind == "user" else f"{stored['id']}:{callers.SESSION}"
        principal = replace(made.principal, id=identifier)
        tags = {f"aws:principaltag/{key.lower()}": (value,) for key, value in stored.get("tags", {}).items()}
        keys = {**made.context, **tags, **organizations.principal_keys(self.world, account)}
        keys["aws:userid"] = (principal.id,)
        return Holder(
            Caller(principal, arn, keys, is_known=arn not in self.assumed),
            self._identity(stored),
            resources.boundary_document(self.world, stored),
            () if organizations.is_exempt(stored) else organizations.service_control(self.world, account),
            arn in self.assumed,
            stored,
        )

    def _identity(self, stored: Stored) -> tuple[Document, ...]:
        """The identity policies of a user or role that could say anything about STS; not kept, there may be many."""
        keys = [resources.key_of(stored["account"], name) for name in stored.get("groups", ())]
        groups = [self.world.get(documents.GROUP, key) for key in keys]
        holders = [stored, *(group for group in groups if group is not None)]
        policies = [_about_sts(text) for holder in holders for text in holder.get("inline", {}).values()]
        policies += [self._managed(arn) for holder in holders for arn in holder.get("attached", ())]
        return tuple(document for document in policies if document is not None)

    def _managed(self, arn: str) -> Document | None:
        """A managed policy, compiled once: many hold the same."""
        if arn not in self._compiled:
            text = resources.managed_policy_text(self.world, arn)
            self._compiled[arn] = None if text is None else _about_sts(text)
        return self._compiled[arn]

    @cached_property
    def _permitted(self) -> dict[str, _Assumable]:
        """Which roles each user's and role's own policies allow to assume, conditions aside."""
        permitted: dict[str, _Assumable] = {}
        known: dict[frozenset[str], _Assumable] = {}
        for arn, stored in [*self.users.items(), *self.roles.items()]:
            texts = frozenset(text for document in self._identity(stored) for text in _assumable(document))
            if texts:
                permitted[arn] = known.setdefault(texts, _Assumable(texts))
        return permitted

    @cached_property
    def _permitted_of(self) -> dict[str, dict[_Assumable, list[str]]]:
        """Those of whom `_permitted` tells, by account and by what they may: many may the same."""
        arns: dict[str, dict[_Assumable, list[str]]] = {}
        for arn, assumable in self._permitted.items():
            arns.setdefault(account_in(arn), {}).setdefault(assumable, []).append(arn)
        return arns

    def may_any(self, arn: str) -> bool:
        """Whether the own policies of a user or role allow to assume any role."""
        return arn in self._permitted

    def may(self, arn: str, role_arn: str) -> bool:
        """Whether a user's or role's own policies may allow it to assume a role, conditions aside."""
        return arn in self._permitted and self._permitted[arn].takes(role_arn)

    def permitted(self, role_arn: str, account: str) -> list[str]:
        """The users and roles of an account whose own policies may allow them to assume a role; the others cannot."""
        groups = self._permitted_of.get(account, {})
        return [arn for assumable, arns in groups.items() if assumable.takes(role_arn) for arn in arns]

    def of_account(self, account: str) -> Iterator[str]:
        """Every user and role of an account, or of all of them when it is empty."""
        for arn, stored in [*self.users.items(), *self.roles.items()]:
            if not account or stored["account"] == account:
                yield arn

    # -- trust --------------------------------------------------------------------------------------------------------

    def trust(self, role: Stored) -> Document:
        """The trust policy that decides: users and roles in it are unique ids."""
        return parse(role["trust"])

    def shown_trust(self, role: Mapping[str, object]) -> Document:
        """The trust policy as people write it."""
        return parse(self.shown_text(role))

    def shown_text(self, role: Stored) -> str:
        """Its text: users and roles by their ARNs."""
        text: str = role["trust"]
        return restore_principals(text, self._arn_of) if _UNIQUE_ID.search(text) else text

    def _arn_of(self, identifier: str) -> str | None:
        if not identifier.startswith(("AROA", "AIDA")):
            return None
        principal = self.world.find(documents.ROLE, identifier) or self.world.find(documents.USER, identifier)
        return None if principal is None else str(principal["arn"])

    @cached_property
    def trusting(self) -> dict[str, list[str]]:
        """ARNs of the roles that allow something to a principal, by how they name it; an account by its digits."""
        trusting: dict[str, dict[str, None]] = {}
        for arn, role in self.roles.items():
            for statement in self.shown_trust(role).allows:
                if statement.not_principal:
                    trusting.setdefault("*", {})[arn] = None
                for kind, text in statement.principals.entries if statement.principals else ():
                    named = account_in(text) if kind == "AWS" and text.endswith(":root") else text
                    trusting.setdefault(named, {})[arn] = None
        return {named: list(arns) for named, arns in trusting.items()}

    @cached_property
    def trusted_sessions(self) -> list[str]:
        """The sessions that trust policies name."""
        return [name for name in self.trusting if ":assumed-role/" in name]

    def resource_keys(self, role: Stored) -> Context:
        """The condition keys of a role as the resource of a request."""
        keys: dict[str, tuple[str, ...]] = {"aws:resourceaccount": (role["account"],)}
        keys |= organizations.resource_keys(self.world, role["account"])
        return {**keys, **resource_tag_keys(role, "iam")}

    def class_caller(self, caller: Caller) -> Caller:
        """A caller that stands for others, with what its organization says of it."""
        keys = organizations.principal_keys(self.world, caller.principal.account)
        return replace(caller, context={**caller.context, **keys})

    def policies(
        self, role: Stored, holder: Holder | None, identity: tuple[Document, ...] = (), account: str = ""
    ) -> PolicySet:
        """Everything that has a say when `holder`, or a caller with these identity policies, asks for the role.

        `account` is that of the latter, when it has one.
        """
        scps = organizations.service_control(self.world, account) if account else ()
        return PolicySet(
            trust=self.trust(role),
            identity=holder.identity if holder else identity,
            boundary=holder.boundary if holder else None,
            scps=holder.scps if holder else scps,
            rcps=() if organizations.is_exempt(role) else organizations.resource_control(self.world, role["account"]),
            resource_account=role["account"],
        )

    # -- names --------------------------------------------------------------------------------------------------------

    def named(self, text: str, kinds: Sequence[str] = ("roles", "users")) -> list[str]:
        """ARNs of the users and roles that a name or ARN means."""
        known: dict[str, Stored] = {}
        for kind in kinds:
            known |= getattr(self, kind)
        if text in known:
            return [text]
        return [arn for arn, stored in known.items() if stored["name"] == text]

    def providers(self) -> Iterator[tuple[str, str]]:
        """ARN and host (or name) of every OIDC and SAML provider; of other kinds those that a trust policy names."""
        for provider in self.world.page(documents.OIDC_PROVIDER):
            yield provider["arn"], provider["url"]
        for saml_provider in self.world.page(documents.SAML_PROVIDER):
            yield saml_provider["arn"], saml_provider["name"]
        for text in self.trusting:
            if (arn := parse_arn(text)) and kind_of(text) not in (OIDC, SAML):
                yield text, arn.resource.partition("/")[2]
