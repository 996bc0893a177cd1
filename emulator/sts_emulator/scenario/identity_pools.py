"""Cognito identity pools in a scenario, and their users and guests as callers of its expectations."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar

from sts_emulator.accounts import documents
from sts_emulator.accounts.documents import IdentityPool
from sts_emulator.core import names
from sts_emulator.core.world import World
from sts_emulator.methods.cognito import identity_pools as stored_pools
from sts_emulator.policy.deciding.engine import Principal
from sts_emulator.policy.light_dataclass import dataclass
from sts_emulator.scenario import token_evidence
from sts_emulator.scenario.expect import Expectation, ask_for
from sts_emulator.scenario.load import Node
from sts_emulator.scenario.problems import ScenarioError, Where
from sts_emulator.scenario.seed import Section, Seed
from sts_emulator.scenario.shape import Mistake, Reader, Shape, text
from sts_emulator.scenario.supposed import Keys, Supposed, taken
from sts_emulator.vending.authorize import access_denied

if TYPE_CHECKING:
    from sts_emulator.methods.cognito.logins import Login
    from sts_emulator.scenario.rehearse import Call

_ID = re.compile(r"[a-z]{2}(-[a-z]+)+-[0-9]:[a-f0-9]{8}(-[a-f0-9]{4}){3}-[a-f0-9]{12}")


class Word(str):
    """One of a few words, as the API spells them."""

    __slots__ = ()
    words: ClassVar[Mapping[str, str]] = MappingProxyType({})

    @classmethod
    def read_node(cls, _reader: Reader, node: Node) -> Word:
        """Read one, in any case of letters."""
        known = cls.words.get(text(node).lower())
        if known is None:
            raise Mistake(f"expected one of {', '.join(cls.words)}, got {node.kind}")
        return cls(known)


class Match(Word):
    """How a rule compares a claim."""

    __slots__ = ()
    words = MappingProxyType(
        {"equals": "Equals", "contains": "Contains", "starts_with": "StartsWith", "not_equal": "NotEqual"}
    )


class Resolution(Word):
    """What happens where no role, or no single one, is meant."""

    __slots__ = ()
    words = MappingProxyType({"deny": "Deny", "authenticated": "AuthenticatedRole"})


_EQUALS, _DENY = Match("Equals"), Resolution("Deny")


@dataclass(frozen=True, kw_only=True)
class UserPoolClient(Shape):
    """An app client of a user pool whose users the identity pool knows; `pool` is the user pool's id."""

    pool: str
    client: str
    server_side_check: bool = False


@dataclass(frozen=True, kw_only=True)
class Rule(Shape):
    """A claim that gives a role, by name or ARN."""

    claim: str
    value: str
    role: str
    match: Match = _EQUALS


@dataclass(frozen=True, kw_only=True)
class RoleMapping(Shape):
    """Which role the users of a provider get: by `rules` or, without any, by the roles in their token."""

    ambiguous: Resolution = _DENY
    rules: tuple[Rule, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Pool(Shape):
    """An identity pool. `id` fixes its id; roles are named by name or ARN.

    `role_mappings` are keyed as in the API (`PROVIDER:CLIENT`, or an ARN), `principal_tags` by provider: claims by tag.
    """

    id: str = ""
    guests: bool = False
    classic_flow: bool = False
    user_pools: tuple[UserPoolClient, ...] = ()
    oidc_providers: tuple[str, ...] = ()
    saml_providers: tuple[str, ...] = ()
    social: Mapping[str, str] = field(default_factory=dict)
    developer: str = ""
    authenticated: str = ""
    unauthenticated: str = ""
    role_mappings: Mapping[str, RoleMapping] = field(default_factory=dict)
    principal_tags: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)


# -- seeding --------------------------------------------------------------------------------------------------------


def _create(seed: Seed, declared: Mapping[str, Pool]) -> None:
    for name, pool in declared.items():
        with seed.blame(pool.where, f"identity pool `{name}`"):
            stored = _named(seed, name)
            given = _settings(seed, name, pool)
            if stored is None:
                seed.call("cognito-identity", "CreateIdentityPool", **given)
            else:
                seed.call("cognito-identity", "UpdateIdentityPool", IdentityPoolId=stored["id"], **given)
            _fix_id(seed, name, pool)


