"""Story 3: a developer signs in at the company's own identity provider, with a second factor, and gets a role.

Identity Center is the SAML service provider; the lab's identity provider plays the company's. The directory is kept by
SCIM, and a SAML assertion makes no user (docs/aws/identity-center.md, "SAML and SCIM").
"""

from __future__ import annotations

import base64
import zlib
from urllib.parse import parse_qs, urlencode, urlsplit

import by_hand
import httpx
import pytest
from lxml import etree
from sso_lab import SEED, Tool, key_of_credentials

from sts_emulator.accounts.people import totp
from sts_emulator.cli.errors import CommandError

NOT_ACCEPTED = "What your identity provider says was not accepted"
SAML = "{urn:oasis:names:tc:SAML:2.0:assertion}"
DS = "{http://www.w3.org/2000/09/xmldsig#}"

SCENARIO = f"""
saml_idps:
  corp:
    users:
      jane: {{password: correct-horse, totp: {{phone: {SEED}}}, attributes: {{
        "https://aws.amazon.com/SAML/Attributes/AccessControl:Department": [shop]}}}}
      omar: {{}}
      gone: {{}}
      stranger: {{}}
  rogue: {{users: {{jane: {{}}}}}}
accounts: {{"111122223333": {{name: dev}}}}
organization: {{management: "111122223333"}}
identity_center:
  start_url: https://d-9067000000.awsapps.com/start
  identity_source: {{idp: corp}}
  attributes: {{Department: enterprise.department}}
  groups: {{developers: {{}}}}
  users:
    omar: {{attributes: {{department: sales}}}}
    gone: {{disabled: true}}
  permission_sets:
    Developer: {{inline: [{{Effect: Allow, Action: "s3:*", Resource: "*"}}]}}
  assignments:
    - {{groups: developers, permission_sets: Developer, accounts: "111122223333"}}
"""
JANE = {
    "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"],
    "userName": "jane",
    "displayName": "Jane Doe",
    "name": {"givenName": "Jane", "familyName": "Doe"},
    "active": True,
}


@pytest.fixture
def aws(emulator_server):
    """The company's world, into which its identity provider has provisioned jane, a developer."""
    with emulator_server.world(SCENARIO) as world:
        scim(world, "POST", "Users", JANE)
        group = scim(world, "GET", "Groups")["Resources"][0]["id"]
        member = {"op": "add", "path": "members", "value": [{"value": user_id(world, "jane")}]}
        scim(world, "PATCH", f"Groups/{group}", {"Operations": [member]})
        yield world


def scim(aws, method: str, path: str, body=None):
    access = aws._api("POST", "scim")  # as `sts-emulator sso scim` asks
    headers = {"Authorization": f"Bearer {access['token']}"}
    answer = httpx.request(
        method, f"{access['endpoint']}/{path}", json=body, headers=headers, verify=False
    ).raise_for_status()
    return answer.json() if answer.content else None


def user_id(aws, name: str) -> str:
    return scim(aws, "GET", f'Users?filter=userName eq "{name}"')["Resources"][0]["id"]


class Browser(by_hand.Person):
    """Presses "Continue" where a script would."""

    def __init__(self, aws) -> None:
        super().__init__(aws.endpoint_url)
        self.aws = aws

    def post(self, response: str, **fields: str):
        """Bring a response to where Identity Center takes them."""
        self.page = self.http.post(acs(self.aws), data={"SAMLResponse": response, **fields})
        if 'name="again"' in self.page.text:
            self.send()
        return self


@pytest.fixture
def new_browser(aws):
    opened = []

    def new_browser() -> Browser:
        opened.append(Browser(aws))
        return opened[-1]

    yield new_browser
    for browser in opened:
        browser.http.close()


@pytest.fixture
def browser(new_browser):
    return new_browser()


def asked(aws) -> dict:
    """What Identity Center sends to the identity provider: its id, issuer and address for the answer."""
    location = httpx.get(f"{aws.endpoint_url}/start/signin", verify=False).headers["location"]
    text = parse_qs(urlsplit(location).query)["SAMLRequest"][0]
    root = etree.fromstring(zlib.decompress(base64.b64decode(text), -15))
    return {
        "location": location,
        "id": root.get("ID"),
        "issuer": root.findtext(f"{SAML}Issuer"),
        "place": root.get("AssertionConsumerServiceURL"),
    }


def acs(aws) -> str:
    return asked(aws)["place"]


def assertion(aws, user: str = "omar", idp: str = "corp", **changed) -> str:
    """A response as the identity provider would make it, or with something changed."""
    request = asked(aws)
    usual = {"audience": request["issuer"], "recipient": request["place"], "destination": request["place"]}
    body = {"user": user, "roles": [], **usual, **changed}
    return aws.page("POST", f"idp/{idp}/assertions", body=body)["SAMLResponse"]


