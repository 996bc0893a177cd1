"""Policies that hang on the tags of what is there already: the door reads them where it is."""

from __future__ import annotations

import json

import pytest
from botocore.exceptions import ClientError
from door_lab import MINE, client, refused

from sts_emulator import Aws

TAGGED = """
accounts:
  "111122223333":
    users:
      ann:
        inline:
          objects:
            - Effect: Allow
              Action: ["s3:GetObject", "s3:GetObjectVersion", "s3:PutObject"]
              Resource: "arn:aws:s3:::photos/*"
            - Effect: Deny
              Action: ["s3:GetObject*", "s3:PutObject"]
              Resource: "*"
              Condition: {StringEquals: {"s3:ExistingObjectTag/secret": "yes"}}
          others:
            - Effect: Allow
              Action: "*"
              Resource: "*"
              Condition: {StringEquals: {"aws:ResourceTag/team": "${aws:PrincipalTag/team}"}}
        tags: {team: blue}
"""

pytestmark = pytest.mark.scenario(TAGGED)


def test_an_object_is_read_by_its_tags(lab: Aws, photos):
    ann = client(lab, "s3", "ann")
    photos.put_object(Bucket="photos", Key="a b/ü", Body=b"x")
    assert ann.get_object(Bucket="photos", Key="a b/ü")["Body"].read() == b"x"
    photos.put_object_tagging(
        Bucket="photos", Key="a b/ü", Tagging={"TagSet": [{"Key": "Secret", "Value": "yes"}, {"Key": "x", "Value": ""}]}
    )
    message = refused(ann.get_object, Bucket="photos", Key="a b/ü")["Error"]["Message"]
    assert "with an explicit deny in an identity-based policy" in message
    ann.put_object(Bucket="photos", Key="a b/ü", Body=b"y")  # a write does not see the tags of what was there


def test_each_version_has_tags_of_its_own(lab: Aws, photos):
    photos.put_bucket_versioning(Bucket="photos", VersioningConfiguration={"Status": "Enabled"})
    open_one = photos.put_object(Bucket="photos", Key="1", Body=b"x")["VersionId"]
    closed = photos.put_object(Bucket="photos", Key="1", Body=b"y", Tagging="secret=yes")["VersionId"]
    ann = client(lab, "s3", "ann")
    assert ann.get_object(Bucket="photos", Key="1", VersionId=open_one)["Body"].read() == b"x"
    assert refused(ann.get_object, Bucket="photos", Key="1", VersionId=closed)["Error"]["Code"] == "AccessDenied"


def _pairs(tags: dict, key: str = "Key", value: str = "Value") -> list[dict]:
    return [{key: name, value: text} for name, text in tags.items()]


def _table(lab: Aws, tags: dict):
    client(lab, "dynamodb").create_table(
        TableName="notes",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
        Tags=_pairs(tags),
    )
    return lambda: client(lab, "dynamodb", "ann").scan(TableName="notes")


def _queue(lab: Aws, tags: dict):
    queue = client(lab, "sqs").create_queue(QueueName="jobs", tags=tags)["QueueUrl"]
    return lambda: client(lab, "sqs", "ann").send_message(QueueUrl=queue, MessageBody="x")


def _topic(lab: Aws, tags: dict):
    topic = client(lab, "sns").create_topic(Name="news", Tags=_pairs(tags))["TopicArn"]
    return lambda: client(lab, "sns", "ann").publish(TopicArn=topic, Message="x")


def _key(lab: Aws, tags: dict):
    key = client(lab, "kms").create_key(Tags=_pairs(tags, "TagKey", "TagValue"))["KeyMetadata"]["KeyId"]
    return lambda: client(lab, "kms", "ann").encrypt(KeyId=key, Plaintext=b"x")


def _secret(lab: Aws, tags: dict):
    client(lab, "secretsmanager").create_secret(Name="app/db", SecretString="x", Tags=_pairs(tags))
    return lambda: client(lab, "secretsmanager", "ann").get_secret_value(SecretId="app/db")


def _parameter(lab: Aws, tags: dict):
    client(lab, "ssm").put_parameter(Name="/app/db", Value="x", Type="String", Tags=_pairs(tags))
    return lambda: client(lab, "ssm", "ann").get_parameter(Name="/app/db")


def _group(lab: Aws, tags: dict):
    client(lab, "logs").create_log_group(logGroupName="app", tags=tags)
    return lambda: client(lab, "logs", "ann").create_log_stream(logGroupName="app", logStreamName="1")


def _rule(lab: Aws, tags: dict):
    client(lab, "events").put_rule(Name="nightly", ScheduleExpression="rate(1 day)", Tags=_pairs(tags))
    return lambda: client(lab, "events", "ann").describe_rule(Name="nightly")


def _stream(lab: Aws, tags: dict):
    kinesis = client(lab, "kinesis")
    kinesis.create_stream(StreamName="clicks", ShardCount=1)
    kinesis.add_tags_to_stream(StreamName="clicks", Tags=tags)
    return lambda: client(lab, "kinesis", "ann").list_shards(StreamName="clicks")


def _repository(lab: Aws, tags: dict):
    client(lab, "ecr").create_repository(repositoryName="app", tags=_pairs(tags))
    return lambda: client(lab, "ecr", "ann").list_images(repositoryName="app")


def _machine(lab: Aws, tags: dict):
    role = f"arn:aws:iam::{MINE}:role/worker"
    definition = json.dumps({"StartAt": "a", "States": {"a": {"Type": "Pass", "End": True}}})
    machine = client(lab, "stepfunctions").create_state_machine(
        name="flow", definition=definition, roleArn=role, tags=_pairs(tags, "key", "value")
    )["stateMachineArn"]
    return lambda: client(lab, "stepfunctions", "ann").describe_state_machine(stateMachineArn=machine)


def _volume(lab: Aws, tags: dict):
    volume = client(lab, "ec2").create_volume(
        AvailabilityZone="us-east-1a", Size=1, TagSpecifications=[{"ResourceType": "volume", "Tags": _pairs(tags)}]
    )["VolumeId"]
    return lambda: client(lab, "ec2", "ann").delete_volume(VolumeId=volume)


MAKERS = [
    *(_table, _queue, _topic, _key, _secret, _parameter, _group, _rule, _stream, _repository, _machine, _volume),
]


@pytest.mark.parametrize("make", MAKERS, ids=[make.__name__[1:] for make in MAKERS])
@pytest.mark.parametrize("team", ["blue", "red"])
def test_what_is_there_is_used_by_its_tags(lab: Aws, make, team):
    call = make(lab, {"team": team})
    if team == "blue":
        call()
        return
    with pytest.raises(ClientError, match="not authorized"):
        call()
