"""IAM's SAML providers, through boto3 on a real socket."""

from __future__ import annotations

import base64
import datetime as dt
import re

import pytest
from botocore.exceptions import ClientError
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import dsa
from saml_maker import identity, metadata

ACCOUNT = "123456789012"
ARN = f"arn:aws:iam::{ACCOUNT}:saml-provider/Corp"
pytestmark = pytest.mark.scenario(f'accounts: {{"{ACCOUNT}": {{}}}}')


@pytest.fixture
def iam(aws):
    return aws.client("iam")


def create(iam, **members):
    return iam.create_saml_provider(
        **{"Name": "Corp", "SAMLMetadataDocument": metadata(identity().certificate_text), **members}
    )


def refusal(call, *arguments, **members) -> tuple[str, str]:
    with pytest.raises(ClientError) as caught:
        call(*arguments, **members)
    error = caught.value.response["Error"]
    return error["Code"], error["Message"]


def test_create_and_get(iam):
    created = create(iam, Tags=[{"Key": "team", "Value": "b"}, {"Key": "cost", "Value": "a"}])
    got = iam.get_saml_provider(SAMLProviderArn=created["SAMLProviderArn"])

    assert created["SAMLProviderArn"] == ARN
    assert created["Tags"] == [{"Key": "team", "Value": "b"}, {"Key": "cost", "Value": "a"}], "as they were sent"
    assert got["Tags"] == [{"Key": "cost", "Value": "a"}, {"Key": "team", "Value": "b"}]
    assert got["SAMLMetadataDocument"] == metadata(identity().certificate_text)
    assert 22 <= len(got["SAMLProviderUUID"]) <= 64
    assert got["ValidUntil"].year - got["CreateDate"].year in (99, 100)


def test_list_and_delete(iam):
    create(iam)
    create(iam, Name="another.name_1-2")

    listed = iam.list_saml_providers()["SAMLProviderList"]
    assert [provider["Arn"].rpartition("/")[2] for provider in listed] == ["another.name_1-2", "Corp"]
    assert set(listed[0]) == {"Arn", "ValidUntil", "CreateDate"}

    iam.delete_saml_provider(SAMLProviderArn=ARN)
    assert len(iam.list_saml_providers()["SAMLProviderList"]) == 1
    assert refusal(iam.delete_saml_provider, SAMLProviderArn=ARN)[0] == "NoSuchEntity"


def test_update(iam):
    create(iam)
    renewed = metadata(identity("renewed").certificate_text)

    assert iam.update_saml_provider(SAMLProviderArn=ARN, SAMLMetadataDocument=renewed)["SAMLProviderArn"] == ARN
    assert iam.get_saml_provider(SAMLProviderArn=ARN)["SAMLMetadataDocument"] == renewed


def test_tags(iam):
    create(iam, Tags=[{"Key": "a", "Value": "1"}])
    iam.tag_saml_provider(SAMLProviderArn=ARN, Tags=[{"Key": "b", "Value": "2"}, {"Key": "a", "Value": "3"}])
    iam.untag_saml_provider(SAMLProviderArn=ARN, TagKeys=["b", "none"])

    assert iam.list_saml_provider_tags(SAMLProviderArn=ARN)["Tags"] == [{"Key": "a", "Value": "3"}]


def test_a_name_is_taken_once(iam):
    create(iam)

    assert refusal(create, iam)[0] == "EntityAlreadyExists"


def test_names_are_checked_by_the_model(iam):
    assert refusal(create, iam, Name="a b")[0] == "ValidationError"


def test_a_document_shorter_than_a_thousand_characters(aws):
    from botocore.config import Config

    iam = aws.client("iam", config=Config(parameter_validation=False))

    assert refusal(create, iam, SAMLMetadataDocument="<x/>")[0] == "ValidationError"


SHORT_KEY = (  # RSA with 512 bits, self-signed for a hundred years; cryptography makes none that short any more
    "MIIBeTCCASOgAwIBAgIUMkVeHIyaRwnjB1mWJM9m9ZVWH9QwDQYJKoZIhvcNAQELBQAwEDEOMAwGA1UEAwwFc2hvcnQwIBcNMjYx"
    "MTI1MDQzNTMzWhgPMjEyNjExMDEwNDM1MzNaMBAxDjAMBgNVBAMMBXNob3J0MFwwDQYJKoZIhvcNAQEBBQADSwAwSAJBAMQ10R56"
    "jtduHFzY45NKzrF/WeRYO1GjuVHE3bTliIz9s8HunxL0+6+c3IOMq1Tx44VTOd4IT6XFqpT0naf5PmUCAwEAAaNTMFEwHQYDVR0O"
    "BBYEFFpEgPBcWP8vmZoU5TVzDzyd7hayMB8GA1UdIwQYMBaAFFpEgPBcWP8vmZoU5TVzDzyd7hayMA8GA1UdEwEB/wQFMAMBAf8w"
    "DQYJKoZIhvcNAQELBQADQQBlYqkivzS2qx6NhVLdYDJNNzg+YTZ9++8XIRMQULKKz1oMFMWNvJ1Ig1j8BU3r+oL4XegLD5T6pA5T"
    "VIKqPEyS"
)
PADDING = "<!--" + "x" * 1000 + "-->"


