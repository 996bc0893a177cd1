"""The pytest plugin: a fresh world for each test, in one emulator that all tests (and all xdist workers) share.

It is loaded by every test run of every project that has sts-emulator installed, so it imports nothing but the standard
library's smallest parts until a fixture is used, and boto3 only for `aws.client`.
"""

from __future__ import annotations

import itertools
import os
import secrets
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from sts_emulator.cli.control import Control

OPTION = "--sts-emulator"
REGION = "us-east-1"
START_LIMIT = 30.0  # seconds for the server to answer; it takes a quarter of one
ATTEMPTS = 5  # ports to try: between choosing one and listening on it, somebody else may take it
_HOUR = 3600

_numbers = itertools.count(1)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option that names a running emulator."""
    group = parser.getgroup("sts-emulator")
    group.addoption(OPTION, metavar="URL", default=None, help="use this running emulator instead of starting one")


def pytest_configure(config: pytest.Config) -> None:
    """Declare the marker."""
    config.addinivalue_line(
        "markers", "scenario(text_or_path): what the world of the `aws` fixture is seeded from: YAML, or a file of it"
    )


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    """Collect `*.trust.yaml`: each of its expectations is a test, tried without a server."""
    if file_path.name.endswith((".trust.yaml", ".trust.yml")):
        return TrustFile.from_parent(parent, path=file_path)
    return None


@pytest.fixture(scope="session")
def emulator_server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    """The emulator that this test run uses: the one of `--sts-emulator`, or one that is started for it."""
    url = request.config.getoption(OPTION)
    if url:
        yield Emulator(url)
        return
    folder = tmp_path_factory.getbasetemp()
    if hasattr(request.config, "workerinput"):  # under xdist each worker has a folder of its own, below a common one
        folder = folder.parent
    with ExitStack() as stack:
        yield stack.enter_context(_shared(folder / "sts-emulator"))


@pytest.fixture
def aws(request: pytest.FixtureRequest, emulator_server: Emulator) -> Iterator[Aws]:
    """A world of its own for the test, seeded from its `scenario` marker or else as a fresh server is."""
    marker = request.node.get_closest_marker("scenario")
    given = marker.args[0] if marker else None
    with emulator_server.world(_scenario_text(given, request.path.parent)) as world:
        yield world


class Emulator:
    """A running emulator."""

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")

    def control(self) -> Control:
        """A connection to its control API."""
        from sts_emulator.cli.control import Control

        return Control(self.url)

    @contextmanager
    def world(self, scenario: str | None = None, name: str | None = None) -> Iterator[Aws]:
        """A new world, deleted at the end; seeded from YAML, or as a fresh server is when `scenario` is None."""
        chosen = name or f"test-{secrets.token_hex(4)}-{next(_numbers)}"
        text = _default_scenario() if scenario is None else scenario
        control = self.control()
        control.api("POST", "worlds", body={"name": chosen, "scenario": text})
        try:
            yield Aws(control, chosen)
        finally:
            control.api("DELETE", "worlds", chosen)
            control.close()


class Aws:
    """One world of an emulator, as a test sees it."""

    def __init__(self, control: Control, world: str) -> None:
        self._control = control
        self.world = world
        self.endpoint_url = control.endpoint(world)
        self._keys: dict[str, dict[str, str]] = {}

    # -- clients --------------------------------------------------------------------------------------------------

    @property
    def account(self) -> str:
        """The id of the world's first account."""
        return self.root["account"]

    @property
    def root(self) -> dict[str, str]:
        """The root access key of the first account: account, access_key_id and secret_access_key."""
        return self.credentials()

    def credentials(self, *, account: str | None = None, user: str = "") -> dict[str, str]:
        """The access key of an account's root, or of a user: account, access_key_id and secret_access_key."""
        key = f"{account}/{user}"
        if key not in self._keys:
            self._keys[key] = self._api("GET", "credentials", account=account, user=user or None)
        return self._keys[key]

    def client(
        self, service: str, credentials: Mapping[str, Any] | None = None, *, user: str = "", **options: Any
    ) -> Any:
        """A boto3 client of this world.

        `credentials` may be a `Credentials` structure as STS gives it, or a mapping with access_key_id,
        secret_access_key and session_token; without them it is `user`, or root of the first account. `options` go to
        `boto3.client`.
        """
        given = credentials if credentials is not None else self.credentials(user=user)
        mine = {
            "endpoint_url": self.endpoint_url,
            "region_name": REGION,
            "aws_access_key_id": given.get("AccessKeyId", given.get("access_key_id")),
            "aws_secret_access_key": given.get("SecretAccessKey", given.get("secret_access_key")),
            "aws_session_token": given.get("SessionToken", given.get("session_token")),
        }
        return _boto3_session().client(service, **{**mine, **options})

    def env(self, credentials: Mapping[str, Any] | None = None, *, user: str = "") -> dict[str, str]:
        """Environment variables that point any AWS client at this world, with credentials as for `client`."""
        from sts_emulator.cli.env import variables

        given = credentials if credentials is not None else self.credentials(user=user)
        key = {
            "access_key_id": given.get("AccessKeyId", given.get("access_key_id", "")),
            "secret_access_key": given.get("SecretAccessKey", given.get("secret_access_key", "")),
            "session_token": given.get("SessionToken", given.get("session_token", "")),
        }
        return variables(self.endpoint_url, key, REGION)

    # -- the world ------------------------------------------------------------------------------------------------

    def token(self, issuer: str, /, **claims: Any) -> str:
        """A token of a lab issuer, named by its own name or a preset's: options of the preset and claims.

        Raises:
            TypeError: a name is nearly one that the issuer knows; `page` mints a token that really has such a claim.
        """
        from sts_emulator.idp.presets import misspelt

        if wrong := misspelt(issuer, claims):
            raise TypeError(wrong)
        return str(self.page("POST", f"issuers/{issuer}/token", body=claims)["token"])

    def page(self, method: str, path: str, *, body: Any = None) -> Any:
        """Any page of the world: JSON is decoded, anything else comes as text."""
        prefix = self.endpoint_url.removeprefix(self._control.url)
        return self._control.page(method, f"{prefix}/{path}", body=body)

    def load(self, scenario: str) -> None:
        """Create or update what a scenario (YAML) declares. Raises CommandError with its mistakes."""
        self._keys.clear()
        self._api("POST", "scenario", body=scenario)

    def advance(self, seconds: float = 0, *, minutes: float = 0, hours: float = 0, days: float = 0) -> None:
        """Move the world's clock forward."""
        total = seconds + minutes * 60 + hours * _HOUR + days * 24 * _HOUR
        self._api("POST", "clock", body={"advance_seconds": total})

    def now(self) -> float:
        """The world's time, in seconds since the epoch; whole ones."""
        from sts_emulator.core.clock import parse_iso

        return parse_iso(self._api("GET")["time"])

    def eventual_consistency(self, seconds: float) -> None:
        """From now on keep new principals, policies and keys unknown for so many seconds, as AWS may; 0 for never."""
        self._api("PUT", "eventual-consistency", body={"seconds": seconds})

    def faults(self, *faults: Mapping[str, Any]) -> None:
        """Let calls and visits fail, wait, hang or lose their answers: the members are in docs/worlds-and-time.md."""
        self._api("PUT", "faults", body=list(faults))

    def events(self, *, outcome: str | None = None) -> list[dict[str, Any]]:
        """What was attempted, oldest first, as CloudTrail-shaped records; `outcome` is allowed or denied."""
        found: list[dict[str, Any]] = self._api("GET", "events", limit=10_000, outcome=outcome)
        return found

    def messages(self, to: str = "") -> list[dict[str, Any]]:
        """Mails and text messages that people got, oldest first: those to an address or number, or all."""
        sent: list[dict[str, Any]] = self._api("GET", "messages", to=to or None)
        return sent

    def approve(self, what: str, user: str, *, deny: bool = False) -> dict[str, str]:
        """Sign in as somebody and approve a URL or code that a tool waits for; where the browser would go then.

        Raises CommandError where the page would refuse.
        """
        kind = "url" if "://" in what else "code"
        outcome: dict[str, str] = self._api("POST", "approve", body={kind: what, "user": user, "deny": deny})
        return outcome

    def explain(self, what: Any = "last") -> str:
        """Why an attempt was allowed or denied, as text: of a ClientError, a response, an event or its id."""
        return str(self._api("GET", "explain", _event_id(what), format="text"))

    def decisions(self, what: Any = "last") -> list[dict[str, Any]]:
        """Like `explain`, as data: every question that the attempt put to the policy engine, with its tree."""
        found: list[dict[str, Any]] = self._api("GET", "explain", _event_id(what), format="json")
        return found

    def _api(self, method: str, *path: str, body: Any = None, **query: Any) -> Any:
        return self._control.api(method, "worlds", self.world, *path, body=body, **query)


