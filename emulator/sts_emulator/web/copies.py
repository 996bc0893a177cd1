"""An attempt, or a replay of one, to take away: as commands, as a program, as a test, as a scenario's expectation."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator, Mapping
from typing import Any, Final
from urllib.parse import urlsplit

from sts_emulator.analysis.suggest import expectation
from sts_emulator.core.world import DEFAULT, World
from sts_emulator.idp.presets import PRESETS, misspelt
from sts_emulator.pages.visit import Visit
from sts_emulator.policy.arns import account_in
from sts_emulator.policy.deciding.engine import Request
from sts_emulator.policy.json_types import JsonObject
from sts_emulator.policy.light_dataclass import dataclass
from sts_emulator.settings import Settings
from sts_emulator.web.again import TOKEN, Again, Token
from sts_emulator.wire import models

_WORD = re.compile("(.)([A-Z][a-z]+)")
_END = re.compile("([a-z0-9])([A-Z])")
_PLURAL = re.compile("[A-Z]{2,}s$")
_BY_THEMSELVES: Final = (
    *("aws:principal", "aws:resource", "aws:userid", "aws:username", "aws:currenttime", "aws:epochtime"),
    *("aws:tokenissuetime", "aws:federatedprovider", "aws:multifactorauthage", "sts:roleauthorizedbyidp"),
)
"""Beginnings of keys that follow from who asks for what and when."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where it is asked again: the world's endpoint and name, and whether the server asks for its token."""

    endpoint: str
    world: str
    guarded: bool

    @classmethod
    def of(cls, visit: Visit) -> Place:
        return cls(visit.base_url, visit.world.name, visit.server.settings.is_shared)

    @property
    def server(self) -> str:
        return self.endpoint.removesuffix(f"/w/{self.world}")

    @property
    def clock(self) -> str:
        """Where the world's clock is moved."""
        return f"/_emulator/api/worlds/{self.world}/clock"

    @property
    def options(self) -> str:
        """What the emulator's own commands need to find it."""
        world = "" if self.world == DEFAULT else f" --world {self.world}"
        port = urlsplit(self.endpoint).port
        return world + ("" if port in (None, Settings().port) else f" --port {port}")


def of_call(visit: Visit, again: Again) -> dict[str, str]:
    """By what it is; curl where the call itself is still kept, or is a form that can be filled in."""
    place = Place.of(visit)
    copied = {"AWS CLI": _cli(place, again), "boto3": _boto3(place, again), "pytest": _pytest(again)}
    if not again.is_replay:
        return copied | ({"curl": _curl(place, again)} if again.kept is not None else {})
    is_form = models.service(again.service).protocol == "query"
    return copied | ({"curl": _curl_of_form(place, again)} if is_form else {})


def of_question(world: World, request: Request, tree: Mapping[str, Any]) -> dict[str, str]:
    """A question and its answer as an expectation of a scenario."""
    tested = {
        condition["key"].lower()
        for layer in tree["layers"]
        for policy in layer["policies"]
        for statement in policy["statements"]
        for condition in statement["conditions"]
    }
    keys = {
        key: values
        for key, values in request.context.items()
        if (key in tested or key.endswith((":sub", ":aud"))) and not key.startswith(_BY_THEMSELVES)
    }
    because = {"layer": tree["decided_by"][0]} if tree["decided_by"] else None
    result = "allow" if tree["decision"] == "allow" else "deny"
    try:
        lines = list(expectation(world, request, keys, result, because))
    except LookupError:  # a caller whom no method proves
        return {}
    return {"Expectation of a scenario": "\n".join(["expect:", *(f"  {line}" for line in lines)])}


def snake(name: str) -> str:
    """A name of the wire as boto3 writes it; the AWS CLI writes the same with hyphens."""
    if plural := _PLURAL.search(name):
        name = f"{name[: -len(plural[0])]}_{plural[0].lower()}"
    return _END.sub(r"\1_\2", _WORD.sub(r"\1_\2", name)).lower()


# -- shell -----------------------------------------------------------------------------------------------------------


def _cli(place: Place, again: Again) -> str:
    parts = [_aws(place, again.service, again.operation.name)]
    for name, value in _shown(again).items():
        text = '"$TOKEN"' if value is _TOKEN else shlex.quote(value if isinstance(value, str) else json.dumps(value))
        parts.append(f"  --{snake(name).replace('_', '-')} {text}")
    return "\n".join([*_before(place, again), *_becoming(place, again), " \\\n".join(parts)])


