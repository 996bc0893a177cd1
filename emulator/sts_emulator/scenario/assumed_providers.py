"""Identity providers that imported trust policies name and nobody declares: taken to exist, as users and roles are.

No dump of an account tells of its providers (`get-account-authorization-details` has users, groups, roles,
policies); so this holds for whole accounts too.
"""

from __future__ import annotations

from collections.abc import Iterable

from sts_emulator.accounts import documents
from sts_emulator.accounts.resources import key_of
from sts_emulator.core import names
from sts_emulator.core.world import World
from sts_emulator.policy.arns import parse_arn
from sts_emulator.policy.deciding.document import Document, Statement
from sts_emulator.policy.deciding.matching import has_wildcard
from sts_emulator.policy.federated import OIDC, SAML, issuer_of, kind_of
from sts_emulator.scenario.providers import STS_AUDIENCE


def named_by(trusts: Iterable[Document]) -> dict[str, tuple[str, ...]]:
    """The ARNs of providers that trust policies name, each with the audiences that they ask for."""
    audiences_of: dict[str, dict[str, None]] = {}
    for trust in trusts:
        for statement in trust.statements:
            for kind, text in statement.principals.entries if statement.principals else ():
                if kind == "Federated" and text.startswith("arn:"):
                    audiences_of.setdefault(text, {}).update(dict.fromkeys(_audiences(statement, issuer_of(text))))
    return {arn: tuple(audiences) for arn, audiences in audiences_of.items()}


def _audiences(statement: Statement, issuer: str) -> list[str]:
    return [
        value.raw
        for condition in statement.conditions
        if condition.name == f"{issuer}:aud".lower() and not condition.operator.negated
        for value in condition.values
        if not has_wildcard(value.raw) and "${" not in value.raw
    ]


def assume(world: World, arn: str, audiences: Iterable[str]) -> bool:
    """Take a provider to exist that is not there; of a SAML provider only the name is known, see `of_idp`."""
    parts = parse_arn(arn)
    if parts is None or parts.service != "iam" or not names.is_account_id(parts.account) or has_wildcard(arn):
        return False
    if kind_of(arn) is SAML:
        return world.find(documents.SAML_PROVIDER, arn) is None
    url = issuer_of(arn)
    if kind_of(arn) is not OIDC or url == arn or not url or world.find(documents.OIDC_PROVIDER, arn) is not None:
        return False
    body = documents.OidcProvider(
        account=parts.account,
        url=url,
        arn=arn,
        client_ids=list(dict.fromkeys((*audiences, STS_AUDIENCE))),
        thumbprints=[],
        created=int(world.now()),
        tags={},
    )
    world.add(documents.OIDC_PROVIDER, f"{parts.account}/{url}", body, uid=arn)
    return True


def of_idp(world: World, arn: str, idp: documents.SamlIdp, origin: str) -> None:
    """Make the SAML provider that an import takes to exist, now that there is an identity provider of its name."""
    from sts_emulator.iam.providers.saml_providers import described, identifier
    from sts_emulator.idp import identity_providers

    taken = any(arn in source["assumed"] for source in world.page(documents.IMPORT))
    if not taken or world.find(documents.SAML_PROVIDER, arn) is not None:
        return
    parts, now = parse_arn(arn), int(world.now())
    assert parts is not None  # made from a role's
    name = str(idp["provider"])
    known = described(identity_providers.metadata(idp, origin), now)
    body: documents.SamlProvider = {
        "account": parts.account,
        "name": name,
        "arn": arn,
        "uuid": identifier("SAMLSP"),
        "created": now,
        "tags": {},
        "metadata": known["metadata"],
        "issuers": known["issuers"],
        "valid_until": known["valid_until"],
    }
    world.add(documents.SAML_PROVIDER, key_of(parts.account, name), body, uid=arn)
