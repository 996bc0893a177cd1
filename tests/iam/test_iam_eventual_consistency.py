"""A world where news take their time, as on AWS (IAM user guide, "Changes that I make are not always immediately visible")."""

import threading

import pytest
from botocore.exceptions import ClientError
from iam_stories import ACCOUNT, EC2, ROOT, allow, arn, refusal, trust

pytestmark = pytest.mark.scenario(f"""
accounts:
  "{ACCOUNT}":
    users:
      ann: {{inline: {{p: [{{Effect: Allow, Action: "sts:AssumeRole", Resource: "*"}}]}}}}
    roles:
      known: {{trust: [{{Effect: Allow, Principal: {{AWS: "{ACCOUNT}"}}, Action: "sts:AssumeRole"}}]}}
eventual_consistency: 60
""")

UNKNOWN_KEY = (403, "InvalidClientTokenId", "The security token included in the request is invalid.")


def assume(sts, name: str):
    return sts.assume_role(RoleArn=arn("role", name), RoleSessionName="session")


def test_what_a_scenario_declares_is_known(aws):
    assert assume(aws.client("sts", user="ann"), "known")["Credentials"]


def test_a_new_key_and_its_user_are_known_later(aws):
    # given
    iam = aws.client("iam")
    iam.create_user(UserName="bob")
    key = iam.create_access_key(UserName="bob")["AccessKey"]
    sts = aws.client("sts", key)

    # then IAM shows both, and nobody else knows them
    assert iam.list_access_keys(UserName="bob")["AccessKeyMetadata"]
    assert refusal(sts.get_caller_identity) == UNKNOWN_KEY
    aws.advance(30)
    assert refusal(sts.get_caller_identity) == UNKNOWN_KEY

    # until the news has travelled
    aws.advance(31)
    assert sts.get_caller_identity()["Arn"] == arn("user", "bob")


def test_a_new_role_is_assumed_and_named_later(aws):
    iam, ann = aws.client("iam"), aws.client("sts", user="ann")
    iam.create_role(RoleName="new", AssumeRolePolicyDocument=ROOT)
    assert refusal(assume, sts=ann, name="new")[1] == "AccessDenied"
    naming = {"RoleName": "second", "AssumeRolePolicyDocument": trust(arn("role", "new"))}
    assert refusal(iam.create_role, **naming) == (
        400,
        "MalformedPolicyDocument",
        f'Invalid principal in policy: "AWS":"{arn("role", "new")}"',
    )
    aws.advance(61)
    assert assume(ann, "new")["Credentials"]
    iam.create_role(**naming)


def test_changed_policies_count_later_and_count_until_then(aws):
    iam, ann = aws.client("iam"), aws.client("sts", user="ann")

    # given a grant that is taken away, and a trust policy that is changed
    iam.delete_user_policy(UserName="ann", PolicyName="p")
    assert iam.list_user_policies(UserName="ann")["PolicyNames"] == []
    assert assume(ann, "known")["Credentials"]
    aws.advance(61)
    assert refusal(assume, sts=ann, name="known")[1] == "AccessDenied"

    # when it is given again as a managed policy, that counts as late
    policy = iam.create_policy(PolicyName="again", PolicyDocument=allow("sts:AssumeRole"))["Policy"]["Arn"]
    iam.attach_user_policy(UserName="ann", PolicyArn=policy)
    assert refusal(assume, sts=ann, name="known")[1] == "AccessDenied"
    aws.advance(61)
    assert assume(ann, "known")["Credentials"]

    iam.update_assume_role_policy(RoleName="known", PolicyDocument=EC2)
    assert assume(ann, "known")["Credentials"]
    aws.advance(61)
    assert refusal(assume, sts=ann, name="known")[1] == "AccessDenied"


def test_changes_one_after_the_other_come_together(aws):
    iam, ann = aws.client("iam"), aws.client("sts", user="ann")
    iam.update_assume_role_policy(RoleName="known", PolicyDocument=EC2)
    aws.advance(30)
    iam.update_role(RoleName="known", Description="changed again")
    aws.advance(40)
    assert assume(ann, "known")["Credentials"], "the last change was 40 s ago"
    aws.advance(21)
    assert refusal(assume, sts=ann, name="known")[1] == "AccessDenied"


def test_a_new_instance_profile_is_invalid_at_first(aws):
    iam, ec2 = aws.client("iam"), aws.client("ec2")
    iam.create_instance_profile(InstanceProfileName="web")
    launch = {"MinCount": 1, "MaxCount": 1, "IamInstanceProfile": {"Name": "web"}}
    assert refusal(ec2.run_instances, **launch)[1] == "InvalidParameterValue"
    aws.advance(61)
    assert ec2.run_instances(**launch)["Instances"]


def test_it_is_switched_and_told(aws):
    iam = aws.client("iam")
    aws.eventual_consistency(0)
    iam.create_role(RoleName="new", AssumeRolePolicyDocument=ROOT)
    assert assume(aws.client("sts", user="ann"), "new")["Credentials"]
    with pytest.raises(Exception, match="greater than or equal to 0"):
        aws.eventual_consistency(-1)


def test_a_client_that_retries_gets_there(aws):
    """Nobody moves the clock: what is new becomes known by itself."""
    aws.eventual_consistency(0.5)
    iam, ann = aws.client("iam"), aws.client("sts", user="ann")
    iam.create_role(RoleName="new", AssumeRolePolicyDocument=ROOT)
    codes = []

    def attempt() -> bool:
        try:
            return bool(assume(ann, "new")["Credentials"])
        except ClientError as error:
            codes.append(error.response["Error"]["Code"])
            return False

    while not attempt():
        threading.Event().wait(0.05)
    assert set(codes) <= {"AccessDenied"}
