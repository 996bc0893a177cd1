"""Passwords and addresses over time: history, temporary passwords, recovery, aliases that move, attributes of developers."""

from __future__ import annotations

import pytest

USED = ("PasswordHistoryPolicyViolationException", "Password has previously been used.")
PASSWORDS = ("Correct-horse-1", "Correct-horse-2", "Correct-horse-3")


def remembering(new_app, size: int):
    app = new_app(Policies={"PasswordPolicy": {"MinimumLength": 8, "PasswordHistorySize": size}})
    app.add_user("ada", email="ada@example.org", email_verified="true")
    return app


def change(app, before: str, after: str) -> None:
    access = app.tokens(password=before)["AccessToken"]
    app.idp.change_password(AccessToken=access, PreviousPassword=before, ProposedPassword=after)


def test_the_last_passwords_cannot_come_back(new_app, refusal):
    app = remembering(new_app, 2)
    one, two, three = PASSWORDS
    assert refusal(change, app=app, before=one, after=one) == USED
    change(app, one, two)
    assert refusal(change, app=app, before=two, after=one) == USED
    change(app, two, three)
    change(app, three, one)  # two passwords lie between


def test_all_ways_to_a_new_password_heed_the_history(new_app, refusal):
    app = remembering(new_app, 3)
    one, two, _ = PASSWORDS
    named = {"UserPoolId": app.pool, "Username": "ada"}
    again = refusal(app.admin.admin_set_user_password, **named, Password=one, Permanent=True)
    assert again == USED
    change(app, one, two)

    app.idp.forgot_password(ClientId=app.client, Username="ada")
    (*_, message) = app.aws.messages("ada@example.org")
    code = message["text"].split()[-1]
    given = {"ClientId": app.client, "Username": "ada", "ConfirmationCode": code}
    assert refusal(app.idp.confirm_forgot_password, **given, Password=one) == USED

    app.admin.admin_set_user_password(**named, Password="Temporary-9", Permanent=False)
    asked = app.sign_in(password="Temporary-9")
    answer = {"USERNAME": "ada", "NEW_PASSWORD": two}
    call = {"ClientId": app.client, "ChallengeName": "NEW_PASSWORD_REQUIRED", "Session": asked["Session"]}
    assert refusal(app.idp.respond_to_auth_challenge, **call, ChallengeResponses=answer) == USED


def test_without_a_history_any_password_may_come_back(app):
    change(app, PASSWORDS[0], PASSWORDS[0])


@pytest.mark.parametrize(
    ("settings", "days"),
    [
        ({}, 7),
        ({"Policies": {"PasswordPolicy": {"MinimumLength": 8, "TemporaryPasswordValidityDays": 2}}}, 2),
        ({"Policies": {"PasswordPolicy": {"MinimumLength": 8, "TemporaryPasswordValidityDays": 0}}}, 7),
        ({"AdminCreateUserConfig": {"UnusedAccountValidityDays": 3}}, 3),
    ],
)
def test_how_long_a_temporary_password_is_good(new_app, refusal, settings, days):
    app = new_app(**settings)
    app.add_user("ada", None)
    app.aws.advance(days=days, seconds=-60)
    assert app.sign_in(password="Temporary-1")["ChallengeName"] == "NEW_PASSWORD_REQUIRED"
    app.aws.advance(seconds=120)
    over = "Temporary password has expired and must be reset by an administrator."
    assert refusal(app.sign_in, password="Temporary-1") == ("NotAuthorizedException", over)


def test_a_reset_by_an_administrator(app, refusal):
    app.admin.admin_reset_user_password(UserPoolId=app.pool, Username="ada")
    assert app.admin.admin_get_user(UserPoolId=app.pool, Username="ada")["UserStatus"] == "RESET_REQUIRED"
    assert refusal(app.sign_in) == ("PasswordResetRequiredException", "Password reset required for the user")
    (*_, message) = app.aws.messages("ada@example.org")
    code = message["text"].split()[-1]
    given = {"ClientId": app.client, "Username": "ada", "ConfirmationCode": code, "Password": "Another-horse-1"}
    app.idp.confirm_forgot_password(**given)
    assert app.tokens(password="Another-horse-1")


# -- recovery --------------------------------------------------------------------------------------------------------


def recovering(new_app, *names: str):
    mechanisms = [{"Name": name, "Priority": place} for place, name in enumerate(names, 1)]
    app = new_app(AccountRecoverySetting={"RecoveryMechanisms": mechanisms})
    both = {"email": "ada@example.org", "phone_number": "+15550100"}
    app.add_user("ada", **both, email_verified="true", phone_number_verified="true")
    return app


@pytest.mark.parametrize(
    ("names", "medium"),
    [
        (("verified_email", "verified_phone_number"), "EMAIL"),
        (("verified_phone_number", "verified_email"), "SMS"),
        (("verified_phone_number",), "SMS"),
    ],
)
def test_recovery_goes_where_the_pool_says(new_app, names, medium):
    app = recovering(new_app, *names)
    sent = app.idp.forgot_password(ClientId=app.client, Username="ada")
    assert sent["CodeDeliveryDetails"]["DeliveryMedium"] == medium


