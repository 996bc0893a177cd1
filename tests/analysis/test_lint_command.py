"""Lint on the command line: every form of policy, the right line, severities, exit codes and what is passed over."""

from __future__ import annotations

import json
import textwrap
from pathlib import Path
from typing import Any

import pytest

from sts_emulator.analysis.linting import lint_file
from sts_emulator.cli.main import main
from sts_emulator.importers.places import steps
from sts_emulator.policy.linting.lint import RULES

ACCOUNT = "111122223333"
OPEN = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"AWS": "*"}}],
}

FORMS = f"""\
accounts:
  "{ACCOUNT}":
    users: {{alice: {{inline: {{all: [{{Effect: Allow, Action: sts:AssumeRole, Resource: "*"}}]}}}}}}
    roles:
      listed:
        trust:
          - Effect: Allow
            Action: sts:AssumeRole
            Principal:
              AWS: "*"
      whole:
        trust:
          Version: "2012-10-17"
          Statement:
            Effect: Allow
            Action: sts:AssumeRole
            Principal: {{AWS: "*"}}
      text:
        trust: |
          {{
            "Version": "2012-10-17",
            "Statement": [
              {{
                "Effect": "Allow",
                "Action": "sts:AssumeRole",
                "Principal": {{"AWS": "*"}}
              }}
            ]
          }}
      elsewhere:
        trust: {{file: open.json}}
"""


def test_the_line_in_every_form_of_policy(here: Path):
    (here / "forms.yaml").write_text(FORMS)
    (here / "open.json").write_text(json.dumps(OPEN, indent=2))
    number, findings, *_ = lint_file(Path("forms.yaml"))
    places = {finding.label: (finding.file, finding.line) for finding in findings if finding.rule == "anybody"}
    assert number == 5
    assert places["role listed"] == ("forms.yaml", 10)
    assert places["role whole"] == ("forms.yaml", 17)
    assert places["role text"] == ("forms.yaml", 26)
    assert places["role elsewhere"][0] == "open.json"
    assert "AWS" in (here / "open.json").read_text().splitlines()[places["role elsewhere"][1] - 1]
    assert [finding.line for finding in findings if finding.rule == "assume-any-role"] == [3]


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("Statement[0].Principal.AWS", ["Statement", 0, "Principal", "AWS"]),
        ("Statement[12].Condition.StringEquals.a.b.c:sub", ["Statement", 12, "Condition", "StringEquals", "a.b.c:sub"]),
        (
            "Statement[0].Condition.ForAllValues:StringLike.aws:TagKeys",
            ["Statement", 0, "Condition", "ForAllValues:StringLike", "aws:TagKeys"],
        ),
        ("Version", ["Version"]),
        ("", []),
    ],
)
def test_paths_of_findings(path: str, expected: list[Any]):
    assert steps(path) == expected


