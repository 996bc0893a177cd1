"""How good expectations are: which weakening of the policies they notice, and what they never exercise."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from sts_emulator.analysis.mutants import mutants, wider_patterns
from sts_emulator.analysis.trials import Plan, Trial, try_file
from sts_emulator.cli.main import main
from sts_emulator.policy.deciding.document import parse

ACCOUNT = "111122223333"
GITHUB = "token.actions.githubusercontent.com"
PROVIDER = f"arn:aws:iam::{ACCOUNT}:oidc-provider/{GITHUB}"


def policy(*statements: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def statement(effect: str = "Allow", principal: Any = None, **condition: Any) -> dict[str, Any]:
    made = {"Effect": effect, "Principal": principal or {"AWS": ACCOUNT}, "Action": "sts:AssumeRole"}
    return {**made, "Condition": condition} if condition else made


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (policy(statement()), [f"name every AWS account instead of {ACCOUNT}"]),
        (
            policy(statement(principal={"AWS": f"arn:aws:iam::{ACCOUNT}:role/x"})),
            [f"name its whole account instead of arn:aws:iam::{ACCOUNT}:role/x"],
        ),
        (policy(statement(principal={"Service": "ec2.amazonaws.com"})), []),
        (
            policy(
                statement(
                    principal={"Federated": PROVIDER}, StringEquals={f"{GITHUB}:sub": "repo:o/r:ref:refs/heads/main"}
                )
            ),
            [
                f"drop the condition StringEquals on {GITHUB}:sub",
                f"test {GITHUB}:sub with StringEqualsIfExists instead of StringEquals",
                f"widen {GITHUB}:sub `repo:o/r:ref:refs/heads/main` to `repo:o/r:*`",
                f"widen {GITHUB}:sub `repo:o/r:ref:refs/heads/main` to `repo:o/*`",
                f"widen {GITHUB}:sub `repo:o/r:ref:refs/heads/main` to `repo:o*`",
            ],
        ),
        (
            policy(statement("Deny", BoolIfExists={"aws:MultiFactorAuthPresent": "false"})),
            ["remove the Deny", "test aws:MultiFactorAuthPresent with Bool instead of BoolIfExists"],
        ),
        (
            policy(statement("Deny", StringEquals={"sts:ExternalId": ["a", "b"]})),
            ["remove the Deny", "no longer deny sts:ExternalId `a`", "no longer deny sts:ExternalId `b`"],
        ),
        (policy(statement("Deny", StringEquals={"sts:ExternalId": ["a", "a"]})), ["remove the Deny"]),
        (
            policy(statement(principal={"Service": "x.amazonaws.com"}, StringNotEquals={"sts:ExternalId": ["a", "a"]})),
            ["drop the condition StringNotEquals on sts:ExternalId"],
        ),
        (
            policy(statement(principal={"Service": "x.amazonaws.com"}, IpAddress={"aws:SourceIp": "203.0.113.0/24"})),
            [
                "drop the condition IpAddress on aws:SourceIp",
                "test aws:SourceIp with IpAddressIfExists instead of IpAddress",
                "widen aws:SourceIp `203.0.113.0/24` to `203.0.113.0/16`",
            ],
        ),
        ("not a policy", []),
        ('{"Statement": 7}', []),
    ],
)
def test_each_weakening_changes_one_element(text: str, words: list[str]):
    made = mutants(text)
    assert [mutant.words for mutant in made] == words
    assert all(parse(mutant.text).text != text for mutant in made)


def test_patterns_that_admit_the_neighbours():
    assert wider_patterns("repo:o/r:*") == ["repo:o/*", "repo:o*"]
    assert wider_patterns("project_path:g/p:ref_type:branch:ref:main") == ["project_path:g/p:ref_type:branch:ref:*"]
    assert wider_patterns("plain") == []


# -- the score ---------------------------------------------------------------------------------------------------------------

SCENARIO = f"""
accounts:
  "{ACCOUNT}":
    oidc_providers: [{{url: "https://{GITHUB}"}}]
    users: {{alice: {{inline: {{all: [{{Effect: Allow, Action: "sts:*", Resource: "*"}}]}}}}}}
    roles:
      deploy:
        trust:
          - Sid: Main
            Effect: Allow
            Principal: {{Federated: "{PROVIDER}"}}
            Action: sts:AssumeRoleWithWebIdentity
            Condition:
              StringEquals: {{"{GITHUB}:aud": sts.amazonaws.com}}
              StringLike: {{"{GITHUB}:sub": "repo:acme/shop:ref:refs/tags/*"}}
      vendor:
        trust: [{{Effect: Allow, Principal: {{AWS: "{ACCOUNT}"}}, Action: sts:AssumeRole, Condition: {{StringEquals: {{sts:ExternalId: abc}}}}}}]
      untested: {{trust: [{{Effect: Allow, Principal: {{AWS: "{ACCOUNT}"}}, Action: sts:AssumeRole}}]}}
