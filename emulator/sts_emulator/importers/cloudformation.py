"""CloudFormation templates, also those that the CDK writes into `cdk.out`: the IAM in them."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from difflib import get_close_matches
from typing import Any, Final, Protocol

from sts_emulator.importers import inventory, template_attributes
from sts_emulator.importers.intrinsics import NO_VALUE, Resolver, Unresolved
from sts_emulator.importers.inventory import Inventory, Thing, arn, compact, kept, provider_host
from sts_emulator.importers.json_text import BadInput
from sts_emulator.importers.placeholders import MARK, Filling, marked
from sts_emulator.importers.places import at_lines
from sts_emulator.importers.template_macros import Origins, expanded
from sts_emulator.importers.template_parameters import parameters_of, pseudo, told
from sts_emulator.policy.federated import OIDC, SAML

CDK_PROVIDER: Final = "Custom::AWSCDKOpenIdConnectProvider"
CDK_JSON: Final = "Custom::AWSCDKCfnJson"


class Template(Protocol):
    """A template that was read: its value, and the line of a place in it."""

    file: str

    def plain(self) -> Any:
        """The whole template."""

    def line_at(self, path: list[str | int]) -> int:
        """The line of what `path` leads to, or of the nearest place on the way."""


def read(template: Template, account: str, parameters: Mapping[str, str]) -> Inventory:
    """The IAM of a template; `parameters` overrule the defaults of its own.

    Raises:
        BadInput: not of a template's shape.
    """
    value = template.plain()
    resources = value.get("Resources") if isinstance(value, Mapping) else None
    if not isinstance(resources, Mapping):
        raise BadInput("expected `Resources` to be a mapping", 1)
    account = account or inventory.DEFAULT_ACCOUNT
    whole, origins = expanded(value, parameters_of(value))
    taking = _Taking(template, whole, origins, account, parameters)
    for step in (MAKERS, LINKERS):
        for logical, resource in whole["Resources"].items():
            kind = resource.get("Type") if isinstance(resource, Mapping) else None
            if isinstance(kind, str) and kind in step and taking.exists(logical):
                step[kind](taking, logical, taking.properties(logical))
    taking.tell(parameters)
    return taking.inventory


def _section(value: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    section = value.get(name)
    return section if isinstance(section, Mapping) else {}


class _Taking:
    """One template being taken over."""

    def __init__(
        self,
        template: Template,
        value: Mapping[str, Any],
        origins: Origins,
        account: str,
        given: Mapping[str, str],
    ) -> None:
        self.template = template
        self.account = account
        parameters = {**parameters_of(value), **pseudo(account), **given}
        self._place = template_attributes.Place(str(parameters["AWS::Region"]), account)
        self._filling = Filling(account, self._place.region)
        self.inventory = Inventory("a CloudFormation template", made_up=self._filling.made_up)
        self._origins = origins
        self._declared = _section(value, "Parameters")
        self.things: dict[str, Thing] = {}
        self._resources = _section(value, "Resources")
        self._properties: dict[str, Mapping[str, Any]] = {}
        self._names: dict[str, str] = {}
        self._by_name: dict[tuple[str, str], list[Thing]] = {}
        self._resolving: set[str] = set()
        self.resolver = Resolver(
            parameters,
            _section(value, "Mappings"),
            _section(value, "Conditions"),
            self.attribute,
        )

    def exists(self, logical: str) -> bool:
        """Whether the resource's condition holds; one that cannot be judged is taken to, and noted."""
        condition = self._resources[logical].get("Condition")
        if condition is None:
            return True
        try:
            return self.resolver.holds(condition)
        except Unresolved as gap:
            self.inventory.note(self.line(logical), f"{logical}: its condition is not known ({gap}); taken to hold")
            return True

    def properties(self, logical: str) -> Mapping[str, Any]:
        """A resource's properties, resolved once; what could not be is noted."""
        if logical not in self._properties:
            written = self._resources[logical].get("Properties")
            value = self._filling.filled(self.resolver.value(written if isinstance(written, Mapping) else {}))
            self._properties[logical] = value if isinstance(value, Mapping) else {}
        return self._properties[logical]

    def tell(self, given: Mapping[str, str]) -> None:
        """Note once what the template alone does not tell, and what was given in vain. Raises BadInput for a typo."""
        for name in given.keys() - self._declared.keys() - pseudo(self.account).keys():
            near = get_close_matches(name, self._declared, n=1, cutoff=0.75)
            line = self.template.line_at(["Parameters"])
            if near:
                raise BadInput(f"has no parameter `{name}`; did you mean `{near[0]}`?", line)
            self.inventory.note(line, f"has no parameter `{name}`")
        if self.resolver.unresolved:
            line = self.template.line_at(["Parameters"] if self._declared else ["Resources"])
            self.inventory.note(line, told(self.resolver.unresolved, self._declared))

    def line(self, logical: str, *path: str | int) -> int:
        return self.template.line_at([*self._origins.get(logical, ["Resources", logical]), *path])

    def name(self, logical: str, member: str) -> str:
        """A resource's name: as given, else the logical id, of which CloudFormation makes `STACK-LOGICALID-…`."""
        given = self._written(logical).get(member)
        if given is None or logical in self._resolving:
            return logical[:64]
        if logical not in self._names:
            self._resolving.add(logical)
            name = self.resolver.value(given)
            self._resolving.discard(logical)
            self._names[logical] = name if isinstance(name, str) and name and MARK not in name else logical[:64]
        return self._names[logical]

    def add(
        self, section: str, logical: str, name: str, body: dict[str, Any], members: Mapping[str, list[Any]]
    ) -> Thing:
        """Keep a thing; `members` are the paths of its documents below its properties."""

        def lines(member: str, steps: list[str | int]) -> int:
            below = members.get(member)
            return self.line(logical) if below is None else self.line(logical, "Properties", *below, *steps)

        thing = Thing(section, self.account, name, body, self.line(logical), logical, at_lines(lines))
        self.things[logical] = thing
        self._by_name.setdefault((section, name), []).append(thing)
        return self.inventory.add(thing)

    def attribute(self, logical: str, attribute: str) -> Any:
        """What `Ref` (no attribute) and `Fn::GetAtt` give of a resource; None when there is none of that name."""
        resource = self._resources.get(logical)
        kind = resource.get("Type") if isinstance(resource, Mapping) else None
        if not isinstance(kind, str):
            return None
        if kind == CDK_JSON:
            return self._parsed(logical)
        shape = _SHAPES.get(kind)
        if shape is None:
            return self._made_up(kind, logical, attribute)
        segment, member, ref = shape
        if segment == OIDC.segment:
            return self._provider(logical, attribute)
        name = self.name(logical, member)
        if attribute in ("Arn", "PolicyArn") or (not attribute and ref == "arn"):
            return arn(self.account, segment, name, self._path(logical))
        return name if not attribute else self._filling.filled(marked(f"{logical}.{attribute}"))

    def _made_up(self, kind: str, logical: str, attribute: str) -> Any:
        """What a resource that is not IAM's will have: of the right form, with the name that it is given, if any."""
        noun = kind.rpartition("::")[2]
        member = next((name for name in ("Name", f"{noun}Name") if name in self._written(logical)), "")
        made = template_attributes.value(kind, self.name(logical, member or "Name"), attribute, self._place)
        if ":" in made:
            self._filling.made_up[made] = f"{logical}.{attribute}".rstrip(".")
        return made

    def _parsed(self, logical: str) -> Any:
        """The CDK's way to keys of a mapping that are known at deployment only."""
        text = self.resolver.value(self._written(logical).get("Value"))
        try:
            return json.loads(text)
        except (TypeError, ValueError, RecursionError):
            return None

    def _written(self, logical: str) -> Mapping[str, Any]:
        written = self._resources[logical].get("Properties")
        return written if isinstance(written, Mapping) else {}

    def _path(self, logical: str) -> str:
        path = self.resolver.value(self._written(logical).get("Path", "/"))
        return path if isinstance(path, str) and path.startswith("/") and path.endswith("/") else "/"

    def _provider(self, logical: str, attribute: str) -> str | None:
        url = self._filling.filled(self.resolver.value(self._written(logical).get("Url")), "Url")
        if not isinstance(url, str) or attribute not in ("", "Arn"):
            return None
        return OIDC.arn(self.account, provider_host(url))

    def held(self, listed: Any, section: str) -> list[Thing]:
        """The things of a section that a list of names means."""
        names = dict.fromkeys(item for item in listed if isinstance(item, str)) if isinstance(listed, list) else {}
        return [thing for name in names for thing in self._by_name.get((section, name), ())]


