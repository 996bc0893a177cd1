"""What comes in is read as AWS reads it, and what cannot be read is refused as AWS refuses it."""

from __future__ import annotations

import base64
import json
import time
from contextlib import suppress

import pytest

from sts_emulator.core.errors import AwsError
from sts_emulator.wire import dispatch, models, protocols, validate
from sts_emulator.wire.http import MAX_PARAMETERS, Request

FORM = {"content-type": "application/x-www-form-urlencoded; charset=utf-8"}
ARNS = {
    name: f"arn:aws:rolesanywhere:us-east-1:123456789012:{name}/1"
    for name in ("profileArn", "roleArn", "trustAnchorArn")
}


def form(action, rest="", version="2011-06-15"):
    request = Request("POST", "/", "/", headers=FORM, body=f"Action={action}&Version={version}{rest}".encode())
    return read(request)


def read(request):
    return protocols.parse(dispatch.match(request)[1], request)


def sent(body, target="AWSCognitoIdentityProviderService.InitiateAuth", **headers):
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Request("POST", "/", "/", headers={"x-amz-target": target, **headers}, body=raw)


def refusal(function, *args):
    with pytest.raises(AwsError) as raised:
        function(*args)
    return raised.value.code, raised.value.message


@pytest.mark.parametrize("text", ["900", "%2B900", "0900", "00900"])
def test_whole_numbers(text):
    # Recorded: docs/aws/sts.md, "Errors of durations" [ARG]
    assert form("GetSessionToken", f"&DurationSeconds={text}") == {"DurationSeconds": 900}


@pytest.mark.parametrize("text", ["1.5", "abc", "2147483648", "9" * 5000, "1e3", "٩", "%D9%A9", "0x10", "1_000"])
def test_what_is_no_whole_number(text):
    # docs/aws/sts.md, "Errors of durations" [ARG]: no Message element
    assert refusal(form, "GetSessionToken", f"&DurationSeconds={text}") == ("MalformedInput", "")


def test_an_empty_number():
    assert refusal(form, "GetSessionToken", "&DurationSeconds=") == ("MalformedInput", "missing value for decimal type")


def test_lists_and_structures_in_forms():
    rest = (
        "&PolicyArns.member.1.arn=arn1&Tags.member.1.Key=a&Tags.member.1.Value=&Tags.member.2.Key=b&Tags.member.2.Value=x+y"
        "&TransitiveTagKeys.member.1=a&Unknown=1&Tags.member.1.Unknown=1"
    )
    assert form("AssumeRole", rest) == {
        "PolicyArns": [{"arn": "arn1"}],
        "Tags": [{"Key": "a", "Value": ""}, {"Key": "b", "Value": "x y"}],
        "TransitiveTagKeys": ["a"],
    }
    assert form("AssumeRole", "&Tags=") == {"Tags": []}
    assert form("AssumeRoot", "&TaskPolicyArn.arn=x") == {"TaskPolicyArn": {"arn": "x"}}


@pytest.mark.parametrize(
    ("rest", "tags"),
    [
        ("&Tags.1.Key=z&Tags.Key=z", []),
        ("&Tags.member.2.Key=z&Tags.member.1.Key=a", [{"Key": "a"}, {"Key": "z"}]),
        ("&Tags.member.01.Key=a", [{"Key": "a"}]),
        ("&Tags.member.1=z", [{}]),
        ("&Tags.member.1.Key=a&Tags.member.1.Key=b", [{"Key": "a"}]),
        ("&Tags.member.1.Key.deeper=a", [{}]),
        ("&Tags.member.1" + ".Key" * 100_000 + "=a", [{}]),
    ],
)
def test_odd_names_in_a_list_cost_nothing(rest, tags):
    assert form("AssumeRole", rest) == {"Tags": tags}


NO_LIST = "Start of list found where not expected"


