"""Service models: botocore's JSON read as data, plus our overlays, resolved into services, operations and shapes.

botocore itself is never imported (its model classes cost 120 ms and 18 MiB, docs/aws/performance.md, "Start"); only its
package directory is located. A trait that this wire does not implement stops the model from loading, so that a newer
botocore can never be served half-understood.
"""

from __future__ import annotations

import gzip
import importlib.util
import json
import os
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import field
from functools import cache, cached_property
from pathlib import Path
from typing import Any, Final

from sts_emulator.policy.light_dataclass import dataclass

_QUERY = ("sts", "iam", "ec2")
_JSON = ("cognito-idp", "cognito-identity", "sso-admin", "identitystore", "organizations", "cloudtrail")
_REST = (
    *("sso", "sso-oidc", "signin", "eks-auth", "rolesanywhere", "iam-toolbox", "eks"),
    *("account-access", "account-access-runtime"),
)
_PROTOCOLS: Final = ("query", "ec2", "json", "rest-json")
_FOREIGN_PROTOCOLS: Final = ("json", "rest-json", "rest-xml", "query", "ec2", "smithy-rpc-v2-cbor")

_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,63}")
_SIGNING = re.compile(r'"signingName"\s*:\s*"([^"]+)"')
_PREFIX = re.compile(r'"endpointPrefix"\s*:\s*"([^"]+)"')
_HEAD: Final = 4096  # characters of a model that hold its metadata

_OVERLAYS = Path(__file__).parent / "overlays"

# What each level of a model may say. A trait that only advises clients or documents is listed too: it was considered.
_METADATA_TRAITS = frozenset(
    (
        *("apiVersion", "auth", "endpointPrefix", "globalEndpoint", "jsonVersion", "protocol", "protocols"),
        *("serviceAbbreviation", "serviceFullName", "serviceId", "signatureVersion", "signingName", "targetPrefix"),
        *("uid", "xmlNamespace"),
    )
)
_OPERATION_TRAITS = frozenset(
    (
        *("auth", "authtype", "deprecated", "deprecatedMessage", "documentation", "documentationUrl", "errors"),
        *("http", "idempotent", "input", "name", "output", "readonly", "staticContextParams"),
    )
)
_HTTP_TRAITS = frozenset(("method", "requestUri", "responseCode"))
_SHAPE_TRAITS = frozenset(
    (
        *("box", "deprecated", "deprecatedMessage", "document", "documentation", "enum", "error", "exception"),
        *("fault", "key", "locationName", "max", "member", "members", "min", "pattern", "payload", "required"),
        *("retryable", "sensitive", "timestampFormat", "type", "union", "value"),
    )
)
_MEMBER_TRAITS = frozenset(
    (
        *("box", "deprecated", "deprecatedMessage", "deprecatedSince", "documentation", "idempotencyToken"),
        *("location", "locationName", "queryName", "shape"),
    )
)
_TYPES = frozenset(
    ("blob", "boolean", "double", "float", "integer", "list", "long", "map", "string", "structure", "timestamp")
)
_INPUT_LOCATIONS = frozenset(("uri", "querystring", "header", "queryOrBody", ""))
_NO_LOCATION = frozenset(("",))
_NO_AUTH = "smithy.api#noAuth"
_BEARER = "smithy.api#httpBearerAuth"


class UnsupportedModelError(Exception):
    """A model that says something this wire does not implement; the message names the service, place and trait."""


@dataclass(slots=True)
class Member:
    """A member of a structure: its name in results, where it travels and under which name."""

    name: str
    shape: Shape
    location: str = ""
    location_name: str = ""
    query_name: str = ""
    streaming: bool = False  # read as it comes; only foreign services have such members


@dataclass(slots=True, repr=False, eq=False)  # shapes may contain themselves
class Shape:
    """A type of a service's model with its constraints; `members`, `member`, `key`, `value` hold what it is made of."""

    name: str
    type: str
    members: dict[str, Member] = field(default_factory=dict)
    required: frozenset[str] = frozenset()
    member: Member | None = None
    key: Member | None = None
    value: Member | None = None
    min: float | None = None
    max: float | None = None
    pattern: str = ""
    enum: tuple[str, ...] = ()
    sensitive: bool = False
    document: bool = False
    timestamp_format: str = ""
    payload: str = ""
    location_name: str = ""
    flattened: bool = False  # a list without an element around it, in XML; only foreign services have them
    streaming: bool = False  # likewise: a payload, or events, read as they come


