"""Host names: which are this machine's, and which are AWS's; nothing is resolved."""

from __future__ import annotations

import ipaddress
from typing import Final

AWS_DOMAINS: Final = (
    *("amazonaws.com", "api.aws", "app.aws", "awsapps.com", "signin.aws", "aws.amazon.com"),
    "amazoncognito.com",
)
"""Domains whose hosts the emulator answers for (docs/aws/clients.md, "Transparent mode")."""


def is_aws(host: str) -> bool:
    """Whether a host name is one of AWS's."""
    name = host.lower().rstrip(".")
    return any(name == domain or name.endswith(f".{domain}") for domain in AWS_DOMAINS)


def is_loopback(host: str) -> bool:
    """Whether a URL's host names this machine."""
    if host == "localhost" or host.endswith(".localhost"):  # RFC 6761 §6.3
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def is_address(host: str) -> bool:
    """Whether a host is an address, and no name."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
