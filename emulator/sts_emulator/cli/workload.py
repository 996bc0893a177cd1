"""`workload`: starts instances, tasks, pods and functions, and prints the environment of the programs in them."""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from sts_emulator.cli.control import Control, add_server_options, control
from sts_emulator.cli.env import FORMATS, SERVICES
from sts_emulator.cli.errors import CommandError
from sts_emulator.cli.inputs import named_values
from sts_emulator.cli.screen import Run, add_json, add_json_format, add_wide, answer, room, table
from sts_emulator.core.spelling import meant
from sts_emulator.core.terminal import printable
from sts_emulator.policy.json_types import Json

_HEADS: Final = ("KIND", "ID", "NAME", "ACCOUNT", "ROLE")
KINDS: Final = ("ec2", "ecs", "eks", "irsa", "lambda")


HELP = "start, list or stop instances, tasks, pods and functions"
DESCRIPTION = "Give a program of your own the address, the token and the environment of a workload."
EPILOG = 'example: eval "$(sts-emulator workload start ecs --role task --lifetime 60)"'


def add_options(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(metavar="ACTION", required=True)
    start = actions.add_parser("start", help="start one and print its environment")
    start.add_argument("kind", choices=KINDS, help="what it is; irsa is a pod with its service account's own token")
    add_workload_options(start)
    start.add_argument("--folder", type=Path, metavar="DIR", help="where token files go (default: a new one)")
    start.add_argument("--format", choices=tuple(FORMATS), default="sh", help="how to write them (default: sh)")
    add_json_format(start)
    _finish(start, _start)
    listed = actions.add_parser("list", help="list a world's workloads")
    add_json(listed)
    add_wide(listed)
    _finish(listed, _list)
    stop = actions.add_parser("stop", help="forget one; what it was given lives on until it expires")
    stop.add_argument("workload", metavar="ID", help="its id or name")
    add_json(stop)
    _finish(stop, _stop)


def _finish(parser: argparse.ArgumentParser, run: Run) -> None:
    add_server_options(parser)
    parser.set_defaults(run=run)


def add_workload_options(parser: argparse.ArgumentParser) -> None:
    """Give a command the options that say which workload is wanted."""
    parser.add_argument("--role", metavar="NAME", default="", help="the role that it has (a name, or an ARN)")
    parser.add_argument("--name", metavar="NAME", default="", help="a workload of the scenario, in place of a new one")
    parser.add_argument("--account", metavar="ID", default="", help="the account (default: the first that fits)")
    parser.add_argument(
        "--lifetime", type=int, metavar="SECONDS", help="of its credentials: a short one tests how an SDK renews them"
    )
    parser.add_argument(
        "--option",
        metavar="NAME=VALUE",
        action="append",
        default=[],
        help="of the workload: tokens=required, hop_limit=2, namespace=shop, snapstart=true, …",
    )


def wanted(arguments: argparse.Namespace) -> dict[str, Any]:
    """What to ask the control API for. Raises CommandError."""
    options = {name: _value(text) for name, text in named_values("--option", arguments.option)}
    if arguments.lifetime is not None:
        # A pod's credentials live as long as EKS says; what a pod has of its own is its token.
        options["expires_in" if arguments.kind in ("eks", "irsa") else "lifetime"] = arguments.lifetime
    return {
        "kind": arguments.kind,
        "role": arguments.role,
        "name": arguments.name,
        "account": arguments.account,
        "options": options,
    }


def addresses(emulator: Control, world: str, started: Mapping[str, Any]) -> dict[str, str]:
    """Where the endpoints of a workload are on this machine.

    SDKs keep the path of a container's URI but drop that of the metadata service, which has a port of its own.
    """
    base = emulator.endpoint(world)
    own = {kind: listener["url"] for kind, listener in started["listeners"].items() if kind == "imds"}
    return {"ecs": f"{base}/ecs", "pod-identity": f"{base}/pod-identity", "lambda": f"{base}/lambda", **own}


def _start(arguments: argparse.Namespace) -> None:
    from sts_emulator.workloads import environment

    body = wanted(arguments)
    with control(arguments) as emulator:
        started = emulator.api("POST", "worlds", arguments.world, "workloads", body=body)
        endpoint = emulator.endpoint(arguments.world)
        where = addresses(emulator, arguments.world, started)
    folder = arguments.folder or Path(tempfile.mkdtemp(prefix="sts-emulator-") if started["files"] else ".")
    if started["files"]:
        folder.mkdir(parents=True, exist_ok=True)
    for name, text in started["files"].items():
        (folder / name).write_text(text, "utf-8")
    variables = {
        "STS_EMULATOR_WORKLOAD": started["id"],
        **environment.variables(started, where, folder.resolve()),
        "AWS_ENDPOINT_URL": endpoint,
        **{f"AWS_ENDPOINT_URL_{service}": endpoint for service in SERVICES},
    }
    print("\n".join(FORMATS[arguments.format](variables)))


def _list(arguments: argparse.Namespace) -> None:
    with control(arguments) as emulator:
        workloads = emulator.api("GET", "worlds", arguments.world, "workloads")
    rows = [
        (work["kind"], work["id"], work["name"], work["account"], work.get("role") or work.get("profile") or "")
        for work in workloads
    ]
    shown = [tuple(map(printable, row)) for row in (_HEADS, *rows)]
    answer(arguments, workloads, *(table(shown, room(arguments), whole="ID") if rows else ()))


def _stop(arguments: argparse.Namespace) -> None:
    with control(arguments) as emulator:
        workloads = emulator.api("GET", "worlds", arguments.world, "workloads")
        for workload in workloads:
            if arguments.workload and arguments.workload in (workload["id"], workload["name"]):
                emulator.api("DELETE", "worlds", arguments.world, "workloads", workload["kind"], workload["id"])
                answer(arguments, {"stopped": workload["id"]})
                return
    near = meant(arguments.workload, (workload[member] for workload in workloads for member in ("id", "name")))
    hint = near or "; `sts-emulator workload list` lists them"
    raise CommandError(f"no workload `{arguments.workload}` in world `{arguments.world}`{hint}")


def _value(text: str) -> Json:
    """`true` and `false` are that, digits a number, anything else text."""
    if text in ("true", "false"):
        return text == "true"
    return int(text) if text.isascii() and text.isdigit() else text