@pytest.mark.parametrize(
    ("places", "message"),
    [
        # Recorded on GetContextKeysForCustomPolicy: docs/aws/wire.md, "Lists and scalars"
        (["one"], NO_LIST),
        (["%2B1"], NO_LIST),
        (["0"], "0 is not a valid index"),
        (["-1"], "Key -1 may not have a leading '-'"),
        (["12"], "Excessively sparse input would skip 11 list elements"),
        (["1", "13"], "Excessively sparse input would skip 11 list elements"),
        (["1", "2", "999999999"], "Excessively sparse input would skip 999999996 list elements"),
        # Of the same kinds, by the same words
        ([""], NO_LIST),
        (["1x"], NO_LIST),
        (["%D9%A9"], NO_LIST),
        (["9" * 20], NO_LIST),
        (["1", "0"], "0 is not a valid index"),
        (["-x"], "Key -x may not have a leading '-'"),
    ],
)
@pytest.mark.parametrize("name", ["PolicyInputList.member.{}", "TagKeys.member.{}", "Tags.member.{}.Key"])
def test_places_of_a_list(name, places, message):
    operations = {"PolicyInputList": "GetContextKeysForCustomPolicy", "TagKeys": "UntagRole", "Tags": "TagRole"}
    rest = "".join(f"&{name.format(place)}=x" for place in places)
    assert refusal(form, operations[name.partition(".")[0]], rest, "2010-05-08") == ("MalformedInput", message)


@pytest.mark.parametrize(
    ("places", "expected"), [([11], [None] * 10 + ["x"]), ([1, 3], ["x", None, "x"]), ([2, 1], ["x", "x"])]
)
def test_small_gaps_in_a_list_are_members_that_are_null(places, expected):
    rest = "".join(f"&PolicyInputList.member.{place}=x" for place in places)
    assert form("GetContextKeysForCustomPolicy", rest, "2010-05-08") == {"PolicyInputList": expected}


def test_a_member_that_is_null_is_refused_by_the_model():
    rest = "&RoleArn=arn:aws:iam::111122223333:role/r&RoleSessionName=name&Tags.member.2.Key=a&Tags.member.2.Value=b"
    _, operation = dispatch.match(Request("POST", "/", "/", headers=FORM, body=b"Action=AssumeRole&Version=2011-06-15"))
    code, message = refusal(validate.validate, operation, form("AssumeRole", rest))
    assert code == "ValidationError"
    assert message == (
        "1 validation error detected: Value null at 'tags.1.member' failed to satisfy constraint: Member must not be null"
    )


@pytest.mark.parametrize(("text", "value"), [("true", True), ("false", False), ("1", True), ("0", False)])
def test_booleans(text, value):
    # Recorded: docs/aws/wire.md, "Lists and scalars"
    assert form("UpdateAccountPasswordPolicy", f"&RequireSymbols={text}", "2010-05-08") == {"RequireSymbols": value}


@pytest.mark.parametrize("text", ["", "True", "TRUE", "yes", "2", "01", "-1", "t", " true"])
def test_what_is_no_boolean(text):
    rest = f"&RequireSymbols={text}"
    assert refusal(form, "UpdateAccountPasswordPolicy", rest, "2010-05-08") == ("MalformedInput", "")


def test_text_is_utf8_and_what_is_not_is_replaced():
    body = b"Action=DecodeAuthorizationMessage&Version=2011-06-15&EncodedMessage=%E8%AA%9E+\xe8\xaa\x9e+%ff\xff"
    assert read(Request("POST", "/", "/", headers=FORM, body=body)) == {"EncodedMessage": "語 語 \ufffd\ufffd"}


def test_a_parameter_in_query_and_body_is_taken_from_the_query():
    body = b"Action=GetSessionToken&Version=2011-06-15&DurationSeconds=900"
    assert read(Request("POST", "/", "/", "DurationSeconds=901", FORM, body)) == {"DurationSeconds": 901}


def test_too_many_parameters():
    code, _ = refusal(form, "AssumeRole", "&a=b" * MAX_PARAMETERS)
    assert code == "MalformedQueryString"


