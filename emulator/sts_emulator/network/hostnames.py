"""Which host names are AWS's, and a name server that leads all of them to one address and knows no others."""

from __future__ import annotations

import asyncio
import ipaddress
import struct
from typing import Any, Final

from sts_emulator.core.hosts import is_aws

SERVICES: Final = (
    "sts",
    "iam",
    "oidc",
    "portal.sso",
    "signin",
    "cognito-idp",
    "cognito-identity",
    "rolesanywhere",
    "eks",
    "eks-auth",
    "ec2",
    "organizations",
    "identitystore",
    "sso",
)

_A, _AAAA, _ANY_TYPE, _IN = 1, 28, 255, 1
_NO_SUCH_NAME, _REFUSED_FORM = 3, 1
_TTL = 60
_LONGEST = 512  # bytes of a query over UDP


def known(region: str) -> list[str]:
    """The names that a hosts file should hold, for resolvers that are asked past the name server."""
    regional = [f"{service}.{region}.amazonaws.com" for service in SERVICES]
    return ["sts.amazonaws.com", "iam.amazonaws.com", "signin.aws.amazon.com", *regional]


class NameServer(asyncio.DatagramProtocol):
    """Answers DNS queries over UDP: AWS's hosts are at `address`, nothing else exists."""

    def __init__(self, address: str = "127.0.0.1") -> None:
        self._address = ipaddress.ip_address(address).packed
        self._transport: Any = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the socket to answer on."""
        self._transport = transport

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        """Answer one query; what is none is dropped."""
        answer = self.answer(data)
        if answer is not None:
            self._transport.sendto(answer, addr)

    def answer(self, query: bytes) -> bytes | None:
        """The answer to a query (RFC 1035), or None."""
        found = _question(query)
        if found is None:
            return None
        name, kind, end = found
        ours = is_aws(name) or name == "localhost"
        wanted = ours and kind == (_A if len(self._address) == 4 else _AAAA)  # noqa: PLR2004 - octets of IPv4
        identifier, flags = struct.unpack(">HH", query[:4])
        code = 0 if ours else _NO_SUCH_NAME
        # An authoritative answer that repeats the question and the wish for recursion.
        head = struct.pack(">HHHHHH", identifier, 0x8480 | flags & 0x0100 | code, 1, int(wanted), 0, 0)
        record = struct.pack(">HHHIH", 0xC00C, kind, _IN, _TTL, len(self._address)) + self._address if wanted else b""
        return head + query[12:end] + record


def _question(query: bytes) -> tuple[str, int, int] | None:
    """Name, type and end of the only question of a query; None when it is not such a query."""
    if not 17 <= len(query) <= _LONGEST or query[2] & 0xF8 or query[4:6] != b"\0\1":  # noqa: PLR2004 - head and question
        return None
    labels: list[str] = []
    at = 12
    while at < len(query) and query[at]:
        size = query[at]
        if size > 63 or at + size + 5 >= len(query) + 1:  # noqa: PLR2004 - a label, RFC 1035 §2.3.4; no compression
            return None
        labels.append(query[at + 1 : at + 1 + size].decode("latin-1"))
        at += size + 1
    if at + 5 > len(query):
        return None
    kind = struct.unpack(">H", query[at + 1 : at + 3])[0]
    return ".".join(labels).lower(), kind, at + 5
