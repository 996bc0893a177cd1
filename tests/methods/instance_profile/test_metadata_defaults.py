"""Defaults of an account's metadata services, by boto3.

Source: docs/aws/instance-metadata.md, "Defaults of an account".
"""

from __future__ import annotations

import pytest
from botocore.exceptions import ClientError

pytestmark = pytest.mark.scenario(
    """
accounts:
  "111122223333":
    users:
      bob: {inline: {some: [{Effect: Allow, Action: ["ec2:RunInstances", "ec2:Get*"], Resource: "*"}]}}
  "444455556666": {}
"""
)


@pytest.fixture
def ec2(aws):
    return aws.client("ec2")


@pytest.fixture
def launch():
    """`launch(client, **options)`: a new instance's metadata options."""

    def launch(client, **options) -> dict:
        asked = {"ImageId": "ami-0abcdef1234567890", "MinCount": 1, "MaxCount": 1, "MetadataOptions": options}
        return client.run_instances(**asked)["Instances"][0]

    return launch


def error(call, *arguments, **named) -> tuple[str, str]:
    with pytest.raises(ClientError) as caught:
        call(*arguments, **named)
    return caught.value.response["Error"]["Code"], caught.value.response["Error"]["Message"]


def test_what_a_launch_does_not_say_the_account_says(ec2, launch):
    ec2.modify_instance_metadata_defaults(
        HttpTokens="required", HttpPutResponseHopLimit=3, InstanceMetadataTags="enabled"
    )
    options = launch(ec2)["MetadataOptions"]
    assert (options["HttpTokens"], options["HttpPutResponseHopLimit"], options["InstanceMetadataTags"]) == (
        "required",
        3,
        "enabled",
    )
    assert launch(ec2, HttpTokens="optional")["MetadataOptions"]["HttpTokens"] == "optional"


def test_no_preference_takes_a_default_away(ec2, launch):
    assert ec2.get_instance_metadata_defaults()["AccountLevel"] == {"ManagedBy": "account"}
    assert ec2.modify_instance_metadata_defaults(HttpTokens="required", HttpPutResponseHopLimit=3)["Return"] is True
    ec2.modify_instance_metadata_defaults(HttpPutResponseHopLimit=-1)
    assert ec2.get_instance_metadata_defaults()["AccountLevel"] == {"HttpTokens": "required", "ManagedBy": "account"}
    ec2.modify_instance_metadata_defaults(HttpTokens="no-preference")
    assert launch(ec2)["MetadataOptions"]["HttpTokens"] == "optional"


def test_a_region_and_an_account_have_their_own(aws, ec2):
    ec2.modify_instance_metadata_defaults(HttpTokens="required")
    elsewhere = aws.client("ec2", region_name="eu-west-1")
    assert "HttpTokens" not in elsewhere.get_instance_metadata_defaults()["AccountLevel"]
    other = aws.client("ec2", aws.credentials(account="444455556666"))
    assert "HttpTokens" not in other.get_instance_metadata_defaults()["AccountLevel"]


def test_an_account_that_insists_on_tokens(ec2, launch):
    running = launch(ec2)["InstanceId"]
    ec2.modify_instance_metadata_defaults(HttpTokensEnforced="enabled")
    code, message = error(launch, ec2)
    assert code == "UnsupportedOperation"
    assert message.startswith("You can't launch instances with IMDSv1 because httpTokensEnforced is enabled")
    assert error(launch, ec2, HttpTokens="optional")[0] == "UnsupportedOperation"
    assert launch(ec2, HttpTokens="required")

    ec2.modify_instance_metadata_options(InstanceId=running, HttpTokens="required")
    assert error(ec2.modify_instance_metadata_options, InstanceId=running, HttpTokens="optional") == (
        "UnsupportedOperation",
        "You can't set httpTokens to 'optional' because httpTokensEnforced is enabled for this account.",
    )
    ec2.modify_instance_metadata_defaults(HttpTokensEnforced="disabled")
    ec2.modify_instance_metadata_options(InstanceId=running, HttpTokens="optional")


def test_the_account_s_tokens_are_enough(ec2, launch):
    ec2.modify_instance_metadata_defaults(HttpTokens="required", HttpTokensEnforced="enabled")
    assert launch(ec2)["MetadataOptions"]["HttpTokens"] == "required"


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        ({"HttpPutResponseHopLimit": 65}, "InvalidParameterValue"),
        ({"HttpPutResponseHopLimit": 0}, "InvalidParameterValue"),
        ({"DryRun": True}, "DryRunOperation"),
    ],
)
def test_what_cannot_be_is_not_set(ec2, wrong, code):
    assert error(ec2.modify_instance_metadata_defaults, HttpTokens="required", **wrong)[0] == code
    assert "HttpTokens" not in ec2.get_instance_metadata_defaults()["AccountLevel"]


def test_who_may(aws, launch):
    bob = aws.client("ec2", aws.credentials(user="bob"))
    assert bob.get_instance_metadata_defaults()
    assert error(bob.modify_instance_metadata_defaults, HttpTokens="required")[0] == "UnauthorizedOperation"
    assert launch(bob)
