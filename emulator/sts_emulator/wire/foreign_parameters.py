"""The parameters of a foreign service's call, for whoever decides on it: any protocol, under the model's names.

What a parser of the service might read in another way than this one (a member twice, or spelt in another case) is
refused, and so is a value of another type than its member has, or a required one that is not there. What a value says
is not judged: that is the service's business.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from sts_emulator.core.errors import AwsError
from sts_emulator.wire import foreign_routing, foreign_types, http
from sts_emulator.wire.foreign_routing import CBOR, Meant, in_doubt
from sts_emulator.wire.http import Request
from sts_emulator.wire.models import Member, Shape

if TYPE_CHECKING:
    from lxml.etree import _Element

_MAX_DEPTH: Final = 64
_HIDDEN: Final = "HIDDEN_DUE_TO_SECURITY_REASONS"
_NONE = Shape("", "structure")
_INTEGER: Final = re.compile("[+-]?[0-9]{1,19}", re.ASCII)


def read(meant: Meant, request: Request) -> dict[str, Any]:
    """The parameters of a call, without what is streamed.

    Raises:
        AwsError: `SerializationException`, `MalformedXML` or `InvalidRequest`.
    """
    shape = meant.operation.input or _NONE
    if meant.protocol in ("query", "ec2"):
        return _structure_of_pairs(http.parameters(request), shape)
    if meant.protocol in ("json", CBOR):
        decoded = _json(request.body) if meant.protocol == "json" else _cbor(request.body)
        content: dict[str, Any] = _renamed(decoded, shape, 0)
        foreign_types.require(meant, content, shape)
        return content
    located = _located(meant, request, shape)
    if not request.body and not _has_body(shape):
        return located
    return located | _payload(meant, request, shape)


@lru_cache(maxsize=4_096)
def _has_body(shape: Shape) -> bool:
    """Whether a call may tell anything in its body."""
    return not all(member.location for member in shape.members.values())


def is_streamed(meant: Meant) -> bool:
    """Whether the body of a call is read as it comes, and is no parameter."""
    return _streams(meant)[0]


def has_opaque_body(meant: Meant) -> bool:
    """Whether the body of a call is bytes or text of the caller's own."""
    shape = meant.operation.input or _NONE
    payload = shape.members.get(shape.payload)
    return payload is not None and payload.shape.type not in ("structure", "list", "map")


def answers_with_a_stream(meant: Meant) -> bool:
    """Whether the answer of a call is read as it comes: an object, or events."""
    return _streams(meant)[1]


def _streams(meant: Meant) -> tuple[bool, bool]:
    compiled = meant.operation.compiled
    if "streams" not in compiled:
        compiled["streams"] = tuple(
            any(member.streaming for member in (shape or _NONE).members.values())
            for shape in (meant.operation.input, meant.operation.output)
        )
    streams: tuple[bool, bool] = compiled["streams"]
    return streams


