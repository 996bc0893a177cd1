"""Which service principals a trust policy may name.

AWS publishes no list. This one was gathered from the AWS-managed policies, the user guide and the service models; it
errs on the side of too many, because refusing a service that exists is worse than taking one that does not.
"""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path

_DOMAINS = (".amazonaws.com.cn", ".amazonaws.com", ".amazon.com")
_REGION = re.compile(r"[a-z]{2}(-[a-z]{2,5}){1,2}-[0-9]{1,2}")
_ALEXA = ("alexa-appkit", "alexa-connectedhome")


def is_known(principal: str) -> bool:
    """Whether there is such a service: `ec2.amazonaws.com`, regional (`logs.eu-west-1.amazonaws.com`) or internal."""
    if principal.endswith(".aws.internal"):
        return True
    domain = next((domain for domain in _DOMAINS if principal.endswith(domain)), "")
    service = principal.removesuffix(domain)
    if domain == ".amazon.com":
        return service in _ALEXA
    head, _, last = service.rpartition(".")
    return bool(domain) and (service in _names() or (head in _names() and bool(_REGION.fullmatch(last))))


@cache
def _names() -> frozenset[str]:
    return frozenset(json.loads(Path(__file__).with_suffix(".json").read_text("utf-8")))
