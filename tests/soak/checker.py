"""What a history and the events that are left prove, each law by itself; every line is an exception from one."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import datetime

from .history import Entry

EXPECTED = {
    ("GetUser", "NoSuchEntity"),
    ("DeleteUser", "NoSuchEntity"),  # a call of an earlier client that came late
    ("GetCallerIdentity", "InvalidClientTokenId"),
    ("GetCallerIdentity", "ExpiredToken"),
    ("CreateToken", "InvalidGrantException"),
    ("CreateToken", "SlowDownException"),
    ("CreateToken", "AuthorizationPendingException"),
}
"""Refusals that a law below judges. Any other one is an exception by itself."""


def check(entries: Sequence[Entry], events: dict[str, Sequence[str]], users: set[str]) -> list[str]:
    """All exceptions. `events` are the request ids of each world's, in their order; `users` those who are there."""
    laws = (refusals(entries), registers(entries), existence(entries, users), keys(entries))
    others = (sessions(entries), codes(entries), *(recorded(entries, world, ids) for world, ids in events.items()))
    return [line for law in (*laws, *others) for line in law]


def refusals(entries: Sequence[Entry]) -> Iterator[str]:
    """Nobody is told a mistake of ours, or anything that is not so; who cannot be served hears AWS's word for it."""
    for entry in entries:
        is_gateways = entry.status in (502, 504) and not entry.request
        if entry.status in (0, 200) or is_gateways or (entry.what, entry.code) in EXPECTED:
            continue
        if entry.status == 503 and (entry.code.startswith("ServiceUnavailable") or not entry.request):
            continue
        yield f"{entry.client}: {entry.what} of {entry.subject} was refused with {entry.status} {entry.code}"


def _by_subject(entries: Sequence[Entry], *what: str) -> dict[str, list[Entry]]:
    chosen: dict[str, list[Entry]] = defaultdict(list)
    for entry in sorted(entries, key=lambda entry: entry.start):
        if entry.what in what:
            chosen[entry.subject].append(entry)
    return chosen


def registers(entries: Sequence[Entry]) -> Iterator[str]:
    """Each client reads its own writes: the last that was answered, or one after it of which nobody knows."""
    for subject, story in _by_subject(entries, "TagUser", "ListUserTags").items():
        last, unknown = "", set()
        for entry in story:
            if entry.what == "TagUser":
                if entry.is_done:
                    last = entry.value
                else:
                    unknown.add(entry.value)
            elif entry.is_done and entry.value != last:
                if entry.value not in unknown:
                    yield f"{subject}: read `{entry.value}` after `{last}` was written"
                unknown.discard(entry.value)
                last = entry.value


def existence(entries: Sequence[Entry], users: set[str]) -> Iterator[str]:
    """What was made is there until it is removed, for its maker at once and for all in the end."""
    for subject, story in _by_subject(entries, "CreateUser", "GetUser", "DeleteUser").items():
        is_there: bool | None = False  # None: nobody knows
        for entry in story:
            if entry.what == "GetUser":
                is_seen = {200: True, 404: False}.get(entry.status)
                if is_seen is not None and is_there is not None and is_seen != is_there:
                    yield f"{subject}: {'seen' if is_seen else 'not seen'}, though it is {'' if is_there else 'not '}there"
            elif entry.is_done:
                is_there = entry.what == "CreateUser"
            elif entry.code != "NoSuchEntity":
                is_there = None
        if is_there is not None and is_there != (subject in users):
            yield f"{subject}: {'lost' if is_there else 'back'} in the end"


def keys(entries: Sequence[Entry]) -> Iterator[str]:
    """A key works until it is switched off, and on no replica afterwards."""
    revoked = _by_subject(entries, "UpdateAccessKey", "DeleteAccessKey")
    for key, story in _by_subject([entry for entry in entries if not entry.value], "GetCallerIdentity").items():
        asked = min((entry.start for entry in revoked[key]), default=float("inf")) if key in revoked else float("inf")
        done = min((entry.end for entry in revoked.get(key, ()) if entry.is_done), default=float("inf"))
        for entry in story:
            if entry.is_done and entry.start > done:
                yield f"key {key}: accepted {entry.start - done:.3f} s after it was revoked"
            if entry.code == "InvalidClientTokenId" and entry.end < asked:
                yield f"key {key}: refused before it was revoked"
            if entry.code == "ExpiredToken":
                yield f"key {key}: expired"


def sessions(entries: Sequence[Entry]) -> Iterator[str]:
    """A credential is accepted until its end by its world's clock, and not after."""
    moves = [entry for entry in entries if entry.what == "AdvanceClock"]
    for entry in entries:
        if entry.what != "GetCallerIdentity" or not entry.value or entry.status not in (200, 403):
            continue
        until = datetime.fromisoformat(entry.value).timestamp()
        earliest = entry.start + sum(int(move.value) for move in moves if move.is_done and move.end <= entry.start)
        latest = entry.end + sum(int(move.value) for move in moves if move.start <= entry.end)
        if entry.is_done and earliest > until:
            yield f"session {entry.subject}: accepted {earliest - until:.3f} s after its end"
        if entry.code == "ExpiredToken" and latest < until:
            yield f"session {entry.subject}: refused {until - latest:.3f} s before its end"
        if entry.code == "InvalidClientTokenId":
            yield f"session {entry.subject}: not known"


def codes(entries: Sequence[Entry]) -> Iterator[str]:
    """A code that is good once has at most one winner, and one unless a call's end is unknown."""
    for code, story in _by_subject(entries, "CreateToken").items():
        winners = [entry for entry in story if entry.is_done]
        if len(winners) > 1:
            yield f"code {code}: {len(winners)} winners"
        if not winners and all(entry.is_answered for entry in story):
            yield f"code {code}: nobody got it, though all were answered"


def recorded(entries: Sequence[Entry], world: str, events: Sequence[str]) -> Iterator[str]:
    """Each answered call has its event, and those of one client stand in their order."""
    places = {request: place for place, request in enumerate(events)}
    last: dict[str, int] = defaultdict(lambda: -1)
    for entry in sorted(entries, key=lambda entry: entry.end):
        if entry.world != world or not entry.is_answered:
            continue
        place = places.get(entry.request)
        if place is None:
            yield f"{entry.client}: {entry.what} ({entry.request}) was answered, and its event is lost"
        elif place < last[entry.client]:
            yield f"{entry.client}: the event of {entry.what} ({entry.request}) stands before an earlier one"
        else:
            last[entry.client] = place
