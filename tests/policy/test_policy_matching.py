"""Wildcards, ARNs, actions, resources and principals: what matches what."""

from __future__ import annotations

import pytest
from example_counts import examples
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import CALLERS, HERE, THERE

from sts_emulator.policy.deciding.engine import Principal
from sts_emulator.policy.deciding.matching import Actions, ArnPattern, Glob, edit_distance, glob, principals
from sts_emulator.policy.deciding.resources import Resources

ALICE, DAVE, APP, ROOT, KIM, GITHUB, OKTA, EC2, NOBODY = CALLERS
FUNCTION = "arn:aws:lambda:us-east-1:111122223333:function:f"


@pytest.mark.parametrize(
    ("pattern", "text", "expected"),
    [
        ("repo:o/r:*", "repo:o/r:ref:refs/heads/main", True),
        ("repo:o/r:*", "repo:o/r:", True),
        ("repo:o/r", "repo:o/r:x", False),
        ("*", "", True),
        ("?", "", False),
        ("a?c", "abc", True),
        ("a?c", "abbc", False),
        ("*:environment:prod", "repo:o/r:environment:prod", True),
        ("a**b", "ab", True),
        ("*?", "x", True),
        ("ab*ba", "aba", False),
        ("*a?c*", "xxabcx", True),
        ("A*", "abc", False),
        ("[ab]*", "[ab]x", True),
        ("a.c", "abc", False),
    ],
)
def test_a_glob_covers_the_whole_text(pattern, text, expected):
    assert glob(pattern).matches(text) is expected


def naive(pattern: str, text: str) -> bool:
    """The textbook table, as the oracle."""
    row = [True] + [False] * len(text)
    for symbol in pattern:
        if symbol == "*":
            for index in range(len(text)):
                row[index + 1] = row[index + 1] or row[index]
            continue
        row = [False] + [row[index] and symbol in ("?", character) for index, character in enumerate(text)]
    return row[-1]


@settings(max_examples=examples(400))
@given(st.text("ab*?", max_size=9), st.text("ab", max_size=12))
def test_globs_agree_with_the_textbook(pattern, text):
    assert glob(pattern).matches(text) is naive(pattern, text)


def test_patterns_that_hang_a_backtracking_matcher_do_not_hang_this_one():
    assert not glob("*a" * 1000 + "*b*").matches("a" * 20_000)
    assert not glob("*?a" * 1000 + "*b*").matches("a" * 20_000)
    assert not glob("*" + "a?" * 5000 + "b*").matches("a" * 20_000)


def test_escaped_and_substituted_text_is_literal():
    assert Glob([("a", True), ("*", False), ("b", True)]).matches("a*b")
    assert not Glob([("a", True), ("*", False), ("b", True)]).matches("axb")


@pytest.mark.parametrize(
    ("pattern", "part"),
    [
        (FUNCTION, None),
        ("arn:aws:lambda:*:*:function:*", None),
        ("arn:*:lambda:us-east-1:111122223333:function:?", None),
        ("arn:aws:s3:us-east-1:111122223333:function:f", 3),
        ("arn:aws:lambda:*:444455556666:function:f", 5),
        ("arn:aws:lambda:us-east-1:*:f", 6),
        ("arn:aws:lambda:*:function:f", 5),
        ("arn:aws:*:function:f", 0),
        ("*", 0),
    ],
)
def test_an_arn_is_compared_part_by_part(pattern, part):
    assert ArnPattern([(pattern, True)]).mismatch(FUNCTION) == part


def test_what_is_no_arn_matches_no_arn_pattern():
    assert ArnPattern([("*:*:*:*:*:*", True)]).mismatch("xyz:a:b:c:d:e") == 0


def test_actions_ignore_case_and_know_wildcards():
    actions = Actions(["sts:AssumeRole", "S3:get*", "ec2:Describe?nstances"])

    assert actions.match("sts:assumerole")
    assert actions.match("s3:getobject")
    assert actions.match("ec2:describeinstances")
    assert not actions.match("sts:assumerolewithsaml")
    assert actions.matched_by("s3:getobject") == "S3:get*"
    assert actions.matched_by("iam:getrole") is None


@pytest.mark.parametrize(
    ("listed", "resource", "context", "expected"),
    [
        ("*", "*", {}, True),
        ("*", FUNCTION, {}, True),
        (FUNCTION, "*", {}, False),
        ("arn:aws:iam::1:role/${aws:username}", "arn:aws:iam::1:role/alice", {"aws:username": ("alice",)}, True),
        ("arn:aws:iam::1:role/${aws:username}", "arn:aws:iam::1:role/alice", {}, False),
        ("arn:aws:iam::1:role/${aws:username}", "arn:aws:iam::1:role/*", {"aws:username": ("*",)}, True),
        ("arn:aws:iam::1:role/${aws:username}", "arn:aws:iam::1:role/bob", {"aws:username": ("*",)}, False),
        ("arn:aws:iam::${aws:x}:role/a", "arn:aws:iam::1:role/a", {"aws:x": ("1",)}, False),
        ("arn:aws:iam::1:role/${aws:x, 'a'}", "arn:aws:iam::1:role/a", {}, True),
        ("arn:aws:iam::1:role/team/*", "arn:aws:iam::1:role/Team/a", {}, False),
    ],
)
def test_resources_and_their_variables(listed, resource, context, expected):
    assert Resources([listed], "2012-10-17").match(resource, context) is expected


