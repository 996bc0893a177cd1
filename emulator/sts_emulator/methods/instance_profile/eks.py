"""EKS's control plane as far as identity goes: clusters with an issuer, and pod identity associations."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Final

from sts_emulator.accounts import resources
from sts_emulator.accounts.compute import Cluster, PodIdentityAssociation
from sts_emulator.accounts.documents import Role
from sts_emulator.control_plane.listing import Listing
from sts_emulator.control_plane.reach import reached
from sts_emulator.core.errors import AwsError
from sts_emulator.methods.instance_profile import clusters
from sts_emulator.methods.instance_profile.clusters import ASSOCIATION, CLUSTER, PODS, key_of_association
from sts_emulator.policy.deciding.document import MalformedPolicy, parse
from sts_emulator.policy.deciding.engine import Principal, named
from sts_emulator.policy.saving.validate import validate
from sts_emulator.vending.authorize import authorize
from sts_emulator.vending.context import Context
from sts_emulator.vending.tags import tag_keys
from sts_emulator.wire.dispatch import Result, Wire, operation

_ID_LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789"
_ID_LENGTH = 17
_VERSION = "1.33"
_LISTING: Final = Listing(  # AWS's sentence is not recorded, this one is ours
    100, lambda: AwsError("InvalidParameterException", "nextToken is not one of this list."), "nextToken"
)


# -- clusters --------------------------------------------------------------------------------------------------------


@operation("eks", "CreateCluster")
def create_cluster(
    ctx: Context,
    *,
    name: str,
    roleArn: str,
    version: str = _VERSION,
    tags: Mapping[str, str] | None = None,
    **_: object,
) -> Result:
    """A cluster that is nothing but an issuer of tokens and a place for associations, active at once."""
    account, region = ctx.identity.account, ctx.region
    arn = clusters.arn_of(account, region, name)
    authorize(ctx, "eks:CreateCluster", arn, tag_keys(tags or {}))
    if clusters.cluster(ctx.world, account, region, name) is not None:
        raise AwsError("ResourceInUseException", f"Cluster already exists with name: {name}")
    made: Cluster = {
        "name": name,
        "account": account,
        "region": region,
        "arn": arn,
        "issuer": clusters.issuer_of(account, region, name),
        "role": roleArn,
        "version": version,
        "created": int(ctx.world.now()),
        "tags": dict(tags or {}),
    }
    ctx.world.add(CLUSTER, clusters.key_of(account, region, name), made, uid=arn)
    return {"cluster": _shown_cluster(made)}


@operation("eks", "DescribeCluster")
def describe_cluster(ctx: Context, *, name: str) -> Result:
    return {"cluster": _shown_cluster(_reach_cluster(ctx, "DescribeCluster", name))}


@operation("eks", "ListClusters")
def list_clusters(ctx: Context, **_: object) -> Result:
    authorize(ctx, "eks:ListClusters", "*")
    page = ctx.world.page(CLUSTER, clusters.key_of(ctx.identity.account, ctx.region, ""))
    return {"clusters": [cluster["name"] for cluster in page]}


@operation("eks", "DeleteCluster")
def delete_cluster(ctx: Context, *, name: str) -> Result:
    """Delete a cluster, its associations with it."""
    cluster = _reach_cluster(ctx, "DeleteCluster", name)
    for association in clusters.associations(ctx.world, cluster):
        ctx.world.take(ASSOCIATION, key_of_association(association))
    ctx.world.take(CLUSTER, clusters.key_of(cluster["account"], cluster["region"], name))
    return {"cluster": {**_shown_cluster(cluster), "status": "DELETING"}}


def _reach_cluster(ctx: Context, action: str, name: str) -> Cluster:
    account, region = ctx.identity.account, ctx.region
    cluster = clusters.cluster(ctx.world, account, region, name)
    return reached(ctx, f"eks:{action}", clusters.arn_of(account, region, name), cluster, clusters.absent(name))


def _shown_cluster(cluster: Cluster) -> Result:
    return {
        "name": cluster["name"],
        "arn": cluster["arn"],
        "createdAt": cluster["created"],
        "version": cluster["version"],
        "roleArn": cluster["role"],
        "identity": {"oidc": {"issuer": cluster["issuer"]}},
        "status": "ACTIVE",
        "platformVersion": "eks.1",
        "tags": dict(cluster["tags"]),
    }


# -- pod identity associations ---------------------------------------------------------------------------------------


@operation("eks", "CreatePodIdentityAssociation")
def create_pod_identity_association(
    ctx: Context,
    *,
    clusterName: str,
    namespace: str,
    serviceAccount: str,
    roleArn: str,
    tags: Mapping[str, str] | None = None,
    disableSessionTags: bool = False,
    targetRoleArn: str = "",
    policy: str = "",
    **_: object,
) -> Result:
    """Let the pods of a service account have a role; the caller must be allowed to pass it."""
    cluster = _reach_cluster(ctx, "CreatePodIdentityAssociation", clusterName)
    _check(ctx, roleArn, policy, tagged=not disableSessionTags)
    existing = clusters.association_for(ctx.world, cluster, namespace, serviceAccount)
    if existing is not None:
        raise AwsError("ResourceInUseException", f"Association already exists: {existing['id']}")
    identifier = "a-" + "".join(_ID_LETTERS[byte % len(_ID_LETTERS)] for byte in os.urandom(_ID_LENGTH))
    account, region, now = cluster["account"], cluster["region"], int(ctx.world.now())
    made: PodIdentityAssociation = {
        "id": identifier,
        "arn": f"arn:aws:eks:{region}:{account}:podidentityassociation/{clusterName}/{identifier}",
        "account": account,
        "region": region,
        "cluster": clusterName,
        "namespace": namespace,
        "service_account": serviceAccount,
        "role": roleArn,
        "target_role": targetRoleArn,
        # The form that AWS documents, so that a target role can name it before the association exists.
        "external_id": f"{region}/{account}/{clusterName}/{namespace}/{serviceAccount}" if targetRoleArn else "",
        "session_tags": not disableSessionTags,
        "policy": policy,
        "created": now,
        "modified": now,
        "tags": dict(tags or {}),
    }
    ctx.world.add(ASSOCIATION, key_of_association(made), made, uid=made["arn"])
    return {"association": _shown(made)}


@operation("eks", "UpdatePodIdentityAssociation")
def update_pod_identity_association(
    ctx: Context,
    *,
    clusterName: str,
    associationId: str,
    roleArn: str = "",
    disableSessionTags: bool | None = None,
    targetRoleArn: str | None = None,
    policy: str | None = None,
    **_: object,
) -> Result:
    """Change an association; pods get the new role with their next credentials."""
    known = _reach(ctx, "UpdatePodIdentityAssociation", clusterName, associationId)
    wanted: PodIdentityAssociation = {**known, "modified": int(ctx.world.now())}
    if roleArn:
        wanted["role"] = roleArn
    if disableSessionTags is not None:
        wanted["session_tags"] = not disableSessionTags
    if policy is not None:
        wanted["policy"] = policy
    if targetRoleArn is not None:
        place = (known["region"], known["account"], clusterName, known["namespace"], known["service_account"])
        wanted["target_role"] = targetRoleArn
        wanted["external_id"] = "/".join(place) if targetRoleArn else ""
    _check(ctx, wanted["role"], wanted["policy"], tagged=wanted["session_tags"])
    return {"association": _shown(ctx.world.update(ASSOCIATION, key_of_association(known), lambda _: wanted))}


@operation("eks", "DescribePodIdentityAssociation")
def describe_pod_identity_association(ctx: Context, *, clusterName: str, associationId: str) -> Result:
    return {"association": _shown(_reach(ctx, "DescribePodIdentityAssociation", clusterName, associationId))}


@operation("eks", "DeletePodIdentityAssociation")
def delete_pod_identity_association(ctx: Context, *, clusterName: str, associationId: str) -> Result:
    """Delete an association; credentials that pods have already live on until they expire."""
    known = _reach(ctx, "DeletePodIdentityAssociation", clusterName, associationId)
    ctx.world.take(ASSOCIATION, key_of_association(known))
    return {"association": _shown(known)}


@operation("eks", "ListPodIdentityAssociations")
def list_pod_identity_associations(
    ctx: Context,
    *,
    clusterName: str,
    namespace: str = "",
    serviceAccount: str = "",
    maxResults: int | None = None,
    nextToken: str = "",
) -> Result:
    """A cluster's associations, perhaps only those of a namespace and a service account."""
    cluster = _reach_cluster(ctx, "ListPodIdentityAssociations", clusterName)
    associations = [
        association
        for association in clusters.associations(ctx.world, cluster)
        if namespace in ("", association["namespace"]) and serviceAccount in ("", association["service_account"])
    ]
    return _LISTING.page(ctx, "associations", associations, nextToken, maxResults, _listed)


