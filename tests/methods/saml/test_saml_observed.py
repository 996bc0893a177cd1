"""What STS was seen to do with assertions, case by case.

Source: docs/aws/saml.md, "Assertion"; observed in us-east-1 on 2026-09-11.
"""

from __future__ import annotations

import re

import pytest
from saml_maker import (
    ACCOUNT,
    AWS,
    ISSUER,
    PROVIDER,
    ROLE,
    Ticket,
    encode,
    identity,
    metadata,
    saml_response,
    sign,
    unsigned,
)
from saml_stage import allow

from sts_emulator.core.errors import AwsError
from sts_emulator.vending import credentials

TAIL = r" \(Service: AWSOpenIdDiscoveryService; Status Code: 400; Error Code: {}; Request ID: [0-9a-f-]{{36}}; Proxy: null\)"
RESPONSE = TAIL.format("AuthSamlInvalidSamlResponseException")
MALFORMED = f"Invalid base64 SAMLResponse{RESPONSE}"
UNSIGNED = f"Response \\(with optional signature\\) must contain an assertion with a mandatory signature{RESPONSE}"
EMAIL = "urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress"


def refusal(stage, assertion, **members) -> AwsError:
    with pytest.raises(AwsError) as caught:
        stage.assume(assertion, **members)
    return caught.value


def lifetime(stage, result) -> int:
    return result["Credentials"]["Expiration"] - int(stage.world.now())


def test_every_output_member(stage):
    result = stage.assume(saml_response())

    assert result["Subject"] == "subject-123"
    assert result["SubjectType"] == "persistent"
    assert result["Issuer"] == ISSUER
    assert result["Audience"] == "https://signin.aws.amazon.com/saml"
    assert result["AssumedRoleUser"]["Arn"] == f"arn:aws:sts::{ACCOUNT}:assumed-role/Reader/jane"
    assert result["AssumedRoleUser"]["AssumedRoleId"].endswith(":jane")
    assert "PackedPolicySize" not in result
    assert "SourceIdentity" not in result


def test_name_qualifier_is_the_documented_hash():
    # The pseudocode's own inputs, from the API's documentation.
    from sts_emulator.methods.saml.claims import Claims

    claims = Claims("", "https://example.com/saml", 0, "", "", "", (), 0, 0, None, {})

    assert claims.name_qualifier("123456789012", "MySAMLIdP") == "1uAJanUnBc2XeUkHURMht+xam2c="


