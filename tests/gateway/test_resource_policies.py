"""What resources say themselves: policies of buckets, queues, topics, keys and secrets, read through the upstream."""

from __future__ import annotations

import io
import json
import zipfile

import boto3
import pytest
from door_lab import MINE, NOTHING, OTHERS, PEOPLE, client, refused, statement, stranger, written

from sts_emulator import Aws

pytestmark = pytest.mark.scenario(PEOPLE)


def test_a_bucket_lets_in_whom_its_policy_names(lab: Aws, photos):
    photos.put_object(Bucket="photos", Key="ann/1", Body=b"1")
    eve = stranger(lab, "s3")
    bob = client(lab, "s3", "bob")
    for outsider in (eve, bob):
        assert refused(outsider.get_object, Bucket="photos", Key="ann/1")["Error"]["Code"] == "AccessDenied"
    names = f"arn:aws:iam::{OTHERS}:user/eve", f"arn:aws:iam::{MINE}:user/bob"
    photos.put_bucket_policy(
        Bucket="photos", Policy=statement("Allow", "s3:GetObject", "arn:aws:s3:::photos/*", *names)
    )
    for guest in (eve, bob):
        assert guest.get_object(Bucket="photos", Key="ann/1")["Body"].read() == b"1"
    photos.delete_bucket_policy(Bucket="photos")
    answer = refused(eve.get_object, Bucket="photos", Key="ann/1")
    told = lab.explain(answer)
    assert "resource policies" in told
    assert "trust policy" not in told


def test_a_bucket_of_no_account_of_this_world_is_a_strangers(lab: Aws, moto):
    """Made at the upstream itself, as an account that the world does not have."""
    past = boto3.client(
        "s3", endpoint_url=moto, region_name="us-east-1", aws_access_key_id="x", aws_secret_access_key="x"
    )
    for name in ("theirs", "shared"):
        past.create_bucket(Bucket=name)
    policy = statement("Allow", "s3:ListBucket", "arn:aws:s3:::shared", f"arn:aws:iam::{MINE}:root")
    past.put_bucket_policy(Bucket="shared", Policy=policy)
    root = client(lab, "s3")
    for call, parameters in ((root.list_objects_v2, {}), (root.put_object, {"Key": "1", "Body": b"1"})):
        assert refused(call, Bucket="theirs", **parameters)["Error"]["Code"] == "AccessDenied"
    assert refused(root.list_objects_v2, Bucket="nobodys")["Error"]["Code"] == "NoSuchBucket"
    assert root.list_objects_v2(Bucket="shared")["KeyCount"] == 0


def test_a_bucket_is_of_the_owner_whom_its_caller_expects(photos):
    photos.put_object(Bucket="photos", Key="ann/1", Body=b"1", ExpectedBucketOwner=MINE)
    photos.copy_object(
        Bucket="photos",
        Key="ann/2",
        CopySource="photos/ann/1",
        ExpectedSourceBucketOwner=MINE,
        ExpectedBucketOwner=MINE,
    )
    for call, parameters in (
        (photos.get_object, {"Key": "ann/1", "ExpectedBucketOwner": OTHERS}),
        (photos.list_objects_v2, {"ExpectedBucketOwner": OTHERS}),
        (photos.delete_objects, {"Delete": {"Objects": [{"Key": "ann/1"}]}, "ExpectedBucketOwner": OTHERS}),
        (photos.copy_object, {"Key": "ann/3", "CopySource": "photos/ann/1", "ExpectedSourceBucketOwner": OTHERS}),
    ):
        assert refused(call, Bucket="photos", **parameters)["Error"]["Code"] == "AccessDenied"
    answer = refused(photos.get_object, Bucket="photos", Key="ann/1", ExpectedBucketOwner="me")
    assert answer["Error"]["Code"] == "InvalidBucketOwnerAWSAccountID"
    assert [item["Key"] for item in photos.list_objects_v2(Bucket="photos")["Contents"]] == ["ann/1", "ann/2"]


def test_a_bucket_keeps_out_whom_its_policy_denies(lab: Aws, photos):
    ann = client(lab, "s3", "ann")
    ann.put_object(Bucket="photos", Key="ann/1", Body=b"1")
    denial = statement("Deny", "s3:GetObject", "arn:aws:s3:::photos/*", f"arn:aws:iam::{MINE}:user/ann")
    photos.put_bucket_policy(Bucket="photos", Policy=denial)
    message = refused(ann.get_object, Bucket="photos", Key="ann/1")["Error"]["Message"]
    assert "with an explicit deny in a resource-based policy" in message


