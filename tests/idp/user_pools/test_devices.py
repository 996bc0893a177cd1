"""Devices that are remembered: confirmed and used by pycognito, unmodified; and what a stranger tries with them."""

from __future__ import annotations

import base64
import time

import pytest
from pycognito.aws_srp import AWSSRP, generate_hash_device

from sts_emulator.accounts.people import totp

PASSWORD = "Correct-horse-1"
WRONG = ("NotAuthorizedException", "Incorrect username or password.")
ABSENT = ("ResourceNotFoundException", "Device does not exist.")
STALE = ("NotAuthorizedException", "Invalid Refresh Token")


class Phone:
    """An app on a device, which keeps the device's keys and password."""

    def __init__(self, app, user: str = "ada", password: str = PASSWORD) -> None:
        self.app, self.user, self.password = app, user, password
        self.keys: dict[str, str] = {}

    def srp(self) -> AWSSRP:
        named = {"username": self.user, "password": self.password, "pool_id": self.app.pool}
        return AWSSRP(**named, client_id=self.app.client, client=self.app.idp, **self.keys)

    def sign_in(self) -> dict:
        return self.srp().authenticate_user()

    def enroll(self, name: str = "phone") -> tuple[dict, dict]:
        """The first sign-in, and its device confirmed: both answers."""
        signed_in = self.sign_in()
        metadata = signed_in["AuthenticationResult"]["NewDeviceMetadata"]
        secret, verifier = generate_hash_device(metadata["DeviceGroupKey"], metadata["DeviceKey"])
        confirmed = self.app.idp.confirm_device(
            AccessToken=signed_in["AuthenticationResult"]["AccessToken"],
            DeviceKey=metadata["DeviceKey"],
            DeviceSecretVerifierConfig=verifier,
            DeviceName=name,
        )
        self.keys = {
            "device_key": metadata["DeviceKey"],
            "device_group_key": metadata["DeviceGroupKey"],
            "device_password": secret,
        }
        return signed_in["AuthenticationResult"], confirmed


def remembering(new_app, *, asks: bool = False, instead_of_codes: bool = False):
    settings = {"ChallengeRequiredOnNewDevice": instead_of_codes, "DeviceOnlyRememberedOnUserPrompt": asks}
    app = new_app(DeviceConfiguration=settings)
    app.add_user("ada", email="ada@example.org", email_verified="true")
    return app


def pair(app, access: str) -> str:
    """An authenticator app for the user, preferred from now on: its seed."""
    app.admin.set_user_pool_mfa_config(
        UserPoolId=app.pool, MfaConfiguration="OPTIONAL", SoftwareTokenMfaConfiguration={"Enabled": True}
    )
    seed = app.idp.associate_software_token(AccessToken=access)["SecretCode"]
    app.idp.verify_software_token(AccessToken=access, UserCode=totp(seed, time.time()))
    app.idp.set_user_mfa_preference(
        AccessToken=access, SoftwareTokenMfaSettings={"Enabled": True, "PreferredMfa": True}
    )
    app.aws.advance(minutes=2)  # the code was used up
    return seed


# -- a device's life -------------------------------------------------------------------------------------------------


def test_a_device_is_confirmed_and_proves_itself_from_then_on(new_app):
    # given a pool that remembers devices, and a phone that signed in and was confirmed
    app = remembering(new_app)
    phone = Phone(app)
    first, confirmed = phone.enroll()
    assert confirmed["UserConfirmationNecessary"] is False
    assert app.claims(first["AccessToken"])["device_key"] == phone.keys["device_key"]

    # when it signs in again, by SRP for the user and once more for the device
    again = phone.sign_in()["AuthenticationResult"]

    # then it is no new device
    assert "NewDeviceMetadata" not in again
    assert app.claims(again["AccessToken"])["device_key"] == phone.keys["device_key"]
    (device,) = app.idp.list_devices(AccessToken=again["AccessToken"])["Devices"]
    told = {pair["Name"]: pair["Value"] for pair in device["DeviceAttributes"]}
    assert (told["device_name"], told["dev:device_remembered_status"]) == ("phone", "remembered")
    assert told["last_ip_used"] == "127.0.0.1"


def test_tokens_of_a_device_have_a_source_of_their_own(new_app, hooks):
    app = remembering(new_app)
    phone = Phone(app)
    phone.enroll()
    app.admin.update_user_pool(
        UserPoolId=app.pool,
        LambdaConfig={"PreTokenGeneration": hooks.arn("claims")},
        DeviceConfiguration={"DeviceOnlyRememberedOnUserPrompt": False},
    )
    hooks.functions["/claims"] = lambda event: event
    app.aws.hooks({hooks.arn("claims"): f"{hooks.url}/claims"})
    assert phone.sign_in()["AuthenticationResult"]["IdToken"]
    assert hooks.sources() == ["TokenGeneration_AuthenticateDevice"]


