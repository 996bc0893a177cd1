"""ECS: the credentials endpoint of tasks, and what a container reads about itself (task metadata version 4).

Page `ecs/…` of a world, which stands for http://169.254.170.2. Behaviour:
docs/aws/containers-and-pods.md, "Environment", "Responses".
"""

from __future__ import annotations

import hashlib
import hmac
import uuid
from collections.abc import Callable, Mapping
from typing import Any, Final, TypedDict, cast

from sts_emulator.accounts import resources
from sts_emulator.core import clock
from sts_emulator.core.errors import AwsError
from sts_emulator.core.store import Kind
from sts_emulator.core.world import World
from sts_emulator.methods.instance_profile import delivery
from sts_emulator.methods.instance_profile.delivery import Delivered, Workload, as_json
from sts_emulator.pages.routes import ANY, page
from sts_emulator.pages.visit import Visit
from sts_emulator.wire.dispatch import Result
from sts_emulator.wire.http import Response


class Task(TypedDict):
    """An emulated task."""

    id: str
    name: str
    account: str
    region: str
    cluster: str
    role: str  # an ARN
    family: str
    image: str
    container: str
    credentials_id: str
    token: str  # which the credentials ask for; empty: none
    lifetime: int
    started: int
    state: str  # RUNNING, STOPPED


KIND: Final[Kind[Task]] = Kind("ecs-task")  # key: its id, uid: the id of its credentials
SERVICE: Final = "ecs-tasks.amazonaws.com"
_PREFIX = "CredentialsV2Request"


def new_id(account: str, name: str) -> str:
    """The id of the account's task of that name: always the same."""
    return hashlib.sha256(f"task\0{account}\0{name}".encode()).hexdigest()[:32]


def make(world: World, account: str, region: str, identifier: str, **given: Any) -> Task:
    """The document of a new, running task; `given` are members that differ from the defaults, `role` among them."""
    document: dict[str, Any] = {
        "id": identifier,
        "name": "",
        "account": account,
        "region": region,
        "cluster": "default",
        "role": "",
        "family": "lab",
        "image": "lab:latest",
        "container": "app",
        "credentials_id": str(uuid.uuid4()),
        "token": "",
        "lifetime": delivery.LIFETIME,
        "started": int(world.now()),
        "state": "RUNNING",
        **given,
    }
    return cast("Task", document)


def arn_of(task: Task) -> str:
    return f"arn:aws:ecs:{task['region']}:{task['account']}:task/{task['cluster']}/{task['id']}"


def metadata_id(task: Task) -> str:
    """What stands for the task's container in the URI of the metadata endpoint."""
    digits = int(hashlib.sha256(task["container"].encode()).hexdigest()[:8], 16)
    return f"{task['id']}-{digits:010}"


@page(ANY, "/ecs/{*path}")
def nothing_here(visit: Visit, path: str) -> Response:  # noqa: ARG001 - whatever it is
    """What the endpoints answer to anything else."""
    if visit.request.method not in ("GET", "HEAD"):
        return as_json(405, {"message": "Method Not Allowed"})
    return as_json(404, {"message": "404 page not found"})


# -- credentials -----------------------------------------------------------------------------------------------------


@page("GET", "/ecs/v2/credentials")
@page("GET", "/ecs/v2/credentials/{identifier}")
def credentials(visit: Visit, identifier: str = "") -> Response:
    """The credentials of a task, by the id that its environment names."""
    if not identifier:
        return _failed(400, "NoIdInRequest", "No Credential ID in the request")
    task = visit.world.find(KIND, identifier)
    if task is None or task["state"] != "RUNNING":
        return _failed(400, "InvalidIdInRequest", "Credentials not found")
    given = visit.request.headers.get("authorization", "")
    if task["token"] and not hmac.compare_digest(task["token"].encode(), given.encode("latin-1", "replace")):
        # The agent itself asks for no token; what does (SnapStart, Greengrass) has no recorded text: ours.
        return as_json(403, {"code": "AccessDenied", "message": "The authorization token is missing or wrong"})
    try:
        delivered = _deliver(visit, task)
    except AwsError:
        return _failed(503, "CredentialsUninitialized", "Credentials uninitialized for ID")
    return as_json(200, {"RoleArn": task["role"], **delivered.members()})


