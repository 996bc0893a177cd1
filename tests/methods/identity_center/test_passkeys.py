"""Passkeys of people of Identity Center: made on the page for devices, asked for after the password (WebAuthn Level 3)."""

from __future__ import annotations

import json
import re

import by_hand
import httpx
import pytest
from software_authenticator import BACKED_UP, ELIGIBLE, ES256, PRESENT, RS256, VERIFIED, SoftwareAuthenticator
from sso_lab import SCENARIO, SEED

from sts_emulator.accounts.people import totp


class Person(by_hand.Person):
    """At this machine's name: browsers make no passkeys for an address."""

    def __init__(self, aws, host: str = "localhost") -> None:
        super().__init__(aws.endpoint_url.replace("127.0.0.1", host))
        self.origin = re.match(r"https?://[^/]+", self.base)[0]

    @property
    def asked(self) -> dict:
        """What the page asks of the authenticator."""
        (form,) = [form for form in self.forms if form.get("data-passkey")]
        return json.loads(form.get("data-options"))

    def sign_in(self, user: str, password: str = ""):
        return self.open("/start/mfa").send("/start/signin", username=user, password=password or user)

    def register(self, authenticator, name: str = "laptop", **wrong):
        response = authenticator.create(self.asked, self.origin, **wrong)
        return self.send("/mfa/passkey", name=name, credential=response)

    def prove(self, authenticator, **wrong):
        return self.send("/code/passkey", credential=authenticator.get(self.asked, self.origin, **wrong))


@pytest.fixture
def person(aws):
    person = Person(aws)
    yield person
    person.http.close()


@pytest.fixture
def registered(person):
    """An authenticator with jane's passkey; she is signed out."""
    authenticator = SoftwareAuthenticator()
    person.sign_in("jane").register(authenticator)
    assert "laptop" in person.text
    person.forget()
    return authenticator


@pytest.mark.parametrize("algorithm", [ES256, RS256])
@pytest.mark.parametrize("fmt", ["none", "packed"])
def test_a_passkey_is_made_and_asked_for_ever_after(aws, person, algorithm, fmt):
    authenticator = SoftwareAuthenticator(algorithm)
    assert [kind["alg"] for kind in person.sign_in("jane").asked["pubKeyCredParams"]] == [ES256, RS256]
    person.register(authenticator, fmt=fmt)
    assert "laptop passkey" in person.text

    person.forget().sign_in("jane")
    assert "Additional verification required" in person.text
    person.prove(authenticator)
    assert "Multi-factor authentication" in person.text
    names = [(event["eventSource"], event["eventName"]) for event in aws.events()]
    assert ("sso-directory.amazonaws.com", "CompleteWebAuthnDeviceRegistration") in names
    kinds = [event["additionalEventData"]["evidence"].get("credential") for event in aws.events()]
    assert "WEBAUTHN" in kinds


def test_code_or_passkey_whichever_is_at_hand(aws, person):
    authenticator = SoftwareAuthenticator()
    start = aws.now()
    person.sign_in("mary", "tr0ub4dor-3-X").send("/code", code=totp(SEED, start))
    person.register(authenticator)
    person.forget().sign_in("mary", "tr0ub4dor-3-X").prove(authenticator)
    assert "laptop passkey" in person.text
    person.forget().sign_in("mary", "tr0ub4dor-3-X").send("/code", code=totp(SEED, start + 30))
    assert "laptop passkey" in person.text


def test_who_removes_it_needs_none(person, registered):
    person.sign_in("jane").prove(registered).send("/mfa/remove")
    assert "No device is registered" in person.text
    person.forget().sign_in("jane")
    assert "No device is registered" in person.text


WRONG_REGISTRATIONS = {
    "another page's": {"origin": "http://evil.example"},
    "a page of another port": {"origin": "http://localhost:1"},
    "a frame of another site": {"crossOrigin": True},
    "a sign-in's": {"type": "webauthn.get"},
    "another challenge": {"challenge": "AAAA"},
    "no text as challenge": {"challenge": 7},
    "another party's": {"party": "evil.example"},
    "an attestation that nobody asked for": {"fmt": "fido-u2f", "statement": {"x5c": [b"x"], "sig": b"y"}},
    "an attestation that is forged": {"fmt": "packed", "statement": {"alg": ES256, "sig": b"forged"}},
    "an unknown attestation": {"fmt": "made-up"},
}


@pytest.mark.parametrize("wrong", WRONG_REGISTRATIONS.values(), ids=WRONG_REGISTRATIONS)
def test_registrations_that_prove_nothing(aws, person, wrong):
    person.sign_in("jane").register(SoftwareAuthenticator(), **wrong)
    assert person.page.status_code == 403
    assert "could not be verified" in person.text
    assert "No device is registered" in person.text
    assert "the passkey is refused" in aws.explain()