def test_pools_without_device_configuration_know_no_devices(app, refusal):
    signed_in = app.tokens()
    assert "NewDeviceMetadata" not in signed_in
    assert "device_key" not in app.claims(signed_in["AccessToken"])
    access = signed_in["AccessToken"]
    secret = {"PasswordVerifier": "Ag==", "Salt": "Ag=="}
    given = {"AccessToken": access, "DeviceKey": f"us-east-1_{'a' * 8}", "DeviceSecretVerifierConfig": secret}
    assert refusal(app.idp.confirm_device, **given) == ABSENT
    assert app.idp.list_devices(AccessToken=access)["Devices"] == []


def test_a_password_flow_asks_for_the_device_too(new_app):
    app = remembering(new_app)
    phone = Phone(app)
    phone.enroll()
    asked = app.sign_in(DEVICE_KEY=phone.keys["device_key"])
    assert asked["ChallengeName"] == "DEVICE_SRP_AUTH"
    assert "AuthenticationResult" not in asked


def test_where_users_are_asked_a_device_is_tracked_until_they_agree(new_app, refusal):
    app = remembering(new_app, asks=True)
    phone = Phone(app)
    first, confirmed = phone.enroll()
    assert confirmed["UserConfirmationNecessary"] is True
    key, access = phone.keys["device_key"], first["AccessToken"]
    named = {"UserPoolId": app.pool, "Username": "ada"}

    # then only administrators see it, and it is asked for no proof
    assert app.idp.list_devices(AccessToken=access)["Devices"] == []
    assert refusal(app.idp.get_device, AccessToken=access, DeviceKey=key) == ABSENT
    (tracked,) = app.admin.admin_list_devices(**named)["Devices"]
    assert tracked["DeviceKey"] == key
    signed_in = app.sign_in(DEVICE_KEY=key)["AuthenticationResult"]
    assert "NewDeviceMetadata" not in signed_in

    # when the user agrees, it is remembered; and not any more when an administrator says so
    app.idp.update_device_status(AccessToken=access, DeviceKey=key, DeviceRememberedStatus="remembered")
    assert app.idp.get_device(AccessToken=access, DeviceKey=key)["Device"]["DeviceKey"] == key
    assert phone.sign_in()["AuthenticationResult"]["AccessToken"]
    app.admin.admin_update_device_status(**named, DeviceKey=key, DeviceRememberedStatus="not_remembered")
    assert refusal(app.idp.get_device, AccessToken=access, DeviceKey=key) == ABSENT
    assert app.admin.admin_get_device(**named, DeviceKey=key)["Device"]["DeviceKey"] == key


def test_lists_of_devices_have_pages(new_app):
    app = remembering(new_app)
    keys = set()
    for number in range(3):
        phone = Phone(app)
        first, _ = phone.enroll(f"phone {number}")
        keys.add(phone.keys["device_key"])
    listed, more = set(), {}
    while True:
        page = app.idp.list_devices(AccessToken=first["AccessToken"], Limit=1, **more)
        listed |= {device["DeviceKey"] for device in page["Devices"]}
        if "PaginationToken" not in page:
            break
        more = {"PaginationToken": page["PaginationToken"]}
    assert listed == keys


# -- second factors --------------------------------------------------------------------------------------------------


def test_a_remembered_device_stands_in_for_a_code(new_app):
    app = remembering(new_app, instead_of_codes=True)
    phone = Phone(app)
    first, _ = phone.enroll()
    pair(app, first["AccessToken"])

    assert app.sign_in()["ChallengeName"] == "SOFTWARE_TOKEN_MFA"  # any other device
    assert phone.sign_in()["AuthenticationResult"]["AccessToken"]


def test_elsewhere_it_is_asked_for_both(new_app):
    app = remembering(new_app)
    phone = Phone(app)
    first, _ = phone.enroll()
    seed = pair(app, first["AccessToken"])

    asked = app.sign_in(DEVICE_KEY=phone.keys["device_key"])
    assert asked["ChallengeName"] == "SOFTWARE_TOKEN_MFA"
    answer = {
        "USERNAME": "ada",
        "SOFTWARE_TOKEN_MFA_CODE": totp(seed, time.time() + 120),
        "DEVICE_KEY": phone.keys["device_key"],
    }
    following = app.idp.respond_to_auth_challenge(
        ClientId=app.client, ChallengeName="SOFTWARE_TOKEN_MFA", Session=asked["Session"], ChallengeResponses=answer
    )
    assert following["ChallengeName"] == "DEVICE_SRP_AUTH"


# -- refreshing ------------------------------------------------------------------------------------------------------


