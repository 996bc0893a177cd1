"""`exec`: runs a command as if it were on EC2, in an ECS task, an EKS pod or a Lambda function, or a user or role."""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import socket
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import field
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from sts_emulator.cli.control import Control, add_server_options, control, settings_from_environment
from sts_emulator.cli.env import SERVICES
from sts_emulator.cli.errors import UNUSABLE, CommandError
from sts_emulator.cli.workload import KINDS, add_workload_options, addresses, wanted
from sts_emulator.policy.light_dataclass import dataclass

CALLERS: Final = ("user", "role")
LOOK_EVERY: Final = 2.0  # seconds between two looks at the world's clock, by which token files age
NOT_FOUND, KILLED = 127, 128  # as shells report them
_PATIENCE = ("AWS_METADATA_SERVICE_TIMEOUT", "AWS_METADATA_SERVICE_NUM_ATTEMPTS")
"""How long an SDK waits for metadata, which tells nobody who it is (docs/aws/instance-metadata.md, "Clients")."""
_PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")
_LOCAL = "127.0.0.1,localhost,::1,169.254.169.254,169.254.170.2,169.254.170.23"


HELP = "run a command as a workload, a user or a role"
DESCRIPTION = "Run a command with what it finds on EC2, in a task, a pod or a function; or as a user or role."
EPILOG = "example: sts-emulator exec --as ec2 --role app-server -- aws sts get-caller-identity"


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--as", dest="kind", choices=KINDS + CALLERS, required=True, help="what it runs as")
    add_workload_options(parser)
    parser.add_argument("--user", metavar="NAME", default="", help="the user: for --as user, and who assumes --role")
    how = parser.add_mutually_exclusive_group()
    how.add_argument(
        "--isolated", action="store_true", help="AWS's real addresses and host names, in a namespace of its own (Linux)"
    )
    how.add_argument("--proxy", action="store_true", help="AWS's real host names, by way of a CONNECT proxy")
    parser.add_argument("command", nargs=argparse.REMAINDER, metavar="-- COMMAND", help="what to run")
    add_server_options(parser)


def run(arguments: argparse.Namespace) -> int:
    """Run the command; its exit code is ours."""
    command = arguments.command[1:] if arguments.command[:1] == ["--"] else arguments.command
    if not command:
        raise CommandError("say what to run, behind `--`", UNUSABLE)
    if arguments.isolated and not sys.platform.startswith("linux"):
        raise CommandError("--isolated needs Linux; --proxy works everywhere", UNUSABLE)
    with ExitStack() as stack:
        emulator = stack.enter_context(control(arguments))
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="sts-emulator-")))
        stage = Stage(emulator, arguments.world, folder, arguments.isolated)
        if arguments.kind in KINDS:
            stack.enter_context(_workload(stage, arguments))
        else:
            _caller(stage, arguments)
        _lead(stage, arguments)
        return asyncio.run(_run(stage, command))


@dataclass
class Stage:
    """What is set up for the command: its environment, and in isolation where its addresses lead.

    `routes` are (address, port, listener's host, listener's port). `started` is the workload, None for a caller;
    `body` asked for it and would do so again.
    """

    emulator: Control
    world: str
    folder: Path
    isolated: bool
    environment: dict[str, str] = field(default_factory=dict)
    routes: list[tuple[str, int, str, int]] = field(default_factory=list)
    started: Mapping[str, Any] | None = None
    body: Mapping[str, Any] = field(default_factory=dict)

    def api(self, method: str, *path: str, body: Any = None, **query: Any) -> Any:
        """The control API of the world."""
        return self.emulator.api(method, "worlds", self.world, *path, body=body, **query)

    def write(self, name: str, text: str) -> Path:
        """A file of the command's, as a whole or not at all; token files must not end in a newline."""
        path, draft = self.folder / name, self.folder / f"{name}.new"
        draft.write_text(text, "utf-8")
        draft.replace(path)
        return path


# -- what it runs as ---------------------------------------------------------------------------------------------------


