"""Expectations are tried with the server's own operations, and judged by verdict and by reason."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from scenario_lab import DEV, Lab, yaml

from sts_emulator.scenario import ScenarioError, parse
from sts_emulator.scenario.judge import Outcome
from sts_emulator.scenario.rehearse import Rehearsal

PROD = "444455556666"

STAGE = f"""
issuers:
  github: {{preset: github}}
  house: {{preset: plain, url: "https://issuer.acme.example"}}
accounts:
  "{DEV}":
    users:
      alice: {{tags: {{team: blue}}, inline: {{all: [{{Effect: Allow, Action: "sts:*", Resource: "*"}}]}}}}
      bob:
    oidc_providers: [{{issuer: github}}, {{issuer: house, client_ids: [app]}}]
    roles:
      open:
        trust:
          - {{Sid: Account, Effect: Allow, Principal: {{AWS: "{DEV}"}}, Action: "sts:*"}}
      keyed:
        trust:
          - Sid: Keyed
            Effect: Allow
            Principal: {{AWS: "{DEV}"}}
            Action: sts:AssumeRole
            Condition: {{StringEquals: {{sts:ExternalId: abc}}}}
      blue:
        trust:
          - {{Effect: Allow, Principal: {{AWS: "{DEV}"}}, Action: sts:AssumeRole, Condition: {{StringEquals: {{"aws:PrincipalTag/team": blue}}}}}}
      morning:
        trust:
          - Effect: Allow
            Principal: {{AWS: "{DEV}"}}
            Action: sts:AssumeRole
            Condition: {{DateLessThan: {{aws:CurrentTime: 2027-01-01T12:00:00Z}}}}
      guarded:
        trust:
          - {{Sid: Everybody, Effect: Allow, Principal: {{AWS: "{DEV}"}}, Action: sts:AssumeRole}}
          - {{Sid: NotBlue, Effect: Deny, Principal: {{AWS: "*"}}, Action: sts:AssumeRole, Condition: {{StringEquals: {{"aws:PrincipalTag/team": blue}}}}}}
      vpc:
        trust:
          - {{Effect: Allow, Principal: {{AWS: "{DEV}"}}, Action: sts:AssumeRole, Condition: {{StringEquals: {{aws:SourceVpce: vpce-1}}}}}}
      queue:
        trust:
          - Effect: Allow
            Principal: {{Service: sns.amazonaws.com}}
            Action: sts:AssumeRole
            Condition: {{ArnLike: {{aws:SourceArn: "arn:aws:sns:*:{DEV}:topic"}}, StringEquals: {{aws:SourceAccount: "{DEV}"}}}}
      app:
        trust:
          - Effect: Allow
            Principal: {{Federated: "arn:aws:iam::{DEV}:oidc-provider/issuer.acme.example"}}
            Action: [sts:AssumeRoleWithWebIdentity, sts:TagSession]
            Condition: {{StringEquals: {{issuer.acme.example:sub: user-1}}}}
  "{PROD}":
    roles:
      open: {{trust: [{{Effect: Allow, Principal: {{AWS: "{PROD}"}}, Action: sts:AssumeRole}}]}}
