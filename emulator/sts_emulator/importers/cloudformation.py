"""CloudFormation templates, also those that the CDK writes into `cdk.out`: the IAM in them."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from difflib import get_close_matches
from typing import Any, Final

from sts_emulator.importers import inventory, template_attributes
from sts_emulator.importers.intrinsics import NO_VALUE, Resolver, Unresolved
from sts_emulator.importers.inventory import Inventory, Thing, arn, compact, kept, provider_host
from sts_emulator.importers.json_text import BadInput
from sts_emulator.importers.parts import mapping, mappings, texts
from sts_emulator.importers.placeholders import MARK, Filling, marked
from sts_emulator.importers.places import at_lines, inline_policies
from sts_emulator.importers.stacks import DEEPEST, Stack, Template, template_of
from sts_emulator.importers.template_macros import expanded
from sts_emulator.importers.template_parameters import given_to, parameters_of, pseudo, told
from sts_emulator.policy.federated import OIDC, SAML
from sts_emulator.policy.json_types import JsonObject

CDK_PROVIDER: Final = "Custom::AWSCDKOpenIdConnectProvider"
CDK_JSON: Final = "Custom::AWSCDKCfnJson"


NESTED: Final = frozenset({"AWS::CloudFormation::Stack", "AWS::Serverless::Application"})
_STANDS_FOR_OTHERS: Final = ("AWS::IAM::", "AWS::RolesAnywhere::", "AWS::Organizations::Policy", "AWS::SSO::")
"""Starts of types that decide who may assume what; of those that are not taken over it is said."""


def read(template: Template, account: str, parameters: Mapping[str, str], stack: Stack | None = None) -> Inventory:
    """The IAM of a template, and of the nested stacks whose templates stand beside it.

    `parameters` overrule the defaults of its own; `account` overrules that of the stack.

    Raises:
        BadInput: not of a template's shape.
    """
    stack = stack or Stack()
    taking = _Taking(template, account or stack.account or inventory.DEFAULT_ACCOUNT, parameters, stack)
    taking.take()
    taking.tell(parameters)
    return taking.inventory


class _Taking:
    """One template being taken over."""

    def __init__(self, template: Template, account: str, given: JsonObject, stack: Stack) -> None:
        self.template = template
        self.account = account
        self._stack = stack
        written = template.plain()
        if not isinstance(written, Mapping) or not isinstance(written.get("Resources"), Mapping):
            raise BadInput("expected `Resources` to be a mapping", 1)
        known = {**parameters_of(written), **pseudo(account, stack.region, stack.name), **given_to(written, given)}
        parameters = {**known, **{name: value for name, value in stack.parameters.items() if name not in given}}
        self._expanded = expanded(written, parameters)
        value = self._expanded.template
        self._place = template_attributes.Place(str(parameters["AWS::Region"]), account)
        self._filling = Filling(account, self._place.region)
        self.inventory = Inventory("a CloudFormation template", made_up=self._filling.made_up)
        self._declared = mapping(value, "Parameters")
        self.things: dict[str, Thing] = {}
        self._resources = mapping(value, "Resources")
        self._outputs = mapping(value, "Outputs")
        self._children: dict[str, _Taking | None] = {}
        self._taken = frozenset(stack.used)
        stack.used.update(logical for logical, resource in self._resources.items() if _kind_of(resource) in _SHAPES)
        self._properties: dict[str, Mapping[str, Any]] = {}
        self._names: dict[str, str] = {}
        self._by_name: dict[tuple[str, str], list[Thing]] = {}
        self._resolving: set[str] = set()
        self.resolver = Resolver(
            parameters,
            mapping(value, "Mappings"),
            mapping(value, "Conditions"),
            self.attribute,
        )

    def take(self) -> None:
        for line, message in self._expanded.notes:
            self.inventory.note(self.template.line_at(line), message)
        for step in (MAKERS, LINKERS):
            for logical, resource in self._resources.items():
                kind = _kind_of(resource)
                if kind in step and self.exists(logical):
                    step[kind](self, logical, self.properties(logical))
        for logical, resource in self._resources.items():
            kind = _kind_of(resource)
            if kind.startswith(_STANDS_FOR_OTHERS) and kind not in MAKERS and kind not in LINKERS:
                self.note(logical, f"{kind} is not taken over")

    def child(self, logical: str) -> _Taking | None:
        """A nested stack, taken over when it is first asked for; None where its template is not at hand."""
        if logical not in self._children:
            self._children[logical] = None  # while it is read: a stack does not hold itself
            self._children[logical] = self._nested(logical)
        return self._children[logical]

    def _nested(self, logical: str) -> _Taking | None:
        path = template_of(self._resources[logical])
        try:
            template = self._stack.beside(self.template.file, path) if path and self._stack.depth < DEEPEST else None
            if template is None:
                note = "its template is not beside this one; name it too, for what it holds is not in this answer"
                self.note(logical, note)
                return None
            given = self.resolver.value(self._written(logical).get("Parameters") or {})
            child = _Taking(template, self.account, given, self._stack.nested(logical))
            child.take()
            child.tell({})
        except BadInput as bad:
            self.note(logical, f"{path}:{bad.line}: {bad}")
            return None
        self.inventory.take_in(child.inventory, template.file, f"{logical}.")
        return child

    def output(self, name: str) -> Any:
        """What the stack gives out under a name, or None."""
        given = mapping(self._outputs, name)
        return self.resolver.value(given["Value"]) if "Value" in given else None

    def exists(self, logical: str) -> bool:
        """Whether the resource's condition holds; one that cannot be judged is taken to, and noted."""
        condition = self._resources[logical].get("Condition")
        if condition is None:
            return True
        try:
            return self.resolver.holds(condition)
        except Unresolved as gap:
            self.note(logical, f"its condition is not known ({gap}); taken to hold")
            return True

    def properties(self, logical: str) -> Mapping[str, Any]:
        """A resource's properties, resolved once; what could not be is noted."""
        if logical not in self._properties:
            self._properties[logical] = mapping(self._filling.filled(self.resolver.value(self._written(logical))))
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
            self.inventory.note(line, told(self.resolver.unresolved, self._declared, is_nested=self._stack.depth > 0))

    def line(self, logical: str, *path: str | int) -> int:
        return self.template.line_at([*self._expanded.origins.get(logical, ["Resources", logical]), *path])

    def name(self, logical: str, member: str) -> str:
        """A resource's name: as given, else the logical id, of which CloudFormation makes `STACK-LOGICALID-…`."""
        given = self._written(logical).get(member)
        made = self._stack.called(logical, is_taken=self._is_taken(logical))
        if given is None or logical in self._resolving:
            return made
        if logical not in self._names:
            self._resolving.add(logical)
            name = self.resolver.value(given)
            self._resolving.discard(logical)
            self._names[logical] = name if isinstance(name, str) and name and MARK not in name else made
        return self._names[logical]

    def _is_taken(self, logical: str) -> bool:
        """Whether a stack around this one has such a name, or each stage of the app may have it."""
        return logical in self._taken or (bool(self._stack.prefix) and not self._stack.depth)

    def note(self, logical: str, told: str) -> None:
        self.inventory.note(self.line(logical), f"{logical}: {told}")

    def add(
        self, section: str, logical: str, name: str, body: dict[str, Any], members: Mapping[str, list[Any]]
    ) -> Thing:
        """Keep a thing; `members` are the paths of its documents below its properties."""

        def lines(member: str, steps: list[str | int]) -> int:
            below = members.get(member)
            return self.line(logical) if below is None else self.line(logical, "Properties", *below, *steps)

        thing = Thing(section, self.account, name, body, self.line(logical), logical, at_lines(lines))
        thing.ignored = _ignored(self._resources[logical])
        self.things[logical] = thing
        self._by_name.setdefault((section, name), []).append(thing)
        return self.inventory.add(thing)

    def attribute(self, logical: str, attribute: str) -> Any:
        """What `Ref` (no attribute) and `Fn::GetAtt` give of a resource; None when there is none of that name."""
        kind = _kind_of(self._resources.get(logical))
        if not kind:
            return None
        if kind == CDK_JSON:
            return self._parsed(logical)
        if kind in NESTED and attribute.startswith("Outputs."):
            child = self.child(logical)
            return None if child is None else child.output(attribute.removeprefix("Outputs."))
        return self._of_iam(kind, logical, attribute) if kind in _SHAPES else self._made_up(kind, logical, attribute)

    def _of_iam(self, kind: str, logical: str, attribute: str) -> Any:
        segment, member, ref = _SHAPES[kind]
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
        return mapping(self._resources[logical], "Properties")

    def _path(self, logical: str) -> str:
        path = self.resolver.value(self._written(logical).get("Path", "/"))
        return path if isinstance(path, str) and path.startswith("/") and path.endswith("/") else "/"

    def _provider(self, logical: str, attribute: str) -> str | None:
        url = self._filling.filled(self.resolver.value(self._written(logical).get("Url")), "Url")
        if not isinstance(url, str) or attribute not in ("", "Arn"):
            return None
        return OIDC.arn(self.account, provider_host(url))

    def held(self, listed: object, section: str) -> list[Thing]:
        """The things of a section that a list of names means."""
        return [thing for name in dict.fromkeys(texts(listed)) for thing in self._by_name.get((section, name), ())]


