"""`terraform show -json`: of a plan what would be, of a state what is; also what OpenTofu writes in this format.

Source: Terraform's "JSON output format" 1.x, and plans of Terraform 1.11 with the AWS provider. At a first apply ARNs
are not known yet, and with them whole policies: those of `aws_iam_policy_document` data sources are put together from
what the plan knows, the gaps filled from the configuration's references. Of a `jsonencode(…)` the plan keeps nothing.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import field
from typing import Any, Final

from sts_emulator.importers import inventory
from sts_emulator.importers.inventory import Inventory, Thing, arn, kept, provider_host
from sts_emulator.importers.json_text import BadInput, JsonText
from sts_emulator.importers.parts import mapping, mappings
from sts_emulator.importers.terraform_documents import Documents
from sts_emulator.importers.terraform_references import Configuration, Instances, Key
from sts_emulator.policy.federated import OIDC, SAML
from sts_emulator.policy.light_dataclass import dataclass

_PREFIXES: Final = ("aws_iam_", "aws_rolesanywhere_", "aws_organizations_policy", "aws_ssoadmin_")
NOTHING_TO_SAY: Final = frozenset(
    {
        "aws_iam_access_key",
        "aws_iam_account_alias",
        "aws_iam_account_password_policy",
        "aws_iam_role_policies_exclusive",
        "aws_iam_role_policy_attachments_exclusive",
        "aws_iam_security_token_service_preferences",
        "aws_iam_server_certificate",
        "aws_iam_signing_certificate",
        "aws_iam_user_login_profile",
        "aws_iam_user_ssh_key",
        "aws_ssoadmin_instance_access_control_attributes",
    }
)
"""What changes nothing about who may assume a role."""
MOST_TOLD: Final = 6
_CALLER = re.compile(r'"account_id"\s*:\s*"([0-9]{12})"')
_OWN_ARN = re.compile(r'"arn"\s*:\s*"arn:aws[a-z-]*:iam::([0-9]{12}):(?:role|user|policy|oidc-provider|group)/')
DEEPEST: Final = 64


@dataclass(slots=True)
class Resource:
    """One instance of a resource: `module` is the configuration's path of modules, without indexes.

    `instance` tells it from others of the same block: its modules' indexes and its own.
    """

    address: str
    type: str
    name: str
    module: tuple[str, ...]
    values: Mapping[str, Any]
    line: int
    is_data: bool = False
    instance: tuple[str, ...] = ()


@dataclass(slots=True)
class Plan:
    """The resources that matter, and what is known about references between them."""

    account: str
    source: JsonText
    configuration: Configuration
    resources: list[Resource] = field(default_factory=list)
    inventory: Inventory = field(default_factory=lambda: Inventory("terraform show -json"))

    def of(self, *types: str) -> Iterator[Resource]:
        return (resource for resource in self.resources if resource.type in types and not resource.is_data)


def read(source: JsonText, account: str) -> Inventory:
    """The IAM of a plan or state.

    Raises:
        BadInput: what is not JSON, or not of the format.
    """
    top = source.top
    at = top.get("planned_values", top.get("values"))
    if at is None:
        raise BadInput("has neither `planned_values` nor `values`: an empty state, or a plan that failed", 1)
    configuration = Configuration(source.value(top["configuration"]) if "configuration" in top else {})
    plan = Plan(account or account_in(source.text), source, configuration)
    plan.inventory.exists = "planned_values" not in top
    for name, place in source.members(at):
        if name == "root_module":
            plan.resources += _module(source, place, "", 0)
    # Data sources that were read already stand in the prior state.
    if "prior_state" in top and source.is_object(top["prior_state"]):
        place = source.find(top["prior_state"], ["values", "root_module"])
        known = {resource.address for resource in plan.resources}
        prior = _module(source, place, "", 0)
        plan.resources += [resource for resource in prior if resource.is_data and resource.address not in known]
    take(plan)
    return plan.inventory


def account_in(text: str) -> str:
    """The account that a file gives away."""
    for pattern in (_CALLER, _OWN_ARN):
        match = pattern.search(text)
        if match:
            return match[1]
    return inventory.DEFAULT_ACCOUNT


def _module(source: JsonText, at: int, path: str, depth: int) -> list[Resource]:
    """The resources of a module; `path` is its address."""
    resources: list[Resource] = []
    if depth > DEEPEST:
        raise BadInput("has modules nested too deeply", source.line(at))
    for name, place in source.members(at) if source.is_object(at) else ():
        if name == "resources":
            resources += filter(None, (_resource(source, element, path) for element in source.elements(place)))
        elif name == "child_modules":
            for element in source.elements(place):
                address = source.find(element, ["address"])
                inner = source.value(address) if address != element else ""
                resources += _module(source, element, str(inner), depth + 1)
    return resources


def _module_path(address: str) -> tuple[str, ...]:
    """`module.a["x"].module.b[0]` as (a, b)."""
    return tuple(re.findall(r"module\.([A-Za-z0-9_-]+)", re.sub(r"\[[^]]*\]", "", address)))


def _indexes(address: str) -> tuple[str, ...]:
    """The indexes in an address of modules or of a resource, in order."""
    return tuple(re.findall(r"\[([^]]*)\]", address))


def _resource(source: JsonText, at: int, module: str) -> Resource | None:
    value = source.value(at)
    if not isinstance(value, Mapping) or not isinstance(value.get("type"), str):
        raise BadInput("expected a resource with a `type`", source.line(at))
    return resource(value, module, source.line(at)) if matters(value["type"]) else None


def matters(kind: str) -> bool:
    """Whether a type of resource may decide who may assume what."""
    return kind.startswith(_PREFIXES)


def resource(value: Mapping[str, Any], module: str, line: int) -> Resource:
    """An instance as `terraform show -json` writes it, in the module of that address."""
    address = str(value.get("address", value["type"]))
    return Resource(
        address,
        value["type"],
        str(value.get("name", "")),
        _module_path(module),
        mapping(value, "values"),
        line,
        value.get("mode") == "data",
        (*_indexes(module), *_indexes(address.removeprefix(module))),
    )


# -- taking over -----------------------------------------------------------------------------------------------------


def take(plan: Plan) -> None:
    """Take over the resources of a plan."""
    taking = _Taking(plan)
    for step in (MAKERS, LINKERS):
        for resource in plan.of(*step):
            step[resource.type](taking, resource)
    ignored: dict[str, list[Resource]] = {}
    for resource in plan.resources:
        if not resource.is_data and resource.type not in {*MAKERS, *LINKERS, *NOTHING_TO_SAY}:
            ignored.setdefault(resource.type, []).append(resource)
    for kind, resources in ignored.items():
        plan.inventory.note(resources[0].line, f"{kind} is not taken over: {_listed(resources)}")


def _listed(resources: list[Resource]) -> str:
    more = f" and {len(resources) - MOST_TOLD} more" if len(resources) > MOST_TOLD else ""
    return ", ".join(resource.address for resource in resources[:MOST_TOLD]) + more


class _Taking:
    """One plan being taken over; things by their names, for what is attached to them later."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.things: dict[tuple[str, str], Thing] = {}
        self.arns = Instances[str]()
        data = Instances[Mapping[str, Any]]()
        for resource in plan.resources:
            text = _arn_of(plan, resource)
            if text:
                self.arns.add(_key(resource), resource.instance, text)
            if resource.is_data:
                data.add(_key(resource), resource.instance, resource.values)
        self.documents = Documents(data, self.arns, plan.configuration)

    def add(self, section: str, resource: Resource, name: str, body: dict[str, Any]) -> Thing:
        thing = Thing(section, self.plan.account, name, body, resource.line, resource.address)
        self.things[section, name] = thing
        return self.plan.inventory.add(thing)

    def name(self, resource: Resource) -> str:
        """Its name, or a made-up one where AWS will choose it."""
        given = resource.values.get("name")
        if isinstance(given, str) and given:
            return given
        prefix = resource.values.get("name_prefix")
        made = f"{prefix}x" if isinstance(prefix, str) and prefix else resource.name
        self.note(resource, f"its name is made at apply; called `{made}` here")
        return made

    def document(self, resource: Resource, member: str) -> str | None:
        """A policy of a resource as text; None, and a note, where the plan does not know it."""
        given = resource.values.get(member)
        if isinstance(given, str) and given:
            return given
        block = (resource.module, f"{resource.type}.{resource.name}")
        made, why = self.documents.made(block, resource.instance, member)
        if made is None:
            self.note(resource, f"{member} is not known before apply{why}")
        elif why:
            self.note(resource, f"{member}: {why}")
        return made

    def note(self, resource: Resource, told: str) -> None:
        self.plan.inventory.note(resource.line, f"{resource.address}: {told}")

    def without(self, resource: Resource, member: str, name: str) -> None:
        """Note that what a resource is for is not in this file."""
        which = f"the {member} `{name}` is not in this file" if name else f"its {member} is not known before apply"
        self.note(resource, f"{which}, so it is left out")

    def text(self, resource: Resource, member: str) -> str:
        """A text of a resource, taken from a reference where the plan does not know it."""
        given = resource.values.get(member)
        if isinstance(given, str):
            return given
        texts = self.texts(resource, member)
        return texts[0] if texts else ""

    def texts(self, resource: Resource, member: str) -> list[str]:
        """A list of texts of a resource likewise."""
        given = resource.values.get(member)
        if isinstance(given, list) and all(isinstance(item, str) for item in given):
            return list(given)
        references = self.plan.configuration.references(resource.module, resource.type, resource.name, member)
        known = (self.arns.of(reference, resource.instance) for reference in references)
        return [text for text in known if text is not None]