def test_a_queue_and_a_topic_let_in_whom_their_policies_name(lab: Aws):
    ann_sqs, ann_sns = client(lab, "sqs", "ann"), client(lab, "sns", "ann")
    queue = ann_sqs.create_queue(QueueName="jobs")["QueueUrl"]
    bob = f"arn:aws:iam::{MINE}:user/bob"
    send = {"QueueUrl": queue, "MessageBody": "x"}
    assert refused(client(lab, "sqs", "bob").send_message, **send)["Error"]["Code"] == "AccessDeniedException"
    policy = statement("Allow", "sqs:SendMessage", f"arn:aws:sqs:us-east-1:{MINE}:jobs", bob)
    ann_sqs.set_queue_attributes(QueueUrl=queue, Attributes={"Policy": policy})
    assert client(lab, "sqs", "bob").send_message(**send)["MessageId"]
    topic = ann_sns.create_topic(Name="news")["TopicArn"]
    publish = {"TopicArn": topic, "Message": "x"}
    assert refused(client(lab, "sns", "bob").publish, **publish)["Error"]["Code"] == "AuthorizationError"
    ann_sns.set_topic_attributes(
        TopicArn=topic, AttributeName="Policy", AttributeValue=statement("Allow", "sns:Publish", topic, bob)
    )
    assert client(lab, "sns", "bob").publish(**publish)["MessageId"]


def test_nobody_uses_a_key_without_its_policy(lab: Aws):
    ann = client(lab, "kms", "ann")
    key = ann.create_key()["KeyMetadata"]
    assert ann.describe_key(KeyId=key["KeyId"])["KeyMetadata"]["KeyId"] == key["KeyId"]
    only_root = statement("Allow", "kms:PutKeyPolicy", "*", f"arn:aws:iam::{MINE}:user/ann")
    ann.put_key_policy(KeyId=key["KeyId"], PolicyName="default", Policy=only_root)
    answer = refused(ann.describe_key, KeyId=key["KeyId"])
    assert "because no resource-based policy allows the kms:DescribeKey action" in answer["Error"]["Message"]


KEYS = """
accounts:
  "111122223333":
    users:
      ann: {inline: {keys: [{Effect: Allow, Action: "kms:*", Resource: "*"}]}}
      bob: {inline: {keys: [{Effect: Allow, Action: "kms:*", Resource: "*"}]}}
      carl: {}
"""


@pytest.mark.scenario(KEYS)
def test_a_key_is_the_same_by_its_alias_and_by_what_it_sealed(lab: Aws):
    root, ann, bob = (client(lab, "kms", user) for user in ("", "ann", "bob"))
    key, other = (root.create_key()["KeyMetadata"]["KeyId"] for _ in range(2))
    ann.create_alias(AliasName="alias/app", TargetKeyId=key)
    sealed = ann.encrypt(KeyId="alias/app", Plaintext=b"x")["CiphertextBlob"]
    aliased = f"arn:aws:kms:us-east-1:{MINE}:alias/app"
    for named in ({}, {"KeyId": "alias/app"}, {"KeyId": aliased}, {"KeyId": key}):
        assert ann.decrypt(CiphertextBlob=sealed, **named)["Plaintext"] == b"x"
    only_ann = statement("Allow", "kms:*", "*", f"arn:aws:iam::{MINE}:user/ann")
    root.put_key_policy(KeyId=key, PolicyName="default", Policy=only_ann)
    for call, named in (
        (bob.encrypt, {"KeyId": "alias/app", "Plaintext": b"x"}),
        (bob.encrypt, {"KeyId": aliased, "Plaintext": b"x"}),
        (bob.decrypt, {"CiphertextBlob": sealed}),
        (bob.re_encrypt, {"CiphertextBlob": sealed, "DestinationKeyId": other}),
        (bob.re_encrypt, {"CiphertextBlob": sealed, "SourceKeyId": other, "DestinationKeyId": other}),
        (bob.delete_alias, {"AliasName": "alias/app"}),
        (bob.update_alias, {"AliasName": "alias/app", "TargetKeyId": other}),
    ):
        answer = refused(call, **named)["Error"]
        assert f"key/{key} because no resource-based policy allows" in answer["Message"]
    ann.update_alias(AliasName="alias/app", TargetKeyId=other)
    assert bob.encrypt(KeyId="alias/app", Plaintext=b"x")["KeyId"].endswith(other)
    bob.delete_alias(AliasName="alias/app")
    for call, named in (
        (ann.encrypt, {"KeyId": aliased, "Plaintext": b"x"}),
        (ann.delete_alias, {"AliasName": "alias/app"}),
    ):
        answer = refused(call, **named)["Error"]
        assert (answer["Code"], answer["Message"]) == ("NotFoundException", f"Alias {aliased} is not found.")


