"""The policies of a scenario: documents as YAML or JSON, managed policies, and what is attached to whom."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import field
from typing import Any

from sts_emulator.accounts import documents, managed_policies
from sts_emulator.accounts.resources import Stored, key_of
from sts_emulator.core import names
from sts_emulator.core.store import Kind
from sts_emulator.core.world import World
from sts_emulator.importers.inventory import compact
from sts_emulator.policy.light_dataclass import dataclass
from sts_emulator.scenario import policy_texts
from sts_emulator.scenario.load import Node
from sts_emulator.scenario.policy_texts import Held
from sts_emulator.scenario.problems import ScenarioError, Where
from sts_emulator.scenario.seed import Section, Seed
from sts_emulator.scenario.shape import Mistake, Reader, Shape

AWS_POLICIES = "arn:aws:iam::aws:policy/"
AWS_PATHS = ("", "service-role/", "job-function/")  # under which AWS keeps those that people attach


class Policy(str):
    """A policy document, as the JSON text that IAM takes.

    Written as AWS writes it (a mapping with `Statement`), as JSON text, as `{file: policy.json}`, or as a bare list of
    statements, which are then of version 2012-10-17.
    """

    __slots__ = ()

    @classmethod
    def read_node(cls, reader: Reader, node: Node) -> Policy:
        """Read one; what the document says is judged later, by IAM."""
        given = reader.text_or_file(node)
        if given is not None:
            return cls(given)
        if isinstance(node.value, list):
            return cls(compact({"Version": "2012-10-17", "Statement": node.plain()}))
        if node.value is None:
            raise Mistake("expected a policy, got nothing")
        return cls(compact(node.plain()))


@dataclass(frozen=True, kw_only=True)
class ManagedPolicy(Shape):
    """A customer managed policy: a document, alone or with a path, a description and tags."""

    document: Policy
    path: str = "/"
    description: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def read_node(cls, reader: Reader, node: Node) -> ManagedPolicy:
        """Read one; `{Statement: …}` is the document itself, `{document: …}` the longer form."""
        if isinstance(node.value, dict) and "document" in node.value:
            return reader.shape(cls, node)
        return cls(document=Policy.read_node(reader, node), where=reader.where(node))


def create(seed: Seed, policies: Mapping[str, ManagedPolicy]) -> None:
    """Create policies, or make a changed document the default version of an existing one."""
    for name, policy in policies.items():
        with seed.blame(policy.where, f"policy `{name}`"):
            arn = names.iam_arn(seed.account, "policy", policy.path, name)
            stored = seed.world.find(documents.POLICY, arn)
            if stored is None:
                seed.iam(
                    "CreatePolicy",
                    PolicyName=name,
                    Path=policy.path,
                    PolicyDocument=policy.document,
                    Description=policy.description or None,
                    Tags=tag_list(policy.tags),
                )
            elif stored["versions"][stored["default"]]["text"] != policy.document:
                _new_version(seed, stored, policy.document)


def _new_version(seed: Seed, stored: Stored, document: str) -> None:
    spare = [version for version in stored["versions"] if version != stored["default"]]
    if len(stored["versions"]) >= 5:  # noqa: PLR2004 - IAM keeps five; the oldest that is not in force goes
        oldest = min(spare, key=lambda version: int(version[1:]))
        seed.iam("DeletePolicyVersion", PolicyArn=stored["arn"], VersionId=oldest)
    seed.iam("CreatePolicyVersion", PolicyArn=stored["arn"], PolicyDocument=document, SetAsDefault=True)


def policy_arn(seed: Seed, where: Where, text: str) -> str:
    """The ARN that a policy's ARN or name means: the account's own of that name, else AWS's.

    Raises:
        ScenarioError: no policy of that name.
    """
    if text.startswith("arn:"):
        return text
    if own := seed.world.get(documents.POLICY, f"{seed.account}/{text.lower()}"):
        return str(own["arn"])
    for path in AWS_PATHS:
        if managed_policies.text(f"{AWS_POLICIES}{path}{text}") is not None:
            return f"{AWS_POLICIES}{path}{text}"
    raise ScenarioError.at(where, f"no policy `{text}` in account {seed.account}, and AWS has none of that name here")


_KINDS: Mapping[str, Kind[Any]] = {"User": documents.USER, "Group": documents.GROUP, "Role": documents.ROLE}


class Holder:
    """A User, Group or Role (`kind`) of the current account, brought to exactly what the scenario says it has."""

    def __init__(self, seed: Seed, kind: str, name: str, where: Where) -> None:
        self._seed = seed
        self._kind = kind
        self._named = {f"{kind}Name": name}
        self._what = f"{kind.lower()} `{name}`"
        self._where = where
        self._stored: Stored = seed.world.get(_KINDS[kind], key_of(seed.account, name)) or {}

    def set_policies(self, wanted: tuple[str, ...], inline: Mapping[str, Policy]) -> None:
        """Attached policies, by ARN or name, and inline ones."""
        where = self._where.at("policies")
        arns = [policy_arn(self._seed, where, policy) for policy in wanted]
        attached, embedded = self._stored.get("attached", []), self._stored.get("inline", {})
        with self._blame("policies"):
            for arn in [arn for arn in attached if arn not in arns]:
                self._call("Detach{}Policy", PolicyArn=arn)
            for arn in [arn for arn in arns if arn not in attached]:
                self._call("Attach{}Policy", PolicyArn=arn)
        with self._blame("inline"):
            for gone in [name for name in embedded if name not in inline]:
                self._call("Delete{}Policy", PolicyName=gone)
            for name, document in inline.items():
                if embedded.get(name) != document:
                    self._call("Put{}Policy", PolicyName=name, PolicyDocument=document)

    def set_boundary(self, wanted: str) -> None:
        """The permissions boundary, by ARN or name; empty for none."""
        arn = policy_arn(self._seed, self._where.at("boundary"), wanted) if wanted else ""
        known = self._stored.get("boundary") or ""
        with self._blame("boundary"):
            if arn and arn != known:
                self._call("Put{}PermissionsBoundary", PermissionsBoundary=arn)
            elif known and not arn:
                self._call("Delete{}PermissionsBoundary")

    def set_tags(self, wanted: Mapping[str, str]) -> None:
        known = self._stored.get("tags", {})
        with self._blame("tags"):
            if gone := [key for key in known if key not in wanted]:
                self._call("Untag{}", TagKeys=gone)
            if new := tag_list({key: value for key, value in wanted.items() if known.get(key) != value}):
                self._call("Tag{}", Tags=new)

    def _blame(self, key: str) -> AbstractContextManager[None]:
        return self._seed.blame(self._where.at(key), self._what)

    def _call(self, operation: str, **parameters: object) -> None:
        self._seed.iam(operation.format(self._kind), **self._named, **parameters)


def tag_list(tags: Mapping[str, str]) -> list[dict[str, str]] | None:
    """Tags as the wire writes them; None when there are none."""
    return [{"Key": key, "Value": value} for key, value in tags.items()] or None


def _policies(world: World, file: str, account: str, declared: Mapping[str, ManagedPolicy]) -> Iterator[Held]:
    for name, policy in declared.items():
        yield from policy_texts.managed(world, account, name, file, policy_texts.fixed(policy.where.line))


SECTION = Section("policies", Mapping[str, ManagedPolicy], create, policies=_policies)