def test_before_2012_a_variable_in_a_resource_is_text():
    old = Resources(["arn:aws:iam::1:role/${aws:username}"], "2008-10-17")

    assert not old.match("arn:aws:iam::1:role/alice", {"aws:username": ("alice",)})
    assert old.match("arn:aws:iam::1:role/${aws:username}", {})


@pytest.mark.parametrize(
    ("element", "caller", "grant"),
    [
        ({"AWS": [HERE]}, ALICE, "account"),
        ({"AWS": [f"arn:aws:iam::{HERE}:root"]}, APP, "account"),
        ({"AWS": [f"arn:aws:iam::{HERE}:root"]}, ROOT, "account"),
        ({"AWS": [f"arn:aws:iam::{HERE}:root"]}, KIM, "account"),
        ({"AWS": [f"arn:aws-cn:iam::{HERE}:root"]}, ALICE, None),
        ({"AWS": [HERE]}, DAVE, None),
        ({"AWS": [HERE]}, GITHUB, None),
        ({"AWS": [HERE]}, EC2, None),
        ({"AWS": [ALICE.value]}, ALICE, "direct"),
        ({"AWS": [ALICE.value.upper()]}, ALICE, None),
        ({"AWS": [ALICE.id]}, ALICE, "direct"),
        ({"AWS": ["AIDARECREATED0000001"]}, ALICE, None),
        ({"AWS": [APP.role_arn]}, APP, "role"),
        ({"AWS": [f"arn:aws:iam::{HERE}:role/App"]}, APP, None),
        ({"AWS": [APP.value]}, APP, "direct"),
        ({"AWS": [f"arn:aws:sts::{HERE}:assumed-role/App/other"]}, APP, None),
        ({"AWS": ["AROAAPP0000000000001"]}, APP, "role"),
        ({"AWS": [f"arn:aws:iam::{HERE}:user/*"]}, ALICE, None),
        ({"AWS": [""]}, NOBODY, None),
        ({"AWS": [""]}, ALICE, None),
        ({"AWS": ["*"]}, DAVE, "direct"),
        ({"AWS": ["*"]}, NOBODY, "direct"),
        ({"AWS": ["*"]}, GITHUB, None),
        ({"AWS": ["*"]}, OKTA, None),
        ({"AWS": ["*"]}, EC2, None),
        ({"Federated": [GITHUB.value]}, GITHUB, "direct"),
        ({"Federated": [GITHUB.value]}, OKTA, None),
        ({"AWS": [GITHUB.value]}, GITHUB, None),
        ({"Service": ["ec2.amazonaws.com"]}, EC2, "direct"),
        ({"Service": ["ec2.amazonaws.com.cn"]}, EC2, None),
        ("*", OKTA, "direct"),
        ("*", EC2, "direct"),
    ],
)
def test_how_a_principal_element_names_a_caller(element, caller, grant):
    assert principals(element).match(caller) == grant


def test_a_deny_on_every_aws_principal_is_read_strictly():
    everyone = principals({"AWS": ["*"]})

    assert everyone.match(EC2) is None
    assert everyone.match(EC2, deny=True) == "direct"


@pytest.mark.parametrize(
    ("listed", "caller", "spared"),
    [
        ([ALICE.value, f"arn:aws:iam::{HERE}:root"], ALICE, True),
        ([ALICE.value], ALICE, False),
        ([f"arn:aws:iam::{HERE}:root"], ALICE, False),
        ([f"arn:aws:iam::{HERE}:root"], ROOT, True),
        ([APP.value, APP.role_arn, HERE], APP, True),
        ([APP.role_arn, HERE], APP, False),
        ([ALICE.value, THERE], ALICE, False),
        (["*"], ALICE, True),
    ],
)
def test_not_principal_spares_only_who_is_listed_on_every_level(listed, caller, spared):
    assert principals({"AWS": listed}).spares(caller) is spared


def test_not_principal_spares_a_listed_service():
    assert principals({"Service": ["ec2.amazonaws.com"]}).spares(EC2)
    assert not principals({"Service": ["ec2.amazonaws.com"]}).spares(Principal("service", "lambda.amazonaws.com"))


@pytest.mark.parametrize(("left", "right", "distance"), [("", "abc", 3), ("main", "man", 1), ("kitten", "sitting", 3)])
def test_edit_distance(left, right, distance):
    assert edit_distance(left, right) == edit_distance(right, left) == distance