@pytest.mark.scenario(KEYS)
def test_who_may_not_use_an_alias_is_not_told_whether_there_is_one(lab: Aws):
    root, carl = client(lab, "kms"), client(lab, "kms", "carl")
    root.create_alias(AliasName="alias/there", TargetKeyId=root.create_key()["KeyMetadata"]["KeyId"])
    for alias in ("alias/there", "alias/not-there"):
        for call, named in (
            (carl.describe_key, {"KeyId": alias}),
            (carl.encrypt, {"KeyId": f"arn:aws:kms:us-east-1:{MINE}:{alias}", "Plaintext": b"x"}),
            (carl.delete_alias, {"AliasName": alias}),
        ):
            assert refused(call, **named)["Error"]["Code"] == "AccessDeniedException"


def test_a_secret_lets_in_whom_its_policy_names(lab: Aws):
    secret = client(lab, "secretsmanager", "ann").create_secret(Name="db", SecretString="x")["ARN"]
    bob = client(lab, "secretsmanager", "bob")
    assert refused(bob.get_secret_value, SecretId=secret)["Error"]["Code"] == "AccessDeniedException"
    policy = statement("Allow", "secretsmanager:GetSecretValue", "*", f"arn:aws:iam::{MINE}:user/bob")
    client(lab, "secretsmanager", "ann").put_resource_policy(SecretId=secret, ResourcePolicy=policy)
    assert bob.get_secret_value(SecretId=secret)["SecretString"] == "x"


def packed() -> bytes:
    """The code of a function, as it is uploaded."""
    code = io.BytesIO()
    with zipfile.ZipFile(code, "w") as archive:
        archive.writestr("main.py", "def handler(event, context): return event")
    return code.getvalue()


ACCOUNT = "x-moto-account-id"


def role_for_moto(moto: str) -> None:
    """moto looks for a function's role in its own IAM."""
    trust = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
    its_own = {"aws_access_key_id": "any", "aws_secret_access_key": "any", "region_name": "us-east-1"}
    iam = boto3.client("iam", endpoint_url=moto, **its_own)
    iam.meta.events.register("before-sign.iam", lambda request, **_: request.headers.add_header(ACCOUNT, MINE))
    policy = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    iam.create_role(RoleName="app", AssumeRolePolicyDocument=policy)


def test_a_function_lets_in_whom_its_policy_names(lab: Aws, moto):
    role_for_moto(moto)
    root, bob, eve = client(lab, "lambda"), client(lab, "lambda", "bob"), stranger(lab, "lambda")
    function = root.create_function(
        FunctionName="greet",
        Runtime="python3.13",
        Role=f"arn:aws:iam::{MINE}:role/app",
        Handler="main.handler",
        Code={"ZipFile": packed()},
    )["FunctionArn"]
    for guest in (bob, eve):
        assert (
            refused(guest.get_function_configuration, FunctionName=function)["Error"]["Code"] == "AccessDeniedException"
        )
    for number, principal in enumerate((f"arn:aws:iam::{MINE}:user/bob", f"arn:aws:iam::{OTHERS}:user/eve")):
        root.add_permission(
            FunctionName="greet",
            StatementId=str(number),
            Action="lambda:GetFunctionConfiguration",
            Principal=principal,
        )
    assert bob.get_function_configuration(FunctionName="greet")["FunctionArn"] == function
    assert eve.get_function_configuration(FunctionName=function)["FunctionArn"] == function
    root.remove_permission(FunctionName="greet", StatementId="0")
    assert refused(bob.get_function_configuration, FunctionName="greet")["Error"]["Code"] == "AccessDeniedException"


