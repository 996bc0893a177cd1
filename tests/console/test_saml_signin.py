"""The page that signin.aws.amazon.com/saml is: from a posted response to a console session."""

from __future__ import annotations

import base64
import json
import re

import pytest
from signin_lab import ADMIN, DEV, DEVELOPER, LAB, PROD, READ_ONLY, sentence, shell, tree

pytestmark = pytest.mark.scenario(LAB)

INVALID = "Your request included an invalid SAML response. To logout, click here."


# -- the lab identity provider ------------------------------------------------------------------------------------


def test_the_sign_in_page_names_the_users(browser):
    page = browser.get("idp/corp/")

    assert page.status_code == 200
    assert tree(page).xpath("//datalist/option/@value")[:2] == ["jane", "omar"]


def test_a_password_is_needed(browser):
    for user, password in (("omar", "omar"), ("omar", ""), ("jane", "wrong"), ("nobody", "nobody")):
        refused = browser.post("idp/corp/sso", {"username": user, "password": password})
        assert refused.status_code == 401
        assert "SAMLResponse" not in refused.text


@pytest.mark.parametrize(("user", "password"), [("jane", "jane"), ("omar", "let me in")])
def test_signing_in_posts_to_the_sign_in_page(browser, user, password):
    page = tree(browser.post("idp/corp/sso", {"username": user, "password": password, "RelayState": "x"}))

    (form,) = page.forms
    assert form.action == f"{browser.aws.endpoint_url}/saml"
    assert form.fields["RelayState"] == "x"
    assert b"<samlp:Response" in base64.b64decode(form.fields["SAMLResponse"])


def test_another_web_page_cannot_sign_its_visitor_in_or_make_assertions(browser):
    foreign = {"origin": "https://evil.test"}

    assert browser.post("idp/corp/sso", {"username": "jane", "password": "jane"}, headers=foreign).status_code == 403
    made = browser.http.post(f"{browser.aws.endpoint_url}/idp/corp/assertions", json={"user": "jane"}, headers=foreign)
    assert made.status_code == 403
    plain = browser.post("idp/corp/assertions", {"user": "jane"})
    assert plain.status_code == 403


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"user": "nobody"}, "no user `nobody` in `corp`"),
        ({"user": "omar", "roles": ["Developer"]}, "`omar` does not have the role `Developer`"),
        ({"user": "jane", "color": "red"}, "unknown member `color`"),
        ({"user": "jane", "expires_in": "soon"}, "`expires_in` has a value of another kind"),
        ({"user": "jane", "tags": {"a": "\u0000"}}, "All strings must be XML compatible"),
        ([], "the body is no JSON object"),
    ],
)
def test_wishes_that_cannot_be_granted(browser, body, message):
    answer = browser.http.post(f"{browser.aws.endpoint_url}/idp/corp/assertions", json=body)

    assert answer.status_code == 400
    assert answer.json()["message"].startswith(message)


def test_metadata_registers_the_provider(browser):
    from lxml import etree

    document = browser.get("idp/corp/metadata")
    iam = browser.aws.client("iam")
    created = iam.create_saml_provider(Name="again", SAMLMetadataDocument=document.text)

    assert document.headers["content-type"] == "application/samlmetadata+xml"
    assert etree.fromstring(document.content).get("entityID") == "https://corp.idp.test/saml"
    assert created["SAMLProviderArn"].endswith(":saml-provider/again")


# -- one role -----------------------------------------------------------------------------------------------------


