"""Challenges: a new password, an authenticator app, and what happens to answers that were not asked for."""

from __future__ import annotations

import pytest

from sts_emulator.accounts.people import totp

OVER = ("NotAuthorizedException", "Invalid session for the user.")
NEW = "Another-horse-2"


def answer(app, begun: dict, name: str = "", *, client: str = "", session: str | None = None, **given: str) -> dict:
    return app.idp.respond_to_auth_challenge(
        ClientId=client or app.client,
        ChallengeName=name or begun["ChallengeName"],
        Session=session or begun["Session"],
        ChallengeResponses={"USERNAME": "ada", **given},
    )


@pytest.fixture
def invited(new_app):
    """A pool in which `ada` has a temporary password only."""
    app = new_app()
    app.add_user("ada", password=None, email="ada@example.org")
    return app


@pytest.fixture
def guarded(app):
    """A pool that demands a second factor, and `ada` has an app: also its secret."""
    app.admin.set_user_pool_mfa_config(
        UserPoolId=app.pool, MfaConfiguration="ON", SoftwareTokenMfaConfiguration={"Enabled": True}
    )
    begun = app.sign_in()
    secret, session = pair(app, begun)
    answer(app, begun, session=session)
    app.aws.advance(minutes=5)
    return app, secret


def pair(app, begun: dict) -> tuple[str, str]:
    """The secret of a paired app, and the session that finishes MFA_SETUP."""
    associated = app.idp.associate_software_token(Session=begun["Session"])
    code = totp(associated["SecretCode"], app.aws.now())
    verified = app.idp.verify_software_token(Session=associated["Session"], UserCode=code)
    assert verified["Status"] == "SUCCESS"
    return associated["SecretCode"], verified["Session"]


# -- a new password --------------------------------------------------------------------------------------------------


def test_a_temporary_password_must_be_replaced(invited, refusal):
    begun = invited.sign_in(password="Temporary-1")
    assert begun["ChallengeName"] == "NEW_PASSWORD_REQUIRED"
    assert begun["ChallengeParameters"]["USER_ID_FOR_SRP"] == "ada"

    assert answer(invited, begun, NEW_PASSWORD=NEW)["AuthenticationResult"]["IdToken"]
    assert invited.tokens(password=NEW)
    assert refusal(invited.sign_in, password="Temporary-1")[0] == "NotAuthorizedException"


def test_the_same_by_srp(invited):
    from pycognito.aws_srp import AWSSRP

    signing_in = AWSSRP("ada", "Temporary-1", invited.pool, invited.client, client=invited.idp)
    assert signing_in.set_new_password_challenge(NEW)["AuthenticationResult"]["AccessToken"]


def test_a_temporary_password_is_over_after_a_week(invited, refusal):
    invited.aws.advance(days=8)
    assert "Temporary password has expired" in refusal(invited.sign_in, password="Temporary-1")[1]


def test_a_password_that_the_policy_refuses_can_be_tried_again(invited, refusal):
    begun = invited.sign_in(password="Temporary-1")
    expected = ("InvalidPasswordException", "Password did not conform with policy: Password not long enough")
    assert refusal(answer, app=invited, begun=begun, NEW_PASSWORD="a") == expected
    assert answer(invited, begun, NEW_PASSWORD=NEW)["AuthenticationResult"]


def test_a_session_is_good_once(invited, refusal):
    begun = invited.sign_in(password="Temporary-1")
    assert answer(invited, begun, NEW_PASSWORD=NEW)["AuthenticationResult"]
    assert refusal(answer, app=invited, begun=begun, NEW_PASSWORD="Third-horse-3") == OVER
    assert invited.tokens(password=NEW)


@pytest.mark.parametrize(
    ("name", "given"),
    [
        ("SOFTWARE_TOKEN_MFA", {"SOFTWARE_TOKEN_MFA_CODE": "123456"}),
        ("MFA_SETUP", {}),
        ("NEW_PASSWORD_REQUIRED", {"NEW_PASSWORD": NEW}),
    ],
)
def test_an_answer_needs_the_session_of_its_challenge(app, refusal, name, given):
    """A peer let a second factor be skipped by an answer without a session."""
    call = app.idp.respond_to_auth_challenge
    whole = {"ClientId": app.client, "ChallengeName": name, "ChallengeResponses": {"USERNAME": "ada", **given}}
    assert refusal(call, **whole) == ("InvalidParameterException", "Missing required parameter Session")
    assert refusal(call, **whole, Session="x" * 40) == OVER
    app.add_user("bob", password=None)
    other = app.sign_in("bob", "Temporary-1")
    if name != other["ChallengeName"]:
        assert refusal(call, **whole, Session=other["Session"]) == OVER


def test_a_session_is_for_its_user(invited, refusal):
    invited.add_user("bob")
    begun = invited.sign_in(password="Temporary-1")
    assert refusal(answer, app=invited, begun=begun, USERNAME="bob", NEW_PASSWORD=NEW) == OVER


def test_a_session_is_for_its_client(invited, refusal):
    begun = invited.sign_in(password="Temporary-1")
    other = invited.add_client()["ClientId"]
    assert refusal(answer, app=invited, begun=begun, client=other, NEW_PASSWORD=NEW) == OVER


