"""The identity providers of a scenario, and the lab issuers that make tokens for them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import field
from typing import TYPE_CHECKING

from sts_emulator.accounts import documents
from sts_emulator.accounts.resources import Stored
from sts_emulator.core import names
from sts_emulator.importers.inventory import provider_host
from sts_emulator.policy.federated import OIDC
from sts_emulator.policy.light_dataclass import dataclass
from sts_emulator.scenario.load import Node
from sts_emulator.scenario.origins import Origin, set_origin
from sts_emulator.scenario.policies import tag_list
from sts_emulator.scenario.problems import ScenarioError
from sts_emulator.scenario.seed import Section, Seed
from sts_emulator.scenario.shape import Mistake, Reader, Shape

if TYPE_CHECKING:
    from sts_emulator.scenario.model import Scenario

STS_AUDIENCE = "sts.amazonaws.com"  # what AWS's own documentation registers for GitHub, GitLab and EKS


@dataclass(frozen=True, kw_only=True)
class Issuer(Shape):
    """A lab issuer: which real one it is shaped like, and its URL when that is another."""

    preset: str = ""
    url: str = ""


class KeySet(str):
    """A JSON Web Key Set as JSON text: written as a mapping, as JSON, or as `{file: jwks.json}`."""

    __slots__ = ()

    @classmethod
    def read_node(cls, reader: Reader, node: Node) -> KeySet:
        """Read one, and see that it is a set of keys."""
        given = reader.text_or_file(node)
        try:
            keys = json.loads(given) if given is not None else node.plain()
        except (ValueError, RecursionError):
            raise Mistake("expected a key set, got text that is not JSON") from None
        if not isinstance(keys, dict) or not isinstance(keys.get("keys"), list):
            raise Mistake("expected a key set, that is a mapping with a list of `keys`")
        return cls(json.dumps(keys, separators=(",", ":")))


@dataclass(frozen=True, kw_only=True)
class OidcProvider(Shape):
    """An IAM OIDC identity provider, for a URL or for one of the scenario's issuers (or a preset, by its name)."""

    url: str = ""
    issuer: str = ""
    client_ids: tuple[str, ...] = (STS_AUDIENCE,)
    thumbprints: tuple[str, ...] = ()
    jwks: KeySet | None = None
    origin: Origin | None = None
    tags: Mapping[str, str] = field(default_factory=dict)


# -- issuers --------------------------------------------------------------------------------------------------------


def ensure_issuer(seed: Seed, name: str, issuer: Issuer) -> Stored:
    """The lab issuer of that name, made when it is not there."""
    from sts_emulator.idp import oidc

    return oidc.ensure_issuer(seed.world, issuer.preset or name, url=issuer.url or None, name=name)


def _create_issuers(seed: Seed, issuers: Mapping[str, Issuer]) -> None:
    for name, issuer in issuers.items():
        try:
            ensure_issuer(seed, name, issuer)
        except ValueError as bad:
            raise ScenarioError.at(issuer.where, f"issuer `{name}`: {bad}") from None


# -- OIDC providers -------------------------------------------------------------------------------------------------


def _create_oidc(seed: Seed, providers: tuple[OidcProvider, ...]) -> None:
    for provider in providers:
        url = _url(seed, provider)
        with seed.blame(provider.where, f"OIDC provider `{url}`"):
            arn = OIDC.arn(seed.account, url.partition("://")[2], names.PARTITION)
            stored = seed.world.find(documents.OIDC_PROVIDER, arn)
            if stored is None:
                seed.iam(
                    "CreateOpenIDConnectProvider",
                    Url=url,
                    ClientIDList=list(provider.client_ids),
                    ThumbprintList=list(provider.thumbprints) or None,
                    Tags=tag_list(provider.tags),
                )
            else:
                _update_oidc(seed, arn, stored, provider)
            named = {"OpenIDConnectProviderArn": arn}
            set_origin(seed, "UpdateOpenIDConnectProvider", named, stored, provider.origin)
        _set_keys(seed, arn, provider.jwks)


def _url(seed: Seed, provider: OidcProvider) -> str:
    if provider.url:
        return provider.url
    if not provider.issuer:
        raise ScenarioError.at(provider.where, "an OIDC provider needs a `url` or an `issuer`")
    issuer: Stored | None = seed.world.get(documents.ISSUER, provider.issuer)
    if issuer is None:
        try:
            issuer = ensure_issuer(seed, provider.issuer, Issuer())
        except ValueError as bad:
            raise ScenarioError.at(provider.where.at("issuer"), str(bad)) from None
    return str(issuer["url"])


def _update_oidc(seed: Seed, arn: str, stored: Stored, provider: OidcProvider) -> None:
    known = stored["client_ids"]
    for gone in [client for client in known if client not in provider.client_ids]:
        seed.iam("RemoveClientIDFromOpenIDConnectProvider", OpenIDConnectProviderArn=arn, ClientID=gone)
    for new in [client for client in provider.client_ids if client not in known]:
        seed.iam("AddClientIDToOpenIDConnectProvider", OpenIDConnectProviderArn=arn, ClientID=new)
    if provider.thumbprints and list(provider.thumbprints) != list(stored["thumbprints"]):
        seed.iam(
            "UpdateOpenIDConnectProviderThumbprint",
            OpenIDConnectProviderArn=arn,
            ThumbprintList=list(provider.thumbprints),
        )


def _set_keys(seed: Seed, arn: str, keys: KeySet | None) -> None:
    stored = seed.world.find(documents.OIDC_PROVIDER, arn)
    wanted = json.loads(keys) if keys else None
    if stored is None or stored.get("jwks") == wanted:
        return
    key = f"{stored['account']}/{stored['url']}"
    seed.world.update(documents.OIDC_PROVIDER, key, lambda body: {**body, "jwks": wanted})


def _oidc_arns(scenario: Scenario, account: str, providers: tuple[OidcProvider, ...]) -> Iterator[str]:
    issuers: Mapping[str, Issuer] = next(
        (entry.value for entry in scenario.entries if entry.section is ISSUERS and entry.value), {}
    )
    for provider in providers:
        yield OIDC.arn(account, provider_host(provider.url or _issuer_url(provider.issuer, issuers)))


def _issuer_url(name: str, issuers: Mapping[str, Issuer]) -> str:
    issuer = issuers.get(name, Issuer())
    if issuer.url:
        return issuer.url
    from sts_emulator.idp.presets import PRESETS

    preset = PRESETS.get(issuer.preset or name)
    return preset.url if preset else ""


ISSUERS = Section("issuers", Mapping[str, Issuer], _create_issuers, scope="world")
OIDC_PROVIDERS = Section("oidc_providers", tuple[OidcProvider, ...], _create_oidc, providers=_oidc_arns)
