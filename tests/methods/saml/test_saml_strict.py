"""Providers marked `strict`: recipient, audience, validity and single use, which AWS leaves open."""

from __future__ import annotations

import asyncio

import pytest
from saml_maker import ROLE, Ticket, identity, metadata, saml_response
from saml_stage import allow

from sts_emulator.core.errors import AwsError
from sts_emulator.iam.providers import saml_providers


@pytest.fixture
def strict(stage):
    stage.strict()
    return stage


def refusal(stage, assertion, **members) -> str:
    with pytest.raises(AwsError) as caught:
        stage.assume(assertion, **members)
    return caught.value.message


@pytest.mark.parametrize(
    "recipient",
    [
        "https://signin.aws.amazon.com/saml",
        "https://us-east-1.signin.aws.amazon.com/saml",
        "https://us-east-1.signin.aws.amazon.com/saml/acs/SAMLPROVIDERID123",
        "https://signin.amazonaws-us-gov.com/saml",
        "http://127.0.0.1:1/saml",
    ],
)
def test_a_sign_in_address_is_accepted(strict, recipient):
    assert strict.assume(saml_response(recipient=recipient, destination=recipient))["Audience"] == recipient


@pytest.mark.parametrize(
    "recipient",
    [
        "https://unrelated.example.test/saml",
        "https://signin.aws.amazon.com/saml.evil.test/",
        "https://signin.aws.amazon.com.evil.test/saml",
        "https://evil.test/?x=https://signin.aws.amazon.com/saml",
        "https://evil.test/x.signin.aws.amazon.com/saml",
        "https://a@evil.test#.signin.aws.amazon.com/saml",
        "http://signin.aws.amazon.com/saml",
    ],
)
def test_any_other_recipient_or_destination_is_not(strict, recipient):
    no = "Response does not contain the required audience."

    assert refusal(strict, saml_response(recipient=recipient)) == no
    assert refusal(strict, saml_response(destination=recipient)) == no


@pytest.mark.parametrize("audience", [None, "urn:unrelated:application", "urn:amazon:webservices.evil"])
def test_the_audience_must_be_aws(strict, audience):
    assert refusal(strict, saml_response(audience=audience)) == "Response does not contain the required audience."


@pytest.mark.parametrize("changes", [{"starts": 60}, {"subject_starts": 60}, {"issued": 600}])
def test_not_before_is_enforced(strict, changes):
    assert refusal(strict, saml_response(**changes)) == "Response is not yet valid"


def test_five_minutes_to_redeem(strict):
    no = refusal(strict, saml_response(issued=-301, ends=3600, subject_ends=3600))

    assert no == "Token must be redeemed within 5 minutes of issuance"


def test_the_response_must_be_of_the_same_issuer(strict):
    assert refusal(strict, saml_response(response_issuer="https://other.test")).startswith("Issuer not present")


def test_an_assertion_is_good_once(strict):
    once = saml_response()

    assert strict.assume(once)["Subject"]
    assert refusal(strict, once) == "Response has been used before"


def test_a_denied_attempt_does_not_spend_it(strict):
    once = saml_response()
    strict.add_role(trust=allow("arn:aws:iam::123456789012:saml-provider/Other"))

    assert refusal(strict, once) == "Not authorized to perform sts:AssumeRoleWithSAML"

    strict.add_role(trust=allow(strict.provider))
    assert strict.assume(once)["Subject"]


def test_of_many_at_once_one_wins(strict):
    from sts_emulator.methods.saml.assume_role_with_saml import assume_role_with_saml

    once = saml_response()

    async def race() -> list[object]:
        calls = [
            assume_role_with_saml(
                strict.context("sts", "AssumeRoleWithSAML"),
                RoleArn=ROLE,
                PrincipalArn=strict.provider,
                SAMLAssertion=once,
            )
            for _ in range(8)
        ]
        return await asyncio.gather(*calls, return_exceptions=True)

    outcomes = asyncio.run(race())

    assert sum(isinstance(outcome, dict) for outcome in outcomes) == 1
    assert {str(outcome) for outcome in outcomes if not isinstance(outcome, dict)} == {
        "InvalidIdentityToken: Response has been used before"
    }


def test_spent_assertions_are_forgotten_when_they_have_expired(strict):
    strict.assume(saml_response())
    strict.world.advance(3600)
    strict.assume(saml_response(Ticket(now=strict.world.now())))

    assert len(strict.world.page("spent-saml-assertion")) == 1


def test_an_expired_certificate_does_not_verify(strict):
    old = identity("expired", expires_in=-1)
    provider = strict.add_provider("Old", metadata(old.certificate_text, issuer="https://old.test"))
    saml_providers.set_switches(strict.world, provider, strict=True)
    strict.add_role(trust=allow(provider))
    response = saml_response(by=old, issuer="https://old.test", response_issuer="https://old.test")

    assert refusal(strict, response, PrincipalArn=provider) == "Response signature invalid"


def test_a_provider_past_its_end_vouches_for_nobody(strict):
    """By the word of its own metadata: IAM's ValidUntil is a hundred years off (docs/aws/saml.md, "Providers")."""
    key = saml_providers.SAML_PROVIDER.key(strict.world.find("saml-provider", strict.provider))
    over = 'EntityDescriptor validUntil="2020-01-01T00:00:00Z" '
    strict.world.update(
        "saml-provider",
        key,
        lambda provider: {**provider, "metadata": provider["metadata"].replace("EntityDescriptor ", over, 1)},
    )

    assert refusal(strict, saml_response()) == "The provider's metadata has expired"


def test_time_is_the_worlds(strict):
    strict.world.advance(86_400)

    assert refusal(strict, saml_response()) == "Response has expired"
    assert strict.assume(saml_response(Ticket(now=strict.world.now())))["Subject"]
