"""Signing in by the Secure Remote Password protocol, with AWS's own clients' arithmetic (pycognito) against ours."""

from __future__ import annotations

import asyncio
import base64
import re
import time

import pytest
from pycognito.aws_srp import AWSSRP

from sts_emulator.idp.user_pools import srp

PASSWORD = "Correct-horse-1"

WRONG = ("NotAuthorizedException", "Incorrect username or password.")


class Handshake:
    """An SRP sign-in by pycognito's arithmetic, step by step, so that a step can go wrong."""

    def __init__(self, app, user: str = "ada", password: str = PASSWORD, client: str = "") -> None:
        self.app = app
        self.client = client or app.client
        self.srp = AWSSRP(username=user, password=password, pool_id=app.pool, client_id=self.client, client=app.idp)

    def begin(self, **changed: str) -> dict:
        given = {**self.srp.get_auth_params(), **changed}
        return self.app.idp.initiate_auth(AuthFlow="USER_SRP_AUTH", ClientId=self.client, AuthParameters=given)

    def finish(self, begun: dict, **changed: str) -> dict:
        response = {**self.srp.process_challenge(begun["ChallengeParameters"], {"USERNAME": "unused"}), **changed}
        return self.app.idp.respond_to_auth_challenge(
            ClientId=self.client, ChallengeName="PASSWORD_VERIFIER", ChallengeResponses=response
        )


def test_pycognito_signs_in(app):
    result = AWSSRP(
        username="ada", password=PASSWORD, pool_id=app.pool, client_id=app.client, client=app.idp
    ).authenticate_user()
    assert app.claims(result["AuthenticationResult"]["IdToken"])["cognito:username"] == "ada"
    assert app.idp.get_user(AccessToken=result["AuthenticationResult"]["AccessToken"])["Username"] == "ada"


def test_what_the_challenge_is(app):
    """No Session, and the username for the arithmetic (docs/aws/cognito.md, "Sign-in to user pools")."""
    begun = Handshake(app).begin()
    assert begun["ChallengeName"] == "PASSWORD_VERIFIER"
    assert "Session" not in begun
    parameters = begun["ChallengeParameters"]
    assert (parameters["USER_ID_FOR_SRP"], parameters["USERNAME"]) == ("ada", "ada")
    assert re.fullmatch(r"[0-9a-f]{32}", parameters["SALT"])


def test_a_client_with_a_secret(app, refusal):
    client = app.add_client(GenerateSecret=True)
    srp_of = {"username": "ada", "password": PASSWORD, "pool_id": app.pool, "client": app.idp}
    signed_in = AWSSRP(**srp_of, client_id=client["ClientId"], client_secret=client["ClientSecret"])
    assert signed_in.authenticate_user()["AuthenticationResult"]["AccessToken"]

    forged = AWSSRP(**srp_of, client_id=client["ClientId"], client_secret="x" * 51)
    expected = f"Unable to verify secret hash for client {client['ClientId']}"
    assert refusal(forged.authenticate_user) == ("NotAuthorizedException", expected)
    without = Handshake(app, client=client["ClientId"])
    expected = f"Client {client['ClientId']} is configured with secret but SECRET_HASH was not received"
    assert refusal(without.begin) == ("NotAuthorizedException", expected)


def test_a_wrong_password(app, refusal):
    handshake = Handshake(app, password="Wrong-horse-1")
    assert refusal(handshake.finish, begun=handshake.begin()) == WRONG


@pytest.mark.parametrize("multiple", [0, 1, 2])
def test_a_multiple_of_the_prime_is_refused(app, refusal, multiple):
    """With A ≡ 0 mod N both sides' key would not depend on the password (RFC 5054 §2.5.4)."""
    assert refusal(Handshake(app).begin, SRP_A=f"{multiple * srp.N:x}")[0] == "InvalidParameterException"


@pytest.mark.parametrize("text", ["", "-5", "xyz", "0x5", "1_0", "f" * 5_000, " 5"])
def test_what_is_no_public_value_is_refused(app, refusal, text):
    if text == "0x5":  # a number in Python, as good as any other: its handshake fails later
        assert Handshake(app).begin(SRP_A=text)
    else:
        assert refusal(Handshake(app).begin, SRP_A=text)[0] == "InvalidParameterException"


def test_a_challenge_is_answered_once(app, refusal):
    handshake = Handshake(app)
    begun = handshake.begin()
    assert handshake.finish(begun)["AuthenticationResult"]
    assert refusal(handshake.finish, begun=begun) == WRONG


