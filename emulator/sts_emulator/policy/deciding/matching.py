"""Owns how policy text is compared with request text: wildcards, ARNs part by part, actions and principals.

Nothing here backtracks: a pattern is cut at its `*` into segments that are searched once each, left to right, and a
segment that contains `?` is searched with a bit-parallel automaton. The cost is linear in the request value whatever
the pattern.
"""

from __future__ import annotations

from dataclasses import field
from typing import TYPE_CHECKING, Literal, get_args

from sts_emulator.policy.arns import parse_arn
from sts_emulator.policy.federated import FederatedType
from sts_emulator.policy.light_dataclass import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from sts_emulator.policy.deciding.engine import Principal

Grant = Literal["direct", "role", "account"]
Piece = tuple[str, bool]
"""Text and whether `*` and `?` in it are wildcards (substituted and escaped text is literal)."""

RANK: Mapping[str, int] = {"": 0, "account": 1, "role": 2, "direct": 3}
"""How much a grant spares the caller: the highest applicable one counts (docs/aws/policy-evaluation.md, "Layers")."""

ACCOUNT_DIGITS = 12
ARN_PARTS = 6
LONGEST_COMPARED = 64
AwsType = Literal["user", "assumed-role", "root", "federated-user"]
CallerType = AwsType | FederatedType | Literal["service", "anonymous"]
AWS_TYPES: frozenset[CallerType] = frozenset(get_args(AwsType))
"""Callers that have an identity in an account; the others have no identity policies, and no SCP reaches them."""
FEDERATED_TYPES: frozenset[CallerType] = frozenset(get_args(FederatedType))
CALLER_TYPES: frozenset[CallerType] = AWS_TYPES | FEDERATED_TYPES | {"service", "anonymous"}


class _Segment:
    """A run of text between two `*`, in which some positions may be `?`."""

    __slots__ = ("_holes", "_masks", "_runs", "length", "text")

    def __init__(self, characters: Sequence[str | None]) -> None:
        self.text = "".join("?" if character is None else character for character in characters)
        self.length = len(characters)
        self._holes = 0
        self._masks: dict[str, int] = {}
        self._runs: list[tuple[int, str]] = []
        if None in characters:
            self._index(characters)

    def _index(self, characters: Sequence[str | None]) -> None:
        run, start = "", 0
        for position, character in enumerate(characters):
            if character is None:
                self._holes |= 1 << position
                if run:
                    self._runs.append((start, run))
                run, start = "", position + 1
            else:
                run += character
        if run:
            self._runs.append((start, run))
        for position, character in enumerate(characters):
            if character is not None:
                self._masks[character] = self._masks.get(character, self._holes) | 1 << position

    @property
    def literal(self) -> str | None:
        """Its text, or None when it has holes."""
        return None if self._holes else self.text

    def at(self, value: str, position: int) -> bool:
        """Whether the segment stands at `position` of `value` (which must be long enough)."""
        if not self._holes:
            return value.startswith(self.text, position)
        return all(value.startswith(run, position + offset) for offset, run in self._runs)

    def find(self, value: str, start: int, end: int) -> int:
        """First position of the segment inside `value[start:end]`, or -1."""
        if not self._holes:
            return value.find(self.text, start, end)
        state, masks, holes, goal = 0, self._masks, self._holes, 1 << (self.length - 1)
        for position in range(start, end):
            state = (state << 1 | 1) & masks.get(value[position], holes)
            if state & goal:
                return position - self.length + 1
        return -1


class Glob:
    """A compiled wildcard pattern: `*` is any run of characters, also empty and across `/` and `:`; `?` exactly one.

    A character outside the basic plane is two, as in the UTF-16 that AWS compares (recorded live).
    """

    __slots__ = ("_first", "_inner", "_last", "_minimum")

    def __init__(self, pieces: Iterable[Piece]) -> None:
        segments: list[list[str | None]] = [[]]
        for text, wild in pieces:
            for character in text if text.isascii() else code_units(text):
                if wild and character == "*":
                    segments.append([])
                else:
                    segments[-1].append(None if wild and character == "?" else character)
        first, *rest = [_Segment(segment) for segment in segments]
        self._first, self._last = first, rest.pop() if rest else None
        self._inner = tuple(segment for segment in rest if segment.length)
        self._minimum = sum(map(len, segments))

    def matches(self, value: str) -> bool:
        """Whether the whole of `value` fits the pattern, case-sensitively."""
        if not value.isascii():
            value = code_units(value)
        size = len(value)
        if size < self._minimum:
            return False
        first, last = self._first, self._last
        if not first.at(value, 0):
            return False
        if last is None:
            return size == first.length
        end = size - last.length
        if last.length and not last.at(value, end):
            return False
        position = first.length
        for segment in self._inner:
            start = segment.find(value, position, end)
            if start < 0:
                return False
            position = start + segment.length
        return True

    @property
    def literal(self) -> str | None:
        """The only text that the pattern fits, or None when it has wildcards."""
        text = self._first.literal if self._last is None else None
        return text if text is None or text.isascii() else characters(text)

    @property
    def is_everything(self) -> bool:
        """Whether the pattern is `*` (or several of them)."""
        return self._last is not None and not self._minimum