def refusal(aws) -> str:
    """Why the last sign-in was refused, as the event tells."""
    events = [event for event in aws.events() if event["eventName"] == "CredentialVerification"]
    return events[-1]["additionalEventData"]["evidence"]["refused"]


# -- the story ----------------------------------------------------------------------------------------------------


def test_sign_in_at_the_company_with_a_second_factor_and_use_the_role(aws, browser):
    tool = Tool(aws)
    device = tool.start()
    browser.open(f"/start/device?user_code={device['userCode']}")
    assert "Sign in to corp" in browser.text
    browser.send(username="jane", password="wrong")
    assert "No user of this lab has that name and password" in browser.text
    browser.send(username="jane", password="correct-horse")
    assert "Additional verification required" in browser.text
    browser.send(code="000000")
    assert "That code is not right" in browser.text
    browser.send(code=totp(SEED, aws.now()))
    browser.send()  # what a script does: the assertion goes to Identity Center
    assert "Allow tool to access your data?" in browser.text
    browser.send(answer="allow")

    keys = tool.credentials(tool.token(device))
    who = aws.client("sts", key_of_credentials(keys)).get_caller_identity()
    assert who["Arn"].split("/")[1].startswith("AWSReservedSSO_Developer_")
    assert who["Arn"].endswith("/jane")
    event = next(event for event in aws.events() if event["eventName"] == "CredentialVerification")
    assert event["additionalEventData"]["evidence"]["credential"] == "EXTERNAL_IDP"


def test_a_code_of_the_identity_provider_is_good_once(aws, new_browser, browser):
    code = totp(SEED, aws.now())
    browser.open("/start").send(username="jane", password="correct-horse").send(code=code).send()
    assert "Your accounts" in browser.text
    again = new_browser().open("/start").send(username="jane", password="correct-horse").send(code=code)
    assert "That code is not right, or was used" in again.text


def test_a_script_plays_the_person(aws):
    tool = Tool(aws)
    assert tool.credentials(tool.sign_in("jane"))["accessKeyId"]
    with pytest.raises(CommandError, match="disabled"):
        aws.approve(tool.start()["userCode"], "gone")


def test_the_portal_takes_no_passwords_of_its_own(aws, browser):
    other = SCENARIO.replace("identity_source: {idp: corp}", "identity_source: external")
    aws.load(other)
    browser.open("/start/signin")
    aws.load(SCENARIO)
    browser.send(username="omar", password="omar")
    assert browser.page.status_code == 403
    assert "sign in at their own identity provider" in browser.text


def test_attributes_of_the_assertion_replace_the_directorys(aws, browser):
    tool = Tool(aws)
    device = tool.start()
    browser.open(f"/start/device?user_code={device['userCode']}").send(username="jane", password="correct-horse")
    browser.send(code=totp(SEED, aws.now())).send().send(answer="allow")
    tool.credentials(tool.token(device))
    event = [event for event in aws.events() if event["eventName"] == "GetRoleCredentials"][-1]
    context = event["additionalEventData"]["decisions"][0]["explanation"]["request"]["context"]
    assert context["aws:requesttag/department"] == ["shop"]


def test_a_sign_in_may_begin_at_the_identity_provider(aws, browser):
    browser.post(assertion(aws))
    assert "omar" in browser.page.text
    assert browser.page.url.path.endswith("/start")


def test_what_an_identity_provider_must_know(aws):
    place = acs(aws)
    told = httpx.get(place.replace("/acs/", "/metadata/"), verify=False).text
    root = etree.fromstring(told.encode())
    assert root.get("entityID") == "https://us-east-1.signin.aws.amazon.com/platform/saml/d-9067000000"
    assert root.find(".//{*}AssertionConsumerService").get("Location") == place
    assert httpx.get(f"{place}x", verify=False).status_code in (404, 405)


def test_another_identity_provider_is_told_of_by_its_metadata(aws, new_browser):
    metadata = aws.page("GET", "idp/rogue/metadata")
    indented = "\n".join(f"      {line}" for line in metadata.splitlines())
    aws.load(SCENARIO.replace("identity_source: {idp: corp}", f"identity_source:\n    metadata: |\n{indented}"))
    assert urlsplit(asked(aws)["location"]).path.endswith("/idp/rogue/sso")
    browser = new_browser().open("/start").send(username="jane", password="jane").send()
    assert "Your accounts" in browser.text
    new_browser().post(assertion(aws))  # of corp, which is trusted no more
    assert "issuer `https://corp.idp.test/saml`" in refusal(aws)


