"""The condition operators: one table an idea, each row one request value against one policy value."""

from __future__ import annotations

import pytest

from sts_emulator.policy.deciding.conditions import compile_condition
from sts_emulator.policy.deciding.operators import OPERATORS, operator
from sts_emulator.policy.deciding.typed_values import read_address, read_date, read_network, read_number


def holds(operator_text, policy_values, request_values, *, version="2012-10-17", deny=False, **context):
    listed = policy_values if isinstance(policy_values, list) else [policy_values]
    condition = compile_condition(operator_text, "Example:Key", listed, version=version, deny=deny)
    keys = {} if request_values is None else {"example:key": tuple(request_values)}
    return condition.check({**keys, **{name.replace("_", ":"): (value,) for name, value in context.items()}})


@pytest.mark.parametrize(
    ("name", "policy_value", "request_value", "expected"),
    [
        ("StringEquals", "Blue", "Blue", True),
        ("StringEquals", "Blue", "blue", False),
        ("StringEquals", "B*", "Blue", False),
        ("StringEquals", "B*", "B*", True),
        ("StringEqualsIgnoreCase", "BLUE", "blue", True),
        ("StringLike", "B*e", "Blue", True),
        ("StringLike", "b*e", "Blue", False),
        ("NumericEquals", "60", "60.0", True),
        ("NumericEquals", "60", "6e1", True),
        ("NumericLessThan", "100", "20", True),
        ("NumericLessThan", "9", "10", False),
        ("NumericLessThanEquals", "9", "9", True),
        ("NumericGreaterThan", "-1", "0", True),
        ("NumericEquals", "x", "x", False),
        ("DateEquals", "1795435200", "2026-11-23T12:00:00Z", True),
        ("DateEquals", "2026-11-23T13:00:00+01:00", "2026-11-23T12:00:00Z", True),
        ("DateLessThan", "2026-11-23T12:00:00Z", "2026-11-23T11:59:59.5Z", True),
        ("DateGreaterThan", "2026", "2026-11-23T12:00:00Z", True),
        ("DateGreaterThan", "tomorrow", "2026-11-23T12:00:00Z", False),
        ("Bool", "TRUE", "true", True),
        ("Bool", "false", "true", False),
        ("Bool", "yes", "no", True),
        ("Bool", "yes", "true", False),
        ("BinaryEquals", "QQ==", "QQ==", True),
        ("BinaryEquals", "QQ==", "QQ", False),
        ("IpAddress", "203.0.113.99/24", "203.0.113.1", True),
        ("IpAddress", "203.0.113.1", "203.0.113.2", False),
        ("IpAddress", "0.0.0.0/0", "198.51.100.1", True),
        ("IpAddress", "0.0.0.0/0", "2001:db8::1", False),
        ("IpAddress", "2001:DB8::/32", "2001:db8::1", True),
        ("IpAddress", "2001:db8::1", "2001:db8:0:0::1", True),
        ("IpAddress", "203.0.113.0/255.255.255.0", "203.0.113.1", False),
        ("ArnLike", "arn:aws:iam::*:role/ci/*", "arn:aws:iam::1:role/ci/a/b", True),
        ("ArnEquals", "arn:aws:iam::*:role/ci/*", "arn:aws:iam::1:role/ci/a/b", True),
    ],
)
def test_operators_and_their_negation(name, policy_value, request_value, expected):
    negated = name.replace("String", "StringNot").replace("Arn", "ArnNot").replace("IpAddress", "NotIpAddress")
    negated = negated.replace("NumericEquals", "NumericNotEquals").replace("DateEquals", "DateNotEquals")

    assert holds(name, policy_value, [request_value]) is expected
    if negated != name:
        assert holds(negated, policy_value, [request_value]) is not expected


@pytest.mark.parametrize("name", [name for name in OPERATORS if name != "Null"])
def test_an_absent_key(name):
    negated = "Not" in name

    for absent in (None, []):
        assert holds(name, "x", absent) is negated
        assert holds(f"{name}IfExists", "x", absent) is True
        assert holds(f"ForAllValues:{name}", "x", absent) is True
        assert holds(f"ForAnyValue:{name}", "x", absent) is False
        assert holds(f"ForAnyValue:{name}IfExists", "x", absent) is False


def test_policy_values_are_alternatives_and_negation_excludes_them_all():
    assert holds("StringEquals", ["a", "b"], ["b"])
    assert not holds("StringNotEquals", ["a", "b"], ["b"])
    assert holds("StringNotEquals", ["a", "b"], ["c"])
    assert not holds("StringEquals", [], ["a"])


