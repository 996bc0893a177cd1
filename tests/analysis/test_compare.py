"""Two versions of a trust policy: what differs is shown by requests, and every one of them is what it is said to be."""

from __future__ import annotations

import json
from typing import Any

import pytest
from example_counts import examples
from hypothesis import given, settings
from hypothesis import strategies as st

from sts_emulator.analysis.compare import Grade, Witness, compare, grade
from sts_emulator.policy.deciding.document import Document, parse

ACCOUNT = "111122223333"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/deploy"
GITHUB = "token.actions.githubusercontent.com"
PROVIDER = f"arn:aws:iam::{ACCOUNT}:oidc-provider/{GITHUB}"


def document(*statements: dict[str, Any]) -> Document:
    return parse(json.dumps({"Version": "2012-10-17", "Statement": list(statements)}))


def allow(principal: Any, action: Any = "sts:AssumeRole", **condition: Any) -> dict[str, Any]:
    statement = {"Effect": "Allow", "Principal": principal, "Action": action}
    return {**statement, "Condition": condition} if condition else statement


def deny(principal: Any, **condition: Any) -> dict[str, Any]:
    return {**allow(principal, **condition), "Effect": "Deny"}


def github(*subjects: str, operator: str = "StringLike") -> Document:
    condition = {
        operator: {f"{GITHUB}:sub": list(subjects)},
        "StringEqualsIgnoreCase": {f"{GITHUB}:aud": "sts.amazonaws.com"},
    }
    return document(allow({"Federated": PROVIDER}, "sts:AssumeRoleWithWebIdentity", **condition))


def told(witnesses: list[Witness]) -> list[tuple[str, str, dict[str, str]]]:
    """Direction, who, and what is brought beside the audience."""
    return [
        (
            witness.direction,
            witness.caller.named,
            {key.rpartition(":")[2]: values[0] for key, values in witness.chosen.items() if not key.endswith(":aud")},
        )
        for witness in witnesses
    ]


DEPLOY = "arn:aws:iam::444455556666:role/deploy"
OWN, FOREIGN = {"AWS": ACCOUNT}, {"AWS": "444455556666"}


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (
            github("repo:o/app:*"),
            github("repo:o/*"),
            [("gains", PROVIDER, {"sub": "repo:o/any-repository:ref:refs/heads/main"})],
        ),
        (github("repo:o/*"), github("repo:o*"), [("gains", PROVIDER, {"sub": "repo:o-evil/x:ref:refs/heads/main"})]),
        (
            github("repo:o/*"),
            github("repo:o/app:*"),
            [("loses", PROVIDER, {"sub": "repo:o/any-repository:ref:refs/heads/main"})],
        ),
        (
            github("repo:o/a:ref:refs/heads/main", operator="StringEquals"),
            github("repo:o/a:ref:refs/heads/main", "repo:o/b:ref:refs/heads/main", operator="StringEquals"),
            [("gains", PROVIDER, {"sub": "repo:o/b:ref:refs/heads/main"})],
        ),
        (
            document(allow(FOREIGN, StringEquals={"sts:ExternalId": "x"})),
            document(allow(FOREIGN)),
            [("gains", "444455556666", {})],
        ),
        (
            document(allow(FOREIGN)),
            document(allow(FOREIGN, StringEquals={"sts:ExternalId": "x"})),
            [("loses", "444455556666", {})],
        ),
        (
            document(allow(OWN, Bool={"aws:MultiFactorAuthPresent": "true"})),
            document(allow(OWN, BoolIfExists={"aws:MultiFactorAuthPresent": "true"})),
            [("gains", ACCOUNT, {})],
        ),
        (
            document(allow(OWN), deny({"AWS": "*"}, NotIpAddress={"aws:SourceIp": "203.0.113.0/24"})),
            document(allow(OWN)),
            [("gains", ACCOUNT, {})],
        ),
        (
            document(allow({"Service": "ec2.amazonaws.com"})),
            document(allow({"Service": "lambda.amazonaws.com"})),
            [("gains", "lambda.amazonaws.com", {}), ("loses", "ec2.amazonaws.com", {})],
        ),
        (document(allow(FOREIGN)), document(allow({"AWS": "*"})), [("gains", "*", {}), ("gains", ACCOUNT, {})]),
        (
            document(allow({"AWS": "*"}, StringLike={"aws:PrincipalArn": "*/deploy"})),
            document(allow({"AWS": "*"}, StringLike={"aws:PrincipalArn": "*/admin"})),
            [
                ("gains", "any role called admin in any AWS account", {}),
                ("gains", "any user called admin in any AWS account", {}),
                ("loses", "any role called deploy in any AWS account", {}),
                ("loses", "any user called deploy in any AWS account", {}),
            ],
        ),
        (
            None,
            document(allow({"AWS": DEPLOY}, StringLike={"aws:userid": "*:admin"})),
            [("gains", "arn:aws:sts::444455556666:assumed-role/deploy/admin", {})],
        ),
        (
            document(allow(OWN, StringEquals={"aws:username": "bob"})),
            document(allow(OWN)),
            [("gains", ACCOUNT, {})],
        ),
        (None, document(allow(FOREIGN)), [("gains", "444455556666", {})]),
        (document(allow(FOREIGN)), None, [("loses", "444455556666", {})]),
    ],
)
def test_who_gains_and_who_loses(old: Document | None, new: Document | None, expected: list[Any]):
    assert told(compare(old, new, ROLE)) == expected


