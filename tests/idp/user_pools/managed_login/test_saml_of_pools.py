"""SAML beyond the plain sign-in: encrypted assertions, signed requests, and sign-outs that reach the provider."""

from __future__ import annotations

import base64
import sys
import zlib
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from lxml import etree, html
from managed_login_lab import CALLBACK, OUT, App, Person

sys.path.insert(0, str(Path(__file__).parents[3] / "methods" / "saml"))  # the maker of assertions
import saml_maker as maker

POOL = "us-east-1_Saml1"
BINDING = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect"
EMAIL = "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/emailaddress"
SUCCESS = "urn:oasis:names:tc:SAML:2.0:status:Success"
ELSEWHERE = "https://idp.example.test"
SCENARIO = f"""
saml_idps:
  corp: {{users: {{jane: {{email: jane@corp.example}}}}}}
  rival: {{users: {{jane: {{}}}}}}
accounts:
  "111122223333":
    user_pools:
      shop:
        id: {POOL}
        domain: saml
        identity_providers:
          corp:
            saml_idp: corp
            mapping: {{email: "{EMAIL}"}}
            encrypted: true
            signed_requests: true
            sign_out: true
          rival: {{saml_idp: rival}}
        clients:
          web:
            id: web
            callbacks: ["{CALLBACK}"]
            logouts: ["{OUT}"]
            identity_providers: [COGNITO, corp, rival]
"""
LEAVE = f"logout?client_id=web&logout_uri={OUT}"


@pytest.fixture
def aws(emulator_server):
    with emulator_server.world(SCENARIO) as world:
        yield world


@pytest.fixture
def idp(aws):
    return aws.client("cognito-idp")


def by_corp(app: App, person: Person) -> str:
    """Sign in at the lab's provider; the response that it gave."""
    person.open(app.url(identity_provider="corp"))
    person.fill(username="jane", password="jane")
    response = person.tree.xpath("string(//input[@name='SAMLResponse']/@value)")
    person.fill()
    return base64.b64decode(response).decode()


def redirected(person: Person, url: str) -> str:
    """Where the browser is sent first."""
    return person.http.get(url).headers["location"]


def is_signed_by(location: str, certificate: str) -> bool:
    """Whether python3-saml finds the query signed by the certificate's key."""
    from onelogin.saml2.utils import OneLogin_Saml2_Utils

    told, _, signature = urlsplit(location).query.partition("&Signature=")
    value = base64.b64decode(parse_qs(f"x={signature}")["x"][0])
    algorithm = parse_qs(told)["SigAlg"][0]
    certificate = OneLogin_Saml2_Utils.format_cert(certificate)
    return OneLogin_Saml2_Utils.validate_binary_sign(told, value, certificate, algorithm)


def request_in(location: str):
    """The document of a request that travels as the binding has it."""
    text = parse_qs(urlsplit(location).query)["SAMLRequest"][0]
    return etree.fromstring(zlib.decompress(base64.b64decode(text), -15))


# -- the lab's identity provider -------------------------------------------------------------------------------------


def test_only_the_pool_reads_what_is_encrypted_for_it(app, person):
    response = by_corp(app, person)
    assert "EncryptedAssertion" in response
    assert "jane" not in response
    claims = app.claims(app.redeem(person.back["code"]).json()["id_token"], POOL)
    assert (claims["cognito:username"], claims["email"]) == ("corp_jane", "jane@corp.example")


def test_a_question_is_signed_with_the_key_that_the_pool_shows(app, idp, person):
    certificate = idp.get_signing_certificate(UserPoolId=POOL)["Certificate"]
    location = redirected(person, app.url(identity_provider="corp"))
    assert is_signed_by(location, certificate)
    assert not is_signed_by(location.replace("SAMLRequest=", "SAMLRequest=x"), certificate)
    request = request_in(location)
    assert request.get("Destination") == location.partition("?")[0]
    assert idp.get_signing_certificate(UserPoolId=POOL)["Certificate"] == certificate
    assert "SigAlg" not in redirected(person, app.url(identity_provider="rival"))


