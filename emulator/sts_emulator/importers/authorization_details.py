"""`aws iam get-account-authorization-details`: a whole account as IAM tells it, and its sisters that list roles only.

The AWS CLI shows documents as JSON; other tools leave them percent-encoded, as the API sends them. Both are taken.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import unquote

from sts_emulator.importers import inventory
from sts_emulator.importers.inventory import Inventory, Thing, compact, kept
from sts_emulator.importers.json_text import BadInput, JsonText
from sts_emulator.importers.parts import mapping, mappings, texts
from sts_emulator.importers.places import in_json, inline_policies
from sts_emulator.policy.arns import account_in


def read_account(source: JsonText, account: str) -> Inventory:
    """The output of get-account-authorization-details.

    Raises:
        BadInput: what is not JSON, or not of its shape.
    """
    account = account or inventory.DEFAULT_ACCOUNT
    contents = Inventory("get-account-authorization-details", exists=True, complete=True)
    top = source.top
    if "IsTruncated" in top and source.value(top["IsTruncated"]) is True:
        message = (
            "is only the first page (`IsTruncated` is true); the AWS CLI fetches all of them unless told otherwise"
        )
        raise BadInput(message, source.line(top["IsTruncated"]))
    if top.keys() & {"UserDetailList", "GroupDetailList", "Policies"} == set():
        contents.complete = False
    for list_name, read in (
        ("UserDetailList", _user),
        ("GroupDetailList", _group),
        ("Policies", _policy),
        ("RoleDetailList", _role),
    ):
        for at in source.elements(top[list_name]) if list_name in top else ():
            for thing in read(source, at, account):
                contents.add(thing)
    return contents


def read_roles(source: JsonText, account: str) -> Inventory:
    """The output of get-role or list-roles: trust policies without what the roles may do.

    Raises:
        BadInput: what is not JSON, or not of its shape.
    """
    account = account or inventory.DEFAULT_ACCOUNT
    contents = Inventory("roles as `aws iam` shows them", exists=True)
    top = source.top
    places = [top["Role"]] if "Role" in top else list(source.elements(top["Roles"]))
    for at in places:
        for thing in _role(source, at, account):
            contents.add(thing)
    return contents


def _role(source: JsonText, at: int, account: str) -> Iterator[Thing]:
    value = _object(source, at)
    name, owner = _named(source, at, value, "RoleName", account)
    if "AssumeRolePolicyDocument" not in value:
        raise BadInput(f"role `{name}` has no AssumeRolePolicyDocument", source.line(at))
    members: dict[str, list[str | int]] = {"trust": ["AssumeRolePolicyDocument"]}
    members |= inline_policies(value, "RolePolicyList")
    body = kept(
        path=value.get("Path"),
        description=value.get("Description"),
        tags=inventory.tags(value.get("Tags")),
        policies=_attached(value),
        inline=_inline(value, "RolePolicyList"),
        boundary=_boundary(value),
        max_session_duration=inventory.session_duration(value.get("MaxSessionDuration")),
    )
    body["trust"] = _document(value["AssumeRolePolicyDocument"])
    identifier = _id(value, "RoleId")
    yield Thing("roles", owner, name, body, source.line(at), locate=in_json(source, members, at), id=identifier)
    for profile in mappings(value.get("InstanceProfileList")):
        if isinstance(profile.get("InstanceProfileName"), str):
            yield Thing("instance_profiles", owner, profile["InstanceProfileName"], {"role": name}, source.line(at))


def _user(source: JsonText, at: int, account: str) -> Iterator[Thing]:
    value = _object(source, at)
    name, owner = _named(source, at, value, "UserName", account)
    body = kept(
        path=value.get("Path"),
        tags=inventory.tags(value.get("Tags")),
        groups=texts(value.get("GroupList")),
        policies=_attached(value),
        inline=_inline(value, "UserPolicyList"),
        boundary=_boundary(value),
    )
    members = inline_policies(value, "UserPolicyList")
    identifier = _id(value, "UserId")
    yield Thing("users", owner, name, body, source.line(at), locate=in_json(source, members, at), id=identifier)


def _group(source: JsonText, at: int, account: str) -> Iterator[Thing]:
    value = _object(source, at)
    name, owner = _named(source, at, value, "GroupName", account)
    body = kept(path=value.get("Path"), policies=_attached(value), inline=_inline(value, "GroupPolicyList"))
    members = inline_policies(value, "GroupPolicyList")
    yield Thing("groups", owner, name, body, source.line(at), locate=in_json(source, members, at))


def _policy(source: JsonText, at: int, account: str) -> Iterator[Thing]:
    value = _object(source, at)
    name, owner = _named(source, at, value, "PolicyName", account)
    if owner == "aws":
        return  # AWS's own policies are known already, or are not needed to say who may assume what
    versions = mappings(value.get("PolicyVersionList"))
    number = next((n for n, version in enumerate(versions) if version.get("IsDefaultVersion") is True), None)
    if number is None or "Document" not in versions[number]:
        raise BadInput(f"policy `{name}` has no default version with a document", source.line(at))
    body = kept(path=value.get("Path"), description=value.get("Description"))
    body["document"] = _document(versions[number]["Document"])
    members: dict[str, list[str | int]] = {"document": ["PolicyVersionList", number, "Document"]}
    yield Thing("policies", owner, name, body, source.line(at), locate=in_json(source, members, at))


# -- members ---------------------------------------------------------------------------------------------------------


def _object(source: JsonText, at: int) -> Mapping[str, Any]:
    value = source.value(at)
    if not isinstance(value, Mapping):
        raise BadInput("expected an object", source.line(at))
    return value


def _named(source: JsonText, at: int, value: Mapping[str, object], member: str, account: str) -> tuple[str, str]:
    name = value.get(member)
    if not isinstance(name, str) or not name:
        raise BadInput(f"expected an object with {member}", source.line(at))
    return name, account_in(str(value.get("Arn", ""))) or account


def _id(value: Mapping[str, object], member: str) -> str:
    """A unique id, by which trust policies may still name what was deleted."""
    given = value.get(member)
    return given if isinstance(given, str) and given.isalnum() else ""


def _attached(value: Mapping[str, object]) -> list[str]:
    arns = [policy.get("PolicyArn") for policy in mappings(value.get("AttachedManagedPolicies"))]
    return [arn for arn in arns if isinstance(arn, str)]


def _boundary(value: Mapping[str, object]) -> str:
    arn = mapping(value, "PermissionsBoundary").get("PermissionsBoundaryArn")
    return arn if isinstance(arn, str) else ""


def _inline(value: Mapping[str, object], member: str) -> dict[str, str]:
    return {
        str(item["PolicyName"]): _document(item["PolicyDocument"])
        for item in mappings(value.get(member))
        if "PolicyName" in item and "PolicyDocument" in item
    }


def _document(written: object) -> str:
    """A policy as text: shown as JSON by the AWS CLI, percent-encoded by others."""
    if isinstance(written, str):
        return unquote(written) if written.lstrip()[:1] == "%" else written
    return compact(written)
