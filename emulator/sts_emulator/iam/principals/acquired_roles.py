"""Roles that are made from AWS's templates, or taken again while nobody has changed them.

Source: UG id_roles_create_role-template and id_roles_create_role-manager_enable-use; codes and sentences of refusals
were recorded in 2026-09 (docs/aws/iam.md, "Role templates").
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from sts_emulator.accounts.documents import Role
from sts_emulator.core import clock
from sts_emulator.core.errors import AwsError
from sts_emulator.iam.nouns import ROLE, claim
from sts_emulator.iam.permits import permit, resource_keys
from sts_emulator.iam.policies.policy_documents import quoted, trust_to_show, trust_to_store
from sts_emulator.iam.policies.policy_holders import can_attach
from sts_emulator.iam.principals import role_templates, roles
from sts_emulator.iam.principals.role_templates import Blueprint, Template
from sts_emulator.vending.context import Context
from sts_emulator.wire.dispatch import Result, operation


@operation("iam", "GetRoleTemplateVersion")
def get_role_template_version(ctx: Context, *, TemplateArn: str, MinorVersion: int | None = None) -> Result:
    """A template, its policies percent-encoded."""
    permit(ctx, "GetRoleTemplateVersion", TemplateArn)
    template = role_templates.find(TemplateArn, MinorVersion)
    shown = {
        **template,
        "AssumeRolePolicyDocumentTemplate": _quoted(template["AssumeRolePolicyDocumentTemplate"]),
        **{moment: int(clock.parse_iso(template[moment])) for moment in ("CreateTimestamp", "UpdateTimestamp")},
    }
    if "InlinePolicyTemplates" in template:
        shown["InlinePolicyTemplates"] = [
            {**policy, "PolicyDocument": _quoted(policy["PolicyDocument"])}
            for policy in template["InlinePolicyTemplates"]
        ]
    return {"RoleTemplateVersion": shown}


@operation("iam", "AcquireRole")
def acquire_role(
    ctx: Context,
    *,
    TemplateArn: str,
    TemplateMinorVersion: int | None = None,
    ReplacementValues: Mapping[str, Mapping[str, list[str]]] | None = None,
) -> Result:
    """The role of a template with these values: a new one, or the one that was made so before.

    No action is called after the operation: the caller needs what it does, with `iam:RoleTemplateARN` where roles are
    concerned.
    """
    permit(ctx, "GetRoleTemplateVersion", TemplateArn)
    template = role_templates.find(TemplateArn, TemplateMinorVersion)
    values = {name: entry["Values"] for name, entry in (ReplacementValues or {}).items()}
    wanted = role_templates.filled(template, values)
    keys = {"iam:roletemplatearn": (TemplateArn,)}
    role = ROLE.find(ctx.world, ctx.identity.account, wanted.name)
    if role is not None:
        permit(ctx, "GetRole", role["arn"], {**resource_keys(ROLE, role), **keys}, ROLE.spoken.format(role["name"]))
        _check_same(ctx, role, template, wanted)
    else:
        role = _made(ctx, template, wanted, values, keys)
    return {"Role": roles.shown(ctx.world, role)}


def _made(
    ctx: Context,
    template: Template,
    wanted: Blueprint,
    values: Mapping[str, list[str]],
    keys: Mapping[str, tuple[str, ...]],
) -> Role:
    arn = ROLE.arn(ctx.identity.account, wanted.path, wanted.name)
    permit(ctx, "CreateRole", arn, keys)
    for policy in wanted.attached:
        permit(ctx, "AttachRolePolicy", arn, {**keys, "iam:policyarn": (policy,)})
    if wanted.inline:
        permit(ctx, "PutRolePolicy", arn, keys)
    trust = trust_to_store(ctx.world, wanted.trust)
    for policy in wanted.attached:
        if not can_attach(ctx, policy):  # the catalogue has not all of AWS's policies
            raise AwsError("NoSuchEntity", f"Policy {policy} does not exist or is not attachable.")
    claim(ctx, ROLE, wanted.name)
    return roles.add(
        ctx,
        wanted.path,
        wanted.name,
        trust,
        description=wanted.description,
        max_duration=wanted.max_duration,
        inline=dict(wanted.inline),
        attached=list(wanted.attached),
        template={"arn": template["TemplateArn"], "minor": template["MinorVersion"], "values": dict(values)},
    )


def _check_same(ctx: Context, role: Role, template: Template, wanted: Blueprint) -> None:
    """Refuse a role that is not what the template and the values of now, and of then, come to.

    Raises:
        AwsError: NameConflict; RoleModified.
    """
    conflict = AwsError(
        "NameConflict", "A role with this name already exists but was not created from this template and parameters."
    )
    source = role.get("template")
    if source is None or (source["arn"], source["minor"]) != (template["TemplateArn"], template["MinorVersion"]):
        raise conflict
    if not _is(ctx, role, role_templates.filled(template, source["values"])):
        message = f"Role {role['name']} has been modified since it was created and is no longer managed."
        raise AwsError("RoleModified", message)
    if not _is(ctx, role, wanted):
        raise conflict


def _is(ctx: Context, role: Role, wanted: Blueprint) -> bool:
    """Whether a role is as a template makes it; its description and its longest session are its owner's to change."""
    return (
        (role["name"], role["path"]) == (wanted.name, wanted.path)
        and not role["tags"]
        and not role.get("boundary")
        and sorted(role["attached"]) == sorted(wanted.attached)
        and role["inline"].keys() == wanted.inline.keys()
        and all(_say_the_same(text, wanted.inline[name]) for name, text in role["inline"].items())
        and _say_the_same(trust_to_show(ctx.world, role["trust"]), wanted.trust)
    )


def _say_the_same(text: str, other: str) -> bool:
    """Whether two documents differ in how they are written only (recorded of a trust policy)."""
    return bool(_plain(json.loads(text)) == _plain(json.loads(other)))


def _plain(value: object) -> object:
    if isinstance(value, dict):
        return {member: _plain(inner) for member, inner in value.items()}
    if isinstance(value, list):
        items = sorted(map(_plain, value), key=json.dumps)
        return items[0] if len(items) == 1 else items
    return value


def _quoted(document: object) -> str:
    return quoted(json.dumps(document, separators=(",", ":")))
