"""A user whom a SAML provider vouches for: the assertion is the login, and its roles and attributes choose the role."""

import pytest

ACCOUNT = "111122223333"
PROVIDER = f"arn:aws:iam::{ACCOUNT}:saml-provider/corp"

pytestmark = pytest.mark.scenario(f"""
saml_idps:
  corp:
    groups: {{editors: "arn:aws:iam::{ACCOUNT}:role/editor"}}
    users:
      jane: {{groups: editors, email: jane@corp.test, attributes: {{team: [ops]}}}}
accounts:
  "{ACCOUNT}":
    saml_providers: {{corp: {{idp: corp}}}}
""")


@pytest.fixture
def company(stage):
    stage.create(SamlProviderARNs=[PROVIDER])
    for name in ("user", "editor", "ops"):
        stage.role(name, PROVIDER)
    stage.assign(authenticated=f"arn:aws:iam::{ACCOUNT}:role/user")
    return stage


def logins(stage, **wish: object) -> dict[str, str]:
    answer = stage.aws.page("POST", "idp/corp/assertions", body={"user": "jane", **wish})
    return {PROVIDER: answer["SAMLResponse"]}


def mapping(**more: object) -> dict:
    return {PROVIDER: {"AmbiguousRoleResolution": "Deny", **more}}


def test_an_assertion_is_a_login(company):
    answer = company.credentials(logins(company))
    assert ":assumed-role/user/" in company.caller(answer)
    assert company.credentials(logins(company))["IdentityId"] == answer["IdentityId"]


def test_its_roles_are_those_of_a_token(company):
    company.assign(mapping(Type="Token"))
    assert ":assumed-role/editor/" in company.caller(company.credentials(logins(company)))


def test_rules_read_its_attributes(company):
    rule = {"Claim": "team", "MatchType": "Equals", "Value": "ops", "RoleARN": f"arn:aws:iam::{ACCOUNT}:role/ops"}
    company.assign(mapping(Type="Rules", RulesConfiguration={"Rules": [rule]}))
    assert ":assumed-role/ops/" in company.caller(company.credentials(logins(company)))


def test_one_for_another_site(company, refused):
    for wish in ({"audience": "https://app.corp.test"}, {"recipient": "https://app.corp.test/saml"}):
        told = refused(company.credentials, logins=logins(company, **wish))
        assert told[:2] == (400, "NotAuthorizedException")


def test_one_that_was_changed(company, refused):
    (text,) = logins(company).values()
    told = refused(company.credentials, logins={PROVIDER: text[:-40] + text[-36:]})
    assert told[:2] == (400, "NotAuthorizedException")
    assert told[2].startswith("Invalid login token. ")


@pytest.mark.parametrize("text", ["x", "PHg+PC94Pg==", "A" * 40_000])
def test_what_is_no_assertion(company, refused, text):
    assert refused(company.credentials, logins={PROVIDER: text})[1] == "NotAuthorizedException"


def test_one_of_a_provider_that_the_pool_does_not_list(stage, refused):
    stage.create()
    told = refused(stage.credentials, logins=logins(stage))
    assert told[2] == "Token is not from a supported provider of this identity pool."
