"""What a world stores of machines to which a role can be given: instances and clusters. As accounts.documents."""

from __future__ import annotations

from typing import TypedDict

from sts_emulator.accounts.documents import Tags
from sts_emulator.core.store import Kind


class MetadataOptions(TypedDict):
    """How an instance's metadata can be had."""

    tokens: str  # optional, required
    hop_limit: int
    endpoint: str  # enabled, disabled; and so the others
    ipv6: str
    tags: str


MetadataDefaults = dict[str, str | int]
"""What an account says of its new instances' options in a region, as the wire has it."""


class ProfileAssociation(TypedDict):
    """What gives an instance its profile."""

    id: str
    profile: str  # an ARN
    profile_id: str
    since: int


class Instance(TypedDict):
    """An emulated instance."""

    id: str
    name: str
    account: str
    region: str
    zone: str
    type: str
    image: str
    market: str  # on-demand, spot
    launched: int
    state: str  # running, terminated
    options: MetadataOptions
    user_data: str  # base64
    tags: Tags
    key_name: str
    association: ProfileAssociation | None
    metadata: dict[str, str]  # texts by path, that override
    notices: dict[str, float]  # when, by kind
    port: int  # of its own listener, 0 for any
    lifetime: int  # seconds of its credentials


class Cluster(TypedDict):
    """An EKS cluster."""

    name: str
    account: str
    region: str
    arn: str
    issuer: str  # the URL of its tokens' issuer
    role: str
    version: str
    created: int
    tags: Tags


class PodIdentityAssociation(TypedDict):
    """What gives a role to the pods of a service account."""

    id: str
    arn: str
    account: str
    region: str
    cluster: str
    namespace: str
    service_account: str
    role: str
    target_role: str  # "" for none
    external_id: str
    session_tags: bool
    policy: str
    created: int
    modified: int
    tags: Tags


INSTANCE: Kind[Instance] = Kind("instance")  # key: its id
METADATA_DEFAULTS: Kind[MetadataDefaults] = Kind("metadata-defaults")  # key: account/region
CLUSTER: Kind[Cluster] = Kind("eks-cluster")  # key: `ACCOUNT/REGION/name`, uid: ARN
ASSOCIATION: Kind[PodIdentityAssociation] = Kind("pod-identity-association")  # key: `…/cluster/a-…`, uid: ARN