expect:
  - {{name: a tag, assume: deploy, with: {{claims: {{iss: "https://{GITHUB}", aud: sts.amazonaws.com, sub: "repo:acme/shop:ref:refs/tags/v1"}}}}}}
  - {{name: the vendor, assume: vendor, caller: {{user: alice}}, external_id: abc}}
"""
BRANCH = f'  - {{name: a branch, assume: deploy, with: {{claims: {{iss: "https://{GITHUB}", aud: sts.amazonaws.com, sub: "repo:acme/shop:ref:refs/heads/main"}}}}, result: deny}}\n'
WITHOUT = "  - {name: without it, assume: vendor, caller: {user: alice}, result: deny}\n"


def examined(folder: Path, text: str) -> Trial:
    (folder / "s.yaml").write_text(text)
    trial = try_file(folder / "s.yaml", Plan(mutate=True, coverage=True))
    assert trial.problems == ()
    assert trial.failed == 0
    return trial


def test_what_no_expectation_notices_comes_with_the_expectation_that_would(here: Path):
    missed = {mutant.words: mutant for mutant in examined(here, SCENARIO).mutated if mutant.outcome == "missed"}
    widened = missed[f"widen {GITHUB}:sub `repo:acme/shop:ref:refs/tags/*` to `repo:acme/shop:*`"]
    (line,) = widened.suggestion
    assert "repo:acme/shop:pull_request" in line
    again = examined(here, f"{SCENARIO}  {line}\n")
    assert widened.words not in {mutant.words for mutant in again.mutated if mutant.outcome == "missed"}


def test_every_suggestion_is_noticed_once_it_is_taken(here: Path):
    text = SCENARIO
    for _ in range(8):
        missed = [
            mutant
            for mutant in examined(here, text).mutated
            if mutant.outcome == "missed" and len(mutant.suggestion) == 1
        ]
        if not missed:
            break
        text += f"  {missed[0].suggestion[0]}\n"
    assert missed == []


def test_outcomes_of_mutants(here: Path):
    outcomes = {mutant.words: mutant for mutant in examined(here, SCENARIO + BRANCH + WITHOUT).mutated}
    assert outcomes["drop the condition StringEquals on sts:ExternalId"].by == "without it"
    assert outcomes[f"drop the condition StringLike on {GITHUB}:sub"].outcome == "refused"
    dropped = outcomes[f"drop the condition StringEquals on {GITHUB}:aud"]
    assert (dropped.outcome, dropped.by) == ("equivalent", "InvalidIdentityToken: Incorrect token audience")
    assert not any(mutant.label == "role untested" for mutant in outcomes.values()), "nobody asked for it"


def test_trying_mutants_leaves_no_trace(here: Path):
    once, twice = examined(here, SCENARIO + BRANCH), examined(here, SCENARIO + BRANCH)
    assert [mutant.to_json() for mutant in once.mutated] == [mutant.to_json() for mutant in twice.mutated]


# -- coverage ----------------------------------------------------------------------------------------------------------------


def test_what_was_never_exercised(here: Path):
    def never(text: str) -> list[str]:
        return [
            f"{element.label}: {element.words}"
            for element in examined(here, text).covered
            if not element.times and element.label.startswith("role")
        ]

    assert never(SCENARIO) == [
        "role deploy: StringEquals token.actions.githubusercontent.com:aud fails",
        "role deploy: StringLike token.actions.githubusercontent.com:sub fails",
        "role vendor: StringEquals sts:ExternalId fails",
        "role untested: Allow applies",
    ]
    assert never(SCENARIO + BRANCH + WITHOUT) == [
        "role deploy: StringEquals token.actions.githubusercontent.com:aud fails",
        "role untested: Allow applies",
    ]


# -- on the command line --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "code", "told"),
    [
        (["--mutate"], 0, "% of the weakenings noticed"),
        (["--min-score", "100"], 1, "% of the weakenings noticed"),
        (["--min-score", "1"], 0, "% of the weakenings noticed"),
        (["--coverage"], 0, "% of the policies exercised"),
        (["--min-coverage", "100%"], 1, "% of the policies exercised"),
    ],
)
def test_scores_and_exit_codes(
    here: Path, options: list[str], code: int, told: str, capsys: pytest.CaptureFixture[str]
):
    (here / "s.yaml").write_text(SCENARIO + BRANCH)
    assert main(["check", "s.yaml", *options]) == code
    assert told in capsys.readouterr().out


def test_a_missed_weakening_is_told_with_its_line(here: Path, capsys: pytest.CaptureFixture[str]):
    (here / "s.yaml").write_text(SCENARIO)
    assert main(["check", "-q", "s.yaml", "--mutate"]) == 0
    told = capsys.readouterr().out
    line = next(number for number, text in enumerate(SCENARIO.splitlines(), start=1) if "sts:ExternalId" in text)
    assert f"~ s.yaml:{line}: role vendor: nothing notices: drop the condition StringEquals on sts:ExternalId" in told
    assert f'- {{assume: "arn:aws:iam::{ACCOUNT}:role/vendor", caller: "arn:aws:iam::{ACCOUNT}:' in told


def test_a_weakening_that_lets_a_stranger_in_is_never_called_harmless(tmp_path, capsys):
    """A policy that tests only the subject: the suggested token has the audience that the provider asks for anyway."""
    (tmp_path / "ci.yaml").write_text(SUBJECT_ONLY)

    main(["check", "--mutate", str(tmp_path / "ci.yaml")])

    told = capsys.readouterr().out
    assert "0 % of the weakenings noticed: 0 of 1" in told
    assert "acme-evil" in told


SUBJECT_ONLY = """\
issuers: {github: {preset: github}}
accounts:
  "111122223333":
    oidc_providers: [{issuer: github, client_ids: sts.amazonaws.com}]
    roles:
      ci:
        trust:
          - Effect: Allow
            Principal: {Federated: "arn:aws:iam::111122223333:oidc-provider/token.actions.githubusercontent.com"}
            Action: sts:AssumeRoleWithWebIdentity
            Condition: {StringLike: {"token.actions.githubusercontent.com:sub": "repo:acme/*"}}