def _listed(association: PodIdentityAssociation) -> Result:
    names = ("clusterName", "namespace", "serviceAccount", "associationArn", "associationId")
    return {name: value for name, value in _shown(association).items() if name in names}


def _reach(ctx: Context, action: str, cluster: str, identifier: str) -> PodIdentityAssociation:
    """The association, once the caller may. Raises AwsError: AccessDenied, ResourceNotFoundException."""
    account, region = ctx.identity.account, ctx.region
    arn = f"arn:aws:eks:{region}:{account}:podidentityassociation/{cluster}/{identifier}"
    message = f"No pod identity association found for associationId: {identifier}"
    absent = AwsError("ResourceNotFoundException", message, status=404)
    if clusters.cluster(ctx.world, account, region, cluster) is None:  # its associations went with it
        absent = clusters.absent(cluster)
    return reached(ctx, f"eks:{action}", arn, ctx.world.find(ASSOCIATION, arn), absent)


def _check(ctx: Context, role_arn: str, policy: str, *, tagged: bool) -> None:
    """Refuse what an association cannot have, and callers that may not pass the role."""
    role = resources.role_by_arn(ctx.world, role_arn)
    if role is None or role["account"] != ctx.identity.account:
        raise AwsError("InvalidParameterException", f"Role provided in the request does not exist: {role_arn}")
    authorize(ctx, "iam:PassRole", role_arn, {"iam:passedtoservice": (PODS,)})
    _check_trust(role, tagged=tagged)
    if policy and tagged:
        raise AwsError("InvalidParameterException", "A policy can be given only when session tags are disabled")
    if policy:
        try:
            validate("session", policy)
        except MalformedPolicy as bad:
            raise AwsError("InvalidParameterException", bad.message) from None


