"""Addresses that count only once they are verified, where the pool says so."""

from __future__ import annotations

import pytest

OLD, NEW = "ada@example.org", "ada@example.net"


@pytest.fixture
def careful(new_app):
    update = {"AttributesRequireVerificationBeforeUpdate": ["email"]}
    app = new_app(AutoVerifiedAttributes=["email"], UserAttributeUpdateSettings=update, AliasAttributes=["email"])
    app.add_user("ada", email=OLD, email_verified="true")
    return app


def told(app) -> dict[str, str]:
    user = app.admin.admin_get_user(UserPoolId=app.pool, Username="ada")
    return {pair["Name"]: pair["Value"] for pair in user["UserAttributes"]}


def code(app, address: str) -> str:
    return app.aws.messages(address)[-1]["text"].split()[-1]


@pytest.mark.parametrize("by", ["user", "administrator"])
def test_the_old_address_stays_until_the_new_one_is_verified(careful, by):
    # given a change of the address
    app, access = careful, careful.tokens()["AccessToken"]
    change = [{"Name": "email", "Value": NEW}, {"Name": "given_name", "Value": "Ada"}]
    if by == "user":
        sent = app.idp.update_user_attributes(AccessToken=access, UserAttributes=change)
        assert [detail["AttributeName"] for detail in sent["CodeDeliveryDetailsList"]] == ["email"]
    else:
        app.admin.admin_update_user_attributes(UserPoolId=app.pool, Username="ada", UserAttributes=change)

    # then all but the address changes, and the old one still signs in
    assert (told(app)["email"], told(app)["email_verified"], told(app)["given_name"]) == (OLD, "true", "Ada")
    assert app.tokens(OLD)

    # when the code that went to the new one comes back, it is the user's
    app.idp.verify_user_attribute(AccessToken=access, AttributeName="email", Code=code(app, NEW))
    assert (told(app)["email"], told(app)["email_verified"]) == (NEW, "true")
    assert app.tokens(NEW)


def test_an_administrator_may_say_that_it_is_verified(careful):
    change = [{"Name": "email", "Value": NEW}, {"Name": "email_verified", "Value": "true"}]
    careful.admin.admin_update_user_attributes(UserPoolId=careful.pool, Username="ada", UserAttributes=change)
    assert told(careful)["email"] == NEW


def test_a_code_is_for_the_newest_address(careful, refusal):
    app, access = careful, careful.tokens()["AccessToken"]
    for address in (NEW, "ada@example.com"):
        app.idp.update_user_attributes(AccessToken=access, UserAttributes=[{"Name": "email", "Value": address}])
    stale = {"AccessToken": access, "AttributeName": "email", "Code": code(app, NEW)}
    if stale["Code"] != code(app, "ada@example.com"):
        assert refusal(app.idp.verify_user_attribute, **stale)[0] == "CodeMismatchException"
    assert told(app)["email"] == OLD
    app.idp.get_user_attribute_verification_code(AccessToken=access, AttributeName="email")
    newest = {**stale, "Code": code(app, "ada@example.com")}
    app.idp.verify_user_attribute(**newest)
    assert told(app)["email"] == "ada@example.com"
    assert refusal(app.idp.verify_user_attribute, **newest)[0] == "ExpiredCodeException"


def test_an_address_that_became_somebody_else_s_meanwhile(careful, refusal):
    app, access = careful, careful.tokens()["AccessToken"]
    app.idp.update_user_attributes(AccessToken=access, UserAttributes=[{"Name": "email", "Value": NEW}])
    app.add_user("eve", email=NEW, email_verified="true")
    given = {"AccessToken": access, "AttributeName": "email", "Code": code(app, NEW)}
    assert refusal(app.idp.verify_user_attribute, **given)[0] == "AliasExistsException"
    assert told(app)["email"] == OLD


def test_only_what_is_verified_at_all_can_wait_for_it(app, refusal):
    update = {"UserAttributeUpdateSettings": {"AttributesRequireVerificationBeforeUpdate": ["email"]}}
    assert refusal(app.admin.create_user_pool, PoolName="x", **update)[0] == "InvalidParameterException"


@pytest.mark.parametrize("by", ["user", "administrator"])
@pytest.mark.parametrize("how", ["deleted", "written again"])
def test_a_later_word_on_an_address_ends_the_wait_for_another(careful, refusal, by, how):
    # given an address that waits for its code
    app, access = careful, careful.tokens()["AccessToken"]
    app.idp.update_user_attributes(AccessToken=access, UserAttributes=[{"Name": "email", "Value": NEW}])

    # when the attribute is deleted, or written as it is
    pair = [{"Name": "email", "Value": OLD}]
    named = {"UserPoolId": app.pool, "Username": "ada"}
    if how == "deleted" and by == "user":
        app.idp.delete_user_attributes(AccessToken=access, UserAttributeNames=["email"])
    elif how == "deleted":
        app.admin.admin_delete_user_attributes(**named, UserAttributeNames=["email"])
    elif by == "user":
        app.idp.update_user_attributes(AccessToken=access, UserAttributes=pair)
    else:
        app.admin.admin_update_user_attributes(**named, UserAttributes=pair)

    # then the code that is still on its way brings nothing back
    given = {"AccessToken": access, "AttributeName": "email", "Code": code(app, NEW)}
    assert refusal(app.idp.verify_user_attribute, **given)[0] == "ExpiredCodeException"
    assert told(app).get("email") == (None if how == "deleted" else OLD)


def test_a_code_proves_no_address_that_it_did_not_go_to(new_app, refusal):
    # given codes for an address and for a forgotten password
    app = new_app(AutoVerifiedAttributes=["email"])
    app.add_user("ada", email=OLD, email_verified="true")
    access = app.tokens()["AccessToken"]
    app.idp.get_user_attribute_verification_code(AccessToken=access, AttributeName="email")
    verification = code(app, OLD)
    app.idp.forgot_password(ClientId=app.client, Username="ada")
    forgotten = code(app, OLD)

    # when an administrator gives the user another address
    other = [{"Name": "email", "Value": NEW}, {"Name": "email_verified", "Value": "false"}]
    app.admin.admin_update_user_attributes(UserPoolId=app.pool, Username="ada", UserAttributes=other)

    # then whoever has the old one verifies nothing, and chooses no password
    given = {"AccessToken": access, "AttributeName": "email", "Code": verification}
    assert refusal(app.idp.verify_user_attribute, **given)[0] == "ExpiredCodeException"
    assert told(app)["email_verified"] == "false"
    password = {"ConfirmationCode": forgotten, "Password": "Another-horse-2"}
    refused = refusal(app.idp.confirm_forgot_password, ClientId=app.client, Username="ada", **password)
    assert refused[0] == "ExpiredCodeException"


def test_a_sign_up_is_not_confirmed_by_a_code_for_another_address(new_app, refusal):
    app = new_app(AutoVerifiedAttributes=["email"])
    pair = [{"Name": "email", "Value": OLD}]
    app.idp.sign_up(ClientId=app.client, Username="eve", Password="Correct-horse-1", UserAttributes=pair)
    other = [{"Name": "email", "Value": NEW}]
    app.admin.admin_update_user_attributes(UserPoolId=app.pool, Username="eve", UserAttributes=other)
    named = {"ClientId": app.client, "Username": "eve"}
    assert refusal(app.idp.confirm_sign_up, **named, ConfirmationCode=code(app, OLD))[0] == "ExpiredCodeException"
    app.idp.resend_confirmation_code(**named)
    app.idp.confirm_sign_up(**named, ConfirmationCode=code(app, NEW))
