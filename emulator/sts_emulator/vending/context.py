"""One call: the world, the request, the caller, and the condition keys that follow from them."""

from __future__ import annotations

import inspect
from collections import deque
from collections.abc import Callable, Collection, Mapping
from dataclasses import field
from functools import lru_cache
from typing import Any, Final, Protocol

from sts_emulator.accounts.documents import Role, User
from sts_emulator.core import clock
from sts_emulator.core.contention import when_free
from sts_emulator.core.errors import AwsError
from sts_emulator.core.events import EventLog
from sts_emulator.core.health import Health
from sts_emulator.core.metrics import Metrics
from sts_emulator.core.threads import Beside, Value, Work
from sts_emulator.core.world import World, Worlds
from sts_emulator.policy.deciding.document import Document
from sts_emulator.policy.deciding.engine import Decision, PolicySet, Principal, Request
from sts_emulator.policy.light_dataclass import dataclass
from sts_emulator.settings import Settings
from sts_emulator.vending.session import Session
from sts_emulator.wire import messages
from sts_emulator.wire.http import Request as HttpRequest
from sts_emulator.wire.http import Response as HttpResponse

Keys = Mapping[str, tuple[str, ...]]

TRUE = ("true",)
FALSE = ("false",)

NOTHING: Final[Mapping[str, Any]] = {}
"""The same for all calls that have none."""

LONGEST_SHARED: Final = 512  # characters of a value that calls share
EXCHANGES: Final = 200
LARGEST_EXCHANGE: Final = 32_768
"""Bytes of a body: the newest calls are kept in memory as they came and went, and none of them may take much of it."""


@dataclass(slots=True, eq=False)
class Exchange:
    """A call as it came, and its answer as it left. Made when somebody looks, of what the server keeps of a call."""

    id: str
    came: HttpRequest | bytes
    response: HttpResponse

    @property
    def request(self) -> HttpRequest:
        """The call, read anew where it is kept as it came: that is one object, and not twenty."""
        if isinstance(self.came, HttpRequest):
            return self.came
        again = messages.read(self.came, "", "")
        assert again is not None, "it was read before"
        return again[0]


@dataclass(slots=True)
class Server:
    """What one running emulator shares between its calls; `used` is told of each, to record what was used."""

    settings: Settings
    worlds: Worlds
    events: EventLog
    health: Health = field(default_factory=Health)
    endpoints: Collection[str] = ()  # the first segments of pages, such as `imds`
    used: Callable[[Context, AwsError | None], None] | None = None
    metrics: Metrics = field(default_factory=Metrics)
    exchanges: deque[tuple[str, HttpRequest | bytes, HttpResponse]] = field(
        default_factory=lambda: deque(maxlen=EXCHANGES)
    )  # what an Exchange is made of
    beside: Beside | None = None  # where what may wait for a database elsewhere is done; an embedded one is at hand

    async def run(self, work: Work[Value]) -> Value:
        """What `work` returns, or what comes of awaiting it, while others have their turn."""
        if self.beside is not None:
            return await self.beside.run(work)
        made = work()
        return await made if inspect.isawaitable(made) else made

    async def run_when_free(self, work: Work[Value]) -> Value:
        """Likewise; while another process has locked an embedded state, `work` is begun again: see `when_free`."""
        return await (self.run(work) if self.worlds.store.remote else when_free(work))


@dataclass(slots=True)
class Caller:
    """Who signed the call, with everything of theirs that can have a say in a decision.

    `context` holds their condition keys, lower-case. `identity` is empty for callers whose permissions come from
    nowhere (federated users without a policy); root has full access. `scopes` narrowed the session afterwards: each of
    them must allow as well. `maker` is the user who vouched for a federated one. `permissive` marks a caller that
    `--permissive` let in unproven.
    """

    principal: Principal
    arn: str
    account: str
    user_id: str
    access_key_id: str
    context: Keys
    identity: tuple[Document, ...] = ()
    boundary: Document | None = None
    session_policies: tuple[Document, ...] | None = None
    scopes: tuple[Document, ...] = ()
    session: Session | None = None
    user: User | None = None
    role: Role | None = None
    permissive: bool = False
    maker: Mapping[str, Any] | None = None

    @property
    def is_root(self) -> bool:
        """Whether this is an account's root user itself (not a session of it)."""
        return self.principal.type == "root" and self.session is None

    @property
    def tags(self) -> dict[str, str]:
        return bearer_tags(self.role or self.user, self.session)


