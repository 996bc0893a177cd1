"""Who decides whether a role may be assumed: the IAM engine, or what a world's scenario names in its place.

A decider is a callable `(Request, PolicySet) -> Decision`, named by an entry point of the group
`sts_emulator.deciders` or as `module:callable`. It is asked about assuming roles and what goes with it; everything
else stays IAM's business.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from sts_emulator.accounts import documents
from sts_emulator.core.errors import AwsError
from sts_emulator.core.strangers_code import module_of
from sts_emulator.core.world import World
from sts_emulator.policy.deciding.engine import Decision, PolicySet, Request, decide, needs_trust

Decider = Callable[[Request, PolicySet], Decision]

KEY: Final = "decider"
GROUP: Final = "sts_emulator.deciders"


class DeciderError(ValueError):
    """A decider that cannot be had: the message says why."""


def decision(world: World, request: Request, policies: PolicySet) -> Decision:
    """The world's decision.

    Raises:
        AwsError: InternalFailure when the world's own decider fails, or answers with something else.
    """
    if world.get(documents.DECIDER, KEY) is None or not needs_trust(request):
        return decide(request, policies)
    name, decider = world.memo(KEY, lambda: _of(world))
    try:
        decided = decider(request, policies)
    except Exception as failure:  # whatever a stranger's code raises
        message = f"the decider `{name}` failed: {type(failure).__name__}: {failure}"
        raise AwsError("InternalFailure", message, status=500) from failure
    if not isinstance(decided, Decision):
        message = f"the decider `{name}` answered with {type(decided).__name__}, not with a Decision"
        raise AwsError("InternalFailure", message, status=500)
    return decided


def _of(world: World) -> tuple[str, Decider]:
    stored = world.get(documents.DECIDER, KEY)
    assert stored is not None, "decision() looked"
    try:
        return stored["name"], load(stored["name"], stored["folder"])
    except DeciderError as gone:
        raise AwsError("InternalFailure", str(gone), status=500) from None


def load(name: str, folder: str = "") -> Decider:
    """The decider of that name; a module is looked for in `folder` first, if there is one.

    Raises:
        DeciderError: there is none.
    """
    target = _callable(name, folder) if ":" in name else _entry_point(name)
    if not callable(target):
        raise DeciderError(f"decider `{name}` is not callable")
    decider: Decider = target
    return decider


def _entry_point(name: str) -> Any:
    from importlib.metadata import entry_points

    for point in entry_points(group=GROUP, name=name):
        try:
            return point.load()
        except (ImportError, AttributeError) as error:
            raise DeciderError(f"decider `{name}` cannot be loaded: {error}") from None
    raise DeciderError(f"no installed package offers a decider `{name}` (entry point group {GROUP})")


def _callable(name: str, folder: str) -> Any:
    module, _, attribute = name.partition(":")
    if not all(part.isidentifier() for part in (*module.split("."), attribute)):
        raise DeciderError(f"decider `{name}` is no `module:callable`")
    try:
        loaded = _module(module, folder)
        return getattr(loaded, attribute)
    except (ImportError, SyntaxError, AttributeError, ValueError) as error:
        raise DeciderError(f"decider `{name}` cannot be loaded: {error}") from None


def _module(name: str, folder: str) -> Any:
    path = Path(folder, *name.split(".")).with_suffix(".py")
    if not folder or not path.is_file():
        return importlib.import_module(name)
    return module_of(path, f"sts_emulator_decider_{name.replace('.', '_')}")
