"""Other identity providers vouch for a pool's users: a company's by SAML, an OIDC issuer, another user pool."""

from __future__ import annotations

import base64
import contextlib
import json
from types import SimpleNamespace
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from managed_login_lab import CALLBACK, PASSWORD, App, Person

POOL = "us-east-1_Fed1"
SECRET = "a-secret-of-the-pool-at-the-provider"
SCENARIO = f"""
saml_idps:
  corp: {{users: {{jane: {{email: jane@corp.example, attributes: {{team: [blue, red]}}}}, omar: {{}}}}}}
  rival: {{users: {{jane: {{}}}}}}
issuers: {{okta: {{preset: plain, url: "https://login.okta.example"}}}}
accounts:
  "111122223333":
    user_pools:
      upstream:
        id: us-east-1_Up1
        domain: upstream
        clients:
          pool: {{id: upstreamclient, secret: {SECRET}, callbacks: ["https://placeholder.example/oauth2/idpresponse"]}}
        users: {{uma: {{password: {PASSWORD}, attributes: {{email: uma@example.org}}}}}}
      shop:
        id: {POOL}
        domain: fed
        custom_attributes: [team]
        identity_providers:
          corp:
            saml_idp: corp
            idp_initiated: true
            mapping:
              email: http://schemas.xmlsoap.org/ws/2005/05/identity/claims/emailaddress
              "custom:team": team
            identifiers: [corp.example]
          strict: {{saml_idp: corp}}
          okta:
            issuer: okta
            client_id: pool-at-okta
            client_secret: {SECRET}
            mapping: {{email: email, email_verified: email_verified, "custom:team": team}}
          pool:
            url: https://cognito-idp.us-east-1.amazonaws.com/us-east-1_Up1
            client_id: upstreamclient
            client_secret: {SECRET}
            mapping: {{email: email}}
          nobody: {{url: "https://elsewhere.example", client_id: x, client_secret: y}}
        clients:
          web:
            id: web
            callbacks: ["{CALLBACK}"]
            identity_providers: [COGNITO, corp, strict, okta, pool, nobody]
          company: {{id: company, callbacks: ["{CALLBACK}"], identity_providers: [corp]}}
          local: {{id: local, callbacks: ["{CALLBACK}"]}}
        users: {{ana: {{password: {PASSWORD}, attributes: {{email: jane@corp.example}}}}}}
"""


@pytest.fixture
def aws(emulator_server):
    with emulator_server.world(SCENARIO) as world:
        idp = world.client("cognito-idp")
        known = idp.describe_user_pool_client(UserPoolId="us-east-1_Up1", ClientId="upstreamclient")["UserPoolClient"]
        kept = {name: known[name] for name in ("AllowedOAuthFlows", "AllowedOAuthScopes", "SupportedIdentityProviders")}
        idp.update_user_pool_client(
            UserPoolId="us-east-1_Up1",
            ClientId="upstreamclient",
            AllowedOAuthFlowsUserPoolClient=True,
            CallbackURLs=[f"{world.endpoint_url}/oauth2/idpresponse"],
            **kept,
        )
        yield world


@pytest.fixture
def idp(aws):
    return aws.client("cognito-idp")


def by_saml(person: Person, url: str, user: str = "jane"):
    person.open(url)
    person.fill(username=user, password=user)
    return person.fill()  # what the page's script does: the response is posted


def by_okta(person: Person, url: str, subject: str = "00u1", **claims):
    person.open(url)
    return person.fill(subject=subject, claims=json.dumps(claims))


def claims_of(app: App, person: Person) -> dict:
    answer = app.redeem(person.back["code"])
    assert answer.status_code == 200, answer.text
    return app.claims(answer.json()["id_token"], POOL)


