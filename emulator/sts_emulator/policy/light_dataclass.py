"""Owns `dataclass`: the standard library's, without the code that it generates where one function does for all.

The standard library compiles up to six functions for a class, which takes half a millisecond; the 85 classes of a start
were a fifth of it. Here `__init__` alone is compiled, and it is short. What is frozen is so for mypy, not at run time
(docs/decisions/0002-values-are-not-frozen.md).
"""

from __future__ import annotations

import reprlib
from operator import attrgetter
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dataclasses import dataclass

    __all__ = ["dataclass"]
else:
    import dataclasses

    def dataclass(of: type | None = None, /, *, frozen: bool = False, **given: Any) -> Any:
        """As `dataclasses.dataclass`."""
        if of is None:
            return lambda other: dataclass(other, frozen=frozen, **given)
        made = dataclasses.dataclass(of, **{**given, "init": False, "eq": False, "repr": False})
        own = {"__init__": _initializer(made)}
        if given.get("repr", True):
            own["__repr__"] = _repr
        if given.get("eq", True):
            own |= _comparing([part.name for part in dataclasses.fields(made) if part.compare], hashed=frozen)
        for name, function in own.items():
            if name not in of.__dict__:
                setattr(made, name, function)
        return made

    def _initializer(of: type) -> Any:
        """`__init__` without the annotations and the frame that double what the standard library's takes to compile."""
        known: dict[str, Any] = {"MISSING": dataclasses.MISSING}
        parameters, named, lines = ["self"], [], [" pass"]
        for part in dataclasses.fields(of):
            name, default, parameter, value = part.name, f"default_{part.name}", part.name, part.name
            if part.default_factory is not dataclasses.MISSING:
                known[default], parameter = part.default_factory, f"{name}=MISSING"
                value = f"{default}() if {name} is MISSING else {name}" if part.init else f"{default}()"
            elif part.default is not dataclasses.MISSING:
                known[default], parameter = part.default, f"{name}={default}"
                value = name if part.init else default
            if part.init:
                (named if part.kw_only else parameters).append(parameter)
            lines.append(f" self.{name} = {value}")
        written = ", ".join([*parameters, *(["*", *named] if named else [])])
        exec("\n".join([f"def __init__({written}):", *lines]), known)  # noqa: S102 - the standard library does so; names of our fields
        made_init = known["__init__"]
        made_init.__qualname__ = f"{of.__qualname__}.__init__"  # as errors name it
        return made_init

    def _comparing(names: list[str], *, hashed: bool) -> dict[str, Any]:
        """How values of a class compare that has these fields, and as what they count in sets."""
        values = attrgetter(*names) if names else type  # of no fields: whatever is of that class

        def equal(self: Any, other: Any) -> Any:
            return values(self) == values(other) if other.__class__ is self.__class__ else NotImplemented

        return {"__eq__": equal, "__hash__": (lambda self: hash(values(self))) if hashed else None}

    @reprlib.recursive_repr()
    def _repr(self: Any) -> str:
        told = ", ".join(f"{part.name}={getattr(self, part.name)!r}" for part in dataclasses.fields(self) if part.repr)
        return f"{self.__class__.__qualname__}({told})"