_SHAPES: Mapping[str, tuple[str, str, str]] = {
    "AWS::IAM::Role": ("role", "RoleName", "name"),
    "AWS::IAM::User": ("user", "UserName", "name"),
    "AWS::IAM::Group": ("group", "GroupName", "name"),
    "AWS::IAM::ManagedPolicy": ("policy", "ManagedPolicyName", "arn"),
    "AWS::IAM::InstanceProfile": ("instance-profile", "InstanceProfileName", "name"),
    "AWS::IAM::SAMLProvider": (SAML.segment, "Name", "arn"),
    "AWS::IAM::OIDCProvider": (OIDC.segment, "Url", "arn"),
    CDK_PROVIDER: (OIDC.segment, "Url", "arn"),
}
"""Type to the segment of its ARN, the property that names it, and whether `Ref` gives its name or its ARN."""

Properties = Mapping[str, Any]


def _role(taking: _Taking, logical: str, properties: Properties) -> None:
    trust = properties.get("AssumeRolePolicyDocument")
    if trust is None:
        taking.inventory.note(taking.line(logical), f"{logical}: has no AssumeRolePolicyDocument, so it is left out")
        return
    duration = str(properties.get("MaxSessionDuration") or "")
    body = kept(
        description=properties.get("Description"),
        max_session_duration="" if duration == "3600" else duration,
        boundary=properties.get("PermissionsBoundary"),
        **_holder(properties),
    )
    body["trust"] = _document(trust)
    members = {"trust": ["AssumeRolePolicyDocument"], **_inline_places(properties)}
    taking.add("roles", logical, taking.name(logical, "RoleName"), body, members)


