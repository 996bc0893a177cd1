"""Who gets no credentials, and in which words. Sentences marked "ours" are not recorded from AWS; all others are."""

from __future__ import annotations

import json
import time
from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from roles_anywhere_stage import leaf_of, refused
from x509_signing import Identity, der, send

from sts_emulator.idp import pki
from sts_emulator.idp.certificates import Wish, certificate_pem, certify, make_key, revocation_list

UNTRUSTED = "AccessDeniedException: Untrusted signing certificate"
INSUFFICIENT = "AccessDeniedException: Untrusted certificate. Insufficient certificate"
INVALID = "AccessDeniedException: Invalid signature"
REVOKED = "AccessDeniedException: Certificate revoked"


# -- the certificate --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "error", "reason"),
    [
        ("wrong-authority", UNTRUSTED, "no path to the trust anchor"),
        ("expired", UNTRUSTED, "the certificate expired at"),
        ("not-yet-valid", UNTRUSTED, "the certificate is not valid before"),
        ("wrong-usage", INSUFFICIENT, "the certificate's key usage has no digital signature"),
        ("weak-key", INSUFFICIENT, "the RSA key has 1024 bits"),
        ("weak-hash", INSUFFICIENT, "the certificate is signed with the algorithm 1.2.840.113549.1.1.5"),
        ("lab-issuing", INSUFFICIENT, "the certificate is a certificate authority's"),
        ("lab-root", INSUFFICIENT, "the certificate is a certificate authority's"),
        ("vault-01", UNTRUSTED, "no path to the trust anchor"),
    ],
)
def test_certificates_of_the_lab_that_prove_nothing(stage, name, error, reason):
    refused(stage.session(name), error)

    assert stage.evidence()["refused"].startswith(reason)
    assert stage.evidence()["certificate"]["subject"].startswith("CN=")


def test_an_expiring_certificate_is_judged_by_the_worlds_clock(stage):
    assert stage.session("web-01").status == 201
    stage.aws.advance(days=364)
    assert stage.session("web-01").status == 201
    stage.aws.advance(days=2)
    refused(stage.session("web-01"), UNTRUSTED)


def test_a_certificate_becomes_valid_by_the_worlds_clock(stage):
    stage.aws.advance(days=31)

    assert stage.session("not-yet-valid").status == 201


def test_an_expired_authority_vouches_for_nobody(stage):
    stage.aws.advance(days=3651)
    authority = stage.identity("lab-issuing")
    leaf = certify(Wish(subject={"CN": "late"}, ends=timedelta(days=4000)), make_key("ec-p256"), authority, time.time())

    refused(stage.session(Identity(leaf.certificate, leaf.key, [authority.certificate])), UNTRUSTED)


def test_a_missing_intermediate_breaks_the_path(stage):
    identity = stage.identity()
    identity.chain.clear()

    refused(stage.session(identity), UNTRUSTED)


def test_a_certificate_that_vouches_for_itself_is_not_trusted(stage):
    own = certify(Wish(subject={"CN": "web-01.lab.example"}), make_key("ec-p256"), None, time.time())

    refused(stage.session(Identity(own.certificate, own.key)), UNTRUSTED)


def test_an_end_entity_certificate_needs_a_key_usage(stage):
    refused(stage.session(leaf_of(stage, usages=None)), INSUFFICIENT)


def test_an_empty_subject_cannot_be_told_from_another(stage):
    refused(stage.session(leaf_of(stage, subject={}, dns=["a.lab.example"])), INSUFFICIENT)


def test_a_curve_that_aws_does_not_take(stage):
    refused(stage.session(leaf_of(stage, key="ec-p224")), INSUFFICIENT)


