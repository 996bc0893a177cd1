"""The pytest plugin: a fresh world for each test, in one emulator that all tests (and all xdist workers) share.

It is loaded by every test run of every project that has sts-emulator installed, so it imports nothing but the standard
library's smallest parts until a fixture is used, and boto3 only for `aws.client`.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sts_emulator.emulation import Aws, Emulator

OPTION = "--sts-emulator"


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
    from sts_emulator.shared_server import shared

    with shared(folder / "sts-emulator") as url:
        yield Emulator(url)


@pytest.fixture
def aws(request: pytest.FixtureRequest, emulator_server: Emulator) -> Iterator[Aws]:
    """A world of its own for the test, seeded from its `scenario` marker or else as a fresh server is."""
    marker = request.node.get_closest_marker("scenario")
    given = marker.args[0] if marker else None
    with emulator_server.world(_scenario_text(given, request.path.parent)) as world:
        yield world


def _scenario_text(given: str | Path | None, folder: Path) -> str | None:
    """YAML as given, or that of the file it names (beside the test's own, or from the working directory)."""
    if given is None or (isinstance(given, str) and ("\n" in given or ":" in given)):
        return given
    for path in (folder / given, Path(given)):
        if path.exists():
            return path.read_text(encoding="utf-8")
    message = f"no scenario file `{given}` beside the test or in {Path.cwd()}"
    raise pytest.UsageError(message)


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