def test_signing_out_reaches_the_provider_and_comes_back(aws, app, idp, person):
    by_corp(app, person)
    # When the app signs the person out
    location = redirected(person, f"{aws.endpoint_url}/{LEAVE}")
    # Then the provider is asked, by a signed request about who they are there
    assert location.startswith(f"{aws.endpoint_url}/idp/corp/slo?")
    assert is_signed_by(location, idp.get_signing_certificate(UserPoolId=POOL)["Certificate"])
    assert request_in(location).findtext(".//{*}NameID") == "jane"
    assert request_in(location).findtext(".//{*}SessionIndex")
    # And its answer leads to where the app wanted, once, while the person is signed out here either way
    person.open(app.url(prompt="none"))
    assert person.back["error"] == "login_required"
    person.open(location)
    given = {field.get("name"): field.get("value", "") for field in person.tree.xpath("//form//input[@name]")}
    person.fill()
    assert person.page.headers["location"] == OUT
    again = person.http.post(f"{aws.endpoint_url}/saml2/logout", data=given)
    assert again.status_code == 403
    told = [event["eventName"] for event in aws.events()]
    assert [name for name in told if "ogout" in name] == ["Logout_GET", "SAML2Logout_POST"]


def test_a_sign_out_that_asks_nobody(aws, app, person):
    person.open(app.url(identity_provider="rival"))
    person.fill(username="jane", password="jane")
    person.fill()
    assert redirected(person, f"{aws.endpoint_url}/{LEAVE}") == OUT


def test_the_lab_answers_what_a_pool_has_signed(aws, app, person):
    location = redirected(person, app.url(identity_provider="corp"))
    place, query = location.split("?")
    sent = {name: values[0] for name, values in parse_qs(query).items()}
    other = parse_qs(urlsplit(redirected(person, app.url(identity_provider="corp"))).query)["SAMLRequest"][0]
    by_corp(app, person)
    leaving = urlsplit(redirected(person, f"{aws.endpoint_url}/{LEAVE}"))
    farewell = {name: values[0] for name, values in parse_qs(leaving.query).items()}
    assert person.http.get(place, params=sent).status_code == 200
    for page, given in ((place, sent), (f"{aws.endpoint_url}/idp/corp/slo", farewell)):
        for changes in (
            {"Signature": None},
            {"Signature": "AAAA"},
            {"Signature": "!"},
            {"SigAlg": "http://www.w3.org/2000/09/xmldsig#rsa-sha1"},
            {"RelayState": "another"},
            {"SAMLRequest": other},
        ):
            altered = {name: value for name, value in {**given, **changes}.items() if value is not None}
            assert person.http.get(page, params=altered).status_code == 400, changes
    assert person.http.get(f"{aws.endpoint_url}/idp/rival/slo", params=farewell).status_code == 400


def test_an_assertion_that_is_not_encrypted_where_it_must_be(aws, app, idp, person):
    details = idp.describe_identity_provider(UserPoolId=POOL, ProviderName="corp")["IdentityProvider"]
    own = details["ProviderDetails"]["ActiveEncryptionCertificate"]
    place = f"{aws.endpoint_url}/saml2/idpresponse"
    for encrypt_for, error in (
        ("", "invalid_request"),
        (maker.identity("stranger").certificate_text, "invalid_request"),
        (own, ""),
    ):
        person.open(app.url(identity_provider="corp", prompt="login"))
        person.fill(username="jane", password="jane")
        relay = person.tree.xpath("string(//input[@name='RelayState']/@value)")
        body = {
            "user": "jane",
            "audience": f"urn:amazon:cognito:sp:{POOL}",
            "recipient": place,
            "destination": place,
            "in_response_to": relay,
            "encrypt_for": encrypt_for,
        }
        person.fill(SAMLResponse=aws.page("POST", "idp/corp/assertions", body=body)["SAMLResponse"])
        assert person.back.get("error", "") == error


