"""The proof `caller` of an expectation: a user, a role's session or root signs the request, or a service makes it."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

from sts_emulator.accounts import documents, resources
from sts_emulator.core.errors import AwsError
from sts_emulator.core.store import Kind
from sts_emulator.core.world import Body, World
from sts_emulator.policy.deciding.engine import Principal
from sts_emulator.policy.json_types import JsonObject
from sts_emulator.scenario.expect import Caller, Expectation, ask_for
from sts_emulator.scenario.problems import ScenarioError
from sts_emulator.scenario.supposed import Keys, Supposed, taken
from sts_emulator.vending import authenticate
from sts_emulator.vending.assume import Proof, assume
from sts_emulator.vending.context import Caller as Signer
from sts_emulator.vending.services import service_keys
from sts_emulator.vending.session import ROLE, USER, Session
from sts_emulator.wire import dispatch, models, validate

if TYPE_CHECKING:
    from sts_emulator.scenario.rehearse import Call

HOUR = 3600
_SOURCE = {"aws:sourcearn": "source_arn", "aws:sourceaccount": "source_account"}


def present(call: Call, expectation: Expectation, role_arn: str, caller: Caller) -> None:
    """Make the request as the caller would.

    Raises:
        AwsError: as the server would.
        ScenarioError: there is no such caller.
    """
    if caller.service:
        role = resources.role_by_arn(call.world, role_arn)
        assume(call, _service_proof(call.world, caller), "sts:AssumeRole", role, ask_for(expectation, role_arn))
    else:
        call.caller = signer(call.world, caller)
        _assume_role(call, _parameters(expectation, role_arn))


def supposed(world: World, principal: Principal, keys: Keys) -> Supposed:
    """The caller that a request of `principal` has; a user or role that is not the scenario's stands for others."""
    if principal.type == "service":
        source = {member: taken(keys, key) for key, member in _SOURCE.items() if key in keys}
        return Supposed({"caller": {"service": principal.value, **source} if source else principal.value})
    arn = principal.role_arn or principal.user_arn
    known = resources.role_by_arn(world, arn) or resources.user_by_arn(world, arn)
    told = "" if known else f"any principal of account {principal.account}; this one stands for it"
    if keys.pop("aws:multifactorauthpresent", ()) == ("true",):
        user = {"user": arn.rpartition("/")[2], "account": principal.account, "mfa": "true"}
        return Supposed({"caller": user}, told)
    return Supposed({"caller": arn}, told)


def _assume_role(call: Call, parameters: JsonObject) -> None:
    call.operation = "AssumeRole"
    validate.validate(models.service("sts").operations[call.operation], parameters)
    function = dispatch.find("sts", call.operation)
    assert function is not None
    result = function(call, **parameters)
    if inspect.iscoroutine(result):
        result.close()
        raise AwsError("InvalidIdentityToken", "the issuer's keys would have to be fetched")


def _parameters(expectation: Expectation, role_arn: str) -> JsonObject:
    given = {
        "RoleArn": role_arn,
        "RoleSessionName": expectation.session_name,
        "ExternalId": expectation.external_id,
        "SourceIdentity": expectation.source_identity,
        "DurationSeconds": expectation.duration,
        "Policy": expectation.policy,
        "Tags": [{"Key": key, "Value": value} for key, value in expectation.tags.items()],
        "TransitiveTagKeys": list(expectation.transitive),
    }
    return {name: value for name, value in given.items() if value}


def _service_proof(world: World, caller: Caller) -> Proof:
    keys = service_keys(
        world, caller.service, source_arn=caller.source_arn or "", source_account=caller.source_account or ""
    )
    return Proof(method="service", principal=Principal("service", caller.service), context=keys)


# -- who signs ------------------------------------------------------------------------------------------------------


def stored_by_name(world: World, kind: Kind[Body], name: str, account: str = "") -> list[Body]:
    """The users or roles of that name, in one account or in all."""
    accounts = [account] if account else [known["id"] for known in world.page(documents.ACCOUNT)]
    bodies = [world.get(kind, resources.key_of(owner, name)) for owner in accounts]
    return [body for body in bodies if body is not None and body["name"] == name]


def _only(world: World, caller: Caller, kind: Kind[Body], name: str) -> Body:
    named = stored_by_name(world, kind, name, caller.account)
    if len(named) != 1:
        noun = "user" if caller.user else "role"
        problem = f"more than one account has a {noun} `{name}`; add `account`" if named else f"no {noun} `{name}`"
        raise ScenarioError.at(caller.where, problem)
    return named[0]


def signer(world: World, caller: Caller) -> Signer:
    """Who signs: a user, root, or a session of a role that nobody had to assume. Raises ScenarioError: nobody such."""
    if caller.root:
        return authenticate.root_caller(world, caller.root, "")
    if caller.user and not caller.mfa:
        user = _only(world, caller, documents.USER, caller.user)
        key = {"account": user["account"], "user": user["name"], "id": f"expected {user['arn']}"}
        return authenticate.caller_of_key(world, key)
    return authenticate.caller_of_session(world, _session(world, caller), "")


def _session(world: World, caller: Caller) -> Session:
    named: Kind[Any] = documents.USER if caller.user else documents.ROLE
    holder = _only(world, caller, named, caller.user or caller.role)
    kind = USER if caller.user else ROLE
    now = int(world.now())
    return Session(
        kind=kind,
        account=holder["account"],
        name=holder["name"],
        id=holder["id"],
        issued=now,
        expires=now + HOUR,
        session_name=caller.session if kind == ROLE else "",
        tags=dict(caller.tags),
        transitive=caller.transitive,
        source_identity=caller.source_identity,
        mfa_at=now if caller.mfa else 0,
        policy=caller.policy or "",
    )