def _aws(place: Place, service: str, operation: str) -> str:
    return f"aws {service} {snake(operation).replace('_', '-')} --endpoint-url {shlex.quote(place.endpoint)}"


def _before(place: Place, again: Again) -> Iterator[str]:
    """What a shell does before the call."""
    yield from _untold(again)
    if again.seconds:
        token = ' -H "Authorization: Bearer $EMULATOR_TOKEN"' if place.guarded else ""
        moved = f"-H 'content-type: application/json' -d '{{\"advance_seconds\": {again.seconds}}}'"
        yield f"curl -sS {shlex.quote(place.server + place.clock)}{token} {moved}"
    if again.trust:
        account = account_in(again.role)
        yield f'eval "$(sts-emulator env --account {account}{place.options})"'
        saved = f"--role-name {shlex.quote(_role_name(again))} --policy-document {shlex.quote(_flat(again.trust))}"
        yield f"{_aws(place, 'iam', 'UpdateAssumeRolePolicy')} {saved}"
    if (token_of := _made(again)) is not None:
        issuer = token_of.issuer
        kind = issuer if issuer in PRESETS else f"{next(iter(PRESETS))} --issuer {shlex.quote(issuer)}"
        said = " ".join(
            f"--claim {shlex.quote(f'{name}={json.dumps(value)}')}" for name, value in token_of.claims.items()
        )
        yield f'TOKEN="$(sts-emulator token {kind}{place.options} {said})"'


def _becoming(place: Place, again: Again) -> Iterator[str]:
    """How a shell becomes the caller."""
    if again.user:
        user = f"--account {again.account} --user {shlex.quote(again.user)}"
        yield f'eval "$(sts-emulator env {user}{place.options})"'
    elif ":assumed-role/" in again.principal:
        yield f"# with the credentials of {_flat(again.principal)}"


def _untold(again: Again) -> Iterator[str]:
    if again.untold:
        yield "# The replay said more than a call can:"
        yield from (f"#   {_flat(text)}" for text in again.untold)


def _curl(place: Place, again: Again) -> str:
    assert again.kept is not None  # else there is none
    request = again.kept.request
    target = request.raw_path + (f"?{request.query}" if request.query else "")
    parts = [f"curl -X {request.method} {shlex.quote(f'{place.endpoint}{target}')}"]
    parts += _signing(again, request.headers)
    parts += [
        f"  -H {shlex.quote(f'{name}: {request.headers[name]}')}"
        for name in ("content-type", "x-amz-target", "accept")
        if name in request.headers
    ]
    if request.body:
        parts.append(f"  --data-binary {shlex.quote(request.body.decode('utf-8', 'replace'))}")
    return " \\\n".join(parts)


def _curl_of_form(place: Place, again: Again) -> str:
    parts = [f"curl {shlex.quote(f'{place.endpoint}/')}"]
    if again.operation.auth != "none":
        parts += _signing(again, _SESSION if ":assumed-role/" in again.principal else _SIGNED)
    version = models.service(again.service).api_version
    fields = {"Action": again.operation.name, "Version": version, **dict(_members("", _shown(again)))}
    for name, value in fields.items():
        text = f'"{name}=$TOKEN"' if value is _TOKEN else shlex.quote(f"{name}={value}")
        parts.append(f"  --data-urlencode {text}")
    return "\n".join([*_before(place, again), *_becoming(place, again), " \\\n".join(parts)])


_SIGNED: Final = {"authorization": ""}
_SESSION: Final = {**_SIGNED, "x-amz-security-token": ""}


def _signing(again: Again, headers: Mapping[str, str]) -> list[str]:
    """How curl signs a call that was signed."""
    parts = []
    if "authorization" in headers:
        parts.append(f"  --aws-sigv4 aws:amz:{again.region}:{again.service}")
        parts.append('  --user "$AWS_ACCESS_KEY_ID:$AWS_SECRET_ACCESS_KEY"')
    if "x-amz-security-token" in headers:
        parts.append('  -H "x-amz-security-token: $AWS_SESSION_TOKEN"')
    return parts


def _members(name: str, value: object) -> Iterator[tuple[str, Any]]:
    """Parameters as a form has them."""
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from _members(f"{name}.{key}" if name else key, item)
    elif isinstance(value, list):
        for number, item in enumerate(value, 1):
            yield from _members(f"{name}.member.{number}", item)
    else:
        yield name, value


# -- Python ----------------------------------------------------------------------------------------------------------


