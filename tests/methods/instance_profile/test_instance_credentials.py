"""Credentials of an instance: what boto3 and the AWS CLI do with them, rotation, and what refusals look like."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from botocore.exceptions import ClientError
from workload_lab import ACCOUNT, as_keys, forwarding, run

pytestmark = pytest.mark.scenario("workloads.yaml")
FOLDER = "meta-data/iam/security-credentials/"


# -- unmodified clients ----------------------------------------------------------------------------------------------


def test_boto3_is_the_instances_role(lab):
    imds = lab.imds("web")
    caller = lab.boto3_caller(AWS_EC2_METADATA_SERVICE_ENDPOINT=imds.url)
    assert caller == f"arn:aws:sts::{ACCOUNT}:assumed-role/web-role/{imds.instance}"


def test_boto3_uses_version_2_where_it_is_required(lab):
    strict = lab.imds("strict")
    assert lab.boto3_caller(AWS_EC2_METADATA_SERVICE_ENDPOINT=strict.url).endswith(strict.instance)
    assert lab.events("AssumeRole")[-1]["additionalEventData"]["evidence"]["imds"] == "2.0"


def test_boto3_falls_back_to_version_1_behind_a_proxy_which_gets_no_token(lab):
    imds = lab.imds("web")
    with forwarding(imds.url) as proxied:
        assert lab.boto3_caller(AWS_EC2_METADATA_SERVICE_ENDPOINT=proxied).endswith(imds.instance)
    assert lab.events("AssumeRole")[-1]["additionalEventData"]["evidence"]["imds"] == "1.0"


def test_a_proxy_in_front_of_an_instance_that_requires_tokens_leads_to_nothing(lab):
    script = "import boto3; print(boto3.session.Session().get_credentials())"
    with forwarding(lab.imds("strict").url) as proxied:
        environment = lab.environment(AWS_EC2_METADATA_SERVICE_ENDPOINT=proxied)
        assert run([sys.executable, "-c", script], environment).strip() == "None"
    assert not lab.events("AssumeRole")


def test_a_client_that_may_not_use_version_1_still_gets_a_token(lab):
    imds = lab.imds("web")
    variables = {"AWS_EC2_METADATA_SERVICE_ENDPOINT": imds.url, "AWS_EC2_METADATA_V1_DISABLED": "true"}
    assert lab.boto3_caller(**variables).endswith(imds.instance)


def test_the_aws_cli_is_the_instances_role(lab):
    imds = lab.imds("web")
    who = lab.cli("sts", "get-caller-identity", AWS_EC2_METADATA_SERVICE_ENDPOINT=imds.url + "/")
    assert who["Arn"] == f"arn:aws:sts::{ACCOUNT}:assumed-role/web-role/{imds.instance}"
    assert who["UserId"].endswith(f":{imds.instance}")


ROTATING = """
import boto3, json, sys
session = boto3.session.Session()
sts = session.client("sts")
for line in sys.stdin:
    keys = session.get_credentials().get_frozen_credentials()
    print(json.dumps([keys.access_key, sts.get_caller_identity()["Arn"]]), flush=True)
