"""Patterns of the models match as Java matches them, in linear time, and in agreement with `re` where both apply."""

from __future__ import annotations

import re
import time

import pytest
from example_counts import examples
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from sts_emulator.wire import models, patterns
from sts_emulator.wire.pattern_syntax import PatternError


def all_patterns():
    """Every pattern of every served model."""
    patterns = set()
    for name in models.services():
        service = models.service(name)
        pending = [
            shape for operation in service.operations.values() for shape in (operation.input, operation.output) if shape
        ]
        seen = set()
        while pending:
            shape = pending.pop()
            if id(shape) in seen:
                continue
            seen.add(id(shape))
            patterns.add(shape.pattern)
            parts = [*shape.members.values(), shape.member, shape.key, shape.value]
            pending.extend(part.shape for part in parts if part)
    return sorted(patterns - {""})


PATTERNS = all_patterns()
AS_PYTHON = [pattern for pattern in PATTERNS if not re.search(r"\\[pu]|\\Z|\^\.", pattern)]


def line_ends(value):
    """Whether a value has a line end that is one to Java's dot and none to Python's."""
    return any(end in value for end in "\r\x85\u2028\u2029")


def test_every_pattern_of_every_served_model_is_understood():
    assert len(PATTERNS) > 150
    for pattern in PATTERNS:
        patterns.matcher(pattern)


def test_only_reviewed_patterns_are_left_to_a_backtracking_matcher():
    # given the patterns with lookaround, then each was looked at, and backtracks no more than its value's length
    assert [pattern for pattern in PATTERNS if patterns.matcher(pattern).__qualname__.startswith("_lookaround")] == [
        r"(-?)P(?=\d|T\d)(?:(\d+)Y)?(?:(\d+)M)?(?:(\d+)([DW]))?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+(?:\.\d+)?)S)?)?",
        r"(?!.*//)([A-Za-z]([A-Za-z0-9_/-]*[A-Za-z0-9_-])?)?",
        r"\b[0-9a-f]{8}\b-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-\b[0-9a-f]{12}\b",
        r"^(?=.{20,2048}$)arn:aws[a-z-]*:secretsmanager:[a-z0-9-]+:\d{12}:secret:[a-zA-Z0-9/_+=.@-]+",
        r"^[0-9A-Za-z\.\-_]*(?<!\.)$",
        r"^[0-9a-f]{8}\b-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-\b[0-9a-f]{12}$",
        r"^[a-z0-9]([a-z0-9]|-(?!-)){1,61}[a-z0-9]$",
    ]


@given(st.data())
@settings(max_examples=examples(150), suppress_health_check=list(HealthCheck))
def test_what_re_generates_matches(data):
    pattern = data.draw(st.sampled_from(AS_PYTHON))
    value = data.draw(st.from_regex(re.compile(pattern, re.ASCII), fullmatch=True))
    assume(not line_ends(value))
    assert patterns.matcher(pattern)(value) is (re.fullmatch(pattern, value, re.ASCII) is not None), (pattern, value)


@given(st.data())
@settings(max_examples=examples(150), suppress_health_check=list(HealthCheck))
def test_what_re_refuses_is_refused(data):
    pattern = data.draw(st.sampled_from(AS_PYTHON))
    value = data.draw(st.from_regex(re.compile(pattern, re.ASCII), fullmatch=True))
    place = data.draw(st.integers(0, len(value)))
    changed = (
        value[:place] + data.draw(st.sampled_from(["", "x", "\n", "-", ":", "/", "ä", "0", "."])) + value[place + 1 :]
    )
    assume(not line_ends(changed))
    assert patterns.matcher(pattern)(changed) is (re.fullmatch(pattern, changed, re.ASCII) is not None), (
        pattern,
        changed,
    )


@given(st.data(), st.text("aB-:\né語\U0001d4b3", max_size=8), st.integers(0, 4), st.integers(0, 9))
@settings(max_examples=examples(150), suppress_health_check=list(HealthCheck))
def test_a_length_is_asked_for_beside_the_pattern(data, value, shortest, longest):
    pattern = data.draw(st.sampled_from([r"[\w-]*", r"[\p{L}]{2,5}", r"(?s).+", r".*", r"(a|B)*", r"\p{L}", r"[é]*"]))
    units = len(value.encode("utf-16-le")) // 2

    as_asked = patterns.matcher(pattern)(value) and shortest <= units <= longest
    assert patterns.matcher(pattern, shortest, longest)(value) is as_asked


