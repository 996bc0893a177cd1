"""Lambda: what the environment of a function holds, which is all that its code learns of its role.

Document `lambda-function`, key: `ACCOUNT/REGION/name`, uid: ARN. name, account, region, arn, role (ARN), memory,
lifetime. Behaviour: facts/workload-and-rolesanywhere C5, C6.
"""

from __future__ import annotations

from typing import Any, Final

from emulator.core.world import World
from emulator.methods.instance_profile import delivery
from emulator.methods.instance_profile.delivery import Delivered, Workload
from emulator.vending import resources
from emulator.vending.context import Server
from emulator.vending.resources import Stored

KIND: Final = "lambda-function"
SERVICE: Final = "lambda.amazonaws.com"
LIFETIME: Final = 12 * 3600
"""Seconds that a function's credentials live. AWS publishes no number; an execution environment lives for hours."""


def key_of(account: str, region: str, name: str) -> str:
    """The key of an account's function in a region."""
    return f"{account}/{region}/{name}"


def make(account: str, region: str, name: str, **given: Any) -> dict[str, Any]:
    """The document of a new function; `given` are members that differ from the defaults, `role` among them."""
    return {
        "name": name,
        "account": account,
        "region": region,
        "arn": f"arn:aws:lambda:{region}:{account}:function:{name}",
        "role": "",
        "memory": 128,
        "lifetime": LIFETIME,
        **given,
    }


def deliver(server: Server, world: World, function: Stored) -> Delivered:
    """The credentials of the function's execution environment, renewed in time.

    Raises:
        AwsError: AccessDenied when the role's trust policy does not let Lambda in.
    """
    place = (KIND, function["arn"], function["role"])
    found = delivery.kept(world, place)
    if found is not None:
        return found
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
    return delivery.deliver(server, world, workload, resources.role_by_arn(world, function["role"]), place)


def environment(function: Stored) -> dict[str, str]:
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
