"""What can be parsed, what cannot, and that a document is compiled once."""

from __future__ import annotations

import json

import pytest

from sts_emulator.policy.deciding.document import MalformedPolicy, parse

STATEMENT = {"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": "*"}


def text_of(**statement):
    return json.dumps({"Version": "2012-10-17", "Statement": [{**STATEMENT, **statement}]})


def test_a_document_knows_its_text_version_size_and_statements():
    text = json.dumps({"Version": "2012-10-17", "Statement": STATEMENT}, indent=4)

    document = parse(text)

    assert document.text == text
    assert document.version == "2012-10-17"
    assert document.size == len("".join(text.split()))
    assert [(statement.effect, statement.sid) for statement in document.statements] == [("Allow", "")]


def test_without_a_version_the_old_language_applies():
    assert parse(json.dumps({"Statement": STATEMENT})).version == "2008-10-17"


def test_the_same_text_is_compiled_once():
    document = parse(text_of(Sid="Once"))

    assert parse(text_of(Sid="Once")) is document


@pytest.mark.parametrize("value", ["5", "5.50", "1e3", "true", "null"])
def test_numbers_and_booleans_are_taken_as_their_text(value):
    text = text_of(Condition={"StringEquals": {"k": "@"}}).replace('"@"', value)

    if value == "null":
        with pytest.raises(MalformedPolicy):
            parse(text)
        return
    assert parse(text).statements[0].conditions[0].check({"k": (value,)})


@pytest.mark.parametrize(
    "text",
    [
        "",
        "no json",
        "[]",
        "null",
        '"text"',
        "{}",
        '{"Statement": [1]}',
        '{"Statement": {"Effect": "Allow"}}',
        '{"Statement": [], "Statement": []}',
        '{"Version": "2012-10-17", "Version": "2012-10-17", "Statement": []}',
        '{"Version": "2013-01-01", "Statement": []}',
        '{"Version": NaN, "Statement": []}',
        '{"Statement": [], "Foo": 1}',
        text_of(Effect="allow"),
        text_of(Effect=None),
        text_of(Conditon={}),
        text_of(Condition=["StringEquals"]),
        text_of(Condition={"StringEquals": "x"}),
        text_of(Condition={"StringEquals": {"k": {}}}),
        text_of(Action={"a": 1}),
        text_of(NotAction="x"),
        text_of(NotResource="x"),
        text_of(Principal=["*"]),
        text_of(Principal={"Foo": "x"}),
        text_of(Principal={"AWS": [["x"]]}),
        text_of(Sid={}),
        "[" * 100_000,
        '{"Statement": ' * 5_000,
        " " * 131_073,
    ],
)
def test_what_cannot_be_evaluated_is_refused(text):
    with pytest.raises(MalformedPolicy) as refused:
        parse(text)

    assert refused.value.code == "MalformedPolicyDocument"
    assert refused.value.status == 400


def test_unknown_operators_and_keys_can_be_evaluated():
    assert len(parse(text_of(Condition={"MadeUp": {"a": "b"}, "StringEquals": {"no:such": "x"}})).statements) == 1
