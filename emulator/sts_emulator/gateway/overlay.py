"""What the map says of a service beyond the dataset: an overlay; and the question that its rules answer."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import field
from typing import Any, Final

from sts_emulator.gateway import arns
from sts_emulator.gateway import parameters as read
from sts_emulator.gateway.call import Call, Need
from sts_emulator.gateway.known_actions import Action, KnownActions
from sts_emulator.policy.light_dataclass import dataclass

Rule = Callable[["Question"], Iterable[Need]]
PartitionKey = Callable[[str], str]
"""The name of the partition key of a table, or of an index, by its ARN; empty where nobody knows."""


def unknown(_arn: str) -> str:
    """Nobody knows."""
    return ""


@dataclass(frozen=True, slots=True)
class Overlay:
    """How a service's calls differ from "the operation is the action, the parameter bears the placeholder's name".

    `members`: the path of a parameter (or several, with `|`) by placeholder. `actions`: actions by operation, where it
    is not called so. `on`: types of resources by action, instead of the dataset's; an empty tuple is `*`. `keys`: a
    parameter's path by condition key. `rules`: operations whose needs hang on the request. `besides`: what any call of
    the service may need in addition. `more_keys`: condition keys that are not one parameter. `whole_arns`: parameters
    that hold the ARN of whatever the call is about. `passes`: the parameter of a role that a call hands to a service,
    and that service. `tags_with`: the action that tags at creation need besides. A member's placeholder may be told
    from another type's of that name: `type.placeholder`.
    """

    members: Mapping[str, str] = field(default_factory=dict)
    actions: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    on: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    keys: Mapping[str, str] = field(default_factory=dict)
    rules: Mapping[str, Rule] = field(default_factory=dict)
    besides: Rule | None = None
    more_keys: Callable[[Call, Action], Mapping[str, tuple[str, ...]]] | None = None
    passes: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    tags_with: Mapping[str, str] = field(default_factory=dict)
    whole_arns: tuple[str, ...] = ("ResourceArn", "ResourceARN", "resourceArn", "resourceARN")
    _keys_of: dict[str, dict[str, str]] = field(default_factory=dict, init=False, repr=False)

    def has_besides(self, operation: str) -> bool:
        """Whether a call may need more than its actions: see `Question.besides`."""
        return self.besides is not None or operation in self.tags_with or operation in self.passes

    def keys_of(self, action: Action) -> Mapping[str, str]:
        """A parameter's path by each condition key that an action has."""
        if action.name not in self._keys_of:
            self._keys_of[action.name] = {key: path for key, path in self.keys.items() if key in action.keys}
        return self._keys_of[action.name]


@dataclass(slots=True)
class Question:
    """A call, with what is known of its service: makes the needs that rules ask for."""

    call: Call
    known: KnownActions
    overlay: Overlay
    partition_key: PartitionKey = unknown

    def needs(self, name: str, *types: str, parameters: Mapping[str, Any] | None = None) -> list[Need]:
        """The needs for an action on every resource of its types that the parameters name."""
        parameters = self.call.parameters if parameters is None else parameters
        action = self.known.actions[name]
        resources = self._resources(action, types, parameters)
        if action.is_untold:
            resources.append("*")
        return [self.need(name, resource, parameters) for resource in dict.fromkeys(resources) or ("*",)]

    def need(self, name: str, resource: str, parameters: Mapping[str, Any] | None = None) -> Need:
        """The need for an action on a resource, with the condition keys that the request brings."""
        parameters = self.call.parameters if parameters is None else parameters
        return Need(f"{self.known.prefix}:{name}", resource, self._keys(self.known.actions[name], parameters))

    def on(self, *resources: str) -> list[Need]:
        """The needs for the call's own action on resources."""
        return [self.need(self.call.operation, resource) for resource in resources]

    def arn(self, kind: str, **names: str) -> str:
        """The ARN of a resource of that type by names; what is not named is any."""
        return arns.filled(self.known.arns[kind], self.call, names)

    def first(self, path: str) -> str:
        """The first value of a parameter, or an empty text."""
        return read.first(self.call.parameters, path)

    def _resources(self, action: Action, types: tuple[str, ...], parameters: Mapping[str, Any]) -> list[str]:
        narrowed = types or self.overlay.on.get(action.name)
        always = action.always_on if narrowed is None else tuple(narrowed)
        also = action.also_on if narrowed is None else ()
        if always or also:
            whole = [arn for path in self.overlay.whole_arns for arn in read.at(parameters, path)]
            if whole:
                return whole
        forms = self.known.arns
        resources: list[str] = []
        for kind in always:
            resources += arns.with_gaps(forms[kind], self.call, parameters, self._members(kind))
        for kind in also:
            resources += arns.named(forms[kind], self.call, parameters, self._members(kind))
        return resources

    def _members(self, kind: str) -> Mapping[str, str]:
        return {name.removeprefix(f"{kind}."): path for name, path in self.overlay.members.items()}

    def besides(self, needs: list[Need]) -> Iterable[Need]:
        """What the call needs in addition: to tag what it makes, and to pass a role on."""
        operation = self.call.operation
        if operation in self.overlay.tags_with and read.tags(self.call.parameters):
            for need in needs[:1]:
                yield self.need(self.overlay.tags_with[operation], need.resource)
        path, service = self.overlay.passes.get(operation, ("", ""))
        for role in dict.fromkeys(read.at(self.call.parameters, path) if path else ()):
            yield self.passed(role, service)
        if self.overlay.besides:
            yield from self.overlay.besides(self)

    def passed(self, role: str, service: str) -> Need:
        """The need to pass a role on to a service."""
        return Need("iam:PassRole", role_named(role), {"iam:passedtoservice": (service,)})

    def dependent(self, action: str, key: str, keys: Mapping[str, tuple[str, ...]] | None = None) -> Need:
        """A permission on the key behind a resource, through the service; `key` is an id, an ARN, an alias, or any."""
        call, arn = self.call, arns.of_key(self.call, key)
        via = {"kms:viaservice": (f"{self.known.prefix}.{call.region}.amazonaws.com",)}
        return Need(action, arn, {**via, "kms:calleraccount": (call.account,), **(keys or {})}, optional=True)

    def _keys(self, action: Action, parameters: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
        asked = self.overlay.keys_of(action).items()
        keys = {key: values for key, path in asked if (values := read.at(parameters, path))}
        if "aws:tagkeys" in action.keys:
            keys |= request_tags(parameters)
        if self.overlay.more_keys:
            keys |= self.overlay.more_keys(self.call, action)
        return keys


PROFILE: Final = "instance-profile/"
ROLE: Final = "role/"


def role_named(named: str) -> str:
    """A role by its ARN, or by its name alone, which does not tell the path: the door finds the role."""
    return named if named.startswith("arn:") else f"{ROLE}{named}"


def profile_need(named: str) -> Need:
    """The need to pass the role in an instance profile, by the profile's name or ARN: the door finds the role."""
    resource = named if named.startswith("arn:") else f"{PROFILE}{named}"
    return Need("iam:PassRole", resource, {"iam:passedtoservice": ("ec2.amazonaws.com",)})


def request_tags(parameters: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    """`aws:RequestTag/…` and `aws:TagKeys` of the tags that a request brings; nothing if it brings none."""
    named = read.tag_keys(parameters)
    keys = {f"aws:requesttag/{key.lower()}": (value,) for key, value in read.tags(parameters).items()}
    return keys | ({"aws:tagkeys": named} if named else {})
