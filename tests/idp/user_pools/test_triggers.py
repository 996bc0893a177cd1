"""Lambda triggers, played by an HTTP hook: each source, what it may say, and what becomes of it."""

from __future__ import annotations

import pytest

NEW = "Another-horse-2"


def same(event: dict) -> dict:
    return event


def answering(**response):
    """A function that answers with these members."""

    def function(event: dict) -> dict:
        event["response"] |= response
        return event

    return function


def refusing(message: str):
    def function(_: dict) -> dict:
        raise RuntimeError(message)

    return function


def sign_up(app, name: str = "eve", **more):
    attributes = [{"Name": "email", "Value": f"{name}@example.org"}]
    return app.idp.sign_up(
        ClientId=app.client, Username=name, Password="Correct-horse-1", UserAttributes=attributes, **more
    )


def last_code(app, to: str) -> str:
    return app.aws.messages(to)[-1]["text"].split()[-1].rstrip(".")


# -- signing up ------------------------------------------------------------------------------------------------------


def test_before_a_sign_up_a_function_is_told_of_it(app, hooks):
    hooks.play(app, PreSignUp=same)
    sign_up(app, ValidationData=[{"Name": "captcha", "Value": "42"}], ClientMetadata={"from": "shop"})
    event = hooks.events[0]
    assert event["version"] == "1"
    assert event["triggerSource"] == "PreSignUp_SignUp"
    assert (event["region"], event["userPoolId"], event["userName"]) == ("us-east-1", app.pool, "eve")
    assert event["callerContext"]["clientId"] == app.client
    assert event["request"] == {
        "userAttributes": {"email": "eve@example.org"},
        "validationData": {"captcha": "42"},
        "clientMetadata": {"from": "shop"},
    }
    assert event["response"] == {"autoConfirmUser": False, "autoVerifyPhone": False, "autoVerifyEmail": False}


def test_it_may_confirm_and_verify(app, hooks):
    hooks.play(app, PreSignUp=answering(autoConfirmUser=True, autoVerifyEmail=True), PostConfirmation=same)
    assert sign_up(app)["UserConfirmed"] is True
    user = app.admin.admin_get_user(UserPoolId=app.pool, Username="eve")
    assert user["UserStatus"] == "CONFIRMED"
    assert {"Name": "email_verified", "Value": "true"} in user["UserAttributes"]
    assert hooks.sources() == ["PreSignUp_SignUp", "PostConfirmation_ConfirmSignUp"]
    assert app.tokens("eve")


def test_what_has_no_address_cannot_be_verified(app, hooks, refusal):
    hooks.play(app, PreSignUp=answering(autoVerifyPhone=True))
    assert refusal(sign_up, app=app)[0] == "InvalidLambdaResponseException"
    assert refusal(app.admin.admin_get_user, UserPoolId=app.pool, Username="eve")[0] == "UserNotFoundException"


def test_it_may_refuse(app, hooks, refusal):
    hooks.play(app, PreSignUp=refusing("Only our own domain"))
    assert refusal(sign_up, app=app) == (
        "UserLambdaValidationException",
        "PreSignUp failed with error Only our own domain.",
    )
    assert refusal(app.admin.admin_get_user, UserPoolId=app.pool, Username="eve")[0] == "UserNotFoundException"


def test_it_hears_of_users_whom_an_administrator_makes(app, hooks, refusal):
    hooks.play(app, PreSignUp=answering(autoConfirmUser=True, autoVerifyEmail=True))
    app.add_user("joe", password=None, email="joe@example.org")
    assert hooks.events[0]["triggerSource"] == "PreSignUp_AdminCreateUser"
    assert hooks.events[0]["callerContext"]["clientId"] == "CLIENT_ID_NOT_APPLICABLE"
    user = app.admin.admin_get_user(UserPoolId=app.pool, Username="joe")
    assert user["UserStatus"] == "FORCE_CHANGE_PASSWORD"  # what it answers counts for those who sign up alone
    hooks.play(app, PreSignUp=refusing("no"))
    assert refusal(app.admin.admin_create_user, UserPoolId=app.pool, Username="kim")[0] == (
        "UserLambdaValidationException"
    )


