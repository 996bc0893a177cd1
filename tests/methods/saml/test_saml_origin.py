"""Who it was originally, by an assertion: the name, the key that signed, and what is told of it."""

from __future__ import annotations

import base64

import pytest
from saml_maker import PERSISTENT, Ticket, encode, identity, metadata, saml_response, sign
from saml_stage import allow

from sts_emulator.core.errors import AwsError

MAIL = "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/emailaddress"
NAMED = {"SubjectSourceKey": "Subject/NameID", "SubjectTypeValue": "user"}


@pytest.fixture
def corp(stage):
    """`corp(**settings)`: the stage's role trusts a provider that propagates what they say."""

    def propagate(document: str = "", **settings):
        document = document or metadata(identity().certificate_text)
        stage.provider = stage.add_provider("Tip", document, ContextProvider=settings)
        stage.add_role(trust=allow(stage.provider))
        return stage

    return propagate


def ticket(stage, **changes) -> Ticket:
    return Ticket(roles=(f"arn:aws:iam::123456789012:role/Reader,{stage.provider}",), **changes)


def origin_of(stage, by=None, **changes) -> dict:
    return stage.assume(saml_response(ticket(stage, **changes), by))["TrustedIdentityPropagationContext"]


def test_the_name_and_the_key_that_signed(corp):
    first, second = identity(), identity("second")
    stage = corp(metadata(first.certificate_text, second.certificate_text), **NAMED)
    (shown,) = _get(stage)["SAMLKeyHashes"]

    for by, called in zip((first, second), shown["KeyHashes"], strict=True):
        identity_of = origin_of(stage, by)["OriginIdentity"]
        assert identity_of == {
            "Subject": "subject-123",
            "SubjectType": "user",
            "Issuer": called,
            "FederatedProviderArn": stage.provider,
        }


def _get(stage) -> dict:
    from sts_emulator.iam.providers.saml_providers import get_saml_provider

    return get_saml_provider(stage.context("iam", "GetSAMLProvider"), SAMLProviderArn=stage.provider)


def test_attributes_are_called_as_in_the_assertion(corp):
    stage = corp(SubjectSourceKey=MAIL, KeyDefinitionList=[{"SourceKey": "department", "TargetKey": "team"}])
    context = origin_of(stage, attributes={MAIL: ["jane@corp.example"], "department": ["shop"]})

    assert context["OriginIdentity"]["Subject"] == "jane@corp.example"
    assert context["TransactionContext"] == {"IdentityProvider": {"team": "shop"}}
    keys = stage.last.decisions[0].request.context
    assert keys["aws:originidentity/subject"] == ("jane@corp.example",)
    assert keys["aws:transactioncontext/identityprovider/team"] == ("shop",)


@pytest.mark.parametrize("values", [[], ["jane@corp.example", "boss@corp.example"], ["j" * 257]])
def test_an_assertion_that_does_not_say_it_gets_no_session(corp, values):
    stage = corp(SubjectSourceKey=MAIL)
    with pytest.raises(AwsError) as refused:
        origin_of(stage, attributes={MAIL: values})
    assert refused.value.code == "InvalidIdentityToken"
    assert refused.value.message.startswith(f"Trusted identity propagation: `{MAIL}`")
    assert stage.last.evidence["refused"] == refused.value.message


def test_an_attribute_beside_the_signed_assertion_is_not_read(corp):
    """An attacker's own assertion, unsigned, next to the good one."""
    stage = corp(**NAMED)
    mine = ticket(stage)
    forged = mine.but(id="_forged", subject="boss", name_format=PERSISTENT)
    good = sign(mine.assertion())
    response = mine.response(forged.assertion().replace("placeholder", "none") + good)
    with pytest.raises(AwsError) as refused:
        stage.assume(encode(response))
    assert refused.value.code == "InvalidIdentityToken"


def test_an_altered_name_has_no_good_signature(corp):
    stage = corp(**NAMED)
    response = base64.b64decode(saml_response(ticket(stage))).replace(b"subject-123", b"subject-124")
    with pytest.raises(AwsError, match="Response signature invalid"):
        stage.assume(encode(response))
