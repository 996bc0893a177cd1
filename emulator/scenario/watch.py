"""Which scenario files a server is seeded from, and taking up what changes in them while it runs."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from pathlib import Path

from emulator.core.world import DEFAULT, World
from emulator.scenario.model import parse_file
from emulator.scenario.problems import ScenarioError, Where
from emulator.scenario.seed import apply
from emulator.vending.context import Server

log = logging.getLogger("emulator")

FOLDER = Path("trust_policies")
BUILT_IN = Path(__file__).parent / "default.yaml"
EVERY = 1.0  # seconds between two looks at the files
SUFFIXES = (".yaml", ".yml")

Seen = Mapping[Path, tuple[int, int]]


def sources(given: tuple[str, ...]) -> list[Path]:
    """The scenario files that `given` (files and folders) names, a folder's in order of name.

    Without any it is the folder `trust_policies` of the working directory, or else what the emulator brings along.

    Raises:
        ScenarioError: one of them does not exist.
    """
    places = [Path(each) for each in given] or [FOLDER if FOLDER.is_dir() else BUILT_IN]
    files: list[Path] = []
    for place in places:
        if place.is_dir():
            files += sorted(each for each in place.iterdir() if each.suffix in SUFFIXES and each.is_file())
        elif place.exists():
            files.append(place)
        else:
            raise ScenarioError.at(Where(str(place)), "no such file or folder")
    return list(dict.fromkeys(files))


def seed(server: Server) -> None:
    """Bring the default world to what the server's scenario files declare: all of them or none.

    A file that the world was seeded from before, and that has not changed since, is left alone: with `--state`, what
    was done to the world meanwhile outlives a restart.

    Raises:
        ScenarioError: a mistake in any of them; the world is then as before.
    """
    world = _world(server)
    scenarios = [parse_file(path) for path in sources(server.settings.scenario)]
    with world.unit(lock=True):
        for scenario in scenarios:
            known = world.get("scenario", scenario.file)
            if known is None or known["digest"] != scenario.digest:
                apply(server, world, scenario)


async def watch(server: Server, report: Callable[[str], None] = log.warning) -> None:
    """Take up changed and new scenario files until cancelled; a mistake is reported, and the last good state stays."""
    seen: Seen = _look(server)
    while True:
        await asyncio.sleep(EVERY)
        seen = await _take_up(server, seen, report)


async def _take_up(server: Server, seen: Seen, report: Callable[[str], None]) -> Seen:
    now = _look(server)
    for path, state in now.items():
        if seen.get(path) == state:
            continue
        try:
            scenario = await asyncio.to_thread(parse_file, path)
            apply(server, _world(server), scenario)
        except ScenarioError as error:
            report(f"{error}\n{path}: not taken up; what was there before stays")
        else:
            report(f"{path}: taken up")
    return now


def _look(server: Server) -> dict[Path, tuple[int, int]]:
    """Time of change and size of each scenario file, and of the files that it names."""
    try:
        files = sources(server.settings.scenario)
    except ScenarioError:  # a folder that was there at start is gone: there is nothing to take up
        return {}
    world = _world(server)
    return {path: _state([path, *_named(world, path)]) for path in files}


def _named(world: World, path: Path) -> list[Path]:
    record = world.get("scenario", str(path)) or {}
    return [path.parent / name for name in record.get("files", ())]


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