@cache
def _boto3_session() -> Any:
    """One session for all clients: it keeps the service models that it has read."""
    import boto3

    return boto3.session.Session()


def _event_id(what: Any) -> str:
    response = getattr(what, "response", what)
    if isinstance(response, Mapping):
        return str(response.get("eventID") or response["ResponseMetadata"]["RequestId"])
    return str(response)


def _scenario_text(given: str | Path | None, folder: Path) -> str | None:
    """YAML as given, or that of the file it names (beside the test's own, or from the working directory)."""
    if given is None or (isinstance(given, str) and ("\n" in given or ":" in given)):
        return given
    for path in (folder / given, Path(given)):
        if path.exists():
            return path.read_text(encoding="utf-8")
    message = f"no scenario file `{given}` beside the test or in {Path.cwd()}"
    raise pytest.UsageError(message)


def _default_scenario() -> str:
    from sts_emulator.scenario.watch import BUILT_IN

    return BUILT_IN.read_text(encoding="utf-8")


# -- expectations as tests ------------------------------------------------------------------------------------------


class TrustFile(pytest.File):
    """A scenario file whose expectations are tests."""

    def collect(self) -> Iterator[pytest.Item]:
        """One item an expectation; a mistake in the file is one error, with its line."""
        from sts_emulator.scenario import ScenarioError, parse_file

        try:
            scenario = parse_file(self.path)
        except ScenarioError as error:
            raise self.CollectError(str(error)) from None
        if not scenario.expect:
            raise self.CollectError(f"{self.path}: expects nothing")
        seen: dict[str, int] = {}
        for expectation in scenario.expect:
            title = expectation.title
            seen[title] = seen.get(title, 0) + 1
            name = title if seen[title] == 1 else f"{title} ({seen[title]})"
            yield TrustItem.from_parent(self, name=name, expectation=expectation, scenario=scenario)

    def rehearsal(self, scenario: Any) -> Any:
        """The world in which this file's expectations are tried, made for the first of them."""
        if not hasattr(self, "_rehearsal"):
            from sts_emulator.app import create_server
            from sts_emulator.scenario.rehearse import Rehearsal
            from sts_emulator.settings import Settings

            server = create_server(Settings())
            self.addfinalizer(server.worlds.store.close)
            self._rehearsal = Rehearsal(server, scenario)
        return self._rehearsal


