"""Thirty learners at once on one server with a file: each solves a lab, and nothing of it is seen by another."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

from sts_emulator.labs import proof

NUMBER = 30


def test_nothing_of_one_is_seen_by_another(enrol):
    learners = [enrol() for _ in range(NUMBER)]

    def begin(learner):
        return learner.start("assume-role")["values"]["account"]

    def work(number):
        # Every other one does it; the rest only watch.
        if number % 2:
            proof.solve(learners[number], "assume-role")
        return learners[number].check("assume-role")

    with ThreadPoolExecutor(NUMBER) as pool:
        accounts = list(pool.map(begin, learners))
        results = list(pool.map(work, range(NUMBER)))

    assert len(set(accounts)) == NUMBER  # what is behind the door knows accounts alone
    assert [result["solved"] for result in results] == [bool(number % 2) for number in range(NUMBER)]
    for number, learner in enumerate(learners):
        told = learner.read("assume-role")
        assert told["tried"] == 1
        assert (told["passed"] == len(told["check_list"])) is bool(number % 2)


def test_a_key_of_one_learner_opens_nothing_of_another(enrol):
    ann, ben = enrol(), enrol()
    ann.start("access-keys")
    there = ben.start("access-keys")["values"]["account"]
    with closing(ann.hands("access-keys")) as hands, hands.tries():
        hands.client("s3").get_object(Bucket=f"payroll-{there}", Key="salaries.csv")
    events = ann.events()
    assert events[-1]["additionalEventData"]["outcome"] == "denied"
    assert all(event["additionalEventData"]["world"] == ann.world for event in events)
    assert ben.events() == []
