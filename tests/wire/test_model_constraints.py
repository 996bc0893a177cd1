"""What the model forbids is refused in AWS's own words."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from sts_emulator.core.errors import AwsError
from sts_emulator.wire import dispatch, models, protocols, validate
from sts_emulator.wire.http import Request

CASES = yaml.safe_load((Path(__file__).parent / "validation.yaml").read_text())
ROLE = "arn:aws:iam::123456789012:role/demo"


def operation(call):
    service, name = call.split(":")
    return models.service(service).operations[name]


def refusal(call, **params):
    with pytest.raises(AwsError) as raised:
        validate.validate(operation(call), params)
    return raised.value


@pytest.mark.parametrize("case", CASES, ids=[case["source"][:50] for case in CASES])
def test_texts_that_aws_gave(case):
    error = refusal(case["call"], **case["params"])
    assert (error.code, error.message, error.status) == (case["code"], case["message"], 400)


def test_what_the_model_allows_passes():
    validate.validate(
        operation("sts:AssumeRole"),
        {
            "RoleArn": ROLE,
            "RoleSessionName": "a@b.c-d=e+f,g_h",
            "DurationSeconds": 900,
            "Policy": '{"Version":"2012-10-17"}',
            "Tags": [{"Key": "Abteilung", "Value": "Qualitätssicherung 語"}, {"Key": "Empty", "Value": ""}],
            "TransitiveTagKeys": ["Abteilung"],
            "PolicyArns": [{"arn": "arn:aws:iam::aws:policy/ReadOnlyAccess"}],
            "ExternalId": "x:/y",
            "TokenCode": "123456",
        },
    )
    validate.validate(operation("sts:GetCallerIdentity"), {})


@pytest.mark.parametrize(
    ("params", "where"),
    [
        (
            {"Tags": [{"Key": "k", "Value": "v"}] * 51},
            "'tags' failed to satisfy constraint: Member must have length less than or equal to 50",
        ),
        (
            {"ProvidedContexts": []},
            "'providedContexts' failed to satisfy constraint: Member must have length greater than or equal to 1",
        ),
        (
            {"Tags": [{"Value": "v"}]},
            "Value null at 'tags.1.member.key' failed to satisfy constraint: Member must not be null",
        ),
        (
            {"TokenCode": "12345a"},
            "Value '12345a' at 'tokenCode' failed to satisfy constraint: Member must satisfy regular expression pattern: [\\d]*",
        ),
        (
            {"TokenCode": "1234567"},
            "Value '1234567' at 'tokenCode' failed to satisfy constraint: Member must have length less than or equal to 6",
        ),
        ({"TokenCode": "١٢٣٤٥٦"}, "pattern: [\\d]*"),  # Java's digits are ASCII's
        ({"SourceIdentity": "ab\n"}, "pattern: [\\w+=,.@-]*"),  # a final newline is not overlooked
    ],
)
def test_every_kind_of_constraint_is_checked(params, where):

    assert where in refusal("sts:AssumeRole", RoleArn=ROLE, RoleSessionName="session", **params).message


def test_lengths_are_counted_in_utf16_as_java_counts():
    # given 2,048 characters of the basic plane, which STS accepts, and one more, which it does not
    validate.validate(operation("sts:AssumeRole"), {"RoleArn": "語" * 2048, "RoleSessionName": "session"})
    too_long = refusal("sts:AssumeRole", RoleArn="語" * 2049, RoleSessionName="session")
    assert too_long.message.endswith(
        "at 'roleArn' failed to satisfy constraint: Member must have length less than or equal to 2048"
    )
    # and characters beyond it fail the pattern
    beyond = refusal("sts:AssumeRole", RoleArn="arn:aws:iam::123456789012:role/\U0001d4b3", RoleSessionName="session")
    assert "Member must satisfy regular expression pattern: [\\u0009" in beyond.message

    # and without a pattern each of them counts twice
    long = refusal("sts:DecodeAuthorizationMessage", EncodedMessage="\U0001d4b3" * 5121)
    assert long.message.endswith(
        "at 'encodedMessage' failed to satisfy constraint: Member must have length less than or equal to 10240"
    )
    validate.validate(operation("sts:DecodeAuthorizationMessage"), {"EncodedMessage": "\U0001d4b3" * 5120})


def test_a_null_in_a_list_of_json_is_no_member():
    def refused(target, document):
        request = Request("POST", "/", "/", headers={"x-amz-target": target}, body=json.dumps(document).encode())
        _, asked = dispatch.match(request)
        with pytest.raises(AwsError) as raised:
            validate.validate(asked, protocols.parse(asked, request))
        return raised.value.message

    names = {"UserPoolId": "eu_1", "Username": "a", "UserAttributeNames": ["email", None]}
    assert refused("AWSCognitoIdentityProviderService.AdminDeleteUserAttributes", names).startswith(
        "1 validation error detected: Value '[email, null]' at 'userAttributeNames' failed to satisfy constraint: "
    )
    attributes = {"UserPoolId": "eu_1", "Username": "a", "UserAttributes": [{"Name": "x"}, None]}
    assert refused("AWSCognitoIdentityProviderService.AdminUpdateUserAttributes", attributes) == (
        "1 validation error detected: Value null at 'userAttributes.2.member' failed to satisfy constraint: Member must not be null"
    )


def test_the_code_is_the_one_that_the_operation_declares():
    assert refusal("cognito-idp:InitiateAuth").code == "InvalidParameterException"
    assert refusal("sso:GetRoleCredentials").code == "InvalidRequestException"
    assert refusal("sso-admin:CreatePermissionSet").code == "ValidationException"
    assert refusal("rolesanywhere:CreateSession").code == "ValidationException"


def test_ec2_asks_for_what_is_missing_in_its_own_words():
    error = refusal("ec2:RunInstances", MaxCount=1)
    assert (error.code, error.message) == ("MissingParameter", "The request must contain the parameter MinCount")


@pytest.mark.parametrize("service", models.services())
def test_every_operation_can_be_validated(service):
    # given any operation, when nothing is sent, then either nothing is required or the refusal names what is
    for name in models.service(service).operations:
        asked = models.service(service).operations[name]
        if asked.input and asked.input.required:
            assert "null" in (error := refusal(f"{service}:{name}")).message or error.code == "MissingParameter"
        else:
            validate.validate(asked, {})


def test_patterns_and_lengths_are_judged_on_what_was_sent_not_on_python_values():
    # given the form that a client sends
    form = f"Action=AssumeRole&Version=2011-06-15&RoleArn={ROLE}&RoleSessionName=session&DurationSeconds=%2B0899"
    request = Request(
        "POST", "/", "/", headers={"content-type": "application/x-www-form-urlencoded"}, body=form.encode()
    )
    _, asked = dispatch.match(request)
    with pytest.raises(AwsError, match="Value '899' at 'durationSeconds'"):
        validate.validate(asked, protocols.parse(asked, request))


@pytest.mark.parametrize(
    "hostile",
    ["x" * 1_000_000, "a@" * 500_000, "{##" * 330_000, ":" * 1_000_000, "/" * 1_000_000, "語{####}" * 100_000],
)
def test_a_long_hostile_value_is_judged_at_once(hostile):
    # given a megabyte that would send a backtracking matcher round for hours, when every pattern is applied, then it returns
    for call, member in [
        ("cognito-idp:CreateUserPool", "EmailVerificationMessage"),
        ("rolesanywhere:CreateSession", "roleArn"),
        ("iam:CreateRole", "Path"),
        ("organizations:CreateAccount", "Email"),
    ]:
        assert refusal(call, **{member: hostile}).status == 400
