"""Nobody waits for Python's collector while events become more, and what it is there for is freed all the same."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import weakref
from collections.abc import Iterator
from urllib.parse import urlencode

import pytest
import urllib3
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from sts_emulator import Emulator
from sts_emulator.scenario.watch import BUILT_IN
from sts_emulator.serving import collector
from sts_emulator.serving.collector import CALLS, DUE, THRESHOLDS, Collector

EVENTS = 700  # of the thousand that a world keeps in memory
NOTES = """
import gc

def note(phase, told):
    if phase == "start" and gc.get_freeze_count():  # it is zero in the walk for which it was seen that nobody calls
        walked = sum(len(gc.get_objects(number)) for number in range(told["generation"] + 1))
        with open({path!r}, "a") as notes:
            print(walked, file=notes)

gc.callbacks.append(note)

def pre_sign_up(event, context):
    return event
"""


class Held:
    """What only itself holds, once nobody else does."""

    def __init__(self) -> None:
        self.held = self


def put_aside(own: Collector, number: int) -> list[weakref.ref[Held]]:
    """So many that are put aside while somebody holds them, and then nobody does."""
    things = [Held() for _ in range(number)]
    for _ in range(CALLS):
        own.count_call()
    return [weakref.ref(thing) for thing in things]


@pytest.fixture
def own() -> Iterator[Collector]:
    """A collector for this process, as it is afterwards."""
    before = gc.get_threshold()
    yield Collector()
    gc.unfreeze()
    gc.set_threshold(*before)


def refused_call(url: str, root) -> AWSRequest:
    """A call whose event is of a hundred objects."""
    form = {
        "Action": "AssumeRole",
        "Version": "2011-06-15",
        "RoleArn": "arn:aws:iam::111122223333:role/nobody",
        "RoleSessionName": "somebody",
    }
    for number in range(1, 51):
        form |= {f"Tags.member.{number}.Key": f"key-{number}", f"Tags.member.{number}.Value": "value"}
    request = AWSRequest("POST", url, {"content-type": "application/x-www-form-urlencoded"}, urlencode(form))
    SigV4Auth(Credentials(root["access_key_id"], root["secret_access_key"]), "sts", "us-east-1").add_auth(request)
    return request


def test_a_world_that_keeps_more_and_more_events_makes_nobody_wait(serve, tmp_path):
    """Each walk over all that was new since the last one took 5 ms and more, and over all of it a quarter of a second."""
    notes, triggers = tmp_path / "notes", tmp_path / "triggers.py"
    triggers.write_text(NOTES.format(path=str(notes)))
    alone = ("--scenario", str(BUILT_IN))  # of a folder, the other files are read when a second has passed
    with serve("--triggers", str(triggers), *alone) as (url, _), urllib3.PoolManager() as pool:
        with contextlib.closing(Emulator(url).control()) as api:
            root = api.api("GET", "worlds", "default", "credentials")
        call = refused_call(f"{url}/", root)

        def refuse(times: int) -> int:
            for _ in range(times):
                assert pool.request("POST", call.url, body=call.data, headers=dict(call.headers.items())).status == 403
            return len(notes.read_text().splitlines())

        before = refuse(CALLS)  # what the control API has loaded is put aside with them
        refuse(EVENTS)
        walks = [int(line) for line in notes.read_text().splitlines()[before:]]

    assert all(walked < 5 * THRESHOLDS[0] for walked in walks), walks


def test_what_only_itself_holds_is_freed_though_it_was_put_aside(own):
    (left,) = put_aside(own, 1)
    gc.collect()
    assert left() is not None  # no other walk comes there

    own.collect()

    assert left() is None


def test_what_is_alive_when_everything_is_walked_over_is_put_aside_again(own):
    left = Held()

    own.collect()

    assert not any(thing is left for number in range(3) for thing in gc.get_objects(number))


@pytest.mark.parametrize(
    "calling", [False, True], ids=["once nobody calls", "even if somebody does when it is too much"]
)
def test_what_fills_memory_is_freed(own, monkeypatch, calling):
    monkeypatch.setattr(collector, "EVERY", 0.01)
    if calling:
        monkeypatch.setattr(collector, "OVERDUE", DUE)
    left = put_aside(own, DUE)

    async def watched() -> None:
        watching = asyncio.create_task(own.watch())
        while left[0]() is not None:
            if calling:
                own.count_call()
            await asyncio.sleep(0)
        watching.cancel()

    asyncio.run(watched())

    assert not any(thing() is not None for thing in left)
