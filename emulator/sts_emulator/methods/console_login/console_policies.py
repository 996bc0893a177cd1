"""Who may sign in to an account's console, and from where: its policy for AWS Sign-In, and the organization's RCPs.

Statements have no effect until console authorization is enabled, for the account or for its organization
(docs/aws/console-sign-in.md, "Console access control").
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Final, TypedDict

from sts_emulator.accounts import organizations
from sts_emulator.core.store import Kind
from sts_emulator.core.world import World
from sts_emulator.policy.deciding.document import Document, parse
from sts_emulator.policy.json_types import JsonObject

Condition = dict[str, dict[str, list[str]]]

VERSION = "2012-10-17"


class PermissionStatement(TypedDict):
    """What one PutResourcePermissionStatement said, as its parameters have it."""

    account: str
    sid: str
    asked: dict[str, str]
    client_token: str


class ConsoleAuthorization(TypedDict):
    """That console authorization is enabled for a target."""

    target: str
    scope: str
    enabled: int


STATEMENT: Kind[PermissionStatement] = Kind("console-permission-statement")  # key: `ACCOUNT/sid`
AUTHORIZATION: Kind[ConsoleAuthorization] = Kind("console-authorization")  # key: its target

BEFORE: Final = ("signin:Authenticate",)
AFTER: Final = ("signin:CreateOAuth2Token", "signin:AuthorizeOAuth2Access")


def statements(world: World, account: str) -> list[PermissionStatement]:
    return world.page(STATEMENT, f"{account}/")


def is_enforced(world: World, account: str) -> bool:
    """Whether sign-ins are judged: for the account itself, or for the organization that it is in."""
    if world.get(AUTHORIZATION, account) is not None:
        return True
    org = organizations.organization(world)
    if org is None or account not in org["parents"]:
        return False
    roots = [place for place in organizations.path(org, account).split("/") if place.startswith("r-")]
    return any(world.get(AUTHORIZATION, target) is not None for target in (org["id"], *roots))


def policy(world: World, account: str) -> Document | None:
    """The account's policy, where it is enforced and says anything."""
    known = statements(world, account) if is_enforced(world, account) else []
    return parse(json.dumps({"Version": VERSION, "Statement": [*entries(known)]})) if known else None


def console_policy(world: World, account: str) -> Document:
    """The same for the console itself, which is open to all whom nothing denies."""
    allow = {**_entry((*BEFORE, *AFTER), {}), "Effect": "Allow", "Principal": "*"}
    return parse(json.dumps({"Version": VERSION, "Statement": [allow, *entries(statements(world, account))]}))


def rcps(world: World, account: str) -> organizations.Levels:
    """The organization's RCPs for a sign-in to the account, where they are enforced."""
    return organizations.resource_control(world, account) if is_enforced(world, account) else ()


def entries(known: list[PermissionStatement]) -> Iterator[JsonObject]:
    """The policy that statements make together: one half before a sign-in, one after it, and regions of networks."""
    for statement in known:
        yield _entry(BEFORE, condition(statement, "signin:PrincipalArn"))
        yield _entry(AFTER, condition(statement, "aws:PrincipalArn"))
        if pinned := _pinned(statement["asked"], statement["account"]):
            yield _entry((*BEFORE, *AFTER), pinned)


def condition(statement: PermissionStatement, principal: str = "aws:PrincipalArn") -> Condition:
    """When a statement denies: whoever comes from elsewhere, but for the excluded principal."""
    asked = statement["asked"]
    networks = _networks(asked)
    tests: Condition = {"StringEquals": {"aws:ResourceAccount": [statement["account"]]}}
    if "excludedPrincipal" in asked:
        tests["ArnNotEquals"] = {principal: [asked["excludedPrincipal"]]}
    if "sourceIp" in asked:  # a request has an address or a network, never both
        tests["NotIpAddressIfExists" if networks else "NotIpAddress"] = {"aws:SourceIp": [asked["sourceIp"]]}
    if networks:
        tests["StringNotEquals"] = networks
    if "vpcSourceIp" in asked:
        tests.setdefault("NotIpAddressIfExists", {})["aws:VpcSourceIp"] = [asked["vpcSourceIp"]]
    if "requestedRegion" in asked and not networks:
        tests["StringNotEquals"] = {"aws:RequestedRegion": [asked["requestedRegion"]]}
    return tests


def _networks(asked: Mapping[str, str]) -> dict[str, list[str]]:
    endpoints = [asked[name] for name in ("signinSourceVpce", "consoleSourceVpce") if name in asked]
    vpcs = [asked["sourceVpc"]] if "sourceVpc" in asked else []
    return {name: values for name, values in (("aws:SourceVpc", vpcs), ("aws:SourceVpce", endpoints)) if values}


def _pinned(asked: Mapping[str, str], account: str) -> Condition | None:
    """Ids of networks are unique in their Region only: from another one it is another network."""
    networks = _networks(asked)
    if not networks:
        return None
    return {
        "StringEquals": {**networks, "aws:ResourceAccount": [account]},
        "StringNotEqualsIfExists": {"aws:RequestedRegion": [asked["requestedRegion"]]},
    }


def _entry(actions: tuple[str, ...], when: Condition) -> JsonObject:
    return {"Effect": "Deny", "Principal": {"AWS": "*"}, "Action": list(actions), "Resource": "*", "Condition": when}
