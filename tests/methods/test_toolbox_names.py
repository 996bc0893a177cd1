"""What iam-toolbox calls the policies behind a denial, and to what it says they were attached: botocore's model."""

from __future__ import annotations

import json

import pytest
from botocore.exceptions import ClientError

DEV, MANAGEMENT = "111122223333", "999988887777"
OWN = f"arn:aws:iam::{DEV}:policy/own"
WORLD = f"""
accounts:
  "{DEV}":
    policies: {{own: [{{Effect: Allow, Action: "sts:*", Resource: "*"}}]}}
    groups: {{staff: {{policies: ReadOnlyAccess}}}}
    users:
      ann:
        groups: staff
        policies: "{OWN}"
        boundary: PowerUserAccess
        inline: {{mine: [{{Effect: Allow, Action: "iam:CreateUser", Resource: "*"}}]}}
    roles: {{app: {{trust: [{{Effect: Deny, Principal: {{AWS: "*"}}, Action: "sts:AssumeRole"}}], tags: {{a: b}}}}}}
  "{MANAGEMENT}": {{}}
organization:
  management: "{MANAGEMENT}"
  service_control_policies: {{guard: [{{Effect: Deny, Action: "iam:DeleteUser", Resource: "*"}}]}}
  scps: guard
  accounts: {{"{MANAGEMENT}": {{}}, "{DEV}": {{}}}}
"""
pytestmark = pytest.mark.scenario(WORLD)


@pytest.fixture
def ann(aws):
    return aws.credentials(account=DEV, user="ann")


@pytest.fixture
def toolbox(aws):
    return aws.client("iam-toolbox", aws.credentials(account=DEV))


def denied(call, **arguments) -> str:
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    return caught.value.response["ResponseMetadata"]["RequestId"].replace("-", "")


def test_managed_policies_have_their_arns(aws, ann, toolbox):
    known = denied(aws.client("iam", ann).create_user, UserName="eve")
    details = toolbox.get_request_authorization_details(authorizationId=known)
    user = [{"arn": f"arn:aws:iam::{DEV}:user/ann"}]

    identity = [policy for policy in details["policies"] if policy["type"] == "IDENTITY_BASED_POLICY"]
    assert {policy["uri"]: policy["inline"] for policy in identity if not policy["inline"]} == {
        OWN: False,
        "arn:aws:iam::aws:policy/ReadOnlyAccess": False,
    }
    (mine,) = [policy for policy in identity if policy["inline"]]
    assert not mine["uri"].startswith("arn:")
    assert all(policy["attachedTo"] == user for policy in identity)
    (boundary,) = [policy for policy in details["policies"] if policy["type"] == "PERMISSIONS_BOUNDARY"]
    assert boundary == {
        "type": "PERMISSIONS_BOUNDARY",
        "uri": "arn:aws:iam::aws:policy/PowerUserAccess",
        "inline": False,
        "attachedTo": user,
    }
    document = toolbox.get_request_authorization_policy(authorizationId=known, policyUri=OWN)["policyDocument"]
    assert document["Statement"][0]["Action"] == "sts:*"


def test_a_policy_that_changed_meanwhile_has_no_name(aws, ann, toolbox):
    known = denied(aws.client("iam", ann).create_user, UserName="eve")
    iam = aws.client("iam", aws.credentials(account=DEV))
    text = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]})
    iam.create_policy_version(PolicyArn=OWN, PolicyDocument=text, SetAsDefault=True)

    policies = toolbox.get_request_authorization_details(authorizationId=known)["policies"]
    assert OWN not in [policy["uri"] for policy in policies]
    (changed,) = [policy for policy in policies if "inline" not in policy and policy["type"].startswith("IDENTITY")]
    document = toolbox.get_request_authorization_policy(authorizationId=known, policyUri=changed["uri"])
    assert document["policyDocument"]["Statement"][0]["Action"] == "sts:*"


def test_checks_of_control_policies_name_their_target(aws, ann, toolbox):
    known = denied(aws.client("iam", ann).delete_user, UserName="ann")
    details = toolbox.get_request_authorization_details(authorizationId=known)

    checks = [check for check in details["evaluations"][0]["checks"] if check["checkType"] == "SERVICE_CONTROL_POLICY"]
    root, account = checks
    assert root["targetArn"].startswith(f"arn:aws:organizations::{MANAGEMENT}:root/o-")
    assert account["targetArn"].endswith(f"/{DEV}")
    (matched,) = [
        policy for policy in root["matchedPolicies"] if "/service_control_policy/p-FullAWSAccess" not in policy["uri"]
    ]
    assert matched["uri"].startswith(f"arn:aws:organizations::{MANAGEMENT}:policy/o-")
    (guard,) = [policy for policy in details["policies"] if policy["uri"] == matched["uri"]]
    assert guard["attachedTo"] == [{"arn": root["targetArn"]}]
    assert all("targetArn" not in check for check in details["evaluations"][0]["checks"] if check not in checks)


def test_a_role_s_policy_is_attached_to_the_role(aws, ann, toolbox):
    role = f"arn:aws:iam::{DEV}:role/app"
    known = denied(aws.client("sts", ann).assume_role, RoleArn=role, RoleSessionName="ann")
    details = toolbox.get_request_authorization_details(authorizationId=known)
    (trust,) = [policy for policy in details["policies"] if policy["type"] == "RESOURCE_BASED_POLICY"]
    assert (trust["inline"], trust["attachedTo"]) == (True, [{"arn": role}])