def test_after_a_confirmation_and_a_new_password(app, hooks):
    app.admin.update_user_pool(UserPoolId=app.pool, AutoVerifiedAttributes=["email"])
    hooks.play(app, PostConfirmation=same)
    sign_up(app)
    code = last_code(app, "eve@example.org")
    app.idp.confirm_sign_up(ClientId=app.client, Username="eve", ConfirmationCode=code, ClientMetadata={"from": "shop"})
    assert hooks.events[0]["triggerSource"] == "PostConfirmation_ConfirmSignUp"
    assert hooks.events[0]["request"]["clientMetadata"] == {"from": "shop"}
    assert hooks.events[0]["request"]["userAttributes"]["cognito:user_status"] == "CONFIRMED"

    app.idp.forgot_password(ClientId=app.client, Username="eve")
    code = last_code(app, "eve@example.org")
    app.idp.confirm_forgot_password(ClientId=app.client, Username="eve", ConfirmationCode=code, Password=NEW)
    assert hooks.events[1]["triggerSource"] == "PostConfirmation_ConfirmForgotPassword"


def test_what_is_confirmed_stays_so_whatever_the_function_says(app, hooks, refusal):
    hooks.play(app, PostConfirmation=refusing("no"))
    sign_up(app)
    call = app.admin.admin_confirm_sign_up
    assert refusal(call, UserPoolId=app.pool, Username="eve")[0] == "UserLambdaValidationException"
    assert app.tokens("eve")


# -- signing in ------------------------------------------------------------------------------------------------------


def test_before_and_after_a_sign_in(app, hooks, refusal):
    hooks.play(app, PreAuthentication=same, PostAuthentication=same)
    app.idp.initiate_auth(
        AuthFlow="USER_PASSWORD_AUTH",
        ClientId=app.client,
        AuthParameters={"USERNAME": "ada", "PASSWORD": "Correct-horse-1"},
        ClientMetadata={"from": "shop"},
    )
    before, after = hooks.events
    assert before["request"]["validationData"] == {"from": "shop"}
    assert before["request"]["userAttributes"]["email"] == "ada@example.org"
    assert after["triggerSource"] == "PostAuthentication_Authentication"
    assert after["request"]["newDeviceUsed"] is False
    assert "clientMetadata" not in after["request"]  # AWS hands that of InitiateAuth to triggers before alone

    hooks.play(app, PreAuthentication=refusing("Not on Sundays"))
    assert refusal(app.sign_in) == (
        "UserLambdaValidationException",
        "PreAuthentication failed with error Not on Sundays.",
    )
    hooks.play(app, PostAuthentication=refusing("Not from there"))
    assert refusal(app.sign_in)[1] == "PostAuthentication failed with error Not from there."


def test_by_srp_too(app, hooks):
    from pycognito.aws_srp import AWSSRP

    hooks.play(app, PreAuthentication=same, PostAuthentication=same, PreTokenGeneration=same)
    AWSSRP("ada", "Correct-horse-1", app.pool, app.client, client=app.idp).authenticate_user()
    assert hooks.sources() == [
        "PreAuthentication_Authentication",
        "PostAuthentication_Authentication",
        "TokenGeneration_Authentication",
    ]


def test_a_wrong_password_has_no_after(app, hooks, refusal):
    hooks.play(app, PreAuthentication=same, PostAuthentication=same)
    assert refusal(app.sign_in, password="Wrong-horse-1")[0] == "NotAuthorizedException"
    assert hooks.sources() == ["PreAuthentication_Authentication"]


def test_nobody_is_nobody_to_the_function_too(app, hooks, refusal):
    hooks.play(app, PreAuthentication=same)
    shy = app.add_client(PreventUserExistenceErrors="ENABLED")["ClientId"]
    assert refusal(app.sign_in, user="nobody", client=shy)[0] == "NotAuthorizedException"
    assert hooks.events[0]["request"] == {"userAttributes": {}, "validationData": None, "userNotFound": True}


