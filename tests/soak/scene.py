"""What is run: nginx before three replicas on one PostgreSQL, and a network between all of them that can fail."""

from __future__ import annotations

import contextlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

from sts_emulator.shared_server import free_port
from tests import clusters

from .proxy import Proxy

REPLICAS = 3
LIMIT = 120.0  # seconds in which anything has to come up, on however slow a machine

NGINX = """
{user}
daemon off; pid {folder}/nginx.pid; error_log {folder}/nginx.log;
events {{ worker_connections 512; }}
http {{
  access_log off;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
  upstream replicas {{ {servers} keepalive 32; }}
  server {{
    listen 127.0.0.1:{port};
    location / {{
      proxy_pass http://replicas; proxy_http_version 1.1;
      proxy_set_header Connection ""; proxy_set_header Host $http_host;
      proxy_connect_timeout 2s; proxy_read_timeout 8s;
    }}
  }}
}}
"""
"""A call that may have been carried out is not sent to another replica: nginx's own default for what is no GET."""


class Replica:
    """A server, the port at which nginx finds it, and the way from it to the database."""

    def __init__(self, folder: Path, number: int, cluster: clusters.Cluster) -> None:
        self.number = number
        self.log = folder / f"replica-{number}.log"
        self.port = free_port()
        self.to_database = Proxy(cluster.port)
        self.before = Proxy(self.port)
        self._state = cluster.url("soak", self.to_database.port)
        self.process: subprocess.Popen | None = None

    def start(self) -> None:
        scenario = str(Path(__file__).with_name("world.yaml"))
        command = [sys.executable, "-m", "sts_emulator", "serve", "--port", str(self.port)]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [*command, "--state", self._state, "--scenario", scenario],
                env={name: value for name, value in os.environ.items() if not name.startswith("EMULATOR_")},
                stdout=log,
                stderr=log,
            )

    def end(self, how: signal.Signals) -> None:
        if self.process is not None:
            self.process.send_signal(how)
            self.process.wait()

    def is_ready(self) -> bool:
        with contextlib.suppress(OSError):
            urllib.request.urlopen(f"http://127.0.0.1:{self.port}/ready", timeout=120).close()
            return True
        return False