def certificate(**changes) -> str:
    """A certificate of another kind than those that are accepted."""
    key = changes.pop("key")
    name = x509.Name([])
    now = dt.datetime.now(dt.UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now)
        .not_valid_after(now + dt.timedelta(days=1))
    )
    return base64.b64encode(builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.DER)).decode()


@pytest.mark.parametrize(
    "document",
    [
        "x" * 1000,
        PADDING,
        f"<x>{PADDING}</x>",
        metadata("AAAA") + PADDING,
        metadata("not base64!") + PADDING,
        f"<!DOCTYPE x>{metadata(identity().certificate_text).partition('?>')[2]}",
        metadata(certificate(key=dsa.generate_private_key(1024))) + PADDING,
    ],
    ids=lambda document: document[:20],
)
def test_metadata_that_cannot_be_parsed(iam, document):
    assert refusal(create, iam, SAMLMetadataDocument=document) == ("InvalidInput", "Could not parse metadata")


@pytest.mark.parametrize(
    "document",
    [
        metadata(identity().certificate_text, issuer=""),
        metadata(identity().certificate_text).replace("IDPSSODescriptor", "SPSSODescriptor"),
        '<EntityDescriptor xmlns="urn:oasis:names:tc:SAML:2.0:metadata" entityID="https://idp.test/"/>' + PADDING,
    ],
    ids=["no name", "a service provider", "nothing in it"],
)
def test_metadata_of_no_identity_provider(iam, document):
    """Recorded on AWS, 2026-09: https://github.com/radkawar/stackd internal/services/iam/testdata/federation."""
    assert refusal(create, iam, SAMLMetadataDocument=document) == (
        "InvalidInput",
        "SAML Providers must reference at least one SAML assertion issuer.",
    )


@pytest.mark.parametrize("until", ["2027-01-02T03:04:05Z", "1999-01-01T00:00:00Z", "tomorrow"])
def test_a_provider_is_good_for_a_hundred_years_whatever_its_metadata_say(iam, until):
    """Recorded as above; every change of the metadata begins the hundred years anew."""
    create(iam, SAMLMetadataDocument=metadata(identity().certificate_text, valid_until=until))

    got = iam.get_saml_provider(SAMLProviderArn=ARN)
    assert got["ValidUntil"].year == got["CreateDate"].year + 100


def test_metadata_without_a_signing_key_are_taken(iam):
    """Recorded as above; no assertion of such a provider ever verifies."""
    document = metadata(identity().certificate_text).replace('use="signing"', 'use="encryption"')
    assert create(iam, SAMLMetadataDocument=document)["SAMLProviderArn"] == ARN


def test_a_key_of_less_than_1024_bits_is_refused(iam):
    assert refusal(create, iam, SAMLMetadataDocument=metadata(SHORT_KEY) + PADDING)[1] == "Could not parse metadata"


def test_a_federation_of_identity_providers(iam):
    parts = [
        metadata(identity(name).certificate_text, issuer=f"https://{name}.test").partition("?>")[2]
        for name in ("one", "two")
    ]
    document = f'<md:EntitiesDescriptor xmlns:md="urn:oasis:names:tc:SAML:2.0:metadata">{"".join(parts)}</md:EntitiesDescriptor>'

    assert create(iam, SAMLMetadataDocument=document)["SAMLProviderArn"] == ARN


# -- private keys -------------------------------------------------------------------------------------------------


def pem(name: str) -> str:
    return identity(name).key_pem.decode()


def test_private_keys_come_and_go_but_are_never_shown(iam):
    create(iam, AssertionEncryptionMode="Allowed", AddPrivateKey=pem("first"))
    got = iam.get_saml_provider(SAMLProviderArn=ARN)
    (first,) = got["PrivateKeyList"]
    assert got["AssertionEncryptionMode"] == "Allowed"
    assert set(first) == {"KeyId", "Timestamp"}

    iam.update_saml_provider(SAMLProviderArn=ARN, AddPrivateKey=pem("second"), AssertionEncryptionMode="Required")
    too_many = refusal(iam.update_saml_provider, SAMLProviderArn=ARN, AddPrivateKey=pem("third"))
    assert too_many[0] == "LimitExceeded"

    iam.update_saml_provider(SAMLProviderArn=ARN, RemovePrivateKey=first["KeyId"])
    got = iam.get_saml_provider(SAMLProviderArn=ARN)
    assert len(got["PrivateKeyList"]) == 1
    assert got["AssertionEncryptionMode"] == "Required"
    assert "PRIVATE" not in str(got)