# -- messages --------------------------------------------------------------------------------------------------------


def test_the_words_of_a_message(app, hooks):
    app.admin.update_user_pool(UserPoolId=app.pool, AutoVerifiedAttributes=["email"])
    hooks.play(
        app,
        CustomMessage=answering(emailMessage="Welcome to the shop: {####}.", emailSubject="Welcome", smsMessage="x"),
    )
    sign_up(app)
    message = app.aws.messages("eve@example.org")[-1]
    assert message["subject"] == "Welcome"
    assert message["text"].startswith("Welcome to the shop: ")
    code = last_code(app, "eve@example.org")
    app.idp.confirm_sign_up(ClientId=app.client, Username="eve", ConfirmationCode=code)
    assert hooks.events[0]["request"]["codeParameter"] == "{####}"


def test_each_kind_of_message_has_its_source(app, hooks):
    app.admin.update_user_pool(UserPoolId=app.pool, AutoVerifiedAttributes=["email"])
    hooks.play(app, CustomMessage=same)
    sign_up(app)
    app.idp.resend_confirmation_code(ClientId=app.client, Username="eve")
    app.idp.forgot_password(ClientId=app.client, Username="ada")
    access = app.tokens()["AccessToken"]
    app.idp.update_user_attributes(AccessToken=access, UserAttributes=[{"Name": "email", "Value": "a@example.org"}])
    app.idp.get_user_attribute_verification_code(AccessToken=access, AttributeName="email")
    app.admin.admin_create_user(
        UserPoolId=app.pool,
        Username="joe",
        UserAttributes=[{"Name": "email", "Value": "joe@example.org"}],
        DesiredDeliveryMediums=["EMAIL"],
    )
    kinds = [source.removeprefix("CustomMessage_") for source in hooks.sources()]
    assert kinds == [
        *("SignUp", "ResendCode", "ForgotPassword", "UpdateUserAttribute", "VerifyUserAttribute", "AdminCreateUser")
    ]
    assert hooks.events[-1]["request"]["usernameParameter"] == "{username}"
    assert "temporary password" in app.aws.messages("joe@example.org")[-1]["text"]


def test_a_message_without_its_code_is_refused(app, hooks, refusal):
    hooks.play(app, CustomMessage=answering(emailMessage="Hello"))
    call = app.idp.forgot_password
    assert refusal(call, ClientId=app.client, Username="ada")[0] == "InvalidLambdaResponseException"
    assert app.aws.messages("ada@example.org") == []


# -- tokens ----------------------------------------------------------------------------------------------------------


def overriding(**details):
    return answering(claimsOverrideDetails=details)


def test_claims_of_an_id_token(app, hooks):
    app.admin.create_group(UserPoolId=app.pool, GroupName="staff")
    app.admin.admin_add_user_to_group(UserPoolId=app.pool, Username="ada", GroupName="staff")
    hooks.play(
        app,
        PreTokenGeneration=overriding(
            claimsToAddOrOverride={"tenant": "acme", "sub": "forged", "aud": "forged", "cognito:groups": "admin"},
            claimsToSuppress=["email", "token_use", "exp"],
        ),
    )
    tokens = app.tokens()
    told = app.claims(tokens["IdToken"])
    assert told["tenant"] == "acme"
    assert "email" not in told
    assert told["token_use"] == "id"
    assert told["aud"] == app.client
    assert told["sub"] != "forged"
    assert told["cognito:groups"] == ["staff"]
    assert told["exp"]
    assert "tenant" not in app.claims(tokens["AccessToken"])
    assert hooks.events[0]["request"]["groupConfiguration"] == {
        "groupsToOverride": ["staff"],
        "iamRolesToOverride": [],
        "preferredRole": None,
    }


