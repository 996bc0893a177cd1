"""`who-can`, `what-can`, `diff` and the engine never contradict each other, over trust policies made by chance and imported ones.

The engine is asked directly, about callers that the search has no part in making.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Mapping
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from sts_emulator.analysis import callers
from sts_emulator.analysis.callers import Caller
from sts_emulator.analysis.classes import sessions_of
from sts_emulator.analysis.compare import compare
from sts_emulator.analysis.estate import Estate
from sts_emulator.analysis.reach import Reach, Step
from sts_emulator.analysis.search import BASE, request
from sts_emulator.cli.main import main
from sts_emulator.policy.deciding.document import parse as parse_policy
from sts_emulator.policy.deciding.engine import PolicySet, decide
from sts_emulator.scenario import parse

OWN, OTHER, THIRD = "111122223333", "444455556666", "777788889999"
ANYTHING = parse_policy('{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}')

PRINCIPALS = (
    *("*", OWN, OTHER, f"arn:aws:iam::{THIRD}:root"),
    *(f"arn:aws:iam::{OWN}:user/ci/deploy", f"arn:aws:iam::{OTHER}:role/deploy"),
    *(f"arn:aws:sts::{OTHER}:assumed-role/deploy/admin", f"arn:aws:iam::{OTHER}:user/admin"),
)
CONDITIONS: tuple[tuple[str, str, Any], ...] = (
    ("ArnLike", "aws:PrincipalArn", "arn:aws:iam::*:role/deploy"),
    ("ArnLike", "aws:PrincipalArn", f"arn:aws:iam::{OTHER}:user/*"),
    ("StringLike", "aws:PrincipalArn", "*/deploy"),
    ("ArnEquals", "aws:PrincipalArn", f"arn:aws:iam::{THIRD}:role/deploy"),
    ("ArnNotLike", "aws:PrincipalArn", "arn:aws:iam::*:role/deploy"),
    ("StringLike", "aws:userid", "*:admin"),
    ("StringEquals", "aws:username", "admin"),
    ("StringNotEquals", "aws:username", "admin"),
    ("StringEquals", "aws:PrincipalAccount", [OTHER, THIRD]),
    ("StringEquals", "aws:PrincipalType", "User"),
    ("Bool", "aws:MultiFactorAuthPresent", "true"),
    ("StringEquals", "sts:ExternalId", "abc"),
    ("StringEqualsIfExists", "sts:ExternalId", "abc"),
    ("StringEquals", "sts:RoleSessionName", "admin"),
    ("StringEquals", "aws:PrincipalTag/team", "ci"),
    ("Null", "aws:PrincipalTag/team", "true"),
    ("IpAddress", "aws:SourceIp", "203.0.113.0/24"),
    ("ForAllValues:StringEquals", "aws:PrincipalOrgPaths", "o-a1/*"),
)


def trust_by(chance: random.Random) -> dict[str, Any]:
    def statement(effect: str) -> dict[str, Any]:
        conditions: dict[str, dict[str, Any]] = {}
        for operator, key, value in chance.sample(CONDITIONS, chance.choice((0, 1, 1, 2))):
            conditions.setdefault(operator, {})[key] = value
        named = {"AWS": "*" if effect == "Deny" else chance.choice(PRINCIPALS)}
        made = {"Effect": effect, "Principal": named, "Action": "sts:AssumeRole"}
        return {**made, "Condition": conditions} if conditions else made

    effects = chance.choice((["Allow"], ["Allow"], ["Allow", "Allow"], ["Allow", "Deny"]))
    return {"Version": "2012-10-17", "Statement": [statement(effect) for effect in effects]}


def estate_of(trusts: Mapping[str, Any]) -> Estate:
    """Roles by name, in an account of which nobody else is declared; principals that they name exist."""
    roles = "".join(f"      {name}: {{trust: {json.dumps(json.dumps(trust))}}}\n" for name, trust in trusts.items())
    doing = '{inline: {all: [{Effect: Allow, Action: "sts:*", Resource: "*"}]}'
    trusted = 'trust: [{Effect: Allow, Principal: {Service: ec2.amazonaws.com}, Action: "sts:AssumeRole"}]'
    return Estate(
        [
            parse(
                f'accounts:\n  "{OWN}":\n    users: {{deploy: {doing}, path: /ci/}}}}\n    roles:\n{roles}'
                f'  "{OTHER}":\n    users: {{admin: {doing}}}}}\n    roles: {{deploy: {doing}, {trusted}}}}}\n'
            )
        ]
    )


def witnesses() -> Iterator[Caller]:
    """Callers of every account, each called in every way that a condition may ask for."""
    for account, name in product((OWN, OTHER, THIRD, "999900001111"), ("deploy", "admin", "zoe")):
        yield callers.user(account, name, "", "/ci/" if (account, name) == (OWN, "deploy") else "/")
        for session in ("admin", "zoe"):
            yield callers.role(account, name, "", "/", session)


def contexts() -> Iterator[dict[str, tuple[str, ...]]]:
    for mfa, external, tag in product(("true", ""), ("abc", ""), ("ci", "")):
        keys = {"aws:multifactorauthpresent": mfa, "sts:externalid": external, "aws:principaltag/team": tag}
        more = {"sts:rolesessionname": ("admin",), "aws:sourceip": ("203.0.113.7",)}
        yield {**BASE, **{key: (value,) for key, value in keys.items() if value}, **more}


def let_in(trust: Any, role: str, estate: Estate) -> Iterator[Caller]:
    """The callers that the engine allows in some context, with whatever policies of their own it takes.

    The tags of those that are declared are known: they have none.
    """
    document = parse_policy(json.dumps(trust))
    policies = PolicySet(trust=document, identity=(ANYTHING,), resource_account=OWN)
    for caller in witnesses():
        known = caller.context["aws:principalarn"][0] in (*estate.users, *estate.roles)
        tries = (
            {**context, **caller.context}
            for context in contexts()
            if not known or "aws:principaltag/team" not in context
        )
        if any(decide(request(caller, "sts:AssumeRole", role, context), policies).allowed for context in tries):
            yield caller


def speaks_of(step: Step, caller: Caller) -> bool:
    arn, account = caller.context["aws:principalarn"][0], caller.principal.account
    return step.who in (arn, account, "*") or step.who.startswith(f"arn:aws:iam::{account}:")


@pytest.mark.parametrize("seed", range(8))
def test_whom_the_engine_lets_in_is_named(seed: int):
    chance = random.Random(seed)
    trusts = {f"r{number}": trust_by(chance) for number in range(15)}
    with estate_of(trusts) as estate:
        for name, trust in trusts.items():
            arn = f"arn:aws:iam::{OWN}:role/{name}"
            steps = list(Reach(estate).into(arn))
            missed = [
                caller.principal.value
                for caller in let_in(trust, arn, estate)
                if not any(speaks_of(step, caller) for step in steps)
            ]
            assert missed == [], json.dumps(trust)


@pytest.mark.parametrize("seed", range(8, 16))
def test_whom_it_names_the_engine_lets_in(seed: int):
    chance = random.Random(seed)
    trusts = {f"r{number}": trust_by(chance) for number in range(15)}
    with estate_of(trusts) as estate:
        for name in trusts:
            role = estate.roles[f"arn:aws:iam::{OWN}:role/{name}"]
            for step in Reach(estate).into(role["arn"]):
                holder = estate.holder(step.who)
                if holder is None:
                    assert step.whom or step.who.startswith("arn:"), step
                    continue
                brought = {key.lower(): values for key, values in step.brings.items()}
                asked = [
                    request(
                        caller,
                        step.action,
                        role["arn"],
                        {**BASE, **estate.resource_keys(role), **caller.context, **brought},
                    )
                    for caller in sessions_of(holder.caller, estate.shown_trust(role))
                ]
                assert any(decide(question, estate.policies(role, holder)).allowed for question in asked), step


@pytest.mark.parametrize("seed", range(16, 20))
def test_who_can_and_what_can_are_two_sides_of_one_thing(seed: int):
    chance = random.Random(seed)
    trusts = {f"r{number}": trust_by(chance) for number in range(15)}
    with estate_of(trusts) as estate:
        reach = Reach(estate)
        known = [*estate.users, *estate.roles]
        forwards = {(who, step.role) for who in known for step in reach.out_of(who)}
        backwards = {(step.who, step.role) for role in estate.roles for step in reach.into(role)}
        assert forwards == {(who, role) for who, role in backwards if who in known}


@pytest.mark.parametrize("seed", range(20, 28))
def test_diff_from_nothing_gains_where_the_engine_lets_somebody_in(seed: int):
    chance = random.Random(seed)
    trusts = {f"r{number}": trust_by(chance) for number in range(15)}
    with estate_of(trusts) as estate:
        for name, trust in trusts.items():
            arn = f"arn:aws:iam::{OWN}:role/{name}"
            shown = estate.shown_trust(estate.roles[arn])
            gains = [witness for witness in compare(None, shown, arn) if witness.direction == "gains"]
            assert gains or not [*let_in(trust, arn, estate), *Reach(estate).into(arn)], json.dumps(trust)
            assert compare(shown, shown, arn) == []
            for witness in gains:
                assert decide(witness.request, PolicySet(trust=shown, identity=(ANYTHING,))).allowed


TEMPLATE = Path(__file__).parents[1] / "importers" / "cases" / "template.yaml"


def test_of_an_imported_template_too():
    with Estate.of_files([TEMPLATE]) as estate:
        for arn, role in estate.roles.items():
            policies = PolicySet(trust=estate.trust(role), identity=(ANYTHING,), resource_account=str(role["account"]))
            steps = list(Reach(estate).into(arn))
            for caller in witnesses():
                asked = request(caller, "sts:AssumeRole", arn, {**BASE, **caller.context})
                if decide(asked, policies).allowed:
                    assert any(speaks_of(step, caller) for step in steps), (arn, caller.principal.value)


# -- classes, in words -----------------------------------------------------------------------------------------------------


def bare(principal: Any, **condition: Any) -> str:
    statement = {"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole", "Condition": condition}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


@pytest.mark.parametrize(
    ("policy", "told"),
    [
        (bare({"AWS": "*"}), "any principal in any AWS account"),
        (
            bare({"AWS": "*"}, ArnLike={"aws:PrincipalArn": "arn:aws:iam::*:role/deploy"}),
            "any role called deploy in any AWS account",
        ),
        (
            bare({"AWS": "*"}, StringLike={"aws:userid": "*:admin"}),
            "any role in any AWS account with the session admin",
        ),
        (bare({"AWS": "*"}, StringEquals={"aws:username": "admin"}), "any user called admin in any AWS account"),
        (
            bare({"AWS": "*"}, ArnEquals={"aws:PrincipalArn": f"arn:aws:iam::{OTHER}:role/deploy"}),
            f"arn:aws:iam::{OTHER}:role/deploy",
        ),
        (bare({"AWS": OWN}), f"any principal of account {OWN}"),
        (bare({"AWS": OTHER}, Bool={"aws:MultiFactorAuthPresent": "true"}), f"any user of account {OTHER}"),
    ],
)
def test_a_class_is_named_where_no_instance_is_known(
    policy: str, told: str, here: Path, capsys: pytest.CaptureFixture[str]
):
    (here / "p.json").write_text(policy)
    assert main(["who-can", "p", "p.json", "--account", OWN, "--format", "json"]) == 0
    (way,) = json.loads(capsys.readouterr().out)["ways"]
    assert (way["steps"][0]["whom"] or way["who"]) == told
    assert way["steps"][0]["depends_on_unknown_policies"]


def test_nobody_is_said_of_a_whole_account_that_has_nobody(here: Path, capsys: pytest.CaptureFixture[str]):
    role = {
        "RoleName": "r",
        "Arn": f"arn:aws:iam::{OWN}:role/r",
        "AssumeRolePolicyDocument": json.loads(bare({"AWS": OWN})),
    }
    account = {"UserDetailList": [], "GroupDetailList": [], "Policies": [], "RoleDetailList": [role]}
    (here / "account.json").write_text(json.dumps(account))
    assert main(["who-can", "r", "account.json"]) == 1
    assert capsys.readouterr().out == f"nobody can assume arn:aws:iam::{OWN}:role/r\n"
