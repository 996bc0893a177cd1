"""Passkeys of a pool's users: registered, listed, used and deleted; and every wrong way to do that."""

from __future__ import annotations

import json

import pytest
from software_authenticator import RS256, SoftwareAuthenticator
from test_choices_of_sign_in import OVER, answer, begin, policies

SITE = "https://shop.example.org"
NOT = ("NotAuthorizedException", "Incorrect username or password.")


@pytest.fixture
def keyed(new_app):
    """A pool that takes passkeys for `example.org`, and `ada`."""
    app = new_app(Policies=policies("WEB_AUTHN"))
    app.client = app.add_client(ExplicitAuthFlows=["ALLOW_USER_AUTH", "ALLOW_USER_PASSWORD_AUTH"])["ClientId"]
    configure(app)
    app.add_user("ada")
    return app


@pytest.fixture
def key() -> SoftwareAuthenticator:
    return SoftwareAuthenticator()


def configure(app, **more) -> None:
    wanted = {"RelyingPartyId": "example.org", "UserVerification": "preferred", **more}
    app.admin.set_user_pool_mfa_config(UserPoolId=app.pool, MfaConfiguration="OFF", WebAuthnConfiguration=wanted)


def register(app, key, user: str = "ada", origin: str = SITE, access: str = "", **wrong) -> str:
    """The access token of who has registered it."""
    access = access or app.tokens(user)["AccessToken"]
    options = app.idp.start_web_authn_registration(AccessToken=access)["CredentialCreationOptions"]
    made = json.loads(key.create(options, origin, **wrong))
    app.idp.complete_web_authn_registration(AccessToken=access, Credential=made)
    return access


def asked_for(begun: dict) -> dict:
    return json.loads(begun["ChallengeParameters"]["CREDENTIAL_REQUEST_OPTIONS"])


def challenged(app, user: str = "ada") -> dict:
    begun = begin(app, user, PREFERRED_CHALLENGE="WEB_AUTHN")
    assert begun["ChallengeName"] == "WEB_AUTHN"
    return begun


def test_a_passkey_is_registered_listed_and_deleted(keyed, key, refusal):
    access = register(keyed, key)
    (listed,) = keyed.idp.list_web_authn_credentials(AccessToken=access)["Credentials"]
    assert (listed["RelyingPartyId"], listed["AuthenticatorTransports"]) == ("example.org", ["internal"])
    assert listed["FriendlyCredentialName"]
    factors = keyed.idp.get_user_auth_factors(AccessToken=access)["ConfiguredUserAuthFactors"]
    assert factors == ["PASSWORD", "WEB_AUTHN"]
    keyed.idp.delete_web_authn_credential(AccessToken=access, CredentialId=listed["CredentialId"])
    assert keyed.idp.list_web_authn_credentials(AccessToken=access)["Credentials"] == []
    call = keyed.idp.delete_web_authn_credential
    assert refusal(call, AccessToken=access, CredentialId=listed["CredentialId"])[0] == "ResourceNotFoundException"


@pytest.mark.parametrize("algorithm", [-7, RS256])
def test_a_passkey_signs_in(keyed, algorithm):
    key = SoftwareAuthenticator(algorithm)
    register(keyed, key)
    begun = challenged(keyed)
    options = asked_for(begun)
    assert options["rpId"] == "example.org"
    tokens = answer(keyed, begun, CREDENTIAL=key.get(options, SITE))["AuthenticationResult"]
    assert keyed.claims(tokens["IdToken"])["cognito:username"] == "ada"


def test_after_the_list_of_choices(keyed, key):
    register(keyed, key)
    begun = begin(keyed)
    assert begun["AvailableChallenges"] == ["PASSWORD", "PASSWORD_SRP", "WEB_AUTHN"]
    asked = answer(keyed, begun, ANSWER="WEB_AUTHN")
    assert answer(keyed, asked, CREDENTIAL=key.get(asked_for(asked), SITE))["AuthenticationResult"]


def test_a_proof_is_good_once(keyed, key, refusal):
    register(keyed, key)
    begun = challenged(keyed)
    proof = key.get(asked_for(begun), SITE)
    assert answer(keyed, begun, CREDENTIAL=proof)["AuthenticationResult"]
    assert refusal(answer, app=keyed, begun=begun, CREDENTIAL=proof) == OVER
    assert (
        refusal(answer, app=keyed, begun=challenged(keyed), CREDENTIAL=proof) == NOT
    )  # another session, old challenge


