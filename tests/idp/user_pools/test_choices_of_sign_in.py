"""USER_AUTH: a password, a code or a passkey, as the user chooses among what the pool allows and they have."""

from __future__ import annotations

from functools import partial

import pytest
from test_codes_as_factors import code_for

OVER = ("NotAuthorizedException", "Invalid session for the user.")
PASSWORD = "Correct-horse-1"
PHONE = "+15550100"


def policies(*factors: str) -> dict:
    return {"SignInPolicy": {"AllowedFirstAuthFactors": ["PASSWORD", *factors]}}


@pytest.fixture
def choosy(new_app):
    """A pool in which one may choose, and `ada` with an address and a telephone."""
    app = new_app(Policies=policies("EMAIL_OTP", "SMS_OTP", "WEB_AUTHN"))
    flows = ["ALLOW_USER_AUTH", "ALLOW_USER_PASSWORD_AUTH", "ALLOW_REFRESH_TOKEN_AUTH"]
    app.client = app.add_client(ExplicitAuthFlows=flows)["ClientId"]
    app.add_user(
        "ada", email="ada@example.org", email_verified="true", phone_number=PHONE, phone_number_verified="true"
    )
    return app


def begin(app, user: str = "ada", client: str = "", **given: str) -> dict:
    return app.idp.initiate_auth(
        AuthFlow="USER_AUTH", ClientId=client or app.client, AuthParameters={"USERNAME": user, **given}
    )


def answer(app, begun: dict, name: str = "", user: str = "ada", client: str = "", **given: str) -> dict:
    return app.idp.respond_to_auth_challenge(
        ClientId=client or app.client,
        ChallengeName=name or begun["ChallengeName"],
        Session=begun["Session"],
        ChallengeResponses={"USERNAME": user, **given},
    )


def test_what_one_may_choose(choosy):
    begun = begin(choosy)
    assert begun["ChallengeName"] == "SELECT_CHALLENGE"
    assert begun["AvailableChallenges"] == ["PASSWORD", "PASSWORD_SRP", "EMAIL_OTP", "SMS_OTP"]
    choosy.add_user("bob")
    assert begin(choosy, "bob")["AvailableChallenges"] == ["PASSWORD", "PASSWORD_SRP"]


def test_a_password_with_the_choice(choosy, refusal):
    begun = begin(choosy)
    assert answer(choosy, begun, ANSWER="PASSWORD", PASSWORD=PASSWORD)["AuthenticationResult"]["IdToken"]
    assert refusal(answer, app=choosy, begun=begun, ANSWER="PASSWORD", PASSWORD=PASSWORD) == OVER
    begun = begin(choosy)
    wrong = refusal(answer, app=choosy, begun=begun, ANSWER="PASSWORD", PASSWORD="Wrong-horse-1")
    assert wrong == ("NotAuthorizedException", "Incorrect username or password.")


def test_a_password_after_the_choice(choosy):
    asked = begin(choosy, PREFERRED_CHALLENGE="PASSWORD")
    assert asked["ChallengeName"] == "PASSWORD"
    assert answer(choosy, asked, PASSWORD=PASSWORD)["AuthenticationResult"]
    assert begin(choosy, PREFERRED_CHALLENGE="PASSWORD", PASSWORD=PASSWORD)["AuthenticationResult"]


def test_a_password_by_srp(choosy):
    from pycognito.aws_srp import AWSSRP

    srp = AWSSRP("ada", PASSWORD, choosy.pool, choosy.client, client=choosy.idp)
    public = srp.get_auth_params()["SRP_A"]
    asked = answer(choosy, begin(choosy), ANSWER="PASSWORD_SRP", SRP_A=public)
    assert asked["ChallengeName"] == "PASSWORD_VERIFIER"
    given = srp.process_challenge(asked["ChallengeParameters"], {"USERNAME": "ada"})
    done = choosy.idp.respond_to_auth_challenge(
        ClientId=choosy.client, ChallengeName="PASSWORD_VERIFIER", ChallengeResponses=given
    )
    assert done["AuthenticationResult"]["AccessToken"]