def code_units(text: str) -> str:
    """The text with each character outside the basic plane as the two halves that UTF-16 has for it."""
    if max(text) <= "\uffff":
        return text
    encoded = text.encode("utf-16-be", "surrogatepass")
    return "".join(chr(high << 8 | low) for high, low in zip(encoded[::2], encoded[1::2], strict=True))


def characters(units: str) -> str:
    """The text again that `code_units` cut."""
    return units.encode("utf-16-be", "surrogatepass").decode("utf-16-be", "surrogatepass")


def glob(pattern: str) -> Glob:
    """Compile a pattern in which every `*` and `?` is a wildcard."""
    return Glob(((pattern, True),))


def has_wildcard(text: str) -> bool:
    """Whether `text` contains `*` or `?`."""
    return "*" in text or "?" in text


def split_arn(pieces: Iterable[Piece]) -> list[list[Piece]]:
    """Cut at the first five colons: a variable is filled in before the ARN is read, and can hold a whole one."""
    parts: list[list[Piece]] = [[]]
    for text, wild in pieces:
        first, *rest = text.split(":", ARN_PARTS - len(parts))
        parts[-1].append((first, wild))
        parts.extend([(piece, wild)] for piece in rest)
    return parts


def is_arn(text: str) -> bool:
    """Whether the text has the six parts of an ARN."""
    return text.startswith("arn:") and text.count(":") >= ARN_PARTS - 1


def is_arn_pattern(text: str) -> bool:
    """Whether some ARN could fit the text, part by part."""
    return text.count(":") >= ARN_PARTS - 1 and glob(text.partition(":")[0]).matches("arn")


class ArnPattern:
    """Six colon-separated parts, each a glob of its own, so that `*` cannot cross a colon in the first five."""

    __slots__ = ("_literal", "_parts")

    def __init__(self, pieces: Iterable[Piece]) -> None:
        parts = split_arn(pieces)
        self._parts = tuple(Glob(part) for part in parts) if len(parts) == ARN_PARTS else ()
        literals = [literal for part in self._parts if (literal := part.literal) is not None]
        # Without wildcards the pattern is one text, and comparing it whole is all there is to do.
        self._literal = ":".join(literals) if len(literals) == ARN_PARTS and literals[0] == "arn" else None

    def mismatch(self, value: str) -> int | None:
        """None when `value` fits, else the number of the first part that differs (1 to 6; 0: one of them is no ARN)."""
        parts = value.split(":", ARN_PARTS - 1)
        if len(parts) != ARN_PARTS or parts[0] != "arn" or not self._parts:
            return 0
        for number, (pattern, part) in enumerate(zip(self._parts, parts, strict=True), start=1):
            if not pattern.matches(part):
                return number
        return None

    def matches(self, value: str) -> bool:
        """Whether every part of `value` fits its part of the pattern."""
        return value == self._literal if self._literal is not None else self.mismatch(value) is None


class Actions:
    """The `Action` or `NotAction` list: names are compared case-insensitively, `*` and `?` are wildcards."""

    __slots__ = ("_everything", "_exact", "_globs", "texts")

    def __init__(self, texts: Sequence[str]) -> None:
        self.texts = tuple(texts)
        self._everything = "*" in texts
        self._exact = frozenset(text.lower() for text in texts if not has_wildcard(text))
        self._globs = tuple((text, glob(text.lower())) for text in texts if has_wildcard(text))

    def match(self, action: str) -> bool:
        """Whether the lower-cased `action` is listed."""
        if self._everything or action in self._exact:
            return True
        return bool(self._globs) and any(pattern.matches(action) for _, pattern in self._globs)

    def matched_by(self, action: str) -> str | None:
        """The listed text that covers the lower-cased `action`, an exact one first."""
        if action in self._exact:
            return next(text for text in self.texts if text.lower() == action)
        return next((text for text, pattern in self._globs if pattern.matches(action)), None)


