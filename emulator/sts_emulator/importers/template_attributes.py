"""What `Ref` and `Fn::GetAtt` give of resources that are not IAM's: values of the right form, made from their names.

Source: AWS CloudFormation Template Reference, "Return values" of each type; ARN forms: Service Authorization Reference,
"Resource types defined by …". A type that is not listed gets the form that its name suggests.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final, NamedTuple

EXAMPLE_ID: Final = "EXAMPLED539D4633E53DE1B716D3041E"
"""The id of the cluster in Amazon EKS's own documentation."""


class Place(NamedTuple):
    """Where a resource lives."""

    region: str
    account: str


_REF: Final = ""
_PARTS = re.compile(r"^(?:AWS|Alexa|Custom)::([A-Za-z0-9]+)(?:::([A-Za-z0-9]+))?")
_SERVICES: Mapping[str, str] = {
    "ApplicationAutoScaling": "application-autoscaling",
    "ApiGateway": "apigateway",
    "ApiGatewayV2": "apigateway",
    "CertificateManager": "acm",
    "Cognito": "cognito-idp",
    "DocDB": "rds",
    "EFS": "elasticfilesystem",
    "ElasticLoadBalancingV2": "elasticloadbalancing",
    "Elasticsearch": "es",
    "EventSchemas": "schemas",
    "KinesisFirehose": "firehose",
    "MSK": "kafka",
    "Neptune": "rds",
    "OpenSearchService": "es",
    "StepFunctions": "states",
    "Timestream": "timestream",
    "WAFv2": "wafv2",
}
"""Services whose ARNs do not spell them as their types do, lower-cased."""
_FORMS: Mapping[str, Mapping[str, str]] = {
    "AWS::ApiGateway::RestApi": {_REF: "a1b2c3d4e5", "RootResourceId": "a1b2c3"},
    "AWS::Batch::JobQueue": {_REF: "arn:aws:batch:{region}:{account}:job-queue/{name}"},
    "AWS::CertificateManager::Certificate": {_REF: "arn:aws:acm:{region}:{account}:certificate/{uuid}"},
    "AWS::CloudFormation::Stack": {_REF: "arn:aws:cloudformation:{region}:{account}:stack/{name}/{uuid}"},
    "AWS::CloudFront::Distribution": {_REF: "EDFDVBD6EXAMPLE", "DomainName": "d111111abcdef8.cloudfront.net"},
    "AWS::CloudTrail::Trail": {"Arn": "arn:aws:cloudtrail:{region}:{account}:trail/{name}"},
    "AWS::CodeBuild::Project": {"Arn": "arn:aws:codebuild:{region}:{account}:project/{name}"},
    "AWS::CodePipeline::Pipeline": {"Arn": "arn:aws:codepipeline:{region}:{account}:{name}"},
    "AWS::Cognito::IdentityPool": {_REF: "{region}:{uuid}"},
    "AWS::Cognito::UserPool": {
        _REF: "{region}_Example12",
        "Arn": "arn:aws:cognito-idp:{region}:{account}:userpool/{region}_Example12",
        "ProviderName": "cognito-idp.{region}.amazonaws.com/{region}_Example12",
        "ProviderURL": "https://cognito-idp.{region}.amazonaws.com/{region}_Example12",
    },
    "AWS::DynamoDB::Table": {
        "Arn": "arn:aws:dynamodb:{region}:{account}:table/{name}",
        "StreamArn": "arn:aws:dynamodb:{region}:{account}:table/{name}/stream/2026-01-01T00:00:00.000",
    },
    "AWS::DynamoDB::GlobalTable": {"Arn": "arn:aws:dynamodb:{region}:{account}:table/{name}"},
    "AWS::EC2::Instance": {_REF: "i-0123456789abcdef0"},
    "AWS::EC2::SecurityGroup": {_REF: "sg-0123456789abcdef0", "GroupId": "sg-0123456789abcdef0"},
    "AWS::EC2::Subnet": {_REF: "subnet-0123456789abcdef0"},
    "AWS::EC2::VPC": {_REF: "vpc-0123456789abcdef0", "CidrBlock": "10.0.0.0/16"},
    "AWS::EC2::VPCEndpoint": {_REF: "vpce-0123456789abcdef0"},
    "AWS::ECR::Repository": {"Arn": "arn:aws:ecr:{region}:{account}:repository/{name}"},
    "AWS::ECS::Cluster": {"Arn": "arn:aws:ecs:{region}:{account}:cluster/{name}"},
    "AWS::ECS::Service": {_REF: "arn:aws:ecs:{region}:{account}:service/cluster/{name}"},
    "AWS::ECS::TaskDefinition": {_REF: "arn:aws:ecs:{region}:{account}:task-definition/{name}:1"},
    "AWS::EFS::FileSystem": {"Arn": "arn:aws:elasticfilesystem:{region}:{account}:file-system/fs-0123456789abcdef0"},
    "AWS::EKS::Cluster": {
        "Arn": "arn:aws:eks:{region}:{account}:cluster/{name}",
        "OpenIdConnectIssuerUrl": "https://oidc.eks.{region}.amazonaws.com/id/" + EXAMPLE_ID,
        "OpenIdConnectIssuer": "oidc.eks.{region}.amazonaws.com/id/" + EXAMPLE_ID,
        "Endpoint": "https://" + EXAMPLE_ID + ".gr7.{region}.eks.amazonaws.com",
    },
    "Custom::AWSCDK-EKS-Cluster": {
        "Arn": "arn:aws:eks:{region}:{account}:cluster/{name}",
        "OpenIdConnectIssuerUrl": "https://oidc.eks.{region}.amazonaws.com/id/" + EXAMPLE_ID,
        "OpenIdConnectIssuer": "oidc.eks.{region}.amazonaws.com/id/" + EXAMPLE_ID,
    },
    "AWS::ElasticLoadBalancingV2::LoadBalancer": {
        _REF: "arn:aws:elasticloadbalancing:{region}:{account}:loadbalancer/app/{name}/0123456789abcdef"
    },
    "AWS::ElasticLoadBalancingV2::TargetGroup": {
        _REF: "arn:aws:elasticloadbalancing:{region}:{account}:targetgroup/{name}/0123456789abcdef"
    },
    "AWS::Events::EventBus": {"Arn": "arn:aws:events:{region}:{account}:event-bus/{name}"},
    "AWS::Events::Rule": {"Arn": "arn:aws:events:{region}:{account}:rule/{name}"},
    "AWS::Glue::Database": {"Arn": "arn:aws:glue:{region}:{account}:database/{name}"},
    "AWS::KMS::Alias": {_REF: "alias/{name}"},
    "AWS::KMS::Key": {_REF: "{uuid}", "Arn": "arn:aws:kms:{region}:{account}:key/{uuid}"},
    "AWS::Kinesis::Stream": {"Arn": "arn:aws:kinesis:{region}:{account}:stream/{name}"},
    "AWS::KinesisFirehose::DeliveryStream": {"Arn": "arn:aws:firehose:{region}:{account}:deliverystream/{name}"},
    "AWS::Lambda::Alias": {_REF: "arn:aws:lambda:{region}:{account}:function:{name}:live"},
    "AWS::Lambda::Function": {"Arn": "arn:aws:lambda:{region}:{account}:function:{name}"},
    "AWS::Lambda::LayerVersion": {_REF: "arn:aws:lambda:{region}:{account}:layer:{name}:1"},
    "AWS::Lambda::Version": {_REF: "arn:aws:lambda:{region}:{account}:function:{name}:1"},
    "AWS::Logs::LogGroup": {"Arn": "arn:aws:logs:{region}:{account}:log-group:{name}:*"},
    "AWS::Organizations::Account": {_REF: "444455556666", "AccountId": "444455556666"},
    "AWS::Organizations::Organization": {_REF: "o-a1b2c3d4e5", "Id": "o-a1b2c3d4e5"},
    "AWS::RDS::DBCluster": {"DBClusterArn": "arn:aws:rds:{region}:{account}:cluster:{name}"},
    "AWS::RDS::DBInstance": {"DBInstanceArn": "arn:aws:rds:{region}:{account}:db:{name}"},
    "AWS::S3::AccessPoint": {"Arn": "arn:aws:s3:{region}:{account}:accesspoint/{name}"},
    "AWS::S3::Bucket": {
        _REF: "{lower}",
        "Arn": "arn:aws:s3:::{lower}",
        "DomainName": "{lower}.s3.amazonaws.com",
        "RegionalDomainName": "{lower}.s3.{region}.amazonaws.com",
        "WebsiteURL": "http://{lower}.s3-website-{region}.amazonaws.com",
    },
    "AWS::SNS::Topic": {_REF: "arn:aws:sns:{region}:{account}:{name}"},
    "AWS::SQS::Queue": {
        _REF: "https://sqs.{region}.amazonaws.com/{account}/{name}",
        "Arn": "arn:aws:sqs:{region}:{account}:{name}",
        "QueueName": "{name}",
    },
    "AWS::SSM::Parameter": {"Value": "{name}"},
    "AWS::Scheduler::Schedule": {"Arn": "arn:aws:scheduler:{region}:{account}:schedule/default/{name}"},
    "AWS::SecretsManager::Secret": {_REF: "arn:aws:secretsmanager:{region}:{account}:secret:{name}-AbCdEf"},
    "AWS::Serverless::Api": {_REF: "a1b2c3d4e5"},
    "AWS::Serverless::Function": {"Arn": "arn:aws:lambda:{region}:{account}:function:{name}"},
    "AWS::Serverless::SimpleTable": {"Arn": "arn:aws:dynamodb:{region}:{account}:table/{name}"},
    "AWS::Serverless::StateMachine": {_REF: "arn:aws:states:{region}:{account}:stateMachine:{name}"},
    "AWS::StepFunctions::Activity": {_REF: "arn:aws:states:{region}:{account}:activity:{name}"},
    "AWS::StepFunctions::StateMachine": {_REF: "arn:aws:states:{region}:{account}:stateMachine:{name}"},
}
_UUID: Final = "1234abcd-12ab-34cd-56ef-1234567890ab"


