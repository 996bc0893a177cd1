"""The vocabulary: every key is known, every mistake is told with its line, all of them at once."""

from __future__ import annotations

import json

import pytest
from example_counts import examples
from hypothesis import given, settings
from hypothesis import strategies as st
from scenario_lab import problems, yaml

from sts_emulator.catalogue import SECTIONS
from sts_emulator.scenario import ScenarioError, parse, shape
from sts_emulator.scenario.model import section_of


def test_a_misspelt_key_is_told_with_the_right_one():
    assert problems("""
        accounts:
          "111122223333":
            roles:
              deploy:
                tust: []
    """) == [
        "scenario:5: unknown key `tust`; did you mean `trust`?",
    ]


def test_every_mistake_is_told_in_the_order_of_the_file():
    assert problems("""
        acounts: {}
        accounts:
          12345:
            users:
              alice: [x]
              bob:
                access_keys: {idd: x}
          "111122223333":
            rols: {}
        expect: yes
    """) == [
        "scenario:1: unknown key `acounts`; did you mean `accounts`?",
        "scenario:3: account id `12345` must be twelve digits",
        "scenario:5: expected a mapping, got a list",
        "scenario:7: unknown key `idd`; did you mean `id`?",
        "scenario:9: unknown key `rols`; did you mean `roles`?",
        "scenario:10: expected a mapping, got `yes`",
    ]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("name: [a]", "expected a text, got a list"),
        ("alias: {a: b}", "expected a text, got a mapping"),
        ("users: alice", "expected a mapping, got `alice`"),
        ("root: key", "expected a mapping, got `key`"),
        ("root: {id: AKIA}", "unknown key `id`; known here: access_key_id, secret_access_key"),
        ("roles: {r: {trust: [], max_session_duration: 1h}}", "expected a whole number, got `1h`"),
        ("roles: {r: {trust: }}", "expected a policy, got nothing"),
        ("roles: {r: }", "`trust` is missing"),
        ("users: {a: {policies: {x: y}}}", "expected a text, got a mapping"),
        (
            "users: {a: {mfa: {a: short}}}",
            "expected a seed, 16 to 128 letters of base32 in groups of 8, got `short`",
        ),
        ("users: {a: {tags: [x]}}", "expected a mapping, got a list"),
        ("users: {a: {inline: {p: {file: p.json}}}}", "`p.json`: only a scenario that is itself a file may name files"),
        (
            "oidc_providers: [{url: https://x.example, jwks: {a: b}}]",
            "expected a key set, that is a mapping with a list of `keys`",
        ),
        ("oidc_providers: [{url: https://x.example, jwks: 'keys'}]", "expected a key set, got text that is not JSON"),
        ("saml_providers: {corp: {metadata: [x]}}", "expected a metadata document or `file: name`, got a list"),
    ],
)
def test_values_of_the_wrong_kind(line: str, message: str):
    assert problems(f'accounts:\n  "111122223333":\n    {line}\n') == [f"scenario:3: {message}"]


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ("{}", "an expectation needs `assume`, `may`, or both"),
        ("{assume: r}", "an expectation needs either `caller` or `with`"),
        ("{assume: r, caller: }", "an expectation needs either `caller` or `with`"),
        ("{assume: r, caller: ec2.amazonaws.com, with: {github: }}", "an expectation needs either `caller` or `with`"),
        ("{assume: r, with: x}", "expected a mapping, got `x`"),
        ("{assume: r, with: {}}", "`with` takes one kind of evidence"),
        ("{assume: r, with: {github: , gitlab: }}", "`with` takes one kind of evidence"),
        ("{assume: r, caller: {user: a, role: b}}", "a caller is one of `user`, `role`, `root` and `service`"),
        (
            "{assume: r, caller: alice}",
            "expected the ARN of a user, role, session or root, or a service's name, got `alice`",
        ),
        ("{assume: r, caller: {user: a}, result: maybe}", "expected `allow` or `deny`, got `maybe`"),
        (
            "{assume: r, caller: {user: a}, time: tomorrow}",
            "expected a time such as 2026-11-23T20:00:00Z, got `tomorrow`",
        ),
        ("{assume: r, caller: {user: a}, secure: perhaps}", "expected true or false, got `perhaps`"),
        (
            "{assume: r, caller: {user: a}, because: {layer: trusts}}",
            "expected one of scp, rcp, trust, identity, boundary, session, got `trusts`",
        ),
    ],
)
def test_expectations_that_make_no_sense(entry: str, message: str):
    assert problems(f"expect:\n  - {entry}\n") == [f"scenario:2: {message}"]


