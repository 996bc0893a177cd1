"""CUSTOM_AUTH: the pool's own functions ask, judge and decide when it is enough."""

from __future__ import annotations

import json

import pytest

OVER = ("NotAuthorizedException", "Invalid session for the user.")
NOT = ("NotAuthorizedException", "Incorrect username or password.")
FLOWS = ["ALLOW_CUSTOM_AUTH", "ALLOW_USER_PASSWORD_AUTH", "ALLOW_REFRESH_TOKEN_AUTH"]


def define(event: dict) -> dict:
    """Three tries at a riddle; after SRP, the password first."""
    rounds, said = event["request"]["session"], event["response"]
    if [past["challengeName"] for past in rounds] == ["SRP_A"]:
        said |= {"challengeName": "PASSWORD_VERIFIER", "issueTokens": False, "failAuthentication": False}
        return event
    riddles = [past for past in rounds if past["challengeName"] == "CUSTOM_CHALLENGE"]
    is_right = bool(riddles) and riddles[-1]["challengeResult"]
    said["issueTokens"], said["failAuthentication"] = is_right, len(riddles) >= 3 and not is_right
    if not is_right and len(riddles) < 3:
        said["challengeName"] = "CUSTOM_CHALLENGE"
    return event


def create(event: dict) -> dict:
    event["response"] = {
        "publicChallengeParameters": {"riddle": "What walks on four legs?"},
        "privateChallengeParameters": {"answer": "a cat"},
        "challengeMetadata": "RIDDLE",
    }
    return event


def verify(event: dict) -> dict:
    given = event["request"]
    event["response"]["answerCorrect"] = given["challengeAnswer"] == given["privateChallengeParameters"]["answer"]
    return event


RIDDLE = {"DefineAuthChallenge": define, "CreateAuthChallenge": create, "VerifyAuthChallengeResponse": verify}


@pytest.fixture
def riddled(app, hooks):
    app.client = app.add_client(ExplicitAuthFlows=FLOWS)["ClientId"]
    hooks.play(app, **RIDDLE)
    return app


def begin(app, user: str = "ada", client: str = "", **given: str) -> dict:
    return app.idp.initiate_auth(
        AuthFlow="CUSTOM_AUTH",
        ClientId=client or app.client,
        AuthParameters={"USERNAME": user, **given},
        ClientMetadata={"at": "the door"},
    )


def answer(app, begun: dict, text: str, user: str = "ada", client: str = "", name: str = "CUSTOM_CHALLENGE") -> dict:
    return app.idp.respond_to_auth_challenge(
        ClientId=client or app.client,
        ChallengeName=name,
        Session=begun["Session"],
        ChallengeResponses={"USERNAME": user, "ANSWER": text},
        ClientMetadata={"at": "the answer"},
    )


def test_a_riddle(riddled, hooks):
    begun = begin(riddled)
    assert begun["ChallengeName"] == "CUSTOM_CHALLENGE"
    assert begun["ChallengeParameters"] == {"riddle": "What walks on four legs?", "USERNAME": "ada"}
    tokens = answer(riddled, begun, "a cat")["AuthenticationResult"]
    assert riddled.claims(tokens["IdToken"])["cognito:username"] == "ada"

    sources = [source.removesuffix("_Authentication") for source in hooks.sources()]
    assert sources == [
        *("DefineAuthChallenge", "CreateAuthChallenge", "VerifyAuthChallengeResponse", "DefineAuthChallenge")
    ]
    assert "a cat" not in json.dumps(riddled.aws.events())  # what they were told is kept without it
    first, made, judged, last = (event["request"] for event in hooks.events)
    assert first["session"] == []
    assert "clientMetadata" not in first
    assert "clientMetadata" not in made
    assert judged["clientMetadata"] == {"at": "the answer"}
    assert judged["challengeAnswer"] == "a cat"
    assert last["session"] == [
        {"challengeName": "CUSTOM_CHALLENGE", "challengeResult": True, "challengeMetadata": "RIDDLE"}
    ]


def test_three_tries(riddled, refusal):
    begun = begin(riddled)
    for _ in range(2):
        begun = answer(riddled, begun, "a dog")
        assert begun["ChallengeName"] == "CUSTOM_CHALLENGE"
    assert refusal(answer, app=riddled, begun=begun, text="a dog") == NOT
    assert answer(riddled, begin(riddled), "a cat")["AuthenticationResult"]


def test_five_wrong_answers_lock_out(riddled, refusal):
    begun = begin(riddled)
    for _ in range(2):
        begun = answer(riddled, begun, "a dog")
    refusal(answer, app=riddled, begun=begun, text="a dog")
    begun = begin(riddled)
    for _ in range(2):
        begun = answer(riddled, begun, "a dog")
    riddled.stretch_wait()
    assert refusal(begin, app=riddled)[1] == "Password attempts exceeded"


