"""What users and accounts upload: SSH keys, signing certificates and server certificates.

Values and sentences without another source were recorded on AWS in 2026-09: https://github.com/radkawar/stackd
internal/services/iam/testdata/certificates_aws.json and certificate_edges_aws.json; those about what is not there in
2026-02: https://github.com/localstack/localstack tests/aws/services/iam (snapshots of the three).
"""

import base64
import csv
import datetime as dt
import hashlib
import io
import re

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from iam_stories import ACCOUNT, EMPTY, allow, arn, refusal

pytestmark = pytest.mark.scenario(EMPTY)

KEY, OTHER = rsa.generate_private_key(65537, 2048), ec.generate_private_key(ec.SECP256R1())
NOT_PEM = "Unable to parse certificate. Please ensure the certificate is in PEM format."
MISMATCH = "The private key did not match the public key provided. Please verify the key material and try again."
CHAIN = (
    "Unable to validate certificate chain. The certificate chain must start with the immediate signing certificate, "
    "followed by any intermediaries in order. The index within the chain of the invalid certificate is: {}"
)


def certificate(name: str = "shop", key=KEY, issuer: str = "", signer=None, days: tuple[int, int] = (-1, 30)) -> str:
    """A certificate in PEM, of its own issue unless somebody else signs it."""
    today = dt.datetime.now(dt.UTC)
    subject, above = (
        x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, text)]) for text in (name, issuer or name)
    )
    builder = x509.CertificateBuilder().subject_name(subject).issuer_name(above).public_key(key.public_key())
    builder = builder.serial_number(x509.random_serial_number())
    builder = builder.not_valid_before(today + dt.timedelta(days[0])).not_valid_after(today + dt.timedelta(days[1]))
    return builder.sign(signer or key, hashes.SHA256()).public_bytes(Encoding.PEM).decode()


def private(key=KEY) -> str:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def ssh(key=KEY) -> str:
    return key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()


@pytest.fixture
def iam(aws):
    client = aws.client("iam")
    for name in ("ann", "bob"):
        client.create_user(UserName=name)
    return client


# -- SSH keys -----------------------------------------------------------------------------------------------------


def test_an_ssh_key_lives_and_is_shown_in_two_forms(iam):
    # given a key with a comment, which the first answer repeats
    made = iam.upload_ssh_public_key(UserName="ann", SSHPublicKeyBody=f"{ssh()} ann@laptop")["SSHPublicKey"]
    identifier = made["SSHPublicKeyId"]
    assert re.fullmatch("APKA[A-Z2-7]{16}", identifier)
    assert made["SSHPublicKeyBody"] == f"{ssh()} ann@laptop"
    digest = hashlib.md5(base64.b64decode(ssh().split()[1])).hexdigest()
    assert made["Fingerprint"].replace(":", "") == digest

    # then it can be read without the comment, and as PEM
    asked = {"UserName": "ann", "SSHPublicKeyId": identifier}
    assert iam.get_ssh_public_key(**asked, Encoding="SSH")["SSHPublicKey"]["SSHPublicKeyBody"] == ssh()
    pem = KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    assert iam.get_ssh_public_key(**asked, Encoding="PEM")["SSHPublicKey"]["SSHPublicKeyBody"] == pem

    # and be switched off, and keeps its user from being deleted
    iam.update_ssh_public_key(**asked, Status="Inactive")
    (listed,) = iam.list_ssh_public_keys(UserName="ann")["SSHPublicKeys"]
    assert listed == {
        "UserName": "ann",
        "SSHPublicKeyId": identifier,
        "Status": "Inactive",
        "UploadDate": made["UploadDate"],
    }
    assert refusal(iam.delete_user, UserName="ann") == (  # rebuy-de/aws-nuke PR 319
        409,
        "DeleteConflict",
        "Cannot delete entity, must remove referenced objects first.",
    )
    iam.delete_ssh_public_key(**asked)
    assert iam.list_ssh_public_keys(UserName="ann")["SSHPublicKeys"] == []
    iam.delete_user(UserName="ann")


