"""SAML in a scenario: IAM's identity providers, and lab identity providers with their users and groups."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import field
from typing import TYPE_CHECKING

from sts_emulator.accounts import documents, people
from sts_emulator.core.world import DEFAULT
from sts_emulator.policy.federated import SAML
from sts_emulator.policy.json_types import JsonObject
from sts_emulator.policy.light_dataclass import dataclass
from sts_emulator.scenario.load import Node
from sts_emulator.scenario.origins import Origin, set_origin
from sts_emulator.scenario.policies import tag_list
from sts_emulator.scenario.problems import ScenarioError, Where
from sts_emulator.scenario.seed import Section, Seed
from sts_emulator.scenario.shape import Mistake, Reader, Shape
from sts_emulator.scenario.users_and_groups import MfaSeed

if TYPE_CHECKING:
    from sts_emulator.scenario.model import Scenario


class Metadata(str):
    """A SAML metadata document: its text, or `{file: metadata.xml}`."""

    __slots__ = ()

    @classmethod
    def read_node(cls, reader: Reader, node: Node) -> Metadata:
        """Read one; what it says is judged later, by IAM."""
        given = reader.text_or_file(node)
        if given is None:
            raise Mistake(f"expected a metadata document or `file: name`, got {node.kind}")
        return cls(given)


@dataclass(frozen=True, kw_only=True)
class SamlProvider(Shape):
    """An IAM SAML identity provider: of a metadata document, or of one of the scenario's lab identity providers.

    `strict` makes it enforce recipient, audience, validity and single use beyond what AWS does; `sha1` makes it take
    signatures with SHA-1.
    """

    metadata: Metadata | None = None
    idp: str = ""
    strict: bool = False
    sha1: bool = False
    origin: Origin | None = None
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class IdpUser(Shape):
    """A user of a lab identity provider; without `password` its name is its password. `totp`: apps by name."""

    password: str = ""
    totp: Mapping[str, MfaSeed] = field(default_factory=dict)
    email: str = ""
    groups: tuple[str, ...] = ()
    roles: tuple[str, ...] = ()
    session_name: str = ""
    session_duration: int = 0
    source_identity: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)
    transitive: tuple[str, ...] = ()
    attributes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Idp(Shape):
    """A lab identity provider: its groups are lists of role ARNs, `provider` is its name in IAM (default: its own)."""

    provider: str = ""
    groups: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    users: Mapping[str, IdpUser] = field(default_factory=dict)


def _create_idps(seed: Seed, idps: Mapping[str, Idp]) -> None:
    from sts_emulator.idp.identity_providers import ensure_idp

    for name, idp in idps.items():
        try:
            ensure_idp(
                seed.world,
                name,
                provider=idp.provider or name,
                groups=idp.groups,
                users={user: _written(declared) for user, declared in idp.users.items()},
            )
        except ValueError as bad:
            raise ScenarioError.at(idp.where, f"identity provider `{name}`: {bad}") from None


def _written(user: IdpUser) -> JsonObject:
    """What is written of a user, as the world keeps it."""
    members = {name: getattr(user, name) for name in IdpUser.__dataclass_fields__ if name != "where"}
    return {name: list(value) if isinstance(value, tuple) else value for name, value in members.items() if value} | (
        {"totp": {name: seed or people.new_seed() for name, seed in user.totp.items()}} if user.totp else {}
    )


def _create_providers(seed: Seed, providers: Mapping[str, SamlProvider]) -> None:
    from sts_emulator.iam.providers.saml_providers import set_switches

    for name, provider in providers.items():
        metadata = _metadata(seed, provider)
        with seed.blame(provider.where, f"SAML provider `{name}`"):
            stored = seed.stored(documents.SAML_PROVIDER, name)
            if stored is None:
                created = seed.iam(
                    "CreateSAMLProvider", Name=name, SAMLMetadataDocument=metadata, Tags=tag_list(provider.tags)
                )
                arn = created["SAMLProviderArn"]
            else:
                arn = stored["arn"]
                if stored["metadata"] != metadata:
                    seed.iam("UpdateSAMLProvider", SAMLProviderArn=arn, SAMLMetadataDocument=metadata)
            set_origin(seed, "UpdateSAMLProvider", {"SAMLProviderArn": arn}, stored, provider.origin)
        strict, sha1 = bool(stored and stored.get("strict")), bool(stored and stored.get("sha1"))
        if (provider.strict, provider.sha1) != (strict, sha1):
            set_switches(seed.world, arn, strict=provider.strict, sha1=provider.sha1)


def _metadata(seed: Seed, provider: SamlProvider) -> str:
    if provider.metadata is not None:
        return provider.metadata
    if not provider.idp:
        raise ScenarioError.at(provider.where, "a SAML provider needs `metadata` or an `idp`")
    from sts_emulator.idp import identity_providers

    idp = idp_named(seed, provider.idp, provider.where)
    settings = seed.server.settings
    prefix = "" if seed.world.name == DEFAULT else f"/w/{seed.world.name}"
    return identity_providers.metadata(idp, f"http://{settings.host}:{settings.port}{prefix}")


def idp_named(seed: Seed, name: str, where: Where) -> documents.SamlIdp:
    """The lab identity provider of that name, made when it is not there yet. Raises ScenarioError."""
    from sts_emulator.idp import identity_providers

    try:
        return seed.world.get(identity_providers.KIND, name) or identity_providers.ensure_idp(seed.world, name)
    except ValueError as bad:
        raise ScenarioError.at(where.at("idp"), str(bad)) from None


def _arns_of_idps(scenario: Scenario, _account: str, idps: Mapping[str, Idp]) -> Iterator[str]:
    for account in scenario.accounts:
        yield from (SAML.arn(account, idp.provider or name) for name, idp in idps.items())


def _arns(_scenario: Scenario, account: str, providers: Mapping[str, SamlProvider]) -> Iterator[str]:
    yield from (SAML.arn(account, name) for name in providers)


IDPS = Section("saml_idps", Mapping[str, Idp], _create_idps, scope="world", providers=_arns_of_idps)
PROVIDERS = Section("saml_providers", Mapping[str, SamlProvider], _create_providers, providers=_arns)
