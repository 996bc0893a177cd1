"""The short form of the fault run, and that its checker sees what it is to see."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import clusters
import pytest

from soak import checker
from soak.history import Entry

ROOT = Path(__file__).parents[2]


@pytest.mark.clients
def test_nothing_answered_is_lost_while_half_a_minute_goes_wrong():
    if clusters.programs() is None or not Path("/usr/sbin/nginx").exists():
        pytest.skip("it needs PostgreSQL and nginx: Debian's packages `postgresql` and `nginx`")
    command = [sys.executable, "-m", "tests.soak", "--minutes", "0.5"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    print(done.stdout)
    assert done.returncode == 0, done.stdout + done.stderr


def done(what: str, subject: str, at: float, value: str = "", **more) -> Entry:
    """An operation that took a tenth of a second, and was done."""
    entry = Entry("c", what, subject, value, start=at, end=at + 0.1, status=200, request=f"r{at}")
    vars(entry).update(more)
    return entry


UNKNOWN = {"status": 0, "request": ""}
REFUSED = {"status": 503, "code": "ServiceUnavailable"}
GONE = {"status": 404, "code": "NoSuchEntity"}
NOT_KNOWN = {"status": 403, "code": "InvalidClientTokenId"}
EXPIRED = {"status": 403, "code": "ExpiredToken"}
MINUTE = "1970-01-01T00:01:00Z"

SEEN = {
    "a mistake of ours": ([done("AssumeRole", "r", 1, status=500, code="InternalFailure")], "500 InternalFailure"),
    "a lost write": ([done("TagUser", "u", 1, "1"), done("ListUserTags", "u", 2, "")], "read `` after `1`"),
    "an old value": (
        [done("TagUser", "u", 1, "1"), done("TagUser", "u", 2, "2"), done("ListUserTags", "u", 3, "1")],
        "read `1` after `2`",
    ),
    "a lost user": ([done("CreateUser", "lost", 1)], "lost: lost in the end"),
    "one not seen": ([done("CreateUser", "u", 1), done("GetUser", "u", 2, **GONE)], "u: not seen"),
    "one that is back": ([done("CreateUser", "u", 1), done("DeleteUser", "u", 2)], "u: back in the end"),
    "a revoked key": (
        [done("UpdateAccessKey", "k", 1), done("GetCallerIdentity", "k", 2)],
        "key k: accepted 0.900 s after",
    ),
    "a key refused too early": (
        [done("GetCallerIdentity", "k", 1, **NOT_KNOWN), done("UpdateAccessKey", "k", 2)],
        "key k: refused before",
    ),
    "a session that is over": (
        [done("AdvanceClock", "", 1, "100"), done("GetCallerIdentity", "s", 2, MINUTE)],
        "session s: accepted 42.000 s after its end",
    ),
    "a session refused too early": (
        [done("AdvanceClock", "", 1, "10"), done("GetCallerIdentity", "s", 2, MINUTE, **EXPIRED)],
        "session s: refused 47.900 s before its end",
    ),
    "two winners": ([done("CreateToken", "c", 1), done("CreateToken", "c", 1)], "code c: 2 winners"),
    "no winner": (
        [done("CreateToken", "c", 1, status=400, code="InvalidGrantException")],
        "code c: nobody got it",
    ),
}


@pytest.mark.parametrize("name", SEEN)
def test_the_checker_sees(name):
    entries, told = SEEN[name]
    (line,) = checker.check(entries, {}, {"u"})
    assert told in line


def test_the_checker_sees_lost_and_misplaced_events():
    entries = [done("TagUser", "u", number, str(number)) for number in (1, 2, 3)]
    assert checker.check(entries, {"default": ["r2", "r1"]}, {"u"}) == [
        "c: the event of TagUser (r2) stands before an earlier one",
        "c: TagUser (r3) was answered, and its event is lost",
    ]


def test_what_nobody_knows_may_have_come_or_not():
    story = [
        done("CreateUser", "u", 0.5),
        done("TagUser", "u", 1, "1"),
        done("TagUser", "u", 2, "2", **UNKNOWN),
        done("TagUser", "u", 3, "3", **REFUSED),
        done("ListUserTags", "u", 4, "1"),
        done("ListUserTags", "u", 5, "3"),
        done("ListUserTags", "u", 6, "2"),
        done("AdvanceClock", "", 7, "100", **UNKNOWN),
        done("GetCallerIdentity", "s", 8, MINUTE),
        done("GetCallerIdentity", "s", 9, MINUTE, **EXPIRED),
        done("DeleteUser", "u", 10, **UNKNOWN),
        done("GetUser", "u", 11, **GONE),
    ]
    assert checker.check(story, {}, set()) == []