def _ignored(resource: Mapping[str, Any]) -> frozenset[str]:
    """The rules that `Metadata: {sts-emulator: {ignore: {RULE: the reason}}}` tells to pass over."""
    own = mapping(resource, "Metadata", "sts-emulator")
    return frozenset(rule for rule, reason in mapping(own, "ignore").items() if isinstance(reason, str) and reason)


def _kind_of(resource: object) -> str:
    kind = mapping(resource).get("Type")
    return kind if isinstance(kind, str) else ""


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
        taking.note(logical, "has no AssumeRolePolicyDocument, so it is left out")
        return
    body = kept(
        description=properties.get("Description"),
        max_session_duration=inventory.session_duration(properties.get("MaxSessionDuration")),
        boundary=properties.get("PermissionsBoundary"),
        **_holder(properties),
    )
    body["trust"] = _document(trust)
    members: dict[str, list[Any]] = {"trust": ["AssumeRolePolicyDocument"], **inline_policies(properties, "Policies")}
    taking.add("roles", logical, taking.name(logical, "RoleName"), body, members)


def _user(taking: _Taking, logical: str, properties: Properties) -> None:
    body = kept(boundary=properties.get("PermissionsBoundary"), **_holder(properties))
    taking.add("users", logical, taking.name(logical, "UserName"), body, inline_policies(properties, "Policies"))