def test_one_role_goes_straight_in(browser):
    page = browser.sign_in("omar")
    identity = browser.aws.client("sts", shell(page)).get_caller_identity()

    assert page.status_code == 200
    assert tree(page).xpath("string(//*[@id='arn'])") == identity["Arn"]
    assert identity["Arn"] == f"arn:aws:sts::{DEV}:assumed-role/Admin/omar"
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", tree(page).xpath("string(//*[@id='until'])"))


def test_session_duration_is_how_long_the_console_lasts(browser):
    refused = browser.sign_in("long")  # 7200 seconds, of a role that allows 3600
    assert sentence(refused) == "The requested DurationSeconds exceeds the MaxSessionDuration set for this role."

    browser.aws.client("iam").update_role(RoleName="Admin", MaxSessionDuration=7200)
    assert "1 h 59 min left" in browser.sign_in("long").text or "2 h 0 min left" in browser.sign_in("long").text


def test_both_steps_are_in_the_event_log(browser):
    browser.sign_in("omar")
    assumed, login = browser.aws.events()[-2:]

    assert (assumed["eventName"], login["eventName"]) == ("AssumeRoleWithSAML", "ConsoleLogin")
    assert assumed["additionalEventData"]["evidence"]["subject"] == "omar"
    assert "secretAccessKey" not in assumed["responseElements"]["credentials"]
    assert login["userIdentity"]["arn"] == f"arn:aws:sts::{DEV}:assumed-role/Admin/omar"


# -- several roles ------------------------------------------------------------------------------------------------


@pytest.fixture
def chooser(browser):
    return browser.sign_in("jane")


def test_what_saml2aws_looks_for(chooser):
    # goquery: fieldset > div.saml-account, in it div.saml-account-name and label[for]
    accounts = {
        outer.xpath("string(.//div[@class='saml-account-name'])"): outer.xpath(".//label/@for")
        for outer in tree(chooser).xpath("//fieldset/div[@class='saml-account']")
    }

    assert accounts == {
        f"Account: acme-dev ({DEV})": [DEVELOPER, ADMIN],
        f"Account: {PROD}": [READ_ONLY],
    }


def test_what_aws_adfs_looks_for(chooser):
    names = tree(chooser).xpath(".//div[@class='saml-account-name']")
    aliases = dict(
        reversed(match.groups()) for name in names if (match := re.search(r"Account: *(.*) *\((\d+)\)", name.text))
    )

    assert aliases == {DEV: "acme-dev "}


def test_what_gimme_aws_creds_looks_for(chooser):
    (data,) = tree(chooser).xpath("//meta[@name='data']/@content")
    roles = tree(chooser).xpath("//div[@class='saml-role']")

    assert json.loads(base64.b64decode(data))["roles_accounts"] == {
        f"acme-dev ({DEV})": [DEVELOPER, ADMIN],
        PROD: [READ_ONLY],
    }
    assert [role.find("label").get("for") for role in roles] == [DEVELOPER, ADMIN, READ_ONLY]
    first = roles[0].getparent().getparent().find("div").find("div")
    assert first.text_content() == f"Account: acme-dev ({DEV})"


@pytest.mark.parametrize("role", [DEVELOPER, READ_ONLY])
def test_choosing_posts_back_and_goes_in(browser, chooser, role):
    (form,) = tree(chooser).forms
    assert form.get("id") == form.get("name") == "saml_form"
    assert form.action == f"/w/{browser.aws.world}/saml"
    assert form.fields["name"] == form.fields["RelayState"] == ""

    fields = {**{name: value for name, value in form.fields.items() if value is not None}, "roleIndex": role}
    page = browser.http.post(browser.aws.endpoint_url.partition("/w/")[0] + form.action, data=fields)

    account, name = role.split(":")[4], role.rpartition("/")[2]
    arn = browser.aws.client("sts", shell(page)).get_caller_identity()["Arn"]
    assert arn == f"arn:aws:sts::{account}:assumed-role/{name}/jane"


def test_a_role_that_was_not_offered(browser):
    for role in (f"arn:aws:iam::{DEV}:role/Other", ADMIN.replace("Admin", "admin"), "x"):
        assert sentence(browser.sign_in("jane", role, roles=["Developer", "ReadOnly"])) == INVALID


def test_a_role_whose_trust_policy_says_no(browser):
    # Admin does not allow sts:SetSourceIdentity, and jane has one.
    page = browser.sign_in("jane", ADMIN)

    assert page.status_code == 403
    assert sentence(page) == "Not authorized to perform sts:AssumeRoleWithSAML"
    assert "set-cookie" not in page.headers


# -- what is no good ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wish", "why"),
    [
        ({"audience": "urn:someone:else"}, "audiences ['urn:someone:else']"),
        ({"recipient": "https://evil.test/saml"}, "recipient `https://evil.test/saml`"),
        ({"expires_in": -1}, "a NotOnOrAfter has passed"),
    ],
)
def test_an_assertion_for_somebody_or_some_time_else(browser, wish, why):
    page = browser.sign_in("omar", **wish)

    assert page.status_code == 400
    assert sentence(page) == INVALID
    assert browser.aws.events()[-1]["additionalEventData"]["evidence"]["refused"] == why


@pytest.mark.parametrize("text", ["", "x", "PHg+", base64.b64encode(b"<!DOCTYPE x><x/>").decode(), "A" * 200_000])
def test_what_is_no_response(browser, text):
    page = browser.post("saml", {"SAMLResponse": text})

    assert (page.status_code, sentence(page)) == (400, INVALID)


def test_a_tampered_response(browser):
    raw = base64.b64decode(browser.assertion("omar"))
    page = browser.post("saml", {"SAMLResponse": base64.b64encode(raw.replace(b">omar<", b">jane<")).decode()})

    assert sentence(page) == INVALID
    assert "Response signature invalid" in page.text


def test_a_user_without_roles(browser):
    assert sentence(browser.sign_in("eve")) == INVALID


def test_only_posts_are_answered(browser):
    assert browser.get("saml").status_code == 405


def test_nothing_that_others_wrote_becomes_markup(browser):
    attack = '"><script>alert(1)</script>'
    choice = browser.sign_in("<script>alert(1)</script>")
    page = browser.post("saml", {"SAMLResponse": browser.assertion("omar"), "RelayState": attack})
    denied = browser.post("saml", {"SAMLResponse": attack, "RelayState": attack, "roleIndex": attack})
    login = browser.post("idp/corp/sso", {"username": attack, "password": attack, "RelayState": attack})

    assert tree(choice).xpath("string(//p[@class='soft'])") == "<script>alert(1)</script>"
    for shown in (choice, page, denied, login):
        assert "<script>alert" not in shown.text
        assert [source for source in tree(shown).xpath("//script/@src") if "/console/static/" not in source] == []
        assert "script-src 'self'" in shown.headers["content-security-policy"]
        assert "'unsafe" not in shown.headers["content-security-policy"]


