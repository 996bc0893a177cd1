"""Network namespaces: the link-local addresses that AWS has, real ones, for one command or for a named namespace.

Linux only. Run as a program it makes a namespace of its own (no root needed where the kernel lets users have one),
hands its listening sockets to the process that started it, and becomes the command.
"""

from __future__ import annotations

import array
import ctypes
import errno
import os
import socket
import struct
import sys
import threading
from collections.abc import Callable, Sequence
from ipaddress import ip_address
from pathlib import Path
from typing import Final, NamedTuple, TypeVar

from sts_emulator.policy.light_dataclass import dataclass

CLONE_NEWNS, CLONE_NEWUSER, CLONE_NEWNET = 0x00020000, 0x10000000, 0x40000000
MS_BIND, MS_REC, MS_PRIVATE = 0x1000, 0x4000, 0x40000

LINK_LOCAL: Final = ("169.254.169.254", "169.254.170.2", "169.254.170.23", "fd00:ec2::254", "fd00:ec2::23")
"""EC2's metadata service, ECS's credentials, EKS's pod identity agent; then the first and the last over IPv6."""

RUN_NETNS: Final = Path("/run/netns")

Value = TypeVar("Value")


class Place(NamedTuple):
    """A socket to listen on: `datagram` for UDP."""

    address: str
    port: int
    datagram: bool = False


class NamespaceError(Exception):
    """The kernel does not let us: the text says what was tried."""


@dataclass(frozen=True, slots=True)
class Bind:
    """A file to be seen in another's place by the command."""

    source: str
    target: str


# -- addresses -------------------------------------------------------------------------------------------------------


def set_up() -> None:
    """Bring the loopback interface of this network namespace up, and give it AWS's addresses; those it has it keeps.

    Raises:
        NamespaceError: this process may not.
    """
    index = socket.if_nametoindex("lo")
    try:
        # struct ifinfomsg: family, pad, type, index, flags (IFF_UP), change mask.
        _netlink(16, 0, struct.pack("=BxHiII", socket.AF_UNSPEC, 0, index, 1, 1))
        for address in LINK_LOCAL:
            packed = ip_address(address).packed
            family = socket.AF_INET if len(packed) == 4 else socket.AF_INET6  # noqa: PLR2004 - octets
            # struct ifaddrmsg: family, prefix, flags (IFA_F_NODAD), scope, index; then IFA_ADDRESS and IFA_LOCAL.
            message = struct.pack("=BBBBI", family, len(packed) * 8, 2, 0, index)
            attributes = b"".join(struct.pack("=HH", 4 + len(packed), kind) + packed for kind in (1, 2))
            _netlink(20, 0x600, message + attributes)
    except PermissionError as refused:
        raise NamespaceError(f"addresses on lo: {(refused.strerror or '').lower()}") from None


def _netlink(kind: int, flags: int, body: bytes) -> None:
    """One request of rtnetlink(7), acknowledged; what exists already is no error. Raises OSError."""
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE) as link:
        link.send(struct.pack("=IHHII", 16 + len(body), kind, 5 | flags, 1, 0) + body)
        code = -struct.unpack("=i", link.recv(4096)[16:20])[0]
    if code and code not in (errno.EEXIST, errno.EAFNOSUPPORT):
        raise OSError(code, os.strerror(code))


def listen(places: Sequence[Place]) -> list[socket.socket]:
    """A socket for each place, in order. Raises OSError."""
    return [_listen(place) for place in places]


def _listen(place: Place) -> socket.socket:
    family = socket.AF_INET6 if ":" in place.address else socket.AF_INET
    made = socket.socket(family, socket.SOCK_DGRAM if place.datagram else socket.SOCK_STREAM)
    try:
        if family == socket.AF_INET6:
            made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind((place.address, place.port))
        if not place.datagram:
            made.listen(128)
    except OSError:
        made.close()
        raise
    return made


# -- a named namespace -----------------------------------------------------------------------------------------------


