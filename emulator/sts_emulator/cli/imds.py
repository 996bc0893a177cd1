"""`imds`: gives emulated instances an address: a port of this machine, or AWS's own ones in network namespaces."""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sts_emulator.cli.control import Control, add_server_options, control
from sts_emulator.cli.errors import UNUSABLE, CommandError
from sts_emulator.cli.screen import add_json, answer
from sts_emulator.policy.light_dataclass import dataclass

if TYPE_CHECKING:
    import socket

    from sts_emulator.network.relay import Route

PORTS = 65_536


HELP = "give instances the address of a metadata service"
DESCRIPTION = (
    "Serve instances' metadata: at a port of the emulator's machine, which is printed; or, with @NETNS or "
    "--link-local, at AWS's own addresses until interrupted, the endpoints of tasks and pods too."
)
EPILOG = "examples: sts-emulator imds web --listen 9911; sts-emulator imds web@lab1 db@lab2"


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "instances", nargs="+", metavar="INSTANCE[@NETNS]", help="its id or name, and a namespace of `ip netns`"
    )
    parser.add_argument("--listen", type=int, default=0, metavar="PORT", help="which port (default: any)")
    parser.add_argument(
        "--link-local", action="store_true", help="AWS's addresses in this process's own namespace (a container's)"
    )
    parser.add_argument(
        "--transparent",
        metavar="FILE",
        type=Path,
        help="there also serve TLS and DNS for AWS's host names, and write the authority to trust into FILE",
    )
    add_json(parser)
    add_server_options(parser)


def run(arguments: argparse.Namespace) -> None:
    """Print where each instance is, or stay and carry its connections."""
    if not 0 <= arguments.listen < PORTS:
        raise CommandError(f"`{arguments.listen}` is no port", UNUSABLE)
    wanted = [text.partition("@")[::2] for text in arguments.instances]
    if not arguments.link_local and not any(namespace for _, namespace in wanted):
        if arguments.transparent:
            raise CommandError("--transparent needs a namespace: @NETNS or --link-local", UNUSABLE)
        with control(arguments) as emulator:
            urls = {name: _open(emulator, arguments.world, "imds", name, arguments.listen)["url"] for name, _ in wanted}
        answer(arguments, urls, *(f"export AWS_EC2_METADATA_SERVICE_ENDPOINT={url}" for url in urls.values()))
        return
    if not sys.platform.startswith("linux"):
        raise CommandError("namespaces are Linux's", UNUSABLE)
    if len({namespace for _, namespace in wanted}) < len(wanted):
        raise CommandError("one namespace has room for one instance", UNUSABLE)
    with control(arguments) as emulator:
        carried = [_carry(emulator, arguments, instance, namespace) for instance, namespace in wanted]
    asyncio.run(_serve(carried))


@dataclass(frozen=True, slots=True)
class Carried:
    """One namespace's routes, and the socket on which its DNS queries are answered."""

    routes: Sequence[Route]
    names: socket.socket | None


def _open(emulator: Control, world: str, kind: str, workload: str = "", port: int = 0, *, relayed: bool = False) -> Any:
    body = {"kind": kind, "workload": workload, "port": port, "relayed": relayed}
    return emulator.api("POST", "worlds", world, "listeners", body=body)


def _carry(emulator: Control, arguments: argparse.Namespace, instance: str, namespace: str) -> Carried:
    """Make the sockets inside the namespace, and open the listeners to which they lead."""
    from sts_emulator.network.namespace import NamespaceError, Place, inside, listen, set_up
    from sts_emulator.network.relay import Route

    world = arguments.world
    opened = [
        (("169.254.169.254", "fd00:ec2::254"), 80, _open(emulator, world, "imds", instance, relayed=True)),
        (("169.254.170.2",), 80, _open(emulator, world, "ecs")),
        (("169.254.170.23", "fd00:ec2::23"), 80, _open(emulator, world, "pod-identity")),
    ]
    if arguments.transparent:
        tls = _open(emulator, world, "aws")
        arguments.transparent.write_text(tls["authority"], "ascii")
        opened.append((("127.0.0.1", "::1"), 443, tls))
    leads = [(Place(address, port), listener) for addresses, port, listener in opened for address in addresses]
    places = [place for place, _ in leads]
    if arguments.transparent:
        places.append(Place("127.0.0.1", 53, datagram=True))

    def make() -> list[socket.socket]:
        set_up()
        return listen(places)

    try:
        sockets = inside(namespace, make) if namespace else make()
    except (NamespaceError, OSError) as refused:
        raise CommandError(str(refused).lower()) from None
    print(f"{instance} is at 169.254.169.254 in {f'network namespace {namespace}' if namespace else 'this namespace'}")
    routes = [
        Route(made, listener["host"], listener["port"], limits_hops=listener["kind"] == "imds")
        for made, (_, listener) in zip(sockets, leads, strict=False)
    ]
    return Carried(routes, sockets[-1] if arguments.transparent else None)


async def _serve(carried: Sequence[Carried]) -> None:
    """Carry until interrupted."""
    from contextlib import AsyncExitStack

    from sts_emulator.network.relay import Relay

    over = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, over.set)
    async with AsyncExitStack() as stack:
        for namespace in carried:
            await stack.enter_async_context(Relay(namespace.routes, namespace.names))
        print("serving until interrupted", flush=True)
        await over.wait()
