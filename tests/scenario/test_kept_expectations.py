"""A world keeps what its scenarios expect, as it is written; it is tried as things are, and leaves nothing behind."""

from __future__ import annotations

import pytest
from scenario_lab import DEV, Lab

from sts_emulator.accounts import documents, resources
from sts_emulator.scenario import ScenarioError, apply, kept, parse_file

STAGE = """
    accounts:
      "111122223333":
        users: {alice: {inline: {all: [{Effect: Allow, Action: "*", Resource: "*"}]}}}
        roles:
          r: {trust: [{Effect: Allow, Principal: {AWS: "arn:aws:iam::111122223333:user/alice"}, Action: sts:AssumeRole}]}
    """
EXPECT = """
    expect:
      - {name: alice may, assume: r, caller: {user: alice}}
      - {name: a bucket, assume: r, caller: {user: alice}, may: "s3:GetObject on arn:aws:s3:::b/k", result: deny}
      - name: long ago
        assume: r
        caller: {user: alice, mfa: true, tags: {team: shop}}
        time: "2020-01-01T00:00:00Z"
    """
ROLE = f"arn:aws:iam::{DEV}:role/r"


def titles(lab: Lab) -> list[str]:
    return [known.title for known in kept.expectations(lab.world)]


def test_they_are_those_that_the_scenario_has(lab: Lab):
    scenario = lab.load(STAGE + EXPECT)
    known = list(kept.expectations(lab.world))
    assert [again.expectation for again in known] == list(scenario.expect)
    assert known[2].written == {
        "name": "long ago",
        "assume": "r",
        "caller": {"user": "alice", "mfa": "true", "tags": {"team": "shop"}},
        "time": "2020-01-01T00:00:00Z",
    }
    assert [again.title for again in kept.of_role(lab.world, ROLE)] == ["alice may", "a bucket", "long ago"]


def test_a_scenario_that_says_nothing_of_them_leaves_them(lab: Lab):
    lab.load(STAGE + EXPECT)
    lab.load(STAGE)
    assert titles(lab) == ["alice may", "a bucket", "long ago"]
    lab.load(STAGE + "expect: []\n")
    assert titles(lab) == []


def test_a_policy_in_a_file_is_kept_with_its_text(lab: Lab, tmp_path):
    (tmp_path / "session.json").write_text('{"Version": "2012-10-17", "Statement": []}')
    file = tmp_path / "lab.yaml"
    file.write_text("expect:\n  - {assume: r, caller: {user: alice}, policy: {file: session.json}}\n")
    apply(lab.server, lab.world, parse_file(file))
    (known,) = kept.expectations(lab.world)
    assert known.expectation.policy == '{"Version": "2012-10-17", "Statement": []}'


def test_what_another_version_has_written_is_left_out(lab: Lab):
    body = documents.Expectations(file="old", expect=[{"assume": "r", "whom": "alice"}, {"assume": "r", "caller": {}}])
    lab.world.put(documents.EXPECTATIONS, "old", body)
    assert titles(lab) == []


def test_they_are_tried_at_their_time_and_nothing_stays(lab: Lab):
    lab.load(STAGE + EXPECT)
    before, revision = lab.world.now(), lab.world._begun
    with kept.undone(lab.world) as world:
        world.update(documents.ROLE, f"{DEV}/r", lambda role: {**role, "description": "changed"})
        outcomes = [kept.tried(lab.server, world, known) for known in kept.expectations(world)]
        assert [outcome.verdict for outcome in outcomes] == ["allow", "deny", "allow"]
        then = outcomes[2].decisions[0].request.context["aws:currenttime"]
        assert then == ("2020-01-01T00:00:00Z",)
    role = resources.role_by_arn(lab.world, ROLE)
    assert role is not None
    assert role.get("description") != "changed"
    lab.world.refresh()
    assert lab.world._begun == revision
    assert lab.world.now() - before < 1_000_000


def test_one_whose_caller_is_gone_is_said_to_name_nobody(lab: Lab):
    lab.load(STAGE + EXPECT.replace("{user: alice}", "{user: bob}"))
    with kept.undone(lab.world) as world, pytest.raises(ScenarioError, match="no user `bob`"):
        kept.tried(lab.server, world, next(kept.expectations(world)))