def inside(name: str, action: Callable[[], Value]) -> Value:
    """Do something in a network namespace that `ip netns` made: a socket made there stays there.

    Raises:
        NamespaceError: there is no such namespace, or it may not be entered.
    """
    outcome: list[Value] = []
    failure: list[Exception] = []

    def enter() -> None:
        try:
            descriptor = os.open(RUN_NETNS / name, os.O_RDONLY)
            try:
                _call("setns", descriptor, CLONE_NEWNET)
            finally:
                os.close(descriptor)
            outcome.append(action())
        except (OSError, NamespaceError) as error:
            failure.append(error)

    # A namespace is a thread's: this one's ends with it.
    thread = threading.Thread(target=enter)
    thread.start()
    thread.join()
    if failure:
        raise NamespaceError(f"network namespace `{name}`: {failure[0]}".lower())
    return outcome[0]


# -- a namespace of one command's own --------------------------------------------------------------------------------


def send(channel: socket.socket, sockets: Sequence[socket.socket]) -> None:
    """Hand sockets to the process at the other end."""
    descriptors = array.array("i", [listening.fileno() for listening in sockets])
    channel.sendmsg([b"s"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, descriptors)])


def receive(channel: socket.socket, count: int) -> list[socket.socket]:
    """The sockets that `send` sends. Raises NamespaceError with what the other side says in their place."""
    data, descriptors, _, _ = socket.recv_fds(channel, 4096, count)
    if len(descriptors) != count:
        for descriptor in descriptors:
            os.close(descriptor)
        raise NamespaceError(data.decode("utf-8", "replace") or "the namespace could not be made")
    return [socket.socket(fileno=descriptor) for descriptor in descriptors]


def enter() -> None:
    """Put this process into new network and mount namespaces, in a user namespace of its own where it is not root.

    Raises:
        NamespaceError: the kernel forbids it.
    """
    user, group = os.geteuid(), os.getegid()
    if user == 0:
        try:
            _call("unshare", CLONE_NEWNET | CLONE_NEWNS)
        except OSError:
            pass  # root without the right to do so, as in a container: like anybody else
        else:
            return
    try:
        _call("unshare", CLONE_NEWUSER | CLONE_NEWNET | CLONE_NEWNS)
        Path("/proc/self/setgroups").write_text("deny", "ascii")
        Path("/proc/self/uid_map").write_text(f"{user} {user} 1", "ascii")
        Path("/proc/self/gid_map").write_text(f"{group} {group} 1", "ascii")
    except OSError as refused:
        raise NamespaceError(f"a user namespace: {(refused.strerror or '').lower()}") from None


def bind_files(binds: Sequence[Bind]) -> None:
    """Show files in other files' places, to this process and its children only. Raises NamespaceError."""
    try:
        _call("mount", b"none", b"/", None, MS_REC | MS_PRIVATE, None)
        for bind in binds:
            target = os.path.realpath(bind.target)
            if os.path.exists(target):  # noqa: PTH110 - a path as text
                _call("mount", bind.source.encode(), target.encode(), None, MS_BIND, None)
    except OSError as refused:
        raise NamespaceError(f"a file in another's place: {(refused.strerror or '').lower()}") from None


def _call(name: str, *arguments: object) -> None:
    """A function of the C library that returns 0 (os.unshare and os.setns came with Python 3.12). Raises OSError."""
    library = ctypes.CDLL(None, use_errno=True)
    if getattr(library, name)(*arguments) != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))


def _main(arguments: Sequence[str]) -> None:
    """`FD ADDRESS/PORT[/udp],… SOURCE:TARGET,… COMMAND…`: make the namespace and become the command."""
    channel = socket.socket(fileno=int(arguments[0]))
    try:
        enter()
        set_up()
        bind_files([Bind(*pair.split(":", 1)) for pair in arguments[2].split(",") if pair])
        send(channel, listen([_place(text) for text in arguments[1].split(",")]))
    except (NamespaceError, OSError) as refused:
        channel.send(str(refused).encode())
        sys.exit(1)
    # The other side says when it serves; should it end before, this does too.
    if channel.recv(1) != b"g":
        sys.exit(1)
    channel.close()
    try:
        os.execvp(arguments[3], list(arguments[3:]))  # noqa: S606 - the command that the user gave
    except OSError as missing:
        print(f"sts-emulator: {arguments[3]}: {(missing.strerror or '').lower()}", file=sys.stderr)  # noqa: T201 - for the user
        sys.exit(127)


def _place(text: str) -> Place:
    address, port, *udp = text.split("/")
    return Place(address, int(port), bool(udp))


if __name__ == "__main__":
    _main(sys.argv[1:])