"""


def outcomes(lab: Lab, expect: str) -> Iterator[Outcome]:
    return Rehearsal(lab.server, parse(STAGE + "expect:\n" + yaml(expect))).outcomes()


def outcome(lab: Lab, entry: str) -> Outcome:
    (only,) = outcomes(lab, f"  - {entry}\n")
    return only


@pytest.mark.parametrize(
    "entry",
    [
        "{assume: keyed, caller: {user: alice}, external_id: abc}",
        "{assume: keyed, caller: {user: alice}, external_id: xyz, result: deny}",
        "{assume: keyed, caller: {user: alice}, result: deny}",
        "{assume: blue, caller: {user: alice}}",
        f"{{assume: blue, caller: 'arn:aws:iam::{DEV}:user/alice'}}",
        f"{{assume: blue, caller: {{role: open, account: '{DEV}', tags: {{team: blue}}}}, result: deny}}",
        f"{{assume: 'arn:aws:iam::{DEV}:role/open', caller: {{user: alice}}, tags: {{a: b}}}}",
        f"{{assume: 'arn:aws:iam::{DEV}:role/nowhere', caller: {{user: alice}}, result: deny}}",
        f"{{assume: keyed, caller: {{root: '{DEV}'}}, external_id: abc, result: deny}}",
        "{assume: morning, caller: {user: alice}, time: 2026-12-31T23:59:59Z}",
        "{assume: morning, caller: {user: alice}, time: 2027-01-01T12:00:01Z, result: deny}",
        "{assume: vpc, caller: {user: alice}, result: deny}",
        "{assume: vpc, caller: {user: alice}, keys: {aws:SourceVpce: vpce-1}}",
        f"{{assume: queue, caller: {{service: sns.amazonaws.com, source_arn: 'arn:aws:sns:us-east-1:{DEV}:topic', source_account: '{DEV}'}}}}",
        "{assume: queue, caller: sns.amazonaws.com, result: deny}",
        "{assume: app, with: {house: {sub: user-1, aud: app}}}",
        "{assume: app, with: {house: {sub: user-2, aud: app}}, result: deny}",
        "{assume: app, with: {house: {sub: user-1, aud: other}}, result: deny, because: {error: InvalidIdentityToken}}",
        "{assume: app, with: {house: {sub: user-1, aud: }}, result: deny, because: {error: InvalidIdentityToken}}",
        "{assume: app, with: {claims: {iss: 'https://issuer.acme.example', sub: user-1, aud: app}}}",
        "{assume: app, with: {claims: {iss: 'https://issuer.acme.example', sub: user-1, aud: app, exp: 1}}, result: deny}",
        "{assume: app, with: {github: {}}, result: deny}",
        "{assume: keyed, caller: {user: alice}, session_name: '!', external_id: abc, result: deny, because: {error: ValidationError}}",
    ],
)
def test_who_may_and_who_may_not(lab: Lab, entry: str):
    assert outcome(lab, entry).mismatch == ""


@pytest.mark.parametrize(
    "entry",
    [
        "{assume: keyed, caller: {user: alice}, external_id: abc, because: {layer: trust, statement: Keyed, condition: sts:ExternalId}}",
        "{assume: keyed, caller: {user: alice}, external_id: abc, because: {layer: identity, statement: '0'}}",
        "{assume: keyed, caller: {user: alice}, result: deny, because: {statement: 0, condition: ExternalId}}",
        "{assume: keyed, caller: {user: bob}, external_id: abc, result: deny, because: {layer: identity}}",
        "{assume: guarded, caller: {user: alice}, result: deny, because: {layer: trust, statement: NotBlue, condition: team}}",
    ],
)
def test_the_reason_is_the_right_one(lab: Lab, entry: str):
    assert outcome(lab, entry).mismatch == ""


@pytest.mark.parametrize(
    ("entry", "mismatch"),
    [
        ("{assume: keyed, caller: {user: alice}}", "expected allow, got deny: AccessDenied: User: "),
        ("{assume: blue, caller: {user: alice}, result: deny}", "expected deny, got allow"),
        (
            "{assume: keyed, caller: {user: alice}, session_name: '!', external_id: abc, result: deny}",
            "expected deny, got ValidationError: ValidationError: ",
        ),
        (
            "{assume: keyed, caller: {user: alice}, result: deny, because: {error: ExpiredToken}}",
            "expected error ExpiredToken, got AccessDenied",
        ),
        (
            "{assume: blue, caller: {user: alice}, because: {error: AccessDenied}}",
            "expected error AccessDenied, got none",
        ),
        (
            "{assume: keyed, caller: {user: alice}, result: deny, because: {layer: identity}}",
            "expected the identity layer to decide, but it was trust",
        ),
        (
            "{assume: keyed, caller: {user: alice}, result: deny, because: {statement: Other}}",
            "the trust layer has no statement `Other`",
        ),
        (
            "{assume: guarded, caller: {user: alice}, result: deny, because: {statement: Everybody}}",
            "expected statement `Everybody` of the trust layer to decide, but it did not",
        ),
        (
            "{assume: keyed, caller: {user: alice}, result: deny, because: {condition: aws:SourceIp}}",
            "expected a condition on `aws:SourceIp` to fail, but none did",
        ),
        (
            "{assume: app, with: {house: {aud: other}}, result: deny, because: {layer: trust}}",
            "expected a policy to decide, but none was asked: InvalidIdentityToken",
        ),
    ],
)
def test_what_differs_from_the_expectation_is_said(lab: Lab, entry: str, mismatch: str):
    assert outcome(lab, entry).mismatch.startswith(mismatch)


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ("{assume: nothing, caller: {user: alice}}", "no role `nothing`"),
        ("{assume: open, caller: {user: alice}}", "more than one account has a role `open`; write its ARN"),
        ("{assume: blue, caller: {user: zoe}}", "no user `zoe`"),
        ("{assume: blue, caller: {role: open}}", "more than one account has a role `open`; add `account`"),
        ("{assume: app, with: {nobody: {}}}", "no issuer preset `nobody`; there are "),
        ("{assume: app, with: {github: [x]}}", "`github` takes a mapping of claims"),
        ("{assume: app, with: {github: {expires_in: soon}}}", "an option cannot be used: "),
    ],
)
def test_an_expectation_about_nothing_is_a_mistake_in_the_file(lab: Lab, entry: str, message: str):
    line = STAGE.count("\n") + 2
    with pytest.raises(ScenarioError) as caught:
        outcome(lab, entry)
    assert str(caught.value).startswith(f"scenario:{line}: {message}")


def test_time_is_set_for_one_expectation_only(lab: Lab):
    before = lab.world.offset
    first, second = outcomes(
        lab,
        """
          - {assume: morning, caller: {user: alice}, time: 2028-01-01T00:00:00Z, result: deny}
          - {assume: blue, caller: {user: alice}}
        """,
    )
    assert (first.mismatch, second.mismatch) == ("", "")
    assert lab.world.offset == pytest.approx(before, abs=1e-3)


def test_a_chained_session_keeps_its_transitive_tags(lab: Lab):
    caller = f"{{role: open, account: '{DEV}', session: s1, tags: {{team: blue}}, transitive: team}}"
    result = outcome(lab, f"{{assume: guarded, caller: {caller}, result: deny, because: {{statement: NotBlue}}}}")
    assert result.deciding.request.context["aws:principaltag/team"] == ("blue",)
    assert result.mismatch == ""
