"""The stored things that decisions are made of: how they are found, and their policies read and compiled.

Their shapes are in accounts.documents; those of kinds that one file alone reads and writes are told there.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sts_emulator.accounts import documents, managed_policies
from sts_emulator.accounts.documents import Role, User
from sts_emulator.core.world import World
from sts_emulator.policy.arns import parse_arn
from sts_emulator.policy.deciding.document import Document, parse

Stored = Mapping[str, Any]

FULL_ACCESS = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}'


def key_of(account: str, name: str) -> str:
    """The key of a named thing of an account; AWS's names are unique ignoring case."""
    return f"{account}/{name.lower()}"


def account_name(world: World, account: str) -> str:
    """What an account is called; "" where nobody named it."""
    stored = world.get(documents.ACCOUNT, account)
    return (stored["name"] or stored["alias"]) if stored else ""


def role(world: World, account: str, name: str) -> Role | None:
    """The role of that name, in any case of letters, or None."""
    return world.settled(world.get(documents.ROLE, key_of(account, name)))


def role_by_arn(world: World, arn: str) -> Role | None:
    """The role whose ARN is exactly `arn`, path and case included, or None."""
    parts = parse_arn(arn)
    if parts is None:
        return None
    stored = role(world, parts.account, parts.resource.rpartition("/")[2])
    return stored if stored is not None and stored["arn"] == arn else None


def arn_of_id(world: World, identifier: str) -> str | None:
    """The ARN of the user or role of that unique id, or None."""
    if not identifier.startswith(("AROA", "AIDA")):
        return None
    holder = world.find(documents.ROLE, identifier) or world.find(documents.USER, identifier)
    return None if holder is None else holder["arn"]


def names_in(world: World, trust: Document) -> dict[str, str]:
    """The ARNs behind the unique ids in a stored trust policy; the id of whom there is no more has none."""
    entries = [
        text for statement in trust.statements if statement.principals for _, text in statement.principals.entries
    ]
    return {text: arn for text in entries if (arn := arn_of_id(world, text))}


def user_by_arn(world: World, arn: str) -> User | None:
    """The user whose ARN is exactly `arn`, path and case included, or None."""
    parts = parse_arn(arn)
    if parts is None or not parts.resource.startswith("user/"):
        return None
    stored = user(world, parts.account, parts.resource.rsplit("/", 1)[1])
    return stored if stored is not None and stored["arn"] == arn else None


def user(world: World, account: str, name: str) -> User | None:
    """The user of that name, in any case of letters, or None."""
    return world.settled(world.get(documents.USER, key_of(account, name)))


def managed_policy_text(world: World, arn: str) -> str | None:
    """The default version of a managed policy, the account's own or AWS's; None when there is no such policy."""
    if arn.startswith("arn:aws:iam::aws:policy/"):
        return managed_policies.text(arn)
    stored = world.settled(world.find(documents.POLICY, arn))
    return None if stored is None else stored["versions"][stored["default"]]["text"]


def principal_documents(world: World, kind: str, holder: Mapping[str, object]) -> tuple[Document, ...]:
    """The compiled identity policies of a role or user: inline, attached, and those of a user's groups."""
    return world.memo(("identity", kind, holder["id"]), lambda: _compile(world, kind, holder))


def boundary_document(world: World, holder: Stored) -> Document | None:
    """The compiled permissions boundary of a role or user, or None when it has none."""
    arn = holder.get("boundary")
    if not arn:
        return None
    # A boundary whose policy is gone allows nothing: the strict reading.
    text = managed_policy_text(world, arn) or '{"Version":"2012-10-17","Statement":[]}'
    return parse(text)


def _compile(world: World, kind: str, holder: Stored) -> tuple[Document, ...]:
    holders = [holder]
    if kind == "user":
        for name in holder.get("groups", ()):
            group = world.settled(world.get(documents.GROUP, key_of(holder["account"], name)))
            if group is not None:
                holders.append(group)
    texts = [text for bearer in holders for text in bearer.get("inline", {}).values()]
    for bearer in holders:
        texts += [text for arn in bearer.get("attached", ()) if (text := managed_policy_text(world, arn))]
    return tuple(parse(text) for text in texts)
