"""EKS Pod Identity: a pod's projected token becomes a session of the role that its service account is associated with.

`eks-auth:AssumeRoleForPodIdentity` does it, called by the agent of a node. The agent is here too, as page
`pod-identity/…` of a world, which stands for http://169.254.170.23. Behaviour:
docs/aws/containers-and-pods.md, "Pod Identity".
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Final

from sts_emulator.accounts import resources
from sts_emulator.accounts.compute import Cluster, PodIdentityAssociation
from sts_emulator.core import hosts
from sts_emulator.core.errors import AwsError
from sts_emulator.methods.instance_profile import clusters, delivery
from sts_emulator.methods.instance_profile.clusters import PODS
from sts_emulator.methods.instance_profile.delivery import Delivered, Workload
from sts_emulator.methods.tokens import checks, issuer_keys, jwt
from sts_emulator.methods.tokens.issuers import KeysUnavailableError, Provider
from sts_emulator.pages import guard
from sts_emulator.pages.routes import ANY, page
from sts_emulator.pages.visit import Visit
from sts_emulator.policy.json_types import JsonObject
from sts_emulator.policy.light_dataclass import dataclass
from sts_emulator.vending.assume import Ask, Proof, Vended, assume
from sts_emulator.vending.authenticate import caller_of_session
from sts_emulator.vending.authorize import authorize
from sts_emulator.vending.context import Context
from sts_emulator.wire.dispatch import Result, operation
from sts_emulator.wire.http import Response

ADDRESSES: Final = ("169.254.170.23", "fd00:ec2::23")
TARGET_LIFETIME: Final = 3_600
"""Seconds of a target role's session: it is reached by role chaining."""

_SESSION_NAME_LIMIT: Final = 64


@dataclass(frozen=True, slots=True)
class Pod:
    """Which pod a proven token says it is."""

    namespace: str
    service_account: str
    name: str
    uid: str


@operation("eks-auth", "AssumeRoleForPodIdentity")
def assume_role_for_pod_identity(ctx: Context, *, clusterName: str, token: str, **_: object) -> Result:
    """Vend the role of a pod to the agent of its node, which signs with the node's role."""
    account = ctx.identity.account
    authorize(ctx, "eks-auth:AssumeRoleForPodIdentity", clusters.arn_of(account, ctx.region, clusterName))
    cluster = clusters.cluster(ctx.world, account, ctx.region, clusterName)
    if cluster is None:
        raise clusters.absent(clusterName)
    pod = prove(ctx, cluster, token)
    association = _association(ctx, cluster, pod)
    vended = _vend(ctx, cluster, association, pod)
    return {
        "subject": {"namespace": pod.namespace, "serviceAccount": pod.service_account},
        "audience": PODS,
        "podIdentityAssociation": {"associationArn": association["arn"], "associationId": association["id"]},
        "assumedRoleUser": {"arn": vended.arn, "assumeRoleId": vended.role_id},
        "credentials": {**vended.credentials.keys(), "expiration": vended.credentials.expires},
    }


# -- the proof -------------------------------------------------------------------------------------------------------


def prove(ctx: Context, cluster: Cluster, text: str) -> Pod:
    """The pod that a token proves to be, by the keys of the cluster's issuer.

    Raises:
        AwsError: InvalidTokenException, ExpiredTokenException. AWS's texts are not recorded: these are ours.
    """
    issuer = cluster["issuer"]
    provider = Provider(principal="", issuer=issuer, name=issuer.partition("://")[2])
    try:
        token = jwt.parse(text)
        if token.hint("iss") != issuer:
            raise _invalid("The token's issuer is not the cluster's")
        keys = issuer_keys.known(ctx, provider, token.key_id)
        verify = keys.verifier(token.key_id, token.algorithm) if keys else None
        if verify is None:
            raise _invalid("The token is not signed by a key of the cluster's issuer")
        claims = token.claims(verify)
    except jwt.NotAToken as bad:
        raise _invalid("The token cannot be parsed") from bad
    except (jwt.BadSignature, KeysUnavailableError) as bad:
        raise _invalid("The token is not signed by a key of the cluster's issuer") from bad
    _check_claims(claims, ctx.world.now())
    return _pod(claims)


