"""What a scenario expects of itself: who may assume which role, and because of what."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import field
from typing import TYPE_CHECKING, Any

from sts_emulator.core import clock
from sts_emulator.policy.arns import parse_arn
from sts_emulator.policy.layers import LAYERS
from sts_emulator.policy.light_dataclass import dataclass
from sts_emulator.scenario.load import Node
from sts_emulator.scenario.policies import Policy
from sts_emulator.scenario.problems import Where
from sts_emulator.scenario.shape import Mistake, Reader, Shape, mapping, text

if TYPE_CHECKING:
    from sts_emulator.vending.assume import Ask

ALLOW = "allow"
DENY = "deny"


class Result(str):
    """`allow` or `deny`."""

    __slots__ = ()

    @classmethod
    def read_node(cls, _reader: Reader, node: Node) -> Result:
        if node.value not in (ALLOW, DENY):
            raise Mistake(f"expected `allow` or `deny`, got {node.kind}")
        return cls(text(node))


_ALLOW = Result(ALLOW)


class Layer(str):
    """One of the layers of a decision."""

    __slots__ = ()

    @classmethod
    def read_node(cls, _reader: Reader, node: Node) -> Layer:
        if node.value not in LAYERS:
            raise Mistake(f"expected one of {', '.join(LAYERS)}, got {node.kind}")
        return cls(text(node))


@dataclass(frozen=True, slots=True)
class Permission:
    """An action on a resource: `s3:PutObject on arn:aws:s3:::bucket/key`."""

    action: str
    resource: str

    @classmethod
    def read_node(cls, _reader: Reader, node: Node) -> Permission:
        written = _PERMISSION.fullmatch(text(node))
        if written is None:
            raise Mistake(f"expected an action on a resource (`s3:GetObject on arn:aws:s3:::b/k`), got {node.kind}")
        if "*" in written["action"]:
            raise Mistake(f"`{written['action']}`: a request is for one action, without wildcards")
        return cls(written["action"], written["resource"])


_PERMISSION = re.compile(r"(?P<action>[a-z0-9-]+:[A-Za-z0-9*]+) on (?P<resource>arn:\S.*|\*)")


class Moment(float):
    """Seconds since the epoch, written as an ISO-8601 instant."""

    __slots__ = ()

    @classmethod
    def read_node(cls, _reader: Reader, node: Node) -> Moment:
        try:
            return cls(clock.parse_iso(text(node)))
        except (ValueError, OverflowError):
            raise Mistake(f"expected a time such as 2026-11-23T20:00:00Z, got {node.kind}") from None


@dataclass(frozen=True, kw_only=True)
class Caller(Shape):
    """Who signs the request: exactly one of `user`, `role` (a session of it), `root` (an account id) or `service`.

    Or, in short, an ARN or a service's name. `tags` and `policy` are those of a role's session, `mfa` says that a user
    signed in with a code, `source_arn` and `source_account` for whom a service acts.
    """

    user: str = ""
    role: str = ""
    root: str = ""
    service: str = ""
    account: str = ""
    session: str = "session"
    mfa: bool = False
    tags: Mapping[str, str] = field(default_factory=dict)
    transitive: tuple[str, ...] = ()
    source_identity: str = ""
    policy: Policy | None = None
    source_arn: str = ""
    source_account: str = ""

    @classmethod
    def read_node(cls, reader: Reader, node: Node) -> Caller:
        if isinstance(node.value, str):
            return _in_short(node.value, reader.where(node))
        caller = reader.shape(cls, node)
        named = [key for key in ("user", "role", "root", "service") if key in mapping(node)]
        if len(named) != 1:
            raise Mistake("a caller is one of `user`, `role`, `root` and `service`")
        return caller


@dataclass(frozen=True, kw_only=True)
class Because(Shape):
    """Why: the layer that decides, the statement (its number from 0 or Sid), a condition's key, the error's code."""

    layer: Layer | None = None
    statement: str = ""
    condition: str = ""
    error: str = ""


@dataclass(frozen=True, kw_only=True)
class Expectation(Shape):
    """One request, and what must come of it: to assume a role, to do something (`may`), or the one after the other.

    `assume` is a role's ARN, or its name when only one account has a role of that name. The request is signed by
    `caller` or proven `with` evidence from outside AWS: `{ISSUER: claims}` for a lab issuer, `{claims: …}` for any.
    What `may` names is asked for by the session that comes of `assume`, or by `caller`; `resource_policy` is the
    resource's own. `origin` is the subject that the session of `assume` keeps for good. `keys` are further condition
    keys, `time` and `source_ip` when and from where.
    """

    assume: str = ""
    may: Permission | None = None
    resource_policy: Policy | None = None
    resource_account: str = ""
    result: Result = _ALLOW
    origin: str = ""
    name: str = ""
    caller: Caller | None = None
    with_: Mapping[str, Any] = field(default_factory=dict)
    session_name: str = "expectation"
    external_id: str = ""
    source_identity: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)
    transitive: tuple[str, ...] = ()
    policy: Policy | None = None
    duration: int | None = None
    source_ip: str = "127.0.0.1"
    secure: bool = True
    time: Moment | None = None
    keys: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    because: Because | None = None

    @classmethod
    def read_node(cls, reader: Reader, node: Node) -> Expectation:
        """Read one, and see that exactly one proof is given."""
        expectation = reader.shape(cls, node)
        members = mapping(node)
        if "assume" not in members and "may" not in members:
            raise Mistake("an expectation needs `assume`, `may`, or both")
        has_caller = "caller" in members and members["caller"].value is not None
        if has_caller == ("with" in members):
            raise Mistake("an expectation needs either `caller` or `with`")
        if "with" in members and "assume" not in members:
            raise Mistake("`with` is a proof for a role: say which one it is to `assume`")
        if "origin" in members and "assume" not in members:
            raise Mistake("`origin` is of the session that comes of a role: say which one it is to `assume`")
        if "may" not in members and ("resource_policy" in members or "resource_account" in members):
            raise Mistake("`resource_policy` and `resource_account` are of what one `may` do")
        is_read = expectation.with_ is not None  # None stands in for what was refused already
        if "with" in members and is_read and len(expectation.with_) != 1:
            raise Mistake("`with` takes one kind of evidence")
        return expectation

    @property
    def title(self) -> str:
        asked = f"{self.may.action} on {self.may.resource}" if self.may else ""
        return self.name or f"{' '.join(part for part in (self.assume, asked) if part)} {self.result}"


def _in_short(written: str, where: Where) -> Caller:
    """A caller that is written as one text."""
    if ":" not in written and "." in written:
        return Caller(service=written, where=where)
    arn = parse_arn(written)
    if arn is not None:
        kind, _, rest = arn.resource.partition("/")
        if (arn.service, kind) == ("iam", "root"):
            return Caller(root=arn.account, where=where)
        if (arn.service, kind) == ("iam", "user"):
            return Caller(user=rest.rpartition("/")[2], account=arn.account, where=where)
        if (arn.service, kind) == ("iam", "role"):
            return Caller(role=rest.rpartition("/")[2], account=arn.account, where=where)
        if (arn.service, kind) == ("sts", "assumed-role"):
            role, _, session = rest.partition("/")
            return Caller(role=role, session=session, account=arn.account, where=where)
    raise Mistake(f"expected the ARN of a user, role, session or root, or a service's name, got `{written[:120]}`")


def ask_for(expectation: Expectation, role_arn: str) -> Ask:
    """What the session that an expectation asks for should be."""
    from sts_emulator.vending.assume import Ask

    return Ask(
        session_name=expectation.session_name,
        duration=expectation.duration,
        policy=expectation.policy or "",
        tags=expectation.tags,
        transitive=expectation.transitive,
        source_identity=expectation.source_identity,
        role_arn=role_arn,
    )
