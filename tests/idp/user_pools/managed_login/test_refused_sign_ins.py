"""What managed login refuses: wrong redirects, codes and tokens of others, used or late ones, forged forms, bad input."""

from __future__ import annotations

import contextlib
from types import SimpleNamespace

import httpx
import pytest
from managed_login_lab import CALLBACK, OUT, PASSWORD, POOL, SECRET, App, Person


def code_of(app: App, person: Person, **changes: str | None) -> str:
    person.sign_in(app.url(prompt="login", **changes))
    return person.back["code"]


@pytest.mark.parametrize(
    "redirect",
    [
        "https://evil.example/cb",
        f"{CALLBACK}/../evil",
        f"{CALLBACK}#x",
        f"{CALLBACK}?x=1",
        CALLBACK.upper(),
        "javascript:alert(1)",
        None,
    ],
)
def test_a_redirect_that_is_not_registered(app, person, redirect):
    for page in ("oauth2/authorize", "login", "signup", "forgotPassword", "logout"):
        person.open(app.url(page, redirect_uri=redirect))
        assert person.page.status_code == 400
        assert person.error == "redirect_mismatch"


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"response_type": None}, "invalid_request"),
        ({"response_type": "id_token"}, "invalid_request"),
        ({"scope": "openid root"}, "invalid_scope"),
        ({"scope": "https://api.example/write"}, "invalid_scope"),
        ({"scope": "email"}, "invalid_scope"),
        ({"code_challenge_method": "plain"}, "invalid_request"),
        ({"code_challenge_method": None}, "invalid_request"),
        ({"code_challenge": None}, "invalid_request"),
        ({"code_challenge": "short"}, "invalid_request"),
        ({"resource": "http://api.example"}, "invalid_request"),
    ],
)
def test_what_the_app_is_told(app, person, changes, error):
    person.open(app.url(**changes))
    assert person.back == {"error": error, "state": "a state & more"}


def test_a_flow_that_the_client_may_not_use(aws, person):
    person.open(App(aws, "server").url(response_type="token"))
    assert person.back["error"] == "unauthorized_client"
    machine = App(aws, "machine", SECRET)
    assert person.open(machine.url()).status_code == 400  # it has no callback at all
    answer = machine.token(grant_type="authorization_code", code="x", redirect_uri=CALLBACK)
    assert answer.json() == {"error": "unauthorized_client"}


def test_clients_and_pools_without_managed_login(aws, person):
    for client, said in (
        ("stranger", "invalid_request"),
        ("api", "redirect_mismatch"),
        ("undomained", "The user pool us-east-1_Bare1 has no domain"),
    ):
        person.open(App(aws, client).url())
        assert person.page.status_code == 400
        assert said in person.error


def test_a_code_is_good_once(app, person):
    code = code_of(app, person)
    assert app.redeem(code).status_code == 200
    again = app.redeem(code)
    assert (again.status_code, again.json()) == (400, {"error": "invalid_grant"})


@pytest.mark.parametrize(
    "changes",
    [
        {"code_verifier": None},
        {"code_verifier": "w" * 64},
        {"code_verifier": "short"},
        {"redirect_uri": "myapp://cb"},
        {"code": "none"},
        {"code": "x" * 5000},
    ],
)
def test_what_does_not_redeem(app, person, changes):
    code = code_of(app, person)
    assert app.redeem(**{"code": code, **changes}).json() == {"error": "invalid_grant"}
    assert app.redeem(code).json() == {"error": "invalid_grant"} if "code" not in changes else True


def test_a_verifier_without_a_challenge(app, person):
    code = code_of(app, person, code_challenge=None, code_challenge_method=None)
    assert app.redeem(code).json() == {"error": "invalid_grant"}
    code = code_of(app, person, code_challenge=None, code_challenge_method=None)
    assert app.redeem(code, code_verifier=None).status_code == 200


def test_a_code_of_another_client(app, server_app, person):
    code = code_of(app, person)
    assert server_app.redeem(code, code_verifier=app.verifier).json() == {"error": "invalid_grant"}