def _connect(seed: Seed, declared: Mapping[str, Pool]) -> None:
    for name, pool in declared.items():
        with seed.blame(pool.where, f"identity pool `{name}`"):
            stored = _named(seed, name)
            assert stored is not None, "it was just made"
            kinds = {"authenticated": pool.authenticated, "unauthenticated": pool.unauthenticated}
            seed.call(
                "cognito-identity",
                "SetIdentityPoolRoles",
                IdentityPoolId=stored["id"],
                Roles={kind: role_arn(seed, pool.where.at(kind), role) for kind, role in kinds.items() if role},
                RoleMappings={key: _mapping(seed, mapping) for key, mapping in pool.role_mappings.items()} or None,
            )
            for provider, claims in pool.principal_tags.items():
                seed.call(
                    "cognito-identity",
                    "SetPrincipalTagAttributeMap",
                    IdentityPoolId=stored["id"],
                    IdentityProviderName=provider,
                    PrincipalTags=dict(claims),
                )


def _settings(seed: Seed, name: str, pool: Pool) -> Mapping[str, object]:
    region, account = seed.server.settings.region, seed.account
    given = {
        "CognitoIdentityProviders": [
            {
                "ProviderName": f"cognito-idp.{region}.amazonaws.com/{client.pool}",
                "ClientId": client.client,
                "ServerSideTokenCheck": client.server_side_check,
            }
            for client in pool.user_pools
        ],
        "OpenIdConnectProviderARNs": [_iam_arn(account, "oidc-provider", name) for name in pool.oidc_providers],
        "SamlProviderARNs": [_iam_arn(account, "saml-provider", name) for name in pool.saml_providers],
        "SupportedLoginProviders": dict(pool.social),
        "DeveloperProviderName": pool.developer,
        "IdentityPoolTags": dict(pool.tags),
    }
    return {
        "IdentityPoolName": name,
        "AllowUnauthenticatedIdentities": pool.guests,
        "AllowClassicFlow": pool.classic_flow,
        **{member: value for member, value in given.items() if value},
    }


def _iam_arn(account: str, kind: str, name: str) -> str:
    return name if name.startswith("arn:") else names.iam_arn(account, kind, "/", name.removeprefix("https://"))


def _mapping(seed: Seed, mapping: RoleMapping) -> Mapping[str, object]:
    rules = [
        {
            "Claim": rule.claim,
            "MatchType": rule.match,
            "Value": rule.value,
            "RoleARN": role_arn(seed, rule.where.at("role"), rule.role),
        }
        for rule in mapping.rules
    ]
    kind = {"Type": "Rules", "RulesConfiguration": {"Rules": rules}} if rules else {"Type": "Token"}
    return {**kind, "AmbiguousRoleResolution": mapping.ambiguous}


def role_arn(seed: Seed, where: Where, name: str) -> str:
    """The ARN that a role's name, or its ARN, means; whether the latter is there is for the operation to say."""
    return name if name.startswith("arn:") else seed.role(where, name)["arn"]


def _named(seed: Seed, name: str) -> IdentityPool | None:
    pools = seed.world.page(documents.IDENTITY_POOL, f"{seed.account}/{seed.server.settings.region}/")
    return next((pool for pool in pools if pool["settings"]["IdentityPoolName"] == name), None)


def _fix_id(seed: Seed, name: str, wanted: Pool) -> None:
    """Give the pool the id that the scenario fixes."""
    stored = _named(seed, name)
    assert stored is not None, "it was just made"
    if not wanted.id or wanted.id == stored["id"]:
        return
    place = wanted.where.at("id")
    if not _ID.fullmatch(wanted.id):
        raise ScenarioError.at(place, f"`{wanted.id[:60]}` is not a region, a colon and a lower-case UUID")
    if seed.world.find(documents.IDENTITY_POOL, wanted.id) is not None:
        raise ScenarioError.at(place, f"another identity pool has the id `{wanted.id}`")
    seed.world.take(documents.IDENTITY_POOL, stored_pools.key(stored))
    arn = stored_pools.arn_of(stored["account"], stored["region"], wanted.id)
    body: IdentityPool = {**stored, "id": wanted.id, "arn": arn}
    seed.world.add(documents.IDENTITY_POOL, stored_pools.key(body), body, uid=wanted.id)


SECTION = Section("identity_pools", Mapping[str, Pool], _create, _connect)


# -- expectations ---------------------------------------------------------------------------------------------------

_MEMBERS = ("pool", "guest", "user", "provider", "claims", "identity", "flow")
_FLOWS = ("enhanced", "basic", "chosen")