@dataclass(slots=True)
class ErrorShape:
    """A declared error: its code on the wire, HTTP status, whose fault, and the names of its members."""

    code: str
    status: int
    sender: bool
    members: tuple[str, ...]


@dataclass(slots=True, repr=False, eq=False)  # there is one of each
class Operation:
    """An operation of a service; `status` is success.

    `auth` is "none" where the model says noAuth, "bearer" where the whole service takes bearer tokens, otherwise "v4".
    """

    service: Service
    name: str
    http_method: str
    uri: str
    status: int
    auth: str
    input: Shape | None
    output: Shape | None
    result_wrapper: str
    errors: dict[str, int]
    compiled: dict[str, Any] = field(default_factory=dict, repr=False)
    """What the protocol and the validator made of this operation on first use."""


class Service:
    """A service's model: metadata, its operations (built when looked up) and its declared errors."""

    def __init__(self, name: str, model: Mapping[str, Any], *, foreign: bool = False) -> None:
        """Check every trait of `model`, unless its service is a foreign one, and take its metadata."""
        _drop_documentation(model)
        if not foreign:
            _check(name, model)
        metadata = model["metadata"]
        self.name = name
        self.protocol = _protocol(name, metadata, _FOREIGN_PROTOCOLS if foreign else _PROTOCOLS)
        self.endpoint_prefix: str = metadata["endpointPrefix"]
        self.signing_name: str = metadata.get("signingName", self.endpoint_prefix)
        self.api_version: str = metadata["apiVersion"]
        self.target_prefix: str = metadata.get("targetPrefix", "")
        self.json_version: str = metadata.get("jsonVersion", "1.1")
        self.xmlns: str = metadata.get("xmlNamespace", "")
        self._model = model
        self._shapes: dict[str, Shape] = {}
        self.operations: Mapping[str, Operation] = _Operations(self, model["operations"])

    def __repr__(self) -> str:
        return f"<Service {self.name} {self.api_version} {self.protocol}>"

    @property
    def uris(self) -> Iterator[tuple[str, str, str]]:
        """(operation, method, URI template) of every operation, without building any of them."""
        for name, raw in self._model["operations"].items():
            yield name, raw["http"]["method"], raw["http"]["requestUri"]

    def parameters(self, operation: str) -> tuple[Collection[str], Collection[str]] | None:
        """All parameters of an operation and those that it requires, without building it; None: there is none."""
        raw = self._model["operations"].get(operation)
        if raw is None:
            return None
        shape = self._model["shapes"][raw["input"]["shape"]] if "input" in raw else {}
        return shape.get("members", ()), shape.get("required", ())

    @cached_property
    def errors(self) -> dict[str, ErrorShape]:
        """Declared errors by wire code and by shape name."""
        known: dict[str, ErrorShape] = {}
        for name, raw in self._model["shapes"].items():
            if raw.get("exception") or "error" in raw:
                error = _error(name, raw)
                known[error.code] = known[name] = error
        return known

    def shape(self, name: str) -> Shape:
        """The shape of that name, resolved with everything it is made of."""
        known = self._shapes.get(name)
        if known is not None:
            return known
        raw = self._model["shapes"][name]
        shape = self._shapes[name] = Shape(name, raw["type"])  # entered first: shapes may contain themselves
        self._resolve(shape, raw)
        return shape

    def _resolve(self, shape: Shape, raw: Mapping[str, Any]) -> None:
        shape.required = frozenset(raw.get("required", ()))
        shape.min, shape.max = raw.get("min"), raw.get("max")
        shape.pattern, shape.enum = raw.get("pattern", ""), tuple(raw.get("enum", ()))
        shape.sensitive, shape.document = bool(raw.get("sensitive")), bool(raw.get("document"))
        shape.timestamp_format = raw.get("timestampFormat", "")
        shape.payload, shape.location_name = raw.get("payload", ""), raw.get("locationName", "")
        shape.flattened = bool(raw.get("flattened"))
        shape.streaming = bool(raw.get("streaming") or raw.get("eventstream"))
        shape.members = {name: self._member(name, member) for name, member in raw.get("members", {}).items()}
        for part in ("member", "key", "value"):
            if part in raw:
                setattr(shape, part, self._member(part, raw[part]))

    def _member(self, name: str, raw: Mapping[str, Any]) -> Member:
        shape = self.shape(raw["shape"])
        streaming = bool(raw.get("streaming") or shape.streaming)
        location, location_name, query_name = (
            raw.get(trait, "") for trait in ("location", "locationName", "queryName")
        )
        return Member(name, shape, location, location_name, query_name, streaming)

    def operation(self, name: str) -> Operation:
        """Build the operation of that name (`operations` keeps what this makes)."""
        raw = self._model["operations"][name]
        output = raw.get("output", {})
        return Operation(
            service=self,
            name=name,
            http_method=raw["http"]["method"],
            uri=raw["http"]["requestUri"],
            status=raw["http"].get("responseCode", 200),
            auth=self._auth(raw),
            input=self.shape(raw["input"]["shape"]) if "input" in raw else None,
            output=self.shape(output["shape"]) if output else None,
            result_wrapper=output.get("resultWrapper", ""),
            errors={self.errors[e["shape"]].code: self.errors[e["shape"]].status for e in raw.get("errors", ())},
        )

    def _auth(self, raw: Mapping[str, Any]) -> str:
        if raw.get("authtype") == "none" or _NO_AUTH in raw.get("auth", ()):
            return "none"
        return "bearer" if _BEARER in raw.get("auth", self._model["metadata"].get("auth", ())) else "v4"