def test_a_session_is_good_once_for_its_user_and_client(riddled, refusal):
    begun = begin(riddled)
    assert answer(riddled, begun, "a cat")["AuthenticationResult"]
    assert refusal(answer, app=riddled, begun=begun, text="a cat") == OVER
    riddled.add_user("bob")
    assert refusal(answer, app=riddled, begun=begin(riddled), text="a cat", user="bob") == OVER
    other = riddled.add_client(ExplicitAuthFlows=FLOWS)["ClientId"]
    assert refusal(answer, app=riddled, begun=begin(riddled), text="a cat", client=other) == OVER
    told = refusal(answer, app=riddled, begun=begin(riddled), text="a cat", name="SELECT_CHALLENGE")
    assert told == OVER


def test_the_password_by_srp_first(riddled, hooks, refusal):
    from pycognito.aws_srp import AWSSRP

    def proven(password: str) -> dict:
        srp = AWSSRP("ada", password, riddled.pool, riddled.client, client=riddled.idp)
        asked = begin(riddled, CHALLENGE_NAME="SRP_A", SRP_A=srp.get_auth_params()["SRP_A"])
        assert asked["ChallengeName"] == "PASSWORD_VERIFIER"
        given = srp.process_challenge(asked["ChallengeParameters"], {"USERNAME": "ada"})
        return riddled.idp.respond_to_auth_challenge(
            ClientId=riddled.client, ChallengeName="PASSWORD_VERIFIER", ChallengeResponses=given
        )

    asked = proven("Correct-horse-1")
    assert asked["ChallengeName"] == "CUSTOM_CHALLENGE"  # the password alone is not enough
    assert answer(riddled, asked, "a cat")["AuthenticationResult"]
    last = hooks.events[-1]["request"]["session"]
    assert [past["challengeName"] for past in last] == ["SRP_A", "PASSWORD_VERIFIER", "CUSTOM_CHALLENGE"]
    assert refusal(proven, password="Wrong-horse-1") == NOT


def test_nobody_gets_no_tokens_whatever_the_functions_say(riddled, hooks, refusal):
    shy = riddled.add_client(ExplicitAuthFlows=FLOWS, PreventUserExistenceErrors="ENABLED")["ClientId"]
    begun = begin(riddled, "nobody", shy)
    assert hooks.events[0]["request"]["userNotFound"] is True
    assert hooks.events[0]["request"]["userAttributes"] == {}
    again = answer(riddled, begun, "a cat", "nobody", shy)
    assert again["ChallengeName"] == "CUSTOM_CHALLENGE"  # even a right answer is nobody's

    def always(event: dict) -> dict:
        event["response"] = {"issueTokens": True}
        return event

    hooks.play(riddled, **{**RIDDLE, "DefineAuthChallenge": always})
    assert refusal(begin, app=riddled, user="nobody", client=shy) == NOT


def test_a_user_who_is_deleted_or_disabled_meanwhile(riddled, refusal):
    begun = begin(riddled)
    riddled.admin.admin_disable_user(UserPoolId=riddled.pool, Username="ada")
    assert refusal(answer, app=riddled, begun=begun, text="a cat") == ("NotAuthorizedException", "User is disabled.")
    riddled.admin.admin_enable_user(UserPoolId=riddled.pool, Username="ada")
    begun = begin(riddled)
    riddled.admin.admin_delete_user(UserPoolId=riddled.pool, Username="ada")
    assert refusal(answer, app=riddled, begun=begun, text="a cat") == OVER


@pytest.mark.parametrize(
    "said",
    [
        {},
        {"challengeName": "SMS_MFA"},
        {"challengeName": "PASSWORD_VERIFIER"},
        {"challengeName": 5},
        {"issueTokens": "true"},
        {"failAuthentication": 1},
    ],
)
def test_a_decision_that_is_none(riddled, hooks, refusal, said):
    def strange(event: dict) -> dict:
        event["response"] = said
        return event

    hooks.play(riddled, **{**RIDDLE, "DefineAuthChallenge": strange})
    assert refusal(begin, app=riddled)[0] == "InvalidLambdaResponseException"


def test_a_challenge_that_is_too_large_to_keep(riddled, hooks, refusal):
    def large(event: dict) -> dict:
        event["response"] = {"privateChallengeParameters": {"answer": "x" * 20_000}}
        return event

    hooks.play(riddled, **{**RIDDLE, "CreateAuthChallenge": large})
    assert refusal(begin, app=riddled)[0] == "InvalidLambdaResponseException"


def test_rounds_come_to_an_end(riddled, hooks, refusal):
    def ever(event: dict) -> dict:
        event["response"] = {"challengeName": "CUSTOM_CHALLENGE"}
        return event

    def right(event: dict) -> dict:
        event["response"] = {"answerCorrect": True}
        return event

    hooks.play(riddled, DefineAuthChallenge=ever, CreateAuthChallenge=create, VerifyAuthChallengeResponse=right)
    begun = begin(riddled)
    for _ in range(19):
        begun = answer(riddled, begun, "x")
    assert refusal(answer, app=riddled, begun=begun, text="x") == NOT


def test_pools_and_clients_without(app, refusal):
    custom = app.add_client(ExplicitAuthFlows=FLOWS)["ClientId"]
    assert refusal(begin, app=app, client=custom)[0] == "InvalidParameterException"
    assert refusal(begin, app=app) == ("InvalidParameterException", "CUSTOM_AUTH flow not enabled for this client")