@page("GET", "/ecs/v1/credentials")
def credentials_by_query(visit: Visit) -> Response:
    """The same, as the first version of the endpoint has it."""
    return credentials(visit, visit.query.get("id", ""))


def _deliver(visit: Visit, task: Task) -> Delivered:
    place = ("ecs-task", task["id"], task["role"])
    workload = Workload(
        service=SERVICE,
        method="ECS task role",
        account=task["account"],
        region=task["region"],
        session_name=task["id"],
        arn=arn_of(task),
        lifetime=task["lifetime"],
        evidence={"task": arn_of(task)},
    )
    role = resources.role_by_arn(visit.world, task["role"])
    return delivery.deliver(visit.server, visit.world, workload, role, place)


def _failed(status: int, code: str, message: str) -> Response:
    return as_json(status, {"code": code, "message": f"{_PREFIX}: {message}", "HTTPErrorCode": status})


# -- task metadata ---------------------------------------------------------------------------------------------------


@page("GET", "/ecs/v4/{identifier}")
@page("GET", "/ecs/v4/{identifier}/{*path}")
def container_metadata(visit: Visit, identifier: str, path: str = "") -> Response:
    """What a container reads about itself and its task."""
    task = visit.world.get(KIND, identifier.partition("-")[0])
    if task is None or metadata_id(task) != identifier:
        message = f"V4 container metadata handler: unable to get container ID from request: {identifier}"
        return as_json(404, message)
    document = _METADATA.get(path.rstrip("/"))
    return as_json(404, {"message": "404 page not found"}) if document is None else as_json(200, document(task))


def _container(task: Task) -> Result:
    digest = hashlib.sha256(f"{task['id']}\0{task['container']}".encode()).hexdigest()
    return {
        "DockerId": f"{metadata_id(task)}",
        "Name": task["container"],
        "DockerName": task["container"],
        "Image": task["image"],
        "ImageID": f"sha256:{hashlib.sha256(task['image'].encode()).hexdigest()}",
        "Labels": {
            "com.amazonaws.ecs.cluster": task["cluster"],
            "com.amazonaws.ecs.container-name": task["container"],
            "com.amazonaws.ecs.task-arn": arn_of(task),
            "com.amazonaws.ecs.task-definition-family": task["family"],
            "com.amazonaws.ecs.task-definition-version": "1",
        },
        "DesiredStatus": "RUNNING",
        "KnownStatus": "RUNNING",
        "Limits": {"CPU": 256, "Memory": 512},
        "CreatedAt": clock.iso(task["started"]),
        "StartedAt": clock.iso(task["started"]),
        "Type": "NORMAL",
        "ContainerARN": f"{_account_arn(task)}:container/{task['cluster']}/{task['id']}/{digest[:32]}",
        "Networks": [{"NetworkMode": "awsvpc", "IPv4Addresses": [_address(task)]}],
    }


def _task(task: Task) -> Result:
    return {
        "Cluster": f"{_account_arn(task)}:cluster/{task['cluster']}",
        "TaskARN": arn_of(task),
        "Family": task["family"],
        "Revision": "1",
        "DesiredStatus": "RUNNING",
        "KnownStatus": "RUNNING",
        "Limits": {"CPU": 0.25, "Memory": 512},
        "PullStartedAt": clock.iso(task["started"]),
        "PullStoppedAt": clock.iso(task["started"]),
        "AvailabilityZone": f"{task['region']}a",
        "LaunchType": "FARGATE",
        "Containers": [_container(task)],
    }


def _statistics(_: Task) -> Result:
    """What a container uses; an emulated one uses nothing."""
    return {"cpu_stats": {}, "memory_stats": {}, "networks": {}}


_METADATA: Final[Mapping[str, Callable[[Task], Any]]] = {
    "": _container,
    "task": _task,
    "taskWithTags": lambda task: {**_task(task), "TaskTags": {}},
    "stats": _statistics,
    "task/stats": lambda task: {metadata_id(task): _statistics(task)},
}


def _account_arn(task: Task) -> str:
    return f"arn:aws:ecs:{task['region']}:{task['account']}"


def _address(task: Task) -> str:
    mine = bytes.fromhex(task["id"][:4])
    return f"10.0.{mine[0] & 0x0F}.{4 + mine[1] % 250}"