def test_forms_of_ec2():
    rest = "&ImageId=ami-1&MinCount=1&MaxCount=2&IamInstanceProfile.Arn=arn&SecurityGroupId.1=a&SecurityGroupId.2=b&DryRun=true&UserData=aGk%3D"
    assert form("RunInstances", rest, "2016-11-15") == {
        "ImageId": "ami-1",
        "MinCount": 1,
        "MaxCount": 2,
        "IamInstanceProfile": {"Arn": "arn"},
        "SecurityGroupIds": ["a", "b"],
        "DryRun": True,
        "UserData": "aGk=",
    }
    assert refusal(form, "RunInstances", "&DryRun=yes", "2016-11-15")[0] == "MalformedInput"


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"[",
        b"\xff",
        b'{"a":NaN}',
        b'{"a":1' + b"0" * 5000 + b"}",
        b"[" * 1_000_000,
        b'{"a":' * 200_000,
        b"{}{}",
        b"'x'",
        b'{"AuthFlow":"\\ud800"}',
        b'{"ClientMetadata":{"\\udfff":"x"}}',
    ],
)
def test_what_is_no_json(body):
    assert refusal(read, sent(body)) == ("SerializationException", "")


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"AuthFlow": 5}, "NUMBER_VALUE can not be converted to a String"),
        ({"AuthFlow": True}, "BOOLEAN_VALUE can not be converted to a String"),
        ({"AuthFlow": ["a"]}, "START_ARRAY can not be converted to a String"),
        ({"AuthParameters": ["a"]}, "Start of list found where not expected."),
        ({"AuthParameters": {"USERNAME": {}}}, "START_OBJECT can not be converted to a String"),
        ([], "Start of list found where not expected."),
        ("x", "Unexpected STRING_VALUE where a structure or map was expected"),
    ],
)
def test_json_of_the_wrong_type(body, message):
    assert refusal(read, sent(body)) == ("SerializationException", message)


def test_numbers_in_json():
    def size(value):
        return read(
            sent({"UserPoolId": "p", "MaxResults": value}, "AWSCognitoIdentityProviderService.ListUserPoolClients")
        )["MaxResults"]

    assert size(5) == 5
    assert size(5.0) == 5
    for wrong in (5.5, 2**31, -(2**31) - 1, "5", True, [5], 1e400):
        with pytest.raises(AwsError, match=r"can not be converted to a Integer|^SerializationException: $"):
            size(wrong)


def test_nulls_unknown_members_and_content_types_do_not_matter():
    body = b'\xef\xbb\xbf {"AuthFlow":"USER_SRP_AUTH","ClientId":null,"Nope":{"a":[1]},"AuthParameters":{"A":"x","B":null}} '
    params = {"AuthFlow": "USER_SRP_AUTH", "AuthParameters": {"A": "x"}}
    assert read(sent(body)) == params
    assert read(sent(body, **{"content-type": "text/plain"})) == params
    assert read(sent(b"")) == {}
    assert read(sent(b" \n")) == {}


def test_deep_documents_are_refused_and_shallow_ones_kept():
    operation = models.service("identitystore").operations["CreateUser"]
    attribute = {"AttributePath": "x", "AttributeValue": [{"deep": [1, None, "語"]}]}
    name = "AWSIdentityStore.ListUsers"
    assert operation.service.target_prefix == "AWSIdentityStore"
    filters = {"IdentityStoreId": "d-1234567890", "Filters": [{"AttributePath": "x", "AttributeValue": "y"}]}
    assert read(sent(filters, name)) == filters
    lookup = {"IdentityStoreId": "d", "AlternateIdentifier": {"UniqueAttribute": attribute}}
    assert read(sent(lookup, "AWSIdentityStore.GetUserId")) == lookup
    deep = json.loads("[" * 70 + "]" * 70)
    lookup["AlternateIdentifier"]["UniqueAttribute"]["AttributeValue"] = deep
    assert refusal(read, sent(lookup, "AWSIdentityStore.GetUserId")) == ("SerializationException", "")


def test_blobs_in_json():
    target = "AWSCognitoIdentityProviderService.SetUICustomization"
    assert (
        read(sent({"UserPoolId": "p", "ImageFile": base64.b64encode(b"\x00\xff").decode()}, target))["ImageFile"]
        == b"\x00\xff"
    )
    for wrong in ("a", "!!!!", "ä", 5):
        assert refusal(read, sent({"UserPoolId": "p", "ImageFile": wrong}, target))[0] == "SerializationException"


def rest(method, path, query="", body=b"", **headers):
    return read(Request(method, path, path, query, headers, body))