def test_a_queue_of_another_account_is_not_ones_own_of_that_name(lab: Aws):
    """Ann may do nothing with her account's queue, and everything with the stranger's."""
    root, bob, eve = client(lab, "sqs"), client(lab, "sqs", "bob"), stranger(lab, "sqs")
    own = root.create_queue(QueueName="jobs")["QueueUrl"]
    root.send_message(QueueUrl=own, MessageBody="not bob's to read")
    policy = statement("Allow", "sqs:*", f"arn:aws:sqs:us-east-1:{OTHERS}:jobs", f"arn:aws:iam::{MINE}:user/bob")
    foreign = eve.create_queue(QueueName="jobs", Attributes={"Policy": policy})["QueueUrl"]
    reach = statement("Allow", "sqs:*", f"arn:aws:sqs:us-east-1:{OTHERS}:jobs")
    client(lab, "iam").put_user_policy(UserName="bob", PolicyName="reach", PolicyDocument=without_principals(reach))
    bob.send_message(QueueUrl=foreign, MessageBody="hello")
    for guest in (eve, bob):
        (message,) = guest.receive_message(QueueUrl=foreign, VisibilityTimeout=0)["Messages"]
        assert message["Body"] == "hello"


def test_a_secret_of_another_account_is_not_ones_own_of_that_name(lab: Aws):
    root, bob, eve = (
        client(lab, "secretsmanager"),
        client(lab, "secretsmanager", "bob"),
        stranger(lab, "secretsmanager"),
    )
    root.create_secret(Name="db", SecretString="not bob's to read")
    foreign = eve.create_secret(Name="db", SecretString="for bob")["ARN"]
    policy = statement("Allow", "secretsmanager:GetSecretValue", "*", f"arn:aws:iam::{MINE}:user/bob")
    eve.put_resource_policy(SecretId=foreign, ResourcePolicy=policy)
    reach = statement("Allow", "secretsmanager:GetSecretValue", foreign)
    client(lab, "iam").put_user_policy(UserName="bob", PolicyName="reach", PolicyDocument=without_principals(reach))
    assert bob.get_secret_value(SecretId=foreign)["SecretString"] == "for bob"


def without_principals(policy: str) -> str:
    """A resource's policy as one of an identity."""
    content = json.loads(policy)
    for said in content["Statement"]:
        del said["Principal"]
    return json.dumps(content)


def test_secrets_are_not_in_events(lab: Aws):
    client(lab, "secretsmanager", "ann").create_secret(Name="db", SecretString="tell-nobody")
    assert "tell-nobody" not in json.dumps(lab.events())


@pytest.mark.parametrize("service", ["dynamodb", "sns", "secretsmanager", "lambda", "kms"])
def test_services_of_every_protocol_pass(lab: Aws, service):
    calls = {
        "dynamodb": ("list_tables", "TableNames"),
        "sns": ("list_topics", "Topics"),
        "secretsmanager": ("list_secrets", "SecretList"),
        "lambda": ("list_functions", "Functions"),
        "kms": ("list_keys", "Keys"),
    }
    name, member = calls[service]
    assert getattr(client(lab, service, "ann"), name)()[member] == []


LEADING = """
accounts:
  "111122223333":
    users:
      ann:
        inline:
          mine:
            - Effect: Allow
              Action: ["dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:Query", "dynamodb:PartiQLSelect"]
              Resource: "arn:aws:dynamodb:us-east-1:111122223333:table/notes"
              Condition: {"ForAllValues:StringEquals": {"dynamodb:LeadingKeys": "${aws:username}"}}
            - {Effect: Deny, Action: "dynamodb:PartiQLSelect", Resource: "*", Condition: {Bool: {"dynamodb:FullTableScan": "true"}}}
"""


@pytest.mark.scenario(LEADING)
def test_everybody_has_items_of_their_own(lab: Aws):
    """Which attribute leads, only the upstream knows."""
    client(lab, "dynamodb").create_table(
        TableName="notes",
        KeySchema=[{"AttributeName": "owner", "KeyType": "HASH"}, {"AttributeName": "number", "KeyType": "RANGE"}],
        AttributeDefinitions=[
            {"AttributeName": "owner", "AttributeType": "S"},
            {"AttributeName": "number", "AttributeType": "N"},
        ],
        BillingMode="PAY_PER_REQUEST",
    )
    ann = client(lab, "dynamodb", "ann")
    note = {"owner": {"S": "ann"}, "number": {"N": "1"}, "text": {"S": "bread"}}
    ann.put_item(TableName="notes", Item=note)
    key = {name: note[name] for name in ("owner", "number")}
    assert ann.get_item(TableName="notes", Key=key)["Item"]["text"] == {"S": "bread"}
    answer = refused(ann.put_item, TableName="notes", Item={**note, "owner": {"S": "bob"}})
    assert answer["Error"]["Code"] == "AccessDeniedException"
    own = ann.execute_statement(Statement="SELECT text FROM notes WHERE owner IN ['ann']")
    assert own["Items"] == [{"text": {"S": "bread"}}]
    for of in ("", " WHERE owner IN ['bob']", " WHERE owner IN ['ann', 'bob']", " WHERE number = 1"):
        answer = refused(ann.execute_statement, Statement=f"SELECT text FROM notes{of}")
        assert answer["Error"]["Code"] == "AccessDeniedException"


