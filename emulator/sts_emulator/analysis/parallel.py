"""Does the same with many files, in several processes when that is worth their start."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final, TypeVar

Result = TypeVar("Result")

WORTH_IT: Final = 256 << 10
"""Bytes of files below which one process is done before others have started."""


def spread(
    work: Callable[[Path, Any], Result], paths: Sequence[Path], plan: object, *, jobs: int = 0
) -> Iterator[Result]:
    """`work(path, plan)` of each path, in order; `jobs` is how many processes, 0 one for each processor."""
    wanted = min(jobs or _processors(), len(paths))
    if wanted < 2 or (not jobs and sum(map(_size, paths)) < WORTH_IT):  # noqa: PLR2004 - more than this one
        yield from (work(path, plan) for path in paths)
        return
    from concurrent.futures import ProcessPoolExecutor

    with ProcessPoolExecutor(wanted) as pool:
        yield from pool.map(work, paths, [plan] * len(paths), chunksize=max(1, len(paths) // (wanted * 8)))


def _processors() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
