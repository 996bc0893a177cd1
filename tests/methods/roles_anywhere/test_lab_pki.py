"""The lab PKI: what pki.yaml can say, what is made of it, and the command that does it."""

from __future__ import annotations

import re
import ssl
import subprocess
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA1

from sts_emulator.cli.main import main
from sts_emulator.idp import pki
from sts_emulator.idp.pki import PkiError
from sts_emulator.idp.pki_declaration import DeclarationError, parse

CERTS = Path(__file__).parents[3] / "certs"


def load(folder, name):
    return x509.load_pem_x509_certificate((folder / f"{name}.pem").read_bytes())


def test_every_declared_certificate_has_the_status_that_its_name_says(folder):
    statuses = {
        certificate.name: certificate.status for certificate in pki.show(folder) if not certificate.is_authority
    }

    assert statuses.pop("expired") == "expired"
    assert statuses.pop("not-yet-valid") == "not yet valid"
    assert statuses.pop("stolen-laptop") == "revoked"
    assert set(statuses.values()) == {"valid"}


def test_a_certificate_says_what_was_declared(tmp_path):
    text = """
    authorities:
      root: {subject: {CN: Root}, key: rsa-2048, path_length: 2, crl_url: http://127.0.0.1:1/root.crl}
    certificates:
      web:
        issuer: root
        subject: {O: Example, OU: [A, B], CN: web}
        key: ec-p384
        hash: sha512
        begins: -2d
        ends: 12h
        usages: [digital_signature, key_agreement]
        dns: [web.example, www.example]
        uri: spiffe://example/web
        directory: {CN: inside}
        serial: "1000"
        crl_url: http://127.0.0.1:1/root.crl
    """
    assert pki.generate(tmp_path, parse(text)) == ["root", "web"]
    root, web = load(tmp_path, "root"), load(tmp_path, "web")
    names = web.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    usage = web.extensions.get_extension_for_class(x509.KeyUsage).value

    web.verify_directly_issued_by(root)
    assert isinstance(root.public_key(), rsa.RSAPublicKey)
    constraints = root.extensions.get_extension_for_class(x509.BasicConstraints).value
    assert (constraints.ca, constraints.path_length) == (True, 2)
    assert isinstance(web.public_key().curve, ec.SECP384R1)
    assert web.subject.rfc4514_string() == "CN=web,OU=B,OU=A,O=Example"
    assert web.signature_hash_algorithm.name == "sha512"
    assert web.not_valid_after_utc - web.not_valid_before_utc == timedelta(days=2, hours=12)
    assert (usage.digital_signature, usage.key_agreement, usage.key_encipherment) == (True, True, False)
    assert names.get_values_for_type(x509.DNSName) == ["web.example", "www.example"]
    assert names.get_values_for_type(x509.UniformResourceIdentifier) == ["spiffe://example/web"]
    assert names.get_values_for_type(x509.DirectoryName)[0].rfc4514_string() == "CN=inside"
    assert web.serial_number == 0x1000
    (point,) = web.extensions.get_extension_for_class(x509.CRLDistributionPoints).value
    assert point.full_name[0].value == "http://127.0.0.1:1/root.crl"


def test_openssl_agrees(folder):
    command = ["openssl", "verify", "-CAfile", "lab-root.pem", "-untrusted", "web-01.chain.pem"]
    web = subprocess.run([*command, "web-01.pem"], cwd=folder, capture_output=True, text=True, check=False)
    rogue = subprocess.run([*command, "wrong-authority.pem"], cwd=folder, capture_output=True, text=True, check=False)

    assert web.stdout == "web-01.pem: OK\n"
    assert rogue.returncode != 0


def test_the_weak_one_is_really_signed_over_sha_1(folder):
    weak, root = load(folder, "weak-hash"), load(folder, "legacy-root")

    assert weak.signature_hash_algorithm.name == "sha1"
    root.public_key().verify(weak.signature, weak.tbs_certificate_bytes, PKCS1v15(), SHA1())


def test_keys_are_readable_by_their_owner_only_and_never_committed(folder):
    assert {path.stat().st_mode & 0o777 for path in folder.glob("*.key")} == {0o600}
    ignored = (CERTS.parent / ".gitignore").read_text().split()
    assert {"certs/*", "!certs/README.md", "!certs/pki.yaml"} <= set(ignored)


def test_what_is_there_stays_and_what_is_missing_is_made_anew(tmp_path):
    declaration = parse(
        "{authorities: {root: {subject: {CN: R}}}, certificates: {web: {issuer: root, subject: {CN: W}}}}"
    )
    pki.generate(tmp_path, declaration)
    root, web = load(tmp_path, "root"), load(tmp_path, "web")

    assert pki.generate(tmp_path, declaration) == []
    (tmp_path / "web.pem").unlink()
    assert pki.generate(tmp_path, declaration) == ["web"]
    assert load(tmp_path, "root") == root
    assert load(tmp_path, "web") != web