# -- refused ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"audience": "urn:amazon:webservices"}, "the assertion is for urn:amazon:webservices"),
        ({"audience": "https://us-east-1.signin.aws.amazon.com/platform/saml/d-0000000000"}, "the assertion is for"),
        ({"recipient": "https://signin.aws.amazon.com/saml"}, "the assertion is to be taken to"),
        ({"destination": "https://signin.aws.amazon.com/saml"}, "the assertion is to be taken to"),
        ({"expires_in": -1}, "NotOnOrAfter has passed"),
        ({"in_response_to": "_nobody-asked"}, "a request that this browser did not make"),
        ({"user": "stranger"}, "the directory has no user `stranger`"),
        ({"user": "gone"}, "the user gone is disabled"),
        ({"user": "jane", "idp": "rogue"}, "issuer `https://rogue.idp.test/saml`"),
    ],
)
def test_an_assertion_that_is_not_right(aws, browser, changed, why):
    browser.post(assertion(aws, **changed))
    assert browser.page.status_code == 403
    assert NOT_ACCEPTED in browser.text
    assert why in refusal(aws)
    assert "/idp/corp/sso" in str(browser.open("/start").page.url)  # not signed in


def test_an_assertion_is_good_once(aws, new_browser, browser):
    response = assertion(aws)
    assert browser.post(response).page.status_code == 200
    again = new_browser().post(response)
    assert again.page.status_code == 403
    assert "the assertion was used before" in refusal(aws)


def test_an_assertion_that_waited_too_long(aws, browser):
    response = assertion(aws, expires_in=3_600)
    aws.advance(301)
    browser.post(response)
    assert "older than five minutes" in refusal(aws)


def changed(response: str, change) -> str:
    root = etree.fromstring(base64.b64decode(response))
    change(root)
    return base64.b64encode(etree.tostring(root)).decode()


def unsign(root) -> None:
    for signature in list(root.iter(f"{DS}Signature")):
        signature.getparent().remove(signature)


def rename(root) -> None:
    root.find(f".//{SAML}NameID").text = "jane"


def wrap(root) -> None:
    """The signed assertion is moved aside, and another stands in its place (signature wrapping)."""
    signed = root.find(f"{SAML}Assertion")
    forged = etree.fromstring(etree.tostring(signed))
    forged.set("ID", "_forged")
    unsign(forged)
    rename(forged)
    root.append(forged)


@pytest.mark.parametrize("change", [unsign, rename, wrap])
def test_an_assertion_that_was_changed(aws, browser, change):
    browser.post(changed(assertion(aws), change))
    assert (browser.page.status_code, NOT_ACCEPTED in browser.text) == (403, True)


@pytest.mark.parametrize("text", ["", "x", "!" * 200_000, base64.b64encode(b"<x/>").decode()])
def test_what_is_no_response_at_all(browser, text):
    browser.post(text)
    assert browser.page.status_code == 403


def test_an_answer_to_what_somebody_else_asked(aws, browser):
    """An attacker's own sign-in, posted into the victim's browser, is refused (RFC 6749, 10.12, for SAML)."""
    attackers = assertion(aws, in_response_to=asked(aws)["id"])
    browser.open("/start/signin")  # the victim has asked as well
    browser.post(attackers)
    assert browser.page.status_code == 403
    assert "a request that this browser did not make" in refusal(aws)


def test_an_assertion_of_another_world(aws, emulator_server, browser):
    with emulator_server.world(SCENARIO) as elsewhere:
        foreign = elsewhere.page(
            "POST",
            "idp/corp/assertions",
            body={
                "user": "omar",
                "roles": [],
                "audience": asked(aws)["issuer"],
                "recipient": acs(aws),
                "destination": acs(aws),
            },
        )
    browser.post(foreign["SAMLResponse"])
    assert browser.page.status_code == 403


def test_the_identity_provider_answers_known_service_providers_only(aws):
    location = asked(aws)["location"]
    place, query = location.split("?")

    def ask(text: bytes) -> int:
        deflate = zlib.compressobj(wbits=-15)
        packed = base64.b64encode(deflate.compress(text) + deflate.flush()).decode()
        return httpx.get(f"{place}?{urlencode({'SAMLRequest': packed})}", verify=False).status_code

    good = zlib.decompress(base64.b64decode(parse_qs(query)["SAMLRequest"][0]), -15)
    assert ask(good) == 200
    for text in (
        good.replace(b"d-9067000000", b"d-9067000001"),
        good.replace(b"/platform/saml/acs/", b"/elsewhere/"),
        good.replace(b"AuthnRequest", b"LogoutRequest"),
        b"<!DOCTYPE x [<!ENTITY e 'e'>]>" + good,
        b"<x>" * 1_000_000,
        b"",
    ):
        assert ask(text) == 400
    assert httpx.get(f"{place}?SAMLRequest=%21", verify=False).status_code == 400


@pytest.mark.parametrize(
    ("source", "why"),
    [
        ("elsewhere", "directory, external, or a mapping"),
        ("{idp: UPPER}", "names are lower-case letters"),
        ("{metadata: '<x/>'}", "the metadata cannot be used"),
        ("{}", "either `idp` or `metadata`"),
        ("{idp: corp, metadata: x}", "either `idp` or `metadata`"),
    ],
)
def test_mistakes_in_the_scenario(aws, source, why):
    with pytest.raises(CommandError, match=why):
        aws.load(SCENARIO.replace("{idp: corp}", source))