def test_by_saml_and_back(app, idp, person):
    # Given an app that sends people to the company's identity provider
    by_saml(person, app.url(identity_provider="corp", scope="openid profile"))
    # Then they are users of the pool, as the assertion says
    claims = claims_of(app, person)
    assert claims["cognito:username"] == "corp_jane"
    assert (claims["email"], claims["custom:team"]) == ("jane@corp.example", "[blue, red]")
    assert claims["cognito:groups"] == [f"{POOL}_corp"]
    (identity,) = claims["identities"]
    assert identity == {
        "userId": "jane",
        "providerName": "corp",
        "providerType": "SAML",
        "issuer": None,
        "primary": "true",
        "dateCreated": identity["dateCreated"],
    }
    user = idp.admin_get_user(UserPoolId=POOL, Username="corp_jane")
    assert user["UserStatus"] == "EXTERNAL_PROVIDER"
    # And the session stands for the next app, too
    person.open(app.url(prompt="none"))
    assert claims_of(app, person)["cognito:username"] == "corp_jane"


def test_by_an_issuer(app, idp, person):
    by_okta(person, app.url(identity_provider="okta"), email="j@example.org", email_verified=True, team="blue")
    claims = claims_of(app, person)
    assert claims["cognito:username"] == "okta_00u1"
    assert (claims["email"], claims["email_verified"], claims["nonce"]) == ("j@example.org", True, "a-nonce")
    # And what the issuer says later counts from then on
    by_okta(person, app.url(identity_provider="okta", prompt="login"), email="k@example.org")
    claims = claims_of(app, person)
    assert (claims["email"], claims["email_verified"]) == ("k@example.org", False)
    assert len(idp.list_users(UserPoolId=POOL, Filter='username = "okta_00u1"')["Users"]) == 1


def test_by_another_user_pool(app, person):
    person.open(app.url(identity_provider="pool"))
    person.fill(username="uma", password=PASSWORD)
    claims = claims_of(app, person)
    assert claims["email"] == "uma@example.org"
    assert claims["cognito:username"].startswith("pool_")


def test_providers_are_offered_and_an_identifier_leads_straight_there(app, person):
    person.open(app.url())
    assert person.tree.xpath("//ul[@class='providers']//a/text()") == ["corp", "strict", "okta", "pool", "nobody"]
    person.open(person.tree.xpath("//ul[@class='providers']//a/@href")[0])
    assert person.heading == "Sign in to corp"
    person.open(app.url(idp_identifier="corp.example"))
    assert person.heading == "Sign in to corp"


def test_a_client_with_one_provider_goes_there_by_itself(aws, person):
    company = App(aws, "company")
    by_saml(person, company.url())
    assert claims_of(company, person)["cognito:username"] == "corp_jane"
    person.open(company.url("signup"))
    assert person.page.status_code == 400


def test_a_sign_in_that_begins_at_the_provider(aws, app, person):
    relay = urlencode({"identity_provider": "corp", **app.parameters(state=None)})
    wish = {"audience": f"urn:amazon:cognito:sp:{POOL}", "recipient": f"{aws.endpoint_url}/saml2/idpresponse"}
    body = {"user": "jane", **wish, "destination": wish["recipient"]}
    response = aws.page("POST", "idp/corp/assertions", body=body)["SAMLResponse"]
    form = {"SAMLResponse": response, "RelayState": relay}
    person.page = person.http.post(f"{aws.endpoint_url}/saml2/idpresponse", data=form)
    assert claims_of(app, person)["cognito:username"] == "corp_jane"
    # A second time it proves nothing, and of a provider that may not begin, nothing either
    person.page = person.http.post(f"{aws.endpoint_url}/saml2/idpresponse", data=form)
    assert person.back["error"] == "invalid_request"
    fresh = aws.page("POST", "idp/corp/assertions", body=body)["SAMLResponse"]
    form = {"SAMLResponse": fresh, "RelayState": relay.replace("=corp&", "=strict&")}
    person.page = person.http.post(f"{aws.endpoint_url}/saml2/idpresponse", data=form)
    assert "may not begin" in person.back["error_description"]