class Scene:
    """All of it, with the control API of one world."""

    def __init__(self, folder: Path, cluster: clusters.Cluster) -> None:
        self.folder = folder
        self.cluster = cluster
        cluster.sql("CREATE DATABASE soak")
        self.replicas = [Replica(folder, number, cluster) for number in range(REPLICAS)]
        self.port = free_port()
        self._nginx: subprocess.Popen | None = None

    def start(self) -> None:
        for replica in self.replicas:
            replica.start()
            self.wait_until(replica.is_ready)
        servers = " ".join(f"server 127.0.0.1:{replica.before.port} fail_timeout=1s;" for replica in self.replicas)
        user = "user root;" if os.getuid() == 0 else ""
        config = self.folder / "nginx.conf"
        config.write_text(NGINX.format(folder=self.folder, port=self.port, servers=servers, user=user))
        self._nginx = subprocess.Popen(["nginx", "-c", str(config), "-e", str(self.folder / "nginx.log")])
        self.wait_until(self._answers)

    def _answers(self) -> bool:
        with contextlib.suppress(OSError):
            urllib.request.urlopen(f"http://127.0.0.1:{self.port}/health", timeout=120).close()
            return True
        return False

    def end(self) -> None:
        if self._nginx is not None:
            self._nginx.terminate()
            self._nginx.wait()
        for replica in self.replicas:
            with contextlib.suppress(ProcessLookupError):
                replica.end(signal.SIGKILL)

    def wait_until(self, condition: Callable[[], bool]) -> None:
        until = time.monotonic() + LIMIT
        while not condition():
            if time.monotonic() > until:
                logs = [replica.log.read_text()[-2000:] for replica in self.replicas if replica.log.exists()]
                raise SystemExit("\n".join(["it does not come up", *logs]))
            time.sleep(0.05)

    def control(self, path: str, body: object = None) -> object:
        """Ask the first replica's control API; only while nothing fails."""
        url = f"http://127.0.0.1:{self.replicas[0].port}/_emulator/api/worlds{path}"
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(url, data, {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=LIMIT) as answer:
            return json.load(answer)


# -- what goes wrong --------------------------------------------------------------------------------------------------


class Misfortunes:
    """One thing goes wrong after the other, and is mended again; which, is told by a number."""

    def __init__(self, scene: Scene, seed: int) -> None:
        self._scene = scene
        self._random = random.Random(seed)
        self.told: dict[str, int] = {}

    def happen(self) -> None:
        """One misfortune, from its beginning to its end."""
        kinds = (
            *(self._killed, self._ended, self._stopped, self._no_way_to_database, self._slow_database),
            *(self._cut, self._no_way_to_replica, self._database_restarted, self._database_crashed),
            self._database_silent,
        )
        for replica in self._scene.replicas:
            if replica.process.poll() is not None:  # it found no database when it started, and said so
                replica.start()
        kind = self._random.choice(kinds)
        name = kind.__name__.removeprefix("_").replace("_", " ")
        self.told[name] = self.told.get(name, 0) + 1
        kind(self._random.choice(self._scene.replicas), self._random.uniform(0.2, 5))

    def _killed(self, replica: Replica, seconds: float) -> None:
        replica.end(signal.SIGKILL)
        time.sleep(seconds / 5)
        replica.start()

    def _ended(self, replica: Replica, seconds: float) -> None:
        replica.end(signal.SIGTERM)
        time.sleep(seconds / 5)
        replica.start()

    def _stopped(self, replica: Replica, seconds: float) -> None:
        replica.process.send_signal(signal.SIGSTOP)
        time.sleep(seconds)
        replica.process.send_signal(signal.SIGCONT)

    def _no_way_to_database(self, replica: Replica, seconds: float) -> None:
        replica.to_database.lose()
        time.sleep(seconds)
        replica.to_database.heal()

    def _slow_database(self, replica: Replica, seconds: float) -> None:
        replica.to_database.slow(self._random.uniform(0.001, 0.1))
        time.sleep(seconds)
        replica.to_database.heal()

    def _cut(self, replica: Replica, seconds: float) -> None:
        for _ in range(5):
            replica.to_database.cut()
            time.sleep(seconds / 5)

    def _no_way_to_replica(self, replica: Replica, seconds: float) -> None:
        replica.before.lose()
        time.sleep(seconds)
        replica.before.heal()

    def _database_restarted(self, _: Replica, seconds: float) -> None:
        self._scene.cluster.stop()
        time.sleep(seconds / 5)
        self._scene.cluster.start()

    def _database_crashed(self, _: Replica, seconds: float) -> None:
        self._scene.cluster.crash()
        time.sleep(seconds / 5)
        self._scene.cluster.start()

    def _database_silent(self, _: Replica, seconds: float) -> None:
        self._scene.cluster.freeze()
        time.sleep(seconds)
        self._scene.cluster.thaw()

    def mend(self) -> None:
        """Wait until all of it answers."""
        for replica in self._scene.replicas:
            if replica.process.poll() is not None:
                replica.start()
            self._scene.wait_until(replica.is_ready)


@contextlib.contextmanager
def running(folder: Path) -> Iterator[Scene]:
    """A scene that has started, gone afterwards."""
    bin_dir = clusters.programs()
    if bin_dir is None or shutil.which("nginx") is None:
        raise SystemExit("it needs PostgreSQL and nginx: Debian's packages `postgresql` and `nginx`")
    with clusters.cluster(bin_dir) as cluster:
        scene = Scene(folder, cluster)
        try:
            scene.start()
            yield scene
        finally:
            scene.end()
