"""What a session brings into its next AssumeRole: a test for each row of docs/assume-role.md, "What a session hands on".

The sources of the rows stand in that table.
"""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from sts_emulator.accounts.people import totp

HOME = "111122223333"
ROLE = f"arn:aws:iam::{HOME}:role/"
SEED = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
SERIAL = f"arn:aws:iam::{HOME}:mfa/ann"
CHAINED = (
    400,
    "ValidationError",
    "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining.",
)
STAGE = Path(__file__).with_name("inheritance.yaml")

pytestmark = pytest.mark.scenario("inheritance.yaml")


@pytest.fixture
def ann(aws):
    return aws.client("sts", user="ann")


@pytest.fixture
def into(aws):
    """Assumes a role and gives the client of its session."""

    def into(client, role: str, **arguments):
        vended = client.assume_role(RoleArn=ROLE + role, RoleSessionName=role, **arguments)
        return aws.client("sts", vended["Credentials"])

    return into


def session(role: str) -> str:
    return f"arn:aws:sts::{HOME}:assumed-role/{role}/{role}"


def not_authorized(role: str, target: str) -> tuple[int, str, str]:
    sentence = f"User: {session(role)} is not authorized to perform: sts:TagSession on resource: {ROLE}{target}"
    return 403, "AccessDenied", sentence


def tags(**pairs: str) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in pairs.items()]


def test_the_expectations_of_the_stage_hold():
    command = [sys.executable, "-m", "sts_emulator", "check", str(STAGE)]
    judged = subprocess.run(command, capture_output=True, text=True, check=False)
    assert judged.returncode == 0, judged.stdout + judged.stderr


# -- how long -----------------------------------------------------------------------------------------------------


def test_a_key_may_ask_for_hours_and_a_session_for_one(aws, ann, refused):
    asked = {"RoleArn": f"{ROLE}ops", "RoleSessionName": "ops"}
    assert ann.assume_role(**asked, DurationSeconds=28_800)["Credentials"]
    of_ann = aws.client("sts", ann.get_session_token(DurationSeconds=43_200)["Credentials"])
    assert refused(of_ann.assume_role, **asked, DurationSeconds=28_800) == CHAINED
    assert refused(of_ann.assume_role, **asked, DurationSeconds=3_601) == CHAINED
    assert of_ann.assume_role(**asked, DurationSeconds=3_600)["Credentials"]


# -- tags ---------------------------------------------------------------------------------------------------------


def test_a_tag_that_is_not_transitive_ends_with_its_session(ann, into):
    plain = into(ann, "first", Tags=tags(team="shop"))
    assert plain.assume_role(RoleArn=f"{ROLE}second", RoleSessionName="second")["Credentials"]


def test_transitive_tags_ask_for_tagsession_in_the_trust_policy_and_of_the_caller(ann, into, refused):
    sticky = into(ann, "first", Tags=tags(team="shop"), TransitiveTagKeys=["team"])
    assert refused(sticky.assume_role, RoleArn=f"{ROLE}second", RoleSessionName="next") == not_authorized(
        "first", "second"
    )
    status, code, message = refused(sticky.assume_role, RoleArn=f"{ROLE}tag-refused", RoleSessionName="next")
    assert (status, code) == (403, "AccessDenied")
    assert message.startswith(not_authorized("first", "tag-refused")[2])
    assert sticky.assume_role(RoleArn=f"{ROLE}tagged", RoleSessionName="next")["Credentials"]


def test_transitive_tags_count_in_the_packed_size_and_as_request_tags(aws, ann, into):
    sticky = into(ann, "first", Tags=tags(team="shop"), TransitiveTagKeys=["team"])
    vended = sticky.assume_role(RoleArn=f"{ROLE}tagged", RoleSessionName="next")
    assert vended["PackedPolicySize"] > 0
    context = aws.decisions()[0]["explanation"]["request"]["context"]
    assert context["aws:requesttag/team"] == ["shop"]
    assert context["aws:tagkeys"] == ["team"]
    assert context["sts:transitivetagkeys"] == ["team"]


def test_a_pods_target_role_is_the_documented_one(aws):
    """EKS User Guide, "Access AWS resources using EKS Pod Identity target IAM roles"."""
    pod = aws._api("POST", "workloads", body={"kind": "eks", "name": "shop/checkout"})
    request = urllib.request.Request(
        f"{aws.endpoint_url}/pod-identity/v1/credentials",
        headers={"Authorization": pod["files"]["eks-pod-identity-token"]},
    )
    with urllib.request.urlopen(request) as answer:
        given = json.load(answer)
    keys = {
        "AccessKeyId": given["AccessKeyId"],
        "SecretAccessKey": given["SecretAccessKey"],
        "SessionToken": given["Token"],
    }
    arn = aws.client("sts", keys).get_caller_identity()["Arn"]
    assert arn.startswith("arn:aws:sts::444455556666:assumed-role/documented/")


