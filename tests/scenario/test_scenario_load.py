"""Reading YAML: strings only, every mistake with its line, and nothing that can explode."""

from __future__ import annotations

import subprocess
import sys
import time

import pytest
from example_counts import examples
from hypothesis import given, settings
from hypothesis import strategies as st
from scenario_lab import yaml

from sts_emulator.scenario import ScenarioError, parse
from sts_emulator.scenario.load import MAX_BYTES, load


def told(data: bytes | str) -> str:
    with pytest.raises(ScenarioError) as caught:
        load(data.encode() if isinstance(data, str) else data, "lab.yaml")
    return str(caught.value)


def read(text: str):
    return load(yaml(text).encode(), "lab.yaml").plain()


def test_values_that_other_loaders_turn_into_something_else_stay_texts():
    scenario = read("""
        account: 012345670123
        version: 2012-10-17
        country: no
        sexagesimal: 12:30:45
        octal: 0o17
        float: 1e3
        "true": true
    """)
    assert scenario == {
        "account": "012345670123",
        "version": "2012-10-17",
        "country": "no",
        "sexagesimal": "12:30:45",
        "octal": "0o17",
        "float": "1e3",
        "true": "true",
    }


def test_nothing_written_is_none_and_an_empty_text_is_a_text():
    assert read("""
        a:
        b: ~
        c: null
        d: ""
        e: "null"
    """) == {"a": None, "b": None, "c": None, "d": "", "e": "null"}


def test_json_is_yaml():
    assert read('{"a": [1, {"b": false}]}') == {"a": ["1", {"b": "false"}]}


def test_a_byte_order_mark_is_no_character():
    assert load("﻿a: b".encode(), "lab.yaml").plain() == {"a": "b"}


def test_anchors_and_merge_keys_save_typing():
    assert read("""
        base: &base {a: "1", b: "2"}
        one: *base
        two: {<<: *base, b: "3"}
        three: {<<: [{a: "9"}, *base]}
    """) == {
        "base": {"a": "1", "b": "2"},
        "one": {"a": "1", "b": "2"},
        "two": {"a": "1", "b": "3"},
        "three": {"a": "9", "b": "2"},
    }


def test_a_key_twice_is_refused_where_the_second_stands():
    assert told("a: 1\nb: 2\na: 3\n") == "lab.yaml:3: key `a` is already on line 1"


def test_a_key_twice_is_refused_however_it_is_quoted():
    assert told("a: 1\n'a': 3\n") == "lab.yaml:2: key `a` is already on line 1"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: [1, 2\nb: 3\n", "lab.yaml:2: did not find expected ',' or ']'"),
        ("a:\n\t- b\n", "lab.yaml:2: found character that cannot start any token"),
        ("a: *nobody\n", "lab.yaml:1: `*nobody` refers to no anchor above it"),
        ("a: &a [*a]\n", "lab.yaml:1: `*a` refers to no anchor above it"),
        ("a: 1\n---\nb: 2\n", "lab.yaml:2: is a second document; a scenario file holds one"),
        (
            "a: !!python/object/apply:os.system [id]\n",
            "lab.yaml:1: tag `!!python/object/apply:os.system` is not allowed",
        ),
        ("a: !!int 5\n", "lab.yaml:1: tag `!!int` is not allowed"),
        ("a: !secret x\n", "lab.yaml:1: tag `!secret` is not allowed"),
        ("? [a, b]\n: c\n", "lab.yaml:1: a key must be a text"),
        ("a:\n  <<: text\n", "lab.yaml:2: `<<` takes a mapping or a list of mappings"),
        ("a: 'x\x00y'\n", "lab.yaml:1: has a character that YAML does not allow"),
    ],
)
def test_what_is_not_plain_yaml_is_refused_with_its_line(text: str, message: str):
    assert told(text).startswith(message)


def test_bytes_that_are_no_text():
    assert told(b"a: 1\nb: \xff\xfe\n") == "lab.yaml:2: is not UTF-8 text"


def test_an_alias_bomb_does_not_go_off():
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 12)]
    began = time.process_time()

    message = told("\n".join(lines))

    assert "holds more than 2,000,000 values once its aliases are expanded" in message
    assert time.process_time() - began < 1


def test_aliases_cannot_nest_deeper_than_brackets_can():
    lines = ["a0: &a0 [x]", *[f"a{n}: &a{n} [*a{n - 1}]" for n in range(1, 80)]]
    assert "is nested deeper than 64 levels" in told("\n".join(lines))


@pytest.mark.parametrize("text", ["[" * 100_000, "{a: " * 100_000, "- " * 100_000, "? " * 100_000])
def test_deep_nesting_does_not_exhaust_the_stack(text: str):
    assert "nested deeper" in told(text) or "expected" in told(text) or "exceeded" in told(text)


def test_a_huge_file_is_refused_by_its_size():
    assert told(b"#" * (MAX_BYTES + 1)) == "lab.yaml: is larger than 16 MiB"


def test_nothing_at_all_is_an_empty_scenario():
    for text in ("", "# nothing\n", "---\n", "~"):
        assert parse(text).accounts == {}


@settings(max_examples=examples(300))
@given(
    st.one_of(st.binary(max_size=200), st.text(alphabet="ab:-[]{}&*!|>'\"#%@`,? \n\t0<~", max_size=80).map(str.encode))
)
def test_whatever_comes_is_read_or_refused(data: bytes):
    try:
        node = load(data, "fuzz.yaml")
    except ScenarioError as refused:
        assert str(refused).startswith("fuzz.yaml:")  # noqa: PT017 - both outcomes are right
    else:
        node.plain()


# -- the library ------------------------------------------------------------------------------------------------------


def test_what_is_compiled_late_matches_as_ever():
    """In a process of its own, in which nobody has loaded PyYAML before."""
    program = """
import re
from sts_emulator.scenario.yaml_library import LatePattern, yaml
late = [yaml.reader.Reader.NON_PRINTABLE, yaml.constructor.SafeConstructor.timestamp_regexp]
assert all(isinstance(pattern, LatePattern) for pattern in late)
assert isinstance(re.compile("a"), re.Pattern), "and everybody else's are compiled at once"
assert yaml.load("[1, 0.5, yes, 2001-12-14]", yaml.SafeLoader)[:3] == [1, 0.5, True]
assert yaml.dump({"day": "2001-12-14"}) == "day: '2001-12-14'\\n"
try:
    yaml.load("a: \\x01", yaml.SafeLoader)
except yaml.reader.ReaderError:
    print("refused")
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=120)
    assert done.stderr == ""
    assert done.stdout == "refused\n"
