"""What was used is recorded by principal, and the least policy is made of it: decided again before it is shown."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from door_lab import MINE, ONCE, client, refused, statement

from sts_emulator.cli.main import main

PEOPLE = """
accounts:
  "111122223333":
    users:
      ann: {}
    roles:
      worker:
        trust: [{Effect: Allow, Principal: {AWS: "arn:aws:iam::111122223333:user/ann"}, Action: [sts:AssumeRole, sts:TagSession]}]
        inline:
          broad:
            - {Sid: Photos, Effect: Allow, Action: ["s3:*Object", "s3:ListBucket"], Resource: ["arn:aws:s3:::photos", "arn:aws:s3:::photos/*", "arn:aws:s3:::films/*"]}
            - {Sid: Queues, Effect: Allow, Action: "sqs:*", Resource: "*"}
            - {Sid: Never, Effect: Deny, Action: s3:DeleteObject, Resource: "arn:aws:s3:::photos/keep/*"}
"""


@pytest.fixture
def recorded(moto, another_door, tmp_path):
    """A door that records, with its file."""
    file = tmp_path / "used.jsonl"
    with another_door(moto, "--record", str(file)) as door, door.world(PEOPLE) as lab:
        yield lab, file


def worker(lab, **tags: str):
    """S3 as a session of the role."""
    wanted = [{"Key": key, "Value": value} for key, value in tags.items()]
    session = client(lab, "sts", "ann").assume_role(
        RoleArn=f"arn:aws:iam::{MINE}:role/worker", RoleSessionName="job", Tags=wanted
    )["Credentials"]
    return lab.client("s3", session, config=ONCE)


def proposed(file: Path, capsys, *arguments: str) -> dict:
    assert main(["least-privilege", str(file), "worker", "--json", *arguments]) == 0
    return json.loads(capsys.readouterr().out)


def test_the_least_policy_has_what_was_used_and_nothing_else(recorded, capsys):
    lab, file = recorded
    client(lab, "s3").create_bucket(Bucket="photos")
    s3 = worker(lab)
    s3.put_object(Bucket="photos", Key="a/1.jpg", Body=b"1")
    s3.get_object(Bucket="photos", Key="a/1.jpg")
    s3.get_object(Bucket="photos", Key="a/1.jpg")
    s3.list_objects_v2(Bucket="photos", Prefix="a/")
    refused(s3.delete_object, Bucket="photos", Key="keep/1.jpg")
    told = proposed(file, capsys)
    assert told["principal"] == f"arn:aws:iam::{MINE}:role/worker"
    assert told["policy"]["Statement"] == [
        {"Effect": "Allow", "Action": ["s3:GetObject", "s3:PutObject"], "Resource": ["arn:aws:s3:::photos/a/1.jpg"]},
        {"Effect": "Allow", "Action": ["s3:ListBucket"], "Resource": ["arn:aws:s3:::photos"]},
        {"Sid": "Never", "Effect": "Deny", "Action": "s3:DeleteObject", "Resource": "arn:aws:s3:::photos/keep/*"},
    ]
    assert told["uses"] == 3
    assert told["unused"] == [
        {"policy": 0, "statement": "Statement[0] Photos", "whole": False, "actions": [], "resources": ["arn:aws:s3:::films/*"]},
        {"policy": 0, "statement": "Statement[1] Queues", "whole": True, "actions": [], "resources": []},
    ]  # fmt: skip


def test_many_objects_of_a_folder_are_the_folder_and_that_is_said(recorded, capsys):
    lab, file = recorded
    client(lab, "s3").create_bucket(Bucket="photos")
    s3 = worker(lab)
    for number in range(12):
        s3.put_object(Bucket="photos", Key=f"b/{number}", Body=b"")
    told = proposed(file, capsys)
    assert told["policy"]["Statement"][0]["Resource"] == ["arn:aws:s3:::photos/b/*"]
    assert told["folders"] == ["arn:aws:s3:::photos/b/*"]


def test_what_a_bucket_grants_by_itself_is_left_out(recorded, capsys):
    lab, file = recorded
    root = client(lab, "s3")
    root.create_bucket(Bucket="shared")
    root.create_bucket(Bucket="photos")
    role = f"arn:aws:sts::{MINE}:assumed-role/worker/job"
    root.put_bucket_policy(Bucket="shared", Policy=statement("Allow", "s3:PutObject", "arn:aws:s3:::shared/*", role))
    s3 = worker(lab)
    s3.put_object(Bucket="shared", Key="x", Body=b"")
    s3.put_object(Bucket="photos", Key="x", Body=b"")
    told = proposed(file, capsys)
    assert told["spared"] == 1
    assert told["policy"]["Statement"][0]["Resource"] == ["arn:aws:s3:::photos/x"]


def test_calls_that_are_answered_here_are_recorded_too(recorded, capsys):
    lab, file = recorded
    worker(lab)
    assert main(["least-privilege", str(file), "ann", "--format", "policy"]) == 0
    policy = json.loads(capsys.readouterr().out)
    assert policy["Statement"] == []  # the role's trust policy names her, so that she needs nothing
    uses = [json.loads(line) for line in file.read_text().splitlines()]
    assert [use["action"] for use in uses if "action" in use] == ["sts:AssumeRole"]


def test_the_text_says_what_is_attached_and_was_not_used(recorded, capsys):
    lab, file = recorded
    client(lab, "s3").create_bucket(Bucket="photos")
    worker(lab).put_object(Bucket="photos", Key="x", Body=b"")
    assert main(["least-privilege", str(file), f"arn:aws:iam::{MINE}:role/worker"]) == 0
    shown = capsys.readouterr().out
    assert shown.startswith(f"the least policy for arn:aws:iam::{MINE}:role/worker, by 1 use that were recorded:\n")
    assert "attached, and not used:\n" in shown
    assert "  policy 0, Statement[1] Queues: all of it\n" in shown


def test_nobody_of_that_name_and_no_recording_are_told_apart(tmp_path, capsys):
    file = tmp_path / "used.jsonl"
    file.write_text("")
    assert main(["least-privilege", str(file), "worker"]) == 1
    assert "has nothing of `worker`; there is nobody" in capsys.readouterr().err
    for line in ("{}", "[1]", '{"policies": {}}', "no JSON", '"x"'):
        file.write_text(f"{line}\n")
        assert main(["least-privilege", str(file), "worker"]) == 2
        assert f"{file}:1: no line of a recording" in capsys.readouterr().err
    assert main(["least-privilege", str(tmp_path / "missing"), "worker"]) == 2


def test_root_has_no_least_policy(recorded, capsys):
    lab, file = recorded
    client(lab, "s3").list_buckets()
    assert main(["least-privilege", str(file), f"arn:aws:iam::{MINE}:root"]) == 1
    assert "may do everything" in capsys.readouterr().err


def test_a_file_that_cannot_be_written_stops_the_start(tmp_path, capsys):
    assert main(["serve", "--port", "0", "--record", str(tmp_path / "no" / "file")]) == 2
    assert "--record" in capsys.readouterr().err


EXACT = """
accounts:
  "111122223333":
    users:
      ann: {}
    roles:
      ec2-small: {trust: [{Effect: Allow, Principal: {Service: ec2.amazonaws.com}, Action: "sts:AssumeRole"}]}
      worker:
        trust: [{Effect: Allow, Principal: {AWS: "arn:aws:iam::111122223333:user/ann"}, Action: "sts:AssumeRole"}]
        inline:
          all: [{Effect: Allow, Action: "*", Resource: "*"}]
    instance_profiles: {little: ec2-small}
