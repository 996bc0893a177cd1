"""What can go wrong on purpose: with AWS calls, and with every endpoint that gives credentials or evidence."""

from __future__ import annotations

import http.client
import time
from email.utils import parsedate_to_datetime
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, ConnectionClosedError, ReadTimeoutError
from botocore.parsers import ResponseParserError

from sts_emulator.cli.errors import CommandError

WORKLOADS = Path(__file__).parents[1] / "methods" / "instance_profile" / "workloads.yaml"
ONCE = {"total_max_attempts": 1}

ENDPOINTS = {
    "imds": "/imds/i-0123456789abcdef0/latest/meta-data/",
    "ecs": "/ecs/v2/credentials/nothing",
    "pod-identity": "/pod-identity/v1/credentials",
    "lambda": "/lambda/111122223333/us-east-1/nothing/credentials",
    "issuers": "/issuers/nobody/.well-known/openid-configuration",
    "saml": "/saml",
    "idp": "/idp/nobody/metadata",
    "federation": "/federation",
    "outbound": "/outbound/x/.well-known/jwks.json",
    "private-ca": "/private-ca/x/crl",
}


class Visitor:
    """Raw visits to one world."""

    def __init__(self, aws) -> None:
        self.parts = urlsplit(aws.endpoint_url)

    def visit(self, path: str, method: str = "GET", timeout: float = 120) -> tuple[int, dict[str, str], bytes]:
        connection = http.client.HTTPConnection(self.parts.hostname, self.parts.port, timeout=timeout)
        try:
            connection.request(method, f"{self.parts.path}{path}")
            answer = connection.getresponse()
            headers = {name.lower(): value for name, value in answer.getheaders()}
            return answer.status, headers, answer.read()
        finally:
            connection.close()


@pytest.fixture
def visitor(aws) -> Visitor:
    return Visitor(aws)


def sts(aws, **config):
    return aws.client("sts", config=Config(retries=ONCE, **config))


# -- every endpoint -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("endpoint", ENDPOINTS)
def test_an_endpoint_answers_with_the_faults_status(aws, visitor, endpoint):
    aws.faults({"service": endpoint, "status": 503, "code": "Busy", "message": "come back"})
    status, _, body = visitor.visit(ENDPOINTS[endpoint])
    assert status == 503
    assert b"come back" in body or endpoint == "imds"  # whose errors are pages without words


@pytest.mark.parametrize("endpoint", ENDPOINTS)
@pytest.mark.parametrize("how", ["drop", "lose", "half"])
def test_an_endpoints_connection_breaks(aws, visitor, endpoint, how):
    aws.faults({"service": endpoint, "answer": how})
    with pytest.raises((http.client.RemoteDisconnected, http.client.IncompleteRead, ConnectionResetError)) as broken:
        visitor.visit(ENDPOINTS[endpoint])
    assert (how == "half") == isinstance(broken.value, http.client.IncompleteRead)


def test_a_fault_of_one_endpoint_is_no_others(aws, visitor):
    aws.faults({"service": "imds", "status": 500})
    assert visitor.visit(ENDPOINTS["issuers"])[0] == 404
    assert sts(aws).get_caller_identity()["Account"] == aws.account


def test_a_path_can_be_meant(aws, visitor):
    aws.faults({"service": "imds", "operation": "*/api/token", "status": 503})
    assert visitor.visit("/imds/i-0123456789abcdef0/latest/api/token", "PUT")[0] == 503
    assert visitor.visit("/imds/i-0123456789abcdef0/latest/meta-data/")[0] == 404


def test_everything_can_be_meant(aws, visitor):
    aws.faults({"service": "*", "status": 503})
    assert {visitor.visit(path)[0] for path in ENDPOINTS.values()} == {503}
    with pytest.raises(ClientError, match="ServiceUnavailable"):
        sts(aws).get_caller_identity()


@pytest.mark.scenario(str(WORKLOADS))
def test_an_instances_own_port_has_its_faults_too(aws):
    listener = aws._api("POST", "listeners", body={"kind": "imds", "workload": "web"})
    aws.faults({"service": "imds", "answer": "half", "times": 1})
    connection = http.client.HTTPConnection(listener["host"], listener["port"], timeout=120)
    connection.request("GET", "/latest/meta-data/")
    with pytest.raises(http.client.IncompleteRead):
        connection.getresponse().read()
    connection.close()
    connection.request("GET", "/latest/meta-data/")
    assert connection.getresponse().status == 200
    connection.close()


# -- what goes wrong ----------------------------------------------------------------------------------------------


def test_an_answer_can_be_late(aws, visitor):
    aws.faults({"service": "sts", "delay_seconds": 0.3}, {"service": "issuers", "delay_seconds": 0.3})
    for wait in (lambda: sts(aws).get_caller_identity(), lambda: visitor.visit(ENDPOINTS["issuers"])):
        before = time.monotonic()
        wait()
        assert time.monotonic() - before >= 0.3


