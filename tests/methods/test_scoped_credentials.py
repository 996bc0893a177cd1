"""GetScopedCredentials: the same session with less, never with more."""

from __future__ import annotations

import json

import pytest

HOME = "111122223333"
ADMIN = f"arn:aws:iam::{HOME}:role/revoked"  # with AdministratorAccess

pytestmark = pytest.mark.scenario("sts_world.yaml")


def policy(*actions: str) -> str:
    statement = {"Effect": "Allow", "Action": list(actions), "Resource": "*"}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


READ_AND_NARROW = policy("iam:ListUsers", "iam:ListRoles", "sts:*")


@pytest.fixture
def session(aws):
    """Credentials of a role session that may do anything."""
    assumed = aws.client("sts", user="alice").assume_role(RoleArn=ADMIN, RoleSessionName="agent", SourceIdentity="eve")
    return assumed["Credentials"]


@pytest.fixture
def scoped(aws):
    """`scoped(credentials, **what)`: the answer of GetScopedCredentials."""
    return lambda given, **what: aws.client("sts", given).get_scoped_credentials(**what)


def test_the_identity_stays_and_the_permissions_shrink(aws, session, scoped, refused):
    answer = scoped(session, Policy=READ_AND_NARROW, ScopedSessionDescription="for the reporting agent")
    mine, given = aws.client("sts", session), aws.client("sts", answer["Credentials"])
    who = mine.get_caller_identity()
    assert {**given.get_caller_identity(), "ResponseMetadata": 0} == {**who, "ResponseMetadata": 0}
    assert answer["SessionInfo"] == {"ScopedSessionId": who["UserId"], "Arn": who["Arn"]}
    assert (answer["ScopedPoliciesCount"], answer["SourceIdentity"]) == (1, "eve")
    assert answer["Credentials"]["AccessKeyId"] != session["AccessKeyId"]

    iam = aws.client("iam", answer["Credentials"])
    assert iam.list_users()["Users"]
    status, code, message = refused(iam.list_groups)
    assert (status, code) == (403, "AccessDenied")
    assert "because no session policy allows the iam:ListGroups action" in message
    aws.client("iam", session).list_groups()  # the session that called keeps what it had


def test_a_policy_cannot_give_what_the_session_has_not(aws, scoped, refused):
    assumed = aws.client("sts", user="alice").assume_role(
        RoleArn=ADMIN, RoleSessionName="agent", Policy=policy("iam:ListUsers", "sts:*")
    )
    wider = scoped(assumed["Credentials"], Policy=policy("*"))["Credentials"]
    iam = aws.client("iam", wider)
    assert iam.list_users()["Users"]
    assert refused(iam.list_roles)[:2] == (403, "AccessDenied")


def test_narrowings_add_up_to_three(aws, session, scoped, refused):
    first = scoped(session, Policy=policy("iam:*", "sts:*"))
    second = scoped(first["Credentials"], Policy=policy("iam:List*", "sts:*"))
    third = scoped(second["Credentials"], Policy=policy("iam:ListUsers", "iam:GetUser", "sts:*"))
    assert [answer["ScopedPoliciesCount"] for answer in (first, second, third)] == [1, 2, 3]
    iam = aws.client("iam", third["Credentials"])
    assert iam.list_users()["Users"]
    for call in (iam.list_roles, iam.get_user):  # the third forbids one, the second the other
        assert refused(call)[:2] == (403, "AccessDenied")

    sts = aws.client("sts", third["Credentials"])
    assert refused(sts.get_scoped_credentials, Policy=policy("sts:*"))[:2] == (403, "AccessDenied")
    assert sts.get_scoped_credentials(DurationSeconds=60)["ScopedPoliciesCount"] == 3


def test_a_trust_policy_that_names_the_caller_does_not_lift_the_narrowing(aws, session, scoped, refused):
    iam = aws.client("iam")
    me = aws.client("sts", session).get_caller_identity()["Arn"]
    trust = {"Effect": "Allow", "Principal": {"AWS": me}, "Action": ["sts:AssumeRole", "sts:SetSourceIdentity"]}
    document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    there = iam.create_role(RoleName="there", AssumeRolePolicyDocument=document)["Role"]["Arn"]
    target = {"RoleArn": there, "RoleSessionName": "on"}
    assert aws.client("sts", session).assume_role(**target)["Credentials"]
    narrow = aws.client("sts", scoped(session, Policy=policy("iam:*"))["Credentials"])
    assert refused(narrow.assume_role, **target)[:2] == (403, "AccessDenied")
    enough = aws.client("sts", scoped(session, Policy=policy("sts:AssumeRole", "sts:SetSourceIdentity"))["Credentials"])
    assert enough.assume_role(**target)["Credentials"]


def test_the_time_shrinks_too_and_never_grows(aws, session, scoped, refused):
    assert scoped(session, Policy=READ_AND_NARROW)["Credentials"]["Expiration"] == session["Expiration"]
    short = scoped(session, DurationSeconds=60)["Credentials"]
    aws.advance(seconds=61)
    assert refused(aws.client("sts", short).get_caller_identity)[1] == "ExpiredToken"
    sts = aws.client("sts", session)
    assert refused(sts.get_scoped_credentials, DurationSeconds=3600)[:2] == (400, "InsufficientSessionLifetime")


def test_it_takes_a_session_a_reason_and_a_permission(aws, session, scoped, refused):
    for holder in ("alice", ""):  # a user, and root
        call = aws.client("sts", user=holder).get_scoped_credentials
        assert refused(call, DurationSeconds=900)[:2] == (400, "InvalidSubjectCredentials")
    assert refused(aws.client("sts", session).get_scoped_credentials)[:2] == (400, "ValidationError")
    narrow = aws.client("sts", scoped(session, Policy=policy("iam:*"))["Credentials"])
    assert refused(narrow.get_scoped_credentials, DurationSeconds=60)[:2] == (403, "AccessDenied")
    assert refused(aws.client("sts", session).get_scoped_credentials, Policy="{")[1] == "MalformedPolicyDocument"


def test_a_users_own_session_can_be_narrowed(aws, scoped, refused):
    own = aws.client("sts", user="alice").get_session_token()["Credentials"]
    narrowed = scoped(own, Policy=policy("sts:AssumeRole"))["Credentials"]
    sts = aws.client("sts", narrowed)
    assert sts.get_caller_identity()["Arn"] == f"arn:aws:iam::{HOME}:user/staff/alice"
    assert sts.assume_role(RoleArn=ADMIN, RoleSessionName="on")["Credentials"]
    assert refused(sts.get_scoped_credentials, DurationSeconds=60)[:2] == (403, "AccessDenied")


def test_revoking_the_session_revokes_what_came_of_it(aws, session, scoped, refused):
    before = scoped(session, Policy=READ_AND_NARROW)["Credentials"]
    revoked = {
        "Effect": "Deny",
        "Action": "*",
        "Resource": "*",
        "Condition": {"DateLessThan": {"aws:TokenIssueTime": session["Expiration"].isoformat()}},
    }
    document = json.dumps({"Version": "2012-10-17", "Statement": [revoked]})
    aws.client("iam").put_role_policy(RoleName="revoked", PolicyName="revoke", PolicyDocument=document)
    assert refused(aws.client("iam", before).list_users)[1] == "AccessDenied"


def test_the_audit_trail_tells_what_it_was_for(aws, session, scoped):
    scoped(session, DurationSeconds=60, ScopedSessionDescription="for the reporting agent")
    event = aws.events()[-1]
    assert event["requestParameters"]["scopedSessionDescription"] == "for the reporting agent"
    assert event["eventName"] == "GetScopedCredentials"
