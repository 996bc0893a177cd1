"""What a world stores of IAM Roles Anywhere: trust anchors, profiles, CRLs and subjects. As accounts.documents."""

from __future__ import annotations

from typing import Any, NotRequired, TypedDict

from sts_emulator.accounts.documents import Tags
from sts_emulator.core.store import Kind


class AnywhereResource(TypedDict):
    """What every resource of IAM Roles Anywhere has."""

    id: str
    arn: str
    account: str
    region: str
    name: NotRequired[str]
    enabled: bool
    created: float
    updated: float
    tags: Tags
    alias: NotRequired[str]  # "" once it was taken away


class TrustAnchor(AnywhereResource):
    """Which certificate authority an account trusts."""

    source: dict[str, str]  # type, and pem or pca: the ARN of a Private CA
    crl_dp: bool
    notifications: dict[str, Any]  # settings by event


class AnywhereProfile(AnywhereResource):
    """Which roles certificates may become, and within what."""

    created_by: str
    roles: list[str]  # ARNs
    session_policy: str
    policy_arns: list[str]
    duration: int
    accept_name: bool
    require_properties: bool
    mappings: dict[str, list[str]]  # specifiers by certificate field
    tip: dict[str, str]  # tipConfiguration, as the wire has it


class Crl(AnywhereResource):
    """A revocation list of a trust anchor."""

    anchor: str  # its ARN
    data: str  # what was imported, in base64


class Subject(AnywhereResource):
    """A distinguished name that authenticated, with what it showed; the latest last."""

    subject: str
    seen: float
    credentials: list[dict[str, Any]]  # serial, issuer, pem, seen, failed
    instances: list[dict[str, Any]]  # properties, seen, failed


# Key: `ACCOUNT/REGION/id`, uid: ARN
TRUST_ANCHOR: Kind[TrustAnchor] = Kind("trust-anchor")
ANYWHERE_PROFILE: Kind[AnywhereProfile] = Kind("roles-anywhere-profile")
CRL: Kind[Crl] = Kind("crl")
SUBJECT: Kind[Subject] = Kind("x509-subject")