@pytest.mark.parametrize(
    ("name", "keys", "expected"),
    [
        ("ForAllValues:StringEquals", ["team"], True),
        ("ForAllValues:StringEquals", ["team", "cost"], True),
        ("ForAllValues:StringEquals", ["team", "owner"], False),
        ("ForAllValues:StringNotEquals", ["owner"], True),
        ("ForAllValues:StringNotEquals", ["team", "owner"], False),
        ("ForAnyValue:StringEquals", ["team", "owner"], True),
        ("ForAnyValue:StringEquals", ["owner"], False),
        ("ForAnyValue:StringNotEquals", ["team", "owner"], True),
        ("ForAnyValue:StringNotEquals", ["team"], False),
    ],
)
def test_set_operators(name, keys, expected):
    assert holds(name, ["team", "cost"], keys) is expected


@pytest.mark.parametrize("values", [["team"], ["team", "cost"], ["owner"]])
def test_a_plain_operator_never_holds_for_several_values_negated_or_not(values):
    # Recorded live: live-set-015 and its neighbours.
    assert not holds("StringEquals", values, ["team", "cost"])
    assert not holds("StringNotEquals", values, ["team", "cost"])
    assert not holds("StringNotEqualsIfExists", values, ["team", "cost"])


@pytest.mark.parametrize(
    "key", ["aws:TagKeys", "sts:TransitiveTagKeys", "aws:CalledVia", "cognito-identity.amazonaws.com:amr"]
)
@pytest.mark.parametrize("name", [name for name in OPERATORS if name != "Null"])
def test_a_plain_operator_on_a_multivalued_key_asks_only_whether_it_is_there(name, key):
    # Recorded live for aws:TagKeys with one value (live-set-013, live-set-019); the others are of the same kind.
    def holds_for(name, *keys):
        condition = compile_condition(name, key, ["x"], version="2012-10-17", deny=False)
        return condition.check({key.lower(): keys} if keys else {})

    assert not holds_for(name, "x")
    assert not holds_for(name, "y")
    assert not holds_for(f"{name}IfExists", "x")
    assert holds_for(name) is ("Not" in name)
    assert holds_for(f"{name}IfExists")


@pytest.mark.parametrize(("kind", "value"), [("IpAddress", "203.0.113.0/24"), ("ArnLike", "arn:aws:iam::*:user/*")])
@pytest.mark.parametrize("unreadable", ["", "x", "1", "203.0.113", "arn:aws:iam"])
def test_an_address_or_arn_that_cannot_be_read_satisfies_neither_the_operator_nor_its_negation(kind, value, unreadable):
    # Recorded live: live-ip-015, live-arn-011.
    negated = {"IpAddress": "NotIpAddress", "ArnLike": "ArnNotLike"}[kind]

    assert not holds(kind, value, [unreadable])
    assert not holds(negated, value, [unreadable])
    assert not holds(f"ForAllValues:{negated}", value, [unreadable])
    assert not holds(f"ForAnyValue:{negated}", value, [unreadable])


@pytest.mark.parametrize("name", ["NumericNotEquals", "DateNotEquals"])
@pytest.mark.parametrize("unreadable", ["", "x", "NaN", "1 "])
def test_a_number_or_date_that_cannot_be_read_satisfies_the_negation(name, unreadable):
    # Recorded live: live-num-015, live-num-035, live-date-015, live-numset-005.
    assert holds(name, "1", [unreadable])
    assert holds(name, unreadable, ["1"])
    assert holds(f"ForAllValues:{name}", "1", [unreadable, "2"])


@pytest.mark.parametrize("text", ["false", "False", "", "0", "1", "yes", "TRUE "])
def test_every_text_but_true_is_false(text):
    # Recorded live: live-bool-025 to live-bool-030.
    assert holds("Bool", "false", [text])
    assert not holds("Bool", "true", [text])


@pytest.mark.parametrize("name", ["ArnLike", "ArnEquals", "ArnNotLike", "ArnNotEquals"])
@pytest.mark.parametrize(
    "values",
    ["not-an-arn", "*", "arn:aws:*:role/ci", ["x", "arn:aws:iam::1:role/ci"], ["arn:aws:iam::1:role/ci", "x"]],
)
def test_a_pattern_that_is_no_arn_refuses_under_allow_and_deny(name, values):
    # Recorded live for `not-an-arn`, alone and in a list: live-parse-020, live-arnlist-003 to 012.
    request = ["arn:aws:iam::1:role/ci"]

    assert not holds(name, values, request)
    assert holds(name, values, request, deny=True)


