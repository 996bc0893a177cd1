"""What a plan's configuration says about references between resources, through variables of modules."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Generic, TypeVar

from sts_emulator.importers.parts import mapping, mappings
from sts_emulator.policy.json_types import Json

Key = tuple[tuple[str, ...], str]
"""The path of modules, and `type.name` (with `data.` before a data source)."""

DEEPEST = 32
Item = TypeVar("Item")


class Instances(Generic[Item]):
    """Something of each instance of resources, found by the block and by whoever refers to it."""

    def __init__(self) -> None:
        self._known: dict[Key, list[tuple[tuple[str, ...], Item]]] = {}

    def __contains__(self, key: Key) -> bool:
        return key in self._known

    def add(self, key: Key, instance: tuple[str, ...], item: Item) -> None:
        """Keep what an instance has."""
        self._known.setdefault(key, []).append((instance, item))

    def of(self, key: Key, asking: tuple[str, ...] = ()) -> Item | None:
        """What the instance has that is meant by an instance `asking`: that of its own indexes, or the only one.

        A reference does not tell the index: `for_each` over the same keys is what people write.
        """
        known = self._known.get(key, [])
        for length in range(len(asking), 0, -1):
            meant = [item for instance, item in known if instance == asking[:length]]
            if meant:
                return _single(meant)
        return _single([item for _, item in known])


def _single(items: list[Item]) -> Item | None:
    return items[0] if items and all(item == items[0] for item in items) else None


class Configuration:
    """The `configuration` of a plan; empty for a state, which has none."""

    def __init__(self, configuration: object) -> None:
        self._modules: dict[tuple[str, ...], Mapping[str, Any]] = {}
        self._calls: dict[tuple[str, ...], Mapping[str, Any]] = {}
        self._expressions: dict[Key, Mapping[str, Any]] = {}
        self._read(mapping(configuration).get("root_module"), (), 0)

    def _read(self, module: object, path: tuple[str, ...], depth: int) -> None:
        if not isinstance(module, Mapping) or depth > DEEPEST:
            return
        self._modules[path] = module
        for resource in mappings(module.get("resources")):
            if isinstance(resource.get("expressions"), Mapping):
                prefix = "data." if resource.get("mode") == "data" else ""
                self._expressions[path, f"{prefix}{resource.get('type')}.{resource.get('name')}"] = resource[
                    "expressions"
                ]
        for name, call in mapping(module, "module_calls").items():
            if isinstance(call, Mapping):
                inner = (*path, str(name))
                self._calls[inner] = mapping(call, "expressions")
                self._read(call.get("module"), inner, depth + 1)

    def expression(self, key: Key, member: str) -> Json:
        """The expression of a member of a resource, or None."""
        return self._expressions.get(key, {}).get(member)

    def references(self, module: tuple[str, ...], kind: str, name: str, member: str) -> list[Key]:
        """The resources that a member refers to, in order."""
        return list(self.targets(module, self.expression((module, f"{kind}.{name}"), member)))

    def targets(self, module: tuple[str, ...], expression: object, depth: int = 0) -> Iterator[Key]:
        """The resources that an expression refers to, variables and outputs of modules followed."""
        listed = mapping(expression).get("references")
        if not isinstance(listed, list) or depth > DEEPEST:
            return
        seen: set[Key] = set()
        for reference in listed:
            for key in self._resolved(module, str(reference), depth):
                if key not in seen:
                    seen.add(key)
                    yield key

    def _resolved(self, module: tuple[str, ...], reference: str, depth: int) -> Iterator[Key]:
        parts = reference.replace("[", ".").split(".")
        if parts[0] == "var" and module and len(parts) > 1:
            yield from self.targets(module[:-1], self._calls.get(module, {}).get(parts[1]), depth + 1)
        elif parts[0] == "module" and len(parts) > 2:  # noqa: PLR2004 - module.NAME.OUTPUT
            inner = (*module, parts[1])
            output = mapping(self._modules.get(inner), "outputs", parts[-1])
            yield from self.targets(inner, output.get("expression"), depth + 1)
        elif parts[0] == "data" and len(parts) > 2:  # noqa: PLR2004 - data.TYPE.NAME
            yield module, ".".join(parts[:3])
        elif (
            parts[0] not in ("var", "local", "each", "count", "path", "terraform", "self", "module") and len(parts) > 1
        ):
            yield module, ".".join(parts[:2])