def test_a_key_is_a_users_once(iam):
    iam.upload_ssh_public_key(UserName="ann", SSHPublicKeyBody=ssh())
    pem = KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    assert refusal(iam.upload_ssh_public_key, UserName="ann", SSHPublicKeyBody=pem) == (
        400,
        "DuplicateSSHPublicKey",
        "Duplicate SSH public key uploaded.",
    )
    assert iam.upload_ssh_public_key(UserName="bob", SSHPublicKeyBody=ssh())["SSHPublicKey"]["UserName"] == "bob"


@pytest.mark.parametrize(
    ("body", "code", "message"),
    [
        ("ssh-rsa nonsense", "UnrecognizedPublicKeyEncoding", "Invalid public key uploaded."),
        (certificate(), "UnrecognizedPublicKeyEncoding", "Invalid public key uploaded."),
        (ssh(ed25519.Ed25519PrivateKey.generate()), "UnrecognizedPublicKeyEncoding", "Invalid public key uploaded."),
        (ssh(rsa.generate_private_key(65537, 1024)), "InvalidPublicKey", "Invalid body for public key"),
    ],
    ids=["nonsense", "certificate", "ed25519", "rsa1024"],
)
def test_what_is_no_ssh_key(iam, body, code, message):
    assert refusal(iam.upload_ssh_public_key, UserName="ann", SSHPublicKeyBody=body) == (400, code, message)


def test_ssh_keys_that_are_not_there(iam):
    missing = {"UserName": "ann", "SSHPublicKeyId": "APKAXXXXXXXXXXXXXXXXX"}
    gone = (404, "NoSuchEntity", "The Public Key with id APKAXXXXXXXXXXXXXXXXX cannot be found.")
    assert refusal(iam.get_ssh_public_key, **missing, Encoding="SSH") == gone
    assert refusal(iam.update_ssh_public_key, **missing, Status="Active") == gone
    assert refusal(iam.delete_ssh_public_key, **missing) == gone

    made = iam.upload_ssh_public_key(UserName="ann", SSHPublicKeyBody=ssh())["SSHPublicKey"]
    foreign = {"UserName": "bob", "SSHPublicKeyId": made["SSHPublicKeyId"]}
    assert refusal(iam.delete_ssh_public_key, **foreign) == (
        404,
        "NoSuchEntity",
        f"User has no Public Key with id {made['SSHPublicKeyId']}.",
    )
    own = {"UserName": "ann", "SSHPublicKeyId": made["SSHPublicKeyId"]}
    assert refusal(iam.update_ssh_public_key, **own, Status="Expired") == (
        400,
        "InvalidInput",
        "Operation does not support status Expired",
    )


# -- signing certificates -----------------------------------------------------------------------------------------


def test_a_signing_certificate_lives_and_stands_in_the_credential_report(iam):
    body = certificate(key=OTHER)
    made = iam.upload_signing_certificate(UserName="ann", CertificateBody=body)["Certificate"]
    der = x509.load_pem_x509_certificate(body.encode()).public_bytes(Encoding.DER)
    assert made["CertificateId"] == base64.b32encode(hashlib.sha1(der).digest()).decode()
    assert (made["CertificateBody"], made["Status"], made["UserName"]) == (body, "Active", "ann")

    own = {"UserName": "ann", "CertificateId": made["CertificateId"]}
    iam.update_signing_certificate(**own, Status="Inactive")
    # the same again changes nothing, whatever the answer says
    again = iam.upload_signing_certificate(UserName="ann", CertificateBody=body)["Certificate"]
    assert (again["CertificateId"], again["Status"]) == (made["CertificateId"], "Active")
    assert [listed["Status"] for listed in iam.list_signing_certificates(UserName="ann")["Certificates"]] == [
        "Inactive"
    ]
    iam.update_signing_certificate(**own, Status="Active")

    iam.generate_credential_report()
    rows = csv.DictReader(io.StringIO(iam.get_credential_report()["Content"].decode()))
    row = next(row for row in rows if row["user"] == "ann")
    assert (row["cert_1_active"], row["cert_2_active"]) == ("true", "false")
    assert row["cert_1_last_rotated"].startswith(made["UploadDate"].strftime("%Y-%m-%dT%H:%M:%S"))

    assert refusal(iam.delete_user, UserName="ann") == (
        409,
        "DeleteConflict",
        "Cannot delete entity, must delete certificates first.",
    )
    iam.delete_signing_certificate(**own)
    assert iam.list_signing_certificates(UserName="ann")["Certificates"] == []
    iam.delete_user(UserName="ann")