class TrustItem(pytest.Item):
    """One expectation."""

    def __init__(self, *, expectation: Any, scenario: Any, **options: Any) -> None:
        super().__init__(**options)
        self._expectation = expectation
        self._scenario = scenario

    def runtest(self) -> None:
        """Try it. Raises Unexpected with the explanation."""
        from sts_emulator.analysis.trials import case
        from sts_emulator.scenario import ScenarioError

        parent = self.parent
        assert isinstance(parent, TrustFile)  # which made this item
        try:
            tried = case(parent.rehearsal(self._scenario).outcome(self._expectation))
        except ScenarioError as error:
            raise Unexpected(str(error)) from None
        if not tried.passed:
            raise Unexpected("\n".join((f"{tried.file}:{tried.line}: {tried.mismatch}", *tried.tree)))

    def repr_failure(self, excinfo: Any, *_: Any) -> Any:
        """The explanation alone: where in our code it was found out helps nobody."""
        return str(excinfo.value) if excinfo.errisinstance(Unexpected) else super().repr_failure(excinfo)

    def reportinfo(self) -> tuple[Path, int, str]:
        """File, line (from 0) and name."""
        return self.path, max(self._expectation.where.line - 1, 0), self.name


class Unexpected(Exception):  # noqa: N818 - not an error of ours: the expectation did not come about
    """An expectation that did not come as expected."""