def _key(resource: Resource) -> Key:
    """Under which key references find it."""
    return resource.module, f"{'data.' if resource.is_data else ''}{resource.type}.{resource.name}"


_ARNS: Mapping[str, str] = {
    "aws_iam_role": "role",
    "aws_iam_user": "user",
    "aws_iam_group": "group",
    "aws_iam_policy": "policy",
    "aws_iam_instance_profile": "instance-profile",
    "aws_iam_saml_provider": SAML.segment,
}


def _arn_of(plan: Plan, resource: Resource) -> str:
    """The ARN that a resource has, or will have."""
    known = resource.values.get("arn")
    if isinstance(known, str) and known:
        return known
    if resource.is_data:
        return ""
    if resource.type == "aws_iam_openid_connect_provider" and isinstance(resource.values.get("url"), str):
        return OIDC.arn(plan.account, provider_host(resource.values["url"]))
    kind, name = _ARNS.get(resource.type), resource.values.get("name")
    if kind is None or not isinstance(name, str):
        return ""
    path = resource.values.get("path") if kind != SAML.segment else "/"
    return arn(plan.account, kind, name, path if isinstance(path, str) else "/")


def _role(taking: _Taking, resource: Resource) -> None:
    trust = taking.document(resource, "assume_role_policy")
    if trust is None:
        return
    values = resource.values
    inline = {
        str(item["name"]): item["policy"]
        for item in mappings(values.get("inline_policy"))
        if isinstance(item.get("policy"), str) and item.get("name")
    }
    body = kept(
        path=values.get("path"),
        description=values.get("description"),
        max_session_duration=inventory.session_duration(values.get("max_session_duration")),
        tags=inventory.tags(values.get("tags_all") or values.get("tags")),
        policies=taking.texts(resource, "managed_policy_arns"),
        inline=inline,
        boundary=values.get("permissions_boundary"),
    )
    taking.add("roles", resource, taking.name(resource), {**body, "trust": trust})


