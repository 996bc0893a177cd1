"""`--permissive`: for migrating test suites. It is loud, and it waives authentication, not the trust policy."""

from __future__ import annotations

import boto3
import pytest
from botocore.exceptions import ClientError


def client(url: str, key_id: str, secret: str = "x", service: str = "sts"):
    return boto3.client(
        service,
        endpoint_url=url,
        region_name="us-east-1",
        aws_access_key_id=key_id,
        aws_secret_access_key=secret,
    )


def test_any_credentials_are_taken_and_a_number_is_that_account(serve):
    with serve("--permissive") as (url, process):
        assert client(url, "444455556666").get_caller_identity()["Arn"] == "arn:aws:iam::444455556666:root"
        assert client(url, "test").get_caller_identity()["Account"] == "000000000000"

        # a trust policy still says who may
        with pytest.raises(ClientError, match="AccessDenied"):
            client(url, "test").assume_role(
                RoleArn="arn:aws:iam::111122223333:role/developer", RoleSessionName="somebody"
            )
        assert client(url, "111122223333").assume_role(
            RoleArn="arn:aws:iam::111122223333:role/developer", RoleSessionName="somebody"
        )["Credentials"]
        process.terminate()
        assert "permissive" in process.stdout.read().lower()


def test_without_it_the_same_credentials_are_nothing(serve):
    with serve() as (url, _), pytest.raises(ClientError, match="InvalidClientTokenId"):
        client(url, "444455556666").get_caller_identity()
