"""An attempt as something to be asked again: its call with all parameters, and what has to be done before it.

A replay with a change is the same with that change put where a call carries it: into a parameter, a claim of its token,
the policy of a role, the clock. What no call can carry is told.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from sts_emulator.accounts import documents
from sts_emulator.core.errors import AwsError
from sts_emulator.core.world import World
from sts_emulator.policy.arns import account_in
from sts_emulator.policy.deciding.engine import Principal, needs_trust
from sts_emulator.policy.explaining.single_changes import State
from sts_emulator.policy.json_types import JsonObject
from sts_emulator.policy.light_dataclass import dataclass
from sts_emulator.vending.context import Exchange
from sts_emulator.web.attempts import ALLOWED, Attempt, short
from sts_emulator.web.proofs import claims
from sts_emulator.wire import http, models
from sts_emulator.wire.models import Operation, Shape

_OF_A_MOMENT: Final = frozenset(("iss", "iat", "exp", "nbf", "jti"))
_PARAMETERS: Final = {
    "sts:externalid": "ExternalId",
    "sts:rolesessionname": "RoleSessionName",
    "sts:sourceidentity": "SourceIdentity",
}
_TAG: Final = "aws:requesttag/"
_ALSO_ASKED: Final = {"Tags": "sts:TagSession", "SourceIdentity": "sts:SetSourceIdentity"}
_FOLLOWING: Final = frozenset(("aws:tagkeys", "aws:currenttime", "aws:epochtime"))
"""Keys that follow from others that are carried."""
_TRUST: Final = "trust[0]"
TOKEN: Final = "WebIdentityToken"  # noqa: S105 # the name of a parameter


@dataclass(frozen=True, slots=True)
class Token:
    """A token that is made anew, by which lab issuer and with which claims; None takes one away."""

    issuer: str
    claims: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Again:
    """What to do: move the clock, save the trust policy of the role, make the token, call; and what must come of it.

    `given` are the parameters by their names on the wire. `principal` is the ARN of who calls. `untold` is what the
    call cannot carry.
    """

    service: str
    operation: Operation
    region: str
    principal: str
    given: Mapping[str, Any]
    allowed: bool
    code: str
    kept: Exchange | None = None
    token: Token | None = None
    role: str = ""
    trust: str = ""
    seconds: int = 0
    untold: tuple[str, ...] = ()
    is_replay: bool = False

    @property
    def account(self) -> str:
        """The account of who calls."""
        return account_in(self.principal)

    @property
    def user(self) -> str:
        """The name of the IAM user who calls; "" for others."""
        kind, _, name = short(self.principal).partition("/")
        return name.rpartition("/")[2] if kind == "user" and self.principal.startswith("arn:") else ""


def of_attempt(world: World, known: Attempt, kept: Exchange | None) -> Again | None:
    """An attempt; None where a page was visited, or a client needs a program of its own for it."""
    operations = models.service(known.service).operations if known.service in models.services() else {}
    operation = operations.get(known.operation)
    if operation is None or operation.name == "CreateSession":  # no SDK has it: aws_signing_helper makes it
        return None
    return Again(
        service=known.service,
        operation=operation,
        region=known.record["awsRegion"],
        principal=known.principal,
        given=_parameters(operation, known, kept),
        allowed=known.outcome == ALLOWED,
        code=known.record["additionalEventData"].get("told", {}).get("code", ""),
        kept=kept,
        token=_token(world, kept),
    )


def _token(world: World, kept: Exchange | None) -> Token | None:
    issued = claims(kept.request) if kept is not None else {}
    issuer = world.find(documents.ISSUER, str(issued.get("iss", "")))
    if issuer is None:
        return None
    return Token(issuer["name"], {name: value for name, value in issued.items() if name not in _OF_A_MOMENT})


# -- parameters ------------------------------------------------------------------------------------------------------


def _parameters(operation: Operation, known: Attempt, kept: Exchange | None) -> JsonObject:
    """The parameters by their names on the wire; secrets, which a record does not hold, from the call itself."""
    given: dict[str, Any] = _wired(operation.input, known.record.get("requestParameters") or {})
    members = operation.input.members if operation.input else {}
    sent: Mapping[str, str] = {}
    if kept is not None:
        try:
            sent = http.parameters(kept.request)
        except AwsError:
            sent = {}
    given |= {name: sent[name] for name in members if name in sent and name not in given}
    required = operation.input.required if operation.input else ()
    given |= {name: f"<{name}>" for name in required if name not in given}
    return {name: given[name] for name in members if name in given and sent.get(name, given[name]) != ""}


def _wired(shape: Shape | None, value: object) -> Any:
    """What a record tells, with the names of the model."""
    if shape is not None and isinstance(value, Mapping) and shape.members:
        written = {name.lower(): name for name in shape.members}
        return {
            written[name.lower()]: _wired(shape.members[written[name.lower()]].shape, item)
            for name, item in value.items()
            if name.lower() in written
        }
    if shape is not None and isinstance(value, list) and shape.member is not None:
        return [_wired(shape.member.shape, item) for item in value]
    return dict(value) if isinstance(value, Mapping) else value


# -- changes ---------------------------------------------------------------------------------------------------------


def replayed(
    again: Again, world: World, before: State, after: State, texts: Mapping[str, str], *, allowed: bool
) -> Again:
    """The same with the change from one question to another; `texts` are the documents that differ, as they are now."""
    untold: list[str] = []
    again = replace(again, allowed=allowed, code="" if allowed else _code(again), is_replay=True)
    for step in (_asked, _called, _keyed):
        again = step(again, before, after, untold)
    again = _timed(again, world, before, after)
    for uri, text in texts.items():
        if uri == _TRUST and text and needs_trust(after.request):
            again = replace(again, role=after.request.resource, trust=text)
        else:
            untold.append(f"{uri} is {' '.join(text.split()) or 'left out'}")
    return replace(again, untold=tuple(untold))


def _code(again: Again) -> str:
    """The code of the refusal, where it is known."""
    known = "AccessDenied" if models.service(again.service).protocol == "query" else ""
    return known if again.allowed else again.code


def _asked(again: Again, before: State, after: State, untold: list[str]) -> Again:
    if after.request.action != before.request.action:
        untold.append(f"the action is {after.request.action}")
    if after.request.resource == before.request.resource:
        return again
    if again.given.get("RoleArn") == before.request.resource:
        return replace(again, given={**again.given, "RoleArn": after.request.resource})
    untold.append(f"the resource is {after.request.resource}")
    return again


def _called(again: Again, before: State, after: State, untold: list[str]) -> Again:
    was, now = before.request.principal, after.request.principal
    if was == now:
        return again
    if _arn(now):
        return replace(again, principal=_arn(now))
    untold.append(f"who asks is {now.type} {now.value}")
    return again


def _arn(principal: Principal) -> str:
    return principal.value if principal.type == "user" and principal.value.startswith("arn:") else ""


def _keyed(again: Again, before: State, after: State, untold: list[str]) -> Again:
    old, new = before.request.context, after.request.context
    given, token = dict(again.given), dict(again.token.claims) if again.token else {}
    accepted = again.operation.input.members if again.operation.input else {}
    for key in sorted({*old, *new}):
        values = new.get(key, ())
        if old.get(key, ()) == values or key in _FOLLOWING:
            continue
        name, claim = _PARAMETERS.get(key, ""), _claim(again, before, key)
        if name in accepted and len(values) <= 1:
            given.pop(name, None)
            given |= {name: values[0]} if values else {}
        elif key.startswith(_TAG) and "Tags" in accepted and len(values) <= 1:
            given["Tags"] = _tagged(given.get("Tags", ()), key.removeprefix(_TAG), values)
        elif claim:
            token[_written(token, claim)] = list(values) if len(values) > 1 else values[0] if values else None
        else:
            untold.append(f"{key} is {', '.join(values) or 'absent'}")
    given = {name: value for name, value in given.items() if value != []}
    for name, action in _ALSO_ASKED.items():
        if given.get(name) and not again.given.get(name):
            untold.append(f"a call with {name} is asked for {action} as well, which this attempt was not")
    return replace(again, given=given, token=replace(again.token, claims=token) if again.token else None)


def _claim(again: Again, before: State, key: str) -> str:
    """The claim of the token of which a key is made."""
    if again.token is None or before.request.principal.type != "oidc":
        return ""
    host = before.request.principal.value.partition(":oidc-provider/")[2].lower()
    return key[len(host) + 1 :] if host and key.startswith(f"{host}:") else ""


def _written(token: JsonObject, claim: str) -> str:
    """A claim as the token has it: keys know no case, and of a token with `azp` that is what policies see as `aud`."""
    if claim == "aud" and "azp" in token:
        return "azp"
    return next((name for name in token if name.lower() == claim), claim)


def _tagged(tags: Any, name: str, values: tuple[str, ...]) -> list[dict[str, str]]:
    kept = [tag for tag in tags if tag["Key"].lower() != name]
    written = next((tag["Key"] for tag in tags if tag["Key"].lower() == name), name)
    return [*kept, *({"Key": written, "Value": value} for value in values)]


def _timed(again: Again, world: World, before: State, after: State) -> Again:
    old, new = (state.request.context.get("aws:epochtime", ()) for state in (before, after))
    if old == new or not new:
        return again
    try:
        return replace(again, seconds=int(new[0]) - int(world.now()))
    except ValueError:
        return again