# -- an identity provider that nobody here wrote ---------------------------------------------------------------------


@dataclass
class Foreign:
    """A provider outside: signxml signs for it, libxmlsec encrypts."""

    aws: object
    certificate: str

    @property
    def place(self) -> str:
        return f"{self.aws.endpoint_url}/saml2"

    def sign_in(self, app: App, person: Person, **changes) -> None:
        ticket = maker.Ticket(
            subject="jane",
            audience=f"urn:amazon:cognito:sp:{POOL}",
            recipient=f"{self.place}/idpresponse",
            destination=f"{self.place}/idpresponse",
            roles=(),
            session_name=None,
            attributes={EMAIL: ["jane@foreign.example"]},
        ).but(**changes)
        response = maker.encode(ticket.response(self.encrypted(maker.sign(ticket.assertion()))))
        relay = urlencode({"identity_provider": "foreign", **app.parameters(state=None)})
        form = {"SAMLResponse": response, "RelayState": relay}
        person.page = person.http.post(f"{self.place}/idpresponse", data=form)

    def encrypted(self, plain: str) -> str:
        pem = f"-----BEGIN CERTIFICATE-----\n{self.certificate}\n-----END CERTIFICATE-----\n"
        return maker.by_xmlsec(plain, pem, bits=256)

    def farewell(self, number: str, by=None, *, status: str = SUCCESS, signed: bool = True, **changes: str) -> str:
        now = maker.Ticket()._instant(0)
        told = {"IssueInstant": now, "InResponseTo": number, "Destination": f"{self.place}/logout", **changes}
        attributes = "".join(f' {name}="{value}"' for name, value in told.items())
        text = (
            f'<p:LogoutResponse xmlns:p="{maker.NS["p"]}" ID="_{number[1:9]}" Version="2.0"{attributes}>'
            f'<a:Issuer xmlns:a="{maker.NS["a"]}">{maker.ISSUER}</a:Issuer>'
            f'<ds:Signature xmlns:ds="{maker.NS["ds"]}" Id="placeholder"></ds:Signature>'
            f'<p:Status><p:StatusCode Value="{status}"/></p:Status></p:LogoutResponse>'
        )
        return maker.encode(maker.sign(text, by) if signed else maker.unsigned(text))


@pytest.fixture
def foreign(aws, idp):
    places = (
        f'<md:SingleLogoutService Binding="{BINDING}" Location="{ELSEWHERE}/slo?tenant=1"/>'
        f'<md:SingleSignOnService Binding="{BINDING}" Location="{ELSEWHERE}/sso"/>'
    )
    details = {
        "MetadataFile": maker.metadata(maker.identity().certificate_text, extra=places),
        "EncryptedResponses": "true",
        "IDPSignout": "true",
        "IDPInit": "true",
    }
    made = idp.create_identity_provider(
        UserPoolId=POOL,
        ProviderName="foreign",
        ProviderType="SAML",
        ProviderDetails=details,
        AttributeMapping={"email": EMAIL},
    )["IdentityProvider"]
    known = idp.describe_user_pool_client(UserPoolId=POOL, ClientId="web")["UserPoolClient"]
    for name in ("CreationDate", "LastModifiedDate"):
        del known[name]
    idp.update_user_pool_client(**{**known, "SupportedIdentityProviders": ["COGNITO", "corp", "rival", "foreign"]})
    assert made["ProviderDetails"]["SLORedirectBindingURI"] == f"{ELSEWHERE}/slo?tenant=1"
    return Foreign(aws, made["ProviderDetails"]["ActiveEncryptionCertificate"])


def leaving(aws, person: Person) -> tuple[str, str]:
    location = redirected(person, f"{aws.endpoint_url}/{LEAVE}")
    return location, parse_qs(urlsplit(location).query)["RelayState"][0]


