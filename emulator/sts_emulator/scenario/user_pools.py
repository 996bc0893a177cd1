"""Cognito user pools in a scenario: their app clients, groups, and users with passwords."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import field
from types import MappingProxyType
from typing import Any

from sts_emulator.accounts import documents
from sts_emulator.core.spelling import meant
from sts_emulator.idp import oidc
from sts_emulator.idp.identity_providers import metadata
from sts_emulator.idp.user_pools import kinds, passwords, pools
from sts_emulator.idp.user_pools.managed_login.app_settings import LOCAL
from sts_emulator.idp.user_pools.triggers import configuration
from sts_emulator.policy.json_types import JsonObject
from sts_emulator.policy.light_dataclass import dataclass
from sts_emulator.scenario.identity_pools import Word, role_arn
from sts_emulator.scenario.problems import ScenarioError
from sts_emulator.scenario.seed import Section, Seed
from sts_emulator.scenario.shape import Shape

_CLIENT_ID = re.compile(r"[\w+]{1,128}")
_SCOPES = ("openid", "email", "phone", "profile", "aws.cognito.signin.user.admin")
_VERSIONS = {"PreTokenGenerationV2": "V2_0", "PreTokenGenerationV3": "V3_0"}
_FLOWS = ("USER_SRP_AUTH", "USER_PASSWORD_AUTH", "ADMIN_USER_PASSWORD_AUTH", "REFRESH_TOKEN_AUTH")


class Mfa(Word):
    """Whether users must or may have a second factor."""

    __slots__ = ()
    words = MappingProxyType({"off": "OFF", "optional": "OPTIONAL", "on": "ON"})


_OFF = Mfa("OFF")


@dataclass(frozen=True, kw_only=True)
class Client(Shape):
    """An app client. `id` and `secret` are fixed; `flows` are those of the API, without ALLOW_.

    With `callbacks` its users sign in by managed login, or with `oauth: [client_credentials]` the app itself does.
    """

    id: str = ""
    secret: str = ""
    flows: tuple[str, ...] = _FLOWS
    hide_users: bool = False
    oauth: tuple[str, ...] = ()
    scopes: tuple[str, ...] = ()
    callbacks: tuple[str, ...] = ()
    logouts: tuple[str, ...] = ()
    identity_providers: tuple[str, ...] = (LOCAL,)


@dataclass(frozen=True, kw_only=True)
class Group(Shape):
    """A group of users, with a role by name or ARN."""

    role: str = ""
    precedence: int | None = None
    description: str = ""


@dataclass(frozen=True, kw_only=True)
class User(Shape):
    """A user with a password for good, or with a temporary one."""

    password: str = ""
    temporary_password: str = ""
    attributes: Mapping[str, str] = field(default_factory=dict)
    groups: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Vouching(Shape):
    """Who else vouches for users: a lab identity provider (`saml_idp`), or an issuer of OIDC tokens by name or URL.

    `mapping` is from attributes of the pool to the provider's claims. Of SAML: `idp_initiated` sign-ins, `encrypted`
    assertions only, `signed_requests` of the pool, and whether signing out reaches the provider (`sign_out`).
    """

    saml_idp: str = ""
    idp_initiated: bool = False
    encrypted: bool = False
    signed_requests: bool = False
    sign_out: bool = False
    issuer: str = ""
    url: str = ""
    client_id: str = ""
    client_secret: str = ""
    scopes: str = "openid email profile"
    mapping: Mapping[str, str] = field(default_factory=dict)
    identifiers: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Pool(Shape):
    """A user pool. `id` fixes its id; `sign_in_with` are attributes that stand in for usernames.

    `first_factors` are EMAIL_OTP, SMS_OTP and WEB_AUTHN, beside the password, for clients with the flow USER_AUTH;
    `relying_party` is the host that passkeys are for.
    `domain` switches managed login on; `resource_servers` are APIs, by identifier, with the names of their scopes.
    `triggers` are ARNs of Lambda functions by the names of LambdaConfig, `PreTokenGenerationV2` and `…V3` among them.
    """

    id: str = ""
    domain: str = ""
    mfa: Mfa = _OFF
    sign_in_with: tuple[str, ...] = ()
    verify: tuple[str, ...] = ()
    sign_up: bool = True
    triggers: Mapping[str, str] = field(default_factory=dict)
    custom_attributes: tuple[str, ...] = ()
    first_factors: tuple[str, ...] = ()
    relying_party: str = ""
    identity_providers: Mapping[str, Vouching] = field(default_factory=dict)
    resource_servers: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    clients: Mapping[str, Client] = field(default_factory=dict)
    groups: Mapping[str, Group] = field(default_factory=dict)
    users: Mapping[str, User] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)


def _create(seed: Seed, declared: Mapping[str, Pool]) -> None:
    for name, pool in declared.items():
        with seed.blame(pool.where, f"user pool `{name}`"):
            identifier = _ensure_pool(seed, name, pool)
            if pool.mfa != _OFF or pool.relying_party:
                seed.call(
                    "cognito-idp",
                    "SetUserPoolMfaConfig",
                    UserPoolId=identifier,
                    MfaConfiguration=pool.mfa,
                    SoftwareTokenMfaConfiguration={"Enabled": True} if pool.mfa != _OFF else None,
                    WebAuthnConfiguration={"RelyingPartyId": pool.relying_party} if pool.relying_party else None,
                )
            _ensure_domain(seed, identifier, pool)
        for provider_name, provider in pool.identity_providers.items():
            with seed.blame(provider.where, f"identity provider `{provider_name}`"):
                _ensure_provider(seed, identifier, provider_name, provider)
        for client_name, client in pool.clients.items():
            with seed.blame(client.where, f"app client `{client_name}`"):
                _ensure_client(seed, identifier, client_name, client)


def _connect(seed: Seed, declared: Mapping[str, Pool]) -> None:
    """Groups name roles, which are there by now, and users name groups."""
    for name, pool in declared.items():
        stored = _named(seed, name, pool)
        assert stored is not None, "it was just made"
        for group_name, group in pool.groups.items():
            with seed.blame(group.where, f"group `{group_name}`"):
                _ensure_group(seed, stored, group_name, group)
        for username, user in pool.users.items():
            with seed.blame(user.where, f"user `{username}`"):
                _ensure_user(seed, stored, username, user)
        if pool.triggers:  # last: nothing fires for what a scenario declares
            with seed.blame(pool.where.at("triggers"), f"user pool `{name}`"):
                changes = {"LambdaConfig": _lambda_config(pool), **_settings(pool)}
                seed.call("cognito-idp", "UpdateUserPool", UserPoolId=stored["id"], **changes)


def _ensure_pool(seed: Seed, name: str, wanted: Pool) -> str:
    given = _settings(wanted)
    schema = [
        {"Name": attribute, "AttributeDataType": "String", "Mutable": True} for attribute in wanted.custom_attributes
    ]
    stored = _named(seed, name, wanted)
    if stored is None:
        made = seed.call(
            "cognito-idp",
            "CreateUserPool",
            PoolName=name,
            Schema=schema or None,
            UsernameAttributes=list(wanted.sign_in_with) or None,
            UsernameConfiguration={"CaseSensitive": False},
            **given,
        )
        return _fix_id(seed, str(made["UserPool"]["Id"]), wanted)
    seed.call("cognito-idp", "UpdateUserPool", UserPoolId=stored["id"], **given)
    known = {attribute["Name"] for attribute in stored["schema"]}
    added = [attribute for attribute in schema if f"custom:{attribute['Name']}" not in known]
    if added:
        seed.call("cognito-idp", "AddCustomAttributes", UserPoolId=stored["id"], CustomAttributes=added)
    return stored["id"]


def _settings(wanted: Pool) -> Mapping[str, object]:
    factors = {"SignInPolicy": {"AllowedFirstAuthFactors": ["PASSWORD", *wanted.first_factors]}}
    return {
        "Policies": factors if wanted.first_factors else None,
        "AutoVerifiedAttributes": list(wanted.verify) or None,
        "AdminCreateUserConfig": {"AllowAdminCreateUserOnly": not wanted.sign_up},
        "UserPoolTags": dict(wanted.tags),
    }


def _lambda_config(wanted: Pool) -> JsonObject:
    config: dict[str, Any] = {}
    for name, arn in wanted.triggers.items():
        version = _VERSIONS.get(name)
        if version:
            config["PreTokenGenerationConfig"] = {"LambdaVersion": version, "LambdaArn": arn}
        elif name in (*configuration.TRIGGERS, configuration.TOKENS):
            config[name] = arn
        else:
            known = (*configuration.TRIGGERS, configuration.TOKENS, *_VERSIONS)
            raise ScenarioError.at(wanted.where.at("triggers"), f"no trigger `{name[:80]}`{meant(name, known)}")
    return config


def _named(seed: Seed, name: str, wanted: Pool) -> kinds.Pool | None:
    own = (seed.account, seed.server.settings.region)
    pools = [pool for pool in seed.world.page(kinds.POOL) if (pool["account"], pool["region"]) == own]
    return next((pool for pool in pools if pool["id"] == wanted.id or (not wanted.id and pool["name"] == name)), None)


def _fix_id(seed: Seed, made: str, wanted: Pool) -> str:
    """Give a new pool the id that the scenario fixes."""
    if not wanted.id:
        return made
    place, region = wanted.where.at("id"), seed.server.settings.region
    if not re.fullmatch(rf"{re.escape(region)}_[0-9A-Za-z]{{1,40}}", wanted.id):
        raise ScenarioError.at(place, f"`{wanted.id[:60]}` is not `{region}_` and letters and digits")
    if seed.world.get(kinds.POOL, wanted.id) is not None:
        raise ScenarioError.at(place, f"another user pool has the id `{wanted.id}`")
    pools.rename(seed.world, made, wanted.id)
    return wanted.id


def _ensure_client(seed: Seed, pool: str, name: str, wanted: Client) -> None:
    given = {
        "UserPoolId": pool,
        "ClientName": name,
        "ExplicitAuthFlows": [f"ALLOW_{flow.removeprefix('ALLOW_')}" for flow in wanted.flows],
        "PreventUserExistenceErrors": "ENABLED" if wanted.hide_users else "LEGACY",
        **_managed_login(wanted),
    }
    clients = [client for client in seed.world.page(kinds.CLIENT) if client["pool"] == pool]
    known = next((client for client in clients if client["id"] == wanted.id or client["name"] == name), None)
    if known is not None:
        seed.call("cognito-idp", "UpdateUserPoolClient", ClientId=known["id"], **given)
        made = known["id"]
    else:
        new = seed.call("cognito-idp", "CreateUserPoolClient", GenerateSecret=bool(wanted.secret), **given)
        made = str(new["UserPoolClient"]["ClientId"])
    body = seed.world.take(kinds.CLIENT, made)
    assert body is not None, "it was just made"
    identifier = wanted.id or made
    if not _CLIENT_ID.fullmatch(identifier) or seed.world.get(kinds.CLIENT, identifier) is not None:
        raise ScenarioError.at(wanted.where.at("id"), f"`{identifier[:60]}` is no client's id, or another's")
    client: kinds.Client = {**body, "id": identifier, "secret": wanted.secret or body["secret"]}
    seed.world.add(kinds.CLIENT, identifier, client)


def _managed_login(wanted: Client) -> JsonObject:
    """Without callbacks and flows, an app that signs its users in by the API alone."""
    if not wanted.callbacks and not wanted.oauth:
        return {}
    flows = wanted.oauth or ("code",)
    return {
        "AllowedOAuthFlowsUserPoolClient": True,
        "AllowedOAuthFlows": list(flows),
        "AllowedOAuthScopes": list(wanted.scopes or (() if "client_credentials" in flows else _SCOPES)),
        "CallbackURLs": list(wanted.callbacks) or None,
        "LogoutURLs": list(wanted.logouts) or None,
        "SupportedIdentityProviders": list(wanted.identity_providers),
    }


def _ensure_domain(seed: Seed, pool: str, wanted: Pool) -> None:
    """Its own, in the place of another that it may have; and its APIs, whose scopes clients name."""
    for identifier, scopes in wanted.resource_servers.items():
        exists = seed.world.get(pools.RESOURCE_SERVER, f"{pool}/{identifier}") is not None
        seed.call(
            "cognito-idp",
            "UpdateResourceServer" if exists else "CreateResourceServer",
            UserPoolId=pool,
            Identifier=identifier,
            Name=re.sub(r"[^\w\s+=,.@-]", "-", identifier),
            Scopes=[{"ScopeName": scope, "ScopeDescription": scope} for scope in scopes] or None,
        )
    stored = seed.world.get(kinds.POOL, pool)
    assert stored is not None, "it was just made"
    has = pools.domain_of(seed.world, stored)
    if wanted.domain and has != wanted.domain:
        if has:
            seed.call("cognito-idp", "DeleteUserPoolDomain", Domain=has, UserPoolId=pool)
        seed.call("cognito-idp", "CreateUserPoolDomain", Domain=wanted.domain, UserPoolId=pool, ManagedLoginVersion=2)


def _ensure_provider(seed: Seed, pool: str, name: str, wanted: Vouching) -> None:
    kind, details = ("SAML", _saml(seed, wanted)) if wanted.saml_idp else ("OIDC", _oidc(seed, wanted))
    exists = seed.world.get(kinds.IDENTITY_PROVIDER, f"{pool}/{name}") is not None
    seed.call(
        "cognito-idp",
        "UpdateIdentityProvider" if exists else "CreateIdentityProvider",
        UserPoolId=pool,
        ProviderName=name,
        ProviderDetails=details,
        AttributeMapping=dict(wanted.mapping) or None,
        IdpIdentifiers=list(wanted.identifiers) or None,
        **({} if exists else {"ProviderType": kind}),
    )


def _saml(seed: Seed, wanted: Vouching) -> dict[str, str]:
    idp = seed.world.get(documents.SAML_IDP, wanted.saml_idp)
    if idp is None:
        raise ScenarioError.at(wanted.where.at("saml_idp"), f"no identity provider `{wanted.saml_idp[:80]}`")
    # Its address is whatever will be asked: without one, the metadata has the path alone.
    flags = {"IDPInit": wanted.idp_initiated, "EncryptedResponses": wanted.encrypted, "IDPSignout": wanted.sign_out}
    return {
        "MetadataFile": metadata(idp, ""),
        **{name: str(flag).lower() for name, flag in flags.items()},
        **({"RequestSigningAlgorithm": "rsa-sha256"} if wanted.signed_requests else {}),
    }


def _oidc(seed: Seed, wanted: Vouching) -> dict[str, str]:
    if not wanted.client_id or not (wanted.issuer or wanted.url):
        raise ScenarioError.at(wanted.where, "an identity provider has a `saml_idp`, or a `client_id` and an `issuer`")
    url = wanted.url
    if not url:
        try:
            url = oidc.issuer_of(seed.world, wanted.issuer)["url"]
        except ValueError as bad:
            raise ScenarioError.at(wanted.where.at("issuer"), str(bad)) from None
    return {
        "client_id": wanted.client_id,
        "client_secret": wanted.client_secret,
        "authorize_scopes": wanted.scopes,
        "attributes_request_method": "GET",
        "oidc_issuer": url,
    }


def _ensure_group(seed: Seed, pool: kinds.Pool, name: str, wanted: Group) -> None:
    exists = seed.world.get(kinds.GROUP, f"{pool['id']}/{name}") is not None
    seed.call(
        "cognito-idp",
        "UpdateGroup" if exists else "CreateGroup",
        UserPoolId=pool["id"],
        GroupName=name,
        RoleArn=role_arn(seed, wanted.where.at("role"), wanted.role) if wanted.role else None,
        Precedence=wanted.precedence,
        Description=wanted.description or None,
    )


def _ensure_user(seed: Seed, pool: kinds.Pool, name: str, wanted: User) -> None:
    place = {"UserPoolId": pool["id"], "Username": name}
    pairs = [{"Name": attribute, "Value": value} for attribute, value in wanted.attributes.items()]
    known = kinds.find_user(seed.world, pool, name)
    if known is None:
        temporary = wanted.temporary_password or wanted.password or None
        given = {"UserAttributes": pairs or None, "TemporaryPassword": temporary, "MessageAction": "SUPPRESS"}
        seed.call("cognito-idp", "AdminCreateUser", **place, **given)
        known = kinds.user_of(seed.world, pool, name)
    elif pairs:
        seed.call("cognito-idp", "AdminUpdateUserAttributes", UserAttributes=pairs, **place)
    is_set = known["status"] == "CONFIRMED" and passwords.is_password(pool, known, wanted.password)
    if wanted.password and not is_set:
        seed.call("cognito-idp", "AdminSetUserPassword", Password=wanted.password, Permanent=True, **place)
    for group in wanted.groups:
        seed.call("cognito-idp", "AdminAddUserToGroup", GroupName=group, **place)


SECTION = Section("user_pools", Mapping[str, Pool], _create, _connect)
