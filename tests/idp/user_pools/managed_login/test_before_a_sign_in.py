"""Signing up and forgotten passwords on pages; scripts that sign in; domains and styles by the API."""

from __future__ import annotations

import re
import subprocess
import sys
from urllib.parse import urlsplit

import pytest
from managed_login_lab import PASSWORD, POOL, App

from sts_emulator.cli.errors import CommandError


def code_in(aws, address: str) -> str:
    return re.search(r"\b\d{6}\b", aws.messages(address)[-1]["text"])[0]


def test_signing_up_and_in(aws, app, person):
    # Given somebody who is not a user yet
    person.open(app.url())
    person.open(person.tree.xpath("string(//a[@id='signup']/@href)"))
    person.fill(username="cara", password="weak", **{"attribute.email": "cara@example.org"})
    assert "Password not long enough" in person.alert
    # When they sign up and confirm with the code that they are sent
    person.fill(username="cara", password=PASSWORD, **{"attribute.email": "cara@example.org"})
    assert person.heading == "Confirm your account"
    person.fill(code="000000")
    assert person.alert
    person.fill(form=1)  # another code
    person.fill(code=code_in(aws, "cara@example.org"))
    # Then they are signed in
    claims = app.claims(app.redeem(person.back["code"]).json()["id_token"])
    assert (claims["cognito:username"], claims["email_verified"]) == ("cara", True)


def test_nobody_is_called_what_the_api_does_not_take(app, person):
    person.open(app.url("signup"))
    person.fill(username="two words", password=PASSWORD, **{"attribute.email": "cara@example.org"})
    assert "Username has 1 to 128" in person.alert


def test_a_sign_up_is_finished_later(aws, app, person):
    aws.client("cognito-idp").sign_up(
        ClientId="web", Username="cara", Password=PASSWORD, UserAttributes=[{"Name": "email", "Value": "c@example.org"}]
    )
    person.sign_in(app.url(), "cara")
    assert person.heading == "Confirm your account"
    person.fill(code=code_in(aws, "c@example.org"))
    assert person.heading == "Sign in"
    person.fill(username="cara", password=PASSWORD)
    assert "code" in person.back


def test_another_password_for_a_forgotten_one(aws, server_app, person):
    aws.client("cognito-idp").admin_update_user_attributes(
        UserPoolId=POOL, Username="ana", UserAttributes=[{"Name": "email_verified", "Value": "true"}]
    )
    person.open(server_app.url())
    person.open(person.tree.xpath("string(//a[@id='forgot']/@href)"))
    person.fill(username="ana")
    assert person.heading == "Choose a new password"
    new = {"new_password": "Another-horse-2", "repeated": "Another-horse-2"}
    person.fill(code="000000", **new)
    assert "Invalid verification code" in person.alert
    person.fill(code=code_in(aws, "ana@example.org"), **new)
    assert server_app.redeem(person.back["code"]).status_code == 200
    person.open(server_app.url(prompt="login"))
    person.fill(username="ana", password=PASSWORD)
    assert person.alert == "Incorrect username or password."


def test_pools_without_sign_up(aws, app, person):
    idp = aws.client("cognito-idp")
    idp.update_user_pool(UserPoolId=POOL, AdminCreateUserConfig={"AllowAdminCreateUserOnly": True})
    person.open(app.url())
    assert not person.tree.xpath("//a[@id='signup']")
    assert person.open(app.url("signup")).status_code == 400


# -- scripts ---------------------------------------------------------------------------------------------------------


def test_a_script_signs_in(aws, app):
    for user in ("ana", "shop/ana", f"{POOL}/ana"):
        location = aws.approve(app.url(), user)["location"]
        code = re.search(r"code=([^&]+)", location)[1]
        assert app.claims(app.redeem(code).json()["id_token"])["cognito:username"] == "ana"
    assert "error=access_denied" in aws.approve(app.url(), "ana", deny=True)["location"]


def test_a_script_may_no_more_than_a_person(aws, app):
    for user, said in (("anna", "did you mean"), ("bob", "FORCE_CHANGE_PASSWORD")):
        with pytest.raises(CommandError, match=said):
            aws.approve(app.url(), user)
    with pytest.raises(CommandError):
        aws.approve(app.url(redirect_uri="https://evil.example"), "ana")


