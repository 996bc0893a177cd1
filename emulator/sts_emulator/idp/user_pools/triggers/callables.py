"""Functions in Python: those of the modules that the command line names, and of nothing else.

`…:function:pre-sign-up` is the function `pre_sign_up` of such a module, in the order in which they are named. It is
given the event, and, as Lambda's handlers are, a second argument if it takes one.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import inspect
import json
import threading
from collections import Counter
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

from sts_emulator.core.strangers_code import module_of
from sts_emulator.idp.user_pools.outside import LARGEST
from sts_emulator.idp.user_pools.triggers.outcomes import FunctionError, HangsError, NotJsonError
from sts_emulator.policy.arns import unqualified

Function = Callable[..., Any]

MOST: Final = 64
"""Calls of one function that run at the same time. One that hangs keeps its thread for good, and Python cannot end it:
more than are waited for at a time (firing.MOST), so that a function which answers is never refused by this."""

_LONGEST: Final = 1_000
_running: Counter[Function] = Counter()
_counting = threading.Lock()


class ModuleError(ValueError):
    """A module of triggers that cannot be had: the message says why."""


def find(modules: tuple[str, ...], arn: str) -> Function | None:
    """The function that plays an ARN, or None. Raises ModuleError."""
    name = unqualified(arn)[0].rpartition(":")[2].replace("-", "_")
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
    """What the function returns for the event, as JSON. Raises FunctionError, NotJsonError and HangsError."""
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[object] = loop.create_future()
    # No pool's thread: the interpreter would wait for one that hangs when the server is to end.
    thread = threading.Thread(target=_run, args=(function, event, loop, answer), name="trigger", daemon=True)
    with _counting:
        if _running[function] >= MOST:
            raise HangsError(f"{MOST} calls of {function.__name__} have not come to an end: start the server anew")
        thread.start()
        _running[function] += 1
    return await answer


def _run(function: Function, event: bytes, loop: asyncio.AbstractEventLoop, answer: asyncio.Future[object]) -> None:
    made: object = None
    failure: Exception | None = None
    try:
        made = _called(function, event)
    except Exception as error:  # noqa: BLE001 - raised again by who waits
        failure = error
    finally:
        with _counting:
            _running[function] -= 1
    with contextlib.suppress(RuntimeError):  # the loop has ended meanwhile
        loop.call_soon_threadsafe(_tell, answer, made, failure)


def _tell(answer: asyncio.Future[object], made: object, failure: Exception | None) -> None:
    if answer.done():  # nobody waits any more
        return
    if failure is None:
        answer.set_result(made)
    else:
        answer.set_exception(failure)


def _called(function: Function, event: bytes) -> object:
    arguments = (json.loads(event), None)[: _taken(function)]
    try:
        answer = function(*arguments)
        if inspect.iscoroutine(answer):
            answer = asyncio.run(answer)
    except BaseException as failure:  # noqa: BLE001 - whatever a stranger's code raises, SystemExit too
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
