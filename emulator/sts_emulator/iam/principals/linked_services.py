"""Which services have roles of their own, what AWS calls the roles, and the policy that it attaches to each.

The list is in linked_services.json, by principal without `.amazonaws.com`: what follows `AWSServiceRoleFor`, the
policy (empty: not known), and whether several may be made under different endings. Names are AWS's: from LocalStack's
list, which was validated on AWS (localstack/localstack services/iam/resources/service_linked_roles.py, Apache-2.0),
and where it leaves one out, from what `aws iam list-roles` printed in an account that had been given every such role
(a public Terraform module's own listing, 2022). Not of every policy there is a text here.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Final, NamedTuple

DOMAIN: Final = ".amazonaws.com"


class LinkedService(NamedTuple):
    """What is known of one service's role; `role` follows `AWSServiceRoleFor`."""

    role: str
    policy: str
    suffix: bool


def find(principal: str) -> LinkedService | None:
    """The service whose principal that is, or None where AWS makes no role on request."""
    return _services().get(principal)


@cache
def _services() -> Mapping[str, LinkedService]:
    listed = json.loads(Path(__file__).with_suffix(".json").read_text("utf-8"))
    return {principal + DOMAIN: LinkedService(*known) for principal, known in listed.items()}
