"""Access keys and the sessions that their owner asks for: GetSessionToken, GetFederationToken, MFA, GetAccessKeyInfo.

Rules and texts: docs/aws/sts.md, "GetCallerIdentity", "Durations" and "MFA".
"""

from __future__ import annotations

import json

import pytest

from sts_emulator.accounts.people import totp

HOME = "111122223333"
MFA_ONLY = f"arn:aws:iam::{HOME}:role/mfa-only"
BAD_CODE = "MultiFactorAuthentication failed with invalid MFA one time pass code. "
BAD_SERIAL = (
    "MultiFactorAuthentication failed, unable to validate MFA code.  Please verify your MFA serial number is valid and "
    "associated with this user."
)

pytestmark = pytest.mark.scenario("sts_world.yaml")


@pytest.fixture
def alice(aws):
    return aws.client("sts", user="alice")


class Device:
    """A virtual device of alice's, as her phone would show it."""

    def __init__(self, aws) -> None:
        self._aws = aws
        iam = aws.client("iam", user="admin")
        made = iam.create_virtual_mfa_device(VirtualMFADeviceName="phone")["VirtualMFADevice"]
        self.serial = made["SerialNumber"]
        self._seed = made["Base32StringSeed"].decode()
        aws.advance(minutes=5)
        now = aws.now()
        iam.enable_mfa_device(
            UserName="alice",
            SerialNumber=self.serial,
            AuthenticationCode1=totp(self._seed, now - 30),
            AuthenticationCode2=totp(self._seed, now),
        )
        aws.advance(minutes=5)

    def code(self) -> str:
        """What it shows at the world's time; a code is never good twice, so tests move the clock between two."""
        return totp(self._seed, self._aws.now())


@pytest.fixture
def phone(aws):
    return Device(aws)


# -- GetSessionToken ----------------------------------------------------------------------------------------------


def test_a_session_of_ones_own_is_still_oneself(aws, alice):
    session = aws.client("sts", alice.get_session_token()["Credentials"])
    assert session.get_caller_identity() | {"ResponseMetadata": None} == alice.get_caller_identity() | {
        "ResponseMetadata": None
    }


def test_what_such_a_session_may_not_call(aws, alice, refused):
    given = alice.get_session_token()["Credentials"]
    session = aws.client("sts", given)
    for name, call in (
        ("GetSessionToken", session.get_session_token),
        ("GetFederationToken", session.get_federation_token),
    ):
        arguments = {"Name": "somebody"} if name == "GetFederationToken" else {}
        assert refused(call, **arguments) == (403, "AccessDenied", f"Cannot call {name} with session credentials")
    status, code, _ = refused(aws.client("iam", given).list_users)
    assert (status, code) == (403, "InvalidClientTokenId")


def test_roots_sessions_last_an_hour_at_most_without_a_word(aws):
    given = aws.client("sts").get_session_token(DurationSeconds=7200)["Credentials"]
    aws.advance(seconds=3601)
    with pytest.raises(Exception, match="ExpiredToken"):
        aws.client("sts", given).get_caller_identity()


# -- MFA ----------------------------------------------------------------------------------------------------------


def test_a_code_opens_what_asks_for_mfa(alice, phone, refused):
    assert refused(alice.assume_role, RoleArn=MFA_ONLY, RoleSessionName="who")[1] == "AccessDenied"
    assert alice.assume_role(
        RoleArn=MFA_ONLY, RoleSessionName="who", SerialNumber=phone.serial, TokenCode=phone.code()
    )["Credentials"]


def test_a_session_with_mfa_opens_it_too_without_another_code(aws, alice, phone):
    given = alice.get_session_token(SerialNumber=phone.serial, TokenCode=phone.code())["Credentials"]
    session = aws.client("sts", given)
    assert session.assume_role(RoleArn=MFA_ONLY, RoleSessionName="who")["Credentials"]
    assert aws.client("sts", given).get_caller_identity()["Account"] == HOME


def test_a_code_is_good_once(alice, phone, refused):
    code = phone.code()
    given = {"RoleArn": MFA_ONLY, "RoleSessionName": "who", "SerialNumber": phone.serial, "TokenCode": code}
    assert alice.assume_role(**given)["Credentials"]
    assert refused(alice.assume_role, **given) == (403, "AccessDenied", BAD_CODE)


def test_wrong_codes_and_foreign_devices(aws, alice, phone, refused):
    wrong = "000000" if phone.code() != "000000" else "111111"
    given = {"RoleArn": MFA_ONLY, "RoleSessionName": "who", "SerialNumber": phone.serial, "TokenCode": wrong}
    assert refused(alice.assume_role, **given) == (403, "AccessDenied", BAD_CODE)
    foreign = {**given, "SerialNumber": f"arn:aws:iam::{HOME}:mfa/nobody"}
    assert refused(alice.assume_role, **foreign) == (403, "AccessDenied", BAD_SERIAL)
    bob = aws.client("sts", user="bob")
    assert refused(bob.get_session_token, SerialNumber=phone.serial, TokenCode=phone.code()) == (
        403,
        "AccessDenied",
        BAD_SERIAL,
    )


# -- GetFederationToken -------------------------------------------------------------------------------------------

EVERYTHING = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]})


def test_a_federated_user_is_named_by_whoever_vouches(aws, alice):
    given = alice.get_federation_token(Name="guest", Policy=EVERYTHING)
    assert given["FederatedUser"] == {
        "FederatedUserId": f"{HOME}:guest",
        "Arn": f"arn:aws:sts::{HOME}:federated-user/guest",
    }
    who = aws.client("sts", given["Credentials"]).get_caller_identity()
    assert (who["Arn"], who["UserId"]) == (f"arn:aws:sts::{HOME}:federated-user/guest", f"{HOME}:guest")


def test_a_federated_user_can_only_ask_who_it_is(aws, alice, refused):
    given = alice.get_federation_token(Name="guest", Policy=EVERYTHING)["Credentials"]
    guest = aws.client("sts", given)
    role = f"arn:aws:iam::{HOME}:role/account-trusted"
    assert refused(guest.assume_role, RoleArn=role, RoleSessionName="who")[:2] == (403, "AccessDenied")
    assert refused(aws.client("iam", given).list_users)[:2] == (403, "InvalidClientTokenId")


def test_vouching_needs_a_permission(aws, refused):
    bob = aws.client("sts", user="bob")
    status, code, message = refused(bob.get_federation_token, Name="guest")
    assert (status, code) == (403, "AccessDenied")
    assert message.startswith(
        f"User: arn:aws:iam::{HOME}:user/bob is not authorized to perform: sts:GetFederationToken"
    )


# -- GetAccessKeyInfo ---------------------------------------------------------------------------------------------


def test_a_key_id_tells_its_account(aws, alice):
    own = aws.credentials(user="alice")["access_key_id"]
    temporary = alice.get_session_token()["Credentials"]["AccessKeyId"]
    assert alice.get_access_key_info(AccessKeyId=own)["Account"] == HOME
    assert alice.get_access_key_info(AccessKeyId=temporary)["Account"] == HOME
    # a real id of 2023 with a known account (docs/aws/sts.md, "Prefixes of ids")
    assert alice.get_access_key_info(AccessKeyId="ASIAQNZGKIQY56JQ7WML")["Account"] == "029608264753"