def _check_claims(claims: JsonObject, now: float) -> None:
    if PODS not in checks.audiences(claims):
        raise _invalid(f"The token's audience is not {PODS}")
    try:
        _, starts, expires = checks.lifetime(claims)
    except ValueError:
        expires = starts = None
    if expires is None or (starts or 0) > now:
        raise _invalid("The token is not valid yet, or does not say when it is")
    if expires <= now:
        raise AwsError("ExpiredTokenException", "The token is expired")


def _pod(claims: JsonObject) -> Pod:
    """The pod of a token's `kubernetes.io` claim, which must agree with its subject."""
    about = claims.get("kubernetes.io")
    members = {
        "namespace": _text(about, "namespace"),
        "service_account": _text(about, "serviceaccount", "name"),
        "name": _text(about, "pod", "name"),
        "uid": _text(about, "pod", "uid"),
    }
    pod = Pod(**members)
    if not all(members.values()) or claims.get("sub") != f"system:serviceaccount:{pod.namespace}:{pod.service_account}":
        raise _invalid("The token is not that of a pod's service account")
    return pod


def _text(value: object, *path: str) -> str:
    for name in path:
        value = value.get(name) if isinstance(value, Mapping) else None
    return value if isinstance(value, str) else ""


def _invalid(message: str) -> AwsError:
    return AwsError("InvalidTokenException", message)


# -- the role --------------------------------------------------------------------------------------------------------


def _association(ctx: Context, cluster: Cluster, pod: Pod) -> PodIdentityAssociation:
    association = clusters.association_for(ctx.world, cluster, pod.namespace, pod.service_account)
    if association is None:
        message = (
            f"No pod identity association found for service account {pod.service_account} "
            f"in namespace {pod.namespace} of cluster {cluster['name']}"
        )
        raise AwsError("ResourceNotFoundException", message, status=404)
    return association


def _vend(ctx: Context, cluster: Cluster, association: PodIdentityAssociation, pod: Pod) -> Vended:
    """The session of the associated role, or of its target role.

    Raises:
        AwsError: AccessDenied (which the service calls AccessDeniedException, status 400).
    """
    role = resources.role_by_arn(ctx.world, association["role"])
    workload = _workload(cluster, association, pod)
    try:
        vended = delivery.assume_for(ctx, workload, role)
        if association["target_role"]:
            vended = _chain(ctx, association, vended)
    except AwsError as refused:
        raise AwsError(refused.code, refused.message, status=400) from None
    return vended


def _workload(cluster: Cluster, association: PodIdentityAssociation, pod: Pod) -> Workload:
    tags = {
        "eks-cluster-arn": cluster["arn"],
        "eks-cluster-name": cluster["name"],
        "kubernetes-namespace": pod.namespace,
        "kubernetes-service-account": pod.service_account,
        "kubernetes-pod-name": pod.name,
        "kubernetes-pod-uid": pod.uid,
    }
    return Workload(
        service=PODS,
        method="EKS Pod Identity",
        account=cluster["account"],
        region=cluster["region"],
        session_name=_session_name(cluster["name"], pod.name),
        arn=cluster["arn"],
        tags=tags if association["session_tags"] else {},
        policy="" if association["target_role"] else association["policy"],
        evidence={
            "association": association["arn"],
            "pod": f"{pod.namespace}/{pod.name}",
            "serviceAccount": f"{pod.namespace}/{pod.service_account}",
        },
    )


def _session_name(cluster: str, pod: str) -> str:
    """`eks-CLUSTER-POD-UUID`, as the model documents it, its middle cut to what a session name may have."""
    tail = str(uuid.uuid4())
    return f"{f'eks-{cluster}-{pod}'[: _SESSION_NAME_LIMIT - 1 - len(tail)]}-{tail}"


def _chain(ctx: Context, association: PodIdentityAssociation, first: Vended) -> Vended:
    """The second call: the associated role assumes the target role, perhaps of another account."""
    caller = caller_of_session(ctx.world, first.session, first.credentials.access_key_id)
    proof = Proof(
        method="EKS Pod Identity",
        principal=caller.principal,
        context={"sts:externalid": (association["external_id"],)},
        caller=caller,
    )
    ask = Ask(
        session_name=first.session.session_name,
        duration=TARGET_LIFETIME,
        policy=association["policy"],
        role_arn=association["target_role"],
    )
    target = resources.role_by_arn(ctx.world, association["target_role"])
    return assume(ctx, proof, "sts:AssumeRole", target, ask)


