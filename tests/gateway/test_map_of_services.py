"""What the tables cannot show: names in several forms, strict readings, and who names a thing twice."""

from __future__ import annotations

import base64
from typing import Any
from urllib.parse import urlencode

import pytest

from sts_emulator.core.errors import AwsError
from sts_emulator.gateway.call import Call, Need
from sts_emulator.gateway.map import Unmapped, required
from sts_emulator.wire import foreign_parameters, foreign_routing
from sts_emulator.wire.http import Request

HERE = "eu-central-1:111122223333"


def needs(service: str, operation: str, *, path: str = "/", **parameters: Any) -> tuple[Need, ...]:
    return required(Call(service, operation, parameters, path, "111122223333", "eu-central-1", "aws"))


def resources(answer: tuple[Need, ...]) -> list[str]:
    return [need.resource for need in answer if not need.optional]


@pytest.mark.parametrize(
    "url",
    [
        "https://sqs.eu-central-1.amazonaws.com/444455556666/jobs",
        "http://127.0.0.1:4600/444455556666/jobs",
        "http://localhost/w/dev/444455556666/jobs",
    ],
)
def test_a_queue_is_the_end_of_its_url(url):
    assert resources(needs("sqs", "SendMessage", QueueUrl=url)) == ["arn:aws:sqs:eu-central-1:444455556666:jobs"]


@pytest.mark.parametrize(
    "end", ["secret?/1/mine", "secret#/1/mine", "mine%2F..%2Fsecret", "secret/../mine", "secret;/mine"]
)
def test_a_queue_s_url_has_one_end(end):
    with pytest.raises(AwsError, match="can be read in two ways"):
        needs("sqs", "SendMessage", QueueUrl=f"http://x/111122223333/{end}")


def test_secrets_that_are_named_and_filtered_may_be_any():
    answer = needs("secretsmanager", "BatchGetSecretValue", SecretIdList=["mine"], Filters=[{"Key": "all"}])
    assert resources(answer)[2:] == [f"arn:aws:secretsmanager:{HERE}:secret:{name}" for name in ("mine-??????", "*")]


def test_who_names_a_topic_and_a_phone_needs_both():
    topic = f"arn:aws:sns:{HERE}:mine"
    assert resources(needs("sns", "Publish", TopicArn=topic, PhoneNumber="+1555")) == [topic, "*"]


def test_who_names_two_queues_needs_both():
    answer = needs("sqs", "DeleteQueue", path="/111122223333/mine", QueueUrl="http://x/111122223333/yours")
    assert resources(answer) == [f"arn:aws:sqs:{HERE}:yours", f"arn:aws:sqs:{HERE}:mine"]


def test_who_names_two_streams_needs_both():
    mine = f"arn:aws:kinesis:{HERE}:stream/mine"
    answer = needs("kinesis", "PutRecord", StreamARN=mine, StreamName="yours")
    assert resources(answer) == [mine, f"arn:aws:kinesis:{HERE}:stream/yours"]


def test_who_names_two_groups_of_logs_needs_both():
    answer = needs("logs", "StartQuery", logGroupName="mine", logGroupIdentifiers=["yours"])
    assert resources(answer) == [f"arn:aws:logs:{HERE}:log-group:{name}:log-stream:" for name in ("mine", "yours")]


@pytest.mark.parametrize(
    ("name", "qualifier", "resource"),
    [
        ("greet", "", f"{HERE}:function:greet"),
        ("greet", "prod", f"{HERE}:function:greet:prod"),
        ("greet:prod", "", f"{HERE}:function:greet:prod"),
        ("444455556666:function:greet", "", "eu-central-1:444455556666:function:greet"),
        ("arn:aws:lambda:us-east-1:444455556666:function:greet", "7", "us-east-1:444455556666:function:greet:7"),
        ("arn:aws:lambda:us-east-1:444455556666:function:greet:7", "7", "us-east-1:444455556666:function:greet:7"),
    ],
)
def test_a_function_has_many_names(name, qualifier, resource):
    answer = needs("lambda", "Invoke", FunctionName=name, Qualifier=qualifier)
    assert [(need.action, need.resource) for need in answer] == [
        ("lambda:InvokeFunction", f"arn:aws:lambda:{resource}")
    ]


def test_a_function_is_made_with_a_role_that_is_passed_on():
    role = "arn:aws:iam::111122223333:role/worker"
    passed = needs("lambda", "CreateFunction", FunctionName="greet", Role=role)[-1]
    assert (passed.action, passed.resource) == ("iam:PassRole", role)
    assert passed.keys == {"iam:passedtoservice": ("lambda.amazonaws.com",)}