def test_what_signing_certificates_are_refused_for(iam):
    assert refusal(iam.upload_signing_certificate, UserName="ann", CertificateBody="not a certificate") == (
        400,
        "MalformedCertificate",
        "Certificate not a certificate is malformed.",
    )
    expired = certificate(days=(-30, -1))
    assert refusal(iam.upload_signing_certificate, UserName="ann", CertificateBody=expired)[1] == "MalformedCertificate"
    first = certificate("one")
    made = iam.upload_signing_certificate(UserName="ann", CertificateBody=first)["Certificate"]
    assert refusal(iam.upload_signing_certificate, UserName="bob", CertificateBody=first) == (
        409,
        "DuplicateCertificate",
        "Duplicate certificate uploaded.",
    )
    iam.upload_signing_certificate(UserName="ann", CertificateBody=certificate("two"))
    assert refusal(iam.upload_signing_certificate, UserName="ann", CertificateBody=certificate("three")) == (
        409,
        "LimitExceeded",
        "Cannot exceed quota for CertificatesPerUser: 2",
    )
    for identifier, user in (("NONEXISTENTCERTID12345678901", "ann"), (made["CertificateId"], "bob")):
        gone = (404, "NoSuchEntity", f"The Certificate with id {identifier} cannot be found.")
        asked = {"UserName": user, "CertificateId": identifier}
        assert refusal(iam.update_signing_certificate, **asked, Status="Inactive") == gone
        assert refusal(iam.delete_signing_certificate, **asked) == gone


def test_root_has_signing_certificates_too(iam):
    made = iam.upload_signing_certificate(CertificateBody=certificate())["Certificate"]
    assert [listed["CertificateId"] for listed in iam.list_signing_certificates()["Certificates"]] == [
        made["CertificateId"]
    ]
    assert iam.get_account_summary()["SummaryMap"]["AccountSigningCertificatesPresent"] == 1


# -- server certificates ------------------------------------------------------------------------------------------


def upload(iam, name: str = "shop", **members) -> dict:
    asked = {"CertificateBody": certificate(), "PrivateKey": private(), **members}
    return iam.upload_server_certificate(ServerCertificateName=name, **asked)


def test_a_server_certificate_lives_is_renamed_and_tagged(aws, iam):
    labels = [{"Key": "Team", "Value": "one"}, {"Key": "team", "Value": "two"}]
    body = certificate()
    made = upload(iam, Path="/probe/", CertificateBody=body, Tags=labels)
    metadata = made["ServerCertificateMetadata"]
    assert made["Tags"] == labels
    assert metadata["Arn"] == f"arn:aws:iam::{ACCOUNT}:server-certificate/probe/shop"
    assert re.fullmatch("ASCA[A-Z2-7]{17}", metadata["ServerCertificateId"])
    assert metadata["Expiration"] == x509.load_pem_x509_certificate(body.encode()).not_valid_after_utc

    got = iam.get_server_certificate(ServerCertificateName="shop")["ServerCertificate"]
    assert (got["CertificateBody"], got["Tags"]) == (body.strip(), labels)
    assert "CertificateChain" not in got
    iam.update_server_certificate(ServerCertificateName="shop", NewPath="/prod/", NewServerCertificateName="store")
    assert refusal(iam.get_server_certificate, ServerCertificateName="shop") == (
        404,
        "NoSuchEntity",
        "The Server Certificate with name shop cannot be found.",
    )
    (listed,) = iam.list_server_certificates(PathPrefix="/prod/")["ServerCertificateMetadataList"]
    assert listed["ServerCertificateId"] == metadata["ServerCertificateId"]
    iam.untag_server_certificate(ServerCertificateName="store", TagKeys=["team"])
    assert iam.list_server_certificate_tags(ServerCertificateName="store")["Tags"] == labels[:1]
    assert iam.get_account_summary()["SummaryMap"]["ServerCertificates"] == 1
    assert "PRIVATE KEY" not in str(aws.events())
    iam.delete_server_certificate(ServerCertificateName="store")
    assert iam.list_server_certificates()["ServerCertificateMetadataList"] == []