def _user(taking: _Taking, resource: Resource) -> None:
    values = resource.values
    body = kept(
        path=values.get("path"),
        tags=inventory.tags(values.get("tags_all") or values.get("tags")),
        boundary=values.get("permissions_boundary"),
    )
    taking.add("users", resource, taking.name(resource), body)


def _group(taking: _Taking, resource: Resource) -> None:
    taking.add("groups", resource, taking.name(resource), kept(path=resource.values.get("path")))


def _policy(taking: _Taking, resource: Resource) -> None:
    document = taking.document(resource, "policy")
    if document is not None:
        body = kept(path=resource.values.get("path"), description=resource.values.get("description"))
        taking.add("policies", resource, taking.name(resource), {**body, "document": document})


def _instance_profile(taking: _Taking, resource: Resource) -> None:
    role = taking.text(resource, "role")
    if role and ("roles", role) in taking.things:
        taking.add("instance_profiles", resource, taking.name(resource), {"role": role})
    else:
        taking.without(resource, "role", role)


def _oidc_provider(taking: _Taking, resource: Resource) -> None:
    url = resource.values.get("url")
    if not isinstance(url, str) or not url:
        taking.note(resource, "its URL is not known before apply")
        return
    client_ids, thumbprints = taking.texts(resource, "client_id_list"), taking.texts(resource, "thumbprint_list")
    name, body = inventory.oidc_provider(url, client_ids, thumbprints, resource.values.get("tags"))
    taking.add("oidc_providers", resource, name, body)