def bearer_tags(holder: Mapping[str, Any] | None, session: Session | None) -> dict[str, str]:
    """The tags of whoever calls: the session's override the role's or user's, whatever their case."""
    merged = {key.lower(): (key, value) for key, value in (holder or {}).get("tags", {}).items()}
    if session is not None:
        merged |= {key.lower(): (key, value) for key, value in session.tags.items()}
    return dict(merged.values())


@dataclass(slots=True)
class Consulted:
    """One question put to the policy engine, and its answer: what an explanation is made from later."""

    request: Request
    policies: PolicySet
    decision: Decision


class Asked(Protocol):
    """What a new session was to be (vending.assume.Ask)."""

    session_name: str
    duration: int | None
    default_duration: int
    tags: Mapping[str, str]
    transitive: tuple[str, ...]
    source_identity: str


@dataclass(slots=True)
class Context:
    """One call on its way through. Operations read it; `decisions`, `evidence` and `asked` are what its event tells.

    `vended` is the role session that came of it, if one did.
    """

    server: Server
    world: World
    service: str
    operation: str
    request_id: str
    region: str = "us-east-1"
    source_ip: str = "127.0.0.1"
    user_agent: str = ""
    secure: bool = False
    referer: str = ""
    request: HttpRequest | None = None
    base_url: str = ""
    upstream: str = ""  # where a foreign service's call goes to
    caller: Caller | None = None
    parameters: Mapping[str, Any] = field(default_factory=dict)
    decisions: list[Consulted] = field(default_factory=list)
    evidence: dict[str, Any] = field(default_factory=dict)
    asked: Asked | None = None
    vended: Session | None = None
    begun: float = field(default_factory=clock.monotonic)
    weight: int = 0  # bytes that its event takes beside the request

    @property
    def identity(self) -> Caller:
        """The caller of a signed operation, which the request flow has authenticated before the operation runs."""
        if self.caller is None:
            message = f"{self.service}:{self.operation} was called without authentication"
            raise RuntimeError(message)
        return self.caller

    def request_keys(self) -> dict[str, tuple[str, ...]]:
        """The condition keys that every request has (docs/aws/policy-evaluation.md, "Condition keys")."""
        keys = _request_keys(int(self.world.now()), self.region, self.source_ip, self.user_agent, self.secure).copy()
        if self.referer:
            keys["aws:referer"] = (self.referer,)
        return keys


@lru_cache(maxsize=64)
def _request_keys(
    second: int, region: str, source_ip: str, user_agent: str, secure: bool
) -> dict[str, tuple[str, ...]]:
    """Those that many calls of a second share, in the same objects: their events keep them."""
    keys: dict[str, tuple[str, ...]] = {
        "aws:currenttime": (clock.iso(second),),
        "aws:epochtime": (str(second),),
        "aws:securetransport": TRUE if secure else FALSE,
        "aws:requestedregion": (region,),
        "aws:sourceip": (source_ip,),
        "aws:viaawsservice": FALSE,
        "aws:principalisawsservice": FALSE,
    }
    if user_agent:
        keys["aws:useragent"] = (user_agent,)
    return keys


def alone(text: str) -> tuple[str]:
    """A condition key's only value; where many calls have the same one, the same object, which their events keep."""
    return _alone(text) if len(text) <= LONGEST_SHARED else (text,)


@lru_cache(maxsize=512)
def _alone(text: str) -> tuple[str]:
    return (text,)