class _Operations(Mapping[str, Operation]):
    """Operations by name, each built when it is first looked up."""

    def __init__(self, owner: Service, names: Iterable[str]) -> None:
        self._owner = owner
        self._built: dict[str, Operation | None] = dict.fromkeys(names)

    def __getitem__(self, name: str) -> Operation:
        built = self._built[name]
        if built is None:
            built = self._built[name] = self._owner.operation(name)
        return built

    def __iter__(self) -> Iterator[str]:
        return iter(self._built)

    def __len__(self) -> int:
        return len(self._built)

    def __contains__(self, name: object) -> bool:
        return name in self._built


def services() -> tuple[str, ...]:
    """Names of all services that can be loaded, as botocore names them."""
    return _QUERY + _JSON + _REST


def by_protocol(protocol: str) -> tuple[str, ...]:
    """Names of the services that speak "query" (ec2 among them), "json" or "rest-json", without loading any."""
    return {"query": _QUERY, "json": _JSON, "rest-json": _REST}[protocol]


@cache
def api_version(name: str) -> str:
    """The newest API version that botocore holds of a service, without loading its model."""
    return _directory(name).name


@cache
def service(name: str) -> Service:
    """Load a service's model with our overlay, once.

    Raises:
        KeyError: no service of that name is served here.
        UnsupportedModelError: the model says something this wire does not implement.
    """
    if name not in services():
        raise KeyError(name)
    model = _read(_directory(name))
    overlay = _OVERLAYS / f"{name}.json"
    if overlay.exists():
        addition = json.loads(overlay.read_bytes())
        model["operations"].update(addition["operations"])
        model["shapes"].update(addition["shapes"])
    return Service(name, model)


@cache
def foreign(name: str) -> Service:
    """The model of any service that botocore knows, as it is: nothing of it is answered here, requests are only read.

    Raises:
        KeyError: botocore has no such service.
    """
    if name in services():
        return service(name)
    if not _NAME.fullmatch(name) or not (_data() / name).is_dir():
        raise KeyError(name)
    return Service(name, _read(_directory(name)), foreign=True)


@cache
def signed_as(signing_name: str) -> tuple[str, ...]:
    """Names of all services whose requests are signed under a name, the one that is called so first.

    It looks into every model of botocore, which may take a second: ask only where the name alone is not enough.
    """
    known = _signing_names()
    return tuple(sorted((name for name in known if known[name] == signing_name), key=lambda name: name != signing_name))


