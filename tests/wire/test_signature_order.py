"""A bad signature is refused at the step, and in the words, in which AWS refuses it.

Source: docs/aws/signatures.md, "Order of checks".
"""

from __future__ import annotations

import pytest

from sts_emulator.core.errors import AwsError
from sts_emulator.wire import protocols, sigv4, timestamps
from sts_emulator.wire.http import Request

NOW = timestamps.parse_basic("20200707T072847Z")
DATE = "20200707T072847Z"
SCOPE = "AKIDEXAMPLE/20200707/us-east-1/sts/aws4_request"
ALGORITHM = "AWS4-HMAC-SHA256"
SIGNATURE = "0" * 64
GOOD = f"{ALGORITHM} Credential={SCOPE}, SignedHeaders=host;x-amz-date, Signature={SIGNATURE}"


def signed_with(authorization=GOOD, date=DATE, query="", **headers):
    given = {"host": "sts.amazonaws.com", "authorization": authorization, "x-amz-date": date, **headers}
    return Request("GET", "/", "/", query, {name: value for name, value in given.items() if value})


def presigned(**changes):
    parts = {
        "X-Amz-Algorithm": ALGORITHM,
        "X-Amz-Credential": SCOPE,
        "X-Amz-Date": DATE,
        "X-Amz-SignedHeaders": "host",
        "X-Amz-Signature": SIGNATURE,
    }
    for name, value in changes.items():
        parts["X-Amz-" + name] = value
    query = "&".join(f"{name}={value}" for name, value in parts.items() if value is not None)
    return Request("GET", "/", "/", query, {"host": "sts.amazonaws.com"})


def refusal(request, secret="secret", now=NOW):
    with pytest.raises(AwsError) as raised:
        admit(request, secret, now)
    return raised.value.code, raised.value.status, raised.value.message


def admit(request, secret, now):
    signed = sigv4.read(request)
    assert signed is not None
    sigv4.check(signed, now, "sts")
    sigv4.verify(request, signed, secret)


def header(credential=SCOPE, headers="host;x-amz-date", signature=SIGNATURE):
    parts = [("Credential", credential), ("SignedHeaders", headers), ("Signature", signature)]
    return ALGORITHM + " " + ", ".join(f"{name}={value}" for name, value in parts if value)


def test_step_5a_no_signature_at_all_is_for_the_caller_to_refuse():
    assert sigv4.read(Request("GET", "/", "/", "Action=GetCallerIdentity", {"host": "h"})) is None


def test_step_5b_both_header_and_query():
    assert refusal(signed_with(query="X-Amz-Algorithm=AWS4-HMAC-SHA256")) == ("SignatureDoesNotMatch", 403, "")


def test_step_6a_unknown_algorithm():
    assert refusal(signed_with("XYZ Credential=a")) == (
        "IncompleteSignature",
        400,
        "Unsupported AWS 'algorithm': 'XYZ'.",
    )
    assert refusal(signed_with("Bearer abc"))[2] == "Unsupported AWS 'algorithm': 'Bearer'."


def test_step_6b_a_part_without_equal_sign():
    whole = f"{ALGORITHM} Credential={SCOPE}, SignedHeaders"
    message = f"'SignedHeaders' not a valid key=value pair (missing equal-sign) in Authorization header: '{whole}'"
    assert refusal(signed_with(whole)) == ("IncompleteSignature", 400, message)


def test_step_6c_of_duplicate_parts_the_last_wins():
    read = sigv4.read(signed_with(f"{GOOD}, Credential=OTHER/20200707/us-east-1/sts/aws4_request"))
    assert read.access_key_id == "OTHER"


