"""Several processes on one port: a parent that answers nobody starts workers, starts again who dies, and ends them."""

from __future__ import annotations

import logging
import os
import shutil
import signal
import socket
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NoReturn

from sts_emulator.core import clock
from sts_emulator.policy.light_dataclass import dataclass
from sts_emulator.serving.acceptor import bound
from sts_emulator.settings import Settings

log = logging.getLogger("emulator")

PATIENCE: Final = 6
"""Seconds in which all workers have to end; then they are killed. `docker stop` waits for ten."""

YOUNG: Final = 5.0
"""Who dies younger than so many seconds is followed by one that waits a second: a fault must not become a storm."""

_ENDING: Final = (signal.SIGTERM, signal.SIGINT)
_HEARD: Final = (*_ENDING, signal.SIGCHLD, signal.SIGALRM, signal.SIGUSR1)


@dataclass(frozen=True, slots=True)
class Worker:
    """One process of several. The first seeds the world, watches scenario files, and opens listeners of workloads."""

    number: int
    is_again: bool
    """Whether it stands for one that has died."""
    sockets: Sequence[list[socket.socket]]
    """Where it accepts connections: of http, and of https where that is wanted."""
    inner: socket.socket
    """Where the first worker takes from the others what only one can do."""
    parent: int
    """A pipe that ends with the parent."""

    @property
    def is_first(self) -> bool:
        return self.number == 0

    def tell_ready(self) -> None:
        """Let the parent start the others: they find a world that is seeded."""
        if self.is_first and not self.is_again:
            os.kill(os.getppid(), signal.SIGUSR1)


def fork(settings: Settings) -> Worker:
    """Become one of the workers. The parent does not return: it ends as they do.

    Raises:
        OSError: a port cannot be listened on.
    """
    ports = [settings.port, *([settings.tls_port] if settings.tls_port else [])]
    return _Parent([bound(settings.host, port) for port in ports]).work(settings.workers)


class _Parent:
    """INVARIANT: no threads, no event loop and no open state before a fork, which none of them would survive."""

    def __init__(self, sockets: Sequence[list[socket.socket]]) -> None:
        self._sockets = sockets
        self._folder = tempfile.mkdtemp(prefix="sts-emulator-")  # for its owner alone
        self._inner = socket.socket(socket.AF_UNIX)
        self._inner.bind(str(Path(self._folder) / "first"))
        self._end, self._own_end = os.pipe()
        self._workers: dict[int, tuple[int, float]] = {}
        """Number and start, by process."""

    def work(self, count: int) -> Worker:
        """What each worker returns from; see `fork`."""
        signal.pthread_sigmask(signal.SIG_BLOCK, _HEARD)
        worker = self._start(0, is_again=False)
        while worker is None:
            heard = signal.sigwait(_HEARD)
            if heard in _ENDING:
                self._end_all(heard)
            elif heard == signal.SIGUSR1:
                others = (self._start(number, is_again=False) for number in range(1, count))
                worker = next(filter(None, others), None)
            elif heard == signal.SIGCHLD:
                worker = self._start_again()
        return worker

    def _start(self, number: int, *, is_again: bool, wait: float = 0) -> Worker | None:
        """A new worker, in its own process; None in the parent."""
        sys.stdout.flush()
        sys.stderr.flush()
        process = os.fork()
        if process:
            self._workers[process] = (number, clock.monotonic())
            return None
        os.close(self._own_end)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _HEARD)
        time.sleep(wait)
        return Worker(number, is_again, self._sockets, self._inner, self._end)

    def _start_again(self) -> Worker | None:
        """Others for those who have died: the worker, in its process."""
        for process in list(self._workers):
            ended, status = os.waitpid(process, os.WNOHANG)
            if not ended:
                continue
            number, started = self._workers.pop(process)
            code = os.waitstatus_to_exitcode(status)
            if not self._workers:  # nobody served with it: it has said why, or there is nothing that could be helped
                self._leave(code)
            log.warning("worker %d (process %d) has ended%s: it is started again", number + 1, process, _how(code))
            wait = 1.0 if clock.monotonic() - started < YOUNG else 0.0
            if (worker := self._start(number, is_again=True, wait=wait)) is not None:
                return worker
        return None

    def _end_all(self, told: int) -> NoReturn:
        self._tell_all(signal.SIGTERM)
        signal.alarm(PATIENCE)
        while self._workers:
            if signal.sigwait(_HEARD) in (signal.SIGALRM, *_ENDING):  # also who asks twice wants it now
                self._tell_all(signal.SIGKILL)
            for process in list(self._workers):
                if os.waitpid(process, os.WNOHANG)[0]:
                    del self._workers[process]
        self._leave(-told)

    def _tell_all(self, what: signal.Signals) -> None:
        for process in self._workers:
            os.kill(process, what)

    def _leave(self, code: int) -> NoReturn:
        """End with that exit code; by a signal, where it is that."""
        shutil.rmtree(self._folder, ignore_errors=True)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _HEARD)
        if code < 0:
            signal.raise_signal(-code)
        sys.exit(code)


def _how(code: int) -> str:
    return f" by signal {-code}" if code < 0 else f" with exit code {code}" if code else ""
