"""What `--durable` and `--fresh-ms` promise, and what becomes of calls while a state takes nothing."""

from __future__ import annotations

import contextlib
import json
import os
import resource
import subprocess
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from sts_emulator import Aws, Emulator
from sts_emulator.core.backends import open_store
from sts_emulator.core.world import Worlds

ONCE = Config(retries={"total_max_attempts": 1})
FULL, NORMAL = 2, 1  # https://www.sqlite.org/pragma.html#pragma_synchronous


# -- durable ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("durable", "synchronous"), [(True, FULL), (False, NORMAL)])
def test_each_commit_to_a_file_waits_for_the_disk_if_it_is_to_be_durable(tmp_path, durable, synchronous):
    store = open_store(str(tmp_path / "state.sqlite"), durable=durable)
    for connection in (store._writer, store._event_writer):
        assert connection.execute("PRAGMA synchronous").fetchone() == (synchronous,)
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    store.close()


def test_the_flag_reaches_the_file(serve, tmp_path):
    """Where the kernel can be asked, each answered write has had its file synchronized."""
    if subprocess.run(["which", "strace"], capture_output=True, check=False).returncode:
        pytest.skip("no `strace` here: Debian's package of that name")
    with (
        serve("--durable", "--state", str(tmp_path / "state.sqlite")) as (url, process),
        contextlib.closing(Emulator(url).control()) as api,
    ):
        iam = Aws(api, "default").client("iam", api.api("GET", "worlds", "default", "credentials"))
        trace = tmp_path / "trace"
        command = ["strace", "-f", "-y", "-e", "trace=fsync,fdatasync", "-o", str(trace), "-p", str(process.pid)]
        with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as tracing:
            if "attached" not in tracing.stderr.readline():
                pytest.skip("this process may not trace another one")
            for number in range(5):
                iam.create_user(UserName=f"user-{number}")
            tracing.terminate()
        assert trace.read_text().count("state.sqlite-wal") >= 5


def test_what_a_database_has_answered_is_flushed_to_its_log(postgres):
    url = postgres.database("flushed")
    store = open_store(url)
    world = Worlds(store).create("lab")
    for number in range(20):
        world.add("role", f"1/{number}", {})
        written = "SELECT pg_current_wal_flush_lsn() >= max(lsn) FROM flushed"
        postgres.sql("CREATE TABLE IF NOT EXISTS flushed AS SELECT pg_current_wal_lsn() AS lsn", "flushed")
        assert postgres.sql(written, "flushed") == [(True,)]
        postgres.sql("DROP TABLE flushed", "flushed")
    store.close()


# -- fresh ------------------------------------------------------------------------------------------------------------


def user_names(url: str, root) -> set[str]:
    with contextlib.closing(Emulator(url).control()) as api:
        return {user["UserName"] for user in Aws(api, "default").client("iam", root).list_users()["Users"]}


@pytest.fixture
def writer(serve, postgres) -> Iterator[tuple[str, str]]:
    """A replica, and the state that others may share with it."""
    state = postgres.database()
    with serve("--state", state) as (url, _):
        yield url, state


def key_of_a_user(api, root):
    """An access key that can be revoked."""
    iam = Aws(api, "default").client("iam", root)
    iam.create_user(UserName="robot")
    key = iam.create_access_key(UserName="robot")["AccessKey"]
    return iam, {"access_key_id": key["AccessKeyId"], "secret_access_key": key["SecretAccessKey"]}


def is_accepted(sts) -> bool:
    try:
        sts.get_caller_identity()
    except ClientError as refused:
        if refused.response["Error"]["Code"] != "InvalidClientTokenId":
            raise
        return False
    return True


@pytest.mark.parametrize("milliseconds", [0, 1_000])
def test_what_another_replica_revoked_is_known_after_so_many_milliseconds_at_the_latest(serve, writer, milliseconds):
    url, state = writer
    with (
        serve("--state", state, "--fresh-ms", str(milliseconds)) as (other, _),
        contextlib.closing(Emulator(url).control()) as api,
        contextlib.closing(Emulator(other).control()) as there,
    ):
        iam, key = key_of_a_user(api, api.api("GET", "worlds", "default", "credentials"))
        reader = Aws(there, "default").client("sts", key)
        assert is_accepted(reader)
        iam.update_access_key(UserName="robot", AccessKeyId=key["access_key_id"], Status="Inactive")
        asked = revoked = time.monotonic()
        while is_accepted(reader):
            assert milliseconds, "known at the next request"
            assert asked - revoked <= milliseconds / 1000, "stale for longer"
            asked = time.monotonic()  # before the next is sent: its answer may take long


# -- a state that takes nothing ---------------------------------------------------------------------------------------


