"""What strangers try at managed login: planted sessions, ways elsewhere, script in whatever is shown, frames, floods."""

from __future__ import annotations

import contextlib
import re
from types import SimpleNamespace
from urllib.parse import quote, urlsplit

import httpx
import pytest
from botocore.exceptions import ClientError
from managed_login_lab import CALLBACK, OUT, PASSWORD, POOL, App, Person

SCRIPT = "\"'><script>alert(1)</script><img src=x onerror=alert(1)>{{1234567*7654321}}"
FORMS = ("login", "signup", "confirmUser", "forgotPassword", "confirmForgotPassword")
HEADERS = {
    "x-frame-options": "DENY",
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "cache-control": "no-store",
}


@pytest.fixture
def idp(aws):
    return aws.client("cognito-idp")


def session_of(person: Person, pool: str = POOL) -> str:
    return person.http.cookies.get(f"cognito-{pool}", "")


def is_harmless(page: httpx.Response) -> bool:
    """Whether a page has no script but our own, and nothing that would run."""
    from lxml import html

    tree = html.fromstring(page.text)
    own = [
        source for source in tree.xpath("//script/@src") if urlsplit(source).netloc in ("", page.url.netloc.decode())
    ]
    runs = tree.xpath("//script[not(@src)] | //@*[starts-with(name(), 'on')] | //iframe | //object | //base")
    links = [
        link for link in tree.xpath("//@href | //@src | //@action") if link.lower().startswith(("javascript:", "data:"))
    ]
    return len(own) == len(tree.xpath("//script")) and runs == [] and links == [] and "9449772114007" not in page.text


# -- sessions --------------------------------------------------------------------------------------------------------


def test_a_session_that_was_there_before_is_not_who_signs_in(aws, app, person):
    # Given a visitor's cookie that an attacker has planted in somebody's browser
    with contextlib.closing(Person(aws)) as attacker:
        attacker.open(app.url())
        for name, value in attacker.http.cookies.items():
            person.http.cookies.set(name, value)
        # When that somebody signs in
        person.sign_in(app.url())
        assert "code" in person.back
        # Then the attacker, who knows what was planted, is nobody still
        attacker.open(app.url(prompt="none"))
        assert attacker.back["error"] == "login_required"


def test_each_sign_in_is_a_new_session(aws, app, person):
    person.sign_in(app.url())
    before = session_of(person)
    aws.advance(1)
    person.sign_in(app.url(prompt="login"))
    assert session_of(person) not in ("", before)


def test_a_session_is_of_its_pool_and_its_world(aws, emulator_server, app, person):
    person.sign_in(app.url())
    own = session_of(person)
    for pool, value in (
        ("us-east-1_Other1", own),
        (POOL, own[:-2] + ("AA" if own[-2:] != "AA" else "BB")),
        (POOL, own + "A"),
        (POOL, "x" * 20_000),
        (POOL, ""),
    ):
        client = "foreign" if pool != POOL else "web"
        asked = App(aws, client).url(prompt="none", scope="openid")
        answer = httpx.get(asked, headers={"cookie": f"cognito-{pool}={value}"})
        assert "error=login_required" in answer.headers["location"]
    from managed_login_lab import SCENARIO

    with emulator_server.world(SCENARIO) as elsewhere:
        asked = App(elsewhere).url(prompt="none")
        answer = httpx.get(asked, headers={"cookie": f"cognito-{POOL}={own}"})
        assert "error=login_required" in answer.headers["location"]


def test_a_cookie_is_for_pages_alone(app, person):
    person.open(app.url())
    page = person.fill(username="ana", password=PASSWORD)
    told = [cookie for cookie in page.headers.get_list("set-cookie") if cookie.startswith("cognito-")]
    assert told
    for cookie in told:
        assert "; HttpOnly; SameSite=Lax" in cookie
        assert f"; Path={urlsplit(app.aws.endpoint_url).path or '/'};" in cookie
        assert "Domain" not in cookie


# -- ways elsewhere --------------------------------------------------------------------------------------------------

ELSEWHERE = (
    "https://evil.example",
    "//evil.example",
    "/\\evil.example",
    "https:evil.example",
    "javascript:alert(1)",
    "data:text/html,x",
    f"{OUT}@evil.example",
    f"{OUT}\\@evil.example",
    f"{OUT}?x=1",
    f"{OUT}#x",
    f"{OUT}%2f..",
    f"{OUT}\r\nlocation: https://evil.example",
    f" {OUT}",
    OUT.upper(),
    OUT.replace("localhost", "localhost."),
)


@pytest.mark.parametrize("place", ELSEWHERE)
def test_no_way_leads_elsewhere(app, person, place):
    person.sign_in(app.url())
    for page in (
        f"logout?client_id=web&logout_uri={quote(place, safe='')}",
        f"logout?client_id=web&redirect_uri={quote(place, safe='')}&response_type=code",
        f"login?client_id=web&redirect_uri={quote(place, safe='')}&response_type=code",
        f"oauth2/authorize?client_id=web&redirect_uri={quote(place, safe='')}&response_type=code",
        f"passkeys/add?client_id=web&redirect_uri={quote(place, safe='')}&response_type=code",
    ):
        answer = person.http.get(f"{app.aws.endpoint_url}/{page}")
        assert answer.headers["location"].startswith(
            f"{urlsplit(app.aws.endpoint_url).path}/error?error=redirect_mismatch"
        )
    person.open(app.url(prompt="none"))
    assert "code" in person.back  # nobody was signed out by that