def _user(taking: _Taking, logical: str, properties: Properties) -> None:
    body = kept(boundary=properties.get("PermissionsBoundary"), **_holder(properties))
    taking.add("users", logical, taking.name(logical, "UserName"), body, _inline_places(properties))


def _group(taking: _Taking, logical: str, properties: Properties) -> None:
    body = _holder(properties)
    body.pop("tags", None)
    taking.add("groups", logical, taking.name(logical, "GroupName"), body, _inline_places(properties))


def _holder(properties: Properties) -> dict[str, Any]:
    path = properties.get("Path")
    return kept(
        path=path if isinstance(path, str) else "",
        tags=inventory.tags(properties.get("Tags")),
        policies=[arn for arn in properties.get("ManagedPolicyArns") or [] if isinstance(arn, str)],
        inline={
            str(policy["PolicyName"]): _document(policy.get("PolicyDocument"))
            for policy in properties.get("Policies") or []
            if isinstance(policy, Mapping) and "PolicyName" in policy
        },
    )


def _inline_places(properties: Properties) -> dict[str, list[Any]]:
    listed = properties.get("Policies")
    return {
        f"inline.{item.get('PolicyName')}": ["Policies", number, "PolicyDocument"]
        for number, item in enumerate(listed if isinstance(listed, list) else [])
        if isinstance(item, Mapping)
    }


def _managed_policy(taking: _Taking, logical: str, properties: Properties) -> None:
    name = taking.name(logical, "ManagedPolicyName")
    path = properties.get("Path")
    body = kept(path=path if isinstance(path, str) else "", description=properties.get("Description"))
    body["document"] = _document(properties.get("PolicyDocument"))
    taking.add("policies", logical, name, body, {"document": ["PolicyDocument"]})


def _attach_managed(taking: _Taking, logical: str, properties: Properties) -> None:
    policy = taking.attribute(logical, "")
    for member, section in (("Roles", "roles"), ("Users", "users"), ("Groups", "groups")):
        for holder in taking.held(properties.get(member), section):
            holder.body.setdefault("policies", []).append(policy)


def _inline_policy(taking: _Taking, logical: str, properties: Properties) -> None:
    """AWS::IAM::Policy names several holders, AWS::IAM::RolePolicy and its sisters one."""
    places = (("Roles", "roles"), ("Users", "users"), ("Groups", "groups"))
    single = (("RoleName", "roles"), ("UserName", "users"), ("GroupName", "groups"))
    listed = [(properties.get(member), section) for member, section in places]
    listed += [([properties[member]], section) for member, section in single if member in properties]
    name, document = str(properties.get("PolicyName", logical)), properties.get("PolicyDocument")
    for names, section in listed:
        for holder in taking.held(names, section):
            if document is not None:
                holder.body.setdefault("inline", {})[name] = _document(document)


def _membership(taking: _Taking, _logical: str, properties: Properties) -> None:
    for user in taking.held(properties.get("Users"), "users"):
        for group in taking.held([properties.get("GroupName")], "groups"):
            user.body.setdefault("groups", []).append(group.name)


