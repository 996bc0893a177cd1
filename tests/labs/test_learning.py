"""What a learner meets on the way: beginning, predicting, hints, checks, beginning again; and what is refused."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import closing

import pytest

from sts_emulator.cli.control import Control, ControlError
from sts_emulator.cli.learner import Learner
from sts_emulator.cli.main import main
from sts_emulator.labs import proof, shelf
from sts_emulator.pages.tokens import derived
from sts_emulator.shared_server import free_port

LAB = "assume-role"  # needs nothing behind the door


def port_of(learner: Learner) -> str:
    return learner.url.rpartition(":")[2]


def told(learner, step):
    return next(there for there in learner.read(LAB)["steps"] if there["name"] == step)["prediction"]


def igor_tries(learner):
    with closing(learner.hands(LAB)) as hands, hands.tries():
        vars(shelf.module(LAB))["intern"](hands)


# -- predictions -----------------------------------------------------------------------------------------------------


def test_a_prediction_waits_for_its_decision_and_is_scored_by_it(learner):
    learner.start(LAB)
    learner.predict(LAB, "intern", "deny", "trust")
    assert told(learner, "intern")["score"] == "waiting"
    assert told(learner, "intern")["because"] == ""  # explained to whoever has looked

    igor_tries(learner)

    asked = told(learner, "intern")
    assert (asked["score"], asked["came"]["answer"]) == ("wrong", "allow")
    assert "root" in asked["because"]


def test_of_a_refusal_the_layer_counts(learner):
    learner.start(LAB)
    with closing(learner.hands(LAB)) as hands:
        vars(shelf.module(LAB))["repair"](hands)
    learner.predict(LAB, "intern", "deny", "identity")
    igor_tries(learner)
    assert told(learner, "intern")["score"] == "other layer"
    assert told(learner, "intern")["came"]["layer"] == "trust"


def test_what_came_before_a_prediction_does_not_count(learner):
    learner.start(LAB)
    igor_tries(learner)
    learner.predict(LAB, "intern", "allow")
    assert told(learner, "intern")["score"] == "waiting"
    igor_tries(learner)
    assert told(learner, "intern")["score"] == "right"


@pytest.mark.parametrize(
    ("step", "answer", "layer", "complaint"),
    [
        ("nowhere", "allow", "", "asks for no prediction; these do: morning, intern"),
        ("night", "allow", "", "asks for no prediction"),
        ("intern", "perhaps", "", "predict `allow` or `deny`"),
        ("intern", "deny", "", "say also what will refuse it: proof,"),
        ("intern", "deny", "magic", "`magic` is no layer; there are proof,"),
        ("intern" * 1_000, "allow", "", "200"),
    ],
)
def test_what_is_no_prediction_is_refused_with_what_is(learner, step, answer, layer, complaint):
    learner.start(LAB)
    with pytest.raises(ControlError, match=complaint):
        learner.predict(LAB, step, answer, layer)


# -- hints and checks ------------------------------------------------------------------------------------------------


def test_hints_come_by_degrees_and_the_last_stays(learner):
    learner.start(LAB)
    hints = shelf.lab(LAB, learner.values(LAB)).hints
    given = [learner.hint(LAB) for _ in range(len(hints) + 2)]
    assert given == [*(hint.text for hint in hints), hints[-1].text, hints[-1].text]
    assert learner.read(LAB)["hints_left"] == 0


def test_checks_say_what_is_wrong_in_words_and_what_was_learned_comes_last(learner):
    learner.start(LAB)
    result = learner.check(LAB)
    assert not result["solved"]
    assert result["told"]["learned"] == ""
    wrong = {check["name"]: check["wrong"] for check in result["checks"]}
    assert wrong["igor-is-out"] == "Igor still gets the role `emergency`."

    proof.solve(learner, LAB)

    result = learner.check(LAB)
    assert result["solved"]
    assert result["told"]["learned"] == shelf.lab(LAB).learned


def test_what_is_gone_is_said_and_is_no_failure_of_the_server(learner):
    learner.start(LAB)
    with closing(learner.hands(LAB)) as hands:
        iam = hands.client("iam")
        iam.delete_role_policy(RoleName="emergency", PolicyName="all")
        iam.delete_role(RoleName="emergency")
    wrong = {check["name"]: check["wrong"] for check in learner.check(LAB)["checks"]}
    assert wrong["an-hour-at-most"].startswith("The role `emergency` is gone")
    assert "is gone" in wrong["igor-is-out"]


# -- beginning, and beginning again ----------------------------------------------------------------------------------


def test_beginning_again_begins_from_nothing(learner):
    before = learner.start(LAB)
    learner.hint(LAB)
    after = learner.start(LAB)
    assert after["values"]["account"] != before["values"]["account"]
    assert (after["hints"], after["tried"], learner.events()) == (0, 0, [])
    assert after["environment"]["secret_access_key"] != before["environment"]["secret_access_key"]


def test_another_lab_puts_this_one_away_and_what_is_solved_stays_known(learner):
    learner.start(LAB)
    proof.solve(learner, LAB)
    learner.check(LAB)
    learner.start("identity-center")
    states = {lab["name"]: (lab["state"], lab["is_current"]) for lab in learner.overview()}
    assert states[LAB] == ("solved", False)
    assert states["identity-center"] == ("begun", True)
    with pytest.raises(ControlError, match="lab `identity-center` is under way here"):
        learner.check(LAB)


def test_a_world_with_something_else_in_it_is_left_alone(school):
    name = "project"
    with Control(school) as control:
        control.api("POST", "worlds", body={"name": name, "scenario": 'accounts: {"111122223333": {users: {ann: {}}}}'})
        try:
            with pytest.raises(ControlError, match="holds something else"):
                Learner(control, name).start(LAB)
            assert control.api("GET", "worlds", name, "accounts")[0]["users"] == ["ann"]
        finally:
            control.api("DELETE", "worlds", name)


def test_the_default_world_is_not_for_labs(school):
    with Control(school) as control, pytest.raises(ControlError, match="a world of its own"):
        Learner(control, "default").start(LAB)


@pytest.mark.parametrize("world", ["Not A Name", "x" * 64])
def test_a_world_needs_a_name_that_can_be_one(school, world):
    with Control(school) as control, pytest.raises(ControlError, match="world names are"):
        Learner(control, world).start(LAB)


def test_a_lab_that_there_is_not_is_refused_with_the_nearest(learner):
    with pytest.raises(ControlError, match="no lab `asume-role`; did you mean `assume-role`"):
        learner.start("asume-role")


def test_a_lab_that_has_not_begun_says_how_to_begin(learner):
    learner.start("identity-center")
    with pytest.raises(ControlError, match="lab `assume-role` has not begun: `sts-emulator lab start assume-role`"):
        learner.check(LAB)


def test_before_anything_has_begun_it_says_how_to_begin(learner):
    with pytest.raises(ControlError, match="no lab has begun in world `learner-1`: `sts-emulator lab start NAME`"):
        learner.read(LAB)


@pytest.mark.clients
def test_where_no_emulator_runs_one_is_started(tmp_path):
    port = str(free_port())

    def run(*words):
        environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "XDG_STATE_HOME": str(tmp_path / "state")}
        command = [sys.executable, "-m", "sts_emulator", *words, "--port", port]
        return subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, check=False)

    begun = run("lab", "start", "access-keys")  # which uses S3
    try:
        assert begun.returncode == 0, begun.stderr
        assert f"export AWS_ENDPOINT_URL=http://127.0.0.1:{port}/w/lab\n" in begun.stdout
        assert "sts-emulator runs on" in begun.stderr  # not among what a shell is to evaluate
    finally:
        assert run("stop").returncode == 0


def test_a_lab_that_uses_s3_needs_it_behind_the_door(emulator_server):
    with emulator_server.control() as control, pytest.raises(ControlError, match="--upstream moto"):
        Learner(control, "nobody").start("access-keys")


def test_what_was_done_outlives_the_server(serve, tmp_path):
    flags = ("--scenario", "/dev/null", "--state", str(tmp_path / "labs.db"))
    with serve(*flags) as (url, _), closing(Learner(Control(url), "ann")) as ann:
        ann.start(LAB)
        ann.predict(LAB, "intern", "allow")
        proof.solve(ann, LAB)
        assert ann.check(LAB)["solved"]
    with serve(*flags) as (url, _), closing(Learner(Control(url), "ann")) as ann:
        assert ann.read(LAB)["state"] == "solved"
        assert told(ann, "intern")["score"] == "right"
        assert ann.check(LAB)["solved"]


def test_whoever_may_only_read_sees_no_keys_and_begins_nothing(serve, tmp_path):
    token = "a-token-of-sixteen-or-more"
    with serve("--scenario", "/dev/null", "--token", token, cwd=tmp_path) as (url, _):
        with closing(Learner(Control(url, token), "ann")) as ann:
            assert ann.start(LAB)["environment"]["secret_access_key"]
        with closing(Learner(Control(url, derived(token, "ann", reads=True)), "ann")) as guest:
            assert guest.read(LAB)["environment"] == {}
            for refused in (lambda: guest.start(LAB), lambda: guest.check(LAB), lambda: guest.hint(LAB)):
                with pytest.raises(ControlError, match="this token is for reading"):
                    refused()
        with Control(url, derived(token, "ann")) as anns, pytest.raises(ControlError, match="token is for world `ann`"):
            Learner(anns, "ben").start(LAB)


# -- the terminal ----------------------------------------------------------------------------------------------------


def run(learner, capsys, *words):
    code = main(["lab", *words, "--port", port_of(learner), "--world", learner.world])
    shown = capsys.readouterr()
    return code, shown.out + shown.err


def test_a_lab_in_the_terminal(learner, capsys):
    code, shown = run(learner, capsys, "list")
    assert code == 0
    assert all(name in shown for name in shelf.names())

    code, shown = run(learner, capsys, "start", LAB)
    assert code == 0
    assert "Be Igor" in shown
    assert f"export AWS_ENDPOINT_URL={learner.endpoint}\n" in shown
    assert "export AWS_PAGER=''\n" in shown

    code, shown = run(learner, capsys, "predict", LAB, "intern", "deny", "--layer", "trust")
    assert "you said: deny by trust" in shown
    igor_tries(learner)
    assert "it came to: allow" in run(learner, capsys, "show", LAB)[1]

    code, shown = run(learner, capsys, "check", LAB)
    assert code == 1
    assert "✗ Igor cannot assume the role" in shown
    assert run(learner, capsys, "hint", LAB)[1].startswith("Two different things")

    code, shown = run(learner, capsys, "solve", LAB)
    assert code == 0
    assert "aws iam update-role --role-name emergency" in shown
    assert "solved." in shown
    assert "Only repairing the role: the thief's session goes on until its end." in shown  # a way that does not do
    assert learner.read(LAB)["shown"]  # an instructor sees it

    code, shown = run(learner, capsys, "reset", LAB)
    assert learner.read(LAB)["state"] == "begun"


def test_the_list_needs_no_server(capsys):
    assert main(["lab", "list", "--port", str(free_port())]) == 0
    assert set(shelf.names()) <= {*capsys.readouterr().out.split()}


def test_each_answer_is_json_for_programs(learner, capsys):
    for words in (
        *(("list",), ("start", LAB), ("show", LAB), ("env", LAB), ("predict", LAB, "intern", "allow"), ("check", LAB)),
        *(("hint", LAB), ("reset", LAB), ("solve", LAB), ("lint", LAB)),
    ):
        main(["lab", *words, "--json", "--port", port_of(learner), "--world", learner.world])
        assert json.loads(capsys.readouterr().out)


def test_lint_finds_a_solution_that_does_not_solve_and_a_wrong_way_that_does(learner, monkeypatch):
    functions = shelf.module(LAB)
    monkeypatch.setattr(functions, "trust_alone", functions.revoke)
    told = list(proof.faults(learner, LAB))
    assert told == ["the wrong way `trust-alone` passes `old-session-is-over`"]

    monkeypatch.setattr(functions, "repair", lambda _: None)
    told = "\n".join(proof.faults(learner, LAB))
    assert "its own solution does not pass `igor-is-out`" in told
    assert "hint 2" in told  # nor is it true then
