"""Encrypted assertions: the algorithms that AWS was seen to accept, and what must fail.

Source: docs/aws/saml.md, "Encryption".
"""

from __future__ import annotations

import base64
import os

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from lxml import etree
from saml_maker import NS, Ticket, by_xmlsec, encode, identity, saml_response, sign, unsigned

from sts_emulator.core.errors import AwsError

XENC = "http://www.w3.org/2001/04/xmlenc#"
XENC11 = "http://www.w3.org/2009/xmlenc11#"
SHA256 = f'<ds:DigestMethod xmlns:ds="{NS["ds"]}" Algorithm="{XENC}sha256"/>'
MGF_SHA256 = f'<m:MGF xmlns:m="{XENC11}" Algorithm="{XENC11}mgf1sha256"/>'
PRIVATE = identity("decryption")

OAEP_SHA1 = (f"{XENC}rsa-oaep-mgf1p", "", hashes.SHA1, hashes.SHA1)
OAEP_SHA256_MGF_SHA1 = (f"{XENC}rsa-oaep-mgf1p", SHA256, hashes.SHA256, hashes.SHA1)
OAEP_SHA256 = (f"{XENC11}rsa-oaep", SHA256 + MGF_SHA256, hashes.SHA256, hashes.SHA256)


def encrypted(plain: str, bits: int = 256, mode: str = "gcm", transport=OAEP_SHA1, to=PRIVATE) -> str:
    """An EncryptedAssertion, made with the primitives."""
    secret, iv = os.urandom(bits // 8), os.urandom(12 if mode == "gcm" else 16)
    if mode == "gcm":
        cipher = iv + AESGCM(secret).encrypt(iv, plain.encode(), None)
        method = f"{XENC11}aes{bits}-gcm"
    else:
        short = 16 - len(plain.encode()) % 16
        padded = plain.encode() + os.urandom(short - 1) + bytes([short])
        encryptor = Cipher(algorithms.AES(secret), modes.CBC(iv)).encryptor()
        cipher = iv + encryptor.update(padded)
        method = f"{XENC}aes{bits}-cbc"
    uri, arguments, digest, mask = transport
    wrapped = to.key.public_key().encrypt(secret, padding.OAEP(padding.MGF1(mask()), digest(), None))
    return (
        f'<a:EncryptedAssertion xmlns:a="{NS["a"]}"><x:EncryptedData xmlns:x="{XENC}" Type="{XENC}Element">'
        f'<x:EncryptionMethod Algorithm="{method}"/><ds:KeyInfo xmlns:ds="{NS["ds"]}"><x:EncryptedKey>'
        f'<x:EncryptionMethod Algorithm="{uri}">{arguments}</x:EncryptionMethod>'
        f"<x:CipherData><x:CipherValue>{base64.b64encode(wrapped).decode()}</x:CipherValue></x:CipherData>"
        f"</x:EncryptedKey></ds:KeyInfo><x:CipherData><x:CipherValue>{base64.b64encode(cipher).decode()}</x:CipherValue>"
        "</x:CipherData></x:EncryptedData></a:EncryptedAssertion>"
    )


@pytest.fixture
def decrypting(stage):
    from sts_emulator.iam.providers import saml_providers

    saml_providers.update_saml_provider(
        stage.context("iam", "UpdateSAMLProvider"),
        SAMLProviderArn=stage.provider,
        AssertionEncryptionMode="Allowed",
        AddPrivateKey=PRIVATE.key_pem.decode(),
    )
    return stage


def require(stage) -> None:
    from sts_emulator.iam.providers import saml_providers

    saml_providers.update_saml_provider(
        stage.context("iam", "UpdateSAMLProvider"), SAMLProviderArn=stage.provider, AssertionEncryptionMode="Required"
    )


def why(stage, response: str) -> str:
    with pytest.raises(AwsError) as caught:
        stage.assume(encode(response))
    assert caught.value.message.startswith("Invalid base64 SAMLResponse (Service: AWSOpenIdDiscoveryService")
    return stage.last.evidence["refused"]


@pytest.mark.parametrize("bits", [128, 192, 256])
@pytest.mark.parametrize("mode", ["cbc", "gcm"])
@pytest.mark.parametrize("transport", [OAEP_SHA1, OAEP_SHA256_MGF_SHA1, OAEP_SHA256], ids=["1", "256/1", "256/256"])
def test_algorithms(decrypting, bits, mode, transport):
    ticket = Ticket()
    response = ticket.response(encrypted(sign(ticket.assertion()), bits, mode, transport))

    assert decrypting.assume(encode(response))["Subject"] == "subject-123"


def test_encrypted_by_another_implementation(decrypting):
    ticket = Ticket()

    assert (
        decrypting.assume(encode(ticket.response(by_xmlsec(sign(ticket.assertion()), PRIVATE.certificate_pem))))[
            "Subject"
        ]
        == "subject-123"
    )


def test_the_origin_of_an_encrypted_assertion_is_in_the_session_and_not_in_the_answer(decrypting):
    from sts_emulator.iam.providers import saml_providers

    saml_providers.update_saml_provider(
        decrypting.context("iam", "UpdateSAMLProvider"),
        SAMLProviderArn=decrypting.provider,
        ContextProvider={"SubjectSourceKey": "Subject/NameID"},
    )
    ticket = Ticket()
    answer = decrypting.assume(encode(ticket.response(encrypted(sign(ticket.assertion())))))

    assert "TrustedIdentityPropagationContext" not in answer
    assert [*decrypting.last.vended.context["aws:originidentity/subject"]] == ["subject-123"]


def test_a_signature_on_the_response_covers_the_cipher_text(decrypting):
    ticket = Ticket()
    response = sign(ticket.response(encrypted(sign(ticket.assertion()))))

    assert decrypting.assume(encode(response))["Subject"] == "subject-123"


def test_a_plain_assertion_is_accepted_where_encryption_is_allowed_and_refused_where_it_is_required(decrypting):
    assert decrypting.assume(saml_response())["Subject"]

    require(decrypting)
    ticket = Ticket()
    assert "requires encryption" in why(decrypting, ticket.response(sign(ticket.assertion())))
    assert decrypting.assume(encode(ticket.response(encrypted(sign(ticket.assertion())))))["Subject"]


def test_either_of_two_keys_decrypts(decrypting):
    from sts_emulator.iam.providers import saml_providers

    second = identity("second decryption")
    saml_providers.update_saml_provider(
        decrypting.context("iam", "UpdateSAMLProvider"),
        SAMLProviderArn=decrypting.provider,
        AddPrivateKey=second.key_pem.decode(),
    )
    for key in (PRIVATE, second):
        ticket = Ticket()
        assert decrypting.assume(encode(ticket.response(encrypted(sign(ticket.assertion()), to=key))))["Subject"]


def test_the_wrong_key(decrypting):
    ticket = Ticket()

    assert "no private key" in why(decrypting, ticket.response(encrypted(sign(ticket.assertion()), to=identity("x"))))


def test_a_provider_without_keys(stage):
    ticket = Ticket()

    assert "no private key" in why(stage, ticket.response(encrypted(sign(ticket.assertion()))))


@pytest.mark.parametrize("mode", ["cbc", "gcm"])
def test_altered_cipher_text(decrypting, mode):
    ticket = Ticket()
    root = etree.fromstring(ticket.response(encrypted(sign(ticket.assertion()), mode=mode)))
    value = root.findall(f".//{{{XENC}}}CipherValue")[-1]
    raw = bytearray(base64.b64decode(value.text))
    raw[len(raw) // 2] ^= 1
    value.text = base64.b64encode(bytes(raw)).decode()

    with pytest.raises(AwsError) as caught:
        decrypting.assume(encode(etree.tostring(root)))
    assert caught.value.code == "InvalidIdentityToken"


def test_what_is_inside_must_be_signed(decrypting):
    ticket = Ticket()
    with pytest.raises(AwsError, match="must contain an assertion with a mandatory signature"):
        decrypting.assume(encode(ticket.response(encrypted(unsigned(ticket.assertion())))))


@pytest.mark.parametrize(
    ("plain", "reason"),
    [
        ("<!DOCTYPE x><x/>", "unsafe XML"),
        ("<x/>", "not one assertion"),
        ("", "not one assertion"),
        ("no xml <", "unsafe XML"),
        ("{signed}{signed}", "not one assertion"),
        ("</holder><holder>{signed}", "unsafe XML"),
        ("<a:EncryptedAssertion/>", "not one assertion"),
        (f'<a:Assertion xmlns:a="{NS["a"]}">{{signed}}</a:Assertion>', "not one assertion"),
    ],
)
def test_what_is_inside_must_be_one_assertion(decrypting, plain, reason):
    ticket = Ticket()
    content = plain.format(signed=sign(ticket.assertion()))

    assert reason in why(decrypting, ticket.response(encrypted(content)))


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        (f"{XENC}rsa-oaep-mgf1p", f"{XENC}rsa-1_5", "key transport"),
        (f"{XENC11}aes256-gcm", f"{XENC}tripledes-cbc", "encryption"),
        (f"{XENC11}aes256-gcm", f"{XENC11}aes128-gcm", "encryption"),
        ("<x:CipherValue>", '<x:CipherReference URI="file:///etc/passwd"/><x:CipherValue>', "not in the message"),
        ("<x:CipherData><x:CipherValue>", "<x:CipherData><x:Other>", ""),
        ("<x:EncryptedKey>", "<x:EncryptedKey/><x:EncryptedKey>", "not one encrypted key"),
    ],
)
def test_forms_that_are_not_allowed(decrypting, old, new, reason):
    ticket = Ticket()
    response = ticket.response(encrypted(sign(ticket.assertion())))
    assert old in response
    forged = response.replace(old, new, 1).replace("</x:CipherValue>", "</x:Other>", 1 if "Other" in new else 0)

    assert reason in why(decrypting, forged)


def test_a_key_that_points_to_a_fifo_is_not_opened(decrypting, tmp_path):
    path = tmp_path / "pipe"
    os.mkfifo(path)
    ticket = Ticket()
    response = ticket.response(encrypted(sign(ticket.assertion())))
    pointer = f'<ds:RetrievalMethod URI="file://{path}"/><x:EncryptedKey>'

    # Decryption does not look at it: the key that is there opens the assertion.
    assert decrypting.assume(encode(response.replace("<x:EncryptedKey>", pointer, 1)))["Subject"] == "subject-123"
    with pytest.raises(OSError, match="No such device"):
        os.close(os.open(path, os.O_WRONLY | os.O_NONBLOCK))
