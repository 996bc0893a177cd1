"""The condition operators: one table an idea, each row one request value against one policy value."""

from __future__ import annotations

import pytest

from sts_emulator.policy.deciding.conditions import compile_condition
from sts_emulator.policy.deciding.operators import OPERATORS, operator, read_date, read_network, read_number


def holds(operator_text, policy_values, request_values, *, version="2012-10-17", deny=False, **context):
    listed = policy_values if isinstance(policy_values, list) else [policy_values]
    condition = compile_condition(operator_text, "Example:Key", listed, version=version, deny=deny)
    found = {} if request_values is None else {"example:key": tuple(request_values)}
    return condition.check({**found, **{name.replace("_", ":"): (value,) for name, value in context.items()}})


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
        ("NumericEquals", "60", "6e1", False),
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
        ("Bool", "yes", "yes", False),
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
        ("ArnLike", "arn:aws:*:role/ci", "arn:aws:iam::1:role/ci", False),
        ("ArnLike", "*", "arn:aws:iam::1:role/ci", False),
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
    ("name", "found", "expected"),
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
def test_set_operators(name, found, expected):
    assert holds(name, ["team", "cost"], found) is expected


def test_a_plain_operator_on_several_values_never_matches():
    assert not holds("StringEquals", ["team", "cost"], ["team", "cost"])
    assert not holds("StringNotEquals", ["team"], ["team", "cost"])
    assert holds("StringNotEquals", ["owner"], ["team", "cost"])


@pytest.mark.parametrize(
    ("wanted", "found", "expected"),
    [("true", None, True), ("true", [], True), ("True", ["x"], False), ("false", ["x"], True), ("false", None, False)],
)
def test_null(wanted, found, expected):
    assert holds("Null", wanted, found) is expected


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


@pytest.mark.parametrize("text", ["", "1e3", "0x1", "1_0", "²", "٣", "nan", "inf", "1.2.3", "-", "9" * 65])
def test_what_is_no_number(text):
    assert read_number(text) is None


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
    "text", ["", "203.0.113", "203.0.113.0/33", "203.0.113.0/", "2001:db8::/129", "203.0.113.0/-1", "x/8"]
)
def test_what_is_no_network(text):
    assert read_network(text) is None


def test_an_operator_is_taken_apart():
    op = operator("ForAnyValue:StringNotLikeIfExists")

    assert (op.base, op.family, op.negated, op.if_exists, op.quantifier) == (
        *("StringNotLike", "like", True, True),
        "ForAnyValue",
    )
