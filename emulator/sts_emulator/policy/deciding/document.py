"""Owns the policy document: its text parsed and compiled once into an immutable form that can be evaluated.

`parse` refuses only what cannot be evaluated; what IAM refuses on save is `validate`'s business. Documents are cached
by content.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import field
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal

from sts_emulator.policy.deciding.conditions import Condition, compile_condition
from sts_emulator.policy.deciding.matching import Actions, Principals, principals
from sts_emulator.policy.deciding.resources import Resources
from sts_emulator.policy.json_types import JsonObject
from sts_emulator.policy.light_dataclass import dataclass

if TYPE_CHECKING:
    from collections.abc import Mapping

LONGEST_TEXT = 131_072  # the longest policy parameter of the IAM API
CACHED_DOCUMENTS = 2_048
LONGEST_CACHED = 16_384  # bounds the cache to a few tens of MiB whatever is sent
LANGUAGES = ("2008-10-17", "2012-10-17")
PRINCIPAL_TYPES = ("AWS", "Federated", "Service", "CanonicalUser")
TOP_LEVEL = ("Version", "Id", "Statement")
ELEMENTS = (
    *("Sid", "Effect", "Principal", "NotPrincipal", "Action", "NotAction"),
    *("Resource", "NotResource", "Condition"),
)

Effect = Literal["Allow", "Deny"]


class MalformedPolicy(Exception):  # noqa: N818 # AWS's own name is MalformedPolicyDocument
    """A document that cannot be evaluated, or that IAM would not save; `code`, `message` and `status` are AWS's."""

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.status = status


def malformed(message: str) -> MalformedPolicy:
    """The error that nearly every refusal is: MalformedPolicyDocument, HTTP 400."""
    return MalformedPolicy("MalformedPolicyDocument", message)