def test_a_linked_user_signs_in_as_themselves(app, idp, person):
    source = {"ProviderName": "okta", "ProviderAttributeName": "Cognito_Subject", "ProviderAttributeValue": "00u1"}
    destination = {"ProviderName": "Cognito", "ProviderAttributeValue": "ana"}
    idp.admin_link_provider_for_user(UserPoolId=POOL, DestinationUser=destination, SourceUser=source)
    by_okta(person, app.url(identity_provider="okta", scope="openid profile"), email="ana@okta.example")
    claims = claims_of(app, person)
    assert (claims["cognito:username"], claims["email"]) == ("ana", "ana@okta.example")
    assert claims["identities"][0]["primary"] == "false"
    # And by a mapped attribute
    by_mail = {"ProviderName": "corp", "ProviderAttributeName": "email", "ProviderAttributeValue": "jane@corp.example"}
    idp.admin_link_provider_for_user(UserPoolId=POOL, DestinationUser=destination, SourceUser=by_mail)
    by_saml(person, app.url(identity_provider="corp", prompt="login"))
    assert claims_of(app, person)["cognito:username"] == "ana"
    # Until that is taken away
    idp.admin_disable_provider_for_user(UserPoolId=POOL, User=source)
    by_okta(person, app.url(identity_provider="okta", prompt="login"))
    assert claims_of(app, person)["cognito:username"] == "okta_00u1"
    idp.admin_disable_provider_for_user(UserPoolId=POOL, User=source)
    by_okta(person, app.url(identity_provider="okta", prompt="login"))
    assert person.back["error"] == "access_denied"


def test_links_that_cannot_be(idp):
    destination = {"ProviderName": "Cognito", "ProviderAttributeValue": "ana"}

    def link(code: str, **source: str) -> None:
        given = {"ProviderName": "okta", "ProviderAttributeName": "Cognito_Subject", "ProviderAttributeValue": "x"}
        with pytest.raises(idp.exceptions.ClientError) as caught:
            idp.admin_link_provider_for_user(
                UserPoolId=POOL, DestinationUser=destination, SourceUser={**given, **source}
            )
        assert caught.value.response["Error"]["Code"] == code

    link("ResourceNotFoundException", ProviderName="stranger")
    link("InvalidParameterException", ProviderName="Cognito")
    link("InvalidParameterException", ProviderAttributeName="phone_number")
    for number in range(5):
        source = {"ProviderName": "okta", "ProviderAttributeName": "Cognito_Subject"}
        idp.admin_link_provider_for_user(
            UserPoolId=POOL,
            DestinationUser=destination,
            SourceUser={**source, "ProviderAttributeValue": f"{number}"},
        )
    link("LimitExceededException")


# -- what is refused -------------------------------------------------------------------------------------------------


def test_who_signed_up_under_the_name_is_not_who_the_provider_vouches_for(app, idp, person):
    idp.sign_up(ClientId="web", Username="okta_00u1", Password=PASSWORD)
    by_okta(person, app.url(identity_provider="okta"))
    assert person.back["error"] == "invalid_request"
    assert "has that name already" in person.back["error_description"]


def test_an_assertion_for_another_pool(aws, app, person):
    person.open(app.url(identity_provider="corp"))
    person.fill(username="jane", password="jane")
    relay = person.tree.xpath("string(//input[@name='RelayState']/@value)")
    place = f"{aws.endpoint_url}/saml2/idpresponse"
    for wish in (
        {"audience": "urn:amazon:cognito:sp:us-east-1_Up1", "recipient": place, "destination": place},
        {"audience": f"urn:amazon:cognito:sp:{POOL}", "recipient": "https://elsewhere.example/"},
    ):
        body = {"user": "jane", "in_response_to": relay, **wish}
        response = aws.page("POST", "idp/corp/assertions", body=body)["SAMLResponse"]
        person.open(app.url(identity_provider="corp"))
        person.fill(username="jane", password="jane")
        relay = person.tree.xpath("string(//input[@name='RelayState']/@value)")
        person.fill(SAMLResponse=response)
        assert person.back == {
            "error": "invalid_request",
            "error_description": "The answer of corp was not accepted.",
            "state": "a state & more",
        }


