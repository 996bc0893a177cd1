"""The proof `claims` of an expectation: a token of any issuer by its claims, or one of a lab issuer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sts_emulator.accounts import documents
from sts_emulator.core.world import World
from sts_emulator.policy.arns import parse_arn
from sts_emulator.policy.deciding.engine import Principal
from sts_emulator.policy.federated import issuer_of
from sts_emulator.policy.json_types import JsonObject
from sts_emulator.scenario.expect import Expectation, ask_for
from sts_emulator.scenario.problems import ScenarioError
from sts_emulator.scenario.supposed import Keys, Supposed, taken

if TYPE_CHECKING:
    from sts_emulator.scenario.rehearse import Call

WEB_IDENTITY = "AssumeRoleWithWebIdentity"
TOKEN_LIFETIME = 600  # seconds, of a token made from bare claims


def present_issuers(call: Call, expectation: Expectation, role_arn: str, name: str, given: JsonObject) -> None:
    """A token of one of the scenario's issuers or of a preset: options and claims as for `sts-emulator token`."""
    from sts_emulator.idp import oidc
    from sts_emulator.idp.presets import PRESETS

    try:
        issuer = call.world.get(documents.ISSUER, name) or oidc.ensure_issuer(call.world, name)
        options = PRESETS[issuer["preset"]].options
        claims = oidc.compose(
            issuer, {key: _typed(options.get(key), value) for key, value in given.items()}, _now(call)
        )
    except ValueError as bad:
        raise ScenarioError.at(expectation.where.at("with"), str(bad)) from None
    _web_identity(call, expectation, role_arn, claims)


def present(call: Call, expectation: Expectation, role_arn: str, given: JsonObject) -> None:
    """A token of any issuer, by its claims; the times may be left out."""
    issued = int(_now(call))
    claims = {"iat": issued, "exp": issued + TOKEN_LIFETIME, **given}
    _web_identity(call, expectation, role_arn, {name: value for name, value in claims.items() if value is not None})


def _web_identity(call: Call, expectation: Expectation, role_arn: str, claims: JsonObject) -> None:
    from sts_emulator.methods.assume_role.assume_role import check_role_arn
    from sts_emulator.methods.web_identity import assume_role_with_web_identity as web_identity

    call.operation = WEB_IDENTITY
    check_role_arn(role_arn)
    arn = parse_arn(role_arn)
    assert arn is not None  # checked
    provider = web_identity.provider_of(call.world, arn.account, claims.get("iss"))
    web_identity.vend(call, provider, claims, ask_for(expectation, role_arn))


def _typed(default: object, value: object) -> object:
    """An option's value in the type of its default: YAML's values are texts here."""
    if value in ("true", "false") and (default is None or isinstance(default, bool)):
        return value == "true"
    return value


def _now(call: Call) -> float:
    return call.world.now()


def supposed(world: World, principal: Principal, keys: Keys) -> Supposed:
    """The claims that give a request's keys."""
    issuer = issuer_of(principal.value)
    claims = {"iss": f"https://{issuer}"}
    for name in [name for name in keys if name.startswith(f"{issuer.lower()}:")]:
        claims[name.rpartition(":")[2]] = taken(keys, name)
    provider = world.find(documents.OIDC_PROVIDER, principal.value)
    if provider is not None and provider["client_ids"]:
        claims.setdefault("aud", provider["client_ids"][0])  # a policy that does not test it takes any registered one
    return Supposed({"with": {"claims": {"sub": "somebody", **claims}}})