@contextmanager
def _workload(stage: Stage, arguments: argparse.Namespace) -> Iterator[None]:
    """Start the workload, and stop it afterwards when it is a new one."""
    from sts_emulator.workloads import environment

    body = wanted(arguments)
    if arguments.isolated and arguments.kind in ("ec2", "ecs", "eks"):
        body["options"]["relayed"] = True
    stage.body = body
    last = stage.api("GET", "events", limit=1)
    started = stage.started = stage.api("POST", "workloads", body=stage.body)
    if started["kind"] == "eks":  # its next token is for the same service account
        stage.body = {**stage.body, "name": started["id"], "role": ""}
    for name, text in started["files"].items():
        stage.write(name, text)
    stage.environment |= environment.variables(started, _addresses(stage, started), stage.folder)
    try:
        yield
    finally:
        with suppress(CommandError):
            _tell_refusal(stage, last[0]["eventID"] if last else None)
        if started["made"]:
            with suppress(CommandError):
                stage.api("DELETE", "workloads", started["kind"], started["id"])


def _tell_refusal(stage: Stage, after: str | None) -> None:
    """Say why the workload got no credentials: its program knows no more than that there were none."""
    for event in stage.api("GET", "events", after=after, limit=10_000):
        if "errorCode" in event and event["eventName"].startswith("AssumeRole") and _is_services(stage, event):
            explanation = stage.api("GET", "explain", event["eventID"], format="text")
            print(f"sts-emulator: the workload got no credentials\n{explanation.rstrip()}", file=sys.stderr)
            return


def _is_services(stage: Stage, event: Mapping[str, object]) -> bool:
    """Whether AWS asked for the workload, or the pod with its token; and not the command, for something else."""
    asks_itself = {"eks": "AssumeRoleForPodIdentity", "irsa": "AssumeRoleWithWebIdentity"}
    return (
        str(event["sourceIPAddress"]).endswith(".amazonaws.com")
        or asks_itself.get(stage.body["kind"]) == event["eventName"]
    )


def _addresses(stage: Stage, started: Mapping[str, Any]) -> Mapping[str, str]:
    """Where the workload's endpoints are for the command; in isolation they are routed to the real ones."""
    from sts_emulator.workloads.environment import REAL

    here = addresses(stage.emulator, stage.world, started)
    if not stage.isolated:
        return here
    real = {
        "imds": ("169.254.169.254", "fd00:ec2::254"),
        "ecs": ("169.254.170.2",),
        "pod-identity": ("169.254.170.23", "fd00:ec2::23"),
    }
    for kind, listener in started["listeners"].items():
        stage.routes += [(address, 80, listener["host"], listener["port"]) for address in real[kind]]
    return {**REAL, "lambda": here["lambda"]}


def _caller(stage: Stage, arguments: argparse.Namespace) -> None:
    """A user's access key in the environment; for a role, a profile by which the SDK assumes it as that user."""
    if arguments.kind == "role" and not (arguments.role and arguments.user):
        raise CommandError("--as role needs --role and the --user that assumes it", UNUSABLE)
    key = stage.api("GET", "credentials", account=arguments.account or None, user=arguments.user or None)
    region = settings_from_environment().region
    stage.environment |= {"AWS_REGION": region, "AWS_DEFAULT_REGION": region, "AWS_EC2_METADATA_DISABLED": "true"}
    if arguments.kind == "user":
        stage.environment |= {
            "AWS_ACCESS_KEY_ID": key["access_key_id"],
            "AWS_SECRET_ACCESS_KEY": key["secret_access_key"],
        }
        return
    role = (
        arguments.role if arguments.role.startswith("arn:") else f"arn:aws:iam::{key['account']}:role/{arguments.role}"
    )
    profiles = (
        f"[default]\nrole_arn = {role}\nsource_profile = {arguments.user}\nrole_session_name = {arguments.user}\n\n"
        f"[profile {arguments.user}]\naws_access_key_id = {key['access_key_id']}\n"
        f"aws_secret_access_key = {key['secret_access_key']}\n"
    )
    stage.environment["AWS_CONFIG_FILE"] = str(stage.write("config", profiles))


# -- how its calls get here --------------------------------------------------------------------------------------------


def _lead(stage: Stage, arguments: argparse.Namespace) -> None:
    """Lead the command's AWS calls to the emulator: endpoint variables, a proxy, or the real names in isolation."""
    from sts_emulator.workloads.environment import trusting

    if not (arguments.isolated or arguments.proxy):
        endpoint = stage.emulator.endpoint(stage.world)
        names = ("AWS_ENDPOINT_URL", *(f"AWS_ENDPOINT_URL_{service}" for service in SERVICES))
        stage.environment |= dict.fromkeys(names, endpoint)
        return
    opened = stage.api("POST", "listeners", body={"kind": "proxy" if arguments.proxy else "aws"})
    stage.environment |= trusting(opened["authority"], stage.folder)
    if arguments.proxy:
        stage.environment |= dict.fromkeys(("HTTPS_PROXY", "https_proxy"), opened["url"])
        stage.environment |= dict.fromkeys(("NO_PROXY", "no_proxy"), _LOCAL)
        return
    stage.routes += [(address, 443, opened["host"], opened["port"]) for address in ("127.0.0.1", "::1")]
    server = urlsplit(stage.emulator.url)
    stage.routes.append(("127.0.0.1", server.port or 80, server.hostname or "127.0.0.1", server.port or 80))