"""


def test_a_running_client_sees_new_credentials_when_the_clock_advances(lab):
    # Given a task whose credentials live for a quarter of an hour (over IMDS botocore would pretend they live longer)
    started = lab.workload("ecs", "guarded")
    environment = lab.environment(
        AWS_CONTAINER_CREDENTIALS_FULL_URI=f"{lab.aws.endpoint_url}/ecs{started['details']['credentials']}",
        AWS_CONTAINER_AUTHORIZATION_TOKEN="sesame",
    )
    with subprocess.Popen(
        [sys.executable, "-c", ROTATING], env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as client:

        def ask():
            client.stdin.write("\n")
            client.stdin.flush()
            return json.loads(client.stdout.readline())

        # When the client keeps running while its credentials come to their end
        before, again = ask(), ask()
        lab.aws.advance(minutes=11)
        after = ask()
        client.stdin.close()
    # Then it goes on as the same role with other credentials
    assert before == again
    assert after[0] != before[0]
    assert after[1] == before[1]


# -- rotation --------------------------------------------------------------------------------------------------------


def test_credentials_stay_the_same_until_new_ones_are_due_and_overlap_with_them(lab):
    imds = lab.imds("web")
    first = imds.credentials()
    lab.aws.advance(hours=4, minutes=59)
    assert imds.credentials() == first
    lab.aws.advance(minutes=2)
    second = imds.credentials()
    assert second["AccessKeyId"] != first["AccessKeyId"]
    # AWS promises five minutes in which both are good; here it is an hour.
    lab.aws.advance(minutes=54)
    for document in (first, second):
        assert lab.aws.client("sts", as_keys(document)).get_caller_identity()["Arn"].endswith(imds.instance)
    lab.aws.advance(minutes=10)
    sts = lab.aws.client("sts", as_keys(first))
    with pytest.raises(sts.exceptions.ClientError, match="ExpiredToken"):
        sts.get_caller_identity()


def test_the_document_is_in_awss_form_and_lives_six_hours_whatever_the_roles_maximum(lab):
    imds = lab.imds("web")
    text = imds.get(FOLDER + "web-role").text
    assert text.startswith('{\n  "Code" : "Success",\n  "LastUpdated" : "')
    document = json.loads(text)
    assert list(document) == [
        "Code",
        "LastUpdated",
        "Type",
        "AccessKeyId",
        "SecretAccessKey",
        "Token",
        "Expiration",
    ]
    assert document["Expiration"][:10] >= document["LastUpdated"][:10]
    assert document["AccessKeyId"].startswith("ASIA")
    lab.aws.advance(hours=5, minutes=30)
    lab.aws.client("sts", as_keys(document)).get_caller_identity()


def test_the_extended_path_says_the_account_too(lab):
    imds = lab.imds("web")
    extended = imds.get("meta-data/iam/security-credentials-extended/web-role").json()
    assert extended["AccountId"] == ACCOUNT
    assert imds.get("meta-data/iam/security-credentials-extended/").text == "web-role"
    assert imds.get("meta-data/iam/security-credentials-extended/other-role").status == 404
    assert lab.imds("bare").get("meta-data/iam/security-credentials-extended/").status == 404


def test_credentials_of_another_role_are_not_to_be_had(lab):
    assert lab.imds("web").get(FOLDER + "other-role").status == 404


# -- changes ---------------------------------------------------------------------------------------------------------


def test_another_role_in_the_profile_shows_with_the_next_renewal(lab):
    imds, iam = lab.imds("web"), lab.aws.client("iam")
    before = imds.credentials()
    iam.remove_role_from_instance_profile(InstanceProfileName="web", RoleName="web-role")
    iam.add_role_to_instance_profile(InstanceProfileName="web", RoleName="other-role")
    assert imds.credentials() == before
    lab.aws.advance(hours=5, minutes=1)
    assert imds.get(FOLDER).text == "other-role"
    assert (
        ":assumed-role/other-role/" in lab.aws.client("sts", as_keys(imds.credentials())).get_caller_identity()["Arn"]
    )


def test_another_policy_of_the_role_shows_at_once(lab):
    keys = as_keys(lab.imds("web").credentials())
    assert lab.aws.client("iam", keys).get_role(RoleName="web-role")
    lab.aws.client("iam").delete_role_policy(RoleName="web-role", PolicyName="read")
    iam = lab.aws.client("iam", keys)
    with pytest.raises(iam.exceptions.ClientError, match="no identity-based policy allows the iam:GetRole action"):
        iam.get_role(RoleName="web-role")


def test_an_emptied_profile_says_so(lab):
    imds, iam = lab.imds("web"), lab.aws.client("iam")
    iam.remove_role_from_instance_profile(InstanceProfileName="web", RoleName="web-role")
    info = imds.get("meta-data/iam/info").json()
    assert (info["Code"], info["Message"].startswith("Instance Profile does not contain a role")) == ("Success", True)
    assert imds.get(FOLDER).status == 404


def test_a_profile_that_was_made_again_is_not_the_one_the_instance_has(lab):
    imds, iam = lab.imds("web"), lab.aws.client("iam")
    assert imds.get("meta-data/iam/info").json()["InstanceProfileArn"].endswith(":instance-profile/web")
    iam.remove_role_from_instance_profile(InstanceProfileName="web", RoleName="web-role")
    iam.delete_instance_profile(InstanceProfileName="web")
    iam.create_instance_profile(InstanceProfileName="web")
    iam.add_role_to_instance_profile(InstanceProfileName="web", RoleName="web-role")
    assert imds.get("meta-data/iam/info").json()["Code"] == "InstanceProfileNotFound"


# -- the trust decision ----------------------------------------------------------------------------------------------


def test_a_role_that_does_not_trust_ec2_is_a_document_that_says_so(lab):
    imds = lab.imds("closed")
    answer = imds.get(FOLDER + imds.get(FOLDER).text)
    assert answer.status == 200
    assert answer.json()["Code"] == "AssumeRoleUnauthorizedAccess"
    assert answer.json()["Message"].startswith("EC2 cannot assume the role not-for-ec2.  Please see documentation at ")
    assert "AccessKeyId" not in answer.json()
    denied = lab.aws.events(outcome="denied")[-1]
    assert (denied["eventName"], denied["errorCode"]) == ("AssumeRole", "AccessDenied")
    assert denied["userIdentity"]["type"] == "AWSService"
    assert "ec2.amazonaws.com" in lab.aws.explain(denied)


def test_boto3_finds_no_credentials_where_the_role_does_not_trust_ec2(lab):
    script = "import boto3; print(boto3.session.Session().get_credentials())"
    environment = lab.environment(AWS_EC2_METADATA_SERVICE_ENDPOINT=lab.imds("closed").url)
    assert run([sys.executable, "-c", script], environment).strip() == "None"


def test_a_mended_trust_policy_lets_the_next_request_in(lab):
    imds = lab.imds("closed")
    assert imds.credentials()["Code"] == "AssumeRoleUnauthorizedAccess"
    trust = {
        "Version": "2012-10-17",
        "Statement": {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"},
    }
    lab.aws.client("iam").update_assume_role_policy(RoleName="not-for-ec2", PolicyDocument=json.dumps(trust))
    assert imds.credentials()["Code"] == "Success"


def test_a_policy_can_tell_credentials_of_version_1_from_those_of_version_2(lab):
    imds = lab.imds("modern")
    old, new = as_keys(imds.credentials()), as_keys(imds.credentials(imds.token()))
    assert lab.aws.client("iam", new).get_role(RoleName="web-role")
    iam = lab.aws.client("iam", old)
    with pytest.raises(iam.exceptions.ClientError, match="explicit deny"):
        iam.get_role(RoleName="web-role")


def test_each_delivery_is_an_event_with_its_decision(lab):
    imds = lab.imds("web")
    imds.credentials()
    imds.credentials()
    (event,) = lab.events("AssumeRole")
    assert event["sourceIPAddress"] == "ec2.amazonaws.com"
    assert event["additionalEventData"]["evidence"]["instance"] == imds.instance
    assert event["additionalEventData"]["decisions"][0]["verdict"] == "allow"
    assert "secretAccessKey" not in event["responseElements"]["credentials"]


def test_where_credentials_were_delivered_is_not_said_of_the_next_role(lab):
    """UG, global condition keys: they are there when a request is signed "with an Amazon EC2 role credential"."""
    sts = lab.aws.client("sts", as_keys(lab.imds("web").credentials()))
    next_role = sts.assume_role(RoleArn=f"arn:aws:iam::{ACCOUNT}:role/after-web", RoleSessionName="next")
    assert lab.aws.decisions()[0]["explanation"]["request"]["context"]["ec2:roledelivery"]
    with pytest.raises(ClientError):
        lab.aws.client("iam", next_role["Credentials"]).get_role(RoleName="web-role")
    assert "ec2:roledelivery" not in lab.aws.decisions()[0]["explanation"]["request"]["context"]