def test_a_certificate_of_version_1(stage):
    authority = stage.identity("legacy-root")
    key = make_key("ec-p256")
    now = x509.load_pem_x509_certificate((stage.folder / "web-01.pem").read_bytes()).not_valid_before_utc
    built = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "old")]))
        .issuer_name(authority.certificate.subject)
        .public_key(key.public_key())
        .serial_number(7)
        .not_valid_before(now)
        .not_valid_after(now + timedelta(days=30))
        .sign(authority.key, hashes.SHA256())
    )
    old = x509.load_der_x509_certificate(built.public_bytes(Encoding.DER))
    ask = stage.ask(trustAnchorArn=stage.anchor_for("legacy-root"))

    refused(stage.session(Identity(old, key), ask), INSUFFICIENT)


def test_an_end_entity_cannot_vouch_for_others(stage):
    middle = leaf_of(stage)
    leaf = leaf_of(stage, by=middle, chain=[middle.certificate, *middle.chain])

    refused(stage.session(leaf), UNTRUSTED)
    assert "basicConstraints.cA must be asserted" in stage.evidence()["refused"]


def test_an_intermediate_whose_usage_has_no_certificate_signing(stage):
    middle = leaf_of(stage, by="rogue-root", chain=[], is_authority=True, usages=["crl_sign"])
    leaf = leaf_of(stage, by=middle)

    refused(stage.session(leaf, stage.ask(trustAnchorArn=stage.anchor_for("rogue-root"))), UNTRUSTED)
    assert "key usage has no certificate signing" in stage.evidence()["refused"]


def test_the_path_length_of_an_authority_is_kept(stage):
    """lab-issuing may have no authority below it."""
    middle = leaf_of(stage, is_authority=True, usages=["key_cert_sign"])
    leaf = leaf_of(stage, by=middle, chain=[middle.certificate, *middle.chain])

    refused(stage.session(leaf), UNTRUSTED)
    assert "path length constraint violated" in stage.evidence()["refused"]


def test_a_chain_that_runs_in_a_circle(stage):
    left, right = make_key("ec-p256"), make_key("ec-p256")
    wish = {"is_authority": True, "usages": ("key_cert_sign",)}
    first = certify(Wish(subject={"CN": "left"}, **wish), left, None, time.time())
    second = certify(Wish(subject={"CN": "right"}, **wish), right, first, time.time())
    circle = certify(Wish(subject={"CN": "left"}, **wish), left, second, time.time())
    leaf = certify(Wish(subject={"CN": "lost"}), make_key("ec-p256"), circle, time.time())

    refused(stage.session(Identity(leaf.certificate, leaf.key, [circle.certificate, second.certificate])), UNTRUSTED)
    assert "no path to the trust anchor" in stage.evidence()["refused"]


@pytest.mark.parametrize("header", ["AAAA", "not base64!", ",", ",".join(["AAAA"] * 6), "A" * 60_000])
def test_chains_that_are_none(stage, header):
    identity = stage.identity()

    refused(stage.session(identity, chain_header=header), UNTRUSTED)


def test_a_certificate_of_another_world(stage, emulator_server):
    with emulator_server.world() as other:
        answer = stage.session()
        assert answer.status == 201
        stage.aws.endpoint_url, home = other.endpoint_url, stage.aws.endpoint_url
        refused(stage.session(), "AccessDeniedException: Specified Trust Anchor wasn't found.")
        stage.aws.endpoint_url = home


# -- the signature ----------------------------------------------------------------------------------------------------


def test_a_signature_over_another_body(stage):
    refused(stage.session(change_body=stage.ask(durationSeconds=7200)), INVALID)


def test_a_signature_over_another_query(stage):
    ask = stage.ask()
    other = {**ask, "roleArn": ask["roleArn"] + "x"}
    body = {"durationSeconds": 900}
    queries = [{k: v for k, v in query.items() if k != "durationSeconds"} for query in (ask, other)]

    refused(stage.session(ask=body, query=queries[0], change_query=queries[1]), INVALID)


def test_a_signature_over_another_path(stage):
    refused(stage.session(signed_path="/other"), INVALID)


def test_a_signature_by_another_key(stage):
    stranger = stage.identity("edge-01")
    stolen = Identity(stage.identity().certificate, stranger.key, stage.identity().chain)

    refused(stage.session(stolen), INVALID)


