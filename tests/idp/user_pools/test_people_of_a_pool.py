"""Signing up, forgotten passwords, and what users and administrators do with accounts; mail lands in the mailbox."""

from __future__ import annotations

import re

import pytest

from sts_emulator.accounts.people import totp

NEW = "Another-horse-2"
PASSWORD = "Correct-horse-1"
ADDRESS = "eve@example.org"
EMAIL = [{"Name": "email", "Value": ADDRESS}]


@pytest.fixture
def open_app(new_app):
    """A pool in which people sign up, with an email that is to be verified."""
    return new_app(AutoVerifiedAttributes=["email"])


def code_in_mail(app, to: str = ADDRESS) -> str:
    return re.findall(r"\b[0-9]{6}\b", app.aws.messages(to)[-1]["text"])[-1]


def sign_up(app, name: str = "eve", **more) -> dict:
    given = {"Password": PASSWORD, "UserAttributes": EMAIL, **more}
    return app.idp.sign_up(ClientId=app.client, Username=name, **given)


def test_signing_up_and_confirming(open_app, refusal):
    app = open_app
    made = sign_up(app)
    assert made["UserConfirmed"] is False
    assert made["CodeDeliveryDetails"] == {
        "Destination": "e***@e***",
        "DeliveryMedium": "EMAIL",
        "AttributeName": "email",
    }
    assert refusal(app.sign_in, user="eve") == ("UserNotConfirmedException", "User is not confirmed.")

    app.idp.confirm_sign_up(ClientId=app.client, Username="eve", ConfirmationCode=code_in_mail(app))
    claims = app.claims(app.tokens("eve")["IdToken"])
    assert (claims["sub"], claims["email_verified"]) == (made["UserSub"], True)


def test_a_wrong_code_an_old_one_and_one_too_late(open_app, refusal):
    app = open_app
    sign_up(app)
    call, first = app.idp.confirm_sign_up, code_in_mail(app)
    given = {"ClientId": app.client, "Username": "eve"}
    wrong = "000000" if first != "000000" else "111111"
    assert refusal(call, **given, ConfirmationCode=wrong)[0] == "CodeMismatchException"
    app.idp.resend_confirmation_code(**given)
    second = code_in_mail(app)
    if first != second:
        assert refusal(call, **given, ConfirmationCode=first)[0] == "CodeMismatchException"
    app.aws.advance(hours=25)
    assert refusal(call, **given, ConfirmationCode=second)[0] == "ExpiredCodeException"


def test_codes_cannot_be_guessed(open_app, refusal):
    app = open_app
    sign_up(app)
    right = code_in_mail(app)
    given = {"ClientId": app.client, "Username": "eve"}
    for number in range(5):
        wrong = f"{(int(right) + 1 + number) % 10**6:06}"
        assert refusal(app.idp.confirm_sign_up, **given, ConfirmationCode=wrong)[0] == "CodeMismatchException"
    assert refusal(app.idp.confirm_sign_up, **given, ConfirmationCode=right)[0] == "LimitExceededException"


def test_who_may_not_sign_up(open_app, new_app, refusal):
    sign_up(open_app)
    assert refusal(sign_up, app=open_app) == ("UsernameExistsException", "User already exists")
    verified = [*EMAIL, {"Name": "email_verified", "Value": "true"}]
    assert refusal(sign_up, app=open_app, name="mallory", UserAttributes=verified)[0] == "NotAuthorizedException"
    assert refusal(sign_up, app=open_app, name="mallory", Password="short")[0] == "InvalidPasswordException"
    unknown = [{"Name": "custom:plan", "Value": "gold"}]
    assert refusal(sign_up, app=open_app, name="mallory", UserAttributes=unknown)[0] == "InvalidParameterException"
    closed = new_app(AdminCreateUserConfig={"AllowAdminCreateUserOnly": True})
    expected = ("NotAuthorizedException", "SignUp is not permitted for this user pool")
    assert refusal(sign_up, app=closed) == expected