expect:
  - {assume: ci, with: {github: {repo: acme/shop}}}
"""


MANY_PLACES = f"""\
accounts:
  "{ACCOUNT}":
    oidc_providers: [{{url: "https://{GITHUB}", client_ids: [our-audience]}}]
    roles:
      ci:
        trust:
          - Effect: Allow
            Principal: {{Federated: "{PROVIDER}"}}
            Action: sts:AssumeRoleWithWebIdentity
            Condition:
              StringLike: {{"{GITHUB}:sub": "repo:acme/shop:*"}}
              StringNotEquals: {{"{GITHUB}:aud": [a, b, c, d, e, f, g]}}
expect:
  - {{assume: ci, with: {{claims: {{iss: "https://{GITHUB}", aud: our-audience, sub: "repo:acme/shop:pull_request"}}}}}}
"""


def test_tokens_that_the_provider_refuses_do_not_make_a_hole_harmless(here: Path):
    """The first witnesses come with audiences that the policy names; the provider takes another one."""
    outcomes = {item.words: item for item in examined(here, MANY_PLACES).mutated}
    widened = outcomes[f"widen {GITHUB}:sub `repo:acme/shop:*` to `repo:acme*`"]
    assert widened.outcome == "missed"
    assert "our-audience" in widened.suggestion[0]