def refresh(app, token: str, **more: str) -> dict:
    given = {"REFRESH_TOKEN": token, **more}
    return app.idp.initiate_auth(AuthFlow="REFRESH_TOKEN_AUTH", ClientId=app.client, AuthParameters=given)


def test_tokens_of_a_device_are_refreshed_on_that_device_only(new_app, refusal):
    app = remembering(new_app)
    phone, other = Phone(app), Phone(app)
    unconfirmed = app.tokens()
    new = unconfirmed["NewDeviceMetadata"]["DeviceKey"]
    assert refusal(refresh, app=app, token=unconfirmed["RefreshToken"], DEVICE_KEY=new) == STALE

    token = phone.enroll()[0]["RefreshToken"]
    other.enroll()
    key = phone.keys["device_key"]
    assert refresh(app, token, DEVICE_KEY=key)["AuthenticationResult"]["AccessToken"]
    for wrong in ({}, {"DEVICE_KEY": other.keys["device_key"]}, {"DEVICE_KEY": "x"}):
        assert refusal(refresh, app=app, token=token, **wrong) == STALE

    refreshed = app.idp.get_tokens_from_refresh_token(RefreshToken=token, ClientId=app.client, DeviceKey=key)
    assert app.claims(refreshed["AuthenticationResult"]["AccessToken"])["device_key"] == key
    call = app.idp.get_tokens_from_refresh_token
    assert refusal(call, RefreshToken=token, ClientId=app.client) == STALE


@pytest.mark.parametrize("by", ["user", "administrator"])
def test_a_forgotten_device_refreshes_no_more(new_app, refusal, by):
    app = remembering(new_app)
    phone = Phone(app)
    first, _ = phone.enroll()
    key = phone.keys["device_key"]
    if by == "user":
        app.idp.forget_device(AccessToken=first["AccessToken"], DeviceKey=key)
    else:
        app.admin.admin_forget_device(UserPoolId=app.pool, Username="ada", DeviceKey=key)
    assert refusal(refresh, app=app, token=first["RefreshToken"], DEVICE_KEY=key) == STALE
    assert refusal(app.sign_in, DEVICE_KEY=key) == ABSENT  # an app forgets the key when it reads this
    assert app.sign_in()["AuthenticationResult"]["NewDeviceMetadata"]["DeviceKey"] != key


# -- hostile ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("changed", ["device_password", "device_group_key"])
def test_a_device_that_cannot_prove_itself(new_app, refusal, changed):
    app = remembering(new_app, instead_of_codes=True)
    phone = Phone(app)
    phone.enroll()
    phone.keys[changed] = "wrong"
    assert refusal(phone.sign_in) == WRONG


def test_a_device_of_somebody_else(new_app, refusal):
    app = remembering(new_app, instead_of_codes=True)
    app.add_user("eve")
    adas, eves = Phone(app), Phone(app, "eve")
    adas.enroll()
    access = eves.enroll()[0]["AccessToken"]
    key = adas.keys["device_key"]

    assert refusal(app.sign_in, user="eve", DEVICE_KEY=key) == ABSENT
    for call in (app.idp.get_device, app.idp.forget_device):
        assert refusal(call, AccessToken=access, DeviceKey=key) == ABSENT
    status = {"DeviceKey": key, "DeviceRememberedStatus": "not_remembered"}
    assert refusal(app.idp.update_device_status, AccessToken=access, **status) == ABSENT
    secret = {"PasswordVerifier": "Ag==", "Salt": "Ag=="}
    confirm = {"AccessToken": access, "DeviceKey": key, "DeviceSecretVerifierConfig": secret}
    assert refusal(app.idp.confirm_device, **confirm) == ABSENT


def test_a_proof_serves_once(new_app, refusal):
    app = remembering(new_app)
    phone = Phone(app)
    phone.enroll()
    signer = phone.srp()
    key = phone.keys["device_key"]
    asked = app.sign_in(DEVICE_KEY=key)
    answer = {"USERNAME": "ada", "DEVICE_KEY": key, "SRP_A": format(signer.large_a_value, "x")}
    call = app.idp.respond_to_auth_challenge
    first = {"ChallengeName": "DEVICE_SRP_AUTH", "Session": asked["Session"], "ClientId": app.client}

    # a session of the step before is none of this step, and is over by that
    early = signer.process_device_challenge(
        {"SECRET_BLOCK": asked["Session"], "SRP_B": "2", "SALT": "02", "USERNAME": "ada"}
    )
    named = {"ChallengeName": "DEVICE_PASSWORD_VERIFIER", "ClientId": app.client}
    assert refusal(call, **named, ChallengeResponses=early)[0] == "NotAuthorizedException"
    first["Session"] = app.sign_in(DEVICE_KEY=key)["Session"]

    offered = call(**first, ChallengeResponses=answer)
    assert refusal(call, **first, ChallengeResponses=answer)[0] == "NotAuthorizedException"
    proof = signer.process_device_challenge(offered["ChallengeParameters"])
    last = {**named, "Session": offered["Session"], "ChallengeResponses": proof}
    assert call(**last)["AuthenticationResult"]["AccessToken"]
    assert refusal(call, **last)[0] == "NotAuthorizedException"


