"""CloudFormation's intrinsic functions, resolved as far as a template alone allows; what is not stays marked.

Source: AWS CloudFormation User Guide, "Intrinsic function reference" and "Pseudo parameters reference".
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Callable, Mapping
from typing import Any, Final

from sts_emulator.importers.inventory import compact
from sts_emulator.importers.placeholders import MARK, gap_in, marked
from sts_emulator.policy.json_types import Json, JsonObject

GetAttribute = Callable[[str, str], Any]
"""From a logical id and an attribute (empty: what `Ref` gives) to a value, or None."""

NO_VALUE: Final = object()
DEEPEST: Final = 100
LONGEST: Final = 1 << 20  # characters that resolving may add up to; a template is 1 MB at most

_VARIABLE = re.compile(r"\$\{(!?)([^{}]*)\}")
_DYNAMIC = re.compile(r"\{\{resolve:([^{}]*)\}\}")


class Unresolved(Exception):  # noqa: N818 - what it says is a note, not a failure
    """A value that a template alone does not tell."""


class Resolver:
    """Resolves values of one template.

    `parameters` are values by name, `mappings` and `conditions` the template's own sections. `unresolved` lists what
    could not be resolved, in words.
    """

    def __init__(
        self,
        parameters: JsonObject,
        mappings: JsonObject,
        conditions: JsonObject,
        attribute: GetAttribute,
    ) -> None:
        self._parameters = parameters
        self._mappings = mappings
        self._conditions = conditions
        self._attribute = attribute
        self._depth = 0
        self._grown = 0
        self.unresolved: list[str] = []

    def value(self, written: object) -> Any:
        """The value with everything resolved that can be; NO_VALUE where AWS::NoValue says that there is none."""
        self._depth += 1
        try:
            if self._depth > DEEPEST:
                return self._gap("functions nested too deeply")
            return self._value(written)
        finally:
            self._depth -= 1

    def _value(self, written: Any) -> Any:
        if isinstance(written, list):
            return [value for item in written if (value := self.value(item)) is not NO_VALUE]
        if isinstance(written, str) and "{{resolve:" in written:
            return _DYNAMIC.sub(lambda match: self._gap(match[1]), written)
        if not isinstance(written, Mapping):
            return written
        if len(written) == 1:
            ((name, argument),) = written.items()
            function = _FUNCTIONS.get(name)
            if function is not None:
                try:
                    return function(self, argument)
                except Unresolved as gap:
                    return self._gap(str(gap))
        members = {name: self.value(item) for name, item in written.items()}
        return {name: item for name, item in members.items() if item is not NO_VALUE}

    def holds(self, condition: object) -> bool:
        """Whether a condition of the template holds. Raises Unresolved."""
        self._depth += 1
        try:
            if self._depth > DEEPEST:
                raise Unresolved("conditions that refer to each other in a circle")
            return self._holds(condition)
        finally:
            self._depth -= 1

    def _holds(self, condition: object) -> bool:
        if isinstance(condition, str):
            if condition not in self._conditions:
                raise Unresolved(f"condition {condition}")
            return self.holds(self._conditions[condition])
        if not isinstance(condition, Mapping) or len(condition) != 1:
            raise Unresolved("a condition of unknown form")
        ((name, argument),) = condition.items()
        listed = argument if isinstance(argument, list) else [argument]
        if name == "Condition":
            return self.holds(argument)
        if name == "Fn::Not":
            return not self.holds(listed[0])
        if name == "Fn::And":
            return all(self.holds(item) for item in listed)
        if name == "Fn::Or":
            return any(self.holds(item) for item in listed)
        if name == "Fn::Equals" and len(listed) == 2:  # noqa: PLR2004 - the two that are compared
            return self._known(listed[0]) == self._known(listed[1])
        raise Unresolved(f"condition {name}")

    def _known(self, written: object) -> str:
        """A value as text. Raises Unresolved where any of it is not known."""
        before = len(self.unresolved)
        value = self.value(written)
        if len(self.unresolved) > before:
            raise Unresolved(self.unresolved.pop())
        return _text(value)

    def _gap(self, what: str) -> str:
        if what not in self.unresolved:
            self.unresolved.append(what)
        return marked(what)

    def _grow(self, text: str) -> str:
        self._grown += len(text)
        if self._grown > LONGEST:
            raise Unresolved("text that grows too long")
        return text

    # -- functions ----------------------------------------------------------------------------------------------------

    def _ref(self, name: Json) -> object:
        if name == "AWS::NoValue":
            return NO_VALUE
        if isinstance(name, str) and name in self._parameters:
            return self._parameters[name]
        value = self._attribute(name, "") if isinstance(name, str) else None
        if value is None:
            raise Unresolved(f"Ref {_shown(name)}")
        return value

    def _get_att(self, argument: Any) -> object:
        parts = argument.split(".", 1) if isinstance(argument, str) else argument
        if not _is_pair(parts) or not all(isinstance(part, str) for part in parts):
            raise Unresolved(f"Fn::GetAtt {_shown(argument)}")
        value = self._attribute(parts[0], parts[1])
        if value is None:
            raise Unresolved(f"Fn::GetAtt {'.'.join(parts)}")
        return value

    def _sub(self, argument: Any) -> str:
        text, given = argument, {}
        if _is_pair(argument):
            text, given = argument
        if not isinstance(text, str) or not isinstance(given, Mapping):
            raise Unresolved("Fn::Sub of something that is no text")

        def replaced(match: re.Match[str]) -> str:
            if match[1]:
                return f"${{{match[2]}}}"  # ${!name} is the text ${name}
            name = match[2].strip()
            if name in given:
                return _text(self.value(given[name]))
            value = self.value({"Fn::GetAtt": name} if "." in name else {"Ref": name})
            return _text(value)

        return self._grow(_VARIABLE.sub(replaced, text))

    def _join(self, argument: Any) -> str:
        if not _is_pair(argument):
            raise Unresolved("Fn::Join of unknown form")
        delimiter, listed = _text(self.value(argument[0])), self.value(argument[1])
        if not isinstance(listed, list):
            raise Unresolved(gap_in(listed) or "Fn::Join of something that is no list")
        return self._grow(delimiter.join(map(_text, listed)))

    def _select(self, argument: Any) -> object:
        index, listed = (self.value(item) for item in argument) if _is_pair(argument) else (None, None)
        if not isinstance(listed, list) or not str(index).isdecimal() or int(str(index)) >= len(listed):
            raise Unresolved(gap_in(listed) or "Fn::Select of something that is not there")
        return listed[int(str(index))]

    def _split(self, argument: Any) -> list[str]:
        delimiter, text = (self.value(item) for item in argument) if _is_pair(argument) else (None, None)
        if not isinstance(delimiter, str) or not delimiter or not isinstance(text, str):
            raise Unresolved("Fn::Split of something that is no text")
        if MARK in text:
            raise Unresolved(gap_in(text))
        return text.split(delimiter)

    def _if(self, argument: object) -> object:
        if not isinstance(argument, list) or len(argument) != 3:  # noqa: PLR2004 - condition, then, else
            raise Unresolved("Fn::If of unknown form")
        try:
            return self.value(argument[1] if self.holds(argument[0]) else argument[2])
        except Unresolved as gap:  # as with a resource's condition: what is not known is taken to hold
            self._gap(str(gap))
            return self.value(argument[1])

    def _find_in_map(self, argument: Any) -> object:
        if not isinstance(argument, list) or len(argument) < 3:  # noqa: PLR2004 - map, key, key
            raise Unresolved("Fn::FindInMap of unknown form")
        place: Any = self._mappings
        for key in (_text(self.value(item)) for item in argument[:3]):
            place = place.get(key) if isinstance(place, Mapping) else None
        if place is None and len(argument) > 3 and isinstance(argument[3], Mapping):  # noqa: PLR2004 - a default
            return self.value(argument[3].get("DefaultValue"))
        if place is None:
            raise Unresolved(f"Fn::FindInMap {_shown(argument[0])}")
        return place

    def _base64(self, argument: object) -> str:
        return b64encode(_text(self.value(argument)).encode()).decode()

    def _to_json(self, argument: object) -> str:
        return self._grow(compact(self.value(argument)))

    def _length(self, argument: object) -> int:
        listed = self.value(argument)
        if not isinstance(listed, list):
            raise Unresolved(gap_in(listed) or "Fn::Length of something that is no list")
        return len(listed)

    def _zones(self, argument: object) -> list[str]:
        region = _text(self.value(argument)) or _text(self._parameters.get("AWS::Region"))
        return [f"{region}{letter}" for letter in "abc"]

    def _import_value(self, argument: object) -> str:
        raise Unresolved(f"Fn::ImportValue {_shown(self.value(argument))}, which another stack exports")

    def _other(self, argument: object) -> Json:
        raise Unresolved(f"a function that is not resolved here ({_shown(argument)})")


# ruff: noqa: SLF001 - the table of the class's own functions, which stands below it
_FUNCTIONS: Mapping[str, Callable[[Resolver, Any], Any]] = {
    "Ref": Resolver._ref,
    "Fn::GetAtt": Resolver._get_att,
    "Fn::Sub": Resolver._sub,
    "Fn::Join": Resolver._join,
    "Fn::Select": Resolver._select,
    "Fn::Split": Resolver._split,
    "Fn::If": Resolver._if,
    "Fn::FindInMap": Resolver._find_in_map,
    "Fn::Base64": Resolver._base64,
    "Fn::ToJsonString": Resolver._to_json,
    "Fn::ImportValue": Resolver._import_value,
    "Fn::Transform": Resolver._other,
    "Fn::GetAZs": Resolver._zones,
    "Fn::Length": Resolver._length,
    "Fn::Cidr": Resolver._other,
    "Fn::GetStackOutput": Resolver._other,
}


def _is_pair(argument: object) -> bool:
    return isinstance(argument, list) and len(argument) == 2  # noqa: PLR2004 - a pair


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return ",".join(map(_text, value))
    return "" if value is NO_VALUE or value is None else str(value)


def _shown(value: object) -> str:
    return str(value)[:80]
