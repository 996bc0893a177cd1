"""Starts workloads: makes an instance, task, pod or function that has a role, and says what its program is given."""

from __future__ import annotations

import inspect
import json
import os
from collections.abc import Callable, Mapping
from dataclasses import asdict, field
from typing import Any, Final, Literal

from sts_emulator.accounts import compute, documents, resources
from sts_emulator.core import store
from sts_emulator.core.errors import AwsError
from sts_emulator.core.spelling import meant
from sts_emulator.core.world import Body, World
from sts_emulator.methods.instance_profile import clusters, delivery, ecs, functions, instances
from sts_emulator.policy.federated import issuer_of
from sts_emulator.policy.light_dataclass import dataclass
from sts_emulator.vending.authenticate import root_caller
from sts_emulator.vending.context import Context, Server
from sts_emulator.wire import dispatch

Kind = Literal["ec2", "ecs", "eks", "irsa", "lambda"]

LAB_CLUSTER: Final = "lab"
STS_AUDIENCE: Final = "sts.amazonaws.com"


class LaunchError(Exception):
    """A workload cannot be started: the text says why, for our own users."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What should run. `name` is an existing workload's (for pods `NAMESPACE/SERVICE-ACCOUNT`), else `role` is needed.

    `options` by kind: ec2 tokens, hop_limit, endpoint, ipv6, tags, lifetime · ecs cluster, token, lifetime · eks and
    irsa cluster, namespace, service_account, pod, expires_in · lambda lifetime, snapstart.
    """

    kind: Kind
    role: str = ""
    name: str = ""
    account: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Started:
    """A workload as its program is to find it: `details` by kind, token `files` by name, listeners that it needs.

    `made` says whether it is new and to be stopped afterwards, `renew_at` (by the world's clock) when files age.
    """

    kind: Kind
    id: str
    region: str
    details: Mapping[str, Any]
    files: Mapping[str, str] = field(default_factory=dict)
    listens: tuple[Literal["imds", "ecs", "pod-identity"], ...] = ()
    made: bool = False
    renew_at: float | None = None

    def to_json(self) -> dict[str, Any]:
        return {name: value for name, value in asdict(self).items() if name != "listens"}


async def start(server: Server, world: World, wanted: Wanted) -> Started:
    """Find or make what is wanted.

    Raises:
        LaunchError: no such role or workload, an option that there is none of, or a refusal by AWS's rules.
    """
    known = _OPTIONS[wanted.kind]
    for option in wanted.options:
        if option not in known:
            raise LaunchError(f"`{option}` is no option of {wanted.kind}; there are {', '.join(sorted(known))}")
    try:
        with world.unit(lock=True):
            return _STARTS[wanted.kind](server, world, wanted)
    except AwsError as refused:
        raise LaunchError(f"{refused.code}: {refused.message}") from None
    except (TypeError, ValueError) as bad:
        raise LaunchError(str(bad)) from None


def stop(world: World, kind: Kind, identifier: str) -> bool:
    """Forget a workload; False when there is none of that id."""
    match kind:
        case "ec2":
            stopped: object = world.take(instances.KIND, identifier)
        case "ecs":
            stopped = world.take(ecs.KIND, identifier)
        case "lambda":
            function = world.find(functions.KIND, identifier)
            stopped = function and world.take(
                functions.KIND, functions.key_of(function["account"], function["region"], function["name"])
            )
        case "eks":
            association = next((known for known in world.page(clusters.ASSOCIATION) if known["id"] == identifier), None)
            stopped = association and world.take(clusters.ASSOCIATION, clusters.key_of_association(association))
        case "irsa":
            stopped = True  # nothing but its token
    return bool(stopped)


def find_instance(world: World, text: str) -> compute.Instance | None:
    """The running instance of that id or name, or None."""
    instance = instances.running(world, text)
    return instance or _named(world, instances.KIND, text)


