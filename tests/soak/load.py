"""Who uses the emulator during a run: owners of users, of keys and of sessions, and tools that redeem one code at once."""

from __future__ import annotations

import itertools
import json
import random
import re
import threading
from collections import deque
from concurrent.futures import ThreadPoolExecutor

from .history import Client, Entry, History, Keys

ADMIN = Keys("AKIARTX3GSDSSSSSSSSS", "soak-admin-secret")
ROLE = "arn:aws:iam::111122223333:role/short"
START_URL = "https://d-9067000000.awsapps.com/start"
GRANT = "urn:ietf:params:oauth:grant-type:device_code"
AGING = "aging"
SHORTEST = 900  # seconds that a session lives, at least
RACERS = 3


def found(entry: Entry, member: str) -> str:
    """The text of an XML element of an answer."""
    match = re.search(rf"<{member}>([^<]*)</{member}>", entry.body.decode())
    return match[1] if match else ""


class Owner:
    """Writes a number to a tag of a user of its own, reads it, and makes and removes further users."""

    def __init__(self, history: History, name: str, port: int, seed: int) -> None:
        self._client = Client(history, name, port)
        self._name = name
        self._random = random.Random(seed)
        self._numbers = itertools.count(1)
        self._made: deque[str] = deque()
        self._user = ""

    def act(self) -> None:
        if not self._user:
            self._user = self._make()
        else:
            self._random.choice((self._write, self._read, self._read, self._make, self._remove))()

    def _call(self, what: str, subject: str, value: str = "", **parameters: str) -> Entry:
        entry = Entry(self._name, what, subject, value)
        return self._client.call(entry, "iam", ADMIN, UserName=subject, **parameters)

    def _make(self) -> str:
        name = f"{self._name}-{next(self._numbers)}"
        made = self._call("CreateUser", name)
        self._call("GetUser", name)
        if not made.is_done:
            return ""
        self._made.append(name)
        return name

    def _remove(self) -> None:
        if len(self._made) > 1:
            name = self._made.pop()
            if name != self._user:
                self._call("DeleteUser", name)
                self._call("GetUser", name)

    def _write(self) -> None:
        value = str(next(self._numbers))
        self._call("TagUser", self._user, value, **{"Tags.member.1.Key": "n", "Tags.member.1.Value": value})

    def _read(self) -> None:
        read = self._call("ListUserTags", self._user)
        if read.is_done:
            read.value = found(read, "Value")


class KeyOwner:
    """Makes access keys, uses them, and switches them off: what is revoked is refused by every replica at once."""

    def __init__(self, history: History, name: str, port: int, seed: int) -> None:
        self._client = Client(history, name, port)
        self._name = name
        self._random = random.Random(seed)
        self._user = ""
        self._numbers = itertools.count(1)

    def act(self) -> None:
        if not self._user:
            name = f"{self._name}-{next(self._numbers)}"
            made = self._client.call(Entry(self._name, "CreateUser", name), "iam", ADMIN, UserName=name)
            self._user = name if made.is_done else ""
            return
        entry = Entry(self._name, "CreateAccessKey", self._user)
        made = self._client.call(entry, "iam", ADMIN, UserName=self._user)
        if not made.is_done:
            self._user = ""  # two keys are the most that a user may have, and it may have been made
            return
        keys = Keys(found(made, "AccessKeyId"), found(made, "SecretAccessKey"))
        for _ in range(self._random.randint(1, 4)):
            self._use(keys)
        entry = Entry(self._name, "UpdateAccessKey", keys.identifier)
        off = {"UserName": self._user, "AccessKeyId": keys.identifier, "Status": "Inactive"}
        self._client.call(entry, "iam", ADMIN, **off)
        for _ in range(self._random.randint(1, 4)):
            self._use(keys)
        entry = Entry(self._name, "DeleteAccessKey", keys.identifier)
        gone = self._client.call(entry, "iam", ADMIN, UserName=self._user, AccessKeyId=keys.identifier)
        self._use(keys)
        if not gone.is_done:
            self._user = ""

    def _use(self, keys: Keys) -> None:
        self._client.call(Entry(self._name, "GetCallerIdentity", keys.identifier), "sts", keys)


class SessionOwner:
    """Assumes a role in the world whose clock is moved, and uses what all of them were given."""

    def __init__(self, history: History, name: str, port: int, seed: int, sessions: deque[tuple[Keys, str]]) -> None:
        self._client = Client(history, name, port)
        self._name = name
        self._random = random.Random(seed)
        self._sessions = sessions

    def act(self) -> None:
        if not self._sessions or self._random.random() < 0.2:
            self._assume()
        else:
            keys, until = self._random.choice(list(self._sessions))
            entry = Entry(self._name, "GetCallerIdentity", keys.identifier, until, AGING)
            self._client.call(entry, "sts", keys)

    def _assume(self) -> None:
        entry = Entry(self._name, "AssumeRole", ROLE, world=AGING)
        asked = {"RoleArn": ROLE, "RoleSessionName": self._name, "DurationSeconds": str(SHORTEST)}
        given = self._client.call(entry, "sts", ADMIN, **asked)
        if given.is_done:
            keys = Keys(found(given, "AccessKeyId"), found(given, "SecretAccessKey"), found(given, "SessionToken"))
            self._sessions.append((keys, found(given, "Expiration")))


class ClockMover:
    """Moves the clock of that world by some minutes now and then."""

    def __init__(self, history: History, port: int, seed: int) -> None:
        self._client = Client(history, "clock", port)
        self._random = random.Random(seed)
        self._pause = threading.Event()

    def act(self) -> None:
        seconds = self._random.choice((60, 300, 450))
        entry = Entry("clock", "AdvanceClock", value=str(seconds), world=AGING)
        self._client.post(entry, f"/_emulator/api/worlds/{AGING}/clock", {"advance_seconds": seconds})
        self._pause.wait(self._random.uniform(0.5, 3))


class Tools:
    """Start a sign-in, have it approved, and redeem its code all at once: one of them gets the token."""

    def __init__(self, history: History, name: str, port: int) -> None:
        self._client = Client(history, name, port)
        self._racers = [Client(history, f"{name}-racer-{number}", port) for number in range(RACERS)]
        self._name = name
        self._registered: dict[str, str] = {}
        self._threads = ThreadPoolExecutor(RACERS)

    def act(self) -> None:
        if not self._registered:
            wish = {"clientName": "soak", "clientType": "public", "scopes": ["sso:account:access"]}
            told = self._client.post(Entry(self._name, "RegisterClient"), "/client/register", wish)
            if told.is_done:
                answer = json.loads(told.body)
                self._registered = {name: answer[name] for name in ("clientId", "clientSecret")}
            return
        wish = {**self._registered, "startUrl": START_URL}
        begun = self._client.post(Entry(self._name, "StartDeviceAuthorization"), "/device_authorization", wish)
        if not begun.is_done:
            return
        answer = json.loads(begun.body)
        entry = Entry(self._name, "Approve", answer["userCode"])
        approval = {"code": answer["userCode"], "user": "jane"}
        if not self._client.post(entry, "/_emulator/api/worlds/default/approve", approval).is_done:
            return
        wish = {**self._registered, "grantType": GRANT, "deviceCode": answer["deviceCode"]}
        list(self._threads.map(lambda racer: self._redeem(racer, answer["userCode"], wish), self._racers))

    @staticmethod
    def _redeem(racer: Client, code: str, wish: dict[str, str]) -> None:
        racer.post(Entry(racer.name, "CreateToken", code), "/token", wish)