def without_secrets(meant: Meant, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters as an event may keep them: what the model calls sensitive is left out."""
    shape = meant.operation.input or _NONE
    return dict(parameters) if _secretive(shape).isdisjoint(parameters) else _shown(parameters, shape)


@lru_cache(maxsize=4_096)
def _secretive(shape: Shape) -> frozenset[str]:
    """The members of a structure that are secrets, or hold any."""
    return frozenset(
        name
        for name, member in shape.members.items()
        if any(part.sensitive for part in foreign_types.within(member.shape))
    )


def _shown(value: Any, shape: Shape) -> Any:
    if isinstance(value, Mapping) and shape.type == "structure":
        members = shape.members
        return {
            name: _HIDDEN if members[name].shape.sensitive else _shown(item, members[name].shape)
            for name, item in value.items()
            if name in members
        }
    if isinstance(value, Mapping) and shape.value is not None:
        inner = shape.value.shape
        return {name: _HIDDEN if inner.sensitive else _shown(item, inner) for name, item in value.items()}
    if isinstance(value, list) and shape.member is not None:
        inner = shape.member.shape
        return [_HIDDEN if inner.sensitive else _shown(item, inner) for item in value]
    return value


# What is not in the body -------------------------------------------------------------------------------------------


def _located(meant: Meant, request: Request, shape: Shape) -> dict[str, Any]:
    places = _places(meant, shape)
    labels = foreign_routing.route(meant.operation).labels(request.raw_path).items()
    in_path, in_headers = places["uri"], places["header"]
    members: dict[str, Any] = {
        in_path[name].name: http.unquote(value) if "%" in value else value for name, value in labels if name in in_path
    }
    if request.query:
        given: dict[str, list[str]] = {}
        for name, value in http.pairs(request.query):
            given.setdefault(name, []).append(value)
        for name, values in given.items():
            if name in places["querystring"]:
                members.update(_from_query(meant, places["querystring"][name], values))
    for name, value in request.headers.items():
        if name in in_headers:
            members[in_headers[name].name] = value
    for prefix, member in places["headers"].items():
        named = {key[len(prefix) :]: value for key, value in request.headers.items() if key.startswith(prefix)}
        members.update({member.name: named} if named else {})
    return members


def _places(meant: Meant, shape: Shape) -> dict[str, dict[str, Member]]:
    """Where the members of a call are told that are not in its body, and under which name; compiled once."""
    compiled = meant.operation.compiled
    if "places" not in compiled:
        places: dict[str, dict[str, Member]] = {"uri": {}, "querystring": {}, "header": {}, "headers": {}}
        for member in shape.members.values():
            if member.location in places:
                name = member.location_name or member.name
                places[member.location][name.lower() if "header" in member.location else name] = member
        compiled["places"] = places
    known: dict[str, dict[str, Member]] = compiled["places"]
    return known


def _from_query(meant: Meant, member: Member, values: list[str]) -> dict[str, Any]:
    if member.shape.type == "list":
        return {member.name: values}
    if len(values) > 1:
        raise in_doubt(f"`{member.location_name}` twice")
    if member.shape.type in ("integer", "long") and not _INTEGER.fullmatch(values[0]):
        if meant.protocol == "rest-xml":
            named = {"ArgumentName": member.location_name, "ArgumentValue": values[0]}
            told = f"Provided {member.location_name} not an integer or within integer range"
            raise AwsError("InvalidArgument", told, status=400, members=named)
        raise foreign_types.mistyped(values[0], "integer")
    return {member.name: values[0]}


def _payload(meant: Meant, request: Request, shape: Shape) -> dict[str, Any]:
    if is_streamed(meant):
        return {}
    inside = {name: member for name, member in shape.members.items() if not member.location}
    payload = shape.members.get(shape.payload)
    if has_opaque_body(meant):
        return {}
    if meant.protocol == "rest-xml":
        if payload is None and not inside:
            return {}
        described = payload.shape if payload is not None else _of_body(shape, inside)
        if not request.body:
            if shape.required & (inside.keys() if payload is None else {shape.payload}):
                raise AwsError("MissingRequestBodyError", "Request Body is empty", status=400)
            return {}
        content = _of_element(_xml(request.body), described, 0)
        if any(foreign_types.missing(content, described, "")):
            raise _malformed()
    else:
        if not request.body and payload is not None and shape.payload not in shape.required:
            return {}
        described = payload.shape if payload is not None else _of_body(shape, inside)
        content = _renamed(_json(request.body), described, 0)
        foreign_types.require(meant, content, described)
    return {payload.name: content} if payload is not None else content


# JSON --------------------------------------------------------------------------------------------------------------


def _json(body: bytes) -> Any:
    if not body.strip():
        return {}
    try:
        return json.loads(body.decode("utf-8"), object_pairs_hook=once)
    except (ValueError, RecursionError):
        raise AwsError("SerializationException", "The body is no JSON that has one meaning", status=400) from None


def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object of JSON, for `json`. Raises ValueError for one that has a member twice."""
    content = dict(pairs)
    if len(content) != len(pairs):
        raise ValueError
    return content


def _cbor(body: bytes) -> Any:
    import cbor2

    if not body:
        return {}
    try:
        return _as_json(cbor2.loads(body, max_depth=_MAX_DEPTH, allow_duplicate_keys=False))
    except (cbor2.CBORDecodeError, ValueError, RecursionError):
        raise AwsError("SerializationException", "The body is no CBOR that has one meaning", status=400) from None


def _as_json(value: Any) -> Any:
    """What CBOR has beyond JSON, as JSON's protocols write it."""
    if isinstance(value, Mapping):
        if not all(isinstance(key, str) for key in value):
            raise ValueError
        return {key: _as_json(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_as_json(item) for item in value]
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, datetime):
        return value.timestamp()
    if value is None or isinstance(value, str | int | float):
        return value
    raise ValueError


def _renamed(value: Any, shape: Shape, depth: int) -> Any:
    """A decoded value under the names of the model."""
    if depth > _MAX_DEPTH:
        raise AwsError("SerializationException", "The body is nested too deeply", status=400)
    if shape.type == "structure" and isinstance(value, dict):
        return _members(value, shape, depth)
    if shape.type == "list" and isinstance(value, list) and shape.member is not None:
        return [_renamed(item, shape.member.shape, depth + 1) for item in value]
    if shape.type == "map" and isinstance(value, dict) and shape.value is not None:
        return {key: _renamed(item, shape.value.shape, depth + 1) for key, item in value.items()}
    if shape.document or foreign_types.is_of_type(value, shape.type):
        return value
    if depth == 0:
        raise AwsError("SerializationException", "The body is no JSON object", status=400)
    if shape.type in ("structure", "list", "map") or isinstance(value, dict | list):
        told = "Unexpected value type" if not isinstance(value, dict | list) else "Start of structure or map found"
        raise AwsError("SerializationException", f"{told} where not expected.", status=400)
    raise foreign_types.mistyped(value, shape.type)


def _members(values: Mapping[str, Any], shape: Shape, depth: int) -> dict[str, Any]:
    members, lowered = _spelt(shape)
    content = {}
    for key, value in values.items():
        member = members.get(key)
        if member is not None and value is not None:
            content[member.name] = _renamed(value, member.shape, depth + 1)
        elif member is None and key.lower() in lowered:
            raise AwsError("SerializationException", "A member is spelt in another case than it has", status=400)
    return content


@lru_cache(maxsize=4_096)
def _spelt(shape: Shape) -> tuple[dict[str, Member], frozenset[str]]:
    """The members of a structure as they are spelt on the wire, and their names in lower case."""
    members = {member.location_name or member.name: member for member in shape.members.values()}
    return members, frozenset(map(str.lower, members))


def _of_body(shape: Shape, inside: dict[str, Member]) -> Shape:
    """What of a call is in its body, as a shape."""
    return Shape("", "structure", members=inside, required=shape.required & inside.keys())


# Forms -------------------------------------------------------------------------------------------------------------


# What SQS's forms call otherwise than its model, which is of JSON (SQS Developer Guide, "Making Query API requests").
_SQS_NAMES: Final = {
    "Actions": "ActionName",
    "AttributeNames": "AttributeName",
    "Attributes": "Attribute",
    "AWSAccountIds": "AWSAccountId",
    "MessageAttributeNames": "MessageAttributeName",
    "MessageAttributes": "MessageAttribute",
    "MessageSystemAttributeNames": "MessageSystemAttributeName",
    "MessageSystemAttributes": "MessageSystemAttribute",
    "TagKeys": "TagKey",
    "Tags": "Tag",
    "tags": "Tag",
}
_BATCH: Final = "BatchRequestEntry"
_DIGITS: Final = 9
_NUMBER = re.compile(f"[1-9][0-9]{{0,{_DIGITS - 1}}}|0", re.ASCII)
"""A place in a list; with zeros before it, or other digits than these, only some readers find one."""


def _structure_of_pairs(pairs: Mapping[str, str], shape: Shape) -> dict[str, Any]:
    groups = _grouped(pairs)
    members = {}
    for member in shape.members.values():
        flat = member.shape.member.location_name if member.shape.flattened and member.shape.member else ""
        names = [member.query_name, flat, member.location_name, member.name, _capital(member.location_name)]
        names.append(_SQS_NAMES.get(member.name, ""))
        if member.name == "Entries":
            names += [name for name in groups if name.endswith(_BATCH)]
        if name := _only(names, groups):
            members[member.name] = _of_pairs(groups[name], member.shape)
    return members


def _only(names: Iterable[str], groups: Collection[str]) -> str:
    """The one of some names that a form has, or "". Raises AwsError where it has two: readers take either."""
    given = sorted({name for name in names if name in groups and name})
    if given[1:]:
        raise in_doubt(f"`{given[0]}` and `{given[1]}`")
    return given[0] if given else ""


def _capital(name: str) -> str:
    return name[:1].upper() + name[1:]


def _grouped(pairs: Iterable[tuple[str, str]] | Mapping[str, str]) -> dict[str, dict[str, str]]:
    groups: dict[str, dict[str, str]] = {}
    for name, value in dict(pairs).items():
        head, _, rest = name.partition(".")
        groups.setdefault(head, {})[rest] = value
    return groups


def _of_pairs(group: dict[str, str], shape: Shape) -> Any:
    if shape.type == "structure":
        return _structure_of_pairs(group, shape)
    if shape.type == "list" and shape.member is not None:
        return [_of_pairs(inner, shape.member.shape) for inner in _entries(group, shape.member.location_name)]
    if shape.type == "map" and shape.key is not None and shape.value is not None:
        keys = (shape.key.location_name or "key", "Key", "Name")
        values = (shape.value.location_name or "value", "Value")
        content = {}
        for entry in map(_grouped, _entries(group, "entry")):
            key, value = _only(keys, entry), _only(values, entry)
            if key and value:
                content[entry[key].get("", "")] = _of_pairs(entry[value], shape.value.shape)
        return content
    return group.get("", "")


def _entries(group: dict[str, str], marker: str) -> list[dict[str, str]]:
    """What stands at each number, with or without the name of a list's member before it."""
    groups = _grouped(group)
    if marked := _only((marker, "member", "entry"), groups):
        if any(map(str.isdigit, groups)):
            raise in_doubt(f"a list with `{marked}` and without")
        groups = _grouped(groups[marked])
    numbers = [*filter(str.isdigit, groups)]
    if odd := [number for number in numbers if not _NUMBER.fullmatch(number)]:
        raise in_doubt(f"the number `{odd[0][:_DIGITS]}`")
    return [groups[number] for number in sorted(numbers, key=int)]


# XML ---------------------------------------------------------------------------------------------------------------


def _xml(body: bytes) -> _Element:
    from lxml import etree

    parser = etree.XMLParser(resolve_entities=False, no_network=True, huge_tree=False, remove_comments=True)
    try:
        root = etree.fromstring(body, parser)
    except (etree.XMLSyntaxError, ValueError):
        raise _malformed() from None
    if root.getroottree().docinfo.internalDTD is not None:
        raise _malformed()
    return root


def _malformed() -> AwsError:
    told = "The XML you provided was not well-formed or did not validate against our published schema"
    return AwsError("MalformedXML", told)


def _of_element(element: _Element, shape: Shape, depth: int) -> Any:
    if depth > _MAX_DEPTH:
        raise _malformed()
    if shape.type == "structure":
        return _members_of(element, shape, depth)
    if shape.type == "list" and shape.member is not None:
        item = shape.member
        return [_of_element(child, item.shape, depth + 1) for child in element if isinstance(child.tag, str)]
    if len(element):
        raise _malformed()  # an instruction in the middle of a text: readers differ in what the text is then
    return element.text or ""


def _members_of(element: _Element, shape: Shape, depth: int) -> dict[str, Any]:
    children: dict[str, list[_Element]] = {}
    for child in element:
        if isinstance(child.tag, str):
            children.setdefault(child.tag.rpartition("}")[2], []).append(child)
    members: dict[str, Any] = {}
    for member in shape.members.values():
        given = children.get(_tag(member), [])
        if member.shape.flattened and member.shape.member is not None:
            if given:
                members[member.name] = [_of_element(child, member.shape.member.shape, depth + 1) for child in given]
        elif len(given) > 1:
            raise _malformed()
        elif given:
            members[member.name] = _of_element(given[0], member.shape, depth + 1)
    return members


def _tag(member: Member) -> str:
    inner = member.shape.member
    return (
        member.location_name
        or (inner.location_name if member.shape.flattened and inner is not None else "")
        or member.name
    )