def value(kind: str, name: str, attribute: str, place: Place) -> str:
    """An attribute of a resource of that type and name; `attribute` is empty for what `Ref` gives."""
    forms = _FORMS.get(kind, {})
    form = forms.get(attribute)
    if form is None and attribute.endswith("Arn"):  # a type whose `Ref` is its ARN, or has one ARN only
        form = next((known for known in forms.values() if known.startswith("arn:")), "") or _suggested(kind)
    elif form is None and attribute in (_REF, "Name", f"{kind.rpartition('::')[2]}Name"):
        form = "{name}"
    elif form is None:
        form = "https://{lower}.example.com" if attribute.lower().endswith(("url", "endpoint")) else "{name}-{part}"
    known = {"name": name, "lower": name.lower(), "uuid": _UUID, "part": attribute.lower().replace(".", "-")}
    return form.format(region=place.region, account=place.account, **known)


def _suggested(kind: str) -> str:
    """`AWS::Service::Kind` as an ARN of that service."""
    parts = _PARTS.match(kind)
    service, noun = (parts[1], parts[2] or "resource") if parts else ("cloudformation", "resource")
    spelt = _SERVICES.get(service, service.lower())
    return f"arn:aws:{spelt}:{{region}}:{{account}}:{noun.lower()}/{{name}}"
