"""EC2's control plane as far as identity goes, by boto3."""

from __future__ import annotations

import pytest
from botocore.exceptions import ClientError
from workload_lab import ACCOUNT, as_keys

pytestmark = pytest.mark.scenario("workloads.yaml")


@pytest.fixture
def ec2(lab):
    return lab.aws.client("ec2")


def test_declared_instances_are_described(lab, ec2):
    web = lab.imds("web").instance
    (reservation,) = ec2.describe_instances(InstanceIds=[web])["Reservations"]
    (shown,) = reservation["Instances"]
    assert shown["IamInstanceProfile"]["Arn"] == f"arn:aws:iam::{ACCOUNT}:instance-profile/web"
    assert shown["MetadataOptions"]["HttpTokens"] == "optional"
    assert shown["PrivateIpAddress"] == lab.imds("web").get("meta-data/local-ipv4").text
    named = ec2.describe_instances(Filters=[{"Name": "tag:Name", "Values": ["web", "bare"]}])["Reservations"]
    assert len(named) == 2


def test_a_new_instance_has_its_profiles_role(lab, ec2):
    started = ec2.run_instances(
        ImageId="ami-0abcdef1234567890",
        MinCount=1,
        MaxCount=1,
        IamInstanceProfile={"Name": "web"},
        MetadataOptions={"HttpTokens": "required"},
        TagSpecifications=[{"ResourceType": "instance", "Tags": [{"Key": "Name", "Value": "new"}]}],
    )
    identifier = started["Instances"][0]["InstanceId"]
    imds = lab.imds(identifier)
    assert imds.get("meta-data/").status == 401
    keys = as_keys(imds.credentials(imds.token()))
    assert lab.aws.client("sts", keys).get_caller_identity()["Arn"].endswith(identifier)
    ec2.terminate_instances(InstanceIds=[identifier])
    assert imds.put(headers={"X-aws-ec2-metadata-token-ttl-seconds": "60"}).status == 404


def test_a_profile_is_associated_replaced_and_taken_away(lab, ec2):
    imds = lab.imds("bare")
    made = ec2.associate_iam_instance_profile(IamInstanceProfile={"Name": "web"}, InstanceId=imds.instance)
    association = made["IamInstanceProfileAssociation"]
    assert association["State"] == "associating"
    assert imds.credentials()["Code"] == "Success"

    other = {"Arn": f"arn:aws:iam::{ACCOUNT}:instance-profile/other"}
    replaced = ec2.replace_iam_instance_profile_association(
        IamInstanceProfile=other, AssociationId=association["AssociationId"]
    )["IamInstanceProfileAssociation"]
    assert replaced["AssociationId"] != association["AssociationId"]
    assert imds.get("meta-data/iam/security-credentials/").text == "other-role"

    filters = [{"Name": "instance-id", "Values": [imds.instance]}]
    (shown,) = ec2.describe_iam_instance_profile_associations(Filters=filters)["IamInstanceProfileAssociations"]
    assert (shown["AssociationId"], shown["State"]) == (replaced["AssociationId"], "associated")

    ec2.disassociate_iam_instance_profile(AssociationId=replaced["AssociationId"])
    assert imds.get("meta-data/iam/security-credentials/").status == 404
    assert not ec2.describe_iam_instance_profile_associations(Filters=filters)["IamInstanceProfileAssociations"]


WEB = "the id of the instance web"