def test_rest_parameters_come_from_path_query_header_and_body():
    arn = "arn:aws:iam::1:role/a b"
    assert rest("GET", "/clusters/demo/access-entries/arn%3Aaws%3Aiam%3A%3A1%3Arole%2Fa%20b") == {
        "clusterName": "demo",
        "principalArn": arn,
    }
    assert rest("DELETE", "/tags/x", "tagKeys=b&tagKeys=a+c&other=1") == {"resourceArn": "x", "tagKeys": ["b", "a c"]}
    assert rest("GET", "/federation/credentials", "role_name=r&account_id=1", **{"x-amz-sso_bearer_token": "t"}) == {
        "roleName": "r",
        "accountId": "1",
        "accessToken": "t",
    }
    assert rest("GET", "/assignment/accounts", "max_result=10") == {"maxResults": 10}
    assert rest("POST", "/clusters/demo/assume-role-for-pod-identity", body=b'{"token":"a.b.c"}') == {
        "clusterName": "demo",
        "token": "a.b.c",
    }
    assert rest("GET", "/cluster-versions", "includeAll=true&maxResults=5") == {"includeAll": True, "maxResults": 5}


def test_a_body_where_none_belongs_is_not_read():
    assert rest("GET", "/assignment/accounts", body=b"{not json") == {}


def test_a_payload_is_the_whole_body():
    body = {"clientId": "arn:aws:signin:::devtools/same-device", "grantType": "authorization_code", "code": "c"}
    assert rest("POST", "/v1/token", body=json.dumps(body).encode()) == {"tokenInput": body}


@pytest.mark.parametrize(
    "query", ["max_result=x", "max_result=", "max_result=2147483648", "max_result=1.0", "max_result=%D9%A9"]
)
def test_numbers_in_the_query_of_rest(query):
    assert refusal(rest, "GET", "/assignment/accounts", query)[0] == "SerializationException"


def test_booleans_in_the_query_of_rest():
    assert refusal(rest, "GET", "/cluster-versions", "includeAll=yes")[0] == "SerializationException"


@pytest.mark.parametrize("content_type", ["application/json", "application/x-amz-json-1.0", ""])
def test_roles_anywhere_takes_its_arns_from_query_or_body(content_type):
    # docs/aws/roles-anywhere.md, "CreateSession": the Go helper sends the query, the Python one the body
    query = "&".join(f"{name}={value.replace(':', '%3A').replace('/', '%2F')}" for name, value in ARNS.items())
    from_query = rest("POST", "/sessions", query, b'{"durationSeconds":3600}', **{"content-type": content_type})
    from_body = rest(
        "POST",
        "/sessions",
        "",
        json.dumps({"durationSeconds": 3600, **ARNS}).encode(),
        **{"content-type": content_type},
    )
    assert from_query == from_body == {"durationSeconds": 3600, **ARNS}
    mixed = rest("POST", "/sessions", "roleArn=q", json.dumps({"roleArn": "b", "roleSessionName": "s"}).encode())
    assert mixed == {"roleArn": "q", "roleSessionName": "s"}
    assert refusal(rest, "POST", "/sessions", "", b'{"roleArn":5}')[0] == "SerializationException"


def test_the_largest_body_is_read_in_no_time():
    # given a megabyte of the most laborious forms and documents, when they are parsed, then no request takes a second of work
    bodies = [
        "&".join(f"Tags.member.{n}.Key=%41%42%43" for n in range(4_900)),
        "Policy=" + "%E8%AA%9E" * 116_000,
        "Policy=" + "+" * 1_000_000,
        "&" * 1_000_000,
    ]
    documents = [
        b'{"UserAttributes":[' + b"{}," * 300_000 + b"{}]}",
        b'{"a":"' + b"\\u0041" * 170_000 + b'"}',
        b'{"a":' + b"[" * 500_000,
    ]
    started = time.process_time()
    for body in bodies:
        with suppress(AwsError):
            form("AssumeRole", "&" + body)
    for raw in documents:
        with suppress(AwsError):
            read(sent(raw, "AWSCognitoIdentityProviderService.SignUp"))
    assert time.process_time() - started < 3
