"""Where an Identity Center's people come from, in a scenario: its own directory, or a company's identity provider."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from sts_emulator.accounts.directory import IdentityProvider
from sts_emulator.core.errors import AwsError
from sts_emulator.policy.light_dataclass import dataclass
from sts_emulator.scenario.load import Node
from sts_emulator.scenario.problems import ScenarioError, Where
from sts_emulator.scenario.saml import Metadata, idp_named
from sts_emulator.scenario.seed import Seed
from sts_emulator.scenario.shape import Mistake, Reader, Shape
from sts_emulator.wire import xml

SOURCES: Final = ("directory", "external")
_MD: Final = "{urn:oasis:names:tc:SAML:2.0:metadata}"
_REDIRECT: Final = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect"


@dataclass(frozen=True, kw_only=True)
class IdentitySource(Shape):
    """Who keeps the directory, and where its people sign in.

    `directory`, or `external`: people are provisioned. With `idp`, a lab identity provider of the scenario, or with the
    `metadata` of another they sign in there.
    """

    kind: str = SOURCES[0]
    idp: str = ""
    metadata: Metadata | None = None

    @classmethod
    def read_node(cls, reader: Reader, node: Node) -> IdentitySource:
        """Read one, of a word or of a mapping."""
        if node.value in SOURCES:
            return cls(kind=str(node.value), where=reader.where(node))
        if not isinstance(node.value, dict):
            raise Mistake(f"`identity_source` is {', '.join(SOURCES)}, or a mapping with `idp` or `metadata`")
        read = reader.shape(_Provider, node)
        if bool(read.idp) is (read.metadata is not None):
            raise Mistake("`identity_source` has either `idp` or `metadata`")
        return cls(kind=SOURCES[1], idp=read.idp, metadata=read.metadata, where=read.where)

    def connected(self, seed: Seed) -> Mapping[str, object]:
        """The members of the instance that say so. Raises ScenarioError."""
        if self.idp:
            idp = idp_named(seed, self.idp, self.where)
            provider: IdentityProvider = {
                "issuers": {idp["entity_id"]: [idp["certificate"]]},
                "sign_in": f"/idp/{idp['name']}/sso",
            }
            return {"source": self.kind, "identity_provider": provider}
        if self.metadata is not None:
            return {"source": self.kind, "identity_provider": _of_metadata(seed, self.metadata, self.where)}
        return {"source": self.kind}


@dataclass(frozen=True, kw_only=True)
class _Provider(Shape):
    """The mapping of an identity source."""

    idp: str = ""
    metadata: Metadata | None = None


def _of_metadata(seed: Seed, metadata: Metadata, where: Where) -> IdentityProvider:
    from sts_emulator.iam.providers.saml_providers import described

    try:
        issuers: Mapping[str, list[str]] = described(metadata, int(seed.world.now()))["issuers"]
    except AwsError as wrong:
        raise ScenarioError.at(where, f"the metadata cannot be used: {wrong.message}") from None
    if len(issuers) != 1 or not all(issuers.values()):
        raise ScenarioError.at(where, "the metadata must be of one identity provider, with a signing certificate")
    root = xml.parse(metadata.encode(), max_bytes=len(metadata) * 4)
    places = [
        service.get("Location", "")
        for service in root.iterfind(f".//{_MD}IDPSSODescriptor/{_MD}SingleSignOnService")
        if service.get("Binding") == _REDIRECT
    ]
    if not places or not places[0].startswith(("https://", "http://")):
        raise ScenarioError.at(where, "the metadata has no SingleSignOnService that takes HTTP-Redirect")
    return {"issuers": dict(issuers), "sign_in": places[0]}