# -- the server -----------------------------------------------------------------------------------------------------


@contextmanager
def _shared(folder: Path) -> Iterator[Emulator]:
    """One server for everybody who shares `folder`; it ends with the last of them, however they end.

    Each user holds a shared lock on `users`. The server itself asks for the exclusive one, and gets it when nobody
    is left: no count can go wrong when a worker crashes.
    """
    try:
        import fcntl
    except ImportError:  # not made for Windows: everybody has a server
        with _own() as url:
            yield Emulator(url)
        return
    folder.mkdir(exist_ok=True)
    process = None
    with (folder / "users").open("w") as users, (folder / "starting").open("w") as starting:
        fcntl.flock(starting, fcntl.LOCK_EX)
        fcntl.flock(users, fcntl.LOCK_SH)
        place = folder / "url"
        url = place.read_text() if place.exists() else ""
        if not url or not _answers(url):
            url, process = _start(folder / "users")
            place.write_text(url)
        fcntl.flock(starting, fcntl.LOCK_UN)
        try:
            yield Emulator(url)
        finally:
            is_last = _try_lock(users)
    if process is not None:
        _started.append(process)
        if is_last:
            process.wait()


_started: list[Any] = []  # so that a server which others still use is not collected, and complained of, here


def _try_lock(file: Any) -> bool:
    import fcntl

    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


@contextmanager
def _own() -> Iterator[str]:
    url, process = _start(None)
    try:
        yield url
    finally:
        process.terminate()
        process.wait()


def _start(users: Path | None) -> tuple[str, Any]:
    """Start a server on a free port, and wait until it answers."""
    import subprocess
    import sys
    import time

    for _ in range(ATTEMPTS):
        port = _free_port()
        command = [sys.executable, "-m", "sts_emulator.testing", str(port), *([] if users is None else [str(users)])]
        process = subprocess.Popen(  # noqa: S603 - this program itself
            command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, start_new_session=True
        )
        url = f"http://127.0.0.1:{port}"
        for _ in range(int(START_LIMIT / 0.02)):
            if process.poll() is not None:
                break
            if _answers(url):
                return url, process
            time.sleep(0.02)
    message = "the emulator did not start; what it says is on standard error"
    raise RuntimeError(message)


def _free_port() -> int:
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def _answers(url: str) -> bool:
    from sts_emulator.cli.control import Control
    from sts_emulator.cli.errors import CommandError

    control = Control(url)
    try:
        return bool(control.page("GET", "/health")["status"] == "ok")
    except (CommandError, KeyError, TypeError):
        return False
    finally:
        control.close()


def _serve(port: int, users: str | None) -> None:
    """What the server's process runs: an emulator without accounts of its own, until its last user is gone."""
    from dataclasses import replace
    from threading import Thread

    from sts_emulator.app import serve
    from sts_emulator.settings import Settings

    if users is not None:
        Thread(target=_end_with, args=(users,), daemon=True).start()
    serve(replace(Settings(), port=port, scenario=(os.devnull,)))


def _end_with(users: str) -> None:
    import fcntl
    import signal

    with Path(users).open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)  # granted when every user's process has let go
        os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    import sys

    _serve(int(sys.argv[1]), sys.argv[2] if len(sys.argv) > 2 else None)  # noqa: PLR2004 - port and users