def test_step_6d_missing_parts_are_all_named():
    code, status, message = refusal(signed_with(f"{ALGORITHM} x=y", date=""))
    assert (code, status) == ("IncompleteSignature", 400)
    assert message.startswith(
        "Authorization header requires 'Credential' parameter. Authorization header requires 'Signature' parameter. "
        "Authorization header requires 'SignedHeaders' parameter. "
        "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header. "
        "(Hashed with SHA-256 and encoded with Base64) Authorization="
    )
    assert refusal(signed_with(header(signature="")))[2].startswith(
        "Authorization header requires 'Signature' parameter. ("
    )


def test_step_7a_unknown_algorithm_in_the_query():
    assert refusal(presigned(Algorithm="AWS4-HMAC-SHA1")) == (
        "MissingAuthenticationToken",
        403,
        "Missing Authentication Token",
    )


def test_step_7c_of_duplicate_query_parameters_the_first_wins():
    request = presigned()
    request.query += "&X-Amz-Credential=OTHER/20200707/us-east-1/sts/aws4_request"
    assert sigv4.read(request).access_key_id == "AKIDEXAMPLE"


def test_step_7d_missing_query_parameters_are_all_named():
    request = Request("GET", "/", "/", f"X-Amz-Algorithm={ALGORITHM}", {"host": "h"})
    assert refusal(request) == (
        "IncompleteSignature",
        400,
        (
            "AWS query-string parameters must include 'X-Amz-Credential'. "
            "AWS query-string parameters must include 'X-Amz-Signature'. "
            "AWS query-string parameters must include 'X-Amz-SignedHeaders'. "
            "AWS query-string parameters must include 'X-Amz-Date'. Re-examine the query-string parameters."
        ),
    )


def test_step_8_the_host_must_be_signed():
    message = "'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization."
    assert refusal(signed_with(header(headers="x-amz-date"))) == ("SignatureDoesNotMatch", 403, message)
    assert refusal(presigned(SignedHeaders="content-type")) == ("SignatureDoesNotMatch", 403, message)


@pytest.mark.parametrize(
    "date",
    [
        "yesterday",
        "20200707",
        "20201307T000000Z",
        "20200230T000000Z",
        "20200707T250000Z",
        "\u0662\u0660\u0662\u06600707T072847Z",
        "2020-07-07 07:28:47",
    ],
)
def test_step_9_the_date_is_iso_8601_basic(date):
    message = f"Date must be in ISO-8601 'basic format'. Got '{date}'. See http://en.wikipedia.org/wiki/ISO_8601"
    assert refusal(signed_with(date=date)) == ("IncompleteSignature", 400, message)


def test_step_9_the_extended_format_is_tolerated_in_the_header():
    assert sigv4.read(signed_with(date="2020-07-07T07:28:47Z")).date == DATE


def test_step_10_too_old():
    request = signed_with(date="20200706T195306Z")
    assert refusal(request) == (
        "SignatureDoesNotMatch",
        403,
        "Signature expired: 20200706T195306Z is now earlier than 20200707T071347Z (20200707T072847Z - 15 min.)",
    )
    # presigned URLs live as long, whatever X-Amz-Expires says (docs/aws/signatures.md, "Clock, headers, throttling")
    assert refusal(presigned(Date="20200706T195306Z", Expires="604800"))[2].startswith(
        "Signature expired: 20200706T195306Z"
    )
    assert refusal(presigned(Date="20200707T072000Z", Expires="60"))[2].startswith(
        "The request signature we calculated"
    )


def test_step_11_not_yet():
    assert refusal(signed_with(date="20200707T075306Z"))[2] == (
        "Signature not yet current: 20200707T075306Z is still later than 20200707T074347Z (20200707T072847Z + 15 min.)"
    )


def test_steps_10_and_11_allow_fifteen_minutes():
    for date in ("20200707T071347Z", "20200707T074347Z"):
        assert refusal(signed_with(date=date))[2].startswith("The request signature we calculated")


def test_step_12_five_parts_but_after_the_clock():
    message = (
        "Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term, got 'AKID/sts'"
    )
    assert refusal(signed_with(header("AKID/sts"))) == ("IncompleteSignature", 400, message)
    assert refusal(signed_with(header("AKID/sts"), date="20200706T195306Z"))[2].startswith("Signature expired")