def test_an_error_can_be_late_too(aws):
    aws.faults({"service": "sts", "delay_seconds": 0.3, "code": "Throttling"})
    before = time.monotonic()
    with pytest.raises(ClientError, match="Throttling"):
        sts(aws).get_caller_identity()
    assert time.monotonic() - before >= 0.3


def test_an_answer_may_never_come(aws, visitor):
    aws.faults({"service": "sts", "answer": "hang"}, {"service": "imds", "answer": "hang"})
    with pytest.raises(ReadTimeoutError):
        sts(aws, read_timeout=0.5).get_caller_identity()
    with pytest.raises(TimeoutError):
        visitor.visit(ENDPOINTS["imds"], timeout=0.5)
    # And the server serves others meanwhile and afterwards
    assert aws.client("iam").list_roles()["ResponseMetadata"]["HTTPStatusCode"] == 200


def create(iam, name: str) -> None:
    iam.create_role(
        RoleName=name,
        AssumeRolePolicyDocument='{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"Service":'
        '"ec2.amazonaws.com"},"Action":"sts:AssumeRole"}}',
    )


@pytest.mark.parametrize(("how", "carried_out"), [("drop", False), ("lose", True), ("half", True)])
def test_a_lost_call_is_carried_out_or_not(aws, how, carried_out):
    iam = aws.client("iam", config=Config(retries=ONCE))
    aws.faults({"service": "iam", "operation": "CreateRole", "answer": how, "times": 1})
    with pytest.raises((ConnectionClosedError, ResponseParserError)):
        create(iam, "unlucky")
    names = [role["RoleName"] for role in iam.list_roles()["Roles"]]
    assert ("unlucky" in names) == carried_out


def test_a_client_that_retries_a_lost_call_is_told_that_it_was_carried_out(aws):
    aws.faults({"service": "iam", "operation": "CreateRole", "answer": "lose", "times": 1})
    with pytest.raises(ClientError, match="EntityAlreadyExists"):
        create(aws.client("iam"), "unlucky")


def test_a_client_reads_the_servers_clock_from_date(aws, visitor):
    aws.faults({"service": "*", "date_offset_seconds": -3600})
    _, headers, _ = visitor.visit(ENDPOINTS["issuers"])
    assert -3660 < parsedate_to_datetime(headers["date"]).timestamp() - time.time() < -3540
    metadata = sts(aws).get_caller_identity()["ResponseMetadata"]
    date = parsedate_to_datetime(metadata["HTTPHeaders"]["date"]).timestamp()
    assert -3660 < date - time.time() < -3540


def test_a_fault_can_be_as_rare_as_bad_luck(aws):
    client = sts(aws)
    aws.faults({"service": "sts", "code": "Throttling", "rate": 0.5})
    fates = set()
    for _ in range(200):  # that all are alike has a chance of 2^-199
        try:
            client.get_caller_identity()
        except ClientError:
            fates.add("throttled")
        else:
            fates.add("answered")
        if len(fates) == 2:
            break
    assert fates == {"throttled", "answered"}


def test_a_fault_happens_as_often_as_it_was_asked_for(aws, visitor):
    aws.faults({"service": "imds", "status": 500, "times": 2})
    assert [visitor.visit(ENDPOINTS["imds"])[0] for _ in range(3)] == [500, 500, 404]
    assert not aws._api("GET")["faults"]


# -- what is refused ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ({"service": "stss", "code": "Throttling"}, "did you mean `sts`"),
        ({"service": "imdss", "status": 500}, "did you mean `imds`"),
        ({"service": "pod_identity", "status": 500}, "did you mean `pod-identity`"),
        ({"service": "sts", "operation": "AsumeRole", "code": "Throttling"}, "did you mean `AssumeRole`"),
        (
            {"service": "sts", "operation": "getcalleridentity", "code": "Throttling"},
            "did you mean `GetCallerIdentity`",
        ),
        ({"service": "sts", "operation": "CreateRole", "code": "Throttling"}, "has no operation `CreateRole`"),
        ({"service": "zz*", "status": 500}, "no service or endpoint is called `zz*`"),
        ({"service": "sts"}, "nothing goes wrong"),
        ({"service": "sts", "answer": "explode"}, "answer"),
        ({"service": "sts", "code": "Throttling", "rate": 0}, "rate"),
        ({"service": "sts", "code": "Throttling", "rate": 1.5}, "rate"),
        ({"service": "sts", "code": "Throttling", "times": 0}, "times"),
        ({"service": "sts", "delay_seconds": -1}, "delay_seconds"),
        ({"service": "sts", "status": 200}, "status"),
        ({"service": "sts", "delay": 1}, "delay"),
    ],
)
def test_a_fault_that_could_not_be_meant_is_refused(aws, fault, said):
    with pytest.raises(CommandError) as refused:
        aws.faults(fault)
    assert said in str(refused.value)


@pytest.mark.parametrize(("service", "operation"), [("*", "*"), ("s*", "Get*"), ("iam", "*Role"), ("imds", "*/token")])
def test_patterns_are_names(aws, service, operation):
    aws.faults({"service": service, "operation": operation, "status": 503, "times": 1})
    assert aws._api("GET")["faults"][0]["operation"] == operation