@pytest.mark.parametrize(
    ("pattern", "matching", "other"),
    [
        (r"[\w+=,.@-]*", ["", "a_B-9@x"], ["a b", "é", "a:"]),
        (r"[\p{L}\p{Z}\p{N}_.:/=+\-@]+", ["Größe 語", "a\u00a0b", "٣", "x-y"], ["", "a(b)", "a\tb", "€"]),
        (r"[\p{L}\p{M}\p{S}\p{N}\p{P}]+", ["e\u0301€!", "\U0001d4b3"], ["a b", ""]),
        (r"\p{L}+(?:\.\p{L}+){0,2}", ["名.字", "a.b.c"], ["a.b.c.d", ".a", "a1"]),
        (
            r"[\u0009\u000A\u000D\u0020-\u007E\u0085\u00A0-\uD7FF\uE000-\uFFFD\u10000-\u10FFFF]+",
            ["arn:語\t\x7f"],
            ["a\x00", "\U0001d4b3", "\x0b"],
        ),
        (r"[\u0020-\uD7FF\uE000-\uFFFD\uD800\uDC00-\uDBFF\uDFFF\t]*", ["\U0001d4b3語"], ["\n"]),
        (r".*", ["", "abc"], ["a\nb", "\u2028"]),
        (r"(?s).*", ["a\nb"], []),
        (r"^\d{12}$", ["123456789012"], ["123456789012\n", "12345678901", "١٢٣٤٥٦٧٨٩٠١٢"]),
        (r"(\u002F)|(\u002F[\u0021-\u007E]+\u002F)", ["/", "/a/b/"], ["", "//", "/a", "a/"]),
        (r"a{2,}b?c{0,1}", ["aa", "aaabc"], ["a", "aabb"]),
        (r"(a|b)*c", ["c", "ababc"], ["abab", "abcd"]),
        (r"a$b", [], ["ab", "a"]),
        (r"[^\s@]+@[^\s@]+", ["a@b"], ["a@@b", "@b", "a @b"]),
        (r"\x41\.", ["A."], ["AB"]),
        (r"\p{L}{2,3}", ["äö", "語語語"], ["ä", "äöüß"]),
    ],
)
def test_javas_syntax(pattern, matching, other):
    matches = patterns.matcher(pattern)
    assert all(matches(value) for value in matching)
    assert not any(matches(value) for value in other)


@pytest.mark.parametrize(
    "pattern",
    [
        "(",
        ")",
        "[a",
        "*",
        "a**",
        "a+?",
        "[b-a]",
        r"\p{Lu}",
        r"\q",
        r"\u00",
        "(?i)a",
        r"[a&&b]",
        "[a[b]]",
        r"(?=\p{L})a",
        "a{1,99999}{1,99999}",
    ],
)
def test_what_is_not_implemented_is_refused_when_the_operation_compiles(pattern):
    with pytest.raises(PatternError):
        patterns.matcher(pattern)


@pytest.mark.parametrize(
    "pattern", [r"(a+)+b", r"(a|a)*b", r"(a*)*b", r"([a-z]+:)*[a-z]+", r"(.*)(.*)(.*)(.*)x", r"a{0,60}a{60}"]
)
def test_no_pattern_can_be_made_to_backtrack(pattern):
    # given patterns that hang a backtracking matcher at thirty characters, when the value has a hundred thousand
    matches = patterns.matcher(pattern)
    started = time.process_time()
    assert not matches("a" * 100_000 + "!")
    assert time.process_time() - started < 2


def test_memory_stays_bounded_whatever_is_matched():
    # given an automaton, when values bring it every character there is, then it forgets rather than grows
    matches = patterns.matcher(r"(.|a.*b){3,}c")
    automaton = matches.__self__
    for start in range(0x100, 0x20000, 0x1000):
        matches("".join(chr(code) for code in range(start, start + 0x1000) if not 0xD800 <= code < 0xE000))
        assert automaton._edges <= 20_001 + 0x1000
        assert len(automaton._states) <= 2_001
    assert matches("aaac")
    assert not matches("aac\n")