def listing(world: World) -> list[dict[str, Any]]:
    """Every workload of a world, briefly."""
    machines = [
        {
            **_brief("ec2", instance["id"], instance),
            "profile": instance["association"]["profile"] if instance["association"] else "",
        }
        for instance in world.page(instances.KIND)
    ]
    tasks = [_brief("ecs", task["id"], task) for task in world.page(ecs.KIND)]
    lambdas = [_brief("lambda", function["arn"], function) for function in world.page(functions.KIND)]
    pods = [
        _brief("eks", pod["id"], {**pod, "name": f"{pod['namespace']}/{pod['service_account']}"})
        for pod in world.page(clusters.ASSOCIATION)
    ]
    return [*machines, *tasks, *lambdas, *pods]


def _brief(kind: Kind, identifier: str, workload: Mapping[str, Any]) -> dict[str, Any]:
    told = {"kind": kind, "id": identifier, "name": workload["name"], "account": workload["account"]}
    return {**told, "role": workload["role"]} if "role" in workload else told


# -- EC2 ---------------------------------------------------------------------------------------------------------------


def _start_instance(server: Server, world: World, wanted: Wanted) -> Started:
    if wanted.name:
        instance = find_instance(world, wanted.name)
        if instance is None:
            near = _meant(world, compute.INSTANCE, wanted.name)
            raise LaunchError(f"no instance `{wanted.name}` runs in world `{world.name}`{near}")
        return Started("ec2", instance["id"], instance["region"], {}, listens=("imds",))
    role = _role(world, wanted)
    profile = _profile(server, world, role)
    identifier = f"i-0{os.urandom(8).hex()}"
    options = {name: value for name, value in wanted.options.items() if name in instances.OPTIONS}
    made = instances.make(
        world,
        role["account"],
        server.settings.region,
        identifier,
        options=options,
        association=instances.association(world, profile, identifier),
        lifetime=int(wanted.options.get("lifetime", delivery.LIFETIME)),
    )
    world.add(instances.KIND, identifier, made)
    return Started("ec2", identifier, made["region"], {}, listens=("imds",), made=True)


def _profile(server: Server, world: World, role: documents.Role) -> documents.InstanceProfile:
    """An instance profile with the role; made under the role's name when there is none, as the console does."""
    for profile in world.page(documents.INSTANCE_PROFILE, f"{role['account']}/"):
        if role["name"] in profile["roles"]:
            return profile
    name = role["name"]
    _call(server, world, role["account"], "iam", "CreateInstanceProfile", InstanceProfileName=name)
    _call(server, world, role["account"], "iam", "AddRoleToInstanceProfile", InstanceProfileName=name, RoleName=name)
    made = world.get(documents.INSTANCE_PROFILE, resources.key_of(role["account"], name))
    assert made is not None
    return made


# -- ECS and Lambda ----------------------------------------------------------------------------------------------------


def _start_task(server: Server, world: World, wanted: Wanted) -> Started:
    task = _existing(world, ecs.KIND, "task", wanted.name)
    if task is None:
        role = _role(world, wanted)
        identifier = os.urandom(16).hex()
        task = ecs.make(
            world,
            role["account"],
            server.settings.region,
            identifier,
            role=role["arn"],
            cluster=str(wanted.options.get("cluster", "default")),
            token=os.urandom(24).hex() if wanted.options.get("token") else "",
            lifetime=int(wanted.options.get("lifetime", delivery.LIFETIME)),
        )
        world.add(ecs.KIND, identifier, task, uid=task["credentials_id"])
    details = {
        "credentials": f"/v2/credentials/{task['credentials_id']}",
        "metadata": f"/v4/{ecs.metadata_id(task)}",
        "token": task["token"],
    }
    return Started("ecs", task["id"], task["region"], details, listens=("ecs",), made=not wanted.name)


