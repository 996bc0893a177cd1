"""Whoever hands a role on to a service must be allowed to: wherever a call names it, and inside what it names."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import botocore.loaders
import botocore.model
import pytest
from door_lab import MINE, client, refused, written
from test_map_of_actions import call, sample

from sts_emulator.gateway.known_actions import PREFIXES
from sts_emulator.gateway.map import required

PEOPLE = """
accounts:
  "111122223333":
    users:
      ann:
        inline:
          work: [{Effect: Allow, Action: ["ec2:*", "sns:*", "kinesis:*", "logs:*", "ssm:*"], Resource: "*"}]
          passes: [{Effect: Allow, Action: "iam:PassRole", Resource: "arn:aws:iam::111122223333:role/small"}]
    roles:
      small: {trust: [{Effect: Allow, Principal: {Service: ec2.amazonaws.com}, Action: "sts:AssumeRole"}]}
      mighty: {trust: [{Effect: Allow, Principal: {Service: ec2.amazonaws.com}, Action: "sts:AssumeRole"}]}
    instance_profiles: {little: small, much: mighty}
"""
DENIED = f"is not authorized to perform: iam:PassRole on resource: arn:aws:iam::{MINE}:role/mighty "


def through(lab, service: str):
    return client(lab, service, "ann")


# -- wherever a call names one ---------------------------------------------------------------------------------------

NOT_PASSED = {
    # is the resource of the action itself
    "ec2:AssociateEnclaveCertificateIamRole:RoleArn",
    "ec2:DisassociateEnclaveCertificateIamRole:RoleArn",
    # no role: whose reservations are asked for
    "ec2:DescribeCapacityReservationBillingRequests:Role",
    # VM Import/Export's "Required permissions" have no iam:PassRole
    *(f"ec2:{operation}:RoleName" for operation in ("ExportImage", "ImportImage", "ImportSnapshot")),
    # RunInstances is answered here, and of what launches by a template the door reads the template
    *(
        f"ec2:{operation}:LaunchTemplateData.IamInstanceProfile.{name}"
        for operation in ("CreateLaunchTemplate", "CreateLaunchTemplateVersion")
        for name in ("Arn", "Name")
    ),
    # answered here
    *(
        f"ec2:{operation}:IamInstanceProfile.{name}"
        for operation in ("AssociateIamInstanceProfile", "ReplaceIamInstanceProfileAssociation", "RunInstances")
        for name in ("Arn", "Name")
    ),
    # the automation's own role assumes these in other accounts
    *(
        f"ssm:{operation}:{path}TargetLocations.ExecutionRoleName"
        for operation, path in {
            "CreateAssociation": "",
            "CreateAssociationBatch": "Entries.",
            "StartAutomationExecution": "",
            "StartChangeRequestExecution": "Runbooks.",
            "StartExecutionPreview": "ExecutionInputs.Automation.",
            "UpdateAssociation": "",
        }.items()
    ),
    # the map lacks it
    "s3:UpdateBucketMetadataAnnotationTableConfiguration:AnnotationTableConfiguration.Role",
}


def roles(shape: botocore.model.Shape, path: tuple[str, ...], seen: frozenset[str]) -> Iterator[tuple[str, ...]]:
    """The paths of all parameters that look like the name or the ARN of a role, or of an instance profile."""
    if shape.type_name == "structure" and shape.name not in seen:
        for name, member in shape.members.items():
            yield from roles(member, (*path, name), seen | {shape.name})
    elif shape.type_name == "list":
        yield from roles(shape.member, path, seen)
    elif shape.type_name == "string" and re.search(
        "role$|rolearn$|rolename$|instanceprofile", "".join(path[-2:]), re.IGNORECASE
    ):
        yield path


def with_value(shape: botocore.model.Shape, path: tuple[str, ...]) -> Any:
    """The least value of a shape that has something at a path."""
    if shape.type_name == "list":
        return [with_value(shape.member, path)]
    if not path:
        return "arn:aws:iam::111122223333:role/given"
    return {**sample(shape, "", whole=False), path[0]: with_value(shape.members[path[0]], path[1:])}


@pytest.mark.parametrize("service", sorted(PREFIXES))
def test_every_parameter_that_is_a_role_needs_it_to_be_passed(service):
    model = botocore.model.ServiceModel(botocore.loaders.Loader().load_service_model(service, "service-2"), service)
    unasked = set()
    for name in model.operation_names:
        shape = model.operation_model(name).input_shape
        for path in roles(shape, (), frozenset()) if shape else ():
            named = f"{PREFIXES[service]}:{name}:{'.'.join(path)}"
            if named not in NOT_PASSED:
                needs = required(call(service, name, with_value(shape, path)))
                if not any(need.action == "iam:PassRole" and need.resource.endswith(":role/given") for need in needs):
                    unasked.add(named)
    assert unasked == set()


@pytest.mark.parametrize(
    ("service", "operation", "parameters"),
    [
        ("sns", "CreateTopic", {"Name": "x", "Attributes": {"SQSSuccessFeedbackRoleArn": "arn:given"}}),
        (
            "sns",
            "SetTopicAttributes",
            {"TopicArn": "x", "AttributeName": "HTTPFailureFeedbackRoleArn", "AttributeValue": "arn:given"},
        ),
        ("sns", "SetSMSAttributes", {"attributes": {"DeliveryStatusIAMRole": "arn:given"}}),
        (
            "logs",
            "PutAccountPolicy",
            {"policyType": "SUBSCRIPTION_FILTER_POLICY", "policyDocument": json.dumps({"RoleArn": "arn:given"})},
        ),
        ("ssm", "StartAutomationExecution", {"DocumentName": "x", "Parameters": {"AutomationAssumeRole": ["arn:given"]}}),
        (
            "ssm",
            "StartChangeRequestExecution",
            {"DocumentName": "x", "Runbooks": [{"Parameters": {"AutomationAssumeRole": ["arn:given"]}}]},
        ),
        ("ssm", "CreateDocument", {"Name": "x", "Content": '{"assumeRole": "arn:given", "mainSteps": []}'}),
        ("ssm", "CreateDocument", {"Name": "x", "Content": "schemaVersion: '0.3'\nassumeRole: 'arn:given'\n"}),
        (
            "ssm",
            "UpdateServiceSetting",
            {"SettingId": "/ssm/managed-instance/default-ec2-instance-management-role", "SettingValue": "arn:given"},
        ),
    ],
)  # fmt: skip
def test_a_role_that_only_a_value_tells_needs_it_too(service, operation, parameters):
    assert "arn:given" in [
        need.resource for need in required(call(service, operation, parameters)) if need.action == "iam:PassRole"
    ]


# -- by clients ------------------------------------------------------------------------------------------------------


@pytest.mark.scenario(PEOPLE)
@pytest.mark.parametrize("named", ["Name", "Arn"])
def test_the_role_in_an_instance_profile_is_passed_on(lab, named):
    ec2 = through(lab, "ec2")

    def asked(profile: str) -> dict[str, Any]:
        value = profile if named == "Name" else f"arn:aws:iam::{MINE}:instance-profile/{profile}"
        return {"LaunchSpecification": {"ImageId": image(lab), "IamInstanceProfile": {named: value}}, "SpotPrice": "1"}

    assert DENIED in refused(ec2.request_spot_instances, **asked("much"))["Error"]["Message"]
    assert len(ec2.request_spot_instances(**asked("little"))["SpotInstanceRequests"]) == 1
    error = refused(ec2.request_spot_instances, **asked("none"))["Error"]
    assert (error["Code"], "Invalid IAM Instance Profile" in error["Message"]) == ("InvalidParameterValue", True)


FLEETS = """
accounts:
  "111122223333":
    users:
      ann:
        inline:
          fleets: [{Effect: Allow, Action: ["ec2:*Fleet*", "ec2:*LaunchTemplate*", "ec2:CreateTags"], Resource: "*"}]
          launches:
            - Effect: Allow
              Action: ec2:RunInstances
              Resource: ["arn:aws:ec2:*:*:network-interface/*", "arn:aws:ec2:*:*:subnet/*", "arn:aws:ec2:*:*:security-group/sg-1"]
            - {Effect: Allow, Action: ec2:RunInstances, Resource: ["arn:aws:ec2:*::image/*", "arn:aws:ec2:*:*:launch-template/*"]}
            - Effect: Allow
              Action: ec2:RunInstances
              Resource: "arn:aws:ec2:*:*:instance/*"
              Condition: {StringEquals: {"ec2:InstanceType": t3.micro, "aws:RequestTag/team": blue}}
          passes: [{Effect: Allow, Action: "iam:PassRole", Resource: "*"}]