@cache
def _signing_names() -> dict[str, str]:
    with os.scandir(_data()) as entries:
        names = [entry.name for entry in entries if entry.is_dir()]
    return {name: told for name in names if (told := signing_name(name))}


@cache
def signing_name(name: str) -> str:
    """What a service's requests are signed as, from the head of its model; "" for a folder that holds none."""
    packed = _directory(name) / "service-2.json.gz"
    if not packed.exists():
        return ""
    with gzip.open(packed) as file:
        head = file.read(_HEAD).decode("utf-8", "replace")
    told = _SIGNING.search(head) or _PREFIX.search(head)
    return told[1] if told else ""


@cache
def _directory(name: str) -> Path:
    with os.scandir(_data() / name) as entries:
        return Path(max(entry.path for entry in entries if entry.is_dir()))


@cache
def _data() -> Path:
    spec = importlib.util.find_spec("botocore")  # locates the package and does not execute it
    if spec is None or not spec.submodule_search_locations:
        raise ModuleNotFoundError("botocore is not installed: its service models are needed")
    return Path(spec.submodule_search_locations[0]) / "data"


def _read(directory: Path) -> Any:
    plain = directory / "service-2.json"
    if plain.exists():
        return json.loads(plain.read_bytes())
    return json.loads(gzip.decompress((directory / "service-2.json.gz").read_bytes()))


def _protocol(name: str, metadata: Mapping[str, Any], known: Iterable[str]) -> str:
    offered = metadata.get("protocols") or [metadata["protocol"]]
    for protocol in offered:
        if protocol in known:
            return str(protocol)
    raise UnsupportedModelError(f"{name}: none of its protocols {offered} is implemented")


def _error(name: str, raw: Mapping[str, Any]) -> ErrorShape:
    trait = raw.get("error", {})
    fault = bool(raw.get("fault"))
    status = trait.get("httpStatusCode", 500 if fault else 400)
    sender = not fault and status < 500  # noqa: PLR2004  # HTTP's own boundary
    return ErrorShape(trait.get("code", name), status, sender, tuple(raw.get("members", ())))


def _check(name: str, model: Mapping[str, Any]) -> None:
    """Refuse what is not implemented."""
    _allow(name, "metadata", model["metadata"], _METADATA_TRAITS)
    inputs = set()
    for key, operation in model["operations"].items():
        _allow(name, key, operation, _OPERATION_TRAITS)
        _allow(name, key, operation["http"], _HTTP_TRAITS)
        inputs.add(operation.get("input", {}).get("shape"))
    for key, shape in model["shapes"].items():
        _check_shape(name, key, shape, top=key in inputs)


def _drop_documentation(model: Mapping[str, Any]) -> None:
    """It is most of a model's memory."""
    for described in (*model["operations"].values(), *model["shapes"].values()):
        described.pop("documentation", None)
        for member in described.get("members", {}).values():
            member.pop("documentation", None)


def _check_shape(name: str, key: str, shape: dict[str, Any], *, top: bool) -> None:
    _allow(name, key, shape, _SHAPE_TRAITS)
    if shape["type"] not in _TYPES:
        raise UnsupportedModelError(f"{name}: type `{shape['type']}` of {key} is not implemented")
    for label, member in shape.get("members", {}).items():
        _allow(name, f"{key}.{label}", member, _MEMBER_TRAITS)
        if member.get("location", "") not in (_INPUT_LOCATIONS if top else _NO_LOCATION):
            raise UnsupportedModelError(f"{name}: location `{member['location']}` of {key}.{label} is not implemented")
    for part in ("member", "key", "value"):
        if part in shape:
            _allow(name, f"{key}.{part}", shape[part], _MEMBER_TRAITS)


def _allow(name: str, place: str, said: Mapping[str, Any], known: frozenset[str]) -> None:
    if not known.issuperset(said):
        unknown = ", ".join(sorted(said.keys() - known))
        raise UnsupportedModelError(f"{name}: trait `{unknown}` of {place} is not implemented")
