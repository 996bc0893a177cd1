"""Sign in, use, lose the assignment, be refused, ask why, and get it back."""

from __future__ import annotations

from sso_lab import DEV, SCENARIO, key_of_credentials


def test_an_assignment_comes_goes_and_comes_back(aws, tool, refusal):
    tokens = tool.sign_in("jane")
    running = tool.credentials(tokens)
    admin, store = aws.client("sso-admin"), aws.client("identitystore")
    instance = admin.list_instances()["Instances"][0]
    arn = instance["InstanceArn"]
    users = store.list_users(IdentityStoreId=instance["IdentityStoreId"])["Users"]
    jane = next(user["UserId"] for user in users if user["UserName"] == "jane")
    sets = admin.list_permission_sets(InstanceArn=arn)["PermissionSets"]
    named = {
        admin.describe_permission_set(InstanceArn=arn, PermissionSetArn=known)["PermissionSet"]["Name"]: known
        for known in sets
    }
    assignment = {
        "InstanceArn": arn,
        "TargetId": DEV,
        "TargetType": "AWS_ACCOUNT",
        "PermissionSetArn": named["Developer"],
        "PrincipalType": "USER",
        "PrincipalId": jane,
    }

    admin.delete_account_assignment(**assignment)
    assert refusal(tool.credentials, tokens=tokens) == (403, "ForbiddenException", "No access")
    assert "jane has no assignment of permission set Developer in account 111122223333" in aws.explain()
    # What runs goes on, as on AWS: mary still has the role.
    assert aws.client("sts", key_of_credentials(running)).get_caller_identity()["Arn"].endswith("/jane")

    admin.create_account_assignment(**assignment)
    assert tool.credentials(tokens)


def test_a_group_brings_a_role_and_its_lack_is_told(aws, tool, refusal):
    tokens = tool.sign_in("jane")
    assert refusal(tool.credentials, tokens=tokens, role="ReadOnly")[2] == "No access"
    assert "its groups there are auditors, and jane is in none of them" in aws.explain()
    aws.load(SCENARIO.replace("jane: {}", "jane: {groups: [auditors]}"))
    assert tool.credentials(tokens, role="ReadOnly")


def test_attributes_become_session_tags(aws, tool):
    aws.load(SCENARIO.replace("jane: {}", "jane: {attributes: {department: shop}}"))
    tool.credentials(tool.sign_in("jane"))
    event = next(event for event in aws.events() if event["eventName"] == "GetRoleCredentials")
    decisions = {decision["action"] for decision in event["additionalEventData"]["decisions"]}
    assert decisions == {"sts:AssumeRoleWithSAML", "sts:TagSession"}