def _saml_provider(taking: _Taking, resource: Resource) -> None:
    metadata = resource.values.get("saml_metadata_document")
    if isinstance(metadata, str) and metadata:
        taking.add("saml_providers", resource, taking.name(resource), {"metadata": metadata})
    else:
        taking.note(resource, "its metadata is not known before apply")


def _profile(taking: _Taking, resource: Resource) -> None:
    values = resource.values
    body = kept(
        roles=taking.texts(resource, "role_arns"),
        duration=str(values.get("duration_seconds") or ""),
        session_policy=values.get("session_policy"),
        policies=taking.texts(resource, "managed_policy_arns"),
    )
    if values.get("enabled") is not True:  # the provider's default, and AWS's, is a disabled profile
        body["enabled"] = "false"
    if body.get("roles"):
        taking.add("roles_anywhere_profiles", resource, taking.name(resource), body)
    else:
        taking.note(resource, "its roles are not known before apply")


def _anchor(taking: _Taking, resource: Resource) -> None:
    sources = [data for item in mappings(resource.values.get("source")) for data in mappings(item.get("source_data"))]
    bundle = next((data["x509_certificate_data"] for data in sources if data.get("x509_certificate_data")), "")
    if not bundle:
        taking.note(resource, "its certificates are not known before apply, so it is left out")
        return
    body: dict[str, Any] = {"certificates": bundle}
    if resource.values.get("enabled") is not True:
        body["enabled"] = "false"
    taking.add("trust_anchors", resource, taking.name(resource), body)


MAKERS: Mapping[str, Callable[[_Taking, Resource], None]] = {
    "aws_iam_role": _role,
    "aws_iam_user": _user,
    "aws_iam_group": _group,
    "aws_iam_policy": _policy,
    "aws_iam_openid_connect_provider": _oidc_provider,
    "aws_iam_saml_provider": _saml_provider,
    "aws_rolesanywhere_trust_anchor": _anchor,
}


def _inline_policy(section: str, member: str) -> Callable[[_Taking, Resource], None]:
    def link(taking: _Taking, resource: Resource) -> None:
        holder = taking.things.get((section, taking.text(resource, member)))
        if holder is None:
            taking.without(resource, member, taking.text(resource, member))
            return
        document = taking.document(resource, "policy")
        if document is not None:
            holder.body.setdefault("inline", {})[taking.name(resource)] = document

    return link


def _attachment(*places: tuple[str, str]) -> Callable[[_Taking, Resource], None]:
    """`places` are pairs of section and member; the member names one thing or several."""

    def link(taking: _Taking, resource: Resource) -> None:
        policy = taking.text(resource, "policy_arn")
        for section, member in places:
            given = resource.values.get(member)
            names = given if isinstance(given, list) else [taking.text(resource, member)]
            for name in names:
                holder = taking.things.get((section, str(name)))
                if holder is None and member == section[:-1]:
                    taking.without(resource, member, str(name))
                if holder is not None and policy:
                    holder.body.setdefault("policies", []).append(policy)
                elif holder is not None:
                    taking.note(resource, "its policy is not known before apply")

    return link


def _membership(taking: _Taking, resource: Resource) -> None:
    """aws_iam_user_group_membership names one user, aws_iam_group_membership one group."""
    values = resource.values
    one_user = resource.type == "aws_iam_user_group_membership"
    users = [values.get("user")] if one_user else values.get("users") or []
    groups = values.get("groups") or [] if one_user else [values.get("group")]
    for user in users:
        holder = taking.things.get(("users", str(user)))
        if holder is not None:
            known = [str(group) for group in groups if ("groups", str(group)) in taking.things]
            holder.body["groups"] = sorted({*holder.body.get("groups", ()), *known})


LINKERS: Mapping[str, Callable[[_Taking, Resource], None]] = {
    "aws_iam_role_policy": _inline_policy("roles", "role"),
    "aws_iam_user_policy": _inline_policy("users", "user"),
    "aws_iam_group_policy": _inline_policy("groups", "group"),
    "aws_iam_role_policy_attachment": _attachment(("roles", "role")),
    "aws_iam_user_policy_attachment": _attachment(("users", "user")),
    "aws_iam_group_policy_attachment": _attachment(("groups", "group")),
    "aws_iam_policy_attachment": _attachment(("roles", "roles"), ("users", "users"), ("groups", "groups")),
    "aws_iam_user_group_membership": _membership,
    "aws_iam_group_membership": _membership,
    "aws_iam_instance_profile": _instance_profile,
    "aws_rolesanywhere_profile": _profile,
}