def test_a_forgotten_password(app, refusal):
    told = app.idp.forgot_password(ClientId=app.client, Username="ada")["CodeDeliveryDetails"]
    assert told["Destination"] == "a***@e***"
    code = code_in_mail(app, "ada@example.org")
    old = app.tokens()

    given = {"ClientId": app.client, "Username": "ada", "ConfirmationCode": code, "Password": NEW}
    app.idp.confirm_forgot_password(**given)
    assert app.tokens(password=NEW)
    assert refusal(app.sign_in)[0] == "NotAuthorizedException"
    assert refusal(app.idp.get_user, AccessToken=old["AccessToken"])[0] == "NotAuthorizedException"
    assert refusal(app.idp.confirm_forgot_password, **given)[0] == "ExpiredCodeException"


def test_a_stranger_does_not_learn_who_is_there(app, refusal):
    """By no call that takes a name (developer guide, "Managing error responses")."""
    hiding = app.add_client(PreventUserExistenceErrors="ENABLED")["ClientId"]
    app.add_user("zoe")  # there, with no address to send a code to

    told = {
        user: app.idp.forgot_password(ClientId=hiding, Username=user)["CodeDeliveryDetails"]
        for user in ("ada", "zoe", "bob")
    }
    shapes = {user: (set(details), len(details["Destination"])) for user, details in told.items()}
    assert len(set(map(str, [sorted(shape[0]) for shape in shapes.values()]))) == 1
    assert len({shape[1] for shape in shapes.values()}) == 1
    assert told["bob"] == app.idp.forgot_password(ClientId=hiding, Username="bob")["CodeDeliveryDetails"]

    given = {"ClientId": hiding, "ConfirmationCode": "12345x", "Password": NEW}
    answers = {refusal(app.idp.confirm_forgot_password, Username=user, **given) for user in ("ada", "zoe", "bob")}
    assert len(answers) == 1


def test_an_invitation_lands_in_the_mailbox(app):
    app.admin.admin_create_user(
        UserPoolId=app.pool, Username="eve", UserAttributes=EMAIL, DesiredDeliveryMediums=["EMAIL"]
    )
    text = app.aws.messages(ADDRESS)[-1]["text"]
    password = text.removeprefix("Your username is eve and temporary password is ").removesuffix(".")
    assert app.sign_in("eve", password)["ChallengeName"] == "NEW_PASSWORD_REQUIRED"


def test_a_user_reads_and_changes_their_account(open_app, refusal):
    app = open_app
    app.add_user("eve", email=ADDRESS, email_verified="true")
    access = app.tokens("eve")["AccessToken"]
    told = app.idp.get_user(AccessToken=access)
    assert {"Name": "email", "Value": ADDRESS} in told["UserAttributes"]

    moved = [{"Name": "email", "Value": "eva@example.org"}, {"Name": "name", "Value": "Eva"}]
    sent = app.idp.update_user_attributes(AccessToken=access, UserAttributes=moved)["CodeDeliveryDetailsList"]
    assert sent[0]["Destination"] == "e***@e***"
    assert app.claims(app.tokens("eve")["IdToken"])["email_verified"] is False
    code = code_in_mail(app, "eva@example.org")
    app.idp.verify_user_attribute(AccessToken=access, AttributeName="email", Code=code)
    assert app.claims(app.tokens("eve")["IdToken"])["email_verified"] is True

    app.idp.delete_user_attributes(AccessToken=access, UserAttributeNames=["name"])
    assert "name" not in app.claims(app.tokens("eve")["IdToken"])
    verified = [{"Name": "email_verified", "Value": "true"}]
    assert refusal(app.idp.update_user_attributes, AccessToken=access, UserAttributes=verified)[0] == (
        "NotAuthorizedException"
    )
    app.idp.delete_user(AccessToken=access)
    assert refusal(app.sign_in, user="eve")[0] == "UserNotFoundException"


def test_changing_the_password(app, refusal):
    access = app.tokens()["AccessToken"]
    call = app.idp.change_password
    wrong = {"AccessToken": access, "PreviousPassword": "Wrong-horse-1", "ProposedPassword": NEW}
    assert refusal(call, **wrong)[0] == "NotAuthorizedException"
    weak = {"AccessToken": access, "PreviousPassword": PASSWORD, "ProposedPassword": "weak"}
    assert refusal(call, **weak)[0] == "InvalidPasswordException"
    call(AccessToken=access, PreviousPassword=PASSWORD, ProposedPassword=NEW)
    assert app.tokens(password=NEW)


