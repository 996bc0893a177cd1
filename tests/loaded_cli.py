"""Version 1 of the AWS CLI, loaded once: each command forks that process, where hundreds would each load it anew.

It is the program itself, with the arguments, variables, folder and open files of whoever calls it.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

CALL = """#!{python} -IS
import json, os, socket, sys
with socket.socket(socket.AF_UNIX) as line:
    line.connect({place!r})
    socket.send_fds(line, [b"!"], [0, 1, 2])
    line.sendall(json.dumps([sys.argv[1:], os.getcwd(), dict(os.environ)]).encode())
    line.shutdown(socket.SHUT_WR)
    sys.exit(line.recv(1)[0])
"""


@contextlib.contextmanager
def loaded(folder: Path) -> Iterator[Path]:
    """A folder with an `aws` for the path of a shell."""
    place = folder / "socket"
    (folder / "bin").mkdir()
    program = folder / "bin" / "aws"
    program.write_text(CALL.format(python=sys.executable, place=str(place)))
    program.chmod(0o755)
    command = [sys.executable, __file__, str(place)]
    environment = {"PATH": os.environ["PATH"]}
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE) as process:
        process.stdout.readline()  # it listens
        yield program.parent
        process.terminate()


def serve(place: str) -> None:
    """Answer each call in a process of its own, until this one is ended."""
    from awscli import clidriver

    clidriver.create_clidriver()  # with all that it loads
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for them
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(place)
        listening.listen(16)
        print("ready", flush=True)
        while True:
            line, _ = listening.accept()
            with line:
                if os.fork() == 0:
                    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                    listening.close()
                    line.sendall(bytes([_run(line)]))
                    os._exit(0)


def _run(line: socket.socket) -> int:
    from awscli import clidriver

    _, files, *_ = socket.recv_fds(line, 1, 3)
    for number, file in enumerate(files):
        os.dup2(file, number)
        os.close(file)
    with line.makefile("rb") as told:
        arguments, folder, variables = json.load(told)
    os.chdir(folder)
    models = os.environ["AWS_DATA_PATH"]  # set while the CLI is loaded
    os.environ.clear()
    os.environ.update({**variables, "AWS_DATA_PATH": models})
    sys.argv = ["aws", *arguments]
    try:
        return clidriver.main() or 0
    except SystemExit as ended:
        return ended.code or 0
    finally:
        sys.stdout.flush()
        sys.stderr.flush()


if __name__ == "__main__":
    serve(sys.argv[1])