def test_a_name_is_taken_whatever_its_case(iam):
    upload(iam)
    assert refusal(upload, iam=iam, name="SHOP") == (
        409,
        "EntityAlreadyExists",
        "The Server Certificate with name SHOP already exists.",
    )


@pytest.mark.parametrize(
    ("members", "code", "message"),
    [
        ({"CertificateBody": "not a certificate"}, "MalformedCertificate", NOT_PEM),
        ({"CertificateBody": certificate() + certificate()}, "MalformedCertificate", NOT_PEM),
        ({"PrivateKey": private(OTHER)}, "KeyPairMismatch", MISMATCH),
        ({"PrivateKey": "not a key"}, "MalformedCertificate", "Invalid Private Key."),  # many reports quote it
        (
            {"CertificateBody": certificate(days=(-30, -1))},
            "MalformedCertificate",
            "Certificate is no longer valid. The 'Not After' date restriction on the certificate has passed.",
        ),
        ({"CertificateChain": "not a chain"}, "MalformedCertificate", "Unknown"),
        ({"CertificateChain": certificate("stranger", OTHER)}, "MalformedCertificate", CHAIN.format(-1)),
    ],
    ids=["no certificate", "two certificates", "another key", "no key", "expired", "no chain", "a stranger's chain"],
)
def test_what_server_certificates_are_refused_for(iam, members, code, message):
    assert refusal(upload, iam=iam, **members) == (400, code, message)


def test_a_chain_leads_from_each_to_its_issuer(iam):
    root = certificate("root", OTHER)
    leaf = certificate("leaf", KEY, issuer="root", signer=OTHER)
    upload(iam, "whole", CertificateBody=leaf, CertificateChain=root)
    upload(iam, "without", CertificateBody=leaf)
    upload(iam, "twice", CertificateBody=leaf, CertificateChain=root + root)
    chain = iam.get_server_certificate(ServerCertificateName="whole")["ServerCertificate"]["CertificateChain"]
    assert chain == root.strip()
    wrong = (400, "MalformedCertificate", CHAIN.format(1))
    assert refusal(upload, iam=iam, CertificateBody=leaf, CertificateChain=root + leaf) == wrong


# -- who may ------------------------------------------------------------------------------------------------------


def test_uploads_are_authorized(aws, iam):
    iam.put_user_policy(
        UserName="ann",
        PolicyName="own",
        PolicyDocument=allow("iam:*SSHPublicKey*", "iam:*SigningCertificate*", resource=arn("user", "${aws:username}")),
    )
    own = aws.client("iam", iam.create_access_key(UserName="ann")["AccessKey"])
    own.upload_ssh_public_key(UserName="ann", SSHPublicKeyBody=ssh())
    own.upload_signing_certificate(CertificateBody=certificate())
    for call, members in (
        (own.upload_ssh_public_key, {"UserName": "bob", "SSHPublicKeyBody": ssh()}),
        (own.list_signing_certificates, {"UserName": "bob"}),
        (own.list_server_certificates, {}),
        (own.get_server_certificate, {"ServerCertificateName": "none"}),
    ):
        assert refusal(call, **members)[:2] == (403, "AccessDenied")
    assert refusal(upload, iam=own)[:2] == (403, "AccessDenied")