"""
TAGGED = [{"ResourceType": "instance", "Tags": [{"Key": "team", "Value": "blue"}]}]
SMALL = {"InstanceType": "t3.micro", "SecurityGroupIds": ["sg-1"], "TagSpecifications": TAGGED}


@pytest.mark.scenario(FLEETS)
@pytest.mark.parametrize(
    ("told", "override", "denied"),
    [
        (SMALL, {}, ""),
        ({**SMALL, "InstanceType": "t3.large"}, {"InstanceType": "t3.micro"}, ""),
        ({**SMALL, "InstanceType": "t3.large"}, {}, "instance/*"),
        (SMALL, {"InstanceType": "t3.large"}, "instance/*"),
        ({**SMALL, "TagSpecifications": []}, {}, "instance/*"),
        ({**SMALL, "SecurityGroupIds": ["sg-1", "sg-2"]}, {}, "security-group/sg-2"),
        ({**SMALL, "SecurityGroupIds": []}, {}, "security-group/*"),
    ],
)
@pytest.mark.parametrize("named", ["LaunchTemplateId", "LaunchTemplateName"])
def test_who_has_instances_launched_in_a_fleet_may_launch_them(lab, named, told, override, denied):
    """By what the template says, as far as the fleet says nothing else."""
    ec2 = through(lab, "ec2")
    data = {"ImageId": image(lab), **told}
    made = ec2.create_launch_template(LaunchTemplateName="fleet", LaunchTemplateData=data)["LaunchTemplate"]
    config = {"LaunchTemplateSpecification": {named: made[named]}, "Overrides": [override] if override else []}
    capacity = {"TotalTargetCapacity": 1, "DefaultTargetCapacityType": "on-demand"}
    asked = {"LaunchTemplateConfigs": [config], "TargetCapacitySpecification": capacity}
    if not denied:
        assert ec2.create_fleet(**asked)["FleetId"]
        return
    error = refused(ec2.create_fleet, **asked)["Error"]
    resource = f"arn:aws:ec2:us-east-1:{MINE}:{denied}"
    assert error["Code"] == "UnauthorizedOperation"
    assert f"is not authorized to perform: ec2:RunInstances on resource: {resource} " in error["Message"]


@pytest.mark.scenario(FLEETS)
def test_a_launch_template_has_one_name(lab):
    """moto takes the template of the id, where there are both."""
    ec2 = through(lab, "ec2")
    named = {}
    for name, told in (("LaunchTemplateName", SMALL), ("LaunchTemplateId", {"InstanceType": "t3.large"})):
        data = {"ImageId": image(lab), **told}
        made = ec2.create_launch_template(LaunchTemplateName=name, LaunchTemplateData=data)["LaunchTemplate"]
        named[name] = made[name]
    capacity = {"TotalTargetCapacity": 1, "DefaultTargetCapacityType": "on-demand"}
    config = {"LaunchTemplateSpecification": named}
    error = refused(ec2.create_fleet, LaunchTemplateConfigs=[config], TargetCapacitySpecification=capacity)["Error"]
    assert error["Code"] == "InvalidRequest"


@pytest.mark.scenario(PEOPLE)
@pytest.mark.parametrize("named", ["LaunchTemplateId", "LaunchTemplateName"])
def test_the_role_in_a_launch_template_is_passed_on(lab, named):
    ec2 = through(lab, "ec2")
    data = {"ImageId": image(lab), "InstanceType": "t3.micro", "IamInstanceProfile": {"Name": "much"}}
    made = ec2.create_launch_template(LaunchTemplateName="fleet", LaunchTemplateData=data)["LaunchTemplate"]
    data["IamInstanceProfile"] = {"Arn": f"arn:aws:iam::{MINE}:instance-profile/little"}
    ec2.create_launch_template_version(LaunchTemplateName="fleet", LaunchTemplateData=data)

    def asked(version: str) -> dict[str, Any]:
        template = {"LaunchTemplateSpecification": {named: made[named], "Version": version}}
        capacity = {"TotalTargetCapacity": 1, "DefaultTargetCapacityType": "on-demand"}
        return {"LaunchTemplateConfigs": [template], "TargetCapacitySpecification": capacity}

    for version in ("1", "$Default"):
        assert DENIED in refused(ec2.create_fleet, **asked(version))["Error"]["Message"]
    for version in ("2", "$Latest"):
        assert ec2.create_fleet(**asked(version))["FleetId"]


def test_a_role_is_the_same_by_its_name_alone(upstream, before_it):
    """Which has no path, as its ARN has."""
    trust = {"Effect": "Allow", "Principal": {"Service": "ssm.amazonaws.com"}, "Action": "sts:AssumeRole"}
    iam, bob = client(before_it, "iam"), client(before_it, "ssm", "bob")
    iam.create_role(RoleName="nodes", Path="/team/", AssumeRolePolicyDocument=document(trust))
    nodes = f"arn:aws:iam::{MINE}:role/team/nodes"
    upstream.answer = written(b'{"ActivationId": "1"}', b"application/x-amz-json-1.1")

    def may_pass(role: str) -> None:
        allowed = [("ssm:*", "*"), ("iam:PassRole", role)]
        said = [{"Effect": "Allow", "Action": action, "Resource": resource} for action, resource in allowed]
        iam.put_user_policy(UserName="bob", PolicyName="nodes", PolicyDocument=document(*said))

    may_pass(f"arn:aws:iam::{MINE}:role/nodes")
    for named in ("nodes", "other/nodes", nodes):
        told = refused(bob.create_activation, IamRole=named)["Error"]["Message"]
        assert f"is not authorized to perform: iam:PassRole on resource: {nodes} " in told
    may_pass(nodes)
    for named in ("nodes", nodes):
        assert bob.create_activation(IamRole=named)["ActivationId"] == "1"


@pytest.mark.scenario(PEOPLE)
def test_a_topic_s_log_of_deliveries_is_written_by_a_role_that_is_passed_on(lab):
    sns = through(lab, "sns")
    topic = sns.create_topic(Name="news")["TopicArn"]
    named = {"TopicArn": topic, "AttributeName": "LambdaSuccessFeedbackRoleArn"}
    mighty = f"arn:aws:iam::{MINE}:role/mighty"
    assert DENIED in refused(sns.set_topic_attributes, **named, AttributeValue=mighty)["Error"]["Message"]
    sns.set_topic_attributes(**named, AttributeValue=f"arn:aws:iam::{MINE}:role/small")


def document(*statements: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": statements})


def image(lab) -> str:
    return client(lab, "ec2").describe_images(Owners=["amazon"])["Images"][0]["ImageId"]
