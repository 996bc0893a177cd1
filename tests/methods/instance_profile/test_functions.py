"""Lambda: the environment of a function, its role's session, and SnapStart's endpoint.

Source: docs/aws/containers-and-pods.md, "Lambda", "Other workloads".
"""

from __future__ import annotations

import pytest
from workload_lab import ACCOUNT, request

pytestmark = pytest.mark.scenario("workloads.yaml")


def test_a_functions_session_bears_its_name(lab):
    environment = lab.workload("lambda", "resize")["details"]["environment"]
    assert environment["AWS_LAMBDA_FUNCTION_NAME"] == "resize"
    assert environment["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"] == "512"
    caller = lab.boto3_caller(**{name: value for name, value in environment.items() if name.startswith("AWS_")})
    assert caller == f"arn:aws:sts::{ACCOUNT}:assumed-role/function-role/resize"


def test_the_functions_arn_stays_with_its_session(lab):
    environment = lab.workload("lambda", "resize")["details"]["environment"]
    keys = {
        "AccessKeyId": environment["AWS_ACCESS_KEY_ID"],
        "SecretAccessKey": environment["AWS_SECRET_ACCESS_KEY"],
        "SessionToken": environment["AWS_SESSION_TOKEN"],
    }
    assert lab.aws.client("iam", keys).get_role(RoleName="function-role")


def test_a_role_that_does_not_trust_lambda_starts_no_function(lab):
    from sts_emulator.cli.errors import CommandError

    with pytest.raises(CommandError, match=r"AccessDenied: lambda\.amazonaws\.com is not authorized"):
        lab.workload("lambda", "closed")


def test_snapstart_has_no_keys_in_the_environment_but_an_endpoint_with_a_token(lab):
    body = {"kind": "lambda", "name": "resize", "options": {"snapstart": True}}
    details = lab.api("POST", "workloads", body=body)["details"]
    assert "AWS_ACCESS_KEY_ID" not in details["environment"]
    uri = f"{lab.aws.endpoint_url}/lambda{details['credentials']}"
    variables = {"AWS_CONTAINER_CREDENTIALS_FULL_URI": uri, "AWS_CONTAINER_AUTHORIZATION_TOKEN": details["token"]}
    assert lab.boto3_caller(**variables).endswith("function-role/resize")
    assert request("GET", uri).status == 403
    other = ("x" if details["token"][0] != "x" else "y") + details["token"][1:]
    assert request("GET", uri, {"Authorization": other}).status == 403
    assert request("GET", uri.replace("resize", "other"), {"Authorization": details["token"]}).status == 404