def test_naming_the_role_itself_asks_nothing_more_of_its_own_policies():
    old, new = document(allow(OWN)), document(allow({"AWS": f"arn:aws:iam::{ACCOUNT}:user/ci/bob"}))
    gains, loses = compare(old, new, ROLE)
    assert (gains.caller.named, gains.before, gains.after) == (
        f"arn:aws:iam::{ACCOUNT}:user/ci/bob",
        Grade.IF_OWN_POLICIES_ALLOW,
        Grade.YES,
    )
    assert (loses.caller.named, loses.after) == (ACCOUNT, Grade.NO)


def test_tags_alone_are_told_when_they_alone_changed():
    old, new = document(allow(OWN)), document(allow(OWN, ["sts:AssumeRole", "sts:TagSession"]))
    assert [(witness.action, witness.direction) for witness in compare(old, new, ROLE)] == [("sts:TagSession", "gains")]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (github("repo:o/app:*"), github("repo:o/app:*", "repo:o/app:ref:refs/heads/main")),
        (document(allow(OWN)), document(allow({"AWS": f"arn:aws:iam::{ACCOUNT}:root"}))),
        (document(allow(OWN), allow(FOREIGN)), document(allow(FOREIGN), allow(OWN), allow(OWN))),
    ],
)
def test_other_words_for_the_same_make_no_difference(one: Document, other: Document):
    assert compare(one, other, ROLE) == []


# -- the law -----------------------------------------------------------------------------------------------------------------

PRINCIPALS = st.sampled_from(
    [
        OWN,
        FOREIGN,
        {"AWS": "*"},
        {"AWS": f"arn:aws:iam::{ACCOUNT}:role/x/y"},
        {"Federated": PROVIDER},
        {"Service": "ec2.amazonaws.com"},
    ]
)
CONDITIONS = st.sampled_from(
    [
        {},
        {"StringEquals": {"sts:ExternalId": "a"}},
        {"StringNotEquals": {"sts:ExternalId": ["a", "b"]}},
        {"StringLike": {f"{GITHUB}:sub": "repo:o/*"}},
        {"Bool": {"aws:MultiFactorAuthPresent": "true"}},
        {"IpAddress": {"aws:SourceIp": "203.0.113.0/24"}},
        {"DateLessThan": {"aws:CurrentTime": "2027-01-01T00:00:00Z"}},
        {"ForAllValues:StringEquals": {"aws:TagKeys": ["a", "b"]}},
        {"Null": {"sts:SourceIdentity": "true"}},
        {"ArnLike": {"aws:PrincipalArn": "arn:aws:iam::*:role/admin/*"}},
        {"StringEquals": {"aws:PrincipalTag/team": "${aws:username}"}},
    ]
)
ACTIONS = st.sampled_from(
    ["sts:AssumeRole", "sts:AssumeRoleWithWebIdentity", "sts:*", ["sts:AssumeRole", "sts:TagSession"]]
)
STATEMENTS = st.builds(
    lambda effect, principal, action, condition: {
        "Effect": effect,
        "Principal": principal,
        "Action": action,
        "Condition": condition,
    },
    st.sampled_from(["Allow", "Allow", "Deny"]),
    PRINCIPALS,
    ACTIONS,
    CONDITIONS,
)
SLOW = 5  # examples: each takes a fifth of a second, with two statements a twentieth
MOST = 4 if settings.get_current_profile_name() == "whole" else 2
DOCUMENTS = st.lists(STATEMENTS, min_size=1, max_size=MOST).map(lambda statements: document(*statements))


@settings(max_examples=examples(150, fewest=SLOW))
@given(DOCUMENTS, DOCUMENTS)
def test_every_witness_is_decided_as_it_is_said_to_be(old: Document, new: Document):
    for witness in compare(old, new, ROLE):
        assert grade(old, witness.request) is witness.before
        assert grade(new, witness.request) is witness.after
        assert witness.before != witness.after


@settings(max_examples=examples(50, fewest=SLOW))
@given(DOCUMENTS)
def test_a_policy_does_not_differ_from_itself(policy: Document):
    assert compare(policy, policy, ROLE) == []


@settings(max_examples=examples(100, fewest=SLOW))
@given(DOCUMENTS, DOCUMENTS)
def test_the_other_way_round_gains_are_losses(old: Document, new: Document):
    forth = {(witness.direction, witness.caller.named) for witness in compare(old, new, ROLE)}
    back = {
        ("gains" if witness.direction == "loses" else "loses", witness.caller.named)
        for witness in compare(new, old, ROLE)
    }
    assert forth == back