@pytest.mark.parametrize(("name", "to"), [("EMAIL_OTP", "ada@example.org"), ("SMS_OTP", PHONE)])
def test_a_code(choosy, refusal, name, to):
    asked = begin(choosy, PREFERRED_CHALLENGE=name)
    assert asked["ChallengeName"] == name
    assert asked["ChallengeParameters"]["CODE_DELIVERY_DESTINATION"]
    code = code_for(choosy, to)
    assert len(code) == 8
    tokens = answer(choosy, asked, **{f"{name}_CODE": code})["AuthenticationResult"]
    assert choosy.claims(tokens["IdToken"])["cognito:username"] == "ada"
    assert refusal(answer, app=choosy, begun=asked, **{f"{name}_CODE": code}) == OVER


def test_a_code_after_the_list(choosy):
    asked = answer(choosy, begin(choosy), ANSWER="EMAIL_OTP")
    assert answer(choosy, asked, EMAIL_OTP_CODE=code_for(choosy, "ada@example.org"))["AuthenticationResult"]


def test_five_wrong_codes_lock_out(choosy, refusal):
    for tries in (3, 2):
        asked = begin(choosy, PREFERRED_CHALLENGE="EMAIL_OTP")
        for _ in range(tries):
            assert refusal(answer, app=choosy, begun=asked, EMAIL_OTP_CODE="x")[1] != "Password attempts exceeded"
    choosy.stretch_wait()
    for call in (partial(answer, begun=asked, EMAIL_OTP_CODE="x"), begin):
        assert refusal(call, app=choosy) == ("NotAuthorizedException", "Password attempts exceeded")


def test_what_is_not_offered_cannot_be_chosen(choosy, refusal):
    for choice in ("WEB_AUTHN", "SOFTWARE_TOKEN_MFA", "NEW_PASSWORD_REQUIRED", "x"):
        told = refusal(answer, app=choosy, begun=begin(choosy), ANSWER=choice)
        assert told == ("InvalidParameterException", "Invalid challenge selected.")
    assert begin(choosy, PREFERRED_CHALLENGE="WEB_AUTHN")["ChallengeName"] == "SELECT_CHALLENGE"
    choosy.add_user("bob", email="bob@example.org")  # not verified
    assert refusal(answer, app=choosy, begun=begin(choosy, "bob"), user="bob", ANSWER="EMAIL_OTP")[0] == (
        "InvalidParameterException"
    )


def test_a_session_is_for_its_user_its_client_and_its_step(choosy, refusal):
    choosy.add_user("bob")
    assert refusal(answer, app=choosy, begun=begin(choosy), user="bob", ANSWER="PASSWORD", PASSWORD=PASSWORD) == OVER
    other = choosy.add_client(ExplicitAuthFlows=["ALLOW_USER_AUTH"])["ClientId"]
    assert refusal(answer, app=choosy, begun=begin(choosy), client=other, ANSWER="PASSWORD", PASSWORD=PASSWORD) == OVER
    for name, given in (("EMAIL_OTP", {"EMAIL_OTP_CODE": ""}), ("SMS_MFA", {"SMS_MFA_CODE": "1"})):
        told = refusal(answer, app=choosy, begun=begin(choosy), name=name, **given)
        assert told == OVER


def test_a_second_factor_is_not_gone_around(choosy):
    """A code is one factor: who has a second begins with the password."""
    choosy.admin.set_user_pool_mfa_config(
        UserPoolId=choosy.pool, MfaConfiguration="OPTIONAL", EmailMfaConfiguration={"Message": "{####}"}
    )
    access = choosy.tokens()["AccessToken"]
    choosy.idp.set_user_mfa_preference(AccessToken=access, EmailMfaSettings={"Enabled": True, "PreferredMfa": True})
    begun = begin(choosy)
    assert begun["AvailableChallenges"] == ["PASSWORD", "PASSWORD_SRP"]
    asked = answer(choosy, begun, ANSWER="PASSWORD", PASSWORD=PASSWORD)
    assert asked["ChallengeName"] == "EMAIL_OTP"
    assert answer(choosy, asked, EMAIL_OTP_CODE=code_for(choosy, "ada@example.org"))["AuthenticationResult"]