def test_the_last_key_stays_while_assertions_may_be_encrypted(iam):
    create(iam, AssertionEncryptionMode="Required", AddPrivateKey=pem("first"))
    (key,) = iam.get_saml_provider(SAMLProviderArn=ARN)["PrivateKeyList"]

    refused = refusal(iam.update_saml_provider, SAMLProviderArn=ARN, RemovePrivateKey=key["KeyId"])
    assert refused[0] == "InvalidInput"
    assert len(iam.get_saml_provider(SAMLProviderArn=ARN)["PrivateKeyList"]) == 1


def test_encryption_needs_a_key_that_can_be_read(iam):
    assert refusal(create, iam, AssertionEncryptionMode="Required") == (
        "ValidationError",
        "Unable to set assertion encryption mode to Required because no private key is provided.",
    )
    assert refusal(create, iam, AssertionEncryptionMode="Allowed", AddPrivateKey="x")[0] == "InvalidInput"
    # AWS takes a key of an elliptic curve as well
    assert create(iam, AddPrivateKey=identity("ec", kind="ec").key_pem.decode())["SAMLProviderArn"] == ARN
    got = iam.get_saml_provider(SAMLProviderArn=ARN)
    assert re.fullmatch("SAMLSP[A-Z0-9]{16}", got["SAMLProviderUUID"])
    assert re.fullmatch("SAMLPK[A-Z0-9]{16}", got["PrivateKeyList"][0]["KeyId"])


def test_what_an_update_is_refused_for(iam):
    """AWS's words, recorded 2026-09 (see above)."""
    create(iam)

    def refused(**members: str) -> tuple[str, str]:
        return refusal(iam.update_saml_provider, SAMLProviderArn=ARN, **members)

    assert refused() == (
        "ValidationError",
        "Unable to update identity provider. No updates are defined for metadata or encryption assertion.",
    )
    assert refused(AssertionEncryptionMode="Required") == (
        "InvalidInput",
        "Failed to set assertion encryption mode to Required because no private key is present.",
    )
    iam.update_saml_provider(SAMLProviderArn=ARN, AddPrivateKey=pem("first"), AssertionEncryptionMode="Required")
    (key,) = iam.get_saml_provider(SAMLProviderArn=ARN)["PrivateKeyList"]
    assert refused(AddPrivateKey=pem("second"), RemovePrivateKey=key["KeyId"]) == (
        "ValidationError",
        "Unable to add and remove private keys in the same request. Set a value for only one of the two parameters.",
    )
    assert refused(RemovePrivateKey=key["KeyId"]) == ("InvalidInput", "Failed to remove private key.")
    iam.update_saml_provider(SAMLProviderArn=ARN, AddPrivateKey=pem("second"))
    assert refused(AddPrivateKey=pem("third")) == ("LimitExceeded", "Private key limit of 2 is reached.")


def test_a_provider_without_keys_shows_that_it_has_none(iam):
    """Recorded 2026-09."""
    create(iam)
    got = iam.get_saml_provider(SAMLProviderArn=ARN)
    assert (got["AssertionEncryptionMode"], got["PrivateKeyList"]) == ("Allowed", [])


def test_a_key_that_is_not_there(iam):
    create(iam)

    assert refusal(iam.update_saml_provider, SAMLProviderArn=ARN, RemovePrivateKey="A" * 22)[0] == "NoSuchEntity"


def test_private_keys_are_not_in_the_event_log(aws, iam):
    create(iam, AssertionEncryptionMode="Allowed", AddPrivateKey=pem("first"))

    assert "PRIVATE KEY" not in str(aws.events())


# -- who may ------------------------------------------------------------------------------------------------------


def test_operations_are_authorized(aws, iam):
    create(iam)
    iam.create_user(UserName="nobody")
    key = iam.create_access_key(UserName="nobody")["AccessKey"]
    theirs = aws.client("iam", key)

    for call in (
        lambda: create(theirs, Name="Mine"),
        theirs.list_saml_providers,
        lambda: theirs.get_saml_provider(SAMLProviderArn=ARN),
        lambda: theirs.update_saml_provider(SAMLProviderArn=ARN),
        lambda: theirs.delete_saml_provider(SAMLProviderArn=ARN),
        lambda: theirs.tag_saml_provider(SAMLProviderArn=ARN, Tags=[]),
    ):
        assert refusal(call)[0] == "AccessDenied"