def test_a_pattern_that_a_variable_makes_no_arn_refuses_too():
    # Recorded live: live-arnbad-001 to 006.
    request = ["arn:aws:iam::1:role/ci"]

    for name in ("ArnLike", "ArnNotLike"):
        assert not holds(name, "${aws:pattern}", request, aws_pattern="not-an-arn")
        assert holds(name, "${aws:pattern}", request, deny=True, aws_pattern="not-an-arn")
    assert holds("ArnLike", "${aws:pattern}", request, aws_pattern="arn:aws:iam::1:role/ci")
    assert holds("ArnNotLike", "${aws:pattern}", request)


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("203.0.113.9", (4, 0xCB007109)),
        ("203.000.113.009", (4, 0xCB007109)),
        ("::ffff:203.0.113.9", (4, 0xCB007109)),
        ("::FFFF:cb00:7109", (4, 0xCB007109)),
        ("0:0:0:0:0:ffff:203.0.113.9", (4, 0xCB007109)),
        ("::", (6, 0)),
        (":::", (6, 0)),
        ("::1", (6, 1)),
        ("1::", (6, 1 << 112)),
        ("2001:db8::1", (6, 0x20010DB8 << 96 | 1)),
        ("2001:DB8:0:0:0:0:0:1", (6, 0x20010DB8 << 96 | 1)),
        ("2001:db8::1:", (6, 0x20010DB8 << 96 | 1)),
        ("2001:db8:::1", (6, 0x20010DB8 << 96 | 1)),
        *((text, None) for text in ("", "1", "3221225985", "203.0.113", "203.0.113.256", "1.2.3.4.5", "1.2.3.-4")),
        *((text, None) for text in ("2001:db8::::1", "2001::db8:::1", "::ffff:::203.0.113.9", "2001:db8::203.0.113.9")),
        *((text, None) for text in ("::203.0.113.9", "1:2:3:4:5:6:7", "1:2:3:4::5:6:7:8", "12345::", "g::", ":1", ":")),
        *((text, None) for text in ("fe80::1%eth0", "[::1]", " ::1", "::1 ", "\u0661.2.3.4", "1:2:3:4:5:6:7:8:9")),
    ],
)
def test_addresses(text, address):
    # Recorded live: the live-ip2 cases; what is like none of them is refused.
    assert read_address(text) == address


def test_an_ipv6_block_with_bits_below_its_prefix_matches_nothing():
    # Recorded live for a request tag (live-ipv6-032, live2-ip2-049); `aws:SourceIp` keeps what is derived (ipx-005).
    for request in ("2001:db8::5", "2001:db8::1"):
        assert not holds("IpAddress", "2001:db8::5/64", [request])
        assert holds("NotIpAddress", "2001:db8::5/64", [request])
    assert holds("IpAddress", ["2001:db8::5/64", "2001:db8::/64"], ["2001:db8::1"])
    assert holds("IpAddress", "203.0.113.5/24", ["203.0.113.1"])
    assert holds("IpAddress", "203.0.113.0/+24", ["203.0.113.1"])


@pytest.mark.parametrize(
    ("pattern", "value", "expected"),
    [
        ("?", "\U00010400", False),
        ("??", "\U00010400", True),
        ("\U00010400", "\U00010400", True),
        ("a?*b", "a\U00010400b", True),
        ("*?\U00010400", "x\U00010400", True),
        ("?", "\u00e9", True),
        ("?", "e\u0301", False),
    ],
)
def test_a_question_mark_is_one_unit_of_utf_16(pattern, value, expected):
    # Recorded live: the live-utf16 and live2-sim2 cases.
    assert holds("StringLike", pattern, [value]) is expected
    assert holds("StringNotLike", pattern, [value]) is not expected


def test_case_is_folded_inside_the_basic_plane_only():
    # Recorded live: live-fold-050 (a sigma before a letter of another plane), live2-var2-005.
    assert holds("StringEqualsIgnoreCase", "A\u03a3\U00010400", ["a\u03c3\U00010400"])
    assert not holds("StringEqualsIgnoreCase", "\U00010400", ["\U00010428"])


@pytest.mark.parametrize(
    ("wanted", "keys", "expected"),
    [("true", None, True), ("true", [], True), ("True", ["x"], False), ("false", ["x"], True), ("false", None, False)],
)
def test_null(wanted, keys, expected):
    assert holds("Null", wanted, keys) is expected


