"""An attempt to take away: as a command, as a program, as an expectation of a scenario, as a test."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator, Mapping
from typing import Any, Final

from sts_emulator.accounts import documents
from sts_emulator.analysis.suggest import expectation
from sts_emulator.core.errors import AwsError
from sts_emulator.core.names import account_in
from sts_emulator.core.world import World
from sts_emulator.policy.deciding.engine import Request
from sts_emulator.vending.context import Exchange
from sts_emulator.web.attempts import ALLOWED, Attempt
from sts_emulator.web.proofs import claims
from sts_emulator.wire import http, models
from sts_emulator.wire.models import Operation, Shape

_WORD = re.compile("(.)([A-Z][a-z]+)")
_END = re.compile("([a-z0-9])([A-Z])")
_PLURAL = re.compile("[A-Z]{2,}s$")
_OF_A_MOMENT: Final = frozenset(("iss", "iat", "exp", "nbf", "jti"))
_BY_THEMSELVES: Final = (
    *("aws:principal", "aws:resource", "aws:userid", "aws:username", "aws:currenttime", "aws:epochtime"),
    *("aws:tokenissuetime", "aws:federatedprovider", "aws:multifactorauthage", "sts:roleauthorizedbyidp"),
)
"""Beginnings of keys that follow from who asks for what and when."""


def of_attempt(world: World, endpoint: str, known: Attempt, kept: Exchange | None) -> dict[str, str]:
    """By what it is: nothing where a page was visited, and no curl where the call itself is not kept any more."""
    operations = models.service(known.service).operations if known.service in models.services() else {}
    operation = operations.get(known.operation)
    if operation is None:
        return {}
    given = _parameters(operation, known, kept)
    copied = {
        "AWS CLI": _cli(endpoint, known, given),
        "boto3": _boto3(endpoint, known, given),
        "pytest": _pytest(world, known, given, kept),
    }
    if kept is not None:
        copied["curl"] = _curl(endpoint, known, kept)
    return copied


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


# -- parameters ------------------------------------------------------------------------------------------------------


def _parameters(operation: Operation, known: Attempt, kept: Exchange | None) -> dict[str, Any]:
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


def _wired(shape: Shape | None, value: Any) -> Any:
    """What a record tells, with the names of the model."""
    if shape is not None and isinstance(value, Mapping) and shape.members:
        names = {name.lower(): name for name in shape.members}
        return {
            names[name.lower()]: _wired(shape.members[names[name.lower()]].shape, item)
            for name, item in value.items()
            if name.lower() in names
        }
    if shape is not None and isinstance(value, list) and shape.member is not None:
        return [_wired(shape.member.shape, item) for item in value]
    return dict(value) if isinstance(value, Mapping) else value


# -- forms -----------------------------------------------------------------------------------------------------------


def _cli(endpoint: str, known: Attempt, given: Mapping[str, Any]) -> str:
    parts = [f"aws {known.service} {snake(known.operation).replace('_', '-')} --endpoint-url {shlex.quote(endpoint)}"]
    for name, value in given.items():
        text = value if isinstance(value, str) else json.dumps(value)
        parts.append(f"  --{snake(name).replace('_', '-')} {shlex.quote(text)}")
    return "\n".join([*_shell_of(known), " \\\n".join(parts)])


def _shell_of(known: Attempt) -> Iterator[str]:
    """How a shell becomes the caller."""
    kind, _, name = known.who.partition("/")
    if kind == "user" and known.principal.startswith("arn:"):
        account = account_in(known.principal)
        yield f'eval "$(sts-emulator env --account {account} --user {shlex.quote(name.rpartition("/")[2])})"'
    elif kind == "assumed-role":
        yield f"# with the credentials of {known.principal}".replace("\n", " ")


def _boto3(endpoint: str, known: Attempt, given: Mapping[str, Any]) -> str:
    region = known.record["awsRegion"]
    client = f"boto3.client({known.service!r}, endpoint_url={endpoint!r}, region_name={region!r})"
    return "\n".join(["import boto3", "", f"client = {client}", f"print({_call('client', known, given)})"])


def _call(client: str, known: Attempt, given: Mapping[str, Any], indent: str = "") -> str:
    arguments = "".join(f"{indent}    {name}={value!r},\n" for name, value in given.items())
    name = f"{client}.{snake(known.operation)}"
    return f"{name}(\n{arguments}{indent})" if arguments else f"{name}()"


def _pytest(world: World, known: Attempt, given: Mapping[str, Any], kept: Exchange | None) -> str:
    is_allowed = known.outcome == ALLOWED
    lines = [] if is_allowed else ["import pytest", "from botocore.exceptions import ClientError", "", ""]
    lines.append(f"def test_{snake(known.operation)}_is_{'allowed' if is_allowed else 'refused'}(aws):")
    kind, _, name = known.who.partition("/")
    user = f', user="{name.rpartition("/")[2]}"' if kind == "user" else ""
    lines.append(f"    client = aws.client({known.service!r}{user})")
    shown = dict(given)
    issued = claims(kept.request) if kept is not None and "WebIdentityToken" in given else {}
    issuer = world.find(documents.ISSUER, str(issued.get("iss", "")))
    if issuer is not None:
        told = {name: value for name, value in issued.items() if name not in _OF_A_MOMENT}
        lines.append(f"    token = aws.token({issuer['name']!r}, **{told!r})")
        shown["WebIdentityToken"] = _Name("token")
    if is_allowed:
        lines.append(f"    assert {_call('client', known, shown, '    ')}")
    else:
        code = known.record["additionalEventData"].get("told", {}).get("code", "")
        lines.append("    with pytest.raises(ClientError) as refused:")
        lines.append(f"        {_call('client', known, shown, '        ')}")
        lines.append(f'    assert refused.value.response["Error"]["Code"] == {code!r}')
    return "\n".join(lines)


class _Name(str):
    """A name of a program, written without quotes."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


def _curl(endpoint: str, known: Attempt, kept: Exchange) -> str:
    request = kept.request
    target = request.raw_path + (f"?{request.query}" if request.query else "")
    parts = [f"curl -X {request.method} {shlex.quote(f'{endpoint}{target}')}"]
    if "authorization" in request.headers:
        region = known.record["awsRegion"]
        parts.append(f"  --aws-sigv4 aws:amz:{region}:{known.service}")
        parts.append('  --user "$AWS_ACCESS_KEY_ID:$AWS_SECRET_ACCESS_KEY"')
    if "x-amz-security-token" in request.headers:
        parts.append('  -H "x-amz-security-token: $AWS_SESSION_TOKEN"')
    parts += [
        f"  -H {shlex.quote(f'{name}: {request.headers[name]}')}"
        for name in ("content-type", "x-amz-target", "accept")
        if name in request.headers
    ]
    if request.body:
        parts.append(f"  --data-binary {shlex.quote(request.body.decode('utf-8', 'replace'))}")
    return " \\\n".join(parts)