"""


def used_by(client_of) -> list:
    """Calls of many services, each as (what is called, parameters); what they need is there."""
    s3, sqs, table, ssm = (client_of(name) for name in ("s3", "sqs", "dynamodb", "ssm"))
    secrets, kms, sns, logs, ec2 = (client_of(name) for name in ("secretsmanager", "kms", "sns", "logs", "ec2"))
    queue = f"{s3.meta.endpoint_url}/{MINE}/jobs"
    item = {"id": {"S": "1"}}
    image = "ami-03cf127a"
    return [
        (s3.put_object, {"Bucket": "photos", "Key": "a/what?*.txt", "Body": b"1"}),
        (s3.get_object, {"Bucket": "photos", "Key": "a/what?*.txt"}),
        (s3.put_object, {"Bucket": "photos", "Key": "a/${aws:username}", "Body": b"1", "Tagging": "a=b"}),
        (s3.copy_object, {"Bucket": "photos", "Key": "b/1", "CopySource": {"Bucket": "photos", "Key": "a/what?*.txt"}}),
        (s3.list_objects_v2, {"Bucket": "photos", "Prefix": "a/"}),
        (s3.delete_objects, {"Bucket": "photos", "Delete": {"Objects": [{"Key": "b/1"}, {"Key": "b/2"}]}}),
        (s3.list_buckets, {}),
        (sqs.send_message, {"QueueUrl": queue, "MessageBody": "x"}),
        (sqs.receive_message, {"QueueUrl": queue}),
        (table.put_item, {"TableName": "items", "Item": item}),
        (table.query, {"TableName": "items", "KeyConditionExpression": "id = :i", "ExpressionAttributeValues": {":i": {"S": "1"}}}),
        (table.transact_write_items, {"TransactItems": [{"Put": {"TableName": "items", "Item": item}}]}),
        (table.execute_statement, {"Statement": "SELECT * FROM items WHERE id = '1'"}),
        (ssm.put_parameter, {"Name": "/app/key", "Value": "1", "Type": "String", "Overwrite": True}),
        (ssm.get_parameters_by_path, {"Path": "/app"}),
        (secrets.get_secret_value, {"SecretId": "password"}),
        (kms.encrypt, {"KeyId": "alias/mine", "Plaintext": b"x"}),
        (sns.publish, {"TopicArn": f"arn:aws:sns:us-east-1:{MINE}:news", "Message": "x"}),
        (logs.describe_log_streams, {"logGroupName": "app"}),
        (logs.put_log_events, {"logGroupName": "app", "logStreamName": "one", "logEvents": [{"timestamp": 1, "message": "x"}]}),
        (ec2.describe_vpcs, {}),
        (ec2.request_spot_instances, {"LaunchSpecification": {"ImageId": image, "IamInstanceProfile": {"Name": "little"}}, "SpotPrice": "1"}),
        (client_of("sts").get_caller_identity, {}),
        (client_of("iam").list_users, {}),
    ]  # fmt: skip


def prepared(root) -> None:
    root("s3").create_bucket(Bucket="photos")
    root("sqs").create_queue(QueueName="jobs")
    root("dynamodb").create_table(
        TableName="items",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    root("secretsmanager").create_secret(Name="password", SecretString="x")
    key = root("kms").create_key()["KeyMetadata"]["KeyId"]
    root("kms").create_alias(AliasName="alias/mine", TargetKeyId=key)
    root("sns").create_topic(Name="news")
    root("logs").create_log_group(logGroupName="app")
    root("logs").create_log_stream(logGroupName="app", logStreamName="one")


def test_the_proposal_lets_exactly_what_was_used_through(moto, another_door, tmp_path, capsys):
    file = tmp_path / "used.jsonl"
    with another_door(moto, "--record", str(file)) as door, door.world(EXACT) as lab:
        prepared(lambda service: client(lab, service))
        session = client(lab, "sts", "ann").assume_role(
            RoleArn=f"arn:aws:iam::{MINE}:role/worker", RoleSessionName="job"
        )["Credentials"]

        def client_of(service):
            return lab.client(service, session, config=ONCE)

        for call, parameters in used_by(client_of):
            call(**parameters)
        policy = proposed(file, capsys)["policy"]
        iam = client(lab, "iam")
        iam.put_role_policy(RoleName="worker", PolicyName="least", PolicyDocument=json.dumps(policy))
        iam.delete_role_policy(RoleName="worker", PolicyName="all")
        for call, parameters in used_by(client_of):
            call(**parameters)
        for key in ("a/whatever.txt", "a/whatX*.txt", "a/job"):
            refused(client_of("s3").put_object, Bucket="photos", Key=key, Body=b"")
        refused(client_of("s3").get_object, Bucket="photos", Key="b/1")
        refused(client_of("sqs").delete_queue, QueueUrl=f"{lab.endpoint_url}/{MINE}/jobs")
        refused(client_of("ssm").get_parameter, Name="/app/key")
        refused(client_of("dynamodb").scan, TableName="items")