def test_keys_that_were_not_asked_for(person):
    class Misfit(SoftwareAuthenticator):
        changes = None

        @property
        def cose(self) -> dict:
            return {**super().cose, **(self.changes or {})}

    person.sign_in("jane")
    absent = SoftwareAuthenticator()
    absent.flags = VERIFIED  # nobody touched it
    small = SoftwareAuthenticator(RS256, bits=1024)
    other_curve, other_algorithm, no_point = Misfit(), Misfit(), Misfit()
    other_curve.changes, other_algorithm.changes, no_point.changes = {-1: 2}, {3: -8}, {-2: b"\x01" * 32}
    long = SoftwareAuthenticator()
    long.id = b"x" * 1_024
    for authenticator in (absent, small, other_curve, other_algorithm, long):
        assert person.register(authenticator).page.status_code == 403, authenticator
    person.register(no_point)  # a key off the curve proves nothing when it is shown
    if person.page.status_code == 200:
        person.forget().sign_in("jane").prove(no_point)
    assert person.page.status_code == 403


@pytest.mark.parametrize("name", ["", "x" * 65, "<script>alert(1)</script>", "two words"])
def test_names_that_no_device_may_have(person, name):
    person.sign_in("jane").register(SoftwareAuthenticator(), name=name)
    assert person.page.status_code == 400
    assert "<script>alert" not in person.page.text


GARBAGE = ["", "x", "[]", "{}", '{"id": "x", "response": 7}', "[" * 30_000, "x" * 100_000, '{"id":"AA","response":{}}']


@pytest.mark.parametrize("garbage", GARBAGE, ids=range(len(GARBAGE)))
def test_what_no_authenticator_says(person, registered, garbage):
    person.sign_in("jane").send("/code/passkey", credential=garbage)
    assert person.page.status_code == 403
    person.prove(registered).send("/mfa/passkey", name="x", credential=garbage)
    assert person.page.status_code == 403