# -- MFA ----------------------------------------------------------------------------------------------------------


def test_mfa_of_get_session_token_stays_through_the_chain(aws, ann, into):
    proven = ann.get_session_token(SerialNumber=SERIAL, TokenCode=totp(SEED, aws.now()))["Credentials"]
    first = aws.client("sts", proven).assume_role(RoleArn=f"{ROLE}first", RoleSessionName="first")["Credentials"]
    # first the role's own policy, which asks for it (99designs/aws-vault#617)
    assert aws.client("iam", first).get_user(UserName="ann")["User"]
    # then the next role's trust policy (99designs/aws-vault#720)
    assert into(aws.client("sts", first), "with-mfa").get_caller_identity()["Arn"] == session("with-mfa")


def test_mfa_of_assume_role_holds_for_that_call_alone(aws, ann, into, refused):
    """aws/aws-sdk-java-v2#2554: a session from AssumeRole with a code does not have the key."""
    direct = into(ann, "first", SerialNumber=SERIAL, TokenCode=totp(SEED, aws.now()))
    status, code, _ = refused(direct.assume_role, RoleArn=f"{ROLE}with-mfa", RoleSessionName="next")
    assert (status, code) == (403, "AccessDenied")


# -- the maker ----------------------------------------------------------------------------------------------------


def test_a_renamed_user_keeps_the_sessions(aws, ann):
    """UG, "Rename an IAM user": the unique id stays, and so does all that hangs on it."""
    own = aws.client("sts", ann.get_session_token()["Credentials"])
    federated = aws.client("sts", ann.get_federation_token(Name="fed")["Credentials"])
    aws.client("iam").update_user(UserName="ann", NewUserName="anna")
    assert own.get_caller_identity()["Arn"] == f"arn:aws:iam::{HOME}:user/anna"
    assert federated.get_caller_identity()["Arn"] == f"arn:aws:sts::{HOME}:federated-user/fed"
    assert ann.get_caller_identity()["Arn"] == f"arn:aws:iam::{HOME}:user/anna"


def test_a_namesake_does_not_inherit_the_sessions_of_a_renamed_user(aws, ann):
    own = aws.client("sts", ann.get_session_token()["Credentials"])
    iam = aws.client("iam")
    iam.update_user(UserName="ann", NewUserName="anna")
    iam.create_user(UserName="ann")
    assert own.get_caller_identity()["Arn"] == f"arn:aws:iam::{HOME}:user/anna"


# -- session policies ---------------------------------------------------------------------------------------------


def policy_of(size: int) -> str:
    statement = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": ""}
    document = {"Version": "2012-10-17", "Statement": [statement]}
    statement["Resource"] = "arn:aws:s3:::" + "b" * (size - len(json.dumps(document)) - len("arn:aws:s3:::"))
    return json.dumps(document)


@pytest.mark.parametrize(
    ("size", "arns"), [(2049, 0), (100_000, 0), (2011, 1)], ids=["inline", "far too long", "with a managed policy"]
)
def test_session_policies_have_2048_characters_together(ann, refused, size, arns):
    """API reference of AssumeRole: the plain text of inline and managed session policies."""
    managed = [{"arn": "arn:aws:iam::aws:policy/ReadOnlyAccess"}] * arns
    told = refused(
        ann.assume_role, RoleArn=f"{ROLE}ops", RoleSessionName="next", Policy=policy_of(size), PolicyArns=managed
    )
    assert told[:2] == (400, "ValidationError")
    assert told[2].endswith("Member must have length less than or equal to 2048")


def test_2048_characters_are_not_too_many(ann):
    assert ann.assume_role(RoleArn=f"{ROLE}ops", RoleSessionName="next", Policy=policy_of(2048))["Credentials"]


def test_a_policy_of_155_bytes_takes_16_percent(ann):
    """Recorded on AWS, 2026-09."""
    statement = {"Sid": "ReadReports", "Effect": "Allow", "Action": "s3:GetObject"}
    statement["Resource"] = "arn:aws:s3:::reports-of-2026/*"
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    assert len(policy) == 155
    vended = ann.assume_role(RoleArn=f"{ROLE}ops", RoleSessionName="next", Policy=policy)
    assert vended["PackedPolicySize"] == 16
