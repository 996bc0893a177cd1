"""A class: worlds for its learners, what is handed out, who sees whom, and what the teacher sees."""

from __future__ import annotations

import csv
import json
import urllib.error
import urllib.request
from urllib.parse import urlsplit

import pytest

from sts_emulator.cli.control import Control
from sts_emulator.cli.learner import Learner
from sts_emulator.cli.main import main
from sts_emulator.pages.tokens import derived

TOKEN = "a-token-of-the-school-server"
LAB = "confused-deputy"


@pytest.fixture(scope="module")
def guarded(serve, tmp_path_factory):
    """A server that asks for its token, as one does that others can reach, with a file as its state."""
    folder = tmp_path_factory.mktemp("guarded")
    with serve("--scenario", "/dev/null", "--state", "state.db", "--token", TOKEN, cwd=folder) as (url, _):
        yield url


@pytest.fixture
def command(guarded, capsys):
    """The command on that server; what it prints, and its exit code."""

    def run(*words: str, code: int = 0) -> str:
        assert main(["class", *words, "--port", str(urlsplit(guarded).port), "--token", TOKEN]) == code
        captured = capsys.readouterr()
        return captured.out if code == 0 else captured.err

    return run


def status_of(url: str, token: str, body: bytes | None = None, method: str = "GET") -> int:
    request = urllib.request.Request(url, body, {"Authorization": f"Bearer {token}"}, method=method)
    try:
        with urllib.request.urlopen(request, timeout=120) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        error.close()
        return error.code


def test_each_learner_is_handed_a_link_a_token_and_keys(command, guarded, tmp_path):
    told = json.loads(
        command("start", "--name", "mon", "--learners", "3", "--lab", LAB, "--out", str(tmp_path / "mon.csv"), "--json")
    )

    assert [row["world"] for row in told["learners"]] == ["mon-01", "mon-02", "mon-03"]
    assert told["instructor"] == f"{guarded}/_emulator/class/mon"
    rows = list(csv.DictReader((tmp_path / "mon.csv").read_text().splitlines()))
    assert [row["link"] for row in rows] == [f"{guarded}/w/mon-{number:02}/_emulator/labs" for number in (1, 2, 3)]
    assert (tmp_path / "mon.csv").stat().st_mode & 0o077 == 0
    for row in rows:
        assert status_of(row["link"], row["token"]) == 200
    assert len({row["secret"] for row in rows}) == 3

    # And once more, it leaves what is there
    command("start", "--name", "mon", "--learners", "4", "--out", str(tmp_path / "mon.md"))
    assert (tmp_path / "mon.md").read_text().startswith("| WORLD | LINK | TOKEN |\n| --- | --- | --- |\n| mon-01 |")
    assert LAB in command("status", "--name", "mon")
    assert json.loads(command("stop", "--name", "mon", "--json"))["deleted"] == [f"mon-{n:02}" for n in (1, 2, 3, 4)]
    assert "no class `mon`" in command("status", "--name", "mon", code=1)


def test_no_learner_reaches_another_or_the_teachers_page(command, guarded):
    told = json.loads(command("start", "--name", "tue", "--learners", "2", "--json"))
    ada, ben = told["learners"]
    worlds = f"{guarded}/_emulator/api/worlds"

    for place in (ben["link"], f"{ben['endpoint']}/_emulator/", f"{worlds}/tue-02/labs", f"{worlds}/tue-02/events"):
        assert status_of(place, ada["token"]) == 403, place
    assert status_of(f"{worlds}/tue-02/labs/{LAB}/start", ada["token"], b"", "POST") == 403
    for place in (f"{guarded}/_emulator/class", told["instructor"], f"{ada['endpoint']}/_emulator/class/tue"):
        assert status_of(place, ada["token"]) == 403, place
        assert status_of(place, TOKEN) == 200, place
    assert status_of(worlds, ada["token"]) == 403

    # But her own is hers
    with Control(guarded, ada["token"]) as control:
        somebody = Learner(control, "tue-01")
        somebody.start(LAB)
        assert somebody.overview()[-2]["state"] == "begun"
        somebody.close()
    command("stop", "--name", "tue")


def test_who_may_only_read_sees_a_learners_page_without_keys(command):
    told = json.loads(command("start", "--name", "fri", "--learners", "1", "--lab", LAB, "--json"))
    (ada,) = told["learners"]
    for token, shows in ((ada["token"], True), (derived(TOKEN, "fri-01", reads=True), False)):
        request = urllib.request.Request(f"{ada['link']}/{LAB}", headers={"Authorization": f"Bearer {token}"})
        with urllib.request.urlopen(request, timeout=120) as answer:
            assert (ada["secret"] in answer.read().decode()) is shows
    command("stop", "--name", "fri")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("start", "--learners", "0"), "--learners takes a number from 1 to 500"),
        (("start", "--learners", "2", "--name", "A Class"), "`A Class` is no name of a class"),
        (("start", "--learners", "2", "--out", "class.xls"), "--out takes a file that ends in .csv or .md"),
    ],
)
def test_what_cannot_be_is_refused(command, words, told):
    assert told in command(*words, code=2)


def test_a_derived_token_makes_no_class(guarded, capsys):
    words = ["class", "start", "--learners", "1", "--port", str(urlsplit(guarded).port), "--token", "write:wed:xyz"]
    assert main(words) == 1
    assert capsys.readouterr().err
