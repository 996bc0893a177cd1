"""Identity pools in a scenario: the example's pool works under its fixed id, and mistakes are told at their line."""

import re
from pathlib import Path

import pytest
from cognito_stage import Stage

from sts_emulator.cli.main import main

EXAMPLE = Path(__file__).parents[3] / "trust_policies" / "cognito.yaml"
POOL = "us-east-1:0f2c7a3e-5b1d-4c8e-9a6f-3d2b1c0e9f8a"
USERS = "cognito-idp.us-east-1.amazonaws.com/us-east-1_PhoneApp1"
APP = "1h57kf5cpq17m0eml12EXAMPLE"


@pytest.fixture
def example(aws) -> Stage:
    aws.load(EXAMPLE.read_text())
    stage = Stage(aws)
    stage.pool = POOL
    return stage


def test_the_example_s_guest_and_its_staff(example):
    assert ":assumed-role/PhoneGuest/" in example.caller(example.credentials())
    token = example.aws.token("corp", aud="staff-app", sub="kim")
    answer = example.credentials({"idp.corp.test": token})
    assert ":assumed-role/PhoneUser/" in example.caller(answer)


def test_the_example_s_users_sign_in_with_their_passwords(example):
    for user, role in (("ana", "PhonePremium"), ("ben", "PhoneUser")):
        answer = example.unsigned("cognito-idp").initiate_auth(
            AuthFlow="USER_PASSWORD_AUTH",
            ClientId=APP,
            AuthParameters={"USERNAME": user, "PASSWORD": "Correct-horse-1"},
        )
        given = example.credentials({USERS: answer["AuthenticationResult"]["IdToken"]})
        assert f":assumed-role/{role}/" in example.caller(given)


def test_a_scenario_may_be_applied_again(example):
    guest = example.credentials()["IdentityId"]
    example.aws.load(EXAMPLE.read_text())
    assert example.app.get_credentials_for_identity(IdentityId=guest)
    assert len(example.owner.list_identity_pools(MaxResults=60)["IdentityPools"]) == 1


def test_what_it_declares_is_what_the_api_shows(example):
    shown = example.owner.describe_identity_pool(IdentityPoolId=POOL)
    assert shown["CognitoIdentityProviders"] == [
        {"ProviderName": USERS, "ClientId": APP, "ServerSideTokenCheck": False}
    ]
    assert shown["OpenIdConnectProviderARNs"] == ["arn:aws:iam::111122223333:oidc-provider/idp.corp.test"]
    tags = example.owner.get_principal_tag_attribute_map(IdentityPoolId=POOL, IdentityProviderName=USERS)
    assert tags["PrincipalTags"] == {"plan": "custom:plan"}


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        (POOL, "phone", "is not a region, a colon and a lower-case UUID"),
        ("authenticated: PhoneUser", "authenticated: Nobody", "no role `Nobody` in account 111122223333"),
        ("ambiguous: authenticated", "ambiguous: perhaps", "expected one of deny, authenticated"),
        ("guests: true", "guest: true", "did you mean `guests`?"),
    ],
)
def test_a_mistake_is_told_at_its_line(aws, old, new, told):
    text = EXAMPLE.read_text()
    with pytest.raises(Exception, match=re.escape(told)) as caught:
        aws.load(text.replace(old, new, 1) if old != POOL else text.replace(f"id: {POOL}", f"id: {new}"))
    assert re.search(r"scenario:\d+: ", str(caught.value))


def test_a_guest_is_expected_only_where_guests_are_let_in(tmp_path, capsys):
    scenario = tmp_path / "cognito.yaml"
    scenario.write_text(EXAMPLE.read_text().replace("guests: true", "guests: false", 1))

    assert main(["check", str(scenario)]) == 1
    assert "✗ a guest looks around" in capsys.readouterr().out


@pytest.mark.parametrize("classic", ["true", "false"])
def test_every_expectation_that_check_suggests_can_be_tried_and_holds(tmp_path, capsys, classic):
    text = EXAMPLE.read_text().replace("guests: true", f"guests: true\n        classic_flow: {classic}")
    scenario = tmp_path / "cognito.yaml"
    scenario.write_text(text.replace("  - name: the basic flow is switched off\n", "  - name: the basic flow\n"))
    main(["check", "--mutate", str(scenario)])
    suggested = re.findall(r"^ +(- \{assume: .*\})$", capsys.readouterr().out, re.MULTILINE)
    assert suggested
    head = text.partition("\nexpect:\n")[0]
    scenario.write_text("\n".join([head, "expect:", *(f"  {line}" for line in dict.fromkeys(suggested)), ""]))
    assert main(["check", str(scenario)]) == 0, capsys.readouterr().out