def _join_groups(taking: _Taking, logical: str, properties: Properties) -> None:
    known = [group.name for group in taking.held(properties.get("Groups"), "groups")]
    if known and logical in taking.things:
        taking.things[logical].body.setdefault("groups", []).extend(known)


def _instance_profile(taking: _Taking, logical: str, properties: Properties) -> None:
    roles = taking.held(properties.get("Roles"), "roles")
    if roles:
        name = taking.name(logical, "InstanceProfileName")
        taking.add("instance_profiles", logical, name, {"role": roles[0].name}, {})


def _oidc_provider(taking: _Taking, logical: str, properties: Properties) -> None:
    url = properties.get("Url")
    if not isinstance(url, str) or MARK in url:
        taking.inventory.note(taking.line(logical), f"{logical}: its URL is not known, so it is left out")
        return
    body = kept(
        url=url if "://" in url else f"https://{url}",
        client_ids=_texts(properties.get("ClientIdList", properties.get("ClientIDList"))),
        thumbprints=_texts(properties.get("ThumbprintList")),
        tags=inventory.tags(properties.get("Tags")),
    )
    taking.add("oidc_providers", logical, provider_host(url), body, {})


def _saml_provider(taking: _Taking, logical: str, properties: Properties) -> None:
    metadata = properties.get("SamlMetadataDocument")
    if isinstance(metadata, str) and MARK not in metadata:
        taking.add("saml_providers", logical, taking.name(logical, "Name"), {"metadata": metadata}, {})
    else:
        taking.inventory.note(taking.line(logical), f"{logical}: its metadata is not known, so it is left out")


def _anchor(taking: _Taking, logical: str, properties: Properties) -> None:
    data: Any = properties.get("Source")
    for member in ("SourceData", "X509CertificateData"):
        data = data.get(member) if isinstance(data, Mapping) else None
    if not isinstance(data, str) or MARK in data:
        taking.inventory.note(taking.line(logical), f"{logical}: its certificates are not known, so it is left out")
        return
    body = {"certificates": data, **_switch(properties)}
    taking.add("trust_anchors", logical, taking.name(logical, "Name"), body, {})


def _profile(taking: _Taking, logical: str, properties: Properties) -> None:
    body = kept(
        roles=_texts(properties.get("RoleArns")),
        duration=str(properties.get("DurationSeconds") or ""),
        session_policy=properties.get("SessionPolicy"),
        policies=_texts(properties.get("ManagedPolicyArns")),
        **_switch(properties),
    )
    if properties.get("AcceptRoleSessionName") in (True, "true"):
        body["session_names"] = "true"
    taking.add("roles_anywhere_profiles", logical, taking.name(logical, "Name"), body, {})


def _switch(properties: Properties) -> dict[str, str]:
    """CloudFormation makes anchors and profiles disabled unless told otherwise, as the API does."""
    return {} if properties.get("Enabled") in (True, "true") else {"enabled": "false"}


def _texts(listed: Any) -> list[str]:
    return [item for item in listed if isinstance(item, str)] if isinstance(listed, list) else []


def _document(value: Any) -> str:
    return value if isinstance(value, str) else compact({} if value is NO_VALUE or value is None else value)


MAKERS: Mapping[str, Callable[[_Taking, str, Properties], None]] = {
    "AWS::IAM::Role": _role,
    "AWS::IAM::User": _user,
    "AWS::IAM::Group": _group,
    "AWS::IAM::ManagedPolicy": _managed_policy,
    "AWS::IAM::OIDCProvider": _oidc_provider,
    CDK_PROVIDER: _oidc_provider,
    "AWS::IAM::SAMLProvider": _saml_provider,
    "AWS::RolesAnywhere::TrustAnchor": _anchor,
}
LINKERS: Mapping[str, Callable[[_Taking, str, Properties], None]] = {
    "AWS::IAM::Policy": _inline_policy,
    "AWS::IAM::RolePolicy": _inline_policy,
    "AWS::IAM::UserPolicy": _inline_policy,
    "AWS::IAM::GroupPolicy": _inline_policy,
    "AWS::IAM::ManagedPolicy": _attach_managed,
    "AWS::IAM::User": _join_groups,
    "AWS::IAM::UserToGroupAddition": _membership,
    "AWS::IAM::InstanceProfile": _instance_profile,
    "AWS::RolesAnywhere::Profile": _profile,
}