def test_the_command_goes_where_the_browser_would(aws, app):
    port = str(urlsplit(aws.endpoint_url).port)
    url = app.url(redirect_uri="myapp://cb")
    command = [sys.executable, "-m", "sts_emulator", "approve", url, "--user", "shop/ana", "--port", port]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    assert done.stdout.startswith("myapp://cb?code=")


# -- the operations --------------------------------------------------------------------------------------------------


def test_domains(aws):
    idp = aws.client("cognito-idp")

    def refused(code: str, **given) -> None:
        with pytest.raises(idp.exceptions.ClientError) as caught:
            idp.create_user_pool_domain(**{"UserPoolId": "us-east-1_Bare1", **given})
        assert caught.value.response["Error"]["Code"] == code

    refused("InvalidParameterException", Domain="shop")  # another pool's
    refused("InvalidParameterException", Domain="my-cognito")
    refused("InvalidParameterException", Domain="auth.example.org")
    certificate = {"CertificateArn": "arn:aws:acm:us-east-1:111122223333:certificate/x"}
    made = idp.create_user_pool_domain(
        UserPoolId="us-east-1_Bare1", Domain="auth.example.org", CustomDomainConfig=certificate
    )
    assert made["CloudFrontDomain"]
    told = idp.describe_user_pool_domain(Domain="auth.example.org")["DomainDescription"]
    assert (told["CustomDomainConfig"], told["UserPoolId"]) == (certificate, "us-east-1_Bare1")
    assert idp.describe_user_pool(UserPoolId="us-east-1_Bare1")["UserPool"]["CustomDomain"] == "auth.example.org"
    idp.delete_user_pool_domain(UserPoolId="us-east-1_Bare1", Domain="auth.example.org")


def test_styles_are_kept_and_told(aws):
    idp = aws.client("cognito-idp")
    asset = {"Category": "FORM_LOGO", "ColorMode": "LIGHT", "Extension": "PNG", "Bytes": b"\x89PNG"}
    settings = {"components": {"form": {"borderRadius": 8.5}}}
    made = idp.create_managed_login_branding(UserPoolId=POOL, ClientId="web", Settings=settings, Assets=[asset])
    identifier = made["ManagedLoginBranding"]["ManagedLoginBrandingId"]
    told = idp.describe_managed_login_branding_by_client(UserPoolId=POOL, ClientId="web")["ManagedLoginBranding"]
    assert (told["Settings"], told["Assets"]) == (settings, [asset])
    with pytest.raises(idp.exceptions.ManagedLoginBrandingExistsException):
        idp.create_managed_login_branding(UserPoolId=POOL, ClientId="web", UseCognitoProvidedValues=True)
    idp.update_managed_login_branding(UserPoolId=POOL, ManagedLoginBrandingId=identifier, UseCognitoProvidedValues=True)
    told = idp.describe_managed_login_branding(UserPoolId=POOL, ManagedLoginBrandingId=identifier)
    assert told["ManagedLoginBranding"]["UseCognitoProvidedValues"] is True
    idp.delete_managed_login_branding(UserPoolId=POOL, ManagedLoginBrandingId=identifier)
    with pytest.raises(idp.exceptions.ResourceNotFoundException):
        idp.describe_managed_login_branding(UserPoolId=POOL, ManagedLoginBrandingId=identifier)


def test_classic_customization_is_kept_and_told(aws):
    idp = aws.client("cognito-idp")
    assert idp.get_ui_customization(UserPoolId=POOL)["UICustomization"] == {}
    idp.set_ui_customization(UserPoolId=POOL, CSS=".label-customizable {}")
    assert (
        idp.get_ui_customization(UserPoolId=POOL, ClientId="web")["UICustomization"]["CSS"] == ".label-customizable {}"
    )
    with pytest.raises(idp.exceptions.InvalidParameterException):
        idp.set_ui_customization(UserPoolId="us-east-1_Bare1", CSS=".label-customizable {}")


def test_an_app_without_a_flow_of_its_own(aws, person):
    person.open(App(aws, "api").url())
    assert person.error == "redirect_mismatch"