@pytest.mark.parametrize("name", ["username", "attribute.email", "code", "proof", "step", "token", "then"])
def test_no_field_leads_elsewhere(app, person, name):
    for page in FORMS:
        person.open(app.url(page))
        answer = person.fill(**{name: "https://evil.example/\r\nlocation: https://evil.example"})
        assert "evil.example" not in urlsplit(answer.headers.get("location", "")).netloc
        assert answer.status_code < 500


# -- script ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["state", "nonce", "login_hint", "lang", "scope", "identity_provider", "client_id"])
def test_parameters_are_never_script(app, person, name):
    for page in (*FORMS, "oauth2/authorize"):
        person.open(app.url(page, **{name: SCRIPT}))
        if "text/html" in person.page.headers.get("content-type", ""):
            assert is_harmless(person.page)


@pytest.mark.parametrize("page", FORMS)
def test_fields_are_never_script(app, person, page):
    person.open(app.url(page))
    person.fill(username=SCRIPT, password=SCRIPT, code=SCRIPT, **{"attribute.email": SCRIPT, "new_password": SCRIPT})
    assert person.page.status_code < 500
    assert is_harmless(person.page)


def test_what_functions_say_is_never_script(aws, app, idp, person, hooks):
    def refusing(_: dict) -> dict:
        raise RuntimeError(SCRIPT)

    hooks.play(SimpleNamespace(aws=aws, admin=idp, pool=POOL), PreAuthentication=refusing)
    person.sign_in(app.url())
    assert SCRIPT in person.alert
    assert is_harmless(person.page)


def test_attributes_and_names_of_providers_are_never_script(app, idp, person):
    # Given a provider and a person who are called as an attacker likes
    name = "<script>alert(1)</script>"[:32]
    details = {
        "client_id": "x",
        "oidc_issuer": "https://x.example",
        "authorize_scopes": "openid",
        "attributes_request_method": "GET",
    }
    idp.create_identity_provider(
        UserPoolId=POOL, ProviderName=name, ProviderType="OIDC", ProviderDetails=details, AttributeMapping={}
    )
    known = idp.describe_user_pool_client(UserPoolId=POOL, ClientId="web")["UserPoolClient"]
    kept = {member: value for member, value in known.items() if not member.endswith("Date")}
    idp.update_user_pool_client(**{**kept, "SupportedIdentityProviders": ["COGNITO", name]})
    factors = {"SignInPolicy": {"AllowedFirstAuthFactors": ["PASSWORD", "WEB_AUTHN"]}}
    idp.update_user_pool(UserPoolId=POOL, Policies=factors)
    idp.set_user_pool_mfa_config(UserPoolId=POOL, WebAuthnConfiguration={"RelyingPartyId": "localhost"})
    pairs = [{"Name": "email", "Value": f"a{SCRIPT}'@example.org"}]
    with contextlib.suppress(ClientError):  # where it is no address at all
        idp.admin_update_user_attributes(UserPoolId=POOL, Username="ana", UserAttributes=pairs)
    # When pages show them
    person.open(app.url())
    assert person.tree.xpath("//ul[@class='providers']//a/text()") == [name]
    assert is_harmless(person.page)
    person.fill(username="ana", password=PASSWORD)
    person.open(app.url("passkeys/add"))
    assert person.heading == "Add a passkey"
    assert is_harmless(person.page)


# -- frames ----------------------------------------------------------------------------------------------------------


def test_no_page_is_shown_in_a_frame(app, person):
    places = [
        *(app.url(page) for page in FORMS),
        app.url(),
        f"{app.aws.endpoint_url}/error?error=x",
        app.url("passkeys/add"),
    ]
    for place in places:
        answer = person.http.get(place)
        assert {name: answer.headers.get(name) for name in HEADERS} == HEADERS, place
        policy = answer.headers["content-security-policy"]
        assert "frame-ancestors 'none'" in policy
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy


def test_forms_lead_to_apps_alone(app, person):
    person.open(app.url())
    (policy,) = re.findall(r"form-action ([^;]*)", person.page.headers["content-security-policy"])
    assert set(policy.split()) == {"'self'", "http://localhost:9876", "myapp:"}
    assert CALLBACK.startswith("http://localhost:9876")


# -- floods ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["username", "password", "code", "step", "token", "proof", "credential", "choice"])
def test_fields_that_are_far_too_long(app, person, name):
    for page in (*FORMS, "resendcode", "login/challenge", "passkeys/add"):
        person.open(app.url())
        shown = {field.get("name"): field.get("value", "") for field in person.tree.xpath("//form[1]//input[@name]")}
        answer = person.http.post(app.url(page), data={**shown, name: "x" * 200_000})
        assert answer.status_code < 500, (page, answer.text[:200])
        assert "x" * 3_000 not in answer.text


def test_many_fields_and_odd_bytes(app, person):
    person.open(app.url("signup"))
    shown = {field.get("name"): field.get("value", "") for field in person.tree.xpath("//form[1]//input[@name]")}
    many = {f"attribute.custom:{number}": "x" for number in range(2_000)}
    assert (
        person.http.post(app.url("signup"), data={**shown, "username": "x", "password": PASSWORD, **many}).status_code
        < 500
    )
    for body in (b"\xff\xfe=\x00", b"%zz=1", b"=" * 10_000, b"&" * 100_000, b"username=%00&token=%ff"):
        headers = {"content-type": "application/x-www-form-urlencoded"}
        for page in ("login", "signup", "login/challenge", "saml2/idpresponse", "saml2/logout", "oauth2/token"):
            assert person.http.post(app.url(page), content=body, headers=headers).status_code < 500
