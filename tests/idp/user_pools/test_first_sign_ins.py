"""From a sign-up straight into a sign-in: Session of SignUp, ConfirmSignUp and InitiateAuth; Amplify's autoSignIn."""

from __future__ import annotations

import json
import subprocess
import time
from typing import Any

import pytest
from test_choices_of_sign_in import OVER, PASSWORD, policies

FLOWS = ["ALLOW_USER_AUTH", "ALLOW_USER_PASSWORD_AUTH", "ALLOW_REFRESH_TOKEN_AUTH"]
ADDRESS = "eve@example.org"


@pytest.fixture
def passwordless(new_app):
    """A pool in which a code by mail is a first factor."""
    app = new_app(Policies=policies("EMAIL_OTP"), AutoVerifiedAttributes=["email"])
    app.client = app.add_client(ExplicitAuthFlows=FLOWS)["ClientId"]
    return app


def sign_up(app, name: str = "eve", **more: Any) -> dict:
    pair = [{"Name": "email", "Value": f"{name}@example.org"}]
    return app.idp.sign_up(ClientId=app.client, Username=name, UserAttributes=pair, **more)


def confirm(app, name: str = "eve", **more: Any) -> dict:
    code = app.aws.messages(f"{name}@example.org")[-1]["text"].split()[-1]
    return app.idp.confirm_sign_up(**{"ClientId": app.client, "Username": name, "ConfirmationCode": code, **more})


def begin(app, session: str, name: str = "eve", flow: str = "USER_AUTH", client: str = "", **given: str) -> dict:
    named = {"AuthFlow": flow, "ClientId": client or app.client, "AuthParameters": {"USERNAME": name, **given}}
    return app.idp.initiate_auth(**named, Session=session)


@pytest.mark.parametrize("by", ["app", "server"])
def test_who_has_just_confirmed_is_signed_in_without_another_code(passwordless, refusal, by):
    # given somebody who signs up without a password
    app = passwordless
    session = sign_up(app)["Session"]

    # when they confirm, after a slip of the pen
    assert refusal(confirm, app=app, Session=session, ConfirmationCode="000000x")[0] == "CodeMismatchException"
    confirmed = confirm(app, Session=session)["Session"]

    # then that signs them in, once
    if by == "app":
        result = begin(app, confirmed)["AuthenticationResult"]
    else:
        named = {"UserPoolId": app.pool, "ClientId": app.client, "AuthFlow": "USER_AUTH"}
        result = app.admin.admin_initiate_auth(**named, AuthParameters={"USERNAME": "eve"}, Session=confirmed)[
            "AuthenticationResult"
        ]
    assert app.claims(result["IdToken"])["email_verified"] is True
    assert refusal(begin, app=app, session=confirmed) == OVER


def test_a_session_is_of_its_step_its_user_and_its_client(passwordless, refusal):
    app = passwordless
    first, other = sign_up(app)["Session"], sign_up(app, "omar")["Session"]
    assert refusal(confirm, app=app, Session=other) == OVER
    assert refusal(begin, app=app, session=first)[0] == "UserNotConfirmedException"
    app.admin.admin_confirm_sign_up(UserPoolId=app.pool, Username="eve")
    assert refusal(begin, app=app, session=first) == OVER  # a sign-up is no confirmation
    confirmed = confirm(app, Session=sign_up(app, "uma")["Session"], name="uma")["Session"]
    elsewhere = app.add_client(ExplicitAuthFlows=FLOWS)["ClientId"]
    assert refusal(begin, app=app, session=confirmed, name="uma", client=elsewhere) == OVER
    assert refusal(begin, app=app, session="x" * 40, name="uma") == OVER
    assert refusal(begin, app=app, session="x" * 40, name="nobody")[0] == "UserNotFoundException"


def test_a_session_is_for_the_first_sign_in_and_a_short_time(passwordless, refusal):
    app = passwordless
    confirmed = confirm(app, Session=sign_up(app, Password=PASSWORD)["Session"])["Session"]
    assert refusal(begin, app=app, session=confirmed, flow="USER_PASSWORD_AUTH", PASSWORD=PASSWORD)[0] == (
        "InvalidParameterException"
    )
    assert app.tokens("eve")
    assert refusal(begin, app=app, session=confirmed) == OVER
    late = confirm(app, Session=sign_up(app, "omar")["Session"], name="omar")["Session"]
    app.aws.advance(minutes=4)
    assert "session is expired" in refusal(begin, app=app, session=late, name="omar")[1]


def test_elsewhere_there_is_no_session(new_app, passwordless):
    app = new_app(AutoVerifiedAttributes=["email"])
    assert "Session" not in sign_up(app, Password=PASSWORD)  # where a code is no first factor
    passwordless.client = passwordless.add_client()["ClientId"]
    assert "Session" not in sign_up(passwordless, "omar", Password=PASSWORD)  # and where the client has no USER_AUTH
    assert "Session" not in confirm(passwordless, "omar")


@pytest.mark.clients
def test_amplify_signs_in_by_itself(passwordless, javascript_clients):
    # given an app that lets Amplify sign in whoever has signed up
    app = passwordless
    command = ["node", "auto_sign_in.mjs", f"{app.aws.endpoint_url}/", app.pool, app.client, "eve", ADDRESS]
    with subprocess.Popen(
        command, cwd=javascript_clients, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as running:
        # when the code is typed in
        while not app.aws.messages(ADDRESS):
            assert running.poll() is None, running.communicate()
            time.sleep(0.05)
        code = app.aws.messages(ADDRESS)[-1]["text"].split()[-1]
        told, _ = running.communicate(f"{code}\n", timeout=300)

    # then the person is signed in
    assert json.loads(told.splitlines()[-1]) == {"confirmed": "COMPLETE_AUTO_SIGN_IN", "step": "DONE", "name": "eve"}
