"""Our dataclasses behave as the standard library's do."""

import copy
import dataclasses
from dataclasses import field, replace
from typing import Any

import pytest

from sts_emulator.policy import light_dataclass


def classes(dataclass: Any) -> dict[str, Any]:
    """Classes of each form that the product has, decorated by one or the other."""

    @dataclass
    class Plain:
        part: int
        more: list[int] = field(default_factory=list)

    @dataclass(frozen=True, slots=True)
    class Frozen:
        name: str
        kept: object = field(default=None, compare=False)
        secret: str = field(default="", repr=False)

    @dataclass(frozen=True, kw_only=True)
    class Below(Frozen):
        more: int

    @dataclass(slots=True, eq=False)
    class Single:
        part: int

    @dataclass(slots=True, repr=False)
    class Silent:
        part: int

    @dataclass(frozen=True, slots=True)
    class Empty:
        pass

    @dataclass(slots=True)
    class Counted:
        missing: str
        _first: int = 1
        first: int = 2
        made: list[int] = field(default_factory=list)
        seen: list[int] = field(default_factory=list, init=False)
        count: int = field(default=0, init=False)

    @dataclass(slots=True)
    class Own:
        part: int

        def __repr__(self) -> str:
            return "own"

    return {made.__name__: made for made in (Plain, Frozen, Below, Single, Silent, Empty, Counted, Own)}


PAIRS = [
    ("Plain", (1,), {}, (1,), {}),
    ("Plain", (1,), {}, (1, [2]), {}),
    ("Frozen", ("a",), {}, ("a",), {"kept": []}),
    ("Frozen", ("a",), {}, ("a",), {"secret": "x"}),
    ("Below", ("a",), {"more": 1}, ("a",), {"more": 1}),
    ("Below", ("a",), {"more": 1}, ("a",), {"more": 2}),
    ("Single", (1,), {}, (1,), {}),
    ("Silent", (1,), {}, (1,), {}),
    ("Empty", (), {}, (), {}),
    ("Counted", ("a", 3), {"made": [4]}, ("a", 3, 2, [4]), {}),
    ("Counted", ("a",), {"first": 5}, ("a",), {"_first": 5}),
    ("Own", (1,), {}, (2,), {}),
]


@pytest.mark.parametrize(("name", "first", "named", "second", "named_too"), PAIRS)
def test_values_compare_hash_and_show_as_the_standard_librarys(name, first, named, second, named_too):
    def behaviour(dataclass: Any) -> tuple[Any, ...]:
        made = classes(dataclass)[name]
        one, other = made(*first, **named), made(*second, **named_too)
        shown = repr(one).partition(" at 0x")[0].replace(dataclass.__module__, "")
        return one == other, one == copy.copy(one), one == object(), _hashes(one, other), shown, made.__match_args__

    assert behaviour(light_dataclass.dataclass) == behaviour(dataclasses.dataclass)


def _hashes(one: object, other: object) -> str:
    try:
        return f"equal hashes: {hash(one) == hash(other)}"
    except TypeError as error:
        return str(error)


@pytest.mark.parametrize(
    ("name", "given", "named"),
    [("Plain", (), {}), ("Below", ("a", None, "", 1), {}), ("Counted", ("a",), {"count": 1}), ("Empty", (1,), {})],
)
def test_what_is_not_asked_for_is_refused_in_the_same_words(name, given, named):
    def refusal(dataclass: Any) -> str:
        with pytest.raises(TypeError) as refused:
            classes(dataclass)[name](*given, **named)
        return str(refused.value)

    assert refusal(light_dataclass.dataclass) == refusal(dataclasses.dataclass)


def test_two_values_do_not_share_what_a_factory_makes():
    plain = classes(light_dataclass.dataclass)["Plain"]
    assert plain(1).more is not plain(1).more


def test_a_value_of_a_class_is_not_one_of_the_class_below_it():
    made = classes(light_dataclass.dataclass)
    assert made["Frozen"]("a") != made["Below"]("a", more=1)


def test_what_holds_itself_can_be_shown():
    plain = classes(light_dataclass.dataclass)["Plain"](1)
    plain.more.append(plain)
    assert repr(plain).endswith("Plain(part=1, more=[...])")


def test_values_are_replaced_by_the_standard_library():
    frozen = classes(light_dataclass.dataclass)["Frozen"]("a", secret="s")
    replaced = replace(frozen, name="b")
    assert (replaced.name, replaced.secret) == ("b", "s")
