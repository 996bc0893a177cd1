"""Every operation of every service is reached, none by another's request, and what means nothing is refused as AWS does."""

from __future__ import annotations

import itertools

import pytest

from sts_emulator.core.errors import AwsError
from sts_emulator.wire import dispatch, models, protocols
from sts_emulator.wire.http import Request

FORM = {"content-type": "application/x-www-form-urlencoded"}


def post(body, headers=FORM, query=""):
    return Request("POST", "/", "/", query, dict(headers), body.encode())


def get(query):
    return Request("GET", "/", "/", query)


def meant(request):
    service, operation = dispatch.match(request)
    return f"{service.name}:{operation.name}"


def refusal(request):
    with pytest.raises(AwsError) as raised:
        dispatch.match(request)
    return raised.value, protocols.render_error(None, None, raised.value, "rid")


TAGS = {("DELETE", ("/tags/{}", "")), ("GET", ("/tags/{}", "")), ("POST", ("/tags/{}", ""))}
"""What several services have: the signature tells which is meant."""


def signed_for(name):
    scope = f"AKIDEXAMPLE/20261129/us-east-1/{models.service(name).signing_name}/aws4_request"
    return {"authorization": f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=00"}


def test_no_two_services_share_a_version_a_target_or_a_uri_but_that_of_tags():
    # given all services on one origin, then version, target prefix and URI each name one service
    versions = [models.api_version(name) for name in models.by_protocol("query")]
    assert len(set(versions)) == len(versions)
    prefixes = [models.service(name).target_prefix for name in models.by_protocol("json")]
    assert len(set(prefixes)) == len(prefixes)
    uris = [
        (method, _shape(uri))
        for name in models.by_protocol("rest-json")
        for _, method, uri in models.service(name).uris
    ]
    assert {uri for uri in uris if uris.count(uri) > 1} == TAGS
    tagged = [name for name in models.by_protocol("rest-json") if "TagResource" in models.service(name).operations]
    assert len({models.service(name).signing_name for name in tagged}) == len(tagged)
    assert not [uri for _, uri in uris if uri == "/"]


def _shape(uri):
    path, _, query = uri.partition("?")
    return "/".join("{}" if segment.startswith("{") else segment for segment in path.split("/")), query


def test_every_uri_reaches_its_own_operation():
    for name in models.by_protocol("rest-json"):
        for operation, method, uri in models.service(name).uris:
            path, _, query = uri.partition("?")
            filled = "/".join("a%2Fb" if segment.startswith("{") else segment for segment in path.split("/"))
            for extra in ("", "zz=1"):
                request = Request(method, filled, filled, "&".join(filter(None, (extra, query))), signed_for(name))
                assert meant(request) == f"{name}:{operation}"


@pytest.mark.parametrize(
    ("query", "operation"),
    [
        ("", "CreateOAuth2Token"),
        ("x-amz-client-auth-method=iam", "CreateOAuth2TokenWithIAM"),
        ("x-amz-oauth-token-method=token-exchange", "CreateOAuth2TokenWithTokenExchange"),
        ("x-amz-token-request-type=bearer", "CreateBearerToken"),
        ("x-amz-client-auth-method=other", "CreateOAuth2Token"),
    ],
)
def test_the_query_tells_siblings_apart(query, operation):
    assert meant(Request("POST", "/v1/token", "/v1/token", query)) == f"signin:{operation}"


@pytest.mark.parametrize(
    "request_",
    [
        post("Action=GetCallerIdentity&Version=2011-06-15"),
        post(
            "Version=2011-06-15&Action=GetCallerIdentity",
            {"content-type": "Application/X-WWW-Form-Urlencoded; charset=utf-8"},
        ),
        get("Action=GetCallerIdentity&Version=2011-06-15"),
        post(
            "", {}, "Action=GetCallerIdentity&Version=2011-06-15"
        ),  # google-auth: POST, parameters in the query, no body
        post("Version=2011-06-15", FORM, "Action=GetCallerIdentity"),
        post("Action=GetCallerIdentity&Action=AssumeRole&Version=2011-06-15&Version=x"),  # the first value wins
        post("Action=%47etCaller%49dentity&Version=2011-06-15"),
    ],
)
def test_query_parameters_are_read_from_query_and_body_whatever_the_method(request_):
    assert meant(request_) == "sts:GetCallerIdentity"


@pytest.mark.parametrize(
    ("request_", "location"),
    [
        (post("Action=GetCallerIdentity&Version=2011-06-15", {}), "https://aws.amazon.com/iam"),  # no content type
        (post("Version=2011-06-15"), "https://aws.amazon.com/iam"),
        (post("", {}), "https://aws.amazon.com/iam"),
        (get("Version=2011-06-15"), "https://aws.amazon.com/iam?Version=2011-06-15"),
        (get(""), "https://aws.amazon.com/iam"),
    ],
)
def test_without_an_action_sts_redirects_to_its_page(request_, location):
    # Recorded: docs/aws/wire.md, "Routing" [ARG]
    with pytest.raises(dispatch.NoAction) as raised:
        dispatch.match(request_)
    assert raised.value.location == location


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("Action=NoSuchAction&Version=2011-06-15", "Could not find operation NoSuchAction for version 2011-06-15"),
        ("Action=GetCallerIdentity", "Could not find operation GetCallerIdentity for version NO_VERSION_SPECIFIED"),
        ("Action=GetCallerIdentity&Version=", "Could not find operation GetCallerIdentity for version "),
        ("Action=&Version=2011-06-15", "Could not find operation  for version 2011-06-15"),
        ("Action=GetCallerIdentity&Version=1999", "Could not find operation GetCallerIdentity for version 1999"),
        ("Action=ListUsers&Version=2011-06-15", "Could not find operation ListUsers for version 2011-06-15"),
    ],
)
def test_an_unknown_action_or_version(body, message):
    # docs/aws/wire.md, "Routing" [ARG]: its own namespace, unlike every other error
    _, response = refusal(post(body))
    assert response.status == 400
    assert response.body.decode() == (
        '<ErrorResponse xmlns="http://webservices.amazon.com/AWSFault/2005-15-09">\n  <Error>\n    <Type>Sender</Type>\n'
        f"    <Code>InvalidAction</Code>\n    <Message>{message}</Message>\n  </Error>\n  <RequestId>rid</RequestId>\n</ErrorResponse>\n"
    )


