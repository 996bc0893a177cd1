"""Whatever bytes arrive, only an AWS error or a redirect comes out, and the error can be sent."""

from __future__ import annotations

import json

from example_counts import examples
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from sts_emulator.core.errors import AwsError
from sts_emulator.wire import dispatch, http, models, protocols, sigv4, validate
from sts_emulator.wire.http import Request

RELAXED = settings(max_examples=examples(250), suppress_health_check=list(HealthCheck))
FORM = "application/x-www-form-urlencoded"

latin = st.binary(max_size=60).map(lambda raw: raw.decode("latin-1"))
members = st.sampled_from(
    [
        "Tags.member.1.Key",
        "Tags.member.999999999.Value",
        "Tags.member",
        "RoleArn",
        "DurationSeconds",
        "PolicyArns",
        "Policy",
        "Tags.member.1",
        "Action",
        "Version",
    ]
)
values = st.one_of(
    latin,
    st.sampled_from(
        ["AssumeRole", "GetCallerIdentity", "2011-06-15", "2016-11-15", "%", "%zz", "%00", "900", "9" * 50, "arn%3Aaws"]
    ),
)
forms = st.lists(st.tuples(members | latin, values), max_size=12).map(
    lambda items: "&".join(f"{name}={value}" for name, value in items)
)
documents = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=12,
)
authorizations = st.one_of(
    latin,
    st.tuples(
        st.sampled_from(["AWS4-HMAC-SHA256", "AWS4-ECDSA-P256-SHA256", "Bearer"]),
        st.lists(st.tuples(st.sampled_from(["Credential", "SignedHeaders", "Signature", "x"]), latin), max_size=5),
    ).map(lambda parts: parts[0] + " " + ", ".join(f"{name}={value}" for name, value in parts[1])),
    st.sampled_from(["host", "host;x-amz-date", "host;\x00;é"]).map(
        lambda headers: (
            f"AWS4-HMAC-SHA256 Credential=A/20260101/us-east-1/sts/aws4_request, SignedHeaders={headers}, Signature=é"
        )
    ),
)
headers = st.fixed_dictionaries(
    {},
    optional={
        "authorization": authorizations,
        "content-type": st.sampled_from(
            [FORM, FORM + "; charset=utf-8", "application/x-amz-json-1.1", "multipart/form-data"]
        )
        | latin,
        "x-amz-date": st.sampled_from(["20260101T000000Z", "2026-01-01T00:00:00Z", "00000000T000000Z"]) | latin,
        "x-amz-target": st.sampled_from(["AWSCognitoIdentityService.GetId", "SWBExternalService.CreateApplication"])
        | latin,
        "x-amz-content-sha256": latin,
        "x-amz-security-token": latin,
        "host": latin,
        "accept": latin,
    },
)
paths = st.sampled_from(
    [
        "/",
        "",
        "/sessions",
        "/token",
        "/v1/token",
        "/clusters/%00",
        "/clusters/a/insights",
        "/tags/%ff",
        "/federation/credentials",
    ]
) | latin.map(lambda text: "/" + text)
bodies = st.one_of(
    st.binary(max_size=200),
    forms.map(lambda text: text.encode("latin-1")),
    documents.map(lambda document: json.dumps(document).encode()),
)
requests = st.builds(
    Request,
    method=st.sampled_from(["GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "é"]),
    raw_path=paths,
    signed_path=paths,
    query=forms
    | st.sampled_from(
        [
            "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=A/20260101/r/sts/aws4_request&X-Amz-Date=20260101T000000Z&X-Amz-SignedHeaders=host&X-Amz-Signature=x"
        ]
    ),
    headers=headers,
    body=bodies,
)


def answer(request):
    """Everything the wire does with a request; the response to it, whatever goes wrong."""
    service = operation = None
    try:
        service, operation = dispatch.match(request)
        signed = sigv4.read(request)
        if signed is not None:
            sigv4.check(signed, 1767225600.0, service.signing_name)
            sigv4.verify(request, signed, "secret")
        params = protocols.parse(operation, request)
        validate.validate(operation, params)
    except AwsError as error:
        for accept_json in (False, protocols.wants_json(request)):
            response = protocols.render_error(service, operation, error, "rid", accept_json=accept_json)
            assert 400 <= response.status < 600
            for _, value in response.headers:
                assert value.isprintable()
                value.encode("latin-1")
    except dispatch.NoAction as nothing:
        nothing.location.encode("latin-1")


@given(requests)
@RELAXED
@example(Request("GET", "/", "/", "%"))
@example(
    Request(
        "POST",
        "/",
        "/",
        "",
        {"content-type": FORM},
        b"Action=AssumeRole&Version=2011-06-15&Tags.member.999999999.Key=x",
    )
)
def test_any_request(request):
    answer(request)


@given(requests, forms)
@RELAXED
def test_any_parameters_of_a_query_operation(request, text):
    request.raw_path, request.method = "/", "POST"
    request.query = "Action=AssumeRole&Version=2011-06-15"
    request.headers["content-type"] = FORM
    request.headers.pop("authorization", None)
    request.headers.pop("x-amz-target", None)
    request.body = text.encode("latin-1")
    answer(request)


escapes = ["%3A", "%2F", "%3", "%", "%25", "%26", "%3D", "%3a", "%E8%AA%9E", "%e8", "+", "a", "3A", "=", "&"]


@given(st.lists(st.sampled_from(escapes), max_size=12).map("".join))
@RELAXED
def test_a_form_is_its_pairs_of_which_the_first_wins(text):
    def told(read):
        try:
            return read(text)
        except AwsError as error:
            return error.message

    assert told(http.form) == told(lambda given: dict(reversed(http.pairs(given))))


@given(st.data())
@RELAXED
def test_any_document_for_any_json_operation(data):
    service = models.service(
        data.draw(st.sampled_from([*models.by_protocol("json"), *models.by_protocol("rest-json")]))
    )
    operation = service.operations[data.draw(st.sampled_from(sorted(service.operations)))]
    names = sorted(operation.input.members) if operation.input else ["x"]
    body = data.draw(st.dictionaries(st.sampled_from(names or ["x"]), documents, max_size=5) | documents)
    request = Request("POST", operation.uri.replace("{", "").replace("}", ""), "/", "", {}, json.dumps(body).encode())
    try:
        validate.validate(operation, protocols.parse(operation, request))
    except AwsError as error:
        protocols.render_error(service, operation, error, "rid")