# -- the agent -------------------------------------------------------------------------------------------------------


def _agents_refusal(visit: Visit, error: AwsError) -> Response:
    """As the agent tells it; what it refuses itself has a text of its own."""
    if error.code == "NotFound":
        return _plain(404, "404 page not found\n")
    if error.code in ("MethodNotAllowed", "Refused"):
        return _plain(error.status or 400, f"{error.message}\n")
    status = error.status or 400
    return _plain(status, f"[{visit.request_id}]: ({error.code}): {error.message}, fault: client\n")


@page(ANY, "/pod-identity/{*path}", refusal=_agents_refusal, own_hosts=True)
def agent(visit: Visit, path: str) -> Response:
    """Answer one request to the agent: `GET v1/credentials` with the pod's token as Authorization."""
    if path.rstrip("/") != "v1/credentials":
        raise AwsError("NotFound", status=404)
    if visit.request.method != "GET":
        raise AwsError("MethodNotAllowed", "Method Not Allowed", status=405)
    _check_address(visit)
    token = visit.request.headers.get("authorization", "")
    if not token:
        raise AwsError("Refused", "Service account token cannot be empty", status=400)
    delivered = _deliver(visit, _cluster_of(visit, token), token)
    return delivery.as_json(200, {**delivered.members(), "AccountId": delivered.vended.session.account})


def _check_address(visit: Visit) -> None:
    """Raises AwsError: the agent was called by a name, which anybody may have pointed at it."""
    authority = visit.request.headers.get("host", "")
    try:
        host = guard.host_name(authority)
    except AwsError:
        host = ""
    # Unlike AWS's agent, this one can stand at another address, for clients without a namespace: where it listens.
    if host not in ADDRESSES and not hosts.is_loopback(host) and host != visit.server.settings.host:
        named = f"[{' '.join(ADDRESSES)}]"
        message = f"Access Denied. Called agent through invalid address, please use either {named} address not {host}"
        raise AwsError("Refused", message, status=403)


def _cluster_of(visit: Visit, text: str) -> Cluster:
    """The cluster that the token claims to be of; nothing else of it is believed yet. Raises AwsError."""
    try:
        issuer = jwt.parse(text).hint("iss")
    except jwt.NotAToken as bad:
        raise AwsError("InvalidTokenException", f"Service account token cannot be parsed: {bad}") from None
    cluster = clusters.cluster_of_issuer(visit.world, issuer) if isinstance(issuer, str) else None
    if cluster is None:
        raise _invalid("The token's issuer is not that of any cluster")
    return cluster


def _deliver(visit: Visit, cluster: Cluster, text: str) -> Delivered:
    """The pod's credentials: those that it has, or new ones, which is then an event. Raises AwsError."""
    ctx = _agents_call(visit, cluster)
    pod = prove(ctx, cluster, text)
    association = _association(ctx, cluster, pod)
    place = ("pod", association["arn"], str(association["modified"]), pod.uid)
    held = delivery.kept(visit.world, place)
    if held is not None:
        return held
    with visit.recorded(ctx) as attempt:
        vended = _vend(ctx, cluster, association, pod)
        attempt.result = {"assumedRoleUser": {"arn": vended.arn, "assumeRoleId": vended.role_id}}
    return delivery.keep(visit.world, place, vended)


def _agents_call(visit: Visit, cluster: Cluster) -> Context:
    """The agent's call to EKS, which is made in the visit's name."""
    ctx = visit.context("eks-auth", "AssumeRoleForPodIdentity", {"clusterName": cluster["name"]})
    ctx.request_id = visit.request_id
    ctx.source_ip, ctx.user_agent, ctx.secure = PODS, "eks-pod-identity-agent", True
    return ctx


def _plain(status: int, text: str) -> Response:
    return Response(status, [("content-type", "text/plain; charset=utf-8")], text.encode())