def _start_function(server: Server, world: World, wanted: Wanted) -> Started:
    function = _existing(world, functions.KIND, "function", wanted.name)
    if function is None:
        role = _role(world, wanted)
        name = f"{role['name'][:50]}-{os.urandom(4).hex()}"
        given = {"role": role["arn"], "lifetime": int(wanted.options.get("lifetime", functions.LIFETIME))}
        function = functions.make(role["account"], server.settings.region, name, **given)
        world.add(
            functions.KIND,
            functions.key_of(function["account"], function["region"], name),
            function,
            uid=function["arn"],
        )
    details: dict[str, Any] = {"environment": functions.environment(function)}
    if wanted.options.get("snapstart"):
        details |= {"credentials": functions.path_of(function), "token": functions.token_of(world, function)}
    else:
        minted = functions.deliver(server, world, function).vended.credentials
        details["environment"] |= {
            "AWS_ACCESS_KEY_ID": minted.access_key_id,
            "AWS_SECRET_ACCESS_KEY": minted.secret_access_key,
            "AWS_SESSION_TOKEN": minted.session_token,
        }
    return Started("lambda", function["arn"], function["region"], details, made=not wanted.name)


# -- EKS ---------------------------------------------------------------------------------------------------------------


def _start_pod(server: Server, world: World, wanted: Wanted) -> Started:
    association = _association(world, wanted)
    made = association is None
    if association is None:
        association = _associate(server, world, wanted)
    cluster = clusters.cluster(world, association["account"], association["region"], association["cluster"])
    assert cluster is not None
    namespace, service_account = association["namespace"], association["service_account"]
    token, renew_at = _token(world, cluster["issuer"], wanted, (namespace, service_account), clusters.PODS)
    details, files = {"credentials": "/v1/credentials"}, {"eks-pod-identity-token": token}
    return Started(
        "eks", association["id"], association["region"], details, files, ("pod-identity",), made=made, renew_at=renew_at
    )


def _association(world: World, wanted: Wanted) -> compute.PodIdentityAssociation | None:
    if not wanted.name:
        return None
    for association in world.page(clusters.ASSOCIATION):
        if wanted.name in (
            association["id"],
            association["arn"],
            f"{association['namespace']}/{association['service_account']}",
        ):
            return association
    raise LaunchError(f"no pod identity association `{wanted.name}` in world `{world.name}`")


def _associate(server: Server, world: World, wanted: Wanted) -> compute.PodIdentityAssociation:
    role = _role(world, wanted)
    account, region = role["account"], server.settings.region
    name = str(wanted.options.get("cluster", LAB_CLUSTER))
    if clusters.cluster(world, account, region, name) is None:
        _call(server, world, account, "eks", "CreateCluster", name=name, roleArn=role["arn"], resourcesVpcConfig={})
    namespace = str(wanted.options.get("namespace", "default"))
    made = _call(
        server,
        world,
        account,
        "eks",
        "CreatePodIdentityAssociation",
        clusterName=name,
        namespace=namespace,
        serviceAccount=str(wanted.options.get("service_account", f"exec-{os.urandom(4).hex()}")),
        roleArn=role["arn"],
    )
    association = world.find(clusters.ASSOCIATION, made["association"]["associationArn"])
    assert association is not None
    return association


def _start_irsa(server: Server, world: World, wanted: Wanted) -> Started:
    role = _role(world, wanted)
    issuer, subject = _federation(role)
    namespace, _, service_account = subject.removeprefix("system:serviceaccount:").partition(":")
    options = wanted.options
    who = (
        str(options.get("namespace", namespace or "default")),
        str(options.get("service_account", service_account or "default")),
    )
    token, renew_at = _token(world, issuer, wanted, who, STS_AUDIENCE)
    details = {"role": role["arn"]}
    files = {"token": token}
    return Started("irsa", role["arn"], server.settings.region, details, files, renew_at=renew_at)


def _federation(role: documents.Role) -> tuple[str, str]:
    """The issuer of the first OIDC provider that a role's trust policy names, and the subject that it wants, if one."""
    statements = json.loads(role["trust"])["Statement"]
    for statement in statements if isinstance(statements, list) else [statements]:
        principal = statement.get("Principal")
        federated = principal.get("Federated", ()) if isinstance(principal, dict) else ()
        for arn in [federated] if isinstance(federated, str) else federated:
            name = issuer_of(arn)
            if name != arn:
                wanted = statement.get("Condition", {}).get("StringEquals", {}).get(f"{name}:sub", "")
                return f"https://{name}", wanted if isinstance(wanted, str) else wanted[0]
    raise LaunchError(f"role `{role['name']}` trusts no OIDC provider, so no pod can assume it with its token")