def test_an_assertion_of_another_identity_provider(aws, app, person):
    person.open(app.url(identity_provider="corp"))
    person.fill(username="jane", password="jane")
    relay = person.tree.xpath("string(//input[@name='RelayState']/@value)")
    place = f"{aws.endpoint_url}/saml2/idpresponse"
    wish = {"audience": f"urn:amazon:cognito:sp:{POOL}", "recipient": place, "in_response_to": relay}
    response = aws.page("POST", "idp/rival/assertions", body={"user": "jane", **wish, "destination": place})
    person.fill(SAMLResponse=response["SAMLResponse"])
    assert person.back["error_description"] == "The answer of corp was not accepted."


def test_an_answer_in_another_browser_or_once_more(aws, app, person):
    person.open(app.url(identity_provider="corp"))
    person.fill(username="jane", password="jane")
    form = {item.get("name"): item.get("value", "") for item in person.tree.xpath("//form//input")}
    place = f"{aws.endpoint_url}/saml2/idpresponse"
    with contextlib.closing(Person(aws)) as victim:  # who is to be signed in as jane
        victim.page = victim.http.post(place, data=form)
        assert victim.tree.xpath("//input[@name='again']")  # the cookie may only be kept back
        victim.fill()
        assert victim.page.status_code == 403
    person.fill()
    assert "code" in person.back
    person.page = person.http.post(place, data={**form, "again": "1"})
    assert person.page.status_code == 403


def test_a_code_for_another_browser_is_none(aws, app, person):
    person.open(app.url(identity_provider="okta"))
    shown = person.tree.xpath("//form")[0]
    given = {item.get("name"): item.get("value", "") for item in shown.xpath(".//input[@name]")}
    answer = person.http.post(
        f"{aws.endpoint_url.partition('/w/')[0]}{shown.get('action')}", data={**given, "subject": "mallory"}
    )
    with contextlib.closing(Person(aws)) as victim:
        victim.open(answer.headers["location"])
        assert victim.page.status_code == 403
    person.open(answer.headers["location"])
    assert "code" in person.back
    person.open(answer.headers["location"])
    assert person.page.status_code == 403


def test_a_provider_that_says_no(app, person):
    person.open(app.url(identity_provider="okta"))
    person.fill(form=1)
    assert person.back["error"] == "invalid_request"
    assert person.back["error_description"] == "okta: access_denied"


def test_only_issuers_of_this_world_are_asked(app, person):
    person.open(app.url(identity_provider="nobody"))
    assert person.back["error"] == "invalid_request"
    assert "no issuer of this world" in person.back["error_description"]


@pytest.mark.parametrize("name", ["stranger", "okta"])
def test_a_provider_that_is_not_the_clients(aws, person, name):
    person.open(App(aws, "local").url(identity_provider=name))
    assert person.back["error"] == "invalid_request"


def test_a_lab_issuer_answers_none_but_pools(aws, person):
    base = f"{aws.endpoint_url}/issuers/okta/oauth2/authorize"
    good = {
        "client_id": "pool-at-okta",
        "redirect_uri": f"{aws.endpoint_url}/oauth2/idpresponse",
        "response_type": "code",
    }
    assert person.open(f"{base}?{urlencode(good)}").status_code == 200
    for name, value in (("client_id", "x"), ("redirect_uri", "https://evil.example"), ("response_type", "token")):
        assert person.open(f"{base}?{urlencode({**good, name: value})}").status_code == 400


def test_a_lab_issuer_lets_nobody_say_who_it_is(app, person):
    person.open(app.url(identity_provider="okta"))
    person.fill(subject="x", claims='{"aud": "somebody"}')
    assert "what the issuer says itself" in person.alert
    person.fill(subject="x", claims="[1]")
    assert person.alert == "the claims are no JSON object"
    person.fill(subject="x" * 200, claims="")
    assert person.back["error_description"] == "The answer of okta was not accepted."  # too long for a user name


