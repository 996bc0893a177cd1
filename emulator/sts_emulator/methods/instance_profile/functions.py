"""Lambda: what the environment of a function holds, which is all that its code learns of its role.

Behaviour: docs/aws/containers-and-pods.md, "Lambda", "Other workloads".
"""

from __future__ import annotations

from typing import Any, Final, TypedDict, cast

from sts_emulator.accounts import resources
from sts_emulator.core.errors import AwsError
from sts_emulator.core.store import Kind
from sts_emulator.core.world import World
from sts_emulator.methods.instance_profile import delivery
from sts_emulator.methods.instance_profile.delivery import Delivered, Workload, as_json
from sts_emulator.pages.routes import page
from sts_emulator.pages.visit import Visit
from sts_emulator.vending.context import Server
from sts_emulator.vending.credentials import seal, unseal
from sts_emulator.wire.http import Response


class Function(TypedDict):
    """An emulated function."""

    name: str
    account: str
    region: str
    arn: str
    role: str  # an ARN
    memory: int
    lifetime: int


KIND: Final[Kind[Function]] = Kind("lambda-function")  # key: `ACCOUNT/REGION/name`, uid: ARN
SERVICE: Final = "lambda.amazonaws.com"
LIFETIME: Final = 12 * 3600
"""Seconds that a function's credentials live. AWS publishes no number; an execution environment lives for hours."""


def key_of(account: str, region: str, name: str) -> str:
    return f"{account}/{region}/{name}"


def make(account: str, region: str, name: str, **given: Any) -> Function:
    """The document of a new function; `given` are members that differ from the defaults, `role` among them."""
    members: dict[str, Any] = {
        "name": name,
        "account": account,
        "region": region,
        "arn": f"arn:aws:lambda:{region}:{account}:function:{name}",
        "role": "",
        "memory": 128,
        "lifetime": LIFETIME,
        **given,
    }
    return cast("Function", members)


def deliver(server: Server, world: World, function: Function) -> Delivered:
    """The credentials of the function's execution environment, renewed in time.

    Raises:
        AwsError: AccessDenied when the role's trust policy does not let Lambda in.
    """
    place = ("lambda-function", function["arn"], function["role"])
    workload = Workload(
        service=SERVICE,
        method="Lambda execution role",
        account=function["account"],
        region=function["region"],
        session_name=function["name"],
        lifetime=function["lifetime"],
        lasting={"lambda:sourcefunctionarn": [function["arn"]]},
        evidence={"function": function["arn"]},
    )
    role = resources.role_by_arn(world, function["role"])
    return delivery.deliver(server, world, workload, role, place)


def environment(function: Function) -> dict[str, str]:
    """The variables that Lambda sets beside credentials."""
    return {
        "AWS_REGION": function["region"],
        "AWS_DEFAULT_REGION": function["region"],
        "AWS_EXECUTION_ENV": "AWS_Lambda_provided.al2023",
        "AWS_LAMBDA_FUNCTION_NAME": function["name"],
        "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(function["memory"]),
        "AWS_LAMBDA_LOG_GROUP_NAME": f"/aws/lambda/{function['name']}",
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
    }


# -- SnapStart: no keys in the environment, an endpoint in their place -------------------------------------------------


def path_of(function: Function) -> str:
    """The path of the function's credentials, below the page `lambda`."""
    return f"/{function['account']}/{function['region']}/{function['name']}/credentials"


def token_of(world: World, function: Function) -> str:
    """The authorization token that the function's environment holds."""
    return seal(world, _purpose(function), b"snapstart")


def _refusal(_: Visit, error: AwsError) -> Response:
    if error.code == "NotFound":
        return as_json(404, {"message": "404 page not found"})
    return as_json(error.status or 400, {"code": error.code, "message": error.message})


@page("GET", "/lambda/{account}/{region}/{name}/credentials", refusal=_refusal)
def credentials(visit: Visit, account: str, region: str, name: str) -> Response:
    """The credentials of a function, for the token that its environment holds."""
    function = visit.world.get(KIND, key_of(account, region, name))
    if function is None:
        raise AwsError("NotFound", status=404)
    if unseal(visit.world, _purpose(function), visit.request.headers.get("authorization", "")) is None:
        raise AwsError("AccessDenied", "The authorization token is missing or wrong", status=403)
    return as_json(200, deliver(visit.server, visit.world, function).members())


def _purpose(function: Function) -> str:
    return f"lambda:{function['arn']}"
