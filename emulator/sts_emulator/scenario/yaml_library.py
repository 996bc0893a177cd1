"""PyYAML, loaded without the patterns of its parser in Python, of which libyaml's has no need.

To compile them was a tenth of a start. They are compiled if somebody uses them after all: where PyYAML was built
without libyaml, and when it writes.
"""

import re
import sys
from typing import Any


class LatePattern:
    """A pattern that is compiled when it is used."""

    def __init__(self, *given: Any) -> None:
        self._given = given

    def __getattr__(self, name: str) -> Any:
        self.__dict__[name] = method = getattr(_compile(*self._given), name)
        return method


def _left_for_later(*given: Any) -> Any:
    """What `re.compile` is meanwhile; for other modules, which other threads may load, it is what it always is."""
    asks = sys._getframe(1).f_globals.get("__name__", "")  # noqa: SLF001 - documented, and nothing else tells who calls
    return LatePattern(*given) if asks.startswith("yaml.") else _compile(*given)


_compile = re.compile
re.compile = _left_for_later  # type: ignore[assignment]  # for PyYAML, which asks for no more
try:
    import yaml
finally:
    re.compile = _compile

__all__ = ["yaml"]