def test_groups_in_tokens(app, hooks):
    role = "arn:aws:iam::123456789012:role/buyer"
    groups = {"groupsToOverride": ["buyers"], "iamRolesToOverride": [role], "preferredRole": role}
    hooks.play(app, PreTokenGeneration=overriding(groupOverrideDetails=groups))
    tokens = app.tokens()
    told = app.claims(tokens["IdToken"])
    assert (told["cognito:groups"], told["cognito:roles"], told["cognito:preferred_role"]) == (["buyers"], [role], role)
    assert app.claims(tokens["AccessToken"])["cognito:groups"] == ["buyers"]

    app.admin.create_group(UserPoolId=app.pool, GroupName="staff")
    app.admin.admin_add_user_to_group(UserPoolId=app.pool, Username="ada", GroupName="staff")
    hooks.play(app, PreTokenGeneration=overriding(groupOverrideDetails=None))
    assert "cognito:groups" not in app.claims(app.tokens()["IdToken"])


@pytest.mark.parametrize(("version", "number"), [("V2_0", "2"), ("V3_0", "3")])
def test_access_tokens_in_the_later_versions(app, hooks, version, number, refusal):
    details = {
        "idTokenGeneration": {"claimsToAddOrOverride": {"levels": [1, 2]}},
        "accessTokenGeneration": {
            "claimsToAddOrOverride": {"tenant": {"id": 7}, "client_id": "forged", "username": "forged"},
            "claimsToSuppress": ["auth_time", "event_id"],
            "scopesToAdd": ["orders.read"],
        },
    }
    config = {"PreTokenGenerationConfig": {"LambdaVersion": version, "LambdaArn": hooks.arn("PreTokenGeneration")}}
    hooks.play(app, config, PreTokenGeneration=answering(claimsAndScopeOverrideDetails=details))
    tokens = app.tokens()
    event = hooks.events[0]
    assert (event["version"], event["request"]["scopes"]) == (number, ["aws.cognito.signin.user.admin"])
    assert app.claims(tokens["IdToken"])["levels"] == [1, 2]
    access = app.claims(tokens["AccessToken"])
    assert (access["tenant"], access["client_id"], access["username"]) == ({"id": 7}, app.client, "ada")
    assert access["scope"] == "aws.cognito.signin.user.admin orders.read"
    assert app.idp.get_user(AccessToken=tokens["AccessToken"])["Username"] == "ada"

    details["accessTokenGeneration"] = {"scopesToSuppress": ["aws.cognito.signin.user.admin"]}
    hooks.play(app, config, PreTokenGeneration=answering(claimsAndScopeOverrideDetails=details))
    narrow = app.tokens()["AccessToken"]
    assert refusal(app.idp.get_user, AccessToken=narrow)[1] == "Access Token does not have required scopes"


def test_refreshed_tokens_are_asked_about_again(app, hooks):
    hooks.play(app, PreTokenGeneration=same)
    tokens = app.tokens()
    app.idp.initiate_auth(
        AuthFlow="REFRESH_TOKEN_AUTH", ClientId=app.client, AuthParameters={"REFRESH_TOKEN": tokens["RefreshToken"]}
    )
    app.add_user("joe", password=None)
    begun = app.sign_in("joe", "Temporary-1")
    app.idp.respond_to_auth_challenge(
        ClientId=app.client,
        ChallengeName="NEW_PASSWORD_REQUIRED",
        Session=begun["Session"],
        ChallengeResponses={"USERNAME": "joe", "NEW_PASSWORD": NEW},
        ClientMetadata={"from": "shop"},
    )
    assert hooks.sources() == [
        "TokenGeneration_Authentication",
        "TokenGeneration_RefreshTokens",
        "TokenGeneration_NewPasswordChallenge",
    ]
    assert hooks.events[-1]["request"]["clientMetadata"] == {"from": "shop"}


# -- migration -------------------------------------------------------------------------------------------------------


def migrating(event: dict) -> dict:
    if event["request"].get("password", "Old-password-1") != "Old-password-1":
        raise RuntimeError("Bad password")
    event["response"] = {
        "userAttributes": {"email": "old@example.org", "email_verified": "true"},
        "finalUserStatus": "CONFIRMED",
        "messageAction": "SUPPRESS",
    }
    return event