def test_a_session_is_over_after_three_minutes(invited, refusal):
    begun = invited.sign_in(password="Temporary-1")
    invited.aws.advance(minutes=4)
    assert refusal(answer, app=invited, begun=begun, NEW_PASSWORD=NEW)[1].endswith("session is expired.")


def test_users_cannot_verify_themselves_on_the_way(invited, refusal):
    begun = invited.sign_in(password="Temporary-1")
    given = {"NEW_PASSWORD": NEW, "userAttributes.email_verified": "true"}
    assert refusal(answer, app=invited, begun=begun, **given)[0] == "NotAuthorizedException"


# -- an authenticator app --------------------------------------------------------------------------------------------


def test_a_pool_that_demands_a_factor_has_it_set_up(app):
    app.admin.set_user_pool_mfa_config(
        UserPoolId=app.pool, MfaConfiguration="ON", SoftwareTokenMfaConfiguration={"Enabled": True}
    )
    begun = app.sign_in()
    assert begun["ChallengeName"] == "MFA_SETUP"
    assert begun["ChallengeParameters"]["MFAS_CAN_SETUP"] == '["SOFTWARE_TOKEN_MFA"]'

    _, session = pair(app, begun)
    tokens = answer(app, begun, session=session)["AuthenticationResult"]
    assert app.idp.get_user(AccessToken=tokens["AccessToken"])["UserMFASettingList"] == ["SOFTWARE_TOKEN_MFA"]


def test_setup_cannot_be_finished_before_the_app_is_proven(app, refusal):
    app.admin.set_user_pool_mfa_config(
        UserPoolId=app.pool, MfaConfiguration="ON", SoftwareTokenMfaConfiguration={"Enabled": True}
    )
    begun = app.sign_in()
    assert refusal(answer, app=app, begun=begun) == OVER
    associated = app.idp.associate_software_token(Session=app.sign_in()["Session"])
    assert refusal(app.idp.verify_software_token, Session=associated["Session"], UserCode="000000") == (
        "EnableSoftwareTokenMFAException",
        "Code mismatch",
    )
    assert refusal(answer, app=app, begun=begun, session=associated["Session"]) == OVER


def test_a_code_signs_in(guarded):
    app, secret = guarded
    begun = app.sign_in()
    assert begun["ChallengeName"] == "SOFTWARE_TOKEN_MFA"
    code = totp(secret, app.aws.now())
    assert answer(app, begun, SOFTWARE_TOKEN_MFA_CODE=code)["AuthenticationResult"]["IdToken"]


def test_a_code_is_good_once(guarded, refusal):
    app, secret = guarded
    code = totp(secret, app.aws.now())
    assert answer(app, app.sign_in(), SOFTWARE_TOKEN_MFA_CODE=code)["AuthenticationResult"]
    expected = ("ExpiredCodeException", "Your software token has already been used once.")
    assert refusal(answer, app=app, begun=app.sign_in(), SOFTWARE_TOKEN_MFA_CODE=code) == expected


def test_wrong_codes_use_up_the_session_and_lock_out(guarded, refusal):
    app, secret = guarded
    begun = app.sign_in()
    for _ in range(3):
        assert refusal(answer, app=app, begun=begun, SOFTWARE_TOKEN_MFA_CODE="000000")[0] == "CodeMismatchException"
    right = totp(secret, app.aws.now())
    assert refusal(answer, app=app, begun=begun, SOFTWARE_TOKEN_MFA_CODE=right) == OVER
    again = app.sign_in()
    for _ in range(2):
        refusal(answer, app=app, begun=again, SOFTWARE_TOKEN_MFA_CODE="000000")
    app.stretch_wait()
    assert refusal(app.sign_in)[1] == "Password attempts exceeded"


def test_a_user_may_have_a_factor_where_it_is_optional(app, refusal):
    app.admin.set_user_pool_mfa_config(
        UserPoolId=app.pool, MfaConfiguration="OPTIONAL", SoftwareTokenMfaConfiguration={"Enabled": True}
    )
    access = app.tokens()["AccessToken"]
    wanted = {"AccessToken": access, "SoftwareTokenMfaSettings": {"Enabled": True, "PreferredMfa": True}}
    assert refusal(app.idp.set_user_mfa_preference, **wanted)[0] == "InvalidParameterException"

    secret = app.idp.associate_software_token(AccessToken=access)["SecretCode"]
    assert "AuthenticationResult" in app.sign_in()
    app.idp.verify_software_token(AccessToken=access, UserCode=totp(secret, app.aws.now()))
    app.idp.set_user_mfa_preference(**wanted)
    assert app.sign_in()["ChallengeName"] == "SOFTWARE_TOKEN_MFA"
    assert app.admin.admin_get_user(UserPoolId=app.pool, Username="ada")["PreferredMfaSetting"] == "SOFTWARE_TOKEN_MFA"


def test_a_pool_without_a_factor_cannot_demand_one(app, refusal):
    call = app.admin.set_user_pool_mfa_config
    assert refusal(call, UserPoolId=app.pool, MfaConfiguration="ON")[0] == "InvalidParameterException"