@pytest.mark.parametrize(
    ("operation", "parameters", "resource"),
    [
        ("GetParameter", {"Name": "/app/db"}, "app/db"),
        ("GetParameter", {"Name": "app:3"}, "app"),
        ("GetParameter", {"Name": f"arn:aws:ssm:{HERE}:parameter/app/db"}, "app/db"),
        ("GetParametersByPath", {"Path": "/app/"}, "app"),
        ("GetParametersByPath", {"Path": "/"}, ""),
        ("AddTagsToResource", {"ResourceType": "Parameter", "ResourceId": "/app/db"}, "app/db"),
    ],
)
def test_a_parameter_has_no_slash_at_its_ends(operation, parameters, resource):
    assert resources(needs("ssm", operation, **parameters)) == [f"arn:aws:ssm:{HERE}:parameter/{resource}"]


def test_a_document_of_aws_has_no_account_and_a_node_is_no_instance():
    answer = needs("ssm", "SendCommand", DocumentName="AWS-RunShellScript", InstanceIds=["i-1", "mi-2"])
    assert resources(answer) == [
        "arn:aws:ssm:eu-central-1::document/AWS-RunShellScript",
        f"arn:aws:ec2:{HERE}:instance/i-1",
        f"arn:aws:ssm:{HERE}:managed-instance/mi-2",
    ]


def test_a_secret_by_name_ends_in_six_characters_that_nobody_knows():
    assert resources(needs("secretsmanager", "GetSecretValue", SecretId="db")) == [
        f"arn:aws:secretsmanager:{HERE}:secret:db-??????"
    ]


def test_a_ciphertext_tells_its_key_where_it_begins_with_it():
    made_with = "0a1b2c3d-1111-2222-3333-444455556666"
    blob = base64.b64encode(made_with.encode() + b"\x00sealed").decode()
    by_blob, by_name = (f"arn:aws:kms:{HERE}:key/{name}" for name in (made_with, "k1"))
    assert resources(needs("kms", "Decrypt", CiphertextBlob=blob)) == [by_blob]
    assert resources(needs("kms", "Decrypt", CiphertextBlob=blob, KeyId="k1")) == [by_name, by_blob]
    for other in (base64.b64encode(b"sealed" * 9).decode(), "!", "", b"x", None):
        assert resources(needs("kms", "Decrypt", CiphertextBlob=other)) == [f"arn:aws:kms:{HERE}:key/*"]
        assert resources(needs("kms", "Decrypt", CiphertextBlob=other, KeyId="k1")) == [by_name]


def test_an_alias_is_told_in_a_condition_key():
    aliased = needs("kms", "Encrypt", KeyId="alias/app", EncryptionContext={"Team": "a"})
    assert resources(aliased) == [f"arn:aws:kms:{HERE}:key/alias/app"]
    assert aliased[0].keys["kms:requestalias"] == ("alias/app",)
    assert aliased[0].keys["kms:encryptioncontext:team"] == ("a",)
    assert resources(needs("kms", "ReEncrypt", SourceKeyId="k1", DestinationKeyId="k2")) == [
        f"arn:aws:kms:{HERE}:key/k1",
        f"arn:aws:kms:{HERE}:key/k2",
    ]


def test_events_go_to_each_bus_that_entries_name():
    entries = [{"Source": "a", "DetailType": "t"}, {"Source": "b", "EventBusName": "orders"}]
    answer = needs("events", "PutEvents", Entries=entries)
    assert resources(answer) == [f"arn:aws:events:{HERE}:event-bus/{bus}" for bus in ("default", "orders")]
    assert answer[0].keys == {"events:source": ("a",), "events:detail-type": ("t",)}


def test_a_rule_of_another_bus_has_the_bus_in_its_arn():
    bus = f"arn:aws:events:{HERE}:event-bus/orders"
    for named in ("orders", bus):
        assert resources(needs("events", "DeleteRule", Name="r", EventBusName=named)) == [
            f"arn:aws:events:{HERE}:rule/orders/r"
        ]
    assert resources(needs("events", "DeleteRule", Name="r", EventBusName="default")) == [
        f"arn:aws:events:{HERE}:rule/r"
    ]


def test_a_version_of_a_state_machine_is_a_condition_key():
    machine = f"arn:aws:states:{HERE}:stateMachine:flow"
    need = needs("stepfunctions", "StartExecution", stateMachineArn=f"{machine}:prod")[0]
    assert (need.resource, need.keys) == (machine, {"states:statemachinequalifier": ("prod",)})


@pytest.mark.parametrize("behind", ["", ":", ":prod", ":prod:other", "::"])
def test_whatever_stands_behind_a_state_machine_s_name_is_not_part_of_it(behind):
    machine = f"arn:aws:states:{HERE}:stateMachine:flow"
    assert resources(needs("stepfunctions", "StartExecution", stateMachineArn=machine + behind)) == [machine]