# -- what is told in JSON ----------------------------------------------------------------------------------------------

STORES = """
accounts:
  "111122223333":
    users:
      ann: {inline: {all: [{Effect: Allow, Action: "*", Resource: "*"}]}}
  "444455556666":
    users:
      eve: {inline: {all: [{Effect: Allow, Action: "*", Resource: "*"}]}}
"""


def table(root) -> str:
    key = {"AttributeName": "id", "KeyType": "HASH"}
    defined = {"AttributeName": "id", "AttributeType": "S"}
    made = root.create_table(
        TableName="x", KeySchema=[key], AttributeDefinitions=[defined], BillingMode="PAY_PER_REQUEST"
    )
    return made["TableDescription"]["TableArn"]


def stream(root) -> str:
    root.create_stream(StreamName="x", ShardCount=1)
    return root.describe_stream_summary(StreamName="x")["StreamDescriptionSummary"]["StreamARN"]


OF_JSON = {
    "dynamodb": (
        table,
        lambda root, arn, policy: root.put_resource_policy(ResourceArn=arn, Policy=policy),
        lambda user, arn: user.get_item(TableName=arn, Key={"id": {"S": "1"}}),
        "dynamodb:GetItem",
    ),
    "kinesis": (
        stream,
        lambda root, arn, policy: root.put_resource_policy(ResourceARN=arn, Policy=policy),
        lambda user, arn: user.put_record(StreamARN=arn, Data=b"x", PartitionKey="1"),
        "kinesis:PutRecord",
    ),
    "ecr": (
        lambda root: root.create_repository(repositoryName="xyz")["repository"]["repositoryArn"],
        lambda root, _, policy: root.set_repository_policy(repositoryName="xyz", policyText=policy),
        lambda user, _: user.list_images(registryId=MINE, repositoryName="xyz"),
        "ecr:ListImages",
    ),
    "events": (
        lambda root: root.create_event_bus(Name="x")["EventBusArn"],
        lambda root, _, policy: root.put_permission(
            EventBusName="x", Policy=policy.replace('"Effect"', '"Sid": "told", "Effect"')
        ),
        lambda user, arn: user.put_events(
            Entries=[{"Source": "a", "DetailType": "b", "Detail": "{}", "EventBusName": arn}]
        ),
        "events:PutEvents",
    ),
}


@pytest.mark.scenario(STORES)
@pytest.mark.parametrize("service", list(OF_JSON))
def test_a_table_a_stream_a_repository_and_a_bus_let_in_whom_their_policy_names(lab: Aws, service):
    made, opened, used, action = OF_JSON[service]
    root, eve, ann = client(lab, service), stranger(lab, service), client(lab, service, "ann")
    arn = made(root)
    message = refused(lambda: used(eve, arn))["Error"]["Message"]
    assert f"is not authorized to perform: {action} on resource: {arn}" in message
    resource = "*" if service == "ecr" else arn
    opened(root, arn, statement("Allow", action, resource, f"arn:aws:iam::{OTHERS}:user/eve"))
    used(eve, arn)
    used(ann, arn)
    opened(root, arn, statement("Deny", action, resource, f"arn:aws:iam::{MINE}:user/ann"))
    for user in (eve, ann):
        assert action in refused(lambda user=user: used(user, arn))["Error"]["Message"]


# -- what is not told --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (NOTHING.replace(b"200 OK", b"500 Internal Server Error"), "answered 500 to dynamodb's GetResourcePolicy"),
        (written(b"{"), "what the upstream answered is no JSON"),
        (written(b'{"Policy": "none"}'), "what the upstream holds for its policy is none"),
    ],
)
def test_a_denial_says_what_the_upstream_does_not_tell(upstream, before_it, answer, why):
    """Nothing is allowed by what is not understood, and it is neither the caller's policies nor the table's that deny."""
    upstream.answer = answer
    denial = refused(client(before_it, "dynamodb", "ann").describe_table, TableName="notes")
    assert denial["Error"]["Code"] == "AccessDeniedException"
    for told in (denial["Error"]["Message"], before_it.explain(denial), before_it.events()[-1]["errorMessage"]):
        assert "sts-emulator cannot read the policy or the tags of this resource" in told
        assert why in told