def _token(world: World, issuer: str, wanted: Wanted, who: tuple[str, str], audience: str) -> tuple[str, float]:
    """A projected token of a pod with that namespace and service account, and when it should be renewed."""
    from sts_emulator.idp import oidc

    known = world.find(documents.ISSUER, issuer) or world.find(
        documents.ISSUER, issuer.replace("https://", "http://", 1)
    )
    name = known["name"] if known else f"eks-{issuer.rsplit('/', 1)[1][:32].lower()}"
    if known is None:
        oidc.ensure_issuer(world, "kubernetes", issuer, name)
    lifetime = int(wanted.options.get("expires_in", 86_400))
    token = oidc.mint_token(
        world,
        name,
        namespace=who[0],
        service_account=who[1],
        pod=str(wanted.options.get("pod", f"{who[1]}-0")),
        aud=[audience],
        expires_in=lifetime,
    )
    # The kubelet renews a projected token after 80 % of its life.
    return token, world.now() + 0.8 * lifetime


# -- what they share ---------------------------------------------------------------------------------------------------


def _role(world: World, wanted: Wanted) -> documents.Role:
    if not wanted.role:
        raise LaunchError("say which role, or the name of an existing workload")
    if wanted.role.startswith("arn:"):
        role = resources.role_by_arn(world, wanted.role)
    else:
        accounts = [wanted.account] if wanted.account else [account["id"] for account in world.page(documents.ACCOUNT)]
        held = (resources.role(world, account, wanted.role) for account in accounts)
        role = next(filter(None, held), None)
    if role is None:
        known = (known[member] for known in world.page(documents.ROLE) for member in ("name", "arn"))
        raise LaunchError(f"no role `{wanted.role}` in world `{world.name}`{meant(wanted.role, known)}")
    return role


def _existing(world: World, kind: store.Kind[Body], noun: str, name: str) -> Body | None:
    """The workload of that name, ARN or id; None where none is named. Raises LaunchError where there is none."""
    if not name:
        return None
    known = world.get(kind, name) or _named(world, kind, name)
    if known is None:
        raise LaunchError(f"no {noun} `{name}` in world `{world.name}`{_meant(world, kind, name)}")
    return known


def _named(world: World, kind: store.Kind[Body], name: str) -> Body | None:
    return next(
        (document for document in world.page(kind) if name and name in (document["name"], document.get("arn"))), None
    )


def _meant(world: World, kind: store.Kind[Body], name: str) -> str:
    return meant(name, (str(document.get(member, "")) for document in world.page(kind) for member in ("name", "id")))


def _call(
    server: Server, world: World, account: str, service: str, operation: str, **parameters: object
) -> Mapping[str, Any]:
    """An API operation by an account's root. Raises AwsError."""
    function = dispatch.find(service, operation)
    assert function is not None
    ctx = Context(
        server=server,
        world=world,
        service=service,
        operation=operation,
        request_id="",
        region=server.settings.region,
        caller=root_caller(world, account, ""),
        parameters=parameters,
    )
    result = function(ctx, **parameters)
    assert not inspect.iscoroutine(result)
    return result or {}


_STARTS: Final[Mapping[str, Callable[[Server, World, Wanted], Started]]] = {
    "ec2": _start_instance,
    "ecs": _start_task,
    "eks": _start_pod,
    "irsa": _start_irsa,
    "lambda": _start_function,
}
_POD_OPTIONS = frozenset({"cluster", "namespace", "service_account", "pod", "expires_in"})
_OPTIONS: Final[Mapping[str, frozenset[str]]] = {
    "ec2": frozenset(instances.OPTIONS) | {"lifetime", "relayed"},
    "ecs": frozenset({"cluster", "token", "lifetime", "relayed"}),
    "eks": _POD_OPTIONS | {"relayed"},
    "irsa": _POD_OPTIONS,
    "lambda": frozenset({"lifetime", "snapstart"}),
}
