"""What runs inside AWS in a scenario: instances, tasks, clusters with their pods' roles, and functions."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import field
from typing import Any

from sts_emulator.accounts import compute, documents
from sts_emulator.methods.instance_profile import clusters, delivery, ecs, functions, instances
from sts_emulator.policy.light_dataclass import dataclass
from sts_emulator.scenario.policies import Policy
from sts_emulator.scenario.problems import ScenarioError
from sts_emulator.scenario.seed import Section, Seed
from sts_emulator.scenario.shape import Shape

DEFAULT_PORTS = range(65_536)


@dataclass(frozen=True, kw_only=True)
class MetadataOptions(Shape):
    """How an instance's metadata service answers, in the words of ModifyInstanceMetadataOptions."""

    tokens: str = "optional"
    hop_limit: int = 1
    endpoint: str = "enabled"
    ipv6: str = "disabled"
    tags: str = "disabled"


@dataclass(frozen=True, kw_only=True)
class Instance(Shape):
    """An EC2 instance: `profile` is its instance profile, `port` where its metadata service listens (0: on demand)."""

    profile: str = ""
    port: int = 0
    imds: MetadataOptions = field(default_factory=MetadataOptions)
    type: str = instances.DEFAULT_TYPE
    image: str = instances.DEFAULT_IMAGE
    key_name: str = ""
    spot: bool = False
    user_data: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)
    metadata: Mapping[str, str] = field(default_factory=dict)
    lifetime: int = delivery.LIFETIME


@dataclass(frozen=True, kw_only=True)
class Task(Shape):
    """An ECS task with its task role; with a `token`, its credentials want that as authorization."""

    role: str
    cluster: str = "default"
    family: str = "lab"
    container: str = "app"
    image: str = "lab:latest"
    token: str = ""
    lifetime: int = delivery.LIFETIME


@dataclass(frozen=True, kw_only=True)
class PodRole(Shape):
    """A pod identity association: the role of a service account's pods, perhaps by way of a target role (an ARN)."""

    role: str
    target_role: str = ""
    session_tags: bool = True
    policy: Policy | None = None


@dataclass(frozen=True, kw_only=True)
class Cluster(Shape):
    """An EKS cluster: `issuer` is one of the scenario's, and `pods` give `NAMESPACE/SERVICE-ACCOUNT` a role."""

    issuer: str = ""
    pods: Mapping[str, PodRole] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Function(Shape):
    """A Lambda function with its execution role."""

    role: str
    memory: int = 128
    lifetime: int = functions.LIFETIME


# -- instances -------------------------------------------------------------------------------------------------------


def _create_instances(seed: Seed, declared: Mapping[str, Instance]) -> None:
    for name, instance in declared.items():
        if instance.port not in DEFAULT_PORTS:
            raise ScenarioError.at(instance.where.at("port"), f"`{instance.port}` is no port")
        identifier = instances.new_id(seed.account, name)
        stored = seed.world.get(instances.KIND, identifier)
        known: Mapping[str, Any] = stored or {}
        made = instances.make(
            seed.world,
            seed.account,
            seed.server.settings.region,
            identifier,
            name=name,
            type=instance.type,
            image=instance.image,
            key_name=instance.key_name,
            market="spot" if instance.spot else "on-demand",
            user_data=base64.b64encode(instance.user_data.encode()).decode(),
            tags={"Name": name, **instance.tags},
            metadata=dict(instance.metadata),
            port=instance.port,
            lifetime=instance.lifetime,
            **{kept: known[kept] for kept in ("launched", "association", "notices", "options") if kept in known},
        )
        seed.world.put(instances.KIND, identifier, made)


def _connect_instances(seed: Seed, declared: Mapping[str, Instance]) -> None:
    for name, instance in declared.items():
        identifier = instances.new_id(seed.account, name)
        with seed.blame(instance.where, f"instance `{name}`"):
            _set_options(seed, identifier, instance.imds)
            _set_profile(seed, identifier, instance.profile)


def _set_options(seed: Seed, identifier: str, options: MetadataOptions) -> None:
    seed.call(
        "ec2",
        "ModifyInstanceMetadataOptions",
        InstanceId=identifier,
        HttpTokens=_one_of(options, "tokens", "optional", "required"),
        HttpPutResponseHopLimit=options.hop_limit,
        HttpEndpoint=_one_of(options, "endpoint", "enabled", "disabled"),
        HttpProtocolIpv6=_one_of(options, "ipv6", "enabled", "disabled"),
        InstanceMetadataTags=_one_of(options, "tags", "enabled", "disabled"),
    )


def _one_of(options: MetadataOptions, name: str, *allowed: str) -> str:
    value: str = getattr(options, name)
    if value not in allowed:
        raise ScenarioError.at(options.where.at(name), f"expected {' or '.join(allowed)}, got `{value[:60]}`")
    return value