def test_a_claim_that_is_called_file_is_a_claim():
    scenario = parse("accounts: {'111122223333': {}}\nexpect:\n  - {assume: r, with: {house: {file: [x]}}}\n")
    assert scenario.written == ({"assume": "r", "with": {"house": {"file": ["x"]}}},)


def test_what_a_file_says_cannot_write_on_the_terminal():
    assert problems('expect: "\\e[31mred\\r\\nscenario:9: all is well"\n') == [
        "scenario:1: expected a mapping, got `\\x1b[31mred\\r\\nscenario:9: all is well`"
    ]


def test_one_thing_is_as_good_as_a_list_of_one():
    scenario = parse('accounts: {"111122223333": {users: {alice: {policies: AdministratorAccess, groups: [devs]}}}}')
    (entry,) = scenario.entries
    assert entry.value["alice"].policies == ("AdministratorAccess",)
    assert entry.value["alice"].groups == ("devs",)


def test_a_policy_is_written_as_in_aws_or_as_json_or_as_bare_statements():
    scenario = parse(
        yaml("""
            accounts:
              "111122223333":
                policies:
                  aws: {Version: 2012-10-17, Statement: {Effect: Allow, Action: "*", Resource: "*"}}
                  json: |
                    {"Version": "2012-10-17", "Statement": []}
                  bare: [{Effect: Allow, Action: "*", Resource: "*"}]
                  long: {path: /team/, document: [{Effect: Deny, Action: "*", Resource: "*"}]}
        """)
    )
    (entry,) = scenario.entries
    assert {name: str(policy.document).rstrip() for name, policy in entry.value.items()} == {
        "aws": '{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}',
        "json": '{"Version": "2012-10-17", "Statement": []}',
        "bare": '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}',
        "long": '{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":"*","Resource":"*"}]}',
    }
    assert entry.value["long"].path == "/team/"


def test_sections_are_registered_once_and_as_what_they_are():
    assert len({row.key for row in SECTIONS}) == len(SECTIONS)
    assert [(row.key, row.scope) for row in SECTIONS] == [
        (section_of(row).key, section_of(row).scope) for row in SECTIONS
    ]


words = st.sampled_from(
    [
        "accounts",
        "111122223333",
        "roles",
        "trust",
        "users",
        "expect",
        "assume",
        "caller",
        "with",
        "issuers",
        "organization",
        "units",
        "name",
        "root",
        "deploy",
        "x",
    ]
)
trees = st.recursive(
    st.one_of(st.none(), words, st.text(max_size=5)),
    lambda below: st.one_of(st.lists(below, max_size=3), st.dictionaries(words, below, max_size=4)),
    max_leaves=30,
)


@settings(max_examples=examples(300))
@given(trees)
def test_whatever_is_written_is_understood_or_refused(tree: object):
    try:
        parse(json.dumps(tree))
    except ScenarioError as error:
        assert all(line.startswith("scenario:") for line in str(error).splitlines())  # noqa: PT017 - both are right


def test_not_all_of_too_many_mistakes_are_told():
    text = "\n".join(f"acounts{number}: x" for number in range(shape.MOST_PROBLEMS + 50))
    with pytest.raises(ScenarioError) as mistakes:
        parse(text)
    lines = str(mistakes.value).splitlines()
    assert len(lines) == shape.MOST_PROBLEMS
    assert lines[0].endswith("unknown key `acounts0`; did you mean `accounts`?")
    assert lines[-1].endswith(f"unknown key `acounts{shape.MOST_PROBLEMS - 1}`")
