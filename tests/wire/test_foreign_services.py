"""Clients of services that are not here get an error that says what to do, in their own protocol."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from botocore.config import Config

from sts_emulator import Aws

ONCE = Config(retries={"total_max_attempts": 1})


@pytest.mark.parametrize(
    ("service", "operation", "parameters", "variable"),
    [
        ("s3", "list_buckets", {}, "S3"),
        ("s3", "get_object", {"Bucket": "b", "Key": "k/l"}, "S3"),
        ("s3", "put_object", {"Bucket": "b", "Key": "k", "Body": b"x"}, "S3"),
        ("dynamodb", "list_tables", {}, "DYNAMODB"),
        ("sqs", "list_queues", {}, "SQS"),
        ("sns", "list_topics", {}, "SNS"),
        ("lambda", "list_functions", {}, "LAMBDA"),
        ("kms", "list_keys", {}, "KMS"),
        ("route53", "list_hosted_zones", {}, "ROUTE53"),
        ("cloudformation", "list_stacks", {}, "<SERVICE>"),
        ("logs", "describe_log_groups", {}, "<SERVICE>"),
    ],
)
def test_an_error_in_the_services_own_protocol(aws: Aws, service, operation, parameters, variable):
    client = aws.client(service, config=ONCE)
    with pytest.raises(client.exceptions.ClientError) as refused:
        getattr(client, operation)(**parameters)
    error = refused.value.response["Error"]
    assert error["Code"] == "NotImplemented"
    assert f"AWS_ENDPOINT_URL_{variable}=" in error["Message"]
    assert f"does not have the service {service}." in error["Message"]


@pytest.mark.parametrize("command", [("s3", "ls"), ("dynamodb", "list-tables"), ("kms", "list-keys")])
def test_the_cli_shows_it(aws: Aws, command):
    ended = subprocess.run(
        [Path(sys.executable).parent / "aws", *command],
        env={"PATH": os.defpath, "AWS_MAX_ATTEMPTS": "1", **aws.env()},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode != 0
    assert f"AWS_ENDPOINT_URL_{command[0].upper()}=http://... goes before AWS_ENDPOINT_URL" in ended.stderr


def test_an_unknown_operation_of_a_service_that_is_here_stays_what_it_was(aws: Aws):
    ec2 = aws.client("ec2", config=ONCE)
    with pytest.raises(ec2.exceptions.ClientError) as refused:
        ec2.describe_vpcs()
    assert "does not have the service" not in str(refused.value)
