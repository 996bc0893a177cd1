"""EKS clusters and their pod identity associations: how they are named and found (accounts.documents)."""

from __future__ import annotations

import hashlib
from typing import Final

from sts_emulator.accounts import compute
from sts_emulator.accounts.compute import Cluster, PodIdentityAssociation
from sts_emulator.core.errors import AwsError
from sts_emulator.core.world import World

CLUSTER: Final = compute.CLUSTER
ASSOCIATION: Final = compute.ASSOCIATION
PODS: Final = "pods.eks.amazonaws.com"
"""The service that pods get their roles from, and whom their tokens are for."""


def key_of(account: str, region: str, *parts: str) -> str:
    """The key of a cluster, or of an association in it."""
    return "/".join((account, region, *parts))


def key_of_association(association: PodIdentityAssociation) -> str:
    return key_of(association["account"], association["region"], association["cluster"], association["id"])


def arn_of(account: str, region: str, name: str) -> str:
    return f"arn:aws:eks:{region}:{account}:cluster/{name}"


def issuer_of(account: str, region: str, name: str) -> str:
    """The URL of the issuer that a new cluster gets: always the same for the same cluster."""
    digest = hashlib.sha256(f"eks\0{account}\0{region}\0{name}".encode()).hexdigest()
    return f"https://oidc.eks.{region}.amazonaws.com/id/{digest[:32].upper()}"


def cluster(world: World, account: str, region: str, name: str) -> Cluster | None:
    return world.get(CLUSTER, key_of(account, region, name))


def absent(name: str) -> AwsError:
    return AwsError("ResourceNotFoundException", f"No cluster found for name: {name}.", status=404)


def cluster_of_issuer(world: World, issuer: str) -> Cluster | None:
    """The cluster whose pods' tokens have that issuer, or None."""
    table = world.memo("clusters-by-issuer", lambda: {known["issuer"]: known for known in world.page(CLUSTER)})
    return table.get(issuer)


def associations(world: World, cluster: Cluster) -> list[PodIdentityAssociation]:
    """A cluster's pod identity associations, in order of their ids."""
    return world.page(ASSOCIATION, key_of(cluster["account"], cluster["region"], cluster["name"], ""))


def association_for(
    world: World, cluster: Cluster, namespace: str, service_account: str
) -> PodIdentityAssociation | None:
    """The association of a service account, or None; there is one at most."""
    wanted = (namespace, service_account)
    for association in associations(world, cluster):
        if (association["namespace"], association["service_account"]) == wanted:
            return association
    return None
