"""GetDelegatedAccessToken: an approval, which the control API stands for, becomes credentials once."""

from __future__ import annotations

import json

import pytest

ROLE = "arn:aws:iam::111122223333:role/revoked"
POLICY = json.dumps(
    {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "iam:List*", "Resource": "*"}]}
)

pytestmark = pytest.mark.scenario("sts_world.yaml")


def approved(aws, **more) -> str:
    body = {"principal": ROLE, "policy": POLICY, **more}
    return aws._api("POST", "trade-in-tokens", body=body)["trade_in_token"]


@pytest.fixture
def partner(aws):
    """Somebody of another account, whose own policies permit the exchange."""
    return aws.client("sts", aws.credentials(account="444455556666", user="mallory"))


def test_an_approval_becomes_a_session_of_the_role_limited_by_the_policy(aws, partner, refused):
    given = partner.get_delegated_access_token(TradeInToken=approved(aws))
    assert given["AssumedPrincipal"] == ROLE
    assert aws.client("sts", given["Credentials"]).get_caller_identity()["Account"] == "111122223333"
    iam = aws.client("iam", given["Credentials"])
    assert iam.list_users()["Users"]
    assert refused(iam.create_user, UserName="eve")[:2] == (403, "AccessDenied")


def test_it_is_exchanged_once(aws, partner, refused):
    token = approved(aws)
    assert partner.get_delegated_access_token(TradeInToken=token)["Credentials"]
    assert refused(partner.get_delegated_access_token, TradeInToken=token)[1] == "ExpiredTradeInTokenException"


def test_its_time_runs_out(aws, partner, refused):
    token = approved(aws, token_life_seconds=60)
    aws.advance(seconds=61)
    assert refused(partner.get_delegated_access_token, TradeInToken=token)[:2] == (400, "ExpiredTradeInTokenException")


def test_what_nobody_approved_is_nothing(aws, partner, refused):
    for forged in ("x", "A" * 400, approved(aws)[:-4] + "AAAA"):
        assert refused(partner.get_delegated_access_token, TradeInToken=forged)[:2] == (400, "ValidationError")


def test_the_exchange_needs_a_permission(aws, refused):
    token = approved(aws)
    bob = aws.client("sts", user="bob")
    assert refused(bob.get_delegated_access_token, TradeInToken=token)[:2] == (403, "AccessDenied")
    alice = aws.client("sts", user="alice")
    assert alice.get_delegated_access_token(TradeInToken=token)["Credentials"]


def test_the_token_is_never_written_down(aws, partner):
    token = approved(aws)
    partner.get_delegated_access_token(TradeInToken=token)
    assert token not in json.dumps(aws.events())
