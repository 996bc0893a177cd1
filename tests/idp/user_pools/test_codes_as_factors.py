"""Codes by mail and text as a second factor, and which factor it is."""

from __future__ import annotations

import json

import pytest

from sts_emulator.accounts.people import totp

SMS = {"SmsConfiguration": {"SnsCallerArn": "arn:aws:iam::123456789012:role/sms"}}
EMAIL = {"Message": "Sign in with {####}", "Subject": "Your code"}
PHONE = "+15550100"
OVER = ("NotAuthorizedException", "Invalid session for the user.")


def factors(app, mode: str = "OPTIONAL", **more) -> None:
    configured = {"SmsMfaConfiguration": SMS, "EmailMfaConfiguration": EMAIL, **more}
    app.admin.set_user_pool_mfa_config(UserPoolId=app.pool, MfaConfiguration=mode, **configured)


def answer(app, begun: dict, name: str = "", *, client: str = "", **given: str) -> dict:
    return app.idp.respond_to_auth_challenge(
        ClientId=client or app.client,
        ChallengeName=name or begun["ChallengeName"],
        Session=begun["Session"],
        ChallengeResponses={"USERNAME": "ada", **given},
    )


def code_for(app, to: str) -> str:
    return app.aws.messages(to)[-1]["text"].split()[-1]


@pytest.fixture
def reachable(new_app):
    """A pool with codes as factors, and `ada` with a telephone and an address."""
    app = new_app()
    app.add_user(
        "ada", email="ada@example.org", email_verified="true", phone_number=PHONE, phone_number_verified="true"
    )
    factors(app)
    return app


def prefer(app, **settings) -> None:
    app.idp.set_user_mfa_preference(AccessToken=app.tokens()["AccessToken"], **settings)


@pytest.mark.parametrize(
    ("setting", "name", "to", "medium", "shown"),
    [
        ("SMSMfaSettings", "SMS_MFA", PHONE, "SMS", "+***0100"),
        ("EmailMfaSettings", "EMAIL_OTP", "ada@example.org", "EMAIL", "a***@e***"),
    ],
)
def test_a_code_that_is_sent_signs_in(reachable, setting, name, to, medium, shown):
    app = reachable
    prefer(app, **{setting: {"Enabled": True, "PreferredMfa": True}})
    begun = app.sign_in()
    assert begun["ChallengeName"] == name
    told = begun["ChallengeParameters"]
    assert told["CODE_DELIVERY_DELIVERY_MEDIUM"] == medium
    assert told["CODE_DELIVERY_DESTINATION"][-4:] == shown[-4:]
    tokens = answer(app, begun, **{f"{name}_CODE": code_for(app, to)})["AuthenticationResult"]
    user = app.idp.get_user(AccessToken=tokens["AccessToken"])
    assert (user["PreferredMfaSetting"], user["UserMFASettingList"]) == (name, [name])


def test_the_words_are_the_pools_or_its_functions(reachable, hooks):
    app = reachable
    prefer(app, EmailMfaSettings={"Enabled": True, "PreferredMfa": True})
    app.sign_in()
    message = app.aws.messages("ada@example.org")[-1]
    assert (message["subject"], message["text"][:13]) == ("Your code", "Sign in with ")

    def worded(event: dict) -> dict:
        event["response"] = {"emailMessage": "Here: {####}"}
        return event

    hooks.play(app, CustomMessage=worded)
    app.sign_in()
    assert app.aws.messages("ada@example.org")[-1]["text"].startswith("Here: ")
    assert hooks.sources() == ["CustomMessage_Authentication"]


def test_wrong_codes_use_up_the_session_and_lock_out(reachable, refusal):
    app = reachable
    prefer(app, SMSMfaSettings={"Enabled": True, "PreferredMfa": True})
    begun = app.sign_in()
    right = code_for(app, PHONE)
    wrong = "000000" if right != "000000" else "111111"
    for _ in range(3):
        assert refusal(answer, app=app, begun=begun, SMS_MFA_CODE=wrong)[0] == "CodeMismatchException"
    assert refusal(answer, app=app, begun=begun, SMS_MFA_CODE=right) == OVER
    again = app.sign_in()
    for _ in range(2):
        refusal(answer, app=app, begun=again, SMS_MFA_CODE="x")
    app.stretch_wait()
    assert refusal(app.sign_in)[1] == "Password attempts exceeded"
    assert len(app.aws.messages(PHONE)) == 2


def test_a_code_is_for_its_challenge(reachable, refusal):
    app = reachable
    prefer(app, SMSMfaSettings={"Enabled": True, "PreferredMfa": True})
    first, early = app.sign_in(), code_for(app, PHONE)
    second, late = app.sign_in(), code_for(app, PHONE)
    if early != late:
        assert refusal(answer, app=app, begun=second, SMS_MFA_CODE=early)[0] == "CodeMismatchException"
    assert answer(app, first, SMS_MFA_CODE=early)["AuthenticationResult"]
    assert refusal(answer, app=app, begun=first, SMS_MFA_CODE=early) == OVER
    other = app.add_client()["ClientId"]
    assert refusal(answer, app=app, begun=second, client=other, SMS_MFA_CODE=late) == OVER


