"""Which scenario files a server is seeded from, and taking up what changes in them while it runs."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Container, Mapping
from functools import partial
from pathlib import Path

from sts_emulator.accounts import documents
from sts_emulator.core.spelling import nearest
from sts_emulator.core.store import UnavailableError
from sts_emulator.core.world import DEFAULT, World
from sts_emulator.scenario.drafting import apply_beside
from sts_emulator.scenario.load import read_bytes
from sts_emulator.scenario.model import Scenario, parse_data
from sts_emulator.scenario.problems import ScenarioError, Where
from sts_emulator.scenario.repeats import repeated
from sts_emulator.scenario.seed import apply
from sts_emulator.settings import pairs
from sts_emulator.vending.context import Server

log = logging.getLogger("emulator")

FOLDER = Path("trust_policies")
BUILT_IN = Path(__file__).parent / "default.yaml"
EVERY = 1.0  # seconds between two looks at the files
SUFFIXES = (".yaml", ".yml")

Seen = Mapping[Path, tuple[int, int]]


def sources(given: tuple[str, ...]) -> list[Path]:
    """The scenario files that `given` (files and folders) names, a folder's in order of name; also a `cdk.out`.

    Without any it is the folder `trust_policies` of the working directory, or else what the emulator brings along.

    Raises:
        ScenarioError: one of them does not exist.
    """
    places = [Path(text) for text in given] or [FOLDER if FOLDER.is_dir() else BUILT_IN]
    files: list[Path] = []
    for place in places:
        if place.is_dir():
            files += sorted(path for path in place.iterdir() if path.suffix in SUFFIXES and path.is_file())
            if (place / "manifest.json").is_file():  # what `cdk synth` writes
                files += sorted(place.rglob("*.template.json"))
        elif place.exists():
            files.append(place)
        else:
            raise ScenarioError.at(Where(str(place)), f"no such file or folder{_meant(place)}")
    return list(dict.fromkeys(files))


def _meant(place: Path) -> str:
    near = nearest(place.name, (path.name for path in place.parent.glob("*")), likeness=0.8)
    return f"; did you mean `{place.with_name(near)}`?" if near else ""


def seed(server: Server) -> None:
    """Bring the default world to what the server's scenario files declare: all of them or none.

    Of the folder that nobody named only `default.yaml` is seeded at once: the rest is taken up once the server answers
    (docs/performance.md), as a dropped file would be. A file that the world was seeded from before, and that has not
    changed since, is left alone: with `--state`, what was done to the world meanwhile outlives a restart.

    Raises:
        ScenarioError: a mistake in any of them; the world is then as before.
    """
    given = server.settings.scenario
    files = sources(given)
    if not given and FOLDER / BUILT_IN.name in files:
        files = [FOLDER / BUILT_IN.name]
    scenarios = [_read(server, path) for path in files]
    for line in repeated(scenarios):
        log.warning(line)
    world = _world(server)
    with world.unit(lock=True):
        for scenario in scenarios:
            if _is_news(server, scenario):
                apply(server, world, scenario)


def standing(server: Server) -> Container[Path]:
    """The scenario files that are there now, and of which nothing was seeded yet."""
    with contextlib.suppress(ScenarioError, UnavailableError):
        return frozenset(path for path in sources(server.settings.scenario) if _record(_world(server), path) is None)
    return ()


async def watch(
    server: Server,
    no_news: Container[Path],
    taken_up: Callable[[], Awaitable[None]] | None = None,
    report: Callable[[str], None] = log.warning,
) -> None:
    """Take up changed and new scenario files until cancelled; a mistake is reported, and the last good state stays.

    The first look reads all of them: what was seeded may have changed since. Of `no_news`, which stood there at the
    start, only what comes later is told. `taken_up` is called after something was. While the state is unavailable
    nothing is taken up: it is, once the state is back.
    """
    seen: Seen = {}
    while True:
        await asyncio.sleep(EVERY)
        with contextlib.suppress(UnavailableError):
            seen = await _take_up(server, seen, report, taken_up, no_news=no_news)
            no_news = ()


async def _take_up(
    server: Server,
    seen: Seen,
    report: Callable[[str], None],
    taken_up: Callable[[], Awaitable[None]] | None = None,
    *,
    no_news: Container[Path] = (),
) -> Seen:
    """Apply what differs from `seen`; of files in `no_news` only mistakes are reported."""
    now = await server.run(partial(_look, server))
    for path, state in now.items():
        if seen.get(path) == state:
            continue
        try:
            scenario = await asyncio.to_thread(_read, server, path)
            changed = await server.run(partial(_is_news, server, scenario))
            if changed:
                await server.run(server.worlds.store.probe)  # to wait for a lock holds others up
                await apply_beside(server, _world(server), scenario)
                if taken_up is not None:
                    await taken_up()
        except ScenarioError as error:
            report(f"{error}\n{path}: not taken up; what was there before stays")
        else:
            if changed and path not in no_news:
                report(f"{path}: taken up")
    return now


def _read(server: Server, path: Path) -> Scenario:
    # A file that holds nothing is welcome here: it may be filled later, and /dev/null stands for an empty account
    return parse_data(read_bytes(path), str(path), path.parent, parameters=dict(pairs(server.settings.parameter)))


def _is_news(server: Server, scenario: Scenario) -> bool:
    """Whether the world was not seeded from this very text."""
    known = _record(_world(server), Path(scenario.file))
    return known is None or known["digest"] != scenario.digest


def _record(world: World, path: Path) -> documents.SeededScenario | None:
    """What the world remembers of having been seeded from a file."""
    return world.get(documents.SCENARIO, str(path))


def _look(server: Server) -> dict[Path, tuple[int, int]]:
    """Time of change and size of each scenario file, and of the files that it names."""
    try:
        files = sources(server.settings.scenario)
    except ScenarioError:  # a folder that was there at start is gone: there is nothing to take up
        return {}
    return {path: _state([path, *_named(server, path)]) for path in files}


def _named(server: Server, path: Path) -> list[Path]:
    record = _record(_world(server), path)
    return [path.parent / name for name in record["files"]] if record else []


def _state(paths: list[Path]) -> tuple[int, int]:
    latest, size = 0, 0
    for path in paths:
        try:
            status = path.stat()
        except OSError:
            continue
        latest, size = max(latest, status.st_mtime_ns), size + status.st_size
    return latest, size


def _world(server: Server) -> World:
    world = server.worlds.get(DEFAULT)
    assert world is not None  # created with the server, and never deleted
    return world