def test_a_disabled_user_stays_out(app, idp, person):
    by_okta(person, app.url(identity_provider="okta"))
    idp.admin_disable_user(UserPoolId=POOL, Username="okta_00u1")
    by_okta(person, app.url(identity_provider="okta", prompt="login"))
    assert person.back["error"] == "access_denied"
    person.open(app.url(prompt="none"))
    assert person.back["error"] == "login_required"


def test_a_federated_user_has_no_password(app, person):
    by_okta(person, app.url(identity_provider="okta"))
    person.open(app.url(prompt="login"))
    person.fill(username="okta_00u1", password="")
    assert person.alert
    for password in ("x", "00u1"):
        person.fill(username="okta_00u1", password=password)
        assert person.alert == "Incorrect username or password."


# -- the operations --------------------------------------------------------------------------------------------------


def test_providers_as_the_api_tells_them(idp):
    told = idp.describe_identity_provider(UserPoolId=POOL, ProviderName="okta")["IdentityProvider"]
    assert (told["ProviderType"], told["AttributeMapping"]["username"]) == ("OIDC", "sub")
    listed = idp.list_identity_providers(UserPoolId=POOL, MaxResults=2)
    assert [provider["ProviderName"] for provider in listed["Providers"]] == ["corp", "nobody"]
    assert listed["NextToken"]
    named = idp.get_identity_provider_by_identifier(UserPoolId=POOL, IdpIdentifier="corp.example")
    assert named["IdentityProvider"]["ProviderName"] == "corp"
    idp.update_identity_provider(UserPoolId=POOL, ProviderName="okta", AttributeMapping={"name": "name"})
    told = idp.describe_identity_provider(UserPoolId=POOL, ProviderName="okta")["IdentityProvider"]
    assert told["AttributeMapping"] == {"name": "name", "username": "sub"}
    idp.delete_identity_provider(UserPoolId=POOL, ProviderName="okta")
    with pytest.raises(idp.exceptions.ResourceNotFoundException):
        idp.describe_identity_provider(UserPoolId=POOL, ProviderName="okta")


def test_providers_that_cannot_be(aws, idp):
    details = {
        "client_id": "c",
        "oidc_issuer": "https://i.example",
        "authorize_scopes": "openid",
        "attributes_request_method": "GET",
    }
    given = {"UserPoolId": POOL, "ProviderName": "new", "ProviderType": "OIDC", "ProviderDetails": details}

    def refused(code: str, **changes) -> None:
        with pytest.raises(idp.exceptions.ClientError) as caught:
            idp.create_identity_provider(**{**given, **changes})
        assert caught.value.response["Error"]["Code"] == code

    refused("DuplicateProviderException", ProviderName="okta")
    refused("InvalidParameterException", ProviderDetails={"client_id": "c"})
    refused("InvalidParameterException", AttributeMapping={"shoe": "size"})
    refused("InvalidParameterException", ProviderName="COGNITO")
    refused("InvalidParameterException", ProviderName="Google")
    refused("InvalidParameterException", IdpIdentifiers=["corp.example"])
    saml = {"ProviderType": "SAML"}
    refused("InvalidParameterException", **saml, ProviderDetails={"MetadataFile": "<x/>"})
    refused("InvalidParameterException", **saml, ProviderDetails={"MetadataURL": "http://169.254.169.254/metadata"})
    own = f"{aws.endpoint_url}/idp/corp/metadata"
    made = idp.create_identity_provider(**{**given, **saml, "ProviderDetails": {"MetadataURL": own}})
    assert made["IdentityProvider"]["ProviderDetails"]["SSORedirectBindingURI"] == f"{aws.endpoint_url}/idp/corp/sso"


def test_a_forged_relay_state(aws, person):
    person.page = person.http.post(
        f"{aws.endpoint_url}/saml2/idpresponse",
        data={"SAMLResponse": base64.b64encode(b"<x/>").decode(), "RelayState": "client_id=web&redirect_uri=x"},
    )
    assert parse_qs(urlsplit(person.page.headers["location"]).query)["error"] == ["redirect_mismatch"]