@pytest.mark.parametrize(
    "target", ["", ".", "AWSCognitoIdentityService.", "AWSCognitoIdentityService.Nope", "Nope.GetId", "GetId"]
)
def test_an_unknown_target_is_refused_in_json(target):
    error, response = refusal(post("{}", {"x-amz-target": target}))
    assert (error.code, response.status) == ("UnknownOperationException", 400)
    assert response.body == b'{"__type":"UnknownOperationException"}'


@pytest.mark.parametrize(
    ("method", "path"), [("GET", "/nope"), ("PUT", "/clusters"), ("POST", "/clusters/a/b/c/d/e"), ("POST", "/token/")]
)
def test_an_unknown_path_is_refused_as_rest_services_do(method, path):
    _, response = refusal(Request(method, path, path))
    assert (response.status, dict(response.headers)["x-amzn-ErrorType"]) == (404, "UnknownOperationException")


@pytest.mark.parametrize("path", ["/%", "/clusters/%zz", "/a/../../b", "/..", "clusters", "*"])
def test_a_path_that_cannot_be_is_a_bare_400(path):
    # docs/aws/signatures.md, "Order of checks" row 1
    _, response = refusal(Request("GET", path, path))
    assert (response.status, response.body) == (400, b"")


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("Action=%", "Incomplete trailing escape % sequence"),
        ("Action=a%4", "Incomplete trailing escape % sequence"),
        ("Action=%zz", "Illegal hex character in escape % pattern: %zz"),
        ("Action=%1%41", "Illegal hex character in escape % pattern: %1%"),
        ("%u0041=x", "Illegal hex character in escape % pattern: %u0"),
    ],
)
def test_ill_formed_escapes(query, message):
    # docs/aws/signatures.md, "Order of checks" row 4
    error, response = refusal(get(query))
    assert (error.code, error.message, response.status) == ("MalformedQueryString", message, 400)


def test_actions_of_the_query_services_are_told_apart_by_version_only():
    names = models.by_protocol("query")
    for left, right in itertools.combinations(names, 2):
        for shared in set(models.service(left).operations) & set(models.service(right).operations):
            for name in (left, right):
                assert meant(get(f"Action={shared}&Version={models.api_version(name)}")) == f"{name}:{shared}"
