"""Small pools of policies and requests, so that statements match about as often as they do not."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import strategies as st

from sts_emulator.policy.deciding.document import parse
from sts_emulator.policy.deciding.engine import PolicySet, Principal, Request

HERE, THERE = "111122223333", "444455556666"
TARGET = f"arn:aws:iam::{HERE}:role/Target"
ISSUER = "token.actions.githubusercontent.com"
OIDC = f"arn:aws:iam::{HERE}:oidc-provider/{ISSUER}"

CALLERS = (
    Principal("user", f"arn:aws:iam::{HERE}:user/alice", HERE, id="AIDAALICE00000000001"),
    Principal("user", f"arn:aws:iam::{THERE}:user/dave", THERE, id="AIDADAVE000000000001"),
    Principal(
        "assumed-role",
        f"arn:aws:sts::{HERE}:assumed-role/App/s1",
        HERE,
        role_arn=f"arn:aws:iam::{HERE}:role/ci/App",
        id="AROAAPP0000000000001:s1",
    ),
    Principal("root", f"arn:aws:iam::{HERE}:root", HERE),
    Principal("federated-user", f"arn:aws:sts::{HERE}:federated-user/kim", HERE, id=f"{HERE}:kim"),
    Principal("oidc", OIDC, HERE),
    Principal("saml", f"arn:aws:iam::{HERE}:saml-provider/Okta", HERE),
    Principal("service", "ec2.amazonaws.com"),
    Principal("anonymous", "*"),
)
NAMED = (
    {"AWS": "*"},
    {"AWS": HERE},
    {"AWS": [f"arn:aws:iam::{HERE}:root", THERE]},
    {"AWS": f"arn:aws:iam::{HERE}:user/alice"},
    {"AWS": f"arn:aws:iam::{HERE}:role/ci/App"},
    {"AWS": f"arn:aws:sts::{HERE}:assumed-role/App/s1"},
    {"AWS": "AROAAPP0000000000001"},
    {"AWS": "AIDAALICE00000000001", "Service": "ec2.amazonaws.com"},
    {"Federated": OIDC},
    {"Federated": f"arn:aws:iam::{HERE}:saml-provider/Okta"},
    {"Service": ["ec2.amazonaws.com", "lambda.amazonaws.com"]},
    "*",
)
ACTIONS = ("sts:AssumeRole", "sts:TagSession", "sts:AssumeRoleWithWebIdentity", "s3:GetObject")
ACTION_TEXTS = (*ACTIONS, "*", "sts:*", "sts:Assume*", "STS:assumerole", "s3:?etObject")
RESOURCES = (TARGET, "*", f"arn:aws:iam::{THERE}:role/Target", "arn:aws:s3:::bucket/key")
RESOURCE_TEXTS = (*RESOURCES, f"arn:aws:iam::{HERE}:role/*", "arn:aws:s3:::bucket/${aws:username}", "arn:*:s3:::*")
KEYS = {
    "sts:ExternalId": ("a", "A", "ab", "b*"),
    "aws:TagKeys": ("team", "cost"),
    "aws:MultiFactorAuthPresent": ("true", "false", "x"),
    "aws:MultiFactorAuthAge": ("1", "60", "60.0", "x"),
    "aws:CurrentTime": ("2026-11-23T12:00:00Z", "2026", "1795435200", "x"),
    "aws:SourceIp": ("203.0.113.10", "2001:db8::1", "x"),
    "aws:PrincipalArn": (f"arn:aws:iam::{HERE}:role/ci/App", "x"),
    "aws:username": ("alice", "Alice"),
}
VALUES = (
    *("a", "A", "a*", "*", "?", "b${*}", "${aws:username}", "${aws:nothing, 'a'}", "${aws:nothing}x", "team", "true"),
    *("false", "60", "2026-11-23", "1795435200", "203.0.113.0/24", "2001:db8::/32", f"arn:aws:iam::{HERE}:role/*", ""),
)
BASES = (
    *("StringEquals", "StringNotEquals", "StringEqualsIgnoreCase", "StringNotEqualsIgnoreCase", "StringLike"),
    *("StringNotLike", "NumericEquals", "NumericLessThan", "NumericGreaterThanEquals", "NumericNotEquals"),
    *("DateEquals", "DateGreaterThan", "DateNotEquals", "Bool", "BinaryEquals", "IpAddress", "NotIpAddress"),
    *("ArnLike", "ArnNotLike", "ArnEquals", "Null", "MadeUp"),
)

operators = st.builds(
    "{}{}{}".format,
    st.sampled_from(("", "", "ForAllValues:", "ForAnyValue:")),
    st.sampled_from(BASES),
    st.sampled_from(("", "", "IfExists")),
)
condition_blocks = st.dictionaries(
    operators,
    st.dictionaries(
        st.sampled_from(tuple(KEYS)), st.lists(st.sampled_from(VALUES), max_size=3), min_size=1, max_size=2
    ),
    max_size=2,
)
lists_of_actions = st.lists(st.sampled_from(ACTION_TEXTS), min_size=1, max_size=2)
lists_of_resources = st.lists(st.sampled_from(RESOURCE_TEXTS), min_size=1, max_size=2)


@st.composite
def statements(draw: st.DrawFn, effect: str | None = None, *, trust: bool | None = None) -> dict[str, Any]:
    """One statement; `trust` decides between principals and resources."""
    names_callers = draw(st.booleans()) if trust is None else trust
    source: dict[str, Any] = {"Effect": effect or draw(st.sampled_from(("Allow", "Allow", "Deny")))}
    source[draw(st.sampled_from(("Action", "Action", "NotAction")))] = draw(lists_of_actions)
    if names_callers:
        element = draw(st.sampled_from(("Principal", "Principal", "Principal", "NotPrincipal")))
        source[element] = draw(st.sampled_from(NAMED))
    else:
        source[draw(st.sampled_from(("Resource", "Resource", "NotResource")))] = draw(lists_of_resources)
    conditions = draw(condition_blocks)
    return {**source, "Condition": conditions} if conditions else source


def policy_texts(*, trust: bool | None = None, effect: str | None = None) -> st.SearchStrategy[str]:
    """A document as text, in either language version."""
    return st.builds(
        lambda version, listed: json.dumps({"Version": version, "Statement": listed}),
        st.sampled_from(("2012-10-17", "2012-10-17", "2008-10-17")),
        st.lists(statements(effect, trust=trust), max_size=3),
    )


def documents(*, trust: bool | None = None, effect: str | None = None) -> st.SearchStrategy[Any]:
    """A compiled document."""
    return policy_texts(trust=trust, effect=effect).map(parse)


@st.composite
def requests(draw: st.DrawFn) -> Request:
    """A request by any kind of caller."""
    context = {
        key.lower(): tuple(draw(st.lists(st.sampled_from(values), max_size=2, unique=True)))
        for key, values in KEYS.items()
        if draw(st.booleans())
    }
    return Request(
        draw(st.sampled_from(ACTIONS)), draw(st.sampled_from(RESOURCES)), draw(st.sampled_from(CALLERS)), context
    )


def compiled(*listed: dict[str, Any]) -> Any:
    """A document of these statements."""
    return parse(json.dumps({"Version": "2012-10-17", "Statement": list(listed)}))


EVERYTHING = compiled({"Effect": "Allow", "Action": "*", "Resource": "*"})
ALL_CALLERS = {
    "AWS": "*",
    "Federated": [OIDC, f"arn:aws:iam::{HERE}:saml-provider/Okta"],
    "Service": "ec2.amazonaws.com",
}
OPEN = compiled({"Effect": "Allow", "Principal": ALL_CALLERS, "Action": "*"})
EVERYBODY = tuple(compiled({"Effect": "Allow", "Principal": named, "Action": "*"}) for named in NAMED)


@st.composite
def policy_sets(draw: st.DrawFn) -> PolicySet:
    """Any of the layers, each absent, generous or arbitrary, so that about as much is allowed as denied."""
    own = st.just(EVERYTHING) | documents(trust=False)
    levels = st.lists(st.lists(own, min_size=1, max_size=2).map(tuple), max_size=2).map(tuple)
    resource_levels = st.lists(st.lists(documents(trust=True), max_size=1).map(tuple), max_size=1).map(tuple)
    return PolicySet(
        trust=draw(st.none() | st.just(OPEN) | st.sampled_from(EVERYBODY) | documents(trust=True)),
        identity=draw(st.lists(own, max_size=2).map(tuple)),
        boundary=draw(st.none() | own),
        session=draw(st.none() | st.lists(own, max_size=2).map(tuple)),
        scps=draw(levels),
        rcps=draw(resource_levels),
        resource_account=draw(st.sampled_from(("", HERE, THERE))),
    )