def _group(taking: _Taking, logical: str, properties: Properties) -> None:
    body = _holder(properties)
    body.pop("tags", None)
    taking.add("groups", logical, taking.name(logical, "GroupName"), body, inline_policies(properties, "Policies"))


def _holder(properties: Properties) -> dict[str, object]:
    path = properties.get("Path")
    return kept(
        path=path if isinstance(path, str) else "",
        tags=inventory.tags(properties.get("Tags")),
        policies=texts(properties.get("ManagedPolicyArns")),
        inline={
            str(policy["PolicyName"]): _document(policy.get("PolicyDocument"))
            for policy in mappings(properties.get("Policies"))
            if "PolicyName" in policy
        },
    )


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
    holders = [holder for names, section in listed for holder in taking.held(names, section)]
    for holder in holders if document is not None else ():
        holder.body.setdefault("inline", {})[name] = _document(document)
    if not holders:
        taking.note(logical, "whom it is for is not in this template, so it is left out")


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
    else:
        taking.note(logical, "its role is not in this template, so it is left out")


def _oidc_provider(taking: _Taking, logical: str, properties: Properties) -> None:
    url = properties.get("Url")
    if not isinstance(url, str) or MARK in url:
        taking.note(logical, "its URL is not known, so it is left out")
        return
    client_ids = texts(properties.get("ClientIdList", properties.get("ClientIDList")))
    thumbprints = texts(properties.get("ThumbprintList"))
    name, body = inventory.oidc_provider(url, client_ids, thumbprints, properties.get("Tags"))
    taking.add("oidc_providers", logical, name, body, {})


def _saml_provider(taking: _Taking, logical: str, properties: Properties) -> None:
    metadata = properties.get("SamlMetadataDocument")
    if isinstance(metadata, str) and MARK not in metadata:
        taking.add("saml_providers", logical, taking.name(logical, "Name"), {"metadata": metadata}, {})
    else:
        taking.note(logical, "its metadata is not known, so it is left out")


def _anchor(taking: _Taking, logical: str, properties: Properties) -> None:
    data = mapping(properties, "Source", "SourceData").get("X509CertificateData")
    if not isinstance(data, str) or MARK in data:
        taking.note(logical, "its certificates are not known, so it is left out")
        return
    body = {"certificates": data, **_switch(properties)}
    taking.add("trust_anchors", logical, taking.name(logical, "Name"), body, {})


def _profile(taking: _Taking, logical: str, properties: Properties) -> None:
    body = kept(
        roles=texts(properties.get("RoleArns")),
        duration=str(properties.get("DurationSeconds") or ""),
        session_policy=properties.get("SessionPolicy"),
        policies=texts(properties.get("ManagedPolicyArns")),
        **_switch(properties),
    )
    if properties.get("AcceptRoleSessionName") in (True, "true"):
        body["session_names"] = "true"
    taking.add("roles_anywhere_profiles", logical, taking.name(logical, "Name"), body, {})


def _switch(properties: Properties) -> dict[str, str]:
    """CloudFormation makes anchors and profiles disabled unless told otherwise, as the API does."""
    return {} if properties.get("Enabled") in (True, "true") else {"enabled": "false"}


def _document(value: object) -> str:
    return value if isinstance(value, str) else compact({} if value is NO_VALUE or value is None else value)


MAKERS: Mapping[str, Callable[[_Taking, str, Properties], object]] = {
    **dict.fromkeys(NESTED, lambda taking, logical, _: taking.child(logical)),
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