def test_principals_that_a_scenario_does_not_declare(here: Path):
    trust = [
        {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:role/there"}}
    ]
    (here / "s.yaml").write_text(
        f"accounts: {{'{ACCOUNT}': {{roles: {{a: {{trust: {json.dumps(trust)}}}, there: {{path: /x/, trust: {json.dumps(trust)}}}}}}}}}\n"
    )
    _, findings, *_ = lint_file(Path("s.yaml"))
    assert {finding.fix for finding in findings if finding.rule == "unknown-principal"} == {
        f"write arn:aws:iam::{ACCOUNT}:role/x/there"
    }


PARTNER = "444455556666"


def test_identity_providers_that_a_scenario_does_not_declare(here: Path):
    def federated(provider: str, action: str) -> str:
        named = {"Federated": f"arn:aws:iam::{ACCOUNT}:{provider}"}
        return json.dumps([{"Effect": "Allow", "Action": action, "Principal": named}])

    web, saml = "sts:AssumeRoleWithWebIdentity", "sts:AssumeRoleWithSAML"
    (here / "s.yaml").write_text(
        f"""issuers: {{ci: {{preset: gitlab, url: "https://gitlab.example.org"}}}}
saml_idps: {{corp: {{}}}}
accounts:
  "{ACCOUNT}":
    oidc_providers: [{{issuer: github}}, {{issuer: ci}}, {{url: "https://id.example.org/x"}}]
    roles:
      github: {{trust: {federated("oidc-provider/token.actions.githubusercontent.com", web)}}}
      ci: {{trust: {federated("oidc-provider/gitlab.example.org", web)}}}
      other: {{trust: {federated("oidc-provider/id.example.org/x", web)}}}
      corp: {{trust: {federated("saml-provider/corp", saml)}}}
      missing: {{trust: {federated("oidc-provider/gitlab.com", web)}}}
      misspelt: {{trust: {federated("saml-provider/Corp", saml)}}}
"""
    )
    _, findings, *_ = lint_file(Path("s.yaml"))
    told = {(finding.label, finding.fix) for finding in findings if finding.rule == "unknown-provider"}
    assert told == {
        ("role missing", "create it first, or name one that there is"),
        ("role misspelt", f"write arn:aws:iam::{ACCOUNT}:saml-provider/corp"),
    }


def dump(account: str, trusted: str) -> str:
    """A whole account with the role `ci`, which trusts somebody."""
    trust = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"AWS": trusted}}
    document = {"Version": "2012-10-17", "Statement": [trust]}
    role = {"RoleName": "ci", "Arn": f"arn:aws:iam::{account}:role/ci", "AssumeRolePolicyDocument": document}
    return json.dumps({"UserDetailList": [], "GroupDetailList": [], "Policies": [], "RoleDetailList": [role]})


def test_principals_that_another_whole_account_lacks(here: Path, capsys: pytest.CaptureFixture[str]):
    (here / "own.json").write_text(dump(ACCOUNT, f"arn:aws:iam::{PARTNER}:role/CI"))
    (here / "partner.json").write_text(dump(PARTNER, f"arn:aws:iam::{ACCOUNT}:role/ci"))

    def unknown(*files: str) -> list[tuple[str, str]]:
        main(["lint", *files, "--json", "--select", "unknown-principal"])
        return [(finding["file"], finding["fix"]) for finding in json.loads(capsys.readouterr().out)["findings"]]

    assert unknown("own.json", "partner.json") == [("own.json", f"write arn:aws:iam::{PARTNER}:role/ci")]
    assert unknown("own.json") == []

    (here / "both.yaml").write_text("import: [own.json, partner.json]\n")
    assert unknown("both.yaml") == [("own.json", f"write arn:aws:iam::{PARTNER}:role/ci")]


# -- the command -----------------------------------------------------------------------------------------------------------------


def policy(folder: Path, name: str, **statement: Any) -> None:
    made = {"Effect": "Allow", "Action": "sts:AssumeRole", **statement}
    (folder / name).write_text(json.dumps({"Version": "2012-10-17", "Statement": [made]}, indent=2))


def lint(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    code = main(["lint", *arguments])
    told = capsys.readouterr()
    return code, told.out + told.err


def test_a_finding_says_where_what_and_how_to_mend_it(here: Path, capsys: pytest.CaptureFixture[str]):
    policy(here, "open.json", Principal={"AWS": "*"})
    assert lint(capsys, "open.json") == (
        1,
        textwrap.dedent("""\
            open.json:8: ! security anybody
                role `open`, Statement[0].Principal.AWS: every AWS principal of every account may assume the role
                for example: any role of account 999999999999, which is somebody else's, gets in
                → name accounts, or test aws:PrincipalOrgID
            1 policy: 1 security
        """),
    )


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ([], 0),
        (["--fail-on", "warning"], 1),
        (["--fail-on", "never"], 0),
        (["--fail-on", "suggestion"], 1),
        (["--fail-on", "warning", "--ignore", "missing-external-id"], 0),
        (["--select", "anybody", "--fail-on", "suggestion"], 0),
    ],
)
def test_exit_codes_follow_severity(here: Path, options: list[str], code: int, capsys: pytest.CaptureFixture[str]):
    policy(here, "vendor.json", Principal={"AWS": "444455556666"})
    assert lint(capsys, "vendor.json", "--account", ACCOUNT, *options)[0] == code