@pytest.mark.parametrize("minutes", [16, 24 * 60, -16])
def test_a_replay_outside_the_window_of_fifteen_minutes(stage, minutes):
    refused(stage.session(age=minutes * 60), INVALID)
    assert stage.evidence()["refused"].startswith("Signature ")


@pytest.mark.parametrize("minutes", [14, -14])
def test_inside_the_window_the_date_does_not_matter(stage, minutes):
    assert stage.session(age=minutes * 60).status == 201


def test_the_worlds_clock_does_not_move_the_window(stage):
    stage.aws.advance(days=30)

    assert stage.session().status == 201


@pytest.mark.parametrize("header", ["x-amz-x509", "x-amz-date", "x-amz-x509-chain", "host"])
def test_what_must_be_signed_and_is_not(stage, header):
    refused(stage.session(unsigned=(header,)), INVALID)


@pytest.mark.parametrize("service", ["sts", "iam", "execute-api"])
def test_a_signature_for_another_service(stage, service):
    refused(stage.session(service=service), INVALID)


@pytest.mark.parametrize("credential", ["1", "AKIAIOSFODNN7EXAMPLE", "0x1f", ""])
def test_a_credential_that_is_not_the_serial_number_in_decimal(stage, credential):
    refused(stage.session(credential=credential or "-"), INVALID)


def test_a_serial_number_in_hex_is_not_one_in_decimal(stage):
    refused(stage.session(credential=stage.identity().serial), INVALID)


@pytest.mark.parametrize(
    "algorithm",
    [
        "AWS4-X509-RSA-SHA256",  # of another kind of key
        "AWS4-X509-MLDSA",
        "AWS4-X509-ECDSA-SHA384",  # as the Python client calls it for a certificate signed with SHA-384
        "AWS4-HMAC-SHA256",
        "AWS4-X509-NONE",
    ],
)
def test_algorithms_that_are_not_the_keys(stage, algorithm):
    refused(stage.session(algorithm=algorithm), INVALID)


@pytest.mark.parametrize("signature", ["", "00", "zz", "é", "0" * 20_000])
def test_signatures_that_are_none(stage, signature):
    answer = stage.session(signature=signature or " ")

    assert answer.status == 403
    assert answer.error == INVALID


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"authorization": "AWS4-X509-ECDSA-SHA256"},
        {"authorization": "Bearer x"},
        {"authorization": "AWS4-X509-ECDSA-SHA256 Credential=1/2/3/4/5, SignedHeaders=host;x-amz-date, Signature=00"},
    ],
)
def test_requests_that_are_not_signed_at_all(stage, headers):
    body = json.dumps(stage.ask()).encode()

    refused(send(stage.aws.endpoint_url, {"content-type": "application/json", **headers}, body), INVALID)


@pytest.mark.parametrize("text", ["", "AAAA", "not base64", "A" * 60_000])
def test_a_certificate_header_that_is_none(stage, text):
    identity = stage.identity()
    answer = stage.session(identity, headers={"content-type": "application/json", "x-amz-x509": text})

    refused(answer, INVALID)


def test_two_certificates_in_one_header(stage):
    two = f"{der(stage.identity().certificate)},{der(stage.identity('edge-01').certificate)}"

    refused(stage.session(headers={"x-amz-x509": two}), INVALID)


def test_aws_credentials_are_no_certificate(stage):
    """A request signed as every other AWS call is."""
    from botocore.auth import SigV4Auth
    from botocore.awsrequest import AWSRequest
    from botocore.credentials import Credentials

    root = stage.aws.root
    request = AWSRequest("POST", f"{stage.aws.endpoint_url}/sessions", data=json.dumps(stage.ask()))
    SigV4Auth(Credentials(root["access_key_id"], root["secret_access_key"]), "rolesanywhere", "us-east-1").add_auth(
        request
    )

    refused(send(stage.aws.endpoint_url, dict(request.headers.items()), request.body), INVALID)


