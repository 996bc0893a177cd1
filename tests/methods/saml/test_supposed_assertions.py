"""A trial's assertion is not signed, and is judged as the signed one would be: claim by claim, and refusal by refusal."""

from __future__ import annotations

import base64
from dataclasses import replace

import pytest

from sts_emulator.core.errors import AwsError
from sts_emulator.idp import identity_providers
from sts_emulator.idp.identity_providers import Wish
from sts_emulator.methods.saml import message, verify
from sts_emulator.methods.saml.verify import SIGN_IN, Trusted

ACCOUNT = "111122223333"
ARN = f"arn:aws:iam::{ACCOUNT}:saml-provider/corp"
LUNCH = "https://lunch.example/saml"


@pytest.fixture
def idp(stage):
    role = f"arn:aws:iam::{ACCOUNT}:role/Developer"
    users = {"jane": {"roles": [role], "tags": {"team": "shop"}, "attributes": {"urn:oid:2.5.4.3": ["Jane"]}}}
    return identity_providers.ensure_idp(stage.world, "corp", users=users)


def provider_of(idp, **members) -> Trusted:
    certificates = members.pop("certificates", (base64.b64decode(idp["certificate"]),))
    return Trusted(ARN, ACCOUNT, "corp", {members.pop("issuer", idp["entity_id"]): certificates}, **members)


def judged(how, *arguments):
    """The claims, or what they are refused with."""
    try:
        proven = how(*arguments)
    except AwsError as refused:
        return (refused.code, refused.message.partition(" Request ID:")[0])  # another one each time
    return replace(proven, id="", session="")  # another one each time


@pytest.mark.parametrize(
    ("wish", "members"),
    [
        (Wish(), {}),
        (Wish(recipient=LUNCH, audience="urn:lunch"), {}),
        (Wish(session_duration=1_800, source_identity="jane", transitive=["team"]), {}),
        (Wish(expires_in=-10), {}),
        (Wish(), {"issuer": "https://other.example"}),
        (Wish(), {"encrypted_only": True}),
        (Wish(), {"strict": True}),
        (Wish(recipient=LUNCH), {"strict": True}),
        (Wish(destination=LUNCH), {"strict": True}),
        (Wish(), {"strict": True, "valid_until": 1.0}),
    ],
)
def test_it_is_judged_as_the_signed_one(stage, idp, wish, members):
    now, provider = stage.world.now(), provider_of(idp, **members)
    signed = message.read(identity_providers.assert_user(idp, "jane", now, wish))
    bare = message.read(identity_providers.suppose_user(idp, "jane", now, wish))
    signer = base64.b64decode(idp["certificate"])

    assert judged(verify.suppose, provider, bare, signer, now, SIGN_IN) == judged(
        verify.verify, provider, signed, now, SIGN_IN
    )


def test_a_provider_that_does_not_know_the_certificate_refuses_it(stage, idp):
    other = identity_providers.ensure_idp(stage.world, "other", users={})
    now, provider = stage.world.now(), provider_of(idp, certificates=(base64.b64decode(other["certificate"]),))
    signed = message.read(identity_providers.assert_user(idp, "jane", now, Wish()))
    bare = message.read(identity_providers.suppose_user(idp, "jane", now, Wish()))
    told = judged(verify.suppose, provider, bare, base64.b64decode(idp["certificate"]), now, SIGN_IN)

    assert told == judged(verify.verify, provider, signed, now, SIGN_IN)
    assert told[0] == "InvalidIdentityToken"


def test_unsigned_it_is_nothing_to_whoever_is_sent_it(stage, idp):
    now = stage.world.now()
    bare = message.read(identity_providers.suppose_user(idp, "jane", now, Wish()))
    assert judged(verify.verify, provider_of(idp), bare, now, SIGN_IN)[0] == "InvalidIdentityToken"