def test_tags_at_creation_need_the_permission_to_tag():
    volume = needs("ec2", "CreateVolume", TagSpecifications=[{"ResourceType": "volume", "Tags": [{"Key": "a"}]}])
    assert [need.action for need in volume] == ["ec2:CreateVolume", "ec2:CreateTags"]
    assert volume[1].keys["ec2:createaction"] == ("CreateVolume",)
    assert [need.action for need in needs("sqs", "CreateQueue", QueueName="q", tags={"a": "b"})] == [
        "sqs:CreateQueue",
        "sqs:TagQueue",
    ]


def test_forms_of_sqs_have_names_of_their_own():
    """Its model is of JSON; who still sends forms needs no less."""
    form = {"Action": "CreateQueue", "QueueName": "q", "Tag.1.Key": "team", "Tag.1.Value": "blue"}
    form |= {"Attribute.1.Name": "DelaySeconds", "Attribute.1.Value": "5"}
    read = parameters_of("sqs", form)
    assert read == {"QueueName": "q", "tags": {"team": "blue"}, "Attributes": {"DelaySeconds": "5"}}
    assert [need.action for need in needs("sqs", "CreateQueue", **read)] == ["sqs:CreateQueue", "sqs:TagQueue"]
    entry = "SendMessageBatchRequestEntry.1"
    form = {"Action": "SendMessageBatch", f"{entry}.Id": "1", f"{entry}.MessageBody": "x"}
    form |= {f"{entry}.MessageAttribute.1.Name": "a", f"{entry}.MessageAttribute.1.Value.StringValue": "b"}
    assert parameters_of("sqs", form) == {
        "Entries": [{"Id": "1", "MessageBody": "x", "MessageAttributes": {"a": {"StringValue": "b"}}}]
    }
    assert parameters_of("sqs", {"Action": "UntagQueue", "TagKey.1": "a", "TagKey.2": "b"}) == {"TagKeys": ["a", "b"]}


def parameters_of(service: str, form: dict[str, str]) -> dict[str, Any]:
    """As the door reads a form."""
    body = urlencode(form).encode()
    request = Request("POST", "/", "/", headers={"content-type": "application/x-www-form-urlencoded"}, body=body)
    return foreign_parameters.read(foreign_routing.match(service, request), request)


def test_a_repository_may_be_of_another_registry():
    assert resources(needs("ecr", "BatchGetImage", repositoryName="app", registryId="444455556666")) == [
        "arn:aws:ecr:eu-central-1:444455556666:repository/app"
    ]


@pytest.mark.parametrize(
    ("service", "operation"), [("glue", "GetTables"), ("s3", "CreateSession"), ("s3", "Nothing"), ("sqs", "Nothing")]
)
def test_what_the_map_lacks_it_says(service, operation):
    with pytest.raises(Unmapped, match=f"the map of actions lacks {service}:{operation}"):
        needs(service, operation)


def test_parameters_of_the_wrong_form_make_no_accident():
    for service, operation, parameters in (
        ("s3", "DeleteObjects", {"Bucket": "b", "Delete": "x"}),
        ("s3", "CopyObject", {"Bucket": "b", "Key": "k", "CopySource": None}),
        ("dynamodb", "BatchGetItem", {"RequestItems": {"t": None}}),
        ("dynamodb", "Query", {"TableName": None, "KeyConditions": {"a": None}}),
        ("events", "PutRule", {"Name": "r", "EventPattern": "[" * 100_000}),
        ("lambda", "CreateFunction", {"FunctionName": 7, "Layers": [None]}),
    ):
        assert needs(service, operation, **parameters)


@pytest.mark.parametrize(
    ("operation", "kind", "named"),
    [
        ("PutAccountPolicy", "SUBSCRIPTION_FILTER_POLICY", "PutSubscriptionFilter"),
        ("DeleteAccountPolicy", "DATA_PROTECTION_POLICY", "DeleteDataProtectionPolicy"),
        ("DescribeAccountPolicies", "TRANSFORMER_POLICY", "GetTransformer"),
        ("PutAccountPolicy", "METRIC_EXTRACTION_POLICY", "PutMetricExtractionPolicy"),
    ],
)
def test_a_policy_for_all_groups_needs_what_one_for_a_group_does(operation, kind, named):
    answer = needs("logs", operation, policyType=kind, policyDocument="no JSON")
    assert [need.action for need in answer] == [f"logs:{named}", f"logs:{operation}"]


def test_the_default_role_of_hosts_is_passed_on_and_made():
    actions = {
        model: [
            need.action
            for need in needs(
                "ssm", "RegisterDefaultHostManagementConfiguration", PermissionModel=model, RoleArn="arn:r"
            )
            if need.action.startswith("iam:")
        ]
        for model in ("CUSTOMER_MANAGED", "SERVICE_MANAGED")
    }
    usual = ["iam:PassRole", "iam:GetRole"]
    assert actions == {"CUSTOMER_MANAGED": usual, "SERVICE_MANAGED": [*usual, "iam:CreateRole", "iam:AttachRolePolicy"]}