def test_the_pools_functions_hear_of_who_comes_first(app, aws, idp, person, hooks):
    def same(event: dict) -> dict:
        return event

    pool = SimpleNamespace(aws=aws, admin=idp, pool=POOL)
    hooks.play(pool, PreSignUp=same, PostConfirmation=same, PreTokenGeneration=same)
    by_saml(person, app.url(identity_provider="corp", scope="openid profile"))
    assert claims_of(app, person)["cognito:username"] == "corp_jane"
    assert hooks.sources() == [
        *("PreSignUp_ExternalProvider", "PostConfirmation_ConfirmSignUp", "TokenGeneration_HostedAuth")
    ]
    assert hooks.events[0]["userName"] == "corp_jane"
    assert hooks.events[0]["request"]["userAttributes"]["email"] == "jane@corp.example"


def test_the_pools_functions_may_refuse_who_comes_first(app, aws, idp, person, hooks):
    def refusing(_: dict) -> dict:
        raise RuntimeError("Not from there")

    hooks.play(SimpleNamespace(aws=aws, admin=idp, pool=POOL), PreSignUp=refusing)
    by_saml(person, app.url(identity_provider="corp"))
    assert person.back["error"] == "invalid_request"
    names = [user["Username"] for user in idp.list_users(UserPoolId=POOL)["Users"]]
    assert "corp_jane" not in names


def inbound(aws, idp, hooks, function) -> None:
    config = {"InboundFederation": {"LambdaVersion": "V1_0", "LambdaArn": hooks.arn("InboundFederation")}}
    hooks.play(SimpleNamespace(aws=aws, admin=idp, pool=POOL), config, InboundFederation=function)


def test_the_pools_function_transforms_what_a_provider_says(app, aws, idp, person, hooks):
    # given a function that drops teams and makes addresses small
    email = "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/emailaddress"

    def transforming(event: dict) -> dict:
        said = event["request"]["attributes"]["samlResponse"]
        event["response"]["userAttributesToMap"] = {email: f"team.{'-'.join(said['team'])}@corp.example"}
        return event

    inbound(aws, idp, hooks, transforming)

    # when somebody comes, and comes again
    for _ in range(2):
        by_saml(person, app.url(identity_provider="corp", scope="openid profile", prompt="login"))
        claims = claims_of(app, person)

        # then that is what is mapped, and they are who the provider says
        assert (claims["cognito:username"], claims["email"]) == ("corp_jane", "team.blue-red@corp.example")
        assert "custom:team" not in claims
    event = hooks.events[0]
    assert hooks.sources() == ["InboundFederation_ExternalProvider"] * 2
    assert (event["request"]["providerName"], event["request"]["providerType"]) == ("corp", "SAML")
    assert event["response"] == {"userAttributesToMap": {}}


def test_a_function_that_answers_nothing_changes_nothing(app, aws, idp, person, hooks):
    inbound(aws, idp, hooks, lambda event: event)
    by_okta(person, app.url(identity_provider="okta", scope="openid profile"), email="o@okta.example")
    assert claims_of(app, person)["email"] == "o@okta.example"
    said = hooks.events[0]["request"]["attributes"]
    assert said["idToken"]["sub"] == "00u1"
    assert said["tokenResponse"]["id_token"]
    assert said["tokenResponse"]["id_token"] not in json.dumps(aws.events())  # a token is nobody's to read there


@pytest.mark.parametrize("answer", [{"userAttributesToMap": []}, {"userAttributesToMap": "x"}, None])
def test_a_function_that_answers_what_is_no_table(app, aws, idp, person, hooks, answer):
    inbound(aws, idp, hooks, lambda event: {**event, "response": answer})
    by_saml(person, app.url(identity_provider="corp"))
    assert person.back["error"] == "invalid_request"
    assert "corp_jane" not in [user["Username"] for user in idp.list_users(UserPoolId=POOL)["Users"]]
