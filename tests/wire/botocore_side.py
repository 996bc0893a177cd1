"""The other side of the wire, which nobody here wrote: botocore's serialisers and parsers, and parameters for them."""

from __future__ import annotations

import random
import string
from datetime import UTC, datetime
from functools import cache
from typing import Any
from urllib.parse import urlsplit

from botocore.awsrequest import create_request_object, prepare_request_dict
from botocore.loaders import Loader
from botocore.model import OperationModel, ServiceModel, Shape
from botocore.parsers import create_parser
from botocore.serialize import create_serializer

from sts_emulator.wire.http import Request, Response

ENDPOINT = "http://localhost:9000"
AWKWARD = [
    "&",
    "=",
    "+",
    "%",
    "%41",
    " ",
    "<",
    ">",
    '"',
    "'",
    "\\",
    "/",
    "?",
    "#",
    ";",
    ":",
    ",",
    "ä",
    "語",
    "\U0001d4b3",
    "\t",
    "\r",
    "\n",
    "{",
    "}",
    "[",
    "]",
    "~",
]


@cache
def model(service: str) -> ServiceModel:
    return ServiceModel(Loader().load_service_model(service, "service-2"), service)


def protocol(service: str) -> str:
    return model(service).resolved_protocol


def serialise(operation: OperationModel, params: dict[str, Any]) -> Request:
    """The request that botocore sends for these parameters, as the wire receives it."""
    serialised = create_serializer(protocol(operation.service_model.service_name), include_validation=False)
    prepared = serialised.serialize_to_request(params, operation)
    prepare_request_dict(prepared, endpoint_url=ENDPOINT, context={}, user_agent="test")
    return received(create_request_object(prepared).prepare())


def received(prepared: Any) -> Request:
    url = urlsplit(prepared.url)
    body = prepared.body or b""
    headers = {
        name.lower(): value if isinstance(value, str) else value.decode() for name, value in prepared.headers.items()
    }
    headers.setdefault("host", url.netloc)
    return Request(
        method=prepared.method,
        raw_path=url.path or "/",
        signed_path=url.path or "/",
        query=url.query,
        headers=headers,
        body=body.encode() if isinstance(body, str) else bytes(body),
        client="127.0.0.1",
    )


def parse(service: str, response: Response, shape: Shape | None) -> dict[str, Any]:
    """What botocore makes of a response."""
    headers = {name.lower(): value for name, value in response.headers}  # botocore looks names up without their case
    parser = create_parser(protocol(service))
    return parser.parse({"status_code": response.status, "headers": headers, "body": response.body}, shape)


class Values:
    """Random values for the shapes of a model; the same seed gives the same values."""

    def __init__(self, seed: str) -> None:
        self.random = random.Random(seed)

    def value(self, shape: Shape, depth: int = 0, location: str = "") -> Any:
        if getattr(shape, "is_document_type", False):
            return {"document": [1, 2.5, "x", None, {"deep": True}]}
        return getattr(self, f"a_{shape.type_name}")(shape, depth, location)

    def a_structure(self, shape: Shape, depth: int, _location: str) -> dict[str, Any]:
        members = {}
        if shape.is_tagged_union:  # botocore insists on one member
            name = self.random.choice(list(shape.members))
            return {name: self.value(shape.members[name], depth + 1)}
        for name, member in shape.members.items():
            required = name in shape.required_members
            deep = depth > 3 and member.type_name in ("structure", "list", "map")
            if (required or self.random.random() < 0.7) and not deep:
                members[name] = self.value(member, depth + 1, member.serialization.get("location", ""))
        return members

    def a_list(self, shape: Shape, depth: int, location: str) -> list[Any]:
        count = self.random.choice([1, 2, 3, 12]) if depth < 3 else 1
        return [self.value(shape.member, depth + 1, location) for _ in range(count)]

    def a_map(self, shape: Shape, depth: int, _location: str) -> dict[str, Any]:
        return {f"{self.value(shape.key, depth + 1)}{n}": self.value(shape.value, depth + 1) for n in range(2)}

    def a_string(self, _shape: Shape, _depth: int, location: str) -> str:
        if location == "header":
            return "".join(self.random.choices(string.ascii_letters + "=+/.", k=20))
        pieces = self.random.choices([*AWKWARD, *string.ascii_letters], k=self.random.randint(1, 12))
        return "".join(pieces) + "x"

    def a_integer(self, *_: Any) -> int:
        return self.random.choice([0, 1, -1, 900, 2**31 - 1, -(2**31)])

    def a_long(self, *_: Any) -> int:
        return self.random.choice([0, 1, 1764000000000, 2**63 - 1, -(2**63)])

    def a_double(self, *_: Any) -> float:
        return self.random.choice([0.0, 1.5, -2.25, 1e-7, 1e30])

    a_float = a_double

    def a_boolean(self, *_: Any) -> bool:
        return self.random.random() < 0.5

    def a_timestamp(self, *_: Any) -> datetime:
        return datetime.fromtimestamp(self.random.randint(1, 2**32), UTC)

    def a_blob(self, *_: Any) -> bytes:
        return self.random.randbytes(self.random.randint(1, 40))


def plain(value: Any) -> Any:
    """The same with datetimes as the wire has them, in epoch seconds."""
    if isinstance(value, datetime):
        return int(value.timestamp())
    if isinstance(value, dict):
        return {name: plain(item) for name, item in value.items()}
    return [plain(item) for item in value] if isinstance(value, list) else value


def without_empty(value: Any, *, gaps: bool) -> Any:
    """Without empty structures and maps, which a form cannot carry; in a list they leave a gap, which EC2 closes."""
    if isinstance(value, dict):
        inner = {name: without_empty(item, gaps=gaps) for name, item in value.items()}
        return {name: item for name, item in inner.items() if item not in ({}, [])}
    if not isinstance(value, list):
        return value
    items = [None if item in ({}, []) else item for item in (without_empty(item, gaps=gaps) for item in value)]
    if not gaps:
        return [item for item in items if item is not None]
    while items and items[-1] is None:
        items.pop()
    return items