class JsonText(str):
    """A JSON number or boolean, kept as the text it was written in."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Statement:
    """One compiled statement; an absent element is None."""

    index: int
    sid: str
    effect: Effect
    actions: Actions
    not_action: bool
    principals: Principals | None
    not_principal: bool
    resources: Resources | None
    not_resource: bool
    conditions: tuple[Condition, ...]
    source: Mapping[str, Any] = field(compare=False, repr=False)

    @property
    def path(self) -> str:
        """Where the statement stands in the document, as a JSON path."""
        return f"Statement[{self.index}]"

    @property
    def label(self) -> str:
        """The same with its Sid, for people."""
        return f'{self.path} "{self.sid}"' if self.sid else self.path


@dataclass(frozen=True, slots=True)
class Document:
    """A compiled policy: `size` counts the characters that quotas count (all but white space)."""

    text: str
    version: str
    statements: tuple[Statement, ...]
    size: int
    denies: tuple[Statement, ...] = field(compare=False, repr=False)
    allows: tuple[Statement, ...] = field(compare=False, repr=False)
    source: Mapping[str, Any] = field(compare=False, repr=False)


def parse(text: str) -> Document:
    """Compile a policy text.

    Raises:
        MalformedPolicy: not JSON, a key twice, or a shape that has no meaning; unknown operators and keys are kept.
    """
    return _compile_cached(text) if len(text) <= LONGEST_CACHED else _compile(text)


def load(text: str) -> Any:
    """Read JSON strictly: no duplicate keys, no NaN, numbers and booleans as the text they were written in.

    Raises:
        MalformedPolicy: whatever is wrong with the text.
    """
    if len(text) > LONGEST_TEXT:
        raise malformed(f"The policy is longer than {LONGEST_TEXT} characters")
    try:
        return json.loads(
            text, object_pairs_hook=_unique, parse_int=JsonText, parse_float=JsonText, parse_constant=_no_constant
        )
    except (ValueError, RecursionError) as error:
        raise malformed("This policy contains invalid Json") from error


def _unique(pairs: Sequence[tuple[str, object]]) -> Mapping[str, object]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise malformed("This policy contains invalid Json")
    return members


def _no_constant(_: str) -> str:
    raise ValueError


def _compile(text: str) -> Document:
    source = load(text)
    if not isinstance(source, dict):
        raise malformed("Syntax errors in policy.")
    unknown = [name for name in source if name not in TOP_LEVEL]
    if unknown:
        raise malformed(f"Syntax errors in policy: unknown field {unknown[0]}")
    version = source.get("Version", LANGUAGES[0])
    if version not in LANGUAGES:
        raise malformed("The policy must contain a valid version string")
    if "Statement" not in source:
        raise malformed("Missing required field Statement")
    listed = as_list(source["Statement"])
    statements = tuple(_statement(index, element, version) for index, element in enumerate(listed))
    return Document(
        text=text,
        version=version,
        statements=statements,
        size=sum(map(len, text.split())),
        denies=tuple(statement for statement in statements if statement.effect == "Deny"),
        allows=tuple(statement for statement in statements if statement.effect == "Allow"),
        source=source,
    )


_compile_cached = lru_cache(maxsize=CACHED_DOCUMENTS)(_compile)


def _statement(index: int, source: object, version: str) -> Statement:
    if not isinstance(source, dict):
        raise malformed("Syntax errors in policy: a statement must be an object")
    unknown = [name for name in source if name not in ELEMENTS]
    if unknown:
        raise malformed(f"Syntax errors in policy: unknown field {unknown[0]}")
    effect = source.get("Effect")
    if effect is None:
        raise malformed("Missing required field Effect")
    if effect not in ("Allow", "Deny"):
        raise malformed(f"Invalid effect: {effect if isinstance(effect, str) else json.dumps(effect)}")
    action = _one_of(source, "Action", "NotAction")
    principal = _one_of(source, "Principal", "NotPrincipal")
    resource = _one_of(source, "Resource", "NotResource")
    if not action:
        raise malformed("Missing required field Action")
    return Statement(
        index=index,
        sid=_text(source.get("Sid", "")),
        effect="Deny" if effect == "Deny" else "Allow",
        actions=Actions(texts(source[action])),
        not_action=action == "NotAction",
        principals=principals(_principal(source[principal])) if principal else None,
        not_principal=principal == "NotPrincipal",
        resources=Resources(texts(source[resource]), version) if resource else None,
        not_resource=resource == "NotResource",
        conditions=_conditions(source.get("Condition", {}), version, deny=effect == "Deny"),
        source=source,
    )


def _one_of(source: JsonObject, plain: str, negated: str) -> str:
    if plain in source and negated in source:
        raise malformed(f"Syntax errors in policy: both {plain} and {negated}")
    return plain if plain in source else negated if negated in source else ""


def _principal(source: object) -> str | dict[str, list[str]]:
    if isinstance(source, str):
        return source
    if not isinstance(source, dict):
        raise malformed("Principal must be a JSON object.")
    unknown = [name for name in source if name not in PRINCIPAL_TYPES]
    if unknown:
        raise malformed(f"Syntax errors in policy: unknown principal type {unknown[0]}")
    return {kind: texts(element) for kind, element in source.items()}


def _conditions(source: object, version: str, *, deny: bool) -> tuple[Condition, ...]:
    if not isinstance(source, dict):
        raise malformed("Syntax errors in policy: Condition must be an object")
    compiled: list[Condition] = []
    for operator, block in source.items():
        if not isinstance(block, dict):
            raise malformed(f"Syntax errors in policy: {operator} must be an object")
        compiled.extend(
            compile_condition(operator, key, texts(values), version=version, deny=deny) for key, values in block.items()
        )
    return tuple(compiled)


def as_list(element: Any) -> list[Any]:
    """A single value is the same as a list of one, everywhere in a policy."""
    return element if isinstance(element, list) else [element]


def texts(element: object) -> list[str]:
    """The strings of a value or list of values; numbers and booleans are taken as their text.

    Raises:
        MalformedPolicy: null, an object or a nested list.
    """
    return [_text(value) for value in as_list(element)]


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return str(value)
    raise malformed("Syntax errors in policy: a string is expected")
