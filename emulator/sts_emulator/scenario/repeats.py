"""What is declared twice: of two declarations of one name the later counts, which nobody may have meant."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, Final, NamedTuple

if TYPE_CHECKING:
    from sts_emulator.importers.inventory import Inventory, Thing
    from sts_emulator.scenario.model import Scenario

_NAMED: Final = ("users", "groups", "roles", "policies")


class _Declared(NamedTuple):
    section: str
    account: str
    name: str
    place: str
    body: Any


def repeated(scenarios: Iterable[Scenario]) -> list[str]:
    """Each thing that a later place of some scenarios declares differently, with both places."""
    return list(_told(declared for scenario in scenarios for declared in _of_scenario(scenario)))


def repeated_things(inventories: Iterable[tuple[str, Inventory]]) -> list[str]:
    """The same of imports, by the name of their files."""
    return list(_told(declared for file, source in inventories for declared in _of_inventory(file, source)))


def _told(declared: Iterable[_Declared]) -> Iterator[str]:
    known: dict[tuple[str, str, str], _Declared] = {}
    for declaration in declared:
        key = (declaration.section, declaration.account, declaration.name.lower())  # no two may differ in case alone
        earlier = known.get(key)
        known[key] = declaration
        if earlier is not None and earlier.body != declaration.body:
            from sts_emulator.importers.inventory import WORDS

            what = f"{WORDS[declaration.section]} `{declaration.name}` of account {declaration.account}"
            yield f"{declaration.place}: {what} replaces that of {earlier.place}"


def _of_scenario(scenario: Scenario) -> Iterator[_Declared]:
    for entry in scenario.entries:
        if entry.section.key == "import":
            for source in entry.value or ():
                yield from _of_inventory(source.file, source.inventory)
        elif entry.section.key in _NAMED:
            for name, body in (entry.value or {}).items():
                where = entry.where.at(name)
                yield _Declared(entry.section.key, entry.account, name, f"{where.file}:{where.line}", body)


def _of_inventory(file: str, inventory: Inventory) -> Iterator[_Declared]:
    return (_declared(thing, file) for thing in inventory.things if thing.section in _NAMED)


def _declared(thing: Thing, file: str) -> _Declared:
    return _Declared(thing.section, thing.account, thing.name, f"{thing.file or file}:{thing.line}", thing.body)