def present(call: Call, expectation: Expectation, role_arn: str, given: Mapping[str, Any]) -> None:
    """Come as a guest of an identity pool, or as a user with those claims, as if their provider had signed them.

    `pool` is a pool's name and `provider` one of its providers; both may be left out where there is only one. By the
    enhanced flow (the default) the pool must give `assume` by itself; `chosen` asks for it as CustomRoleArn does, and
    `basic` takes the pool's token to AssumeRoleWithWebIdentity.

    Raises:
        AwsError: as the server would.
        ScenarioError: an unknown member, or no such pool or provider.
    """
    from sts_emulator.methods.cognito import identities, pool_tokens, sign_in
    from sts_emulator.methods.web_identity import assume_role_with_web_identity as web_identity

    place = expectation.where.at("with")
    flow = given.get("flow", _FLOWS[0])
    for name in given:
        if name not in _MEMBERS:
            raise ScenarioError.at(place, f"unknown member `{name}` of `cognito`; known here: {', '.join(_MEMBERS)}")
    if flow not in _FLOWS:
        raise ScenarioError.at(place, f"no flow `{flow}`; there are: {', '.join(_FLOWS)}")
    call.service, call.operation = "cognito-identity", "GetCredentialsForIdentity"
    call.region = call.server.settings.region
    pool = _pool(call, place, given.get("pool", ""))
    identity = given.get("identity", "") or f"{pool['region']}:00000000-0000-4000-8000-000000000000"
    logins = [] if given.get("guest") == "true" else [_login(call, place, pool, given)]
    if not logins:
        identities.check_guests(call, pool)
    if flow == "basic":
        call.service, call.operation = "sts", "AssumeRoleWithWebIdentity"
        sign_in.check_classic(call, pool)
        claims = pool_tokens.claims(pool, identity, logins, call.world.now())
        web_identity.vend(call, sign_in.PROVIDER, claims, ask_for(expectation, role_arn))
        return
    wanted = role_arn if flow == "chosen" else ""
    given_role = sign_in.role_of(call, pool, logins, wanted)
    if given_role != role_arn:
        call.evidence["refused"] = told = f"the identity pool gives them the role {given_role}"
        raise access_denied(told)
    sign_in.vend(call, pool, identity, logins, wanted)


def supposed(world: World, principal: Principal, keys: Keys) -> Supposed:
    """A user or guest of the pool that a request's keys tell of.

    Bare claims where the scenario has no such pool or nobody of it signs in so, and where apps cannot take the pool's
    token to a role of their choice.
    """
    start = f"{principal.value}:"
    pool = world.find(documents.IDENTITY_POOL, keys.get(f"{start}aud", ("",))[0])
    who = _who(pool, keys.get(f"{start}amr", ("",))[0]) if pool else {}
    if pool is None or not who or pool["settings"].get("AllowClassicFlow") is False:
        return token_evidence.supposed(world, principal, keys)
    said = {name.removeprefix(start): taken(keys, name) for name in list(keys) if name.startswith(start)}
    identity = {"identity": said["sub"]} if "sub" in said else {}
    return Supposed({"with": {"cognito": {"pool": pool["id"], **who, **identity, "flow": "basic"}}})


def _who(pool: IdentityPool, way: str) -> dict[str, str]:
    """Who has such an `amr`: a guest, a user of any provider or of the one that it names, or nobody."""
    from sts_emulator.methods.cognito import logins

    known = logins.providers(pool)
    if way == "unauthenticated":
        return {"guest": "true"}
    if way == "authenticated" and known:
        return {"provider": known[0]}
    return {"provider": way} if way in known else {}


def _login(call: Call, place: Where, pool: IdentityPool, given: Mapping[str, object]) -> Login:
    from sts_emulator.methods.cognito import logins

    claims = given.get("claims") or {}
    if not isinstance(claims, Mapping):
        raise ScenarioError.at(place, "`claims` is a mapping")
    known = logins.providers(pool)
    provider = given.get("provider") or (known[0] if len(known) == 1 else "")
    if provider not in known:
        raise ScenarioError.at(place, f"`cognito` needs a `provider` of the pool; there are: {', '.join(known)}")
    return logins.supposed(call, pool, provider, {"sub": given.get("user", "somebody"), **claims})


def _pool(call: Call, place: Where, name: str) -> IdentityPool:
    pools = call.world.page(documents.IDENTITY_POOL)
    named = [pool for pool in pools if not name or name in (pool["settings"]["IdentityPoolName"], pool["id"])]
    if len(named) != 1:
        listed = ", ".join(pool["settings"]["IdentityPoolName"] for pool in pools) or "none"
        raise ScenarioError.at(place, f"`cognito` needs a `pool` of the scenario; there are: {listed}")
    return named[0]
