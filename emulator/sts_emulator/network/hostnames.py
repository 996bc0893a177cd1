"""Which host names are AWS's, and a name server that leads all of them to one address and knows no others."""

from __future__ import annotations

import asyncio
import ipaddress
from typing import Any, Final

from sts_emulator.core.hosts import is_aws

SERVICES: Final = (
    *("sts", "iam", "oidc", "portal.sso", "signin", "cognito-idp", "cognito-identity"),
    *("rolesanywhere", "eks", "eks-auth", "ec2", "organizations", "identitystore", "sso"),
)

_TTL = 60
_LONGEST = 512  # bytes of a query over UDP


def known(region: str) -> list[str]:
    """The names that a hosts file should hold, for resolvers that are asked past the name server."""
    regional = [f"{service}.{region}.amazonaws.com" for service in SERVICES]
    return ["sts.amazonaws.com", "iam.amazonaws.com", "signin.aws.amazon.com", *regional]


class NameServer(asyncio.DatagramProtocol):
    """Answers DNS queries over UDP: AWS's hosts are at `address`, nothing else exists."""

    def __init__(self, address: str = "127.0.0.1") -> None:
        self._address = ipaddress.ip_address(address)
        self._transport: Any = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        """Answer one query; what is none is dropped."""
        answer = self.answer(data)
        if answer is not None:
            self._transport.sendto(answer, addr)

    def answer(self, query: bytes) -> bytes | None:
        """The answer to a query (RFC 1035), or None."""
        from dnslib import AAAA, QTYPE, RCODE, RR, A, DNSError, DNSRecord

        try:
            asked = DNSRecord.parse(query[:_LONGEST]) if len(query) <= _LONGEST else None
        except DNSError:
            return None
        if asked is None or asked.header.qr or asked.header.opcode or len(asked.questions) != 1:
            return None
        name = str(asked.q.qname).lower().rstrip(".")
        ours = is_aws(name) or name == "localhost"
        answer = asked.reply(ra=1, aa=1)
        if not ours:
            answer.header.rcode = RCODE.NXDOMAIN
        elif asked.q.qtype == (QTYPE.A if self._address.version == 4 else QTYPE.AAAA):  # noqa: PLR2004 - as it is called
            record = (A if self._address.version == 4 else AAAA)(str(self._address))  # noqa: PLR2004 - the version is called 4
            answer.add_answer(RR(asked.q.qname, asked.q.qtype, rdata=record, ttl=_TTL))
        packed: bytes = answer.pack()
        return packed