# -- anchors, profiles and roles --------------------------------------------------------------------------------------


def test_an_unknown_trust_anchor(stage):
    other = stage.anchor[:-12] + "0" * 12

    refused(
        stage.session(ask=stage.ask(trustAnchorArn=other)),
        "AccessDeniedException: Specified Trust Anchor wasn't found.",
    )


def test_a_trust_anchor_of_another_region(stage):
    refused(stage.session(region="eu-west-1"), "AccessDeniedException: Specified Trust Anchor wasn't found.")


def test_a_disabled_trust_anchor(stage):
    identifier = stage.anchor.rpartition("/")[2]
    stage.control.disable_trust_anchor(trustAnchorId=identifier)
    refused(stage.session(), "AccessDeniedException: Specified Trust Anchor is disabled.")  # ours

    stage.control.enable_trust_anchor(trustAnchorId=identifier)
    assert stage.session().status == 201


def test_a_deleted_trust_anchor(stage):
    stage.control.delete_trust_anchor(trustAnchorId=stage.anchor.rpartition("/")[2])

    refused(stage.session(), "AccessDeniedException: Specified Trust Anchor wasn't found.")


def test_an_unknown_profile(stage):
    other = stage.profile[:-12] + "0" * 12

    refused(stage.session(ask=stage.ask(profileArn=other)), "AccessDeniedException: Invalid or empty profile provided.")


def test_a_disabled_profile(stage):
    identifier = stage.profile.rpartition("/")[2]
    stage.control.disable_profile(profileId=identifier)
    refused(stage.session(), "AccessDeniedException: Specified Profile is disabled.")  # ours

    stage.control.enable_profile(profileId=identifier)
    assert stage.session().status == 201


def test_a_role_that_the_profile_does_not_list(stage):
    role = stage.aws.client("iam").create_role(
        RoleName="other",
        AssumeRolePolicyDocument=json.dumps(
            {
                "Version": "2012-10-17",
                "Statement": [
                    {"Effect": "Allow", "Principal": {"Service": "rolesanywhere.amazonaws.com"}, "Action": "sts:*"}
                ],
            }
        ),
    )["Role"]["Arn"]
    refused(
        stage.session(ask=stage.ask(roleArn=role)),
        "AccessDeniedException: Requested Role isn't one of those listed in the Profile.",
    )

    stage.set_profile(roleArns=[stage.role, role])
    assert stage.session(ask=stage.ask(roleArn=role)).status == 201


def test_a_role_that_is_gone(stage):
    stage.aws.client("iam").delete_role(RoleName="workload")

    refused(stage.session(), f"AccessDeniedException: Unable to assume role for {stage.role}")


@pytest.mark.parametrize("principal", [{"Service": "ec2.amazonaws.com"}, {"AWS": "*"}])
def test_a_role_that_trusts_somebody_else(stage, principal):
    stage.trust(
        {
            "Effect": "Allow",
            "Principal": principal,
            "Action": ["sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity"],
        }
    )

    refused(stage.session(), f"AccessDeniedException: Unable to assume role for {stage.role}")
    assert "rolesanywhere.amazonaws.com" in stage.aws.explain()


def test_a_common_name_that_cannot_be_a_source_identity(stage):
    """Parentheses, of which rolesanywhere-credential-helper#188 has the sentence."""
    refused(
        stage.session(leaf_of(stage, subject={"CN": "Web Server (1)"})),
        f"AccessDeniedException: Unable to assume role for {stage.role}. Some attributes failed to be mapped into "
        "session tags. Issuer: [  ]; Subject: [ CN ]; SAN: [  ]",
    )
    assert "cannot be a source identity" in stage.evidence()["refused"]


# -- revocation -------------------------------------------------------------------------------------------------------