def test_without_a_session_only_who_gave_the_password_is_asked(new_app, refusal):
    """pycognito sends no session with DEVICE_SRP_AUTH: the newest question that the device was asked is meant."""
    app = remembering(new_app)
    phone = Phone(app)
    phone.enroll()
    answer = {"USERNAME": "ada", "DEVICE_KEY": phone.keys["device_key"], "SRP_A": "5"}
    call = {"ChallengeName": "DEVICE_SRP_AUTH", "ClientId": app.client, "ChallengeResponses": answer}
    assert refusal(app.idp.respond_to_auth_challenge, **call)[0] == "InvalidParameterException"
    app.sign_in(DEVICE_KEY=phone.keys["device_key"])
    assert app.idp.respond_to_auth_challenge(**call)["ChallengeName"] == "DEVICE_PASSWORD_VERIFIER"
    assert refusal(app.idp.respond_to_auth_challenge, **call)[0] == "NotAuthorizedException"


@pytest.mark.parametrize("public", ["", "0", "x", "f" * 2000])
def test_public_values_that_are_none(new_app, refusal, public):
    app = remembering(new_app)
    phone = Phone(app)
    phone.enroll()
    asked = app.sign_in(DEVICE_KEY=phone.keys["device_key"])
    answer = {"USERNAME": "ada", "DEVICE_KEY": phone.keys["device_key"], "SRP_A": public}
    call = {"ChallengeName": "DEVICE_SRP_AUTH", "Session": asked["Session"], "ClientId": app.client}
    code, _ = refusal(app.idp.respond_to_auth_challenge, **call, ChallengeResponses=answer)
    assert code == "InvalidParameterException"


@pytest.mark.parametrize(
    "secret",
    [
        None,
        {},
        {"PasswordVerifier": "Ag=="},
        {"PasswordVerifier": "AA==", "Salt": "Ag=="},
        {"PasswordVerifier": "!", "Salt": "Ag=="},
        {"PasswordVerifier": "Ag==", "Salt": "A" * 1000},
        {"PasswordVerifier": base64.b64encode(b"\1" * 386).decode(), "Salt": "Ag=="},
        {"PasswordVerifier": "A" * 100_000, "Salt": "Ag=="},
    ],
)
def test_secrets_that_are_none(new_app, refusal, secret):
    app = remembering(new_app)
    signed_in = app.tokens()
    given = {
        "AccessToken": signed_in["AccessToken"],
        "DeviceKey": signed_in["NewDeviceMetadata"]["DeviceKey"],
        **({} if secret is None else {"DeviceSecretVerifierConfig": secret}),
    }
    assert refusal(app.idp.confirm_device, **given)[0] == "InvalidParameterException"


def test_a_device_is_confirmed_once(new_app, refusal):
    app = remembering(new_app)
    signed_in, _ = Phone(app).enroll()
    secret = {"PasswordVerifier": "Ag==", "Salt": "Ag=="}
    given = {"DeviceKey": signed_in["NewDeviceMetadata"]["DeviceKey"], "DeviceSecretVerifierConfig": secret}
    again = refusal(app.idp.confirm_device, AccessToken=signed_in["AccessToken"], **given)
    assert again[0] == "DeviceKeyExistsException"


def test_calls_without_a_good_token(new_app, refusal):
    app = remembering(new_app)
    signed_in, _ = Phone(app).enroll()
    key = signed_in["NewDeviceMetadata"]["DeviceKey"]
    for token in ("x", signed_in["IdToken"], signed_in["AccessToken"][:-4] + "AAAA"):
        assert refusal(app.idp.get_device, AccessToken=token, DeviceKey=key)[0] == "NotAuthorizedException"
        assert refusal(app.idp.list_devices, AccessToken=token)[0] == "NotAuthorizedException"
    assert refusal(app.idp.get_device, DeviceKey=key)[0] == "NotAuthorizedException"
    app.idp.global_sign_out(AccessToken=signed_in["AccessToken"])
    assert refusal(app.idp.list_devices, AccessToken=signed_in["AccessToken"])[0] == "NotAuthorizedException"
    assert refusal(app.admin.admin_list_devices, UserPoolId=app.pool, Username="nobody")[0] == "UserNotFoundException"