def _set_profile(seed: Seed, identifier: str, profile: str) -> None:
    instance = seed.world.get(instances.KIND, identifier)
    associated = instance["association"] if instance is not None else None
    if not profile:
        if associated:
            seed.call("ec2", "DisassociateIamInstanceProfile", AssociationId=associated["id"])
        return
    wanted = {"Name": profile}
    if associated is None:
        seed.call("ec2", "AssociateIamInstanceProfile", InstanceId=identifier, IamInstanceProfile=wanted)
        return
    stored = seed.stored(documents.INSTANCE_PROFILE, profile)
    if stored is None or stored["id"] != associated["profile_id"]:
        place = {"AssociationId": associated["id"]}
        seed.call("ec2", "ReplaceIamInstanceProfileAssociation", **place, IamInstanceProfile=wanted)


# -- tasks and functions ---------------------------------------------------------------------------------------------


def _connect_tasks(seed: Seed, declared: Mapping[str, Task]) -> None:
    for name, task in declared.items():
        identifier = ecs.new_id(seed.account, name)
        stored = seed.world.get(ecs.KIND, identifier)
        known: Mapping[str, Any] = stored or {}
        made = ecs.make(
            seed.world,
            seed.account,
            seed.server.settings.region,
            identifier,
            name=name,
            role=seed.role(task.where.at("role"), task.role)["arn"],
            cluster=task.cluster,
            family=task.family,
            container=task.container,
            image=task.image,
            token=task.token,
            lifetime=task.lifetime,
            **{kept: known[kept] for kept in ("credentials_id", "started") if kept in known},
        )
        seed.world.put(ecs.KIND, identifier, made, uid=made["credentials_id"])


def _connect_functions(seed: Seed, declared: Mapping[str, Function]) -> None:
    for name, function in declared.items():
        region = seed.server.settings.region
        role = seed.role(function.where.at("role"), function.role)["arn"]
        given = {"role": role, "memory": function.memory, "lifetime": function.lifetime}
        made = functions.make(seed.account, region, name, **given)
        seed.world.put(functions.KIND, functions.key_of(seed.account, region, name), made, uid=made["arn"])


# -- clusters --------------------------------------------------------------------------------------------------------


def _connect_clusters(seed: Seed, declared: Mapping[str, Cluster]) -> None:
    for name, cluster in declared.items():
        with seed.blame(cluster.where, f"cluster `{name}`"):
            stored = _ensure_cluster(seed, name, cluster)
            for who, pod in cluster.pods.items():
                _associate(seed, stored, who, pod)


def _ensure_cluster(seed: Seed, name: str, cluster: Cluster) -> compute.Cluster:
    from sts_emulator.idp import oidc

    region = seed.server.settings.region
    key = clusters.key_of(seed.account, region, name)
    if seed.world.get(clusters.CLUSTER, key) is None:
        role = f"arn:aws:iam::{seed.account}:role/{name}-cluster"
        seed.call("eks", "CreateCluster", name=name, roleArn=role, resourcesVpcConfig={})
    issuer = clusters.issuer_of(seed.account, region, name)
    if cluster.issuer:
        stored = seed.world.get(documents.ISSUER, cluster.issuer)
        if stored is None:
            raise ScenarioError.at(cluster.where.at("issuer"), f"no issuer `{cluster.issuer}` in this scenario")
        issuer = stored["url"]
    elif seed.world.find(documents.ISSUER, issuer) is None:
        oidc.ensure_issuer(seed.world, "kubernetes", issuer, f"eks-{issuer.rsplit('/', 1)[1].lower()}")
    return seed.world.update(clusters.CLUSTER, key, lambda body: {**body, "issuer": issuer})


def _associate(seed: Seed, cluster: compute.Cluster, who: str, pod: PodRole) -> None:
    namespace, slash, service_account = who.partition("/")
    if not slash or not namespace or not service_account:
        raise ScenarioError.at(pod.where, f"pods are called NAMESPACE/SERVICE-ACCOUNT, got `{who[:60]}`")
    given: dict[str, Any] = {
        "roleArn": seed.role(pod.where.at("role"), pod.role)["arn"],
        "disableSessionTags": not pod.session_tags,
        "targetRoleArn": pod.target_role or None,
        "policy": pod.policy,
    }
    known = clusters.association_for(seed.world, cluster, namespace, service_account)
    if known is None:
        operation, place = "CreatePodIdentityAssociation", {"namespace": namespace, "serviceAccount": service_account}
    else:
        operation, place = "UpdatePodIdentityAssociation", {"associationId": known["id"]}
    seed.call("eks", operation, clusterName=cluster["name"], **place, **given)


INSTANCES = Section("instances", Mapping[str, Instance], _create_instances, _connect_instances)
TASKS = Section("tasks", Mapping[str, Task], connect=_connect_tasks)
CLUSTERS = Section("clusters", Mapping[str, Cluster], connect=_connect_clusters)
FUNCTIONS = Section("functions", Mapping[str, Function], connect=_connect_functions)
