"""Signatures with SHA-1, as pysaml2 makes them unless told otherwise: refused, but for a provider that is marked."""

from __future__ import annotations

import pytest
from saml_maker import Ticket, encode, identity, saml_response, sign

from sts_emulator.core.errors import AwsError
from sts_emulator.iam.providers import saml_providers

BAD = "Response signature invalid"


def signed_with_sha1(by=None) -> str:
    ticket = Ticket()
    return encode(ticket.response(sign(ticket.assertion(), by, algorithm="sha1")))


@pytest.fixture
def lenient(stage):
    saml_providers.set_switches(stage.world, stage.provider, sha1=True)
    return stage


def refusal(stage, assertion) -> str:
    with pytest.raises(AwsError) as caught:
        stage.assume(assertion)
    return caught.value.message


def test_sha1_is_refused(stage):
    assert refusal(stage, signed_with_sha1()).startswith(BAD)


def test_a_provider_may_take_it(lenient):
    assert lenient.assume(signed_with_sha1())["Credentials"]


def test_and_still_takes_what_is_better(lenient):
    assert lenient.assume(saml_response())["Credentials"]


def test_a_strangers_key_is_refused_all_the_same(lenient):
    assert refusal(lenient, signed_with_sha1(identity("stranger"))).startswith(BAD)


def test_a_changed_assertion_is_refused_all_the_same(lenient):
    ticket = Ticket()
    changed = sign(ticket.assertion(), algorithm="sha1").replace("</a:NameID>", "x</a:NameID>")
    assert changed.count("x</a:NameID>") == 1
    assert refusal(lenient, encode(ticket.response(changed))).startswith(BAD)