def test_a_late_code(aws, app, person):
    code = code_of(app, person)
    aws.advance(301)
    assert app.redeem(code).json() == {"error": "invalid_grant"}


def test_who_was_disabled_or_deleted_meanwhile(aws, app, person):
    idp = aws.client("cognito-idp")
    code = code_of(app, person)
    idp.admin_disable_user(UserPoolId="us-east-1_Shop1", Username="ana")
    assert app.redeem(code).json() == {"error": "invalid_grant"}
    person.open(app.url(prompt="none"))
    assert person.back["error"] == "login_required"
    idp.admin_delete_user(UserPoolId="us-east-1_Shop1", Username="ana")
    person.open(app.url(prompt="none"))
    assert person.back["error"] == "login_required"


def test_apps_that_do_not_prove_themselves(aws, app, server_app):
    wrong = App(aws, "server", "another-secret")
    for basic in (True, False):
        answer = wrong.token(basic=basic, grant_type="refresh_token", refresh_token="x")
        assert (answer.status_code, answer.json()) == (400, {"error": "invalid_client"})
    assert App(aws, "server").token(grant_type="x").json() == {"error": "invalid_client"}
    assert App(aws, "stranger").token(grant_type="x").json() == {"error": "invalid_client"}
    assert App(aws, "web", "a-secret").token(grant_type="x").json() == {"error": "invalid_client"}
    url = f"{aws.endpoint_url}/oauth2/token"
    for header in ("Basic !", "Basic c2VydmVy", "Digest x"):
        answer = httpx.post(url, data={"grant_type": "x"}, headers={"authorization": header})
        assert answer.json() == {"error": "invalid_client"}
    assert httpx.post(url, json={"grant_type": "x"}).json() == {"error": "invalid_request"}
    assert httpx.post(url, data={"grant_type": "x"}).json() == {"error": "invalid_request"}
    assert httpx.post(url, data={"client_id": "web", "code": "x" * 30_000}).json() == {"error": "invalid_request"}
    assert server_app.token(grant_type="password").json() == {"error": "unsupported_grant_type"}
    assert server_app.token().json() == {"error": "invalid_request"}
    assert app.token(grant_type="refresh_token").json() == {"error": "invalid_request"}


def test_refresh_tokens_of_others_and_none(app, server_app, person):
    given = app.redeem(code_of(app, person)).json()
    token = given["refresh_token"]
    altered = token[:20] + ("A" if token[20] != "A" else "B") + token[21:]
    for text in (altered, given["access_token"], "x"):
        answer = app.token(grant_type="refresh_token", refresh_token=text)
        assert (answer.status_code, answer.json()["error"]) == (400, "invalid_grant")
    answer = server_app.token(grant_type="refresh_token", refresh_token=given["refresh_token"])
    assert answer.json()["error"] == "invalid_grant"


def test_revoking(aws, app, person):
    url = f"{aws.endpoint_url}/oauth2/revoke"
    given = app.redeem(code_of(app, person)).json()
    assert httpx.post(url, data={"client_id": "web"}).json() == {"error": "invalid_request"}
    access = httpx.post(url, data={"client_id": "web", "token": given["access_token"]})
    assert access.json() == {"error": "unsupported_token_type"}
    foreign = {"client_id": "server", "client_secret": SECRET, "token": given["refresh_token"]}
    assert httpx.post(url, data=foreign).status_code == 400
    assert app.user_info(given["access_token"]).status_code == 200
    done = httpx.post(url, data={"client_id": "web", "token": given["refresh_token"]})
    assert (done.status_code, done.content) == (200, b"")
    answer = app.user_info(given["access_token"])
    assert answer.status_code == 401
    assert 'error="invalid_token"' in answer.headers["www-authenticate"]
    answer = app.token(grant_type="refresh_token", refresh_token=given["refresh_token"])
    assert answer.json()["error"] == "invalid_grant"


