"""Functions in Python: those of the modules that the command line names, and of nothing else.

`…:function:pre-sign-up` is the function `pre_sign_up` of such a module, in the order in which they are named. It is
given the event, and, as Lambda's handlers are, a second argument if it takes one.
"""

from __future__ import annotations

import asyncio
import importlib
import inspect
import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

from sts_emulator.core.strangers_code import module_of
from sts_emulator.idp.user_pools.outside import LARGEST
from sts_emulator.idp.user_pools.triggers.outcomes import FunctionError, NotJsonError

Function = Callable[..., Any]

THREADS: Final = 16
"""Functions that run at the same time. One that hangs keeps its thread: nothing else here waits for these."""

_LONGEST: Final = 1_000


class ModuleError(ValueError):
    """A module of triggers that cannot be had: the message says why."""


def find(modules: tuple[str, ...], arn: str) -> Function | None:
    """The function that plays an ARN, or None. Raises ModuleError."""
    name = arn.split(":")[6].replace("-", "_")
    for module in modules:
        function = _functions(module).get(name)
        if function is not None:
            return function
    return None


def load(modules: tuple[str, ...]) -> None:
    """Have them at hand. Raises ModuleError."""
    for module in modules:
        _functions(module)


async def call(function: Function, event: bytes) -> object:
    """What the function returns for the event, as JSON. Raises FunctionError and NotJsonError."""
    return await asyncio.get_running_loop().run_in_executor(_threads(), _called, function, event)


def _called(function: Function, event: bytes) -> object:
    arguments = (json.loads(event), None)[: _taken(function)]
    try:
        answer = function(*arguments)
        if inspect.iscoroutine(answer):
            answer = asyncio.run(answer)
    except Exception as failure:  # noqa: BLE001 - whatever a stranger's code raises
        raise FunctionError(str(failure)[:_LONGEST]) from None
    try:
        text = json.dumps(answer, allow_nan=False)
    except (TypeError, ValueError, RecursionError):
        raise NotJsonError(f"{function.__name__} returned what is no JSON") from None
    if len(text) > LARGEST:
        raise NotJsonError(f"{function.__name__} returned more than {LARGEST} bytes")
    return json.loads(text)


def _taken(function: Function) -> int:
    try:
        inspect.signature(function).bind(None, None)
    except TypeError:
        return 1
    return 2


@lru_cache(maxsize=1)
def _threads() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(THREADS, "triggers")


@lru_cache(maxsize=64)
def _functions(name: str) -> dict[str, Function]:
    """A module's own functions: what it has imported from elsewhere is none of them, or an ARN could name that."""
    try:
        path = Path(name)
        own = f"sts_emulator_triggers_{path.stem}"
        module = module_of(path, own) if path.suffix == ".py" else importlib.import_module(name)
    except Exception as error:  # whatever a stranger's code raises
        raise ModuleError(f"triggers `{name}` cannot be loaded: {type(error).__name__}: {error}") from error
    return {
        key: value
        for key, value in vars(module).items()
        if not key.startswith("_") and inspect.isfunction(value) and value.__module__ == module.__name__
    }
