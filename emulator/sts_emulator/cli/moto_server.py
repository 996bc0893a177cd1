"""`--upstream moto`: moto behind the door, in a process of its own that ends with the server."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections.abc import Iterator

from sts_emulator.cli.errors import UNUSABLE, CommandError

NAME = "moto"


@contextlib.contextmanager
def started(upstreams: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    """The upstreams, with the URL of a moto that is started now in place of its name. Raises CommandError."""
    if NAME not in upstreams:
        yield upstreams
        return
    from importlib.util import find_spec

    if find_spec("moto") is None or find_spec("flask") is None:
        raise CommandError("--upstream moto: moto is not installed; pip install 'sts-emulator[labs]'", UNUSABLE)
    # It ends when its standard input does, which the server alone holds open: with the server, however that ends.
    command = [sys.executable, "-m", __name__]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:  # noqa: S603 - ourselves
        assert process.stdout is not None
        port = process.stdout.readline().decode().strip()
        if not port:
            raise CommandError("--upstream moto: moto did not start")
        yield tuple(f"http://127.0.0.1:{port}" if upstream == NAME else upstream for upstream in upstreams)


def _run() -> None:
    """What its process does: listen on a free port, and tell which."""
    import logging

    from moto.moto_server.threaded_moto_server import ThreadedMotoServer

    logging.getLogger("werkzeug").setLevel(logging.ERROR)  # else it tells every request
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    print(server.get_host_and_port()[1], flush=True)
    sys.stdin.buffer.read()


if __name__ == "__main__":
    _run()