def test_in_and_out_at_a_foreign_provider(aws, app, idp, person, foreign):
    foreign.sign_in(app, person)
    claims = app.claims(app.redeem(person.back["code"]).json()["id_token"], POOL)
    assert (claims["cognito:username"], claims["email"]) == ("foreign_jane", "jane@foreign.example")
    location, number = leaving(aws, person)
    assert location.startswith(f"{ELSEWHERE}/slo?tenant=1&SAMLRequest=")
    signed = location.replace("tenant=1&", "")
    assert is_signed_by(signed, idp.get_signing_certificate(UserPoolId=POOL)["Certificate"])
    form = {"SAMLResponse": foreign.farewell(number), "RelayState": number}
    answer = person.http.post(f"{foreign.place}/logout", data=form)
    assert (answer.status_code, answer.headers["location"]) == (302, OUT)


@pytest.mark.parametrize(
    "wrong",
    [
        {"signed": False},
        {"by": maker.identity("rival")},
        {"InResponseTo": "_another"},
        {"Destination": "https://elsewhere.example/saml2/logout"},
        {"IssueInstant": "2020-01-01T00:00:00Z"},
        {"IssueInstant": "soon"},
        {"status": "urn:oasis:names:tc:SAML:2.0:status:Responder"},
    ],
    ids=lambda wrong: next(iter(wrong)),
)
def test_a_farewell_that_is_not_the_providers(aws, app, person, foreign, wrong):
    foreign.sign_in(app, person)
    _, number = leaving(aws, person)
    form = {"SAMLResponse": foreign.farewell(number, **wrong), "RelayState": number}
    answer = person.http.post(f"{foreign.place}/logout", data=form)
    assert answer.status_code == 400
    assert "was not accepted" in html.fromstring(answer.text).xpath("string(//*[@id='sentence'])")


@pytest.mark.parametrize("text", ["", "!", base64.b64encode(b"<x/>").decode(), "A" * 100_001])
def test_a_farewell_that_is_none(aws, app, person, foreign, text):
    foreign.sign_in(app, person)
    _, number = leaving(aws, person)
    for relay in ("", "_unknown", number):
        form = {"SAMLResponse": text, "RelayState": relay}
        assert person.http.post(f"{foreign.place}/logout", data=form).status_code in (400, 403)


def test_a_name_that_no_user_can_have(app, person, foreign):
    foreign.sign_in(app, person, subject="x" * 128)
    assert person.back["error"] == "invalid_request"
    foreign.sign_in(app, person, subject="&lt;script&gt;alert(1)&lt;/script&gt;")
    assert "code" in person.back


# -- the operations --------------------------------------------------------------------------------------------------


def test_details_that_cannot_be(aws, idp):
    metadata = maker.metadata(maker.identity().certificate_text)
    for wrong in (
        {"IDPSignout": "perhaps"},
        {"EncryptedResponses": "1"},
        {"RequestSigningAlgorithm": "rsa-sha1"},
        {"MetadataFile": metadata},  # nowhere to go by a redirect
    ):
        details = {"MetadataURL": f"{aws.endpoint_url}/idp/rival/metadata", **wrong}
        with pytest.raises(idp.exceptions.InvalidParameterException):
            idp.create_identity_provider(
                UserPoolId=POOL, ProviderName="new", ProviderType="SAML", ProviderDetails=details
            )


def test_each_provider_has_a_key_of_its_own(idp, foreign):
    corp = idp.describe_identity_provider(UserPoolId=POOL, ProviderName="corp")["IdentityProvider"]["ProviderDetails"]
    assert corp["ActiveEncryptionCertificate"] != foreign.certificate
    assert corp["ActiveEncryptionCertificate"] != idp.get_signing_certificate(UserPoolId=POOL)["Certificate"]
    idp.update_identity_provider(UserPoolId=POOL, ProviderName="corp", ProviderDetails=corp)
    after = idp.describe_identity_provider(UserPoolId=POOL, ProviderName="corp")["IdentityProvider"]["ProviderDetails"]
    assert after == corp
