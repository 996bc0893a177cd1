"""The container credentials endpoint of ECS, and task metadata version 4.

Source: docs/aws/containers-and-pods.md, "Environment", "Responses".
"""

from __future__ import annotations

import json

import pytest
from workload_lab import ACCOUNT, as_keys, request

pytestmark = pytest.mark.scenario("workloads.yaml")


@pytest.fixture
def worker(lab):
    return lab.workload("ecs", "worker")


def _credentials(lab, task, **headers):
    return request("GET", f"{lab.aws.endpoint_url}/ecs{task['details']['credentials']}", headers)


# -- unmodified clients ----------------------------------------------------------------------------------------------


def test_boto3_is_the_task_role_and_its_session_bears_the_tasks_id(lab, worker):
    uri = f"{lab.aws.endpoint_url}/ecs{worker['details']['credentials']}"
    caller = lab.boto3_caller(AWS_CONTAINER_CREDENTIALS_FULL_URI=uri)
    assert caller == f"arn:aws:sts::{ACCOUNT}:assumed-role/task-role/{worker['id']}"


def test_the_endpoint_at_a_root_of_its_own_serves_relative_uris(lab, worker):
    url = lab.listener("ecs") + worker["details"]["credentials"]
    assert request("GET", url).json()["RoleArn"] == f"arn:aws:iam::{ACCOUNT}:role/task-role"
    who = lab.cli("sts", "get-caller-identity", AWS_CONTAINER_CREDENTIALS_FULL_URI=url)
    assert who["Arn"].endswith(f"task-role/{worker['id']}")


def test_a_client_presents_its_authorization_token_from_the_environment_or_a_file(lab, tmp_path):
    guarded = lab.workload("ecs", "guarded")
    uri = f"{lab.aws.endpoint_url}/ecs{guarded['details']['credentials']}"
    (tmp_path / "token").write_text("sesame")
    for variables in (
        {"AWS_CONTAINER_AUTHORIZATION_TOKEN": "sesame"},
        {"AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": str(tmp_path / "token"), "AWS_CONTAINER_AUTHORIZATION_TOKEN": "no"},
    ):
        assert lab.boto3_caller(AWS_CONTAINER_CREDENTIALS_FULL_URI=uri, **variables).endswith(guarded["id"])


# -- the document ----------------------------------------------------------------------------------------------------


def test_the_document_has_what_every_sdk_needs(lab, worker):
    answer = _credentials(lab, worker)
    assert answer.headers["content-type"] == "application/json"
    document = answer.json()
    assert list(document) == ["RoleArn", "AccessKeyId", "SecretAccessKey", "Token", "Expiration"]
    assert document["Expiration"].endswith("Z")
    assert lab.aws.client("sts", as_keys(document)).get_caller_identity()["Account"] == ACCOUNT


def test_the_older_path_leads_to_the_same_credentials(lab, worker):
    identifier = worker["details"]["credentials"].rsplit("/", 1)[1]
    old = request("GET", f"{lab.aws.endpoint_url}/ecs/v1/credentials?id={identifier}")
    assert old.json() == _credentials(lab, worker).json()


def test_short_credentials_are_renewed_five_minutes_before_they_end(lab):
    task = lab.workload("ecs", "guarded")
    first = _credentials(lab, task, Authorization="sesame").json()
    lab.aws.advance(minutes=9)
    assert _credentials(lab, task, Authorization="sesame").json() == first
    lab.aws.advance(seconds=61)
    assert _credentials(lab, task, Authorization="sesame").json()["AccessKeyId"] != first["AccessKeyId"]
    lab.aws.client("sts", as_keys(first)).get_caller_identity()


@pytest.mark.parametrize(
    ("path", "status", "code", "message"),
    [
        ("/v2/credentials/", 400, "NoIdInRequest", "CredentialsV2Request: No Credential ID in the request"),
        ("/v2/credentials", 400, "NoIdInRequest", "CredentialsV2Request: No Credential ID in the request"),
        ("/v1/credentials", 400, "NoIdInRequest", "CredentialsV2Request: No Credential ID in the request"),
        ("/v2/credentials/0", 400, "InvalidIdInRequest", "CredentialsV2Request: Credentials not found"),
    ],
)
def test_mistakes_are_answered_as_the_agent_does(lab, path, status, code, message):
    answer = request("GET", f"{lab.aws.endpoint_url}/ecs{path}")
    assert answer.status == status
    assert answer.json() == {"code": code, "message": message, "HTTPErrorCode": status}


@pytest.mark.parametrize("token", [None, "", "wrong", "sesam", "sesame\u00e9"])
def test_a_missing_or_wrong_authorization_token_is_refused(lab, token):
    task = lab.workload("ecs", "guarded")
    headers = {} if token is None else {"Authorization": token}
    assert _credentials(lab, task, **headers).status == 403
    assert not lab.events("AssumeRole")


# -- the trust decision ----------------------------------------------------------------------------------------------


def test_a_role_that_does_not_trust_ecs_has_no_credentials(lab):
    answer = _credentials(lab, lab.workload("ecs", "closed"))
    assert (answer.status, answer.json()["code"]) == (503, "CredentialsUninitialized")
    assert lab.aws.events(outcome="denied")[-1]["errorCode"] == "AccessDenied"


def test_the_trust_policy_sees_the_tasks_account_and_arn(lab, worker):
    _credentials(lab, worker)
    (event,) = lab.events("AssumeRole")
    assert event["additionalEventData"]["evidence"]["task"].endswith(f":task/default/{worker['id']}")
    trust = lab.aws.client("iam").get_role(RoleName="task-role")["Role"]["AssumeRolePolicyDocument"]
    trust["Statement"][0]["Condition"]["StringEquals"]["aws:SourceAccount"] = "999999999999"
    lab.aws.client("iam").update_assume_role_policy(RoleName="task-role", PolicyDocument=json.dumps(trust))
    lab.aws.advance(hours=6)
    assert _credentials(lab, worker).status == 503


# -- metadata --------------------------------------------------------------------------------------------------------


def test_a_container_reads_about_itself_and_its_task(lab, worker):
    uri = lab.listener("ecs") + worker["details"]["metadata"]
    container, task = request("GET", uri).json(), request("GET", f"{uri}/task").json()
    assert container["Labels"]["com.amazonaws.ecs.task-arn"] == task["TaskARN"]
    assert task["TaskARN"] == f"arn:aws:ecs:us-east-1:{ACCOUNT}:task/default/{worker['id']}"
    assert task["Containers"] == [container]
    assert request("GET", f"{uri}/taskWithTags").json()["TaskTags"] == {}
    assert set(request("GET", f"{uri}/task/stats").json()) == {container["DockerId"]}


def test_metadata_of_an_unknown_container_is_a_404_with_a_string(lab):
    answer = request("GET", f"{lab.aws.endpoint_url}/ecs/v4/{'0' * 32}-1234567890/task")
    assert answer.status == 404
    assert answer.json().startswith("V4 container metadata handler: ")