def test_a_count_that_does_not_rise_is_a_copy(keyed, key, refusal):
    register(keyed, key)
    begun = challenged(keyed)
    assert answer(keyed, begun, CREDENTIAL=key.get(asked_for(begun), SITE))["AuthenticationResult"]
    key.count -= 1
    begun = challenged(keyed)
    assert refusal(answer, app=keyed, begun=begun, CREDENTIAL=key.get(asked_for(begun), SITE)) == NOT


@pytest.mark.parametrize(
    "wrong",
    [
        {"origin": "https://evil.example"},
        {"origin": "https://example.org.evil.example"},
        {"origin": "https://notexample.org"},
        {"origin": "http://shop.example.org"},
        {"origin": "https://shop.example.org/"},
        {"origin": None},
        {"party": "evil.example"},
        {"type": "webauthn.create"},
        {"challenge": "AAAA"},
        {"crossOrigin": True},
    ],
)
def test_proofs_that_are_none(keyed, key, refusal, wrong):
    register(keyed, key)
    begun = challenged(keyed)
    assert refusal(answer, app=keyed, begun=begun, CREDENTIAL=key.get(asked_for(begun), SITE, **wrong)) == NOT


def test_the_passkey_of_somebody_else(keyed, key, refusal):
    keyed.add_user("bob")
    register(keyed, key)
    theirs = SoftwareAuthenticator()
    register(keyed, theirs, "bob")
    begun = challenged(keyed)
    assert refusal(answer, app=keyed, begun=begun, CREDENTIAL=theirs.get(asked_for(begun), SITE)) == NOT
    begun, other = challenged(keyed), challenged(keyed, "bob")  # ada's session, with a right proof of bob's
    told = refusal(answer, app=keyed, begun=begun, CREDENTIAL=theirs.get(asked_for(other), SITE))
    assert told == NOT


@pytest.mark.parametrize("text", ["x", "{}", "[]", "null", '{"id": 5, "response": {}}', "[" * 5_000, "x" * 40_000])
def test_credentials_that_are_none(keyed, key, refusal, text):
    register(keyed, key)
    assert refusal(answer, app=keyed, begun=challenged(keyed), CREDENTIAL=text) == NOT


def test_five_wrong_proofs_lock_out(keyed, key, refusal):
    register(keyed, key)
    for _ in range(5):
        assert refusal(answer, app=keyed, begun=challenged(keyed), CREDENTIAL="{}") == NOT
    keyed.stretch_wait()
    assert refusal(begin, app=keyed)[1] == "Password attempts exceeded"


def test_whoever_must_be_known_again_is(keyed, key, refusal):
    configure(keyed, UserVerification="required")
    key.flags = 0x01
    told = refusal(register, app=keyed, key=key)
    assert told[0] == "WebAuthnCredentialNotSupportedException"
    key.flags = 0x05
    register(keyed, key)
    key.flags = 0x01
    begun = challenged(keyed)
    assert refusal(answer, app=keyed, begun=begun, CREDENTIAL=key.get(asked_for(begun), SITE)) == NOT


def test_a_deleted_user_or_passkey(keyed, key, refusal):
    access = register(keyed, key)
    begun = challenged(keyed)
    proof = key.get(asked_for(begun), SITE)
    identifier = keyed.idp.list_web_authn_credentials(AccessToken=access)["Credentials"][0]["CredentialId"]
    keyed.idp.delete_web_authn_credential(AccessToken=access, CredentialId=identifier)
    assert refusal(answer, app=keyed, begun=begun, CREDENTIAL=proof) == NOT
    register(keyed, key)
    begun = challenged(keyed)
    keyed.admin.admin_delete_user(UserPoolId=keyed.pool, Username="ada")
    assert refusal(answer, app=keyed, begun=begun, CREDENTIAL=key.get(asked_for(begun), SITE)) == OVER


# -- registrations that are refused ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        ({"origin": "https://evil.example"}, "WebAuthnOriginNotAllowedException"),
        ({"origin": "http://shop.example.org"}, "WebAuthnOriginNotAllowedException"),
        ({"party": "evil.example"}, "WebAuthnRelyingPartyMismatchException"),
        ({"challenge": "AAAA"}, "WebAuthnChallengeNotFoundException"),
        ({"type": "webauthn.get"}, "WebAuthnChallengeNotFoundException"),
        ({"fmt": "tpm"}, "WebAuthnCredentialNotSupportedException"),
    ],
)
def test_registrations_that_are_none(keyed, key, refusal, wrong, code):
    access = keyed.tokens()["AccessToken"]
    options = keyed.idp.start_web_authn_registration(AccessToken=access)["CredentialCreationOptions"]
    made = json.loads(key.create(options, SITE, **wrong))
    call = keyed.idp.complete_web_authn_registration
    assert refusal(call, AccessToken=access, Credential=made)[0] == code
    assert keyed.idp.list_web_authn_credentials(AccessToken=access)["Credentials"] == []


