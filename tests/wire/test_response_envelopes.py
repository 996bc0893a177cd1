"""What goes out looks, byte for byte, as the real services' replies do."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from sts_emulator.core.errors import AwsError
from sts_emulator.wire import models, protocols
from sts_emulator.wire.http import Request

EXPIRATION = 1795464000  # 2026-11-23T20:00:00Z
RESULT = {
    "AssumedRoleUser": {
        "AssumedRoleId": "AROAEXAMPLE:session",
        "Arn": "arn:aws:sts::123456789012:assumed-role/Role/session",
    },
    "Credentials": {
        "AccessKeyId": "ASIAEXAMPLE",
        "SecretAccessKey": "secret/+",
        "SessionToken": "token==",
        "Expiration": EXPIRATION,
    },
    "PackedPolicySize": None,
}


def operation(call):
    service, name = call.split(":")
    return models.service(service).operations[name]


def error(call, code, message="", *, accept_json=False, **options):
    asked = operation(call)
    response = protocols.render_error(
        asked.service, asked, AwsError(code, message, **options), "rid", accept_json=accept_json
    )
    return response, dict(response.headers)


def test_a_result_of_sts():
    # docs/aws/wire.md, "Results" [ARG]: no declaration, two spaces, a final newline; absent members are absent
    response = protocols.render(operation("sts:AssumeRole"), RESULT, "rid")
    assert response.status == 200
    assert dict(response.headers) == {"x-amzn-RequestId": "rid", "content-type": "text/xml"}
    assert response.body.decode() == (
        '<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">\n'
        "  <AssumeRoleResult>\n"
        "    <AssumedRoleUser>\n"
        "      <AssumedRoleId>AROAEXAMPLE:session</AssumedRoleId>\n"
        "      <Arn>arn:aws:sts::123456789012:assumed-role/Role/session</Arn>\n"
        "    </AssumedRoleUser>\n"
        "    <Credentials>\n"
        "      <AccessKeyId>ASIAEXAMPLE</AccessKeyId>\n"
        "      <SecretAccessKey>secret/+</SecretAccessKey>\n"
        "      <SessionToken>token==</SessionToken>\n"
        "      <Expiration>2026-11-23T20:00:00Z</Expiration>\n"
        "    </Credentials>\n"
        "  </AssumeRoleResult>\n"
        "  <ResponseMetadata>\n"
        "    <RequestId>rid</RequestId>\n"
        "  </ResponseMetadata>\n"
        "</AssumeRoleResponse>\n"
    )


@pytest.mark.parametrize(
    ("moment", "written"),
    [
        (EXPIRATION, b"2026-11-23T20:00:00Z"),
        (EXPIRATION + 0.9, b"2026-11-23T20:00:00Z"),
        # an operation that means milliseconds gives a datetime, as GetWebIdentityToken does
        (datetime(2026, 11, 23, 20, tzinfo=UTC), b"2026-11-23T20:00:00.000Z"),
    ],
)
def test_timestamps_are_written_in_whole_seconds_unless_they_are_datetimes(moment, written):
    body = protocols.render(operation("sts:AssumeRole"), {"Credentials": {"Expiration": moment}}, "rid").body
    assert b"<Expiration>%s</Expiration>" % written in body


def test_a_result_of_sts_as_json():
    # docs/aws/wire.md, "Errors": aws-iam-authenticator and Envoy ask for it
    response = protocols.render(operation("sts:AssumeRole"), RESULT, "rid", accept_json=True)
    assert dict(response.headers)["content-type"] == "application/json"
    assert b'"Expiration":1.795464E9' in response.body
    assert json.loads(response.body)["AssumeRoleResponse"] == {
        "AssumeRoleResult": {
            "AssumedRoleUser": RESULT["AssumedRoleUser"],
            "Credentials": {**RESULT["Credentials"], "Expiration": EXPIRATION},
        },
        "ResponseMetadata": {"RequestId": "rid"},
    }


@pytest.mark.parametrize(
    ("accept", "wanted"), [("application/json", True), ("Application/JSON, */*", True), ("*/*", False), ("", False)]
)
def test_json_is_wanted_where_accept_says_so(accept, wanted):
    assert protocols.wants_json(Request("GET", "/", "/", headers={"accept": accept})) is wanted


def test_an_operation_of_iam_without_result_has_no_result_element():
    # docs/aws/iam.md, "Service constants"
    assert protocols.render(operation("iam:DeleteRole"), None, "rid").body.decode() == (
        '<DeleteRoleResponse xmlns="https://iam.amazonaws.com/doc/2010-05-08/">\n'
        "  <ResponseMetadata>\n    <RequestId>rid</RequestId>\n  </ResponseMetadata>\n</DeleteRoleResponse>\n"
    )


def test_empty_structures_and_lists_are_empty_elements():
    # docs/aws/iam.md, "Members of results": RoleLastUsed is there, empty, while a role is unused
    body = protocols.render(
        operation("iam:GetRole"), {"Role": {"RoleName": "a", "RoleLastUsed": {}, "Tags": []}}, "rid"
    ).body
    assert b"<RoleLastUsed/>\n" in body
    assert b"<Tags/>\n" in body


def test_lists_of_iam_are_members():
    body = protocols.render(
        operation("iam:ListRolePolicies"), {"PolicyNames": ["a", "b"], "IsTruncated": False}, "rid"
    ).body
    assert b"    <PolicyNames>\n      <member>a</member>\n      <member>b</member>\n    </PolicyNames>\n" in body
    assert b"<IsTruncated>false</IsTruncated>" in body


def test_a_result_that_the_model_does_not_know_is_a_mistake_of_ours():
    with pytest.raises(KeyError, match="Secret"):
        protocols.render(operation("sts:GetCallerIdentity"), {"Secret": "x"}, "rid")


def test_an_error_of_sts():
    # Recorded: docs/aws/wire.md, "Errors" [ARG]
    response, headers = error("sts:AssumeRole", "AccessDenied", "User: a is <not> & may not", status=403)
    assert response.status == 403
    assert headers == {"x-amzn-RequestId": "rid", "content-type": "text/xml"}
    assert response.body.decode() == (
        '<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">\n'
        "  <Error>\n"
        "    <Type>Sender</Type>\n"
        "    <Code>AccessDenied</Code>\n"
        "    <Message>User: a is &lt;not&gt; &amp; may not</Message>\n"
        "  </Error>\n"
        "  <RequestId>rid</RequestId>\n"
        "</ErrorResponse>\n"
    )


def test_an_error_without_message_has_no_message_element():
    assert b"Message" not in error("sts:AssumeRole", "MalformedInput")[0].body


def test_a_fault_of_the_service_is_the_receivers():
    assert b"<Type>Receiver</Type>" in error("sts:AssumeRole", "InternalFailure", "x")[0].body
    assert error("sts:AssumeRole", "InternalFailure", "x")[0].status == 500


def test_an_error_of_sts_as_json():
    response, headers = error("sts:GetCallerIdentity", "Throttling", "Rate exceeded", accept_json=True)
    # docs/aws/signatures.md, "Presigned GetCallerIdentity": the text that aws-iam-authenticator's source records
    assert json.loads(response.body) == {
        "Error": {"Code": "Throttling", "Message": "Rate exceeded", "Type": "Sender"},
        "RequestId": "rid",
    }
    assert (response.status, headers["content-type"]) == (400, "application/json")


@pytest.mark.parametrize(
    ("call", "code", "status"),
    [
        ("sts:AssumeRole", "MalformedPolicyDocument", 400),
        ("sts:AssumeRole", "MalformedPolicyDocumentException", 400),  # by its shape's name too; the wire says the code
        ("sts:AssumeRoleWithSAML", "IDPRejectedClaim", 403),
        ("sts:AssumeRole", "RegionDisabledException", 403),
        ("sts:AssumeRole", "AccessDenied", 403),
        ("sts:AssumeRole", "InvalidClientTokenId", 403),
        ("sts:AssumeRole", "ServiceUnavailable", 503),
        ("iam:GetRole", "NoSuchEntity", 404),
        ("iam:CreateRole", "EntityAlreadyExists", 409),
        ("cognito-idp:InitiateAuth", "NotAuthorizedException", 400),
        ("sso:GetRoleCredentials", "UnauthorizedException", 401),
        ("sso-oidc:CreateToken", "InvalidClientException", 401),
        ("rolesanywhere:CreateSession", "AccessDeniedException", 403),
        ("eks-auth:AssumeRoleForPodIdentity", "AccessDeniedException", 400),
        ("cognito-idp:InitiateAuth", "InternalErrorException", 500),
    ],
)
def test_the_status_is_the_models_unless_the_error_has_its_own(call, code, status):
    assert error(call, code, "x")[0].status == status


def test_an_errors_own_status_wins_over_the_models():
    assert error("sts:AssumeRole", "MalformedPolicyDocument", "x", status=418)[0].status == 418
    assert error("sso:GetRoleCredentials", "UnauthorizedException", "x", status=418)[0].status == 418


def test_the_operation_is_enough_to_know_the_service():
    response = protocols.render_error(None, operation("iam:GetRole"), AwsError("NoSuchEntity", "x"), "rid")
    assert response.status == 404
    assert b'xmlns="https://iam.amazonaws.com/doc/2010-05-08/"' in response.body


def test_an_error_may_be_raised_by_its_shapes_name_and_goes_out_by_its_code():
    assert (
        b"<Code>MalformedPolicyDocument</Code>"
        in error("sts:AssumeRole", "MalformedPolicyDocumentException", "x")[0].body
    )


@pytest.mark.parametrize(
    ("code", "name"),
    [
        ("AccessDenied", "AccessDeniedException"),
        ("ExpiredToken", "ExpiredTokenException"),
        ("IncompleteSignature", "IncompleteSignatureException"),
        ("InvalidClientTokenId", "UnrecognizedClientException"),
        ("MissingAuthenticationToken", "MissingAuthenticationTokenException"),
        ("SignatureDoesNotMatch", "InvalidSignatureException"),
    ],
)
def test_common_errors_have_other_names_in_json(code, name):
    response, headers = error("cognito-identity:DescribeIdentityPool", code, "x", status=403)
    assert (response.status, json.loads(response.body)["__type"], headers["x-amzn-ErrorType"]) == (
        400,
        name,
        f"{name}:",
    )
    assert error("iam-toolbox:GetRequestAuthorizationDetails", code, "x")[1]["x-amzn-ErrorType"] == name


def test_an_oauth_error_of_sso_oidc():
    # docs/aws/identity-center.md, "OIDC service", recorded in aws-cli issues 5878 and 8561
    response, headers = error(
        "sso-oidc:CreateToken",
        "AuthorizationPendingException",
        "Authorization is still pending",
        members={"error": "authorization_pending"},
    )
    assert response.status == 400
    assert headers["content-type"] == "application/json"
    assert headers["x-amzn-ErrorType"] == (
        "AuthorizationPendingException:http://internal.amazon.com/coral/com.amazonaws.sso.oidc/"
    )
    assert json.loads(response.body) == {
        "error": "authorization_pending",
        "error_description": "Authorization is still pending",
    }


def test_an_error_of_cognito_repeats_itself_in_headers():
    # docs/aws/cognito.md, "Protocol"
    response, headers = error("cognito-idp:InitiateAuth", "NotAuthorizedException", "Incorrect username or password.")
    assert json.loads(response.body) == {
        "__type": "NotAuthorizedException",
        "message": "Incorrect username or password.",
    }
    assert headers["x-amzn-ErrorType"] == "NotAuthorizedException:"
    assert headers["x-amzn-ErrorMessage"] == "Incorrect username or password."
    assert headers["content-type"] == "application/x-amz-json-1.1"


@pytest.mark.parametrize("message", ["a\r\nSet-Cookie: x=y", "\x00\x7f", "語\U0001d4b3", "\ud800", "x" * 100_000])
def test_no_message_breaks_out_of_its_place(message):
    # given a message that echoes hostile input, when it is rendered in any protocol, then headers and body stay well-formed
    for call in ("sts:AssumeRole", "ec2:RunInstances", "cognito-idp:InitiateAuth", "sso-oidc:CreateToken"):
        for accept_json in (False, True):
            response, headers = error(call, "ValidationError", message, accept_json=accept_json)
            response.body.decode("utf-8")
            for value in headers.values():
                assert len(value) < 4096
                assert value.isprintable()
                assert value.isascii()


def test_what_xml_cannot_hold_is_replaced():
    body = error("sts:AssumeRole", "ValidationError", "Value 'a\x00\x08\ufffe\rb' at")[0].body.decode()
    assert "<Message>Value 'a\ufffd\ufffd\ufffd&#xD;b' at</Message>" in body


def test_ec2_has_envelopes_of_its_own():
    rendered = protocols.render(operation("ec2:DescribeInstances"), {"Reservations": [{"ReservationId": "r-1"}]}, "rid")
    assert rendered.body.decode() == (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        '<DescribeInstancesResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/">\n'
        "    <requestId>rid</requestId>\n"
        "    <reservationSet>\n        <item>\n            <reservationId>r-1</reservationId>\n        </item>\n    </reservationSet>\n"
        "</DescribeInstancesResponse>\n"
    )
    done = protocols.render(operation("ec2:DeleteTags"), None, "rid")
    assert b"    <return>true</return>\n" in done.body
    refused, _ = error("ec2:RunInstances", "AccessDenied", "no", status=403)
    assert refused.status == 403
    assert refused.body.decode().endswith(
        "<Response><Errors><Error><Code>UnauthorizedOperation</Code><Message>no</Message></Error></Errors><RequestID>rid</RequestID></Response>"
    )
    assert b"<Code>AuthFailure</Code>" in error("ec2:RunInstances", "SignatureDoesNotMatch", "x", status=403)[0].body


def test_a_session_of_roles_anywhere():
    # docs/aws/roles-anywhere.md, "Response": 201, an ISO date, the size as a number
    result = {
        "credentialSet": [
            {
                "assumedRoleUser": {"arn": "arn", "assumedRoleId": "AROA:1000"},
                "credentials": {
                    "accessKeyId": "ASIA",
                    "secretAccessKey": "s",
                    "sessionToken": "t",
                    "expiration": EXPIRATION,
                },
                "packedPolicySize": 6,
                "roleArn": "arn:aws:iam::123456789012:role/demo",
                "sourceIdentity": "CN=demo",
            }
        ],
        "subjectArn": "arn:aws:rolesanywhere:us-east-1:123456789012:subject/00000000-0000-4000-8000-000000000000",
    }
    response = protocols.render(operation("rolesanywhere:CreateSession"), result, "rid")
    assert (response.status, dict(response.headers)["content-type"]) == (201, "application/json")
    read = json.loads(response.body)
    assert read["credentialSet"][0]["credentials"].pop("expiration") == "2026-11-23T20:00:00Z"
    result["credentialSet"][0]["credentials"].pop("expiration")
    assert read == result


def test_an_operation_without_output_has_an_empty_body():
    assert protocols.render(operation("sso:Logout"), None, "rid").body == b""
    assert protocols.render(operation("eks:TagResource"), {}, "rid").body == b"{}"
