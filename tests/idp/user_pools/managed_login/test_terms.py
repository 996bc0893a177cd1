"""Terms of use and privacy policies: told by the API, and linked to where people sign up."""

from __future__ import annotations

import pytest
from botocore.exceptions import ClientError
from managed_login_lab import POOL

USE, PRIVACY = "https://shop.example/terms", "https://shop.example/privacy"


@pytest.fixture
def idp(aws):
    return aws.client("cognito-idp")


def create(idp, name: str = "terms-of-use", client: str = "web", **links: str) -> dict:
    links = {f"cognito:{language}": url for language, url in links.items()} or {"cognito:default": USE}
    fixed = {"TermsSource": "LINK", "Enforcement": "NONE"}
    return idp.create_terms(UserPoolId=POOL, ClientId=client, TermsName=name, Links=links, **fixed)["Terms"]


def code(call, **parameters) -> str:
    with pytest.raises(ClientError) as refused:
        call(**parameters)
    return refused.value.response["Error"]["Code"]


def links(person, app) -> dict[str, str]:
    person.open(app.url("signup"))
    return {link.text: link.get("href") for link in person.tree.xpath("//a[starts-with(@href, 'http')]")}


def test_the_sign_up_page_links_to_both_or_to_none(idp, app, person):
    first = create(idp, default=USE, german=f"{USE}/de")
    assert links(person, app) == {}
    create(idp, "privacy-policy", default=f"{PRIVACY}/other", english=PRIVACY)
    assert links(person, app) == {"Terms of use": USE, "Privacy policy": PRIVACY}
    idp.update_terms(UserPoolId=POOL, TermsId=first["TermsId"], Links={"cognito:default": f"{USE}/2"})
    assert links(person, app)["Terms of use"] == f"{USE}/2"
    idp.delete_terms(UserPoolId=POOL, TermsId=first["TermsId"])
    assert links(person, app) == {}


def test_what_the_api_tells(idp):
    made = create(idp)
    named = {"UserPoolId": POOL, "TermsId": made["TermsId"]}
    assert idp.describe_terms(**named)["Terms"] == made
    by_client = {"UserPoolId": POOL, "ClientId": "web", "TermsName": "terms-of-use"}
    assert idp.describe_terms_by_client(**by_client)["Terms"] == made
    (listed,) = idp.list_terms(UserPoolId=POOL)["Terms"]
    assert listed == {name: made[name] for name in listed}

    renamed = idp.update_terms(**named, TermsName="privacy-policy")["Terms"]
    assert (renamed["TermsName"], renamed["Links"]) == ("privacy-policy", made["Links"])
    assert idp.describe_terms_by_client(**{**by_client, "TermsName": "privacy-policy"})["Terms"] == renamed
    assert code(idp.describe_terms_by_client, **by_client) == "ResourceNotFoundException"


def test_lists_have_pages(idp):
    for client in ("web", "server"):
        for name in ("terms-of-use", "privacy-policy"):
            create(idp, name, client)
    first = idp.list_terms(UserPoolId=POOL, MaxResults=3)
    rest = idp.list_terms(UserPoolId=POOL, MaxResults=3, NextToken=first["NextToken"])
    assert len({terms["TermsId"] for terms in first["Terms"] + rest["Terms"]}) == 4
    assert "NextToken" not in rest


def test_what_is_refused(idp):
    made = create(idp)
    create(idp, "privacy-policy")
    named = {"UserPoolId": POOL, "TermsId": made["TermsId"]}
    assert code(create, idp=idp) == "TermsExistsException"
    assert code(idp.update_terms, **named, TermsName="privacy-policy") == "TermsExistsException"
    assert code(create, idp=idp, client="nobody") == "ResourceNotFoundException"
    assert code(create, idp=idp, client="server", default="javascript:alert(1)") == "InvalidParameterException"
    assert code(idp.update_terms, **named, Links={"cognito:default": "data:text/html,x"}) == "InvalidParameterException"
    elsewhere = {**named, "UserPoolId": "us-east-1_Other1"}
    for call in (idp.describe_terms, idp.update_terms, idp.delete_terms):
        assert code(call, **elsewhere) == "ResourceNotFoundException"


def test_a_client_takes_its_terms_with_it(idp):
    create(idp)
    create(idp, client="server")
    idp.delete_user_pool_client(UserPoolId=POOL, ClientId="web")
    assert len(idp.list_terms(UserPoolId=POOL)["Terms"]) == 1
