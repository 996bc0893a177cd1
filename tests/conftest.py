"""Servers for tests that need one of their own: with a state file, with flags, or two on one file."""

from __future__ import annotations

import contextlib
import gc
import os
import re
import shutil
import ssl
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

import browsers
import clusters
import distribution
import javascript
import pytest
from hypothesis import settings

from sts_emulator.shared_server import free_port

settings.register_profile("whole", deadline=None)  # a busy machine is no failure
settings.register_profile("short", deadline=None, max_examples=20)
gc.set_threshold(50_000)  # boto3's clients are large, and often made: a third of their cost was looking for garbage
settings.load_profile("short")  # unless pytest's own option asks for the other
distribution.divide_ports()


@contextlib.contextmanager
def serving(*flags: str, cwd=None, prefix: Sequence[str] = ()) -> Iterator[tuple[str, subprocess.Popen]]:
    """`sts-emulator serve` on a free port: its URL and process."""
    port = free_port()
    command = [*prefix, sys.executable, "-m", "sts_emulator", "serve", "--port", str(port), *flags]
    environment = {"PATH": os.environ["PATH"], "PYTHONUNBUFFERED": "1"}
    process = subprocess.Popen(
        command, cwd=cwd, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    url = f"http://127.0.0.1:{port}"
    until = time.monotonic() + 240
    while time.monotonic() < until and process.poll() is None:
        with contextlib.suppress(OSError):
            urllib.request.urlopen(f"{url}/health", timeout=2).close()
            break
        time.sleep(0.02)
    try:
        yield url, process
    finally:
        process.terminate()
        process.wait()
        process.stdout.close()


@pytest.fixture(scope="session")
def terraform_plugins() -> Path:
    """A filesystem mirror that holds Terraform's AWS provider: where `TF_PLUGIN_DIR` or Terraform's own configuration says.

    Or where Terraform looks by itself ("implied local mirror directories" in its documentation), and below /opt.
    """
    if shutil.which("terraform") is None:
        pytest.skip("no `terraform` here")
    home = Path.home()
    config = Path(os.environ.get("TF_CLI_CONFIG_FILE", home / ".terraformrc"))
    configured = (
        re.findall(r'filesystem_mirror\s*\{[^}]*?\bpath\s*=\s*"([^"]+)"', config.read_text()) if config.exists() else []
    )
    places = [
        *filter(None, [os.environ.get("TF_PLUGIN_DIR"), *configured]),
        *(home / ".terraform.d/plugins", home / ".local/share/terraform/plugins"),
        *("/usr/local/share/terraform/plugins", "/usr/share/terraform/plugins"),
        *Path("/opt").glob("*"),
    ]
    for place in places:
        if (Path(place) / "registry.terraform.io/hashicorp/aws").is_dir():
            return Path(place)
    pytest.skip("no mirror of Terraform's AWS provider here")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    distribution.slow_first(items)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """By default xdist's own; its `loadgroup` does not see the groups of pytest 9.2 (pytest-xdist's issue 1386)."""
    return distribution.scheduler(config, log) if config.getvalue("dist") == "loadfile" else None


def pytest_collection_finish() -> None:
    gc.freeze()  # what was collected lives as long as the run


@pytest.fixture(scope="session", autouse=True)
def light_test_runs() -> Iterator[None]:
    """What these tests start as somebody else's test run loads no plugin that only this one needs: a second each."""
    with pytest.MonkeyPatch.context() as patch:
        unneeded = ("schemathesis", "hypothesispytest", "anyio")
        patch.setenv("PYTEST_ADDOPTS", " ".join(f"-p no:{plugin}" for plugin in unneeded))
        yield


@pytest.fixture(scope="session", autouse=True)
def authorities_read_once() -> Iterator[None]:
    """httpx reads the authorities of the whole web for each client that names no others: 25 ms, over a thousand times."""
    from httpx._transports import default

    create, usual = default.create_ssl_context, default.create_ssl_context()

    def create_unless_usual(*, verify: Any, **others: Any) -> ssl.SSLContext:
        return usual if verify is True else create(verify=verify, **others)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(default, "create_ssl_context", create_unless_usual)
        yield


@pytest.fixture(scope="session", autouse=True)
def classes_of_clients_made_once() -> Iterator[None]:
    """botocore makes a class, with a method an operation, for each client: half of a client's cost, thousands of times."""
    from botocore.client import ClientCreator

    create, known = ClientCreator._create_client_class, WeakKeyDictionary()

    def create_once(self: Any, name: str, model: Any) -> type:
        classes = known.setdefault(self._event_emitter, {})  # by session, whose listeners may add to a class
        key = name, model.api_version
        if key not in classes:
            classes[key] = create(self, name, model)
        return classes[key]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ClientCreator, "_create_client_class", create_once)
        yield


@pytest.fixture(scope="session", autouse=True)
def patience() -> None:
    """httpx waits five seconds where nobody says for how long, and our own client thirty: a busy machine can miss both."""
    from httpx import _config

    from sts_emulator.cli.control import Control

    usual = _config.DEFAULT_TIMEOUT_CONFIG
    usual.connect = usual.read = usual.write = usual.pool = 120
    Control.__init__.__kwdefaults__["patience"] = 120


@pytest.fixture(scope="session")
def serve():
    """`with serve("--permissive") as (url, process):` a server of the test's own."""
    return serving


@pytest.fixture(scope="session")
def school(serve, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a server for all tests of labs, with moto behind its door and a file as its state."""
    folder = tmp_path_factory.mktemp("school")
    with serve("--upstream", "moto", "--scenario", "/dev/null", "--state", "state.db", cwd=folder) as (url, _):
        yield url


@pytest.fixture(scope="module")  # no longer: Playwright keeps an event loop running, and other tests start their own
def chromium() -> Iterator[Any]:
    """A browser without a screen, for each file that uses one."""
    with browsers.chromium() as browser:
        yield browser


@pytest.fixture(scope="session")
def javascript_clients() -> Path:
    """The folder of the programs in JavaScript, with the libraries that they use."""
    return javascript.installed(Path(__file__).parent / "clients" / "js")


@pytest.fixture(scope="session")
def postgres() -> Iterator[clusters.Cluster]:
    """A PostgreSQL of the tests' own."""
    pytest.importorskip("psycopg", reason="psycopg is not installed: the extra `postgres`")
    bin_dir = clusters.programs()
    if bin_dir is None:
        pytest.skip("no PostgreSQL server here: Debian's package `postgresql`")
    with clusters.cluster(bin_dir) as cluster:
        yield cluster


@pytest.fixture(scope="session")
def pooler(postgres) -> Iterator[int]:
    """The port of a pgbouncer before it."""
    if not Path("/usr/sbin/pgbouncer").exists():
        pytest.skip("no pgbouncer here: Debian's package of that name")
    with clusters.pooler(postgres) as port:
        yield port
