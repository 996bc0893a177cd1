"""What an organization contributes to decisions: membership keys, and the SCPs and RCPs above an account."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sts_emulator.accounts import documents
from sts_emulator.accounts.documents import Organization
from sts_emulator.core.world import World
from sts_emulator.policy.deciding.document import Document, parse

IDENTITY_CENTER = "sso.amazonaws.com"
Levels = tuple[tuple[Document, ...], ...]

SERVICE_CONTROL = "SERVICE_CONTROL_POLICY"
RESOURCE_CONTROL = "RESOURCE_CONTROL_POLICY"
FULL_ACCESS = "FullAWSAccess"
FULL_ACCESS_ID = f"p-{FULL_ACCESS}"
FULL_ACCESS_TEXT = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}'
RCP_FULL_ACCESS_ID = f"p-RCP{FULL_ACCESS}"
RCP_FULL_ACCESS_TEXT = (
    '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"*","Resource":"*"}]}'
)


def organization(world: World) -> Organization | None:
    """The world's organization, or None. One world has one organization at most."""
    return world.get(documents.ORGANIZATION, "organization")


def is_delegate(org: Organization, account: str, service: str = "") -> bool:
    """Whether an account administers a service, or any, in the management account's place."""
    delegated = org.get("delegated", {})
    return any(account in accounts for name, accounts in delegated.items() if service in ("", name))


def aws_policies() -> dict[str, documents.ControlPolicy]:
    """AWS's own two policies, attached to nothing; that of RCPs need not be stored: it always allows."""
    return {
        FULL_ACCESS_ID: {
            "name": FULL_ACCESS,
            "type": SERVICE_CONTROL,
            "text": FULL_ACCESS_TEXT,
            "targets": [],
            "description": "Allows access to every operation",
        },
        RCP_FULL_ACCESS_ID: {
            "name": f"RCP{FULL_ACCESS}",
            "type": RESOURCE_CONTROL,
            "text": RCP_FULL_ACCESS_TEXT,
            "targets": [],
            "description": "Allows access to every operation",
        },
    }


def enabled(org: Organization) -> tuple[str, ...]:
    """The types of policies that are enabled; where nobody has said, those of which there are any."""
    said = org.get("enabled")
    known = {policy["type"] for policy in org["policies"].values()} if said is None else said
    return tuple(sorted(known))


def path(org: Organization, place: str) -> str:
    """Where the root, a unit or an account stands: `o-…/r-…/ou-…/111122223333/`."""
    return "/".join([org["id"], *_path(org, place), place]) + "/"


def place_arn(org: Mapping[str, object], place: str) -> str:
    """The ARN of the root, a unit or an account."""
    kind = {"r": "root", "o": "ou"}.get(place[:1], "account")
    return f"arn:aws:organizations::{org['management']}:{kind}/{org['id']}/{place}"


def policy_arn(org: Mapping[str, object], identifier: str, kind: str) -> str:
    """The ARN of a policy; those of AWS are in no organization."""
    if "FullAWSAccess" in identifier:
        return f"arn:aws:organizations::aws:policy/{kind.lower()}/{identifier}"
    return f"arn:aws:organizations::{org['management']}:policy/{org['id']}/{kind.lower()}/{identifier}"


def arn_of_text(world: World, kind: str, text: str, account: str) -> str:
    """The ARN of the policy of that type and text, for an account of the organization; empty for others."""
    org = organization(world)
    if org is None or account not in org["parents"]:
        return ""
    policies = org["policies"].items()
    identifiers = (name for name, policy in policies if policy["type"] == kind and policy["text"] == text)
    identifier = next(identifiers, "")
    return policy_arn(org, identifier, kind) if identifier else ""


def principal_keys(world: World, account: str) -> dict[str, tuple[str, ...]]:
    """aws:PrincipalOrgID and aws:PrincipalOrgPaths of an account; empty outside an organization."""
    return world.memo(("org-keys", "principal", account), lambda: _keys(world, account, "aws:principalorg"))


def resource_keys(world: World, account: str) -> dict[str, tuple[str, ...]]:
    """aws:ResourceOrgID and aws:ResourceOrgPaths of an account; empty outside an organization."""
    return world.memo(("org-keys", "resource", account), lambda: _keys(world, account, "aws:resourceorg"))


def source_keys(world: World, account: str) -> dict[str, tuple[str, ...]]:
    """aws:SourceOrgID and aws:SourceOrgPaths of the account for which a service calls; empty outside one."""
    return world.memo(("org-keys", "source", account), lambda: _keys(world, account, "aws:sourceorg"))


def service_control(world: World, account: str) -> Levels:
    """The SCPs above an account, a tuple a level, root first; empty where none apply (management account)."""
    return world.memo(("scp", account), lambda: _levels(world, account, SERVICE_CONTROL))


def resource_control(world: World, account: str) -> Levels:
    """The RCPs above an account, a tuple a level, root first; empty where none apply (management account)."""
    return world.memo(("rcp", account), lambda: _levels(world, account, RESOURCE_CONTROL))


def is_exempt(holder: Mapping[str, Any] | None) -> bool:
    """Whether neither SCPs nor RCPs reach somebody: service-linked roles are their services' own."""
    return holder is not None and ":role/aws-service-role/" in holder["arn"]


def _keys(world: World, account: str, prefix: str) -> dict[str, tuple[str, ...]]:
    org = organization(world)
    if org is None or account not in org["parents"]:
        return {}
    return {f"{prefix}id": (org["id"],), f"{prefix}paths": (path(org, org["parents"][account]),)}


def _levels(world: World, account: str, kind: str) -> Levels:
    org = organization(world)
    if org is None or account not in org["parents"] or account == org["management"]:
        return ()
    levels = []
    for place in (*_path(org, account), account):
        texts = [p["text"] for p in org["policies"].values() if p["type"] == kind and place in p["targets"]]
        levels.append(tuple(parse(text) for text in texts))
    # A kind of policy of which there is none anywhere is not enabled, and does not limit.
    return tuple(levels) if any(levels) else ()


def _path(org: Organization, place: str) -> list[str]:
    """What stands above a place, from the root down."""
    above: list[str] = []
    place = org["parents"].get(place, "")
    while place and place not in above:
        above.append(place)
        place = org["parents"].get(place, "")
    return above[::-1]