def test_a_wrong_answer_uses_the_challenge_up(app, refusal):
    handshake = Handshake(app)
    begun = handshake.begin()
    assert refusal(handshake.finish, begun=begun, PASSWORD_CLAIM_SIGNATURE="AAAA") == WRONG
    assert refusal(handshake.finish, begun=begun) == WRONG


def test_a_challenge_is_for_its_user_and_client(app, refusal):
    app.add_user("bob")
    handshake = Handshake(app)
    assert refusal(handshake.finish, begun=handshake.begin(), USERNAME="bob") == WRONG

    other = Handshake(app, client=app.add_client()["ClientId"])
    begun = handshake.begin()
    other.srp.large_a_value, other.srp.small_a_value = handshake.srp.large_a_value, handshake.srp.small_a_value
    assert refusal(other.finish, begun=begun) == WRONG


def test_a_challenge_is_over_after_three_minutes(app, refusal):
    handshake = Handshake(app)
    begun = handshake.begin()
    app.aws.advance(minutes=4)
    assert refusal(handshake.finish, begun=begun) == WRONG


@pytest.mark.parametrize("timestamp", ["Sat Sep 05 10:00:00 UTC 2026", "Mon Sep 5 10:00:00 UTC 2026", "now", ""])
def test_a_date_that_aws_does_not_take(app, refusal, timestamp):
    """A day with a zero in front, and a wrong weekday (docs/aws/cognito.md, "Sign-in to user pools")."""
    handshake = Handshake(app)
    begun = handshake.begin()
    right = handshake.srp
    response = right.process_challenge(begun["ChallengeParameters"], {"USERNAME": "unused"})
    key = right.get_password_authentication_key(
        "ada", PASSWORD, int(begun["ChallengeParameters"]["SRP_B"], 16), begun["ChallengeParameters"]["SALT"]
    )
    block = base64.b64decode(response["PASSWORD_CLAIM_SECRET_BLOCK"])
    signature = srp.signature(key, app.pool.partition("_")[2], "ada", block, timestamp)
    changed = {"TIMESTAMP": timestamp, "PASSWORD_CLAIM_SIGNATURE": base64.b64encode(signature).decode()}
    code, _ = refusal(handshake.finish, begun=begun, **changed)
    assert code == ("NotAuthorizedException" if timestamp else "InvalidParameterException")


def test_nobody_is_offered_a_challenge_like_anybody(app, refusal):
    hiding = app.add_client(PreventUserExistenceErrors="ENABLED")["ClientId"]
    first, second = (Handshake(app, user="bob", client=hiding).begin()["ChallengeParameters"] for _ in range(2))
    there = Handshake(app, client=hiding).begin()["ChallengeParameters"]

    assert set(first) == set(there)
    assert [len(first[name]) for name in ("SALT", "SECRET_BLOCK")] == [
        len(there[name]) for name in ("SALT", "SECRET_BLOCK")
    ]
    assert first["SALT"] == second["SALT"]
    assert first["SRP_B"] != second["SRP_B"]
    handshake = Handshake(app, user="bob", client=hiding)
    assert refusal(handshake.finish, begun=handshake.begin()) == WRONG
    assert refusal(Handshake(app, user="bob").begin)[0] == "UserNotFoundException"


def test_no_salt_begins_with_a_byte_of_zeros():
    """pycognito hashes such a byte, Amplify drops it: one user of 256 could not sign in by one of them."""
    assert srp.salt_of(bytes(16)) == "01" + "00" * 15
    assert srp.salt_of(b"\xab" * 32) == "ab" * 16


def test_a_sign_in_costs_little():
    """Twenty-five milliseconds of this process's time at most, for both steps' arithmetic."""
    verifier = srp.verifier("pool", "ada", PASSWORD, "ab" * 16)
    cheapest = float("inf")
    for _ in range(10):
        before = time.process_time()
        b_secret, b_public = srp.offer(verifier)
        srp.session_key(verifier, srp.N - 3, b_secret, b_public)
        cheapest = min(cheapest, time.process_time() - before)
    assert cheapest < 0.025


def test_arithmetic_lets_others_work():
    """GMP lets go of the interpreter: while a thread computes, the event loop turns."""

    async def turns() -> int:
        count = 0
        computing = asyncio.gather(*(asyncio.to_thread(srp.power, 3 + n, srp.N - 2) for n in range(4)))
        while not computing.done():
            await asyncio.sleep(0)
            count += 1
        await computing
        return count

    assert asyncio.run(turns()) > 50
