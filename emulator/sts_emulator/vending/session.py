"""What a session is, and how it travels inside its own sealed token."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import field
from json.encoder import encode_basestring as _text
from operator import attrgetter
from typing import Any

from sts_emulator.policy.light_dataclass import dataclass

ROLE = "role"
USER = "user"
FEDERATED = "federated"
ROOT_TASK = "root-task"
INSTANCE = "instance"

CONSOLE_LOGIN = "ConsoleLogin"
"""The method of a person's own session: signed in to the console, and what `aws login` makes of that."""


@dataclass(slots=True)
class Session:
    """Everything that a temporary credential means. Times are whole seconds since the epoch by the world's clock.

    `kind` is ROLE (AssumeRole*), USER (GetSessionToken), FEDERATED (GetFederationToken), ROOT_TASK (AssumeRoot)
    or INSTANCE (an EC2 instance's own identity, which is no role of the account).
    `name` and `id` are those of the role, the user or the federated user; an account's root has an empty name and the
    account as its id. `context` holds the condition keys of the original login that outlive it.
    `extra` may hold `scopes` (policy texts that narrowed the session afterwards: each must allow as well), `scoped`
    (how many are GetScopedCredentials'), `delegate` (the account to which a delegation gave the session) and `person`
    (id and directory of a user of Identity Center, on whose behalf it acts). `chain` is what it comes of, oldest first:
    the first proof, in words or as the ARN of who signed, and the sessions between (vending/origin.py).
    """

    kind: str
    account: str
    name: str
    id: str
    issued: int
    expires: int
    session_name: str = ""
    method: str = ""
    tags: dict[str, str] = field(default_factory=dict)
    transitive: tuple[str, ...] = ()
    source_identity: str = ""
    mfa_at: int = 0
    policy: str = ""
    policy_arns: tuple[str, ...] = ()
    context: dict[str, Sequence[str]] = field(default_factory=dict)
    provider: str = ""
    chained: bool = False
    extra: dict[str, Any] = field(default_factory=dict)
    chain: tuple[str, ...] = ()

    def to_bytes(self) -> bytes:
        """A compact form: a JSON array in field order, cut behind the last member that is not empty."""
        # What every session has is written by hand: a call of json's encoder costs twice as much.
        kind, account, name, own_id, session_name, method = map(_text, _TEXTS(self))
        text = f"[{kind},{account},{name},{own_id},{self.issued},{self.expires},{session_name},{method}"
        rest = _REST(self)
        if self.chain and not any(rest):
            text = f"{text},{_NOTHING_ELSE},[{','.join(map(_text, self.chain))}]"
        elif self.chain:
            text = f"{text},{_encode((*rest, self.chain))[1:-1]}"
        elif any(rest):
            last = max(place for place, value in enumerate(rest) if value)
            text = f"{text},{_encode(rest[: last + 1])[1:-1]}"
        return f"{text}]".encode()

    @classmethod
    def from_bytes(cls, data: bytes) -> Session:
        """The inverse of `to_bytes`; only ever called on bytes that this server sealed itself."""
        values = dict(zip(_FIELDS, json.loads(data), strict=False))
        for name in ("transitive", "policy_arns", "chain"):
            values[name] = tuple(values.get(name, ()))
        return cls(**values)


_FIELDS = tuple(Session.__dataclass_fields__)
_TEXTS = attrgetter("kind", "account", "name", "id", "session_name", "method")
_REST = attrgetter(*_FIELDS[_FIELDS.index("method") + 1 : -1])
_encode = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False).encode
_NOTHING_ELSE = _encode(_REST(Session("", "", "", "", 0, 0)))[1:-1]