def _check_trust(role: Role, *, tagged: bool) -> None:
    """Refuse a role that pods could not have: the service must be named for the actions of the documented policy.

    Conditions are not looked at (they are about pods that do not exist yet), nor tagging where no tags will be sent.

    Raises:
        AwsError: InvalidParameterException (aws/aws-cdk#31522); for sts:TagSession alone it is the strict reading.
    """
    service = Principal("service", PODS, "")
    for action in ("sts:assumerole", "sts:tagsession") if tagged else ("sts:assumerole",):
        if not any(
            statement.actions.match(action) is not statement.not_action and named(statement, service, bounded=False)
            for statement in parse(role["trust"]).allows
        ):
            raise AwsError(
                "InvalidParameterException",
                "Trust policy of the role provided is invalid. Follow the official documentation to resolve the issue.",
            )


def _shown(association: PodIdentityAssociation) -> Result:
    shown: dict[str, Wire] = {
        "clusterName": association["cluster"],
        "namespace": association["namespace"],
        "serviceAccount": association["service_account"],
        "roleArn": association["role"],
        "associationArn": association["arn"],
        "associationId": association["id"],
        "tags": dict(association["tags"]),
        "createdAt": association["created"],
        "modifiedAt": association["modified"],
        "disableSessionTags": not association["session_tags"],
    }
    if association["target_role"]:
        shown |= {"targetRoleArn": association["target_role"], "externalId": association["external_id"]}
    if association["policy"]:
        shown["policy"] = association["policy"]
    return shown