@dataclass(frozen=True, slots=True)
class Principals:
    """The compiled `Principal` or `NotPrincipal` element.

    A wildcard inside an ARN is kept as plain text, so it can never match (UG reference_policies_elements_principal).
    """

    everyone: bool = False
    any_aws: bool = False
    direct: frozenset[str] = frozenset()
    roles: frozenset[str] = frozenset()
    accounts: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    federated: frozenset[str] = frozenset()
    services: frozenset[str] = frozenset()
    entries: tuple[tuple[str, str], ...] = field(default=(), compare=False)

    def match(self, caller: Principal, *, deny: bool = False) -> Grant | None:
        """How the element names the caller, or None.

        `{"AWS":"*"}` does not admit OIDC, SAML or service callers (recorded live for federated ones). Whether a *Deny*
        on it reaches them is not documented; the strict reading is taken, as for a bare `"*"`.
        """
        kind, everyone = caller.type, self.everyone
        if kind in AWS_TYPES:
            return "direct" if everyone else self._match_aws(caller)
        if deny and (everyone or self.any_aws):
            return "direct"
        if kind in FEDERATED_TYPES:
            return "direct" if everyone or caller.value in self.federated else None
        if kind == "service":
            return "direct" if everyone or caller.value in self.services else None
        # INVARIANT: a caller of no known type, which mypy refuses already, is not admitted at run time either.
        return "direct" if kind == "anonymous" and (everyone or self.any_aws) else None

    def matched_by(self, caller: Principal, *, deny: bool = False) -> str | None:
        """The listed text that names the caller most closely."""
        matches = [
            (RANK[grant], text)
            for kind, text in self.entries
            if (grant := principals({kind: [text]} if kind != "*" else text).match(caller, deny=deny)) is not None
        ]
        return max(matches, key=lambda pair: pair[0])[1] if matches else None

    def _match_aws(self, caller: Principal) -> Grant | None:
        if self.any_aws or (self.direct and self._names_itself(caller)):
            return "direct"
        if self.roles and self._names_role(caller):
            return "role"
        return "account" if self._names_account(caller) else None

    def _names_itself(self, caller: Principal) -> bool:
        return not self.direct.isdisjoint((caller.value, caller.user_arn, caller.id))

    def _names_role(self, caller: Principal) -> bool:
        return caller.role_arn in self.roles or caller.id.partition(":")[0] in self.roles

    def _names_account(self, caller: Principal) -> bool:
        prefixes = self.accounts.get(caller.account)
        return prefixes is not None and caller.value.startswith(prefixes)

    def spares(self, caller: Principal) -> bool:
        """Whether a `NotPrincipal` list exempts the caller from a Deny.

        AWS verifies the account, then the user or role, then the session, so every one of them must be listed
        (UG reference_policies_elements_notprincipal).
        """
        if self.everyone or self.any_aws or caller.type not in AWS_TYPES:
            return self.match(caller) is not None
        if not self._names_account(caller):
            return False
        if caller.type == "root":
            return True
        return self._names_itself(caller) and (not caller.role_arn or self._names_role(caller))


def principals(element: str | Mapping[str, Sequence[str]]) -> Principals:
    """Compile a `Principal` element whose single values have been made lists; `"*"` is everyone."""
    if isinstance(element, str):
        return Principals(everyone=element == "*", entries=(("*", element),))
    aws = list(element.get("AWS", ()))
    named = [text for text in aws if text not in ("*", "")]
    roles = {text for text in named if is_role(text)}
    accounts: dict[str, tuple[str, ...]] = {}
    for text in filter(is_account, named):
        number, prefix = _account(text)
        accounts[number] = (*accounts.get(number, ()), prefix)
    return Principals(
        any_aws="*" in aws,
        direct=frozenset(text for text in named if text not in roles and not is_account(text)),
        roles=frozenset(roles),
        accounts=accounts,
        federated=frozenset(element.get("Federated", ())),
        services=frozenset(element.get("Service", ())),
        entries=tuple((kind, text) for kind, texts in element.items() for text in texts),
    )


def is_account(text: str) -> bool:
    """Whether an `AWS` principal is an account: twelve digits or a root ARN."""
    if len(text) == ACCOUNT_DIGITS:
        return text.isascii() and text.isdigit()
    arn = parse_arn(text)
    return arn is not None and arn.service == "iam" and arn.resource == "root"


def _account(text: str) -> tuple[str, str]:
    """The account's number, and how an ARN of that account starts (a bare number leaves the partition open)."""
    arn = parse_arn(text)
    return (text, "") if arn is None else (arn.account, f"arn:{arn.partition}:")


def is_role(text: str) -> bool:
    """Whether an `AWS` principal is a role: its ARN or the unique id it was stored under."""
    if text.startswith("AROA"):
        return ":" not in text
    arn = parse_arn(text)
    return arn is not None and arn.service == "iam" and arn.resource.startswith("role/")


def edit_distance(left: str, right: str) -> int:
    """Levenshtein's distance of the first 64 characters."""
    left, right = left[:LONGEST_COMPARED], right[:LONGEST_COMPARED]
    row = list(range(len(right) + 1))
    for index, a in enumerate(left, start=1):
        previous, row[0] = row[0], index
        for column, b in enumerate(right, start=1):
            previous, row[column] = row[column], min(row[column] + 1, row[column - 1] + 1, previous + (a != b))
    return row[-1]