def test_revocation_counts_from_the_next_call_on(stage):
    assert stage.session("stolen-laptop").status == 201

    crl = stage.import_crl()
    refused(stage.session("stolen-laptop"), REVOKED)
    assert stage.session("web-01").status == 201

    stage.control.disable_crl(crlId=crl)
    assert stage.session("stolen-laptop").status == 201

    stage.control.enable_crl(crlId=crl)
    refused(stage.session("stolen-laptop"), REVOKED)

    stage.control.delete_crl(crlId=crl)
    assert stage.session("stolen-laptop").status == 201


def test_a_list_that_is_imported_disabled_revokes_nothing(stage):
    stage.import_crl(enabled=False)

    assert stage.session("stolen-laptop").status == 201


def test_an_update_replaces_the_list(stage):
    crl = stage.import_crl()
    authority = stage.identity("lab-issuing")
    renewed = revocation_list(authority, [stage.identity("web-01").certificate.serial_number], time.time())

    stage.control.update_crl(crlId=crl, crlData=certificate_pem(renewed).encode())

    refused(stage.session("web-01"), REVOKED)
    assert stage.session("stolen-laptop").status == 201


def test_a_list_in_der_counts_as_well(stage):
    pem = (stage.folder / "lab-issuing.crl").read_bytes()
    stage.import_crl(crlData=x509.load_pem_x509_crl(pem).public_bytes(Encoding.DER))

    refused(stage.session("stolen-laptop"), REVOKED)


def test_the_command_line_revokes_too(stage, tmp_path):
    for file in stage.folder.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    stage.import_crl(crlData=pki.revoke(tmp_path, "batch-01").read_bytes())

    refused(stage.session("batch-01"), REVOKED)
    refused(stage.session("stolen-laptop"), REVOKED)  # was on the list before, and stays there
    assert stage.session("web-01").status == 201


def test_a_revoked_intermediate_takes_everybody_below_along(stage):
    root = stage.identity("lab-root")
    crl = revocation_list(root, [stage.identity("lab-issuing").certificate.serial_number], time.time())
    stage.import_crl(crlData=certificate_pem(crl).encode())

    refused(stage.session("web-01"), REVOKED)


def test_a_list_of_another_authority_says_nothing(stage):
    serial = stage.identity("web-01").certificate.serial_number
    stage.import_crl(
        crlData=certificate_pem(revocation_list(stage.identity("rogue-root"), [serial], time.time())).encode()
    )

    assert stage.session("web-01").status == 201


def test_a_forged_list_in_the_authoritys_name_says_nothing(stage):
    authority = stage.identity("lab-issuing")
    forged = certify(
        Wish(subject={"C": "US", "O": "Example Lab", "OU": "Workloads", "CN": "Lab Issuing CA"}, is_authority=True),
        make_key("ec-p256"),
        None,
        time.time(),
    )
    assert forged.certificate.subject == authority.certificate.subject
    serial = stage.identity("web-01").certificate.serial_number
    stage.import_crl(crlData=certificate_pem(revocation_list(forged, [serial], time.time())).encode())

    assert stage.session("web-01").status == 201


def test_a_list_belongs_to_its_trust_anchor(stage):
    other = stage.anchor_for("lab-root")
    stage.import_crl()

    assert stage.session("stolen-laptop", stage.ask(trustAnchorArn=other)).status == 201


def test_credentials_that_a_revoked_certificate_got_before_live_on(stage):
    before = stage.session("stolen-laptop")
    stage.import_crl()

    assert stage.whoami(before).startswith("arn:aws:sts::")


def test_a_revoked_certificate_is_remembered_as_failed(stage):
    stage.import_crl()
    stage.session("stolen-laptop")

    (listed,) = stage.control.list_subjects()["subjects"]
    (shown,) = stage.control.get_subject(subjectId=listed["subjectId"])["subject"]["credentials"]
    assert shown["failed"] is True


def test_an_untrusted_certificate_is_not_remembered(stage):
    stage.session("wrong-authority")
    stage.session("web-01", signature="00")

    assert stage.control.list_subjects()["subjects"] == []