def test_recovery_by_administrators_only(new_app, refusal):
    app = recovering(new_app, "admin_only")
    assert refusal(app.idp.forgot_password, ClientId=app.client, Username="ada")[0] == "NotAuthorizedException"
    mechanisms = [{"Name": "admin_only", "Priority": 1}, {"Name": "verified_email", "Priority": 2}]
    both = {"AccountRecoverySetting": {"RecoveryMechanisms": mechanisms}}
    assert refusal(app.admin.create_user_pool, PoolName="x", **both)[0] == "InvalidParameterException"


# -- aliases and attributes ------------------------------------------------------------------------------------------


def signed_up(app, name: str, email: str) -> str:
    app.idp.sign_up(
        ClientId=app.client,
        Username=name,
        Password=PASSWORDS[0],
        UserAttributes=[{"Name": "email", "Value": email}],
    )
    (*_, message) = app.aws.messages(email)
    return message["text"].split()[-1]


def test_an_alias_moves_when_it_is_forced(new_app, refusal):
    # given two people who claim one address, the first verified
    app = new_app(AliasAttributes=["email"], AutoVerifiedAttributes=["email"])
    confirm = {"ClientId": app.client, "Username": "ada"}
    app.idp.confirm_sign_up(**confirm, ConfirmationCode=signed_up(app, "ada", "ada@example.org"))
    code = signed_up(app, "eve", "ada@example.org")

    # then the alias is the first one's
    taken = {"ClientId": app.client, "Username": "eve", "ConfirmationCode": code}
    assert refusal(app.idp.confirm_sign_up, **taken)[0] == "AliasExistsException"
    assert app.claims(app.tokens("ada@example.org")["IdToken"])["cognito:username"] == "ada"

    # when the second forces it, it is theirs, and the first is verified no more and may change what they like
    app.idp.resend_confirmation_code(ClientId=app.client, Username="eve")
    (*_, message) = app.aws.messages("ada@example.org")
    code = message["text"].split()[-1]
    app.idp.confirm_sign_up(**{**taken, "ConfirmationCode": code}, ForceAliasCreation=True)
    assert app.claims(app.tokens("ada@example.org")["IdToken"])["cognito:username"] == "eve"
    first = app.tokens("ada")
    assert app.claims(first["IdToken"])["email_verified"] is False
    name = [{"Name": "given_name", "Value": "Ada"}]
    app.idp.update_user_attributes(AccessToken=first["AccessToken"], UserAttributes=name)


def test_attributes_of_developers_are_read_only_to_apps(new_app, refusal):
    schema = {"Name": "tier", "AttributeDataType": "String", "DeveloperOnlyAttribute": True, "Mutable": True}
    app = new_app(Schema=[schema])
    app.add_user("ada", **{"dev:tier": "gold"})
    access = app.tokens()["AccessToken"]
    told = app.idp.get_user(AccessToken=access)["UserAttributes"]
    assert {"Name": "dev:tier", "Value": "gold"} in told
    mine = [{"Name": "dev:tier", "Value": "platinum"}]
    refused = refusal(app.idp.update_user_attributes, AccessToken=access, UserAttributes=mine)
    assert refused == ("NotAuthorizedException", "A client attempted to write unauthorized attribute")
    named = {"UserPoolId": app.pool, "Username": "ada"}
    app.admin.admin_update_user_attributes(**named, UserAttributes=mine)
    signing_up = {"ClientId": app.client, "Username": "eve", "Password": PASSWORDS[0], "UserAttributes": mine}
    assert refusal(app.idp.sign_up, **signing_up)[0] == "NotAuthorizedException"


def test_a_pool_of_addresses_names_its_users_by_their_sub(new_app, refusal):
    app = new_app(UsernameAttributes=["email"])
    sub = app.add_user("ada@example.org")
    user = app.admin.admin_get_user(UserPoolId=app.pool, Username="ada@example.org")
    assert user["Username"] == sub
    app.add_user("eve@example.org")
    access = app.tokens("eve@example.org")["AccessToken"]
    taken = [{"Name": "email", "Value": "ada@example.org"}]
    refused = refusal(app.idp.update_user_attributes, AccessToken=access, UserAttributes=taken)
    assert refused[0] == "AliasExistsException"


@pytest.mark.parametrize("sensitive", [True, False])
def test_names_are_as_sensitive_to_case_as_the_pool_says(new_app, refusal, sensitive):
    app = new_app(UsernameConfiguration={"CaseSensitive": sensitive})
    app.add_user("Ada")
    if sensitive:
        assert refusal(app.sign_in, user="ada")[0] == "UserNotFoundException"
        app.add_user("ada")
    else:
        assert app.tokens("aDA")
        add = {"UserPoolId": app.pool, "Username": "ADA"}
        assert refusal(app.admin.admin_create_user, **add)[0] == "UsernameExistsException"
