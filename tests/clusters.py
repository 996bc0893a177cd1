"""PostgreSQL servers of the tests' own, made of Debian's packages: a cluster in a folder, and poolers before it."""

from __future__ import annotations

import contextlib
import itertools
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sts_emulator.shared_server import free_port

DEBIAN = "/usr/lib/postgresql"
ROOM = 4 << 30
LIMIT = 120  # seconds that starting may take


def programs() -> Path | None:
    """The folder of initdb and postgres, of the newest version that is installed."""
    beside = shutil.which("initdb")
    if beside:
        return Path(beside).parent
    versions = sorted(Path(DEBIAN).glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    return versions[-1].parent if versions else None


class Cluster:
    """A PostgreSQL with databases for tests."""

    _numbers = itertools.count(1)

    def __init__(self, folder: Path, bin_dir: Path, *, is_durable: bool = False) -> None:
        self.folder = folder
        self._is_durable = is_durable
        self.port = free_port()
        self._bin = bin_dir
        self._process: subprocess.Popen | None = None
        self._run("initdb", "-D", str(folder / "data"), "-U", "tests", "-A", "trust", "-E", "UTF8", "--no-sync")

    def start(self) -> None:
        """Start it; what it has committed outlives its own death, as nothing here cuts the power."""
        flags = {
            "port": self.port,
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": self.folder,
            "fsync": "on" if self._is_durable else "off",
        }
        options = [part for name, value in flags.items() for part in ("-c", f"{name}={value}")]
        command = [str(self._bin / "postgres"), "-D", str(self.folder / "data"), *options]
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log, cwd=self.folder, **_user())
        until = time.monotonic() + LIMIT
        while not self._answers():
            if time.monotonic() > until or self._process.poll() is not None:
                raise RuntimeError((self.folder / "log").read_text())
            time.sleep(0.05)

    def stop(self) -> None:
        """End it at once: those who are connected are cut off."""
        if self._process is not None:
            self._process.send_signal(signal.SIGINT)
            self._process.wait(LIMIT)
            self._process = None

    def crash(self) -> None:
        """End it without its own shutting down; the next start reads its log."""
        self._process.send_signal(signal.SIGQUIT)
        self._process.wait(LIMIT)
        self._process = None

    def freeze(self) -> None:
        """Let it be silent: connections stay, and nothing answers."""
        self._tell_all(signal.SIGSTOP)

    def thaw(self) -> None:
        self._tell_all(signal.SIGCONT)

    def _tell_all(self, what: signal.Signals) -> None:
        for pid in self._pids():
            with contextlib.suppress(ProcessLookupError):  # a connection that has just ended
                os.kill(pid, what)

    def _pids(self) -> list[int]:
        """The server's process and those of its connections."""
        main = self._process.pid
        children = Path(f"/proc/{main}/task/{main}/children").read_text().split()
        return [main, *map(int, children)]

    def database(self, name: str = "") -> str:
        """The URL of a new, empty database."""
        name = name or f"db{next(self._numbers)}"
        self.sql(f'CREATE DATABASE "{name}"')
        return self.url(name)

    def url(self, name: str, port: int | None = None) -> str:
        return f"postgresql://tests@127.0.0.1:{port or self.port}/{name}"

    def sql(self, statement: str, database: str = "postgres") -> list[tuple]:
        import psycopg

        with psycopg.connect(self.url(database), autocommit=True) as connection:
            cursor = connection.execute(statement)
            return cursor.fetchall() if cursor.description else []

    def _answers(self) -> bool:
        import psycopg

        with contextlib.suppress(psycopg.OperationalError):
            psycopg.connect(self.url("postgres"), connect_timeout=5).close()
            return True
        return False

    def _run(self, program: str, *arguments: str) -> None:
        command = [str(self._bin / program), *arguments]
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=self.folder, **_user())
        if done.returncode:
            raise RuntimeError(done.stderr)


def _user() -> dict[str, Any]:
    """PostgreSQL and its pooler do not run as root."""
    return {"user": "postgres", "group": "postgres", "extra_groups": []} if os.getuid() == 0 else {}


def _memory() -> Path | None:
    """A folder in memory, where there is one with room: each database has three hundred files, made and removed."""
    shared = Path("/dev/shm")
    has_room = os.access(shared, os.W_OK) and shutil.disk_usage(shared).free > ROOM
    return shared if has_room else None


@contextlib.contextmanager
def cluster(bin_dir: Path, *, is_durable: bool = False) -> Iterator[Cluster]:
    """A running cluster, gone afterwards; one that is durable waits for the disk."""
    folder = Path(tempfile.mkdtemp(prefix="sts-emulator-pg-", dir=None if is_durable else _memory()))
    if os.getuid() == 0:
        shutil.chown(folder, "postgres", "postgres")
    try:
        made = Cluster(folder, bin_dir, is_durable=is_durable)
        made.start()
        try:
            yield made
        finally:
            made.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def pooler(cluster: Cluster) -> Iterator[int]:
    """The port of a pgbouncer in transaction mode before a cluster: each transaction may get another connection."""
    port = free_port()
    folder = cluster.folder / f"pooler-{port}"
    folder.mkdir()
    (folder / "users").write_text('"tests" ""\n')
    (folder / "ini").write_text(
        f"[databases]\n* = host=127.0.0.1 port={cluster.port}\n[pgbouncer]\nlisten_addr = 127.0.0.1\n"
        f"listen_port = {port}\nunix_socket_dir =\nauth_type = trust\nauth_file = {folder / 'users'}\n"
        "pool_mode = transaction\ndefault_pool_size = 4\nmax_client_conn = 500\n"
    )
    if os.getuid() == 0:
        shutil.chown(folder, "postgres")
    command = ["/usr/sbin/pgbouncer", "-q", str(folder / "ini")]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=folder, **_user())
    until = time.monotonic() + LIMIT
    while time.monotonic() < until:
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", port), 5).close()
            break
        time.sleep(0.05)
    try:
        yield port
    finally:
        process.terminate()
        process.wait()