def test_somebody_is_taken_over_as_they_sign_in(app, hooks, refusal):
    hooks.play(app, UserMigration=migrating)
    assert refusal(app.sign_in, user="old", password="Wrong-password-1") == (
        "UserLambdaValidationException",
        "UserMigration failed with error Bad password.",
    )
    assert refusal(app.admin.admin_get_user, UserPoolId=app.pool, Username="old")[0] == "UserNotFoundException"
    told = app.claims(app.tokens("old", "Old-password-1")["IdToken"])
    assert (told["email"], told["email_verified"]) == ("old@example.org", True)
    assert app.tokens("old", "Old-password-1")
    assert hooks.sources() == ["UserMigration_Authentication"] * 2  # whom the pool knows, it does not ask about


def test_somebody_is_taken_over_who_forgot_their_password(app, hooks):
    hooks.play(app, UserMigration=migrating)
    sent = app.idp.forgot_password(ClientId=app.client, Username="old")["CodeDeliveryDetails"]
    assert sent["Destination"] == "o***@e***"
    code = last_code(app, "old@example.org")
    app.idp.confirm_forgot_password(ClientId=app.client, Username="old", ConfirmationCode=code, Password=NEW)
    assert app.tokens("old", NEW)
    assert hooks.sources() == ["UserMigration_ForgotPassword"]
    assert "password" not in hooks.events[0]["request"]


def test_somebody_who_cannot_be_taken_over(app, hooks, refusal):
    hooks.play(app, UserMigration=answering(userAttributes={"sub": "forged"}))
    assert refusal(app.sign_in, user="old") == (
        "UserNotFoundException",
        f"Exception migrating user in app client {app.client}",
    )
    hooks.play(app, UserMigration=same)
    assert refusal(app.sign_in, user="old")[0] == "InvalidLambdaResponseException"


# -- what a pool names -----------------------------------------------------------------------------------------------


def test_a_pool_tells_its_functions(app, hooks):
    arn = hooks.arn("PreTokenGeneration")
    app.admin.update_user_pool(UserPoolId=app.pool, LambdaConfig={"PreTokenGeneration": arn, "PreSignUp": arn})
    config = app.admin.describe_user_pool(UserPoolId=app.pool)["UserPool"]["LambdaConfig"]
    assert config == {
        "PreTokenGeneration": arn,
        "PreSignUp": arn,
        "PreTokenGenerationConfig": {"LambdaVersion": "V1_0", "LambdaArn": arn},
    }


@pytest.mark.parametrize(
    ("config", "code"),
    [
        ({"PreSignUp": "arn:aws:iam::123456789012:role/no-function"}, "InvalidParameterException"),
        ({"KMSKeyID": "arn:aws:kms:us-east-1:123456789012:key/x"}, "NotImplemented"),
        (
            {"CustomEmailSender": {"LambdaVersion": "V1_0", "LambdaArn": "arn:aws:lambda:us-east-1:1:function:x"}},
            "NotImplemented",
        ),
        (
            {"InboundFederation": {"LambdaVersion": "V1_0", "LambdaArn": "arn:aws:lambda:us-east-1:1:function:x"}},
            "InvalidParameterException",
        ),
        (
            {
                "PreTokenGeneration": "arn:aws:lambda:us-east-1:123456789012:function:a",
                "PreTokenGenerationConfig": {
                    "LambdaVersion": "V2_0",
                    "LambdaArn": "arn:aws:lambda:us-east-1:123456789012:function:b",
                },
            },
            "InvalidParameterException",
        ),
    ],
)
def test_functions_that_a_pool_cannot_name(app, refusal, config, code):
    assert refusal(app.admin.update_user_pool, UserPoolId=app.pool, LambdaConfig=config)[0] == code


def test_the_lite_tier_customizes_no_access_tokens(app, refusal, hooks):
    config = {"PreTokenGenerationConfig": {"LambdaVersion": "V2_0", "LambdaArn": hooks.arn("x")}}
    told = refusal(app.admin.update_user_pool, UserPoolId=app.pool, LambdaConfig=config, UserPoolTier="LITE")
    assert told[0] == "FeatureUnavailableInTierException"