def test_a_session_of_somebody_else_or_of_another_step(reachable, refusal):
    app = reachable
    app.add_user("bob")
    prefer(app, SMSMfaSettings={"Enabled": True, "PreferredMfa": True})
    begun, right = app.sign_in(), code_for(app, PHONE)
    assert refusal(answer, app=app, begun=begun, USERNAME="bob", SMS_MFA_CODE=right) == OVER
    begun, right = app.sign_in(), code_for(app, PHONE)
    assert refusal(answer, app=app, begun=begun, name="EMAIL_OTP", EMAIL_OTP_CODE=right) == OVER


def test_a_deleted_user_is_not_signed_in(reachable, refusal):
    app = reachable
    prefer(app, SMSMfaSettings={"Enabled": True, "PreferredMfa": True})
    begun, right = app.sign_in(), code_for(app, PHONE)
    app.admin.admin_delete_user(UserPoolId=app.pool, Username="ada")
    assert refusal(answer, app=app, begun=begun, SMS_MFA_CODE=right)[0] in (
        "CodeMismatchException",
        "NotAuthorizedException",
    )


def test_one_of_several_is_chosen(reachable, refusal):
    app = reachable
    prefer(app, SMSMfaSettings={"Enabled": True}, EmailMfaSettings={"Enabled": True})
    begun = app.sign_in()
    assert begun["ChallengeName"] == "SELECT_MFA_TYPE"
    assert json.loads(begun["ChallengeParameters"]["MFAS_CAN_CHOOSE"]) == ["SMS_MFA", "EMAIL_OTP"]
    assert refusal(answer, app=app, begun=begun, ANSWER="SOFTWARE_TOKEN_MFA")[0] == "InvalidParameterException"
    asked = answer(app, begun, ANSWER="EMAIL_OTP")
    assert asked["ChallengeName"] == "EMAIL_OTP"
    assert answer(app, asked, EMAIL_OTP_CODE=code_for(app, "ada@example.org"))["AuthenticationResult"]


def test_where_a_factor_is_demanded_a_verified_telephone_is_one(reachable):
    app = reachable
    factors(app, "ON", EmailMfaConfiguration=EMAIL, SoftwareTokenMfaConfiguration={"Enabled": True})
    app.admin.admin_update_user_attributes(
        UserPoolId=app.pool, Username="ada", UserAttributes=[{"Name": "email_verified", "Value": "false"}]
    )
    assert app.sign_in()["ChallengeName"] == "SMS_MFA"
    app.add_user("bob")
    begun = app.sign_in("bob")
    assert begun["ChallengeName"] == "MFA_SETUP"
    assert json.loads(begun["ChallengeParameters"]["MFAS_CAN_SETUP"]) == ["SMS_MFA", "EMAIL_OTP", "SOFTWARE_TOKEN_MFA"]


def test_only_one_can_be_preferred(reachable, refusal):
    app = reachable
    factors(app, SoftwareTokenMfaConfiguration={"Enabled": True})
    access = app.tokens()["AccessToken"]
    both = {
        "SMSMfaSettings": {"Enabled": True, "PreferredMfa": True},
        "EmailMfaSettings": {"Enabled": True, "PreferredMfa": True},
    }
    call = app.idp.set_user_mfa_preference
    assert refusal(call, AccessToken=access, **both)[0] == "InvalidParameterException"
    call(AccessToken=access, SMSMfaSettings=both["SMSMfaSettings"])
    seed = app.idp.associate_software_token(AccessToken=access)["SecretCode"]
    app.idp.verify_software_token(AccessToken=access, UserCode=totp(seed, app.aws.now()))
    call(AccessToken=access, SoftwareTokenMfaSettings={"Enabled": True, "PreferredMfa": True})
    user = app.idp.get_user(AccessToken=access)
    assert (user["PreferredMfaSetting"], user["UserMFASettingList"]) == (
        "SOFTWARE_TOKEN_MFA",
        ["SMS_MFA", "SOFTWARE_TOKEN_MFA"],
    )
    assert app.sign_in()["ChallengeName"] == "SOFTWARE_TOKEN_MFA"


def test_what_is_not_configured_cannot_be_a_factor(app, refusal):
    access = app.tokens()["AccessToken"]
    call = app.idp.set_user_mfa_preference
    told = refusal(call, AccessToken=access, EmailMfaSettings={"Enabled": True})
    assert told == ("InvalidParameterException", "User does not have delivery config set to turn on EMAIL_OTP")
    configure = app.admin.set_user_pool_mfa_config
    told = refusal(configure, UserPoolId=app.pool, MfaConfiguration="ON", SmsMfaConfiguration={})
    assert told[0] == "InvalidParameterException"
    configure(UserPoolId=app.pool, MfaConfiguration="OPTIONAL", EmailMfaConfiguration=EMAIL)
    assert app.admin.get_user_pool_mfa_config(UserPoolId=app.pool)["EmailMfaConfiguration"] == EMAIL