def test_a_response_with_single_bytes_changed(person, registered):
    """Wherever a bit flips, it is a refusal and never a failure of ours."""
    good = json.loads(registered.get(person.sign_in("jane").asked, person.origin))
    for member in ("clientDataJSON", "authenticatorData", "signature"):
        for place in (0, 5, len(good["response"][member]) // 2):
            text = good["response"][member]
            changed = text[:place] + ("A" if text[place] != "A" else "B") + text[place + 1 :]
            answer = {**good, "response": {**good["response"], member: changed}}
            person.send("/code/passkey", credential=json.dumps(answer))
            assert person.page.status_code in (403, 429), (member, place)


WRONG_PROOFS = {
    "another page's": {"origin": "https://localhost"},
    "a registration's": {"type": "webauthn.create"},
    "another party's": {"party": "evil.example"},
    "a frame of another site": {"crossOrigin": True},
}


@pytest.mark.parametrize("wrong", WRONG_PROOFS.values(), ids=WRONG_PROOFS)
def test_proofs_that_prove_nothing(person, registered, wrong):
    person.sign_in("jane").prove(registered, **wrong)
    assert person.page.status_code == 403
    assert "could not be verified" in person.text
    assert person.prove(registered).page.status_code == 200  # asked anew


def test_a_challenge_is_good_once(person, registered):
    answer = registered.get(person.sign_in("jane").asked, person.origin)
    person.send("/code/passkey", credential=answer)
    assert "laptop passkey" in person.text
    person.forget().sign_in("jane").send("/code/passkey", credential=answer)
    assert person.page.status_code == 403
    refused = registered.get(person.asked, person.origin, origin="http://evil.example")
    used = json.loads(person.forms[0].get("data-options"))
    person.send("/code/passkey", credential=refused)
    person.send("/code/passkey", credential=registered.get(used, person.origin))  # used up by the refusal
    assert person.page.status_code == 403


def test_a_challenge_waits_five_minutes(aws, person, registered):
    person.sign_in("jane")
    answer = registered.get(person.asked, person.origin)
    aws.advance(301)
    person.send("/code/passkey", credential=answer)
    assert person.page.status_code == 403


def test_a_challenge_is_for_one_purpose_and_one_person(person, registered):
    person.sign_in("jane").prove(registered)
    for_making = person.asked
    person.forget().sign_in("jane")
    borrowed = registered.get({**person.asked, "challenge": for_making["challenge"]}, person.origin)
    assert person.send("/code/passkey", credential=borrowed).page.status_code == 403

    others = SoftwareAuthenticator()
    person.forget().sign_in("omar").register(others)
    omars = person.forget().sign_in("omar").asked
    person.forget().sign_in("jane")
    borrowed = registered.get({**person.asked, "challenge": omars["challenge"]}, person.origin)
    assert person.send("/code/passkey", credential=borrowed).page.status_code == 403


def test_a_challenge_and_a_passkey_are_of_one_world(person, registered, emulator_server):
    asked = person.sign_in("jane").asked
    with emulator_server.world(SCENARIO) as other:
        stranger = Person(other)
        fresh = SoftwareAuthenticator()
        stranger.sign_in("jane").register(fresh)
        stranger.forget().sign_in("jane")
        borrowed = fresh.get({**stranger.asked, "challenge": asked["challenge"]}, stranger.origin)
        assert stranger.send("/code/passkey", credential=borrowed).page.status_code == 403
        assert stranger.prove(registered).page.status_code == 403  # jane's, but of another world
        stranger.http.close()


def test_another_persons_passkey(person, registered):
    others = SoftwareAuthenticator()
    person.sign_in("omar").register(others).forget()
    assert person.sign_in("jane").prove(others).page.status_code == 403
    others.id = registered.id  # the right id, and the wrong key
    assert person.prove(others).page.status_code == 403


def test_a_counter_that_goes_back_tells_of_a_copy(person, registered):
    person.sign_in("jane").prove(registered).forget()
    registered.count = 0
    assert person.sign_in("jane").prove(registered).page.status_code == 403  # one again
    registered.count = 7
    assert person.prove(registered).page.status_code == 200


def test_an_authenticator_without_a_counter(person):
    class Countless(SoftwareAuthenticator):
        def get(self, options, origin, /, **wrong):
            self.count = -1
            return super().get(options, origin, **wrong)

    authenticator = Countless()
    person.sign_in("jane").register(authenticator)
    for _ in range(2):
        assert person.forget().sign_in("jane").prove(authenticator).page.status_code == 200


def test_what_it_once_showed_it_must_show_again(person, registered):
    """Who was known again when the passkey was made, and whether it may be copied (WebAuthn, 7.2)."""
    person.sign_in("jane")
    for flags in (PRESENT, VERIFIED, PRESENT | VERIFIED | ELIGIBLE, PRESENT | VERIFIED | BACKED_UP):
        registered.flags = flags
        assert person.prove(registered).page.status_code == 403
    registered.flags = PRESENT | VERIFIED
    assert person.prove(registered).page.status_code == 200


def test_a_key_that_is_only_touched_will_do(person):
    key = SoftwareAuthenticator()
    key.flags = PRESENT
    person.sign_in("jane").register(key)
    assert person.forget().sign_in("jane").prove(key).page.status_code == 200


def test_the_same_passkey_twice_and_more_than_eight(person):
    authenticator = SoftwareAuthenticator()
    person.sign_in("jane").register(authenticator)
    assert [known["id"] for known in person.asked["excludeCredentials"]]
    assert person.register(authenticator, name="again").page.status_code == 403
    for number in range(7):
        assert person.register(SoftwareAuthenticator(), name=f"key-{number}").page.status_code == 200
    assert "8 devices already" in person.register(SoftwareAuthenticator(), name="ninth").text


@pytest.mark.usefixtures("registered")
def test_at_an_address_there_are_none(aws):
    here = Person(aws, "127.0.0.1")
    here.sign_in("omar")
    assert "not for addresses" in here.text
    assert not [form for form in here.forms if form.get("data-passkey")]
    here.forget().sign_in("jane")
    assert "Sign in there" in here.text
    assert here.page.text.count("http://localhost:") == 1
    here.http.close()


@pytest.mark.usefixtures("registered")
def test_guessing_is_slowed(aws, person):
    aws.advance(300 - aws.now() % 300)  # tries are counted by five minutes: here begin some
    person.sign_in("jane")
    for _ in range(21):
        person.send("/code/passkey", credential="x")
    assert person.page.status_code == 429


def test_other_sites_and_other_forms(person, registered):
    person.sign_in("jane").prove(registered)
    fields = {"name": "x", "credential": "x", "token": "forged"}
    for path in ("/start/mfa/passkey", "/start/mfa/remove"):
        url = f"{person.base}{path}"
        assert person.http.post(url, data=fields).status_code == 403
        assert person.http.post(url, data=fields, headers={"Origin": "http://evil.example"}).status_code == 403
        assert httpx.post(url, data=fields, verify=False).status_code == 401
    strange = person.send("/mfa/remove", device="another's")
    assert strange.page.status_code == 404