def test_tokens_that_userinfo_does_not_take(aws, app, person):
    given = app.redeem(code_of(app, person)).json()
    assert httpx.get(f"{aws.endpoint_url}/oauth2/userInfo").status_code == 400
    for text in (given["id_token"], given["access_token"][:-8] + "x" * 8, "x", "a.b.c", "x" * 30_000):
        assert app.user_info(text).status_code == 401
    machine = App(aws, "machine", SECRET).token(grant_type="client_credentials").json()
    assert app.user_info(machine["access_token"]).status_code == 401
    idp = aws.client("cognito-idp")
    with pytest.raises(idp.exceptions.NotAuthorizedException):
        idp.get_user(AccessToken=machine["access_token"])


def test_client_credentials(aws):
    machine = App(aws, "machine", SECRET)
    given = machine.token(basic=True, grant_type="client_credentials", scope="https://api.example/read").json()
    assert set(given) == {"access_token", "expires_in", "token_type"}
    claims = machine.claims(given["access_token"])
    assert (claims["sub"], claims["client_id"], claims["token_use"]) == ("machine", "machine", "access")
    assert (claims["scope"], claims["version"]) == ("https://api.example/read", 2)
    every = machine.token(grant_type="client_credentials").json()
    assert machine.claims(every["access_token"])["scope"] == "https://api.example/read https://api.example/write"
    for scope in ("openid", "https://api.example/delete", "x"):
        answer = machine.token(grant_type="client_credentials", scope=scope)
        assert answer.json() == {"error": "invalid_scope"}
    answer = App(aws, "server", SECRET).token(grant_type="client_credentials")
    assert answer.json() == {"error": "unauthorized_client"}


def test_what_a_machine_tells_the_pools_function(aws, hooks):
    machine, admin = App(aws, "machine", SECRET), aws.client("cognito-idp")
    config = {"PreTokenGenerationConfig": {"LambdaVersion": "V3_0", "LambdaArn": hooks.arn("PreTokenGeneration")}}
    hooks.play(SimpleNamespace(aws=aws, admin=admin, pool=POOL), config, PreTokenGeneration=lambda event: event)
    assert machine.token(grant_type="client_credentials", aws_client_metadata='{"tenant": "blue"}').status_code == 200
    assert hooks.events[0]["request"]["clientMetadata"] == {"tenant": "blue"}
    for text in ("{", "[]", '{"tenant": 7}', "[" * 5_000):
        answer = machine.token(grant_type="client_credentials", aws_client_metadata=text)
        assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")
    assert len(hooks.events) == 1


def test_forms_of_other_sites_and_other_browsers(aws, app, person):
    person.open(app.url("login"))
    answer = person.fill(username="ana", password=PASSWORD, headers={"origin": "https://evil.example"})
    assert answer.status_code == 403
    person.open(app.url("login"))
    answer = person.fill(username="ana", password=PASSWORD, headers={"sec-fetch-site": "cross-site"})
    assert answer.status_code == 403
    person.open(app.url("login"))
    assert person.fill(username="ana", password=PASSWORD, token="forged").status_code == 403
    person.open(app.url("login"))
    form = {
        "username": "ana",
        "password": PASSWORD,
        "token": person.tree.xpath("string(//input[@name='token']/@value)"),
    }
    with contextlib.closing(Person(aws)) as victim:  # whose browser is to be signed in as somebody else
        assert victim.http.post(app.url("login"), data=form).status_code == 403


def test_signing_out_leads_nowhere_else(app, person):
    person.sign_in(app.url())
    for place in ("https://evil.example", f"{OUT}.evil.example", "//evil.example", f"{OUT}/"):
        person.open(f"logout?client_id=web&logout_uri={place}")
        assert person.error == "redirect_mismatch"
    person.open("logout?client_id=stranger")
    assert person.error == "invalid_request"
    person.open(app.url(prompt="none"))
    assert "code" in person.back  # nobody was signed out by that


def test_parameters_that_are_too_long(app, person):
    for name in ("state", "nonce", "login_hint", "scope"):
        person.open(app.url(**{name: "x" * 2_049}))
        assert person.page.status_code == 400
        assert "too long" in person.error
    person.open(app.url(state="x" * 2_048))
    assert person.heading == "Sign in"