def test_a_comment_passes_a_rule_over(here: Path, capsys: pytest.CaptureFixture[str]):
    text = f"accounts:\n  '{ACCOUNT}':\n    roles:\n      a:\n        trust:\n          - Effect: Allow\n            Action: sts:AssumeRole\n            # sts-emulator: ignore=anybody,root-trust\n            Principal: {{AWS: '*'}}\n"
    (here / "s.yaml").write_text(text)
    assert lint(capsys, "s.yaml") == (0, "1 policy: nothing found\n")
    (here / "s.yaml").write_text(text.replace("anybody", "other-rule"))
    assert lint(capsys, "s.yaml")[0] == 1


def test_a_folder_may_hold_other_files(here: Path, capsys: pytest.CaptureFixture[str]):
    (here / "infra").mkdir()
    policy(here / "infra", "open.json", Principal={"AWS": "*"})
    (here / "infra" / "package.json").write_text('{"name": "x"}')
    (here / "infra" / "workflow.yaml").write_text("on: push\njobs: {}\n")
    (here / "infra" / ".git").mkdir()
    (here / "infra" / ".git" / "x.json").write_text("nonsense")
    code, told = lint(capsys, "infra")
    assert (code, told.splitlines()[-1]) == (1, "1 policy: 1 security")


UNFILLED = """\
accounts:
  "{{ account }}":
    roles: {open: {trust: [{Effect: Allow, Principal: {AWS: "*"}, Action: sts:AssumeRole}]}}
"""


def test_a_template_is_no_scenario_yet(here: Path, capsys: pytest.CaptureFixture[str]):
    # Given a folder with a scenario whose placeholders somebody fills later, and one that has none
    (here / "infra").mkdir()
    policy(here / "infra", "open.json", Principal={"AWS": "*"})
    (here / "infra" / "template.yaml").write_text(UNFILLED)

    # When the folder is linted, the template is passed over, and that is told
    code, told = lint(capsys, "infra")
    assert code == 1
    assert "1 policy: 1 security" in told.splitlines()
    assert "infra/template.yaml: a template whose placeholders are not filled, passed over" in told

    # But who names it is told that it cannot be used
    code, told = lint(capsys, "infra/template.yaml")
    assert code == 2
    assert "must be twelve digits" in told

    # And a placeholder in a text that is none of them does not make a scenario a template
    filled = UNFILLED.replace("{{ account }}", "111122223333")
    (here / "infra" / "template.yaml").write_text(f"description: of {{{{ x }}}}\n{filled}")
    assert "2 policies: 2 security" in lint(capsys, "infra")[1].splitlines()


def test_policies_inside_something_else_are_passed_over(here: Path, capsys: pytest.CaptureFixture[str]):
    # Given a folder with a policy, and with cases of a test that have policies in them
    (here / "infra").mkdir()
    policy(here / "infra", "open.json", Principal={"AWS": "*"})
    (here / "infra" / "cases.json").write_text(json.dumps({"cases": [{"given": OPEN}]}))

    # When the folder is linted, the cases are passed over, and that is told
    code, told = lint(capsys, "infra")
    assert code == 1
    assert "1 policy: 1 security" in told.splitlines()
    assert "infra/cases.json: its policies are inside something else, passed over" in told

    # But a policy that cannot be read is not, nor what is no JSON any more
    (here / "infra" / "bad.json").write_text('{"Statement": [], "Statement": []}')
    assert lint(capsys, "infra")[0] == 2
    (here / "infra" / "bad.json").write_text('{"cases": [{"Statement": ]}')
    assert lint(capsys, "infra")[0] == 2


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("x.json", "{", "x.json:1: is not JSON"),
        ("x.yaml", "accounts: 7\n", "x.yaml:1: expected a mapping, got `7`"),
        ("x.json", '{"name": "x"}', "x.json:1: is none of what can be imported"),
        ("none.json", None, "none.json: no such file or directory"),
    ],
)
def test_files_that_cannot_be_used(
    here: Path, name: str, text: str | None, message: str, capsys: pytest.CaptureFixture[str]
):
    if text is not None:
        (here / name).write_text(text)
    code, told = lint(capsys, name)
    assert code == 2
    assert message in told