@pytest.mark.parametrize(
    ("operation", "parameters", "code"),
    [
        ("describe_instances", {"InstanceIds": ["i-0123456789abcdef0"]}, "InvalidInstanceID.NotFound"),
        ("describe_instances", {"InstanceIds": ["web"]}, "InvalidInstanceID.Malformed"),
        ("describe_instances", {"Filters": [{"Name": "nonsense", "Values": ["x"]}]}, "InvalidParameterValue"),
        (
            "associate_iam_instance_profile",
            {"IamInstanceProfile": {"Name": "web"}, "InstanceId": WEB},
            "IncorrectState",
        ),
        (
            "associate_iam_instance_profile",
            {"IamInstanceProfile": {"Name": "none"}, "InstanceId": WEB},
            "InvalidParameterValue",
        ),
        ("disassociate_iam_instance_profile", {"AssociationId": "iip-assoc-0"}, "InvalidAssociationID.NotFound"),
        (
            "modify_instance_metadata_options",
            {"InstanceId": WEB, "HttpPutResponseHopLimit": 65},
            "InvalidParameterValue",
        ),
        (
            "modify_instance_metadata_options",
            {"InstanceId": WEB, "HttpTokens": "required", "DryRun": True},
            "DryRunOperation",
        ),
    ],
)
def test_mistakes_have_ec2s_codes(lab, ec2, operation, parameters, code):
    if parameters.get("InstanceId") == WEB:
        parameters = {**parameters, "InstanceId": lab.imds("web").instance}
    with pytest.raises(ec2.exceptions.ClientError) as refused:
        getattr(ec2, operation)(**parameters)
    assert refused.value.response["Error"]["Code"] == code


PASSING = """
accounts:
  "111122223333":
    users:
      operator:
        inline: {ec2: [{Effect: Allow, Action: "ec2:*", Resource: "*"}]}
      passer:
        inline:
          ec2: [{Effect: Allow, Action: "ec2:*", Resource: "*"}]
          pass:
            - Effect: Allow
              Action: "iam:PassRole"
              Resource: "*"
              Condition: {StringEquals: {"iam:PassedToService": ec2.amazonaws.com}}
"""


def test_giving_an_instance_a_role_takes_the_permission_to_pass_it(lab):
    lab.aws.load(PASSING)
    bare = lab.imds("bare").instance
    asked = {"IamInstanceProfile": {"Name": "web"}, "InstanceId": bare}
    operator = lab.aws.client("ec2", user="operator")
    with pytest.raises(operator.exceptions.ClientError) as refused:
        operator.associate_iam_instance_profile(**asked)
    assert refused.value.response["Error"]["Code"] == "UnauthorizedOperation"
    assert "iam:PassRole" in refused.value.response["Error"]["Message"]
    passer = lab.aws.client("ec2", user="passer")
    assert passer.associate_iam_instance_profile(**asked)["IamInstanceProfileAssociation"]["InstanceId"] == bare


def test_tags_are_added_changed_and_removed(lab, ec2):
    web = lab.imds("web").instance
    ec2.create_tags(Resources=[web], Tags=[{"Key": "team", "Value": "bank"}, {"Key": "stage", "Value": "test"}])
    shown = ec2.describe_instances(InstanceIds=[web])["Reservations"][0]["Instances"][0]["Tags"]
    assert {tag["Key"]: tag["Value"] for tag in shown}.items() >= {"team": "bank", "stage": "test"}.items()

    ec2.delete_tags(Resources=[web], Tags=[{"Key": "team", "Value": "another"}, {"Key": "stage"}])
    shown = ec2.describe_instances(InstanceIds=[web])["Reservations"][0]["Instances"][0]["Tags"]
    tags = {tag["Key"]: tag["Value"] for tag in shown}
    assert (tags["team"], tags.get("stage")) == ("bank", None)


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        ({"Tags": [{"Key": "aws:x", "Value": "y"}]}, "InvalidParameterValue"),
        ({"Tags": [{"Key": f"key-{number}", "Value": ""} for number in range(51)]}, "TagLimitExceeded"),
        ({"Tags": [{"Key": "a", "Value": "b"}], "Resources": ["i-0123456789abcdef0"]}, "InvalidInstanceID.NotFound"),
        ({"Tags": [{"Key": "a", "Value": "b"}], "DryRun": True}, "DryRunOperation"),
    ],
)
def test_tags_that_are_refused(lab, ec2, asked, code):
    with pytest.raises(ClientError) as refused:
        ec2.create_tags(**{"Resources": [lab.imds("web").instance], **asked})
    assert refused.value.response["Error"]["Code"] == code
