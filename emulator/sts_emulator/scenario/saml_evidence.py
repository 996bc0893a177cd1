"""The proof `saml` of an expectation: a lab identity provider's assertion about a user, judged as by the server.

All but the signature itself, which would be good: that the provider knows the certificate is looked at.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from sts_emulator.accounts.documents import SamlIdp
from sts_emulator.core.world import World
from sts_emulator.policy.deciding.engine import Principal
from sts_emulator.scenario import assumed_providers
from sts_emulator.scenario.expect import Expectation, ask_for
from sts_emulator.scenario.problems import ScenarioError
from sts_emulator.scenario.supposed import Keys, Supposed

if TYPE_CHECKING:
    from sts_emulator.scenario.rehearse import Call

_NUMBERS = ("session_duration", "expires_in")


def present(call: Call, expectation: Expectation, role_arn: str, given: Mapping[str, Any]) -> None:
    """Make the request that `with: {saml: {user: jane, …}}` means; beside `user` and `idp` it takes what a Wish has.

    Raises:
        AwsError: as the server would.
        ScenarioError: no such identity provider or user, or a member that makes no sense.
    """
    from sts_emulator.idp import identity_providers
    from sts_emulator.methods.assume_role.assume_role import check_role_arn
    from sts_emulator.methods.saml import assume_role_with_saml, message, verify

    call.operation = "AssumeRoleWithSAML"
    check_role_arn(role_arn)
    where = expectation.where.at("with")
    try:
        idp = _idp(call, given.get("idp", ""))
        wish = identity_providers.Wish(**_wishes(given))
        text = identity_providers.suppose_user(idp, given.get("user", ""), call.world.now(), wish)
    except (ValueError, TypeError) as bad:
        raise ScenarioError.at(where, str(bad)) from None
    assumed_providers.of_idp(call.world, identity_providers.provider_arn(idp, role_arn), idp, _origin(call))
    provider = assume_role_with_saml.trusted(call.world, identity_providers.provider_arn(idp, role_arn))
    signer = base64.b64decode(idp["certificate"])
    claims = verify.suppose(provider, message.read(text), signer, call.world.now(), verify.SIGN_IN)
    assume_role_with_saml.vend(call, provider, claims, ask_for(expectation, role_arn))


def _origin(call: Call) -> str:
    return f"http://{call.server.settings.host}:{call.server.settings.port}"


def supposed(_world: World, principal: Principal, keys: Keys) -> Supposed:
    """Somebody of the provider; which user of an identity provider it could be, nobody can tell from the keys."""
    said = ", ".join(f"{key}={','.join(keys.pop(key))}" for key in list(keys) if key.startswith("saml:"))
    told = f"an assertion of {principal.value}{f' with {said}' if said else ''}, of a user that you have"
    return Supposed({"with": {"saml": {"user": "somebody"}}}, told)


def _idp(call: Call, name: str) -> SamlIdp:
    from sts_emulator.idp.identity_providers import KIND

    known = call.world.page(KIND)
    providers = [idp for idp in known if not name or idp["name"] == name]
    if len(providers) != 1:
        listed = ", ".join(idp["name"] for idp in known) or "none"
        raise ValueError(f"`saml` needs an `idp` of the scenario; there are: {listed}")
    return providers[0]


def _wishes(given: Mapping[str, Any]) -> dict[str, Any]:
    wishes = {name: value for name, value in given.items() if name not in ("user", "idp")}
    if not isinstance(wishes.get("tags") or {}, Mapping):
        raise TypeError("`tags` takes a mapping")
    return {name: int(value) if name in _NUMBERS else value for name, value in wishes.items()}
