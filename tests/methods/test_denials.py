"""Why was I denied: by iam-toolbox, by encoded messages and by CloudTrail, all through boto3."""

from __future__ import annotations

import json
import re

import pytest
from botocore.exceptions import ClientError

HOME = "111122223333"
TRUSTED = f"arn:aws:iam::{HOME}:role/account-trusted"

pytestmark = pytest.mark.scenario("sts_world.yaml")


def denied(call, **arguments) -> ClientError:
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    return caught.value


def authorization_id(error: ClientError) -> str:
    return re.search(r"authorization id: ([0-9a-z]+)$", error.response["Error"]["Message"])[1]


def test_iams_denial_names_an_authorization_id_that_iam_toolbox_takes(aws):
    error = denied(aws.client("iam", user="bob").create_user, UserName="eve")
    assert "because no identity-based policy allows the iam:CreateUser action" in error.response["Error"]["Message"]

    details = aws.client("iam-toolbox").get_request_authorization_details(authorizationId=authorization_id(error))

    assert details["requestContext"]["aws:username"] == ["bob"]
    (evaluation,) = details["evaluations"]
    assert evaluation["action"] == "iam:CreateUser"
    assert evaluation["evaluatedEffect"] == "IMPLICIT_DENY"
    assert {"checkType": "PRINCIPAL", "evaluatedEffect": "IMPLICIT_DENY"}.items() <= evaluation["checks"][0].items()


def test_the_link_in_the_message_leads_to_the_explanation(aws):
    import urllib.request

    error = denied(aws.client("iam", user="bob").create_user, UserName="eve")
    link = re.search(r"Go to (\S+) for complete details", error.response["Error"]["Message"])[1]
    with urllib.request.urlopen(link) as page:
        assert b"iam:CreateUser DENIED" in page.read()


def test_a_policy_is_handed_out_as_it_was(aws):
    dora = aws.client("sts", user="dora")
    error = denied(dora.assume_role, RoleArn=TRUSTED, RoleSessionName="dora")
    known = error.response["ResponseMetadata"]["RequestId"].replace("-", "")
    aws.client("iam").delete_user_policy(UserName="dora", PolicyName="denied")
    toolbox = aws.client("iam-toolbox")

    details = toolbox.get_request_authorization_details(authorizationId=known)
    assert details["evaluations"][0]["evaluatedEffect"] == "EXPLICIT_DENY"
    (uri,) = [policy["uri"] for policy in details["policies"] if policy["type"] == "IDENTITY_BASED_POLICY"]

    document = toolbox.get_request_authorization_policy(authorizationId=known, policyUri=uri)["policyDocument"]
    assert document["Statement"][0]["Effect"] == "Deny"


def test_details_are_for_the_account_that_was_denied(aws, refused):
    error = denied(aws.client("iam", user="bob").create_user, UserName="eve")
    away = aws.client("iam-toolbox", aws.credentials(account="444455556666"))
    for known in (authorization_id(error), "0123abc"):
        status, code, _ = refused(away.get_request_authorization_details, authorizationId=known)
        assert (status, code) == (404, "ResourceNotFoundException")
    powerless = aws.client("iam-toolbox", user="bob")
    status, code, _ = refused(powerless.get_request_authorization_details, authorizationId=authorization_id(error))
    assert code == "AccessDeniedException"


@pytest.mark.parametrize("message", ["b94d27b9934", "x" * 10240, "####"])
def test_what_nobody_encoded_is_not_decoded(aws, refused, message):
    alice = aws.client("sts", user="alice")
    assert refused(alice.decode_authorization_message, EncodedMessage=message)[:2] == (
        400,
        "InvalidAuthorizationMessageException",
    )


def test_cloudtrail_tells_what_happened(aws):
    alice = aws.client("sts", user="alice")
    alice.assume_role(RoleArn=TRUSTED, RoleSessionName="who")
    denied(aws.client("sts", user="bob").assume_role, RoleArn=TRUSTED, RoleSessionName="bob")
    trail = aws.client("cloudtrail")

    by_name = {"AttributeKey": "EventName", "AttributeValue": "AssumeRole"}
    newest, oldest = trail.lookup_events(LookupAttributes=[by_name])["Events"]
    assert (newest["Username"], oldest["Username"]) == ("bob", "alice")
    assert json.loads(newest["CloudTrailEvent"])["errorCode"] == "AccessDenied"
    assert oldest["Resources"] == [{"ResourceType": "AWS::IAM::Role", "ResourceName": TRUSTED}]

    by_user = {"AttributeKey": "Username", "AttributeValue": "alice"}
    assert [event["EventName"] for event in trail.lookup_events(LookupAttributes=[by_user])["Events"]] == ["AssumeRole"]


def test_cloudtrail_pages(aws):
    alice = aws.client("sts", user="alice")
    for _ in range(5):
        alice.get_caller_identity()
    by_name = {"AttributeKey": "EventName", "AttributeValue": "GetCallerIdentity"}
    pages = (
        aws.client("cloudtrail")
        .get_paginator("lookup_events")
        .paginate(LookupAttributes=[by_name], PaginationConfig={"PageSize": 2})
    )
    identifiers = [event["EventId"] for page in pages for event in page["Events"]]
    assert len(identifiers) == len(set(identifiers)) == 5


def test_cloudtrail_refuses_what_it_cannot_answer(aws, refused):
    trail = aws.client("cloudtrail")
    assert refused(trail.lookup_events, NextToken="forged")[1] == "InvalidNextTokenException"
    assert refused(trail.lookup_events, StartTime=2, EndTime=1)[1] == "InvalidTimeRangeException"