def test_a_new_authority_takes_its_certificates_along(tmp_path):
    declaration = parse(
        "{authorities: {root: {subject: {CN: R}}}, certificates: {web: {issuer: root, subject: {CN: W}}}}"
    )
    pki.generate(tmp_path, declaration)
    (tmp_path / "root.key").unlink()

    assert pki.generate(tmp_path, declaration) == ["root", "web"]
    load(tmp_path, "web").verify_directly_issued_by(load(tmp_path, "root"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "certificates:\n  web: {issuer: root, subject: {CN: x}}",
            "pki.yaml:2: `root` is no authority above this line",
        ),
        ("certificates:\n  web: {subject: {CN: x}}", "pki.yaml:2: `web` has no `issuer`"),
        ("authorities:\n  root: {}", "pki.yaml:2: `root` has no `subject`"),
        (
            "authorities:\n  root:\n    subject: {CN: x}\n    kye: ec",
            "pki.yaml:4: unknown key `kye`; known are subject",
        ),
        ("authorities:\n  root: {subject: {XX: x}}", "pki.yaml:2: unknown key `XX`; known are CN"),
        ("authorities:\n  root: {subject: {CN: x}, key: ec-p999}", "pki.yaml:2: `key` cannot be `ec-p999`"),
        ("authorities:\n  root: {subject: {CN: x}, ends: soon}", "pki.yaml:2: `soon` is no span of time"),
        ("authorities:\n  root: {subject: {CN: x}, usages: [sing]}", "pki.yaml:2: `usages` cannot have `sing`"),
        (
            "authorities:\n  root: {subject: {CN: x}}\n  root: {subject: {CN: y}}",
            "pki.yaml:3: `root` stands here twice",
        ),
        ("authorities:\n  Root: {subject: {CN: x}}", "pki.yaml:2: `Root` is used twice, or is not lower-case"),
        ("authorities:\n  root: {subject: {CN: x}, path_length: two}", "pki.yaml:2: `path_length` must be a number"),
        ("authorities: [", "pki.yaml:1: is not YAML"),
        ("authorities: text", "pki.yaml:1: expected names with values"),
    ],
)
def test_mistakes_are_told_with_their_line(text, message):
    with pytest.raises(DeclarationError) as told:
        parse(text)
    assert str(told.value).startswith(message)


# -- the command ------------------------------------------------------------------------------------------------------


def test_the_command_makes_lists_and_revokes(tmp_path, capsys):
    (tmp_path / "pki.yaml").write_text((CERTS / "pki.yaml").read_text())
    run = ["certs", "--folder", str(tmp_path)]

    assert main(run) == 0
    assert "16 made" in capsys.readouterr().out
    assert main([*run, "list"]) == 0
    assert re.search(r"^web-01 +valid +lab-issuing ", capsys.readouterr().out, re.MULTILINE)
    assert main([*run, "revoke", "web-01"]) == 0
    assert f"aws rolesanywhere import-crl --name lab-issuing --crl-data fileb://{tmp_path}" in capsys.readouterr().out
    assert main([*run, "list"]) == 0
    assert re.search(r"^web-01 +revoked +lab-issuing ", capsys.readouterr().out, re.MULTILINE)


def test_the_command_says_what_is_wrong(tmp_path, capsys):
    assert main(["certs", "--folder", str(tmp_path)]) == 2
    assert f"sts-emulator: {tmp_path / 'pki.yaml'}: no such file" in capsys.readouterr().err
    assert main(["certs", "--folder", str(tmp_path), "revoke", "web-01"]) == 2
    assert "is missing" in capsys.readouterr().err


def test_nobody_can_revoke_without_the_issuers_key(folder, tmp_path):
    for end in ("pem", "key"):
        (tmp_path / f"web-01.{end}").write_bytes((folder / f"web-01.{end}").read_bytes())

    with pytest.raises(PkiError, match="the issuer of `web-01` is not in"):
        pki.revoke(tmp_path, "web-01")


# -- TLS --------------------------------------------------------------------------------------------------------------


def test_the_tls_certificate_is_for_this_machine_and_the_names_given(tmp_path):
    certificate, key, authority = pki.server_certificate(tmp_path, ["*.us-east-1.amazonaws.com", "10.0.0.1"])
    names = load(tmp_path, certificate.stem).extensions.get_extension_for_class(x509.SubjectAlternativeName).value

    assert names.get_values_for_type(x509.DNSName) == ["localhost", "*.us-east-1.amazonaws.com"]
    assert [str(address) for address in names.get_values_for_type(x509.IPAddress)] == ["127.0.0.1", "::1", "10.0.0.1"]
    load(tmp_path, certificate.stem).verify_directly_issued_by(load(tmp_path, authority.stem))
    ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certificate, key)
    assert key.stat().st_mode & 0o777 == 0o600


def test_it_is_kept_until_a_name_is_missing_and_the_authority_stays(tmp_path):
    certificate, _, authority = pki.server_certificate(tmp_path)
    first, trusted = certificate.read_bytes(), authority.read_bytes()

    pki.server_certificate(tmp_path)
    assert certificate.read_bytes() == first
    pki.server_certificate(tmp_path, ["other.example"])
    assert certificate.read_bytes() != first
    assert authority.read_bytes() == trusted