@pytest.mark.usefixtures("here")
def test_nothing_to_lint_does_not_pass(capsys: pytest.CaptureFixture[str]):
    Path("trust_policies").mkdir()
    assert lint(capsys) == (2, "sts-emulator: no policies in trust_policies\n")


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_every_rule_explains_itself(rule: Any, capsys: pytest.CaptureFixture[str]):
    code, told = lint(capsys, "--explain", rule.id)
    assert code == 0
    assert told.startswith(f"{rule.id} ({rule.severity}): {rule.title}\n\nwrong:\n")


def test_rules_that_there_are_none_of(capsys: pytest.CaptureFixture[str]):
    assert lint(capsys, "--explain", "anybdy") == (
        2,
        "sts-emulator: there is no rule `anybdy`; did you mean `anybody`?\n",
    )
    assert len(lint(capsys, "--rules")[1].splitlines()) == len(RULES)


def test_a_baseline_passes_over_what_is_known_and_nothing_else(here: Path, capsys: pytest.CaptureFixture[str]):
    (here / "open.json").write_text(json.dumps(OPEN))
    assert main(["lint", "open.json", "--format", "json"]) == 1
    (here / "baseline.json").write_text(capsys.readouterr().out)

    assert main(["lint", "open.json", "--baseline", "baseline.json"]) == 0
    assert capsys.readouterr().out == "1 policy: nothing found\n"

    shut = {**OPEN["Statement"][0], "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:role/ci/*"}}
    (here / "open.json").write_text(json.dumps({**OPEN, "Statement": [*OPEN["Statement"], shut]}))
    assert main(["lint", "open.json", "--baseline", "baseline.json"]) == 1
    assert "wildcard-principal" in capsys.readouterr().out


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"findings": [1]}', '{"findings": [{}]}'])
def test_a_baseline_that_is_none_is_refused(text: str, here: Path, capsys: pytest.CaptureFixture[str]):
    (here / "open.json").write_text(json.dumps(OPEN))
    (here / "baseline.json").write_text(text)

    assert main(["lint", "open.json", "--baseline", "baseline.json"]) == 2
    assert "not what `sts-emulator lint --format json` writes" in capsys.readouterr().err


def test_a_plan_without_policies_passes(here: Path, capsys: pytest.CaptureFixture[str]):
    (here / "plan.json").write_text(json.dumps({"format_version": "1.2", "planned_values": {"root_module": {}}}))

    assert main(["lint", "plan.json"]) == 0
    assert capsys.readouterr().out == "0 policies: nothing found\n"


def test_the_shipped_scenarios_follow_the_advice_or_say_why_not():
    folder = Path(__file__).parents[2] / "trust_policies"

    assert main(["lint", str(folder), "--fail-on", "suggestion"]) == 0
    for number, line in enumerate("".join(file.read_text() for file in folder.glob("*.yaml")).splitlines()):
        if "sts-emulator: ignore=" in line:
            assert line.partition("ignore=")[2].partition(": ")[2], f"line {number} gives no reason"


TEMPLATE = """\
Parameters: {Subject: {Type: String}}
Resources:
  Role:
    Type: AWS::IAM::Role
    Properties:
      AssumeRolePolicyDocument:
        Version: "2012-10-17"
        Statement:
          - Effect: Allow
            Principal: {Federated: "arn:aws:iam::111122223333:oidc-provider/token.actions.githubusercontent.com"}
            Action: sts:AssumeRoleWithWebIdentity
            Condition:
              StringLike: {"token.actions.githubusercontent.com:sub": !Ref Subject}
              StringEquals: {"token.actions.githubusercontent.com:aud": sts.amazonaws.com}
"""


@pytest.mark.parametrize(("subject", "code"), [("repo:octo-org*", 1), ("repo:octo-org/octo-repo:*", 0)])
def test_a_parameter_of_a_template_is_looked_at(
    here: Path, subject: str, code: int, capsys: pytest.CaptureFixture[str]
):
    (here / "role.yaml").write_text(TEMPLATE)

    assert main(["lint", "role.yaml", "--parameter", f"Subject={subject}"]) == code
    assert subject in capsys.readouterr().out
