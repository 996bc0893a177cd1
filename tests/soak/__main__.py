"""`python -m tests.soak [--minutes N]`: a load on three replicas while they, their database and the network fail.

Every operation's start, end and answer is recorded, and a checker proves from them that nothing answered was lost.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import threading
import time
from collections import Counter, deque
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import quote

from .checker import check
from .history import Client, Entry, History
from .load import ADMIN, AGING, ClockMover, KeyOwner, Owner, SessionOwner, Tools, found
from .scene import Misfortunes, Scene, running

PAGE = 2_000
SHOWN = 40


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0, metavar="N", help="how long things go wrong")
    parser.add_argument("--seed", type=int, default=None, help="which things, in which order (default: the time)")
    parser.add_argument("--keep", metavar="FOLDER", default="", help="where history and logs are left")
    arguments = parser.parse_args()
    seed = int(time.time()) if arguments.seed is None else arguments.seed
    with tempfile.TemporaryDirectory(prefix="sts-emulator-soak-") as temporary:
        folder = Path(arguments.keep or temporary)
        folder.mkdir(parents=True, exist_ok=True)
        with running(folder) as scene:
            exceptions = run(scene, arguments.minutes * 60, seed)
        exceptions += [
            f"replica {replica.number} has written a traceback"
            for replica in scene.replicas
            if "Traceback" in replica.log.read_text()
        ]
    print("\n".join([f"{len(exceptions)} exceptions (seed {seed})", *exceptions[:SHOWN]]))
    return 1 if exceptions else 0


def run(scene: Scene, seconds: float, seed: int) -> list[str]:
    """The run, and all exceptions that its history proves."""
    world = (Path(__file__).with_name("world.yaml")).read_text()
    scene.control("", {"name": AGING, "scenario": world})
    history, misfortunes = History(), Misfortunes(scene, seed)
    first = Client(history, "first", scene.port)
    for name in ("default", AGING):  # what is before in the list of events
        first.call(Entry("first", "GetCallerIdentity", ADMIN.identifier, world=name), "sts", ADMIN)
    ending = threading.Event()
    users = [threading.Thread(target=act, args=(user, ending)) for user in people(history, scene.port, seed)]
    for user in users:
        user.start()
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        misfortunes.happen()
        ending.wait(0.3)
    misfortunes.mend()
    ending.wait(1)  # everybody has a turn when all is well
    scene.wait_until(lambda: not idle(history))
    ending.set()
    for user in users:
        user.join()
    history.write(scene.folder / "history.jsonl")
    tell(history, misfortunes)
    users_left = names_of_users(first)
    events = {name: recorded_requests(scene, name, history) for name in ("default", AGING)}
    return check(history.entries, events, users_left) + idle(history)


def people(history: History, port: int, seed: int) -> list[Owner | KeyOwner | SessionOwner | ClockMover | Tools]:
    sessions: deque = deque(maxlen=40)
    return [
        *(Owner(history, f"owner-{number}", port, seed + number) for number in range(4)),
        *(KeyOwner(history, f"keys-{number}", port, seed + number) for number in range(2)),
        *(SessionOwner(history, f"sessions-{number}", port, seed + number, sessions) for number in range(4)),
        *(Tools(history, f"tools-{number}", port) for number in range(2)),
        ClockMover(history, port, seed),
    ]


def act(user: Owner | KeyOwner | SessionOwner | ClockMover | Tools, ending: threading.Event) -> None:
    while not ending.is_set():
        user.act()


def recorded_requests(scene: Scene, world: str, history: History) -> list[str]:
    """The request ids of a world's events, oldest first."""
    after = next(entry.request for entry in history.entries if entry.world == world)
    ids = [after]
    while page := scene.control(f"/{world}/events?limit={PAGE}&after={quote(after)}"):
        ids += [record["requestID"] for record in page]
        after = page[-1]["requestID"]
    return ids


def names_of_users(client: Client) -> set[str]:
    names: set[str] = set()
    marker: dict[str, str] = {}
    while True:
        listed = client.call(Entry("first", "ListUsers"), "iam", ADMIN, **marker)
        if not listed.is_done:
            continue  # nginx has not heard yet that all is well
        names |= {piece.partition("<")[0] for piece in listed.body.decode().split("<UserName>")[1:]}
        if found(listed, "IsTruncated") != "true":
            return names
        marker = {"Marker": found(listed, "Marker")}


def idle(history: History) -> list[str]:
    """A run in which something was never done proves nothing of it."""
    done = {entry.what for entry in history.entries if entry.is_done}
    wanted = {"TagUser", "ListUserTags", "CreateUser", "UpdateAccessKey", "AssumeRole", "AdvanceClock", "CreateToken"}
    return [f"{what} was never done" for what in sorted(wanted - done)]


def tell(history: History, misfortunes: Misfortunes) -> None:
    print("misfortunes:", json.dumps(dict(sorted(misfortunes.told.items()))))
    outcomes: dict[str, Counter] = {}
    for entry in history.entries:
        told = "done" if entry.is_done else f"{entry.status or ''} {entry.code}".strip()
        outcomes.setdefault(entry.what, Counter())[told] += 1
    for what, counted in sorted(outcomes.items()):
        print(f"  {what:<26} {', '.join(f'{number} {told}' for told, number in counted.most_common())}")
    answered = [entry.end - entry.start for entry in history.entries if entry.is_answered]
    print(f"  {len(history.entries)} operations, {len(answered)} answered, the slowest in {worst(answered):.1f} s")


def worst(seconds: Sequence[float]) -> float:
    return max(seconds, default=0.0)


if __name__ == "__main__":
    sys.exit(main())
