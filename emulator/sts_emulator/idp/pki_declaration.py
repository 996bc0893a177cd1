"""Reads `pki.yaml`: which authorities and certificates the lab PKI has. The vocabulary is told in certs/README.md."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

from sts_emulator.idp.certificates import HASHES, KEYS, RDN, USAGES, Wish
from sts_emulator.policy.light_dataclass import dataclass

_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
_SPAN = re.compile(r"(-?[0-9]{1,6})(m|h|d)")
_UNITS = {"m": "minutes", "h": "hours", "d": "days"}
_AUTHORITY_KEYS: Final = ("subject", "issuer", "key", "hash", "begins", "ends", "path_length", "usages", "crl_url")
_CERTIFICATE_KEYS: Final = (
    *("subject", "issuer", "key", "hash", "begins", "ends", "usages", "crl_url"),
    *("dns", "uri", "directory", "serial", "revoked", "chain"),
)
_MAX_BYTES: Final = 1 << 20


class DeclarationError(ValueError):
    """A mistake in the declaration; the message begins with file and line."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One authority or certificate. `issuer` is an authority's name, empty for those that vouch for themselves.

    `chain` names the intermediates to send with a certificate, nearest first.
    """

    name: str
    wish: Wish
    key: str
    issuer: str
    is_authority: bool
    is_revoked: bool
    chain: tuple[str, ...]


Declaration = tuple[Entry, ...]
"""All entries, each behind its issuer."""


def read(path: Path) -> Declaration:
    """The declaration of a file. Raises DeclarationError: it is missing, is not YAML, or has a mistake."""
    try:
        text = path.read_text("utf-8")
    except FileNotFoundError:
        raise DeclarationError(f"{path}: no such file; name the folder that has one by --folder") from None
    except (OSError, UnicodeDecodeError) as why:
        raise DeclarationError(f"{path}: cannot be read: {getattr(why, 'strerror', None) or why}") from None
    return parse(text, str(path))


def parse(text: str, file: str = "pki.yaml") -> Declaration:
    """The declaration of a text. Raises DeclarationError."""
    import yaml

    if len(text) > _MAX_BYTES:
        raise DeclarationError(f"{file}: is larger than {_MAX_BYTES} bytes")
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError as why:
        line = getattr(getattr(why, "problem_mark", None), "line", 0) + 1
        raise DeclarationError(f"{file}:{line}: is not YAML: {getattr(why, 'problem', why)}") from None
    return _Reader(file).declaration(node)


class _Reader:
    """Turns the nodes of one file into entries; every scalar is text, whatever it looks like."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.entries: dict[str, Entry] = {}

    def declaration(self, node: object) -> Declaration:
        sections = self.mapping(node, ("authorities", "certificates"))
        for name, authority in self.mapping(sections.get("authorities")).items():
            self.entry(name, authority, is_authority=True)
        for name, certificate in self.mapping(sections.get("certificates")).items():
            self.entry(name, certificate, is_authority=False)
        return tuple(self.entries.values())

    def entry(self, name: str, node: object, *, is_authority: bool) -> None:
        members = self.mapping(node, _AUTHORITY_KEYS if is_authority else _CERTIFICATE_KEYS)
        if not _NAME.fullmatch(name) or name in self.entries:
            raise self.mistake(node, f"`{name}` is used twice, or is not lower-case letters, digits and hyphens")
        if "subject" not in members:
            raise self.mistake(node, f"`{name}` has no `subject`")
        issuer = self.text(members, "issuer", "")
        if issuer and (issuer not in self.entries or not self.entries[issuer].is_authority):
            raise self.mistake(members["issuer"], f"`{issuer}` is no authority above this line")
        if not issuer and not is_authority:
            raise self.mistake(node, f"`{name}` has no `issuer`")
        self.entries[name] = Entry(
            name=name,
            wish=self.wish(members, is_authority=is_authority),
            key=self.choice(members, "key", "ec-p256", KEYS),
            issuer=issuer,
            is_authority=is_authority,
            is_revoked=self.choice(members, "revoked", "false", ("true", "false")) == "true",
            chain=self.chain(members, issuer),
        )

    def wish(self, members: Mapping[str, object], *, is_authority: bool) -> Wish:
        usages = ("key_cert_sign", "crl_sign") if is_authority else ("digital_signature",)
        length, serial = self.text(members, "path_length", ""), self.text(members, "serial", "")
        return Wish(
            subject=self.distinguished_name(members["subject"]),
            begins=self.span(members, "begins", timedelta(hours=-1)),
            ends=self.span(members, "ends", timedelta(days=3650 if is_authority else 365)),
            is_authority=is_authority,
            path_length=self.number(members, "path_length", 10) if length else None,
            usages=self.choices(members, "usages", USAGES) if "usages" in members else usages,
            hash=self.choice(members, "hash", "sha256", HASHES),
            dns=self.texts(members, "dns"),
            uris=self.texts(members, "uri"),
            directory=self.distinguished_name(members["directory"]) if "directory" in members else {},
            crl_url=self.text(members, "crl_url", ""),
            serial=self.number(members, "serial", 16) if serial else None,
        )

    def chain(self, members: Mapping[str, object], issuer: str) -> tuple[str, ...]:
        """The intermediates between a certificate and its root; `chain` may name others instead."""
        if "chain" in members:
            return self.choices(members, "chain", tuple(self.entries))
        intermediates = []
        while issuer and self.entries[issuer].issuer:
            intermediates.append(issuer)
            issuer = self.entries[issuer].issuer
        return tuple(intermediates)

    # -- values ---------------------------------------------------------------------------------------------------

    def mapping(self, node: Any, known: Sequence[str] = ()) -> dict[str, Any]:
        if node is None or (self.is_scalar(node) and not node.value):
            return {}
        if not isinstance(node.value, list) or not all(isinstance(pair, tuple) for pair in node.value):
            raise self.mistake(node, "expected names with values")
        members: dict[str, Any] = {}
        for key, value in node.value:
            name = str(key.value)
            if name in members:
                raise self.mistake(key, f"`{name}` stands here twice")
            if known and name not in known:
                raise self.mistake(key, f"unknown key `{name}`; known are {', '.join(known)}")
            members[name] = value
        return members

    def distinguished_name(self, node: Any) -> dict[str, str | tuple[str, ...]]:
        attributes: dict[str, str | tuple[str, ...]] = {}
        for kind, value in self.mapping(node, tuple(RDN)).items():
            attributes[kind] = value.value if self.is_scalar(value) else self.items(value)
        return attributes

    def text(self, members: Mapping[str, Any], name: str, default: str) -> str:
        node = members.get(name)
        if node is None:
            return default
        if not self.is_scalar(node):
            raise self.mistake(node, f"`{name}` must be one value")
        return str(node.value)

    def texts(self, members: Mapping[str, Any], name: str) -> tuple[str, ...]:
        node = members.get(name)
        if node is None:
            return ()
        return (node.value,) if self.is_scalar(node) else self.items(node)

    def items(self, node: Any) -> tuple[str, ...]:
        if not isinstance(node.value, list) or not all(self.is_scalar(item) for item in node.value):
            raise self.mistake(node, "expected a list of values")
        return tuple(item.value for item in node.value)

    def choice(self, members: Mapping[str, object], name: str, default: str, known: Sequence[str]) -> str:
        value = self.text(members, name, default)
        if value not in known:
            raise self.mistake(members[name], f"`{name}` cannot be `{value}`; it is one of {', '.join(known)}")
        return value

    def choices(self, members: Mapping[str, object], name: str, known: Sequence[str]) -> tuple[str, ...]:
        values = self.texts(members, name)
        unknown = [value for value in values if value not in known]
        if unknown:
            raise self.mistake(members[name], f"`{name}` cannot have `{unknown[0]}`; known are {', '.join(known)}")
        return values

    def span(self, members: Mapping[str, object], name: str, default: timedelta) -> timedelta:
        value = self.text(members, name, "")
        span = _SPAN.fullmatch(value)
        if span is None:
            if name in members:
                raise self.mistake(members[name], f"`{value}` is no span of time, such as 12h or -30d")
            return default
        return timedelta(**{_UNITS[span[2]]: int(span[1])})

    def number(self, members: Mapping[str, object], name: str, base: int) -> int:
        convert: Callable[[str, int], int] = int
        try:
            return convert(self.text(members, name, ""), base)
        except ValueError:
            raise self.mistake(members[name], f"`{name}` must be a number in base {base}") from None

    @staticmethod
    def is_scalar(node: Any) -> bool:
        return isinstance(node.value, str)

    def mistake(self, node: Any, message: str) -> DeclarationError:
        return DeclarationError(f"{self.file}:{node.start_mark.line + 1}: {message}")