def test_hostile_text_stays_text(app, person):
    evil = "<script>alert(1)</script>{{7*7}}\r\nx: y"
    person.open(app.url("login", state=evil))
    person.fill(username=evil, password=evil)
    assert person.tree.xpath("//input[@id='username']/@value")[0].replace("\n", "") == evil.replace("\r\n", "")
    person.fill(username="ana", password=PASSWORD)
    assert person.back["state"] == evil
    for page in ("error?error=<script>&client_id=<script>", "confirmUser?username=<script>"):
        person.open(page if page.startswith("error") else f"{app.url('confirmUser')}&username=<script>")
        assert "<script>" not in person.page.text


def test_nobody_learns_who_is_there(aws, person):
    idp = aws.client("cognito-idp")
    idp.update_user_pool_client(
        UserPoolId="us-east-1_Other1",
        ClientId="foreign",
        PreventUserExistenceErrors="ENABLED",
        AllowedOAuthFlowsUserPoolClient=True,
        AllowedOAuthFlows=["code"],
        AllowedOAuthScopes=["openid", "email"],
        CallbackURLs=[CALLBACK],
        SupportedIdentityProviders=["COGNITO"],
    )
    app = App(aws, "foreign")
    said = set()
    for name in ("ana", "nobody"):
        person.open(app.url("login"))
        person.fill(username=name, password="Wrong-horse-1")
        said.add(person.alert)
    assert said == {"Incorrect username or password."}


def test_too_many_wrong_passwords(aws, app, person):
    person.open(app.url())
    for number in range(6):
        if number == 5:
            aws.advance(-60)  # what she waits for a second then lasts, however slow this is
        person.fill(username="ana", password="Wrong-horse-1")
    assert person.alert == "Password attempts exceeded"


def test_a_step_is_of_its_client(aws, app, person):
    person.sign_in(app.url(), "bob", "Temporary-1")
    shown = person.tree.xpath("//form")[0]
    given = {item.get("name"): item.get("value", "") for item in shown.xpath(".//input[@name]")}
    given |= {"new_password": "Another-horse-2", "repeated": "Another-horse-2"}
    other = App(aws, "server")
    assert person.http.post(other.url("login/challenge"), data=given).status_code == 403


@pytest.mark.parametrize(
    ("settings", "code"),
    [
        ({"CallbackURLs": ["http://evil.example/cb"]}, "InvalidParameterException"),
        ({"CallbackURLs": ["https://a.example/#x"]}, "InvalidParameterException"),
        ({"CallbackURLs": ["javascript:alert(1)"]}, "InvalidParameterException"),
        ({"LogoutURLs": ["data:text/html,x"]}, "InvalidParameterException"),
        ({"DefaultRedirectURI": "https://a.example"}, "InvalidParameterException"),
        ({"AllowedOAuthScopes": ["https://api.example/nothing"]}, "ScopeDoesNotExistException"),
        ({"AllowedOAuthFlows": ["client_credentials"]}, "InvalidOAuthFlowException"),
        ({"AllowedOAuthFlows": ["client_credentials", "code"]}, "InvalidOAuthFlowException"),
        ({"SupportedIdentityProviders": ["stranger"]}, "InvalidParameterException"),
    ],
)
def test_settings_that_cannot_be(aws, settings, code):
    idp = aws.client("cognito-idp")
    given = {"UserPoolId": "us-east-1_Shop1", "ClientName": "bad", "AllowedOAuthFlowsUserPoolClient": True}
    with pytest.raises(idp.exceptions.ClientError) as caught:
        idp.create_user_pool_client(**given, **settings)
    assert caught.value.response["Error"]["Code"] == code


def test_passkeys_of_pools_that_have_none_and_of_nobody(app, person):
    person.open(app.url("passkeys/add"))
    assert person.heading == "Sign in"
    person.fill(username="ana", password=PASSWORD)
    person.open(app.url("passkeys/add"))
    assert person.page.status_code == 400
    assert "Passkeys are not enabled" in person.error or person.error == "WebAuthnNotEnabledException"
