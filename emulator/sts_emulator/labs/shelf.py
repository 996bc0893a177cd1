"""The shelf: which labs there are, and each as it reads in a learner's world."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import cache, lru_cache
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any, Final

from sts_emulator.core.spelling import meant
from sts_emulator.labs.lab import Lab
from sts_emulator.scenario.load import load
from sts_emulator.scenario.shape import Reader

NAMES: Final = (
    *("access-keys", "instance-profile", "identity-center", "assume-role", "web-identity"),
    *("saml", "cognito", "roles-anywhere", "confused-deputy", "choosing"),
)
"""All labs, in the order in which they are best done; a name without a folder is left out."""

FOLDER: Final = Path(__file__).parent / "exercises"
EXAMPLE_ACCOUNT: Final = 111122223333
PLACE: Final = {"world": "lab", "url": "http://127.0.0.1:4600", "endpoint": "http://127.0.0.1:4600/w/lab"}
"""What stands in a lab's texts where nobody does it: the address that `lab start` would give."""

SECRET: Final = "secret"  # noqa: S105 - the name of a placeholder
"""The placeholder that stands in every secret of a lab: what it is in one world opens nothing in another."""

UNFILLED: Final[Mapping[str, str]] = {}
"""The values with which a lab is read for everybody: its texts keep their placeholders."""

_PLACEHOLDER = re.compile(r"\{\{\s*([a-z0-9_]+)\s*\}\}")


class UnknownLabError(LookupError):
    """There is no lab of that name; its text says which are near."""

    status: Final = 404


@cache
def names() -> tuple[str, ...]:
    """The labs that there are, in order."""
    return tuple(name for name in NAMES if (_folder(name) / "lab.yaml").exists())


def lab(name: str, values: Mapping[str, str] | None = None) -> Lab:
    """A lab with these values in its placeholders, or with examples.

    Raises:
        UnknownLabError: there is none of that name.
        ScenarioError: a mistake in its file, with the line.
    """
    if name not in names():
        known = f"; there are {', '.join(names())}"
        raise UnknownLabError(f"no lab `{name[:80]}`{meant(name, names()) or known}")
    return _read(name, tuple(sorted((examples(name) if values is None else values).items())))


def scenario(name: str, values: Mapping[str, str]) -> str:
    """The scenario of a lab's world."""
    return filled((_folder(name) / "scenario.yaml").read_text("utf-8"), values)


def module(name: str) -> ModuleType:
    """Where the functions are that a lab's texts name; `-` is `_` there."""
    return import_module(f"sts_emulator.labs.exercises.{_folder(name).name}.{lab(name).module}")


def function(lab_name: str, name: str) -> Callable[[Any], Any] | None:
    """The function of a step, check, wrong way or claim; None where there is none."""
    return getattr(module(lab_name), name.replace("-", "_"), None)


def filled(text: str, values: Mapping[str, str]) -> str:
    """A text with its placeholders (`{{account}}`) filled; what has no value stays, and `lab lint` finds it."""
    return _PLACEHOLDER.sub(lambda place: values.get(place[1], place[0]), text)


def unfilled(text: str) -> list[str]:
    """Placeholders that are left."""
    return [place[0] for place in _PLACEHOLDER.finditer(text)]


def _folder(name: str) -> Path:
    return FOLDER / name.replace("-", "_")


@lru_cache(maxsize=16)
def _text(name: str) -> str:
    return (_folder(name) / "lab.yaml").read_text("utf-8")


@cache
def examples(name: str) -> Mapping[str, str]:
    """Values as they may be, for a lab that nobody has begun."""
    accounts = lab(name, UNFILLED).accounts
    numbered = {account: str(EXAMPLE_ACCOUNT + number) for number, account in enumerate(accounts)}
    return {**PLACE, SECRET: "0123456789ab", **numbered}


@lru_cache(maxsize=64)
def _read(name: str, values: tuple[tuple[str, str], ...]) -> Lab:
    file = f"{_folder(name).name}/lab.yaml"
    reader = Reader(file)
    node = load(filled(_text(name), dict(values)).encode(), file)
    read: Lab = reader.read(Lab, node)
    reader.finish()
    return read
