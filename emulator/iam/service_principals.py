"""Which service principals a trust policy may name."""

from __future__ import annotations

_DOMAINS = (".amazonaws.com", ".amazonaws.com.cn", ".amazon.com", ".aws.internal", ".aws.com")


def is_known(principal: str) -> bool:
    """Whether this looks like a service's principal."""
    return principal.endswith(_DOMAINS)