@pytest.mark.parametrize(
    "name", ["MadeUp", "stringequals", "ForSomeValues:StringEquals", "NullIfExists", "ForAllValues:Null"]
)
def test_an_unknown_operator_fails_closed(name):
    assert not holds(name, "x", ["x"])
    assert holds(name, "x", None, deny=True)


@pytest.mark.parametrize(
    ("value", "request_value", "expected"),
    [
        ("${aws:username}", "alice", True),
        ("${AWS:UserName}", "alice", True),
        ("u-${aws:username}-x", "u-alice-x", True),
        ("${aws:nothing}", "${aws:nothing}", False),
        ("${aws:nothing}", "", False),
        ("${aws:nothing, 'nobody'}", "nobody", True),
        ("${aws:username, 'nobody'}", "nobody", False),
        ("${*}", "*", True),
        ("${$}{aws:username}", "${aws:username}", True),
        ("${unclosed", "${unclosed", True),
        ("$5.00", "$5.00", True),
    ],
)
def test_variables(value, request_value, expected):
    assert holds("StringEquals", value, [request_value], aws_username="alice") is expected
    assert holds("StringNotEquals", value, [request_value], aws_username="alice") is not expected


def test_variables_need_the_new_language():
    assert not holds("StringEquals", "${aws:username}", ["alice"], version="2008-10-17", aws_username="alice")
    assert holds("StringEquals", "${aws:username}", ["${aws:username}"], version="2008-10-17", aws_username="alice")


def test_what_a_variable_brings_in_is_no_wildcard():
    assert not holds("StringLike", "${aws:username}", ["anything"], aws_username="*")
    assert holds("StringLike", "${aws:username}/*", ["*/x"], aws_username="*")
    assert not holds("StringLike", "a${*}b", ["axb"])
    assert holds("ArnLike", "arn:aws:iam::1:user/${aws:username}", ["arn:aws:iam::1:user/a"], aws_username="a")


def test_variables_do_not_reach_typed_operators():
    assert not holds("NumericEquals", "${aws:n}", ["5"], aws_n="5")


@pytest.mark.parametrize(
    "text", ["", "1e", "e1", ".", "1e9999", "0x1", "1_0", "²", "٣", "nan", "inf", "1.2.3", "-", "9" * 257]
)
def test_what_is_no_number(text):
    assert read_number(text) is None


@pytest.mark.parametrize(
    ("text", "number"), [("1", 1), ("1.", 1), (".5", 0.5), ("+1", 1), ("-1", -1), ("1e0", 1), ("1.5E+1", 15)]
)
def test_numbers(text, number):
    # Recorded live: live-num-029, live-parse-003.
    assert read_number(text) == number


def test_numbers_are_not_rounded():
    # Recorded live: live-parse-006.
    assert holds("NumericLessThan", "9007199254740993", ["9007199254740992"])
    assert holds("NumericLessThan", "9007199254740993.0", ["9007199254740992.0"])


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0),
        ("1795435200", 1795435200),
        ("1970", 0),
        ("1970-01-02", 86400),
        ("2024-02-29", 1709164800),
        ("1970-01-01T00:00Z", 0),
        ("1970-01-01t00:00z", 0),
        ("1970-01-01T00:00", 0),
        ("1970-01-01T00:00:01.5Z", 1.5),
        ("1970-01-01T00:00:01.5009Z", 1.5),
        ("1970-01-01T00:00:01.0001Z", 1),
        ("+1795435200", 1795435200),
        ("-60", -60),
        ("1970-01-01T01:00:00+01:00", 0),
        ("1970-01-01T00:00:00-00:30", 1800),
        ("2023-02-29", None),
        ("2026-13", None),
        ("2026-1-1", None),
        ("2026-11-23T25:00Z", None),
        ("2026-11T10:00Z", None),
        ("2026-11-23T", None),
        ("2026-11-23T10Z", None),
        ("2026-11-23T10:00:00.Z", None),
        ("yesterday", None),
        ("٢٠٢٦", None),
    ],
)
def test_dates(text, seconds):
    assert read_date(text) == seconds


@pytest.mark.parametrize(
    "text",
    [
        "",
        "203.0.113",
        "203.0.113.0/33",
        "203.0.113.0/",
        "2001:db8::/129",
        "203.0.113.0/-1",
        "x/8",
        "::ffff:203.0.113.0/120",
    ],
)
def test_what_is_no_network(text):
    assert read_network(text) is None


def test_an_operator_is_taken_apart():
    op = operator("ForAnyValue:StringNotLikeIfExists")

    assert (op.base, op.family, op.negated, op.if_exists, op.quantifier) == (
        *("StringNotLike", "like", True, True),
        "ForAnyValue",
    )
