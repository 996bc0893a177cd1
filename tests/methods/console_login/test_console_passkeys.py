"""Passkeys of users and root at the console, and how IAM tells of them (docs/aws/console-sign-in.md, "Passkeys")."""

from __future__ import annotations

import json
import re

import by_hand
import httpx
import pytest
from login_lab import DEV
from software_authenticator import SoftwareAuthenticator

PASSWORD = "Correct-Horse-7"
ALICE = {"account": DEV, "username": "alice", "password": PASSWORD}
DORA = {**ALICE, "username": "dora"}
ROOT = {"account": DEV, "username": "root", "password": "root"}


class Person(by_hand.Person):
    @property
    def origin(self) -> str:
        return re.match(r"https?://[^/]+", self.base)[0]

    @property
    def asked(self) -> dict:
        return json.loads(self.tree.xpath("//form[@data-passkey]/@data-options")[0])

    def sign_in(self, who: dict):
        return self.forget().open("/signin/mfa").send("/signin", **who)

    def register(self, authenticator, name: str = "laptop"):
        return self.send("/mfa/passkey", name=name, credential=authenticator.create(self.asked, self.origin))

    def prove(self, authenticator, **wrong):
        return self.send("/code/passkey", credential=authenticator.get(self.asked, self.origin, **wrong))


@pytest.fixture
def person(aws):
    for user in ("alice", "dora"):
        aws.client("iam").create_login_profile(UserName=user, Password=PASSWORD)
    person = Person(aws.endpoint_url.replace("127.0.0.1", "localhost"))
    yield person
    person.http.close()


@pytest.fixture
def authenticator():
    return SoftwareAuthenticator()


def test_a_passkey_is_made_asked_for_and_listed(aws, person, authenticator):
    person.sign_in(ALICE).register(authenticator)
    assert "laptop passkey" in person.text
    iam = aws.client("iam")
    (device,) = iam.list_mfa_devices(UserName="alice")["MFADevices"]
    assert re.fullmatch(rf"arn:aws:iam::{DEV}:u2f/user/alice/laptop-[A-Z2-7]{{26}}", device["SerialNumber"])
    known = iam.get_mfa_device(SerialNumber=device["SerialNumber"], UserName="alice")
    assert (known["UserName"], known["SerialNumber"]) == ("alice", device["SerialNumber"])
    assert iam.list_virtual_mfa_devices()["VirtualMFADevices"] == []
    assert iam.get_account_summary()["SummaryMap"]["MFADevicesInUse"] == 1

    person.sign_in(ALICE).prove(authenticator)
    assert "laptop passkey" in person.text
    login = next(event for event in reversed(aws.events()) if event["eventName"] == "ConsoleLogin")
    told = login["additionalEventData"]
    assert (told["MFAUsed"], told["MFAIdentifier"]) == ("Yes", device["SerialNumber"])


def test_root_has_one_too(aws, person, authenticator):
    person.sign_in(ROOT).register(authenticator)
    person.sign_in(ROOT).prove(authenticator)
    assert "laptop passkey" in person.text
    assert aws.client("iam").get_account_summary()["SummaryMap"]["AccountMFAEnabled"] == 1


def test_iam_takes_it_away(aws, person, authenticator):
    person.sign_in(ALICE).register(authenticator)
    iam = aws.client("iam")
    (device,) = iam.list_mfa_devices(UserName="alice")["MFADevices"]
    serial = device["SerialNumber"]
    with pytest.raises(iam.exceptions.DeleteConflictException):
        iam.delete_user(UserName="alice")
    with pytest.raises(iam.exceptions.NoSuchEntityException):
        iam.deactivate_mfa_device(UserName="dora", SerialNumber=serial)
    iam.deactivate_mfa_device(UserName="alice", SerialNumber=serial)
    assert iam.list_mfa_devices(UserName="alice")["MFADevices"] == []
    assert "No device is registered" in person.sign_in(ALICE).text


def test_no_code_stands_for_a_passkey(aws, person, authenticator):
    """Passkeys prove nothing to the API (IAM user guide, "Supported configurations")."""
    person.sign_in(ALICE).register(authenticator)
    (device,) = aws.client("iam").list_mfa_devices(UserName="alice")["MFADevices"]
    key = aws.client("iam").create_access_key(UserName="alice")["AccessKey"]
    sts = aws.client("sts", {"AccessKeyId": key["AccessKeyId"], "SecretAccessKey": key["SecretAccessKey"]})
    with pytest.raises(sts.exceptions.ClientError, match="unable to validate MFA code"):
        sts.get_session_token(SerialNumber=device["SerialNumber"], TokenCode="123456")


def test_the_policy_engine_is_asked(aws, person, authenticator):
    person.sign_in(DORA).register(authenticator)
    assert person.page.status_code == 403
    assert "not authorized to perform: iam:EnableMFADevice" in person.text
    grant = {"Effect": "Allow", "Action": "iam:*MFADevice", "Resource": "arn:aws:iam::*:user/${aws:username}"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [grant]})
    aws.client("iam").put_user_policy(UserName="dora", PolicyName="own", PolicyDocument=document)
    person.register(authenticator)
    assert "laptop passkey" in person.text

    person.send("/mfa/remove")  # this session was begun without a device
    assert "authenticated with an MFA device" in person.text
    person.sign_in(DORA).prove(authenticator).send("/mfa/remove")
    assert "No device is registered" in person.text


def test_wrong_proofs_are_told_as_any_wrong_sign_in(aws, person, authenticator):
    person.sign_in(ALICE).register(authenticator)
    person.sign_in(ALICE).prove(authenticator, origin="http://evil.example")
    assert "authentication information is incorrect" in person.text
    assert "page of another site" in aws.explain()
    assert person.send("/code/passkey", credential="x").page.status_code == 403
    others = SoftwareAuthenticator()
    others.id = authenticator.id
    assert person.prove(others).page.status_code == 403
    assert person.prove(authenticator).page.status_code == 200


def test_who_is_deleted_between_the_steps(aws, person, authenticator):
    person.sign_in(ALICE).register(authenticator)
    person.sign_in(ALICE)
    iam = aws.client("iam")
    answer = authenticator.get(person.asked, person.origin)
    (device,) = iam.list_mfa_devices(UserName="alice")["MFADevices"]
    iam.deactivate_mfa_device(UserName="alice", SerialNumber=device["SerialNumber"])
    iam.detach_user_policy(UserName="alice", PolicyArn="arn:aws:iam::aws:policy/AdministratorAccess")
    for key in iam.list_access_keys(UserName="alice")["AccessKeyMetadata"]:
        iam.delete_access_key(UserName="alice", AccessKeyId=key["AccessKeyId"])
    iam.delete_login_profile(UserName="alice")
    iam.delete_user(UserName="alice")
    assert person.send("/code/passkey", credential=answer).page.status_code == 403


def test_other_forms_and_other_sessions(person, authenticator):
    person.sign_in(ALICE).register(authenticator)
    fields = {"token": "forged", "name": "x", "credential": "x", "device": "x"}
    for path in ("/signin/mfa/passkey", "/signin/mfa/remove"):
        assert person.http.post(f"{person.base}{path}", data=fields).status_code == 403
        assert httpx.post(f"{person.base}{path}", data=fields, verify=False).status_code == 401
    assert person.sign_in(ALICE).prove(authenticator).send("/mfa/remove", device="x").page.status_code == 404