@pytest.mark.parametrize(
    ("scope", "message"),
    [
        ("20200707/US_EAST/sts/aws4_request", "Credential should be scoped to a valid region, not 'US_EAST'."),
        ("20200707/us-east-1/iam/aws4_request", "Credential should be scoped to correct service: 'sts'."),
        (
            "20200707/us-east-1/sts/aws5",
            "Credential should be scoped with a valid terminator: 'aws4_request', not 'aws5'.",
        ),
        (
            "2020070/us-east-1/sts/aws4_request",
            (
                "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: "
                "'2020070' != '20200707', from '20200707T072847Z'."
            ),
        ),
        (
            "20200706/us-east-1/sts/aws4_request",
            (
                "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: "
                "'20200706' != '20200707', from '20200707T072847Z'."
            ),
        ),
        (
            "20200706/US/iam/aws5",
            (
                "Credential should be scoped to a valid region, not 'US'. "
                "Credential should be scoped to correct service: 'sts'. "
                "Credential should be scoped with a valid terminator: 'aws4_request', not 'aws5'. "
                "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: "
                "'20200706' != '20200707', from '20200707T072847Z'."
            ),
        ),
    ],
)
def test_step_13_only_the_failing_sentences_of_the_scope(scope, message):
    assert refusal(signed_with(header(f"AKIDEXAMPLE/{scope}"))) == ("SignatureDoesNotMatch", 403, message)


def test_step_13_a_region_can_be_demanded():
    with pytest.raises(AwsError, match="Credential should be scoped to a valid region, not 'us-east-1'"):
        sigv4.check(sigv4.read(signed_with()), NOW, "sts", region="eu-west-1")


def test_step_16_the_signature():
    assert refusal(signed_with()) == (
        "SignatureDoesNotMatch",
        403,
        (
            "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key "
            "and signing method. Consult the service documentation for details."
        ),
    )


def test_step_16_other_services_show_what_should_have_been_signed():
    request = signed_with(header("AKIDEXAMPLE/20200707/us-east-1/iam/aws4_request"))
    with pytest.raises(AwsError) as raised:
        sigv4.verify(request, sigv4.read(request), "secret")
    assert raised.value.message.endswith(
        "Consult the service documentation for details.\n\n"
        "The Canonical String for this request should have been\n'GET\n/\n\n"
        "host:sts.amazonaws.com\nx-amz-date:20200707T072847Z\n\nhost;x-amz-date\n"
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855'\n\n"
        "The String-to-Sign should have been\n'AWS4-HMAC-SHA256\n20200707T072847Z\n"
        f"20200707/us-east-1/iam/aws4_request\n{sigv4.string_to_sign(request, sigv4.read(request)).rpartition(chr(10))[2]}'\n"
    )


@pytest.mark.parametrize("signature", ["", "0", SIGNATURE.upper() + "A", "ä" * 64, "\x00", "0" * 100_000])
def test_a_signature_of_any_shape_is_only_wrong(signature):
    signed = sigv4.read(signed_with())._replace(signature=signature)
    with pytest.raises(AwsError, match="The request signature we calculated"):
        sigv4.verify(signed_with(), signed, "secret")


def test_json_services_call_the_same_refusal_by_their_own_name():
    from sts_emulator.wire import models

    error = AwsError("SignatureDoesNotMatch", "no", status=403)
    cognito = protocols.render_error(models.service("cognito-idp"), None, error, "rid")
    portal = protocols.render_error(models.service("iam-toolbox"), None, error, "rid")
    assert (cognito.status, dict(cognito.headers)["x-amzn-ErrorType"]) == (400, "InvalidSignatureException:")
    assert (portal.status, dict(portal.headers)["x-amzn-ErrorType"]) == (403, "InvalidSignatureException")