@contextlib.contextmanager
def small_disk(folder: Path) -> Iterator[Path]:
    """A folder on a disk of two megabytes."""
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(folder)]
    if os.getuid() != 0 or subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("only root can make a small disk, and not everywhere")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def make_users(iam, made: list[str]) -> None:
    for number in range(1000):
        iam.create_user(UserName=f"user-{number}")
        made.append(f"user-{number}")


def ready(url: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(f"{url}/ready", timeout=60) as answer:
            return answer.status, ""
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)["reason"]


def refused_meanwhile(url: str, api, root) -> None:
    """What needs the state is refused in AWS's words, within seconds; what does not is answered."""
    aws = Aws(api, "default")
    iam, sts = aws.client("iam", root, config=ONCE), aws.client("sts", root, config=ONCE)
    with ThreadPoolExecutor(2) as threads:
        calls = [threads.submit(sts.get_caller_identity), threads.submit(iam.create_user, UserName="meanwhile")]
        with urllib.request.urlopen(f"{url}/health", timeout=60) as answer:
            assert answer.status == 200
        for call in calls:
            with pytest.raises(ClientError) as refused:
                call.result()
            assert refused.value.response["Error"]["Code"] == "ServiceUnavailable"
            assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 503


def lines_about_the_state(process) -> list[str]:
    process.terminate()
    told = process.communicate(timeout=60)[0]
    assert "Traceback" not in told
    return [line.partition(" (")[0] for line in told.splitlines() if line.startswith("the state is")]


LOST_AND_FOUND = ["the state is unavailable", "the state is available again"]


def test_a_full_disk_refuses_what_it_cannot_keep_and_loses_nothing(serve, tmp_path):
    with (
        small_disk(tmp_path / "disk") as disk,
        serve("--state", str(disk / "state.sqlite")) as (url, process),
        contextlib.closing(Emulator(url).control()) as api,
    ):
        root = api.api("GET", "worlds", "default", "credentials")
        iam = Aws(api, "default").client("iam", root, config=ONCE)
        iam.create_user(UserName="before")
        filler = disk / "filler"
        with filler.open("wb", buffering=0) as file, contextlib.suppress(OSError):
            while True:
                file.write(b"x" * 512)
        answered: list[str] = []
        with pytest.raises(ClientError) as full:  # what is left of the log's last page may take some more
            make_users(iam, answered)
        assert full.value.response["Error"]["Code"] == "ServiceUnavailable"
        refused_meanwhile(url, api, root)
        status, reason = ready(url)
        assert (status, "full" in reason or "I/O" in reason) == (503, True), reason
        filler.unlink()
        while ready(url)[0] != 200:
            continue
        iam.create_user(UserName="after")
        names = user_names(url, root)
        assert {"before", "after", *answered} <= names
        assert "meanwhile" not in names
        assert lines_about_the_state(process) == LOST_AND_FOUND


def test_a_file_that_may_not_grow_is_like_a_full_disk(serve, tmp_path):
    """Without root: the limit of a process's files, which holds for its log alike."""
    if not hasattr(resource, "prlimit"):
        pytest.skip("another process's limits are Linux's")
    with (
        serve("--state", str(tmp_path / "state.sqlite")) as (url, process),
        contextlib.closing(Emulator(url).control()) as api,
    ):
        root = api.api("GET", "worlds", "default", "credentials")
        Aws(api, "default").client("iam", root).create_user(UserName="before")
        unlimited = resource.prlimit(process.pid, resource.RLIMIT_FSIZE)
        resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (4096, unlimited[1]))
        refused_meanwhile(url, api, root)
        assert ready(url)[0] == 503
        resource.prlimit(process.pid, resource.RLIMIT_FSIZE, unlimited)
        while ready(url)[0] != 200:
            continue
        names = user_names(url, root)
        assert "before" in names
        assert "meanwhile" not in names
        assert lines_about_the_state(process) == LOST_AND_FOUND


def test_a_lost_database_is_told_once_whoever_asks_meanwhile(serve, postgres):
    with serve("--state", postgres.database()) as (url, process), contextlib.closing(Emulator(url).control()) as api:
        root = api.api("GET", "worlds", "default", "credentials")
        Aws(api, "default").client("iam", root).create_user(UserName="before")
        postgres.stop()
        try:
            refused_meanwhile(url, api, root)
            pages = [
                threading.Thread(target=fetched, args=(url + path,)) for path in ("/start", "/_emulator/api/worlds")
            ]
            for page in pages:
                page.start()
            for page in pages:
                page.join()
            assert ready(url)[0] == 503
        finally:
            postgres.start()
        while ready(url)[0] != 200:
            continue
        names = user_names(url, root)
        assert "before" in names
        assert "meanwhile" not in names
        assert lines_about_the_state(process) == LOST_AND_FOUND


def fetched(url: str) -> None:
    with contextlib.suppress(urllib.error.HTTPError):
        urllib.request.urlopen(url, timeout=60).close()