@pytest.mark.parametrize(
    ("ticket", "member", "value"),
    [
        (Ticket(audience="urn:unrelated:application"), "Subject", "subject-123"),
        (Ticket(audience=None), "Subject", "subject-123"),
        (Ticket(recipient="https://unrelated.example.test/saml"), "Audience", "https://unrelated.example.test/saml"),
        (Ticket(recipient="not-a-url"), "Audience", "not-a-url"),
        (Ticket(starts=360), "Subject", "subject-123"),
        (Ticket(starts=86_400), "Subject", "subject-123"),
        (Ticket(subject_starts=86_400), "Subject", "subject-123"),
        (Ticket(ends=None), "Subject", "subject-123"),
        (Ticket(response_issuer="https://other.example.test"), "Issuer", ISSUER),
        (Ticket(roles=(f"{PROVIDER},{ROLE}",)), "Subject", "subject-123"),
        (Ticket(name_format=EMAIL), "SubjectType", EMAIL),
        (Ticket(name_format="custom-format"), "SubjectType", "custom-format"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_accepted_though_one_might_expect_otherwise(stage, ticket, member, value):
    assert stage.assume(saml_response(ticket))[member] == value


def test_an_assertion_may_be_replayed_until_it_expires(stage):
    once = saml_response()

    assert stage.assume(once)["Subject"] == stage.assume(once)["Subject"]


def test_an_expired_certificate_still_verifies(stage):
    old = identity("expired", expires_in=-1)
    provider = stage.add_provider("Old", metadata(old.certificate_text, issuer="https://old.test"))
    stage.add_role(trust=allow(provider))

    result = stage.assume(
        saml_response(by=old, issuer="https://old.test", roles=(f"{ROLE},{provider}",)), PrincipalArn=provider
    )

    assert result["Issuer"] == "https://old.test"


def test_both_may_be_signed(stage):
    ticket = Ticket()
    both = sign(ticket.response(sign(ticket.assertion())))

    assert stage.assume(encode(both))["Subject"] == "subject-123"


def test_a_bad_signature_on_the_response_counts_even_beside_a_good_one(stage):
    ticket = Ticket()
    both = sign(ticket.response(sign(ticket.assertion())), identity("somebody else"))

    no = refusal(stage, encode(both))

    assert (no.code, no.message) == ("InvalidIdentityToken", "Response signature invalid")


@pytest.mark.parametrize(
    ("changes", "code", "message"),
    [
        ({"ends": -60}, "ExpiredTokenException", "Response has expired"),
        ({"subject_ends": -60}, "ExpiredTokenException", "Response has expired"),
        ({"session_ends": -60}, "ExpiredTokenException", "Response has expired"),
        ({"conditions": False}, "InvalidIdentityToken", MALFORMED),
        ({"subject_ends": None}, "InvalidIdentityToken", MALFORMED),
        ({"recipient": None}, "InvalidIdentityToken", MALFORMED),
        ({"name_format": None}, "InvalidIdentityToken", MALFORMED),
        ({"confirmations": 2}, "InvalidIdentityToken", MALFORMED),
        ({"starts": "invalid"}, "InvalidIdentityToken", MALFORMED),
        ({"authn": False}, "InvalidIdentityToken", MALFORMED),
        (
            {"issuer": "https://other.test"},
            "InvalidIdentityToken",
            f"Issuer not present in specified provider{RESPONSE}",
        ),
        (
            {"roles": (f"arn:aws:iam::{ACCOUNT}:role/Other,{PROVIDER}",)},
            "InvalidIdentityToken",
            "SAML Assertion doesn't contain the requested Role and Metadata in the attributes",
        ),
        ({"session_name": None}, "InvalidIdentityToken", "RoleSessionName is required in AuthnResponse"),
        (
            {"session_name": "jane doe"},
            "InvalidIdentityToken",
            re.escape("RoleSessionName in AuthnResponse must match [a-zA-Z_0-9+=,.@-]{2,64}"),
        ),
        (
            {"attributes": {f"{AWS}SourceIdentity": ["a b"]}},
            "InvalidIdentityToken",
            re.escape('Source Identity must match [a-zA-Z_0-9+=,.@-]{2,64} and not begin with "aws:"'),
        ),
        ({"subject": None}, "AccessDenied", "Not authorized to perform sts:AssumeRoleWithSAML"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_refused_in_these_words(stage, changes, code, message):
    no = refusal(stage, saml_response(**changes))

    assert no.code == code
    assert re.fullmatch(message, no.message)


@pytest.mark.parametrize("text", ["AAAA", "not base64!", encode("<a/>"), encode("no xml")])
def test_what_is_no_response_is_invalid_base64(stage, text):
    assert re.fullmatch(MALFORMED, refusal(stage, text).message)


def test_the_assertion_itself_must_be_signed(stage):
    ticket = Ticket()

    for response in (
        unsigned(ticket.response(ticket.assertion())),
        sign(ticket.response(unsigned(ticket.assertion()))),
    ):
        assert re.fullmatch(UNSIGNED, refusal(stage, encode(response)).message)


def test_a_tampered_subject_does_not_verify(stage):
    ticket = Ticket()
    tampered = ticket.response(sign(ticket.assertion())).replace("subject-123", "subject-999")

    assert refusal(stage, encode(tampered)).message == "Response signature invalid"


def test_an_unknown_provider(stage):
    no = refusal(stage, saml_response(), PrincipalArn=f"arn:aws:iam::{ACCOUNT}:saml-provider/None")

    assert no.code == "InvalidIdentityToken"
    assert re.fullmatch(
        "Specified provider doesn't exist" + TAIL.format("AuthSamlManifestNotFoundException"), no.message
    )


@pytest.mark.parametrize(
    ("members", "changes", "seconds"),
    [
        ({}, {}, 3600),
        ({"DurationSeconds": 7200}, {}, 7200),
        ({}, {"session_ends": 600}, 600),
        ({}, {"attributes": {f"{AWS}SessionDuration": ["900"]}}, 900),
        ({"DurationSeconds": 7200}, {"attributes": {f"{AWS}SessionDuration": ["900"]}}, 900),
        ({}, {"attributes": {f"{AWS}SessionDuration": ["7200"]}}, 3600),
    ],
)
def test_how_long_a_session_lasts(stage, members, changes, seconds):
    result = stage.assume(saml_response(**changes), **members)

    assert seconds - 60 < lifetime(stage, result) <= seconds


def test_longer_than_the_role_allows(stage):
    no = refusal(stage, saml_response(), DurationSeconds=43_200)

    assert (no.code, no.message) == (
        "ValidationError",
        "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.",
    )


def test_tags_transitive_keys_and_source_identity_reach_the_session(stage):
    result = stage.assume(
        saml_response(
            attributes={
                f"{AWS}PrincipalTag:Team": ["engineering"],
                f"{AWS}PrincipalTag:Empty": [""],
                f"{AWS}TransitiveTagKeys": ["Team"],
                f"{AWS}SourceIdentity": ["source-123"],
            }
        )
    )
    given = result["Credentials"]
    session = credentials.recover(stage.world, given["AccessKeyId"], given["SessionToken"])

    assert result["SourceIdentity"] == session.source_identity == "source-123"
    assert session.tags == {"Team": "engineering", "Empty": ""}
    assert session.transitive == ("Team",)


def test_only_three_saml_keys_stay_with_the_session(stage):
    given = stage.assume(saml_response())["Credentials"]
    session = credentials.recover(stage.world, given["AccessKeyId"], given["SessionToken"])

    assert set(session.context) == {"saml:namequalifier", "saml:sub", "saml:sub_type"}


DENIED = "Not authorized to perform sts:AssumeRoleWithSAML"
KEYS = {
    "saml:aud": "https://signin.aws.amazon.com/saml",
    "SAML:aud": "https://signin.aws.amazon.com/saml",
    "saml:iss": ISSUER,
    "saml:sub": "subject-123",
    "saml:sub_type": "persistent",
    "saml:doc": f"{ACCOUNT}/Corp",
    "saml:edupersonprincipalname": "jane@example.test",
    "saml:mail": "jane@mail.test",
    "saml:cn": "Jane",
    "saml:edupersonorgdn": "first",
    "sts:RoleSessionName": "jane",
    "sts:SourceIdentity": "source-123",
    "aws:RequestTag/team": "red",
    "aws:PrincipalAccount": ACCOUNT,
    "aws:PrincipalType": "User",
    "aws:userid": PROVIDER,
}
DESCRIBED = {
    "urn:oid:1.3.6.1.4.1.5923.1.1.1.6": ["jane@example.test"],
    "urn:oid:1.3.6.1.4.1.5923.1.1.1.3": ["first", "second"],
    "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/emailaddress": ["jane@mail.test"],
    "urn:oid:2.5.4.3": ["Jane"],
    f"{AWS}SourceIdentity": ["source-123"],
    f"{AWS}PrincipalTag:team": ["red"],
}


@pytest.mark.parametrize("key", KEYS)
def test_condition_keys_at_trust_evaluation(stage, key):
    response = saml_response(attributes=DESCRIBED)

    stage.add_role(trust=allow(stage.provider, condition={"StringEquals": {key: KEYS[key]}}))
    assert stage.assume(response)["Subject"]

    stage.add_role(trust=allow(stage.provider, condition={"StringEquals": {key: "something else"}}))
    assert refusal(stage, response).message == DENIED


def test_a_federated_caller_has_no_principal_arn(stage):
    stage.add_role(trust=allow(stage.provider, condition={"Null": {"aws:PrincipalArn": "true"}}))

    assert stage.assume(saml_response())["Subject"]


@pytest.mark.parametrize(
    ("actions", "attributes"),
    [
        (("sts:AssumeRoleWithSAML",), {f"{AWS}PrincipalTag:team": ["red"]}),
        (("sts:AssumeRoleWithSAML",), {f"{AWS}SourceIdentity": ["jane"]}),
        (("sts:AssumeRole",), {}),
    ],
)
def test_what_the_trust_policy_does_not_allow(stage, actions, attributes):
    stage.add_role(trust=allow(stage.provider, actions=actions))

    no = refusal(stage, saml_response(attributes=attributes))

    assert (no.code, no.status, no.message) == ("AccessDenied", 403, DENIED)


def test_a_principal_star_for_aws_does_not_admit_saml(stage):
    trust = allow(stage.provider)
    trust["Statement"][0]["Principal"] = {"AWS": "*"}
    stage.add_role(trust=trust)

    assert refusal(stage, saml_response()).message == DENIED


def test_roles_of_identity_center_are_refused(stage):
    arn = f"arn:aws:iam::{ACCOUNT}:role/AWSReservedSSO_Admin_0123456789abcdef"
    stage.add_role(arn)

    assert refusal(stage, saml_response(roles=(f"{arn},{PROVIDER}",)), RoleArn=arn).message == DENIED


def test_a_provider_that_was_made_again_trusts_its_new_key_only(stage):
    from sts_emulator.iam.providers import saml_providers

    saml_providers.delete_saml_provider(stage.context("iam", "DeleteSAMLProvider"), SAMLProviderArn=stage.provider)
    renewed = identity("renewed")
    stage.add_provider(document=metadata(renewed.certificate_text))

    assert stage.assume(saml_response(by=renewed))["Subject"]
    assert refusal(stage, saml_response()).message == "Response signature invalid"


def test_any_of_several_certificates_will_do(stage):
    second, third = identity("second"), identity("third", kind="ec")
    provider = stage.add_provider(
        "Several", metadata(*(i.certificate_text for i in (identity(), second, third)), issuer="https://several.test")
    )
    stage.add_role(trust=allow(provider))
    changes = {"issuer": "https://several.test", "roles": (f"{ROLE},{provider}",)}

    for maker in (identity(), second, third):
        assert stage.assume(saml_response(by=maker, **changes), PrincipalArn=provider)["Subject"]
    no = refusal(stage, saml_response(by=identity("fourth"), **changes), PrincipalArn=provider)
    assert no.message == "Response signature invalid"


def test_why_an_assertion_was_refused_is_in_the_event_but_not_in_the_answer(stage):
    no = refusal(stage, saml_response(confirmations=2))

    assert "SubjectConfirmation" not in no.message
    assert stage.last.evidence["refused"] == "2 SubjectConfirmation"