def _boto3(place: Place, again: Again) -> str:
    lines, made = list(_untold(again)), _made(again)
    if again.seconds or made:
        lines += [
            "import json",
            *(["import os"] if place.guarded else []),
            "from urllib.request import Request, urlopen",
            "",
        ]
    lines += ["import boto3", ""]
    if again.seconds or made:
        token = ', "authorization": f"Bearer {os.environ[\'EMULATOR_TOKEN\']}"' if place.guarded else ""
        lines += [
            "",
            "def post(url, body):",
            f'    headers = {{"content-type": "application/json"{token}}}',
            "    return json.load(urlopen(Request(url, json.dumps(body).encode(), headers)))",
            *("", ""),
        ]
    if again.seconds:
        lines.append(f"post({place.server + place.clock!r}, {{'advance_seconds': {again.seconds}}})")
    if again.trust:
        lines += [
            f"# as root of {account_in(again.role)}, or who else may",
            f"iam = {_client(place, again, 'iam')}",
        ]
        lines.append(f"iam.update_assume_role_policy({_saved(again)})")
    if made is not None:
        page = f"{place.endpoint}/issuers/{made.issuer}/token"
        lines.append(f"token = post({page!r}, {dict(made.claims)!r})['token']")
    lines += [f"client = {_client(place, again, again.service)}", f"print({_call(again)})"]
    return "\n".join(lines)


def _client(place: Place, again: Again, service: str) -> str:
    return f"boto3.client({service!r}, endpoint_url={place.endpoint!r}, region_name={again.region!r})"


def _saved(again: Again) -> str:
    return f"RoleName={_role_name(again)!r}, PolicyDocument={_flat(again.trust)!r}"


def _call(again: Again, indent: str = "", *, is_test: bool = False) -> str:
    shown = _shown(again, is_test=is_test)
    arguments = "".join(f"{indent}    {name}={value!r},\n" for name, value in shown.items())
    name = f"client.{snake(again.operation.name)}"
    return f"{name}(\n{arguments}{indent})" if arguments else f"{name}()"


def _pytest(again: Again) -> str:
    lines = [] if again.allowed else ["import pytest", "from botocore.exceptions import ClientError", "", ""]
    lines.append(f"def test_{snake(again.operation.name)}_is_{'allowed' if again.allowed else 'refused'}(aws):")
    lines += [f"    {line}" for line in _body(again)]
    if again.allowed:
        lines.append(f"    assert {_call(again, '    ', is_test=True)}")
        return "\n".join(lines)
    lines.append(f"    with pytest.raises(ClientError){' as refused' if again.code else ''}:")
    lines.append(f"        {_call(again, '        ', is_test=True)}")
    if again.code:
        lines.append(f'    assert refused.value.response["Error"]["Code"] == {again.code!r}')
    return "\n".join(lines)


def _body(again: Again) -> Iterator[str]:
    """What a test does before the call."""
    yield from _untold(again)
    if again.seconds:
        yield f"aws.advance({again.seconds})"
    if again.trust:
        yield f'iam = aws.client("iam", aws.credentials(account={account_in(again.role)!r}))'
        yield f"iam.update_assume_role_policy({_saved(again)})"
    if (token := _made(again, is_test=True)) is not None:
        issuer, claims = token.issuer, dict(token.claims)
        made = f"aws.token({issuer!r}, **{claims!r})"
        if misspelt(issuer, claims):
            made = f"aws.page('POST', {f'issuers/{issuer}/token'!r}, body={claims!r})['token']"
        yield f"token = {made}"
    if again.user:
        caller = f"aws.credentials(account={again.account!r}, user={again.user!r})"
        yield f"client = aws.client({again.service!r}, {caller})"
    else:
        if ":assumed-role/" in again.principal:
            yield f"# put in its credentials: {_flat(again.principal)}"
        yield f"client = aws.client({again.service!r})"


class _Name(str):
    """A name of a program, written without quotes."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


_TOKEN: Final = _Name("token")


def _shown(again: Again, *, is_test: bool = False) -> JsonObject:
    """The parameters, the token by its name where one is made before."""
    return {**again.given, TOKEN: _TOKEN} if _made(again, is_test=is_test) else again.given


def _made(again: Again, *, is_test: bool = False) -> Token | None:
    """The token that is made anew: for a replay, as it is another, and for a test, which is run for long."""
    return again.token if TOKEN in again.given and (again.is_replay or is_test) else None


def _role_name(again: Again) -> str:
    return again.role.rpartition("/")[2]


def _flat(text: str) -> str:
    return " ".join(text.split())