def test_a_registration_is_good_once_and_for_a_while(keyed, key, refusal):
    access = keyed.tokens()["AccessToken"]
    options = keyed.idp.start_web_authn_registration(AccessToken=access)["CredentialCreationOptions"]
    made = json.loads(key.create(options, SITE))
    call = keyed.idp.complete_web_authn_registration
    call(AccessToken=access, Credential=made)
    assert refusal(call, AccessToken=access, Credential=made)[0] == "WebAuthnChallengeNotFoundException"
    options = keyed.idp.start_web_authn_registration(AccessToken=access)["CredentialCreationOptions"]
    assert [known["id"] for known in options["excludeCredentials"]] == [made["id"]]
    keyed.aws.advance(minutes=6)
    late = json.loads(SoftwareAuthenticator().create(options, SITE))
    assert refusal(call, AccessToken=access, Credential=late)[0] == "WebAuthnChallengeNotFoundException"


def test_a_registration_of_somebody_else_or_by_another_app(keyed, key, refusal):
    keyed.add_user("bob")
    access = keyed.tokens()["AccessToken"]
    options = keyed.idp.start_web_authn_registration(AccessToken=access)["CredentialCreationOptions"]
    made = json.loads(key.create(options, SITE))
    call = keyed.idp.complete_web_authn_registration
    other = keyed.add_client()["ClientId"]
    elsewhere = keyed.tokens("ada", client=other)["AccessToken"]
    assert refusal(call, AccessToken=elsewhere, Credential=made)[0] == "WebAuthnClientMismatchException"
    theirs = keyed.tokens("bob")["AccessToken"]
    assert refusal(call, AccessToken=theirs, Credential=made)[0] == "WebAuthnChallengeNotFoundException"


def test_pools_without_passkeys(app, refusal):
    access = app.tokens()["AccessToken"]
    assert refusal(app.idp.start_web_authn_registration, AccessToken=access)[0] == "WebAuthnNotEnabledException"
    app.admin.update_user_pool(UserPoolId=app.pool, Policies=policies("WEB_AUTHN"))
    told = refusal(app.idp.start_web_authn_registration, AccessToken=access)
    assert told[0] == "WebAuthnConfigurationMissingException"
    app.admin.create_user_pool_domain(UserPoolId=app.pool, Domain="passkeys-of-a-test")
    options = app.idp.start_web_authn_registration(AccessToken=access)["CredentialCreationOptions"]
    assert options["rp"]["id"] == "passkeys-of-a-test.auth.us-east-1.amazoncognito.com"
    app.admin.delete_user_pool_domain(UserPoolId=app.pool, Domain="passkeys-of-a-test")
    certificate = {"CertificateArn": "arn:aws:acm:us-east-1:111122223333:certificate/1"}
    app.admin.create_user_pool_domain(UserPoolId=app.pool, Domain="login.example.org", CustomDomainConfig=certificate)
    options = app.idp.start_web_authn_registration(AccessToken=access)["CredentialCreationOptions"]
    assert options["rp"]["id"] == "login.example.org", "a domain of one's own is the party, whole"


@pytest.mark.parametrize("credential", [{}, {"id": 5}, {"id": "x", "response": []}, {"id": "x", "response": {"a": 1}}])
def test_registrations_of_another_shape(keyed, refusal, credential):
    access = keyed.tokens()["AccessToken"]
    told = refusal(keyed.idp.complete_web_authn_registration, AccessToken=access, Credential=credential)
    assert told[0].startswith(("WebAuthn", "InvalidParameter"))


def test_a_passkey_may_be_a_second_factor_too(keyed, key):
    keyed.admin.set_user_pool_mfa_config(
        UserPoolId=keyed.pool,
        MfaConfiguration="ON",
        SoftwareTokenMfaConfiguration={"Enabled": True},
        WebAuthnConfiguration={
            "RelyingPartyId": "example.org",
            "FactorConfiguration": "MULTI_FACTOR_WITH_USER_VERIFICATION",
        },
    )
    configure_off = keyed.admin.set_user_pool_mfa_config
    configure_off(UserPoolId=keyed.pool, MfaConfiguration="OFF")
    register(keyed, key)
    configure_off(UserPoolId=keyed.pool, MfaConfiguration="ON", SoftwareTokenMfaConfiguration={"Enabled": True})
    begun = challenged(keyed)
    assert asked_for(begun)["userVerification"] == "required"
    assert answer(keyed, begun, CREDENTIAL=key.get(asked_for(begun), SITE))["AuthenticationResult"]