def _environment(stage: Stage) -> dict[str, str]:
    """The command's whole environment: ours, without AWS's settings, proxies and authorities, and what was set up."""
    from sts_emulator.workloads.environment import AUTHORITY

    gone = {*AUTHORITY, "SSL_CERT_DIR"} if any(name in stage.environment for name in AUTHORITY) else set()
    kept = {
        name: value
        for name, value in os.environ.items()
        if (not name.startswith("AWS_") or name in _PATIENCE) and name not in gone and name.upper() not in _PROXIES
    }
    nothing = str(stage.folder / "nothing")
    return {
        **kept,
        "AWS_CONFIG_FILE": nothing,
        "AWS_SHARED_CREDENTIALS_FILE": nothing,
        **stage.environment,
    }


# -- running -----------------------------------------------------------------------------------------------------------


async def _run(stage: Stage, command: Sequence[str]) -> int:
    renewing = asyncio.create_task(_renew(stage))
    try:
        return await (_run_isolated if stage.isolated else _run_plain)(stage, command)
    finally:
        renewing.cancel()


async def _run_plain(stage: Stage, command: Sequence[str]) -> int:
    try:
        process = await asyncio.create_subprocess_exec(*command, env=_environment(stage))
    except OSError as missing:
        raise CommandError(f"{command[0]}: {(missing.strerror or '').lower()}", NOT_FOUND) from None
    return await _wait(process)


async def _run_isolated(stage: Stage, command: Sequence[str]) -> int:
    from sts_emulator.network import hostnames
    from sts_emulator.network.namespace import NamespaceError, receive
    from sts_emulator.network.relay import Relay, Route

    region = stage.environment["AWS_REGION"]
    hosts = "127.0.0.1 localhost\n::1 localhost\n127.0.0.1 " + " ".join(hostnames.known(region)) + "\n"
    binds = {
        stage.write("hosts", hosts): "/etc/hosts",
        stage.write("resolv.conf", "nameserver 127.0.0.1\n"): "/etc/resolv.conf",
    }
    places = [f"{address}/{port}" for address, port, _, _ in stage.routes] + ["127.0.0.1/53/udp"]
    ours, theirs = socket.socketpair()
    program = (sys.executable, "-m", "sts_emulator.network.namespace", str(theirs.fileno()), ",".join(places))
    shown = ",".join(f"{source}:{target}" for source, target in binds.items())
    process = await asyncio.create_subprocess_exec(
        *program, shown, *command, env=_environment(stage), pass_fds=[theirs.fileno()]
    )
    theirs.close()
    with ours:
        try:
            sockets = await asyncio.to_thread(receive, ours, len(places))
        except NamespaceError as refused:
            await process.wait()
            raise CommandError(f"--isolated: {refused}") from None
        routes = [
            Route(made, host, port, limits_hops=address in ("169.254.169.254", "fd00:ec2::254"))
            for made, (address, _, host, port) in zip(sockets, stage.routes, strict=False)
        ]
        async with Relay(routes, sockets[-1]):
            ours.send(b"g")
            return await _wait(process)


async def _wait(process: asyncio.subprocess.Process) -> int:
    """The command's exit code; the terminal tells it of interrupts itself, and what ends us ends it."""
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, process.send_signal, number)
    loop.add_signal_handler(signal.SIGINT, lambda: None)
    code = await process.wait()
    return code if code >= 0 else KILLED - code


async def _renew(stage: Stage) -> None:
    """Write new token files when they age, as the kubelet does; they age by the world's clock."""
    from sts_emulator.core.clock import parse_iso

    started = stage.started
    while started is not None and started["renew_at"] is not None:
        await asyncio.sleep(LOOK_EVERY)
        with suppress(CommandError):  # a server that is away will be back, or the command will see for itself
            if parse_iso(stage.emulator.api("GET", "worlds", stage.world)["time"]) >= started["renew_at"]:
                started = stage.api("POST", "workloads", body=stage.body)
                for name, text in started["files"].items():
                    stage.write(name, text)