@pytest.mark.parametrize(
    ("relay_state", "shown"),
    [
        ("https://console.aws.amazon.com/s3", True),
        ("https://us-east-1.console.aws.amazon.com/ec2", True),
        ("https://evil.test/", False),
        ("javascript:alert(1)", False),
        ("https://console.aws.amazon.com@evil.test/", False),
        ("https://[", False),
        (r"https://evil.test\.aws.amazon.com/login", False),
        ("http://console.aws.amazon.com/", False),
    ],
)
def test_a_destination_is_linked_only_when_it_is_the_console(browser, relay_state, shown):
    page = browser.post("saml", {"SAMLResponse": browser.assertion("omar"), "RelayState": relay_state})

    own = ("#main", "/console/signout")  # what every page links to
    links = [link for link in tree(page).xpath("//a/@href") if not link.endswith(own)]
    assert links == ([relay_state] if shown else [])


# -- a provider of its own address --------------------------------------------------------------------------------


def test_a_provider_has_an_address_of_its_own(browser):
    iam = browser.aws.client("iam")
    ours = iam.get_saml_provider(SAMLProviderArn=f"arn:aws:iam::{DEV}:saml-provider/corp")["SAMLProviderUUID"]
    recipient = f"https://us-east-1.signin.aws.amazon.com/saml/acs/{ours}"
    fields = {"SAMLResponse": browser.assertion("omar", recipient=recipient)}

    assert tree(browser.post(f"saml/acs/{ours}", fields)).xpath("string(//*[@id='arn'])").endswith("Admin/omar")
    assert sentence(browser.post("saml/acs/NOSUCHPROVIDER", fields)) == INVALID


# -- the console --------------------------------------------------------------------------------------------------


def test_the_cookie_is_for_the_consoles_pages_and_not_for_scripts(browser):
    cookie = browser.sign_in("omar").headers["set-cookie"]

    assert re.fullmatch(
        rf"sts-emulator-console=[\w-]+; Max-Age=3\d{{3}}; Path=/w/{browser.aws.world}; HttpOnly; SameSite=Lax",
        cookie,
    )


def test_the_console_shows_who_is_signed_in_and_credentials_only_on_request(browser):
    browser.sign_in("omar")
    page = browser.get("console")
    token = tree(page).forms[0].fields["token"]

    assert tree(page).xpath("string(//*[@id='arn'])") == f"arn:aws:sts::{DEV}:assumed-role/Admin/omar"
    assert "AWS_SECRET_ACCESS_KEY" not in page.text
    shown = shell(browser.post("console/credentials", {"token": token}))
    assert browser.aws.client("sts", shown).get_caller_identity()["Arn"].endswith("Admin/omar")


def test_no_other_page_can_ask_for_the_credentials(browser, new_browser):
    browser.sign_in("omar")
    mine = tree(browser.get("console")).forms[0].fields["token"]
    stranger = new_browser()
    stranger.sign_in("jane", DEVELOPER)
    theirs = tree(stranger.get("console")).forms[0].fields["token"]

    for token in ("", "x", theirs):
        assert browser.post("console/credentials", {"token": token}).status_code == 403
    assert browser.get("console/credentials").status_code == 405
    assert stranger.post("console/credentials", {"token": mine}).status_code == 403


def test_a_console_session_ends(browser):
    browser.sign_in("omar")
    browser.aws.advance(hours=1)

    assert browser.get("console").status_code == 401


def test_a_console_session_ends_with_its_role(browser):
    browser.sign_in("omar")
    browser.aws.client("iam").delete_role(RoleName="Admin")

    assert browser.get("console").status_code == 401


def test_signing_out(browser):
    browser.sign_in("omar")

    assert "Max-Age=0" in browser.get("console/signout").headers["set-cookie"]
    assert browser.get("console").status_code == 401


def test_a_cookie_that_is_not_ours(browser):
    browser.http.cookies.set("sts-emulator-console", "x" * 100)

    assert browser.get("console").status_code == 401


@pytest.mark.parametrize(
    ("name", "kind"), [("console.css", "text/css"), ("console.js", "text/javascript"), ("key.svg", "image/svg+xml")]
)
def test_assets(browser, name, kind):
    assert browser.get(f"console/static/{name}").headers["content-type"] == kind


@pytest.mark.parametrize("name", ["..%2ftemplates/base.html", "%2e%2e/landing.py", "none.css", "x%2f..%2fconsole.css"])
def test_nothing_else_is_an_asset(browser, name):
    answer = browser.get(f"console/static/{name}")

    assert answer.status_code in (401, 404)
    assert answer.headers["content-type"] != "text/css"