def test_an_administrator_resets_a_password(app, refusal):
    app.admin.admin_reset_user_password(UserPoolId=app.pool, Username="ada")
    expected = ("PasswordResetRequiredException", "Password reset required for the user")
    assert refusal(app.sign_in) == expected
    code = code_in_mail(app, "ada@example.org")
    app.idp.confirm_forgot_password(ClientId=app.client, Username="ada", ConfirmationCode=code, Password=NEW)
    assert app.tokens(password=NEW)


def test_a_client_reads_and_writes_what_it_may(app, refusal):
    narrow = app.add_client(ReadAttributes=["name"], WriteAttributes=["name"])["ClientId"]
    result = app.tokens(client=narrow)
    assert "email" not in app.claims(result["IdToken"])
    change = {"AccessToken": result["AccessToken"], "UserAttributes": [{"Name": "nickname", "Value": "A"}]}
    assert refusal(app.idp.update_user_attributes, **change)[0] == "NotAuthorizedException"


def test_users_are_found_by_filters(app, refusal):
    app.add_user("bob", email="bob@example.org")

    def names(text: str) -> list[str]:
        return [user["Username"] for user in app.admin.list_users(UserPoolId=app.pool, Filter=text)["Users"]]

    assert names('email = "bob@example.org"') == ["bob"]
    assert names('username ^= "a"') == ["ada"]
    assert names('cognito:user_status = "CONFIRMED"') == ["ada", "bob"]
    for wrong in ("email", 'email ~ "x"', 'picture = "x"', 'email = "' + "a" * 100 + '" or "'):
        assert refusal(app.admin.list_users, UserPoolId=app.pool, Filter=wrong)[0] == "InvalidParameterException"


def test_what_policies_say_of_pools(app, refusal):
    """A pool's administration is signed and authorized; its tags are condition keys."""
    iam = app.aws.client("iam")
    iam.create_user(UserName="clerk")
    key = iam.create_access_key(UserName="clerk")["AccessKey"]
    clerk = app.aws.client(
        "cognito-idp", {"AccessKeyId": key["AccessKeyId"], "SecretAccessKey": key["SecretAccessKey"]}
    )
    assert refusal(clerk.list_users, UserPoolId=app.pool)[0] == "AccessDeniedException"
    iam.put_user_policy(
        UserName="clerk",
        PolicyName="shop",
        PolicyDocument='{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"cognito-idp:ListUsers",'
        '"Resource":"*","Condition":{"StringEquals":{"aws:ResourceTag/team":"shop"}}}}',
    )
    assert refusal(clerk.list_users, UserPoolId=app.pool)[0] == "AccessDeniedException"
    arn = app.admin.describe_user_pool(UserPoolId=app.pool)["UserPool"]["Arn"]
    app.admin.tag_resource(ResourceArn=arn, Tags={"team": "shop"})
    assert clerk.list_users(UserPoolId=app.pool)["Users"]
    assert app.admin.list_tags_for_resource(ResourceArn=arn)["Tags"] == {"team": "shop"}


def test_pycognito_does_it_all(open_app):
    """The library that most Python programs use, from signing up to an authenticator app."""
    from pycognito import Cognito

    user = Cognito(open_app.pool, open_app.client, user_pool_region="us-east-1", username="eve")
    user.client = open_app.idp
    user.set_base_attributes(email=ADDRESS)
    user.register("eve", PASSWORD)
    user.confirm_sign_up(code_in_mail(open_app), username="eve")
    user.pool_jwk = open_app.jwks()  # else it asks AWS
    user.authenticate(password=PASSWORD)
    assert user.id_claims["cognito:username"] == "eve"
    before = user.access_token
    user.renew_access_token()
    assert user.access_token != before
    assert user.get_user(attr_map={}).email == ADDRESS
    user.change_password(PASSWORD, NEW)
    open_app.admin.set_user_pool_mfa_config(
        UserPoolId=open_app.pool, MfaConfiguration="OPTIONAL", SoftwareTokenMfaConfiguration={"Enabled": True}
    )
    seed = user.associate_software_token()
    assert user.verify_software_token(totp(seed, open_app.aws.now()))
    user.logout()