def test_nobody_is_asked_like_anybody(choosy, refusal):
    flows = ["ALLOW_USER_AUTH"]
    shy = choosy.add_client(ExplicitAuthFlows=flows, PreventUserExistenceErrors="ENABLED")["ClientId"]
    begun = begin(choosy, "nobody", shy)
    assert begun["AvailableChallenges"] == ["PASSWORD", "PASSWORD_SRP", "EMAIL_OTP"]
    asked = answer(choosy, begun, user="nobody", client=shy, ANSWER="EMAIL_OTP")
    assert asked["ChallengeParameters"]["CODE_DELIVERY_DELIVERY_MEDIUM"] == "EMAIL"
    told = refusal(answer, app=choosy, begun=asked, user="nobody", client=shy, EMAIL_OTP_CODE="12345678")
    assert told[0] == "CodeMismatchException"
    begun = begin(choosy, "nobody", shy)
    told = refusal(answer, app=choosy, begun=begun, user="nobody", client=shy, ANSWER="PASSWORD", PASSWORD="x")
    assert told == ("NotAuthorizedException", "Incorrect username or password.")
    assert refusal(begin, app=choosy, user="nobody")[0] == "UserNotFoundException"


def test_a_deleted_user(choosy, refusal):
    asked = begin(choosy, PREFERRED_CHALLENGE="EMAIL_OTP")
    code = code_for(choosy, "ada@example.org")
    choosy.admin.admin_delete_user(UserPoolId=choosy.pool, Username="ada")
    assert refusal(answer, app=choosy, begun=asked, EMAIL_OTP_CODE=code)[0] == "CodeMismatchException"


def test_who_has_no_password_begins_with_a_code(choosy):
    made = choosy.idp.sign_up(
        ClientId=choosy.client, Username="eve", UserAttributes=[{"Name": "email", "Value": "eve@example.org"}]
    )
    assert made["UserConfirmed"] is False
    choosy.admin.admin_confirm_sign_up(UserPoolId=choosy.pool, Username="eve")
    choosy.admin.admin_update_user_attributes(
        UserPoolId=choosy.pool, Username="eve", UserAttributes=[{"Name": "email_verified", "Value": "true"}]
    )
    assert begin(choosy, "eve")["AvailableChallenges"] == ["EMAIL_OTP"]
    asked = begin(choosy, "eve", PREFERRED_CHALLENGE="EMAIL_OTP")
    assert answer(choosy, asked, user="eve", EMAIL_OTP_CODE=code_for(choosy, "eve@example.org"))["AuthenticationResult"]


def test_factors_that_a_pool_cannot_allow(app, refusal):
    call = app.admin.update_user_pool
    for factors in (["EMAIL_OTP"], ["PASSWORD", "SOFTWARE_TOKEN"]):
        policy = {"SignInPolicy": {"AllowedFirstAuthFactors": factors}}
        assert refusal(call, UserPoolId=app.pool, Policies=policy)[0] == "InvalidParameterException"
    lite = refusal(call, UserPoolId=app.pool, Policies=policies("EMAIL_OTP"), UserPoolTier="LITE")
    assert lite[0] == "FeatureUnavailableInTierException"
    call(UserPoolId=app.pool, Policies=policies("EMAIL_OTP"))
    shown = app.admin.describe_user_pool(UserPoolId=app.pool)["UserPool"]["Policies"]["SignInPolicy"]
    assert shown == {"AllowedFirstAuthFactors": ["PASSWORD", "EMAIL_OTP"]}
    configured = {"MfaConfiguration": "ON", "SoftwareTokenMfaConfiguration": {"Enabled": True}}
    told = refusal(app.admin.set_user_pool_mfa_config, UserPoolId=app.pool, **configured)
    assert told[0] == "InvalidParameterException"
