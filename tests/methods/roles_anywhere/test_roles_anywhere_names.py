"""Names in certificates: constraints on them (RFC 5280, 4.2.1.10), those that become no tags, and those that break parsers."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from botocore.exceptions import ClientError
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from x509_signing import Identity

UNTRUSTED = "AccessDeniedException: Untrusted signing certificate"


def name(common: str, organization: str = "Acme", unit: str = "") -> x509.Name:
    attributes = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, organization)]
    attributes += [x509.NameAttribute(NameOID.ORGANIZATIONAL_UNIT_NAME, unit)] if unit else []
    return x509.Name([*attributes, x509.NameAttribute(NameOID.COMMON_NAME, common)])


def certificate(subject, key, issuer, issuer_key, *, authority=False, extensions=()):
    now = datetime.now(UTC)
    usage = dict.fromkeys(
        (
            "content_commitment",
            "key_encipherment",
            "data_encipherment",
            "key_agreement",
            "encipher_only",
            "decipher_only",
        ),
        False,
    )
    usage |= {"digital_signature": not authority, "key_cert_sign": authority, "crl_sign": authority}
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=30))
        .add_extension(x509.BasicConstraints(authority, None), critical=True)
        .add_extension(x509.KeyUsage(**usage), critical=True)
    )
    for extension in extensions:
        builder = builder.add_extension(extension, critical=isinstance(extension, x509.NameConstraints))
    return builder.sign(issuer_key, hashes.SHA256())


class Company:
    """A certificate authority of its own, perhaps with an issuing one below, that constrains the names under it."""

    def __init__(self, stage, constraints: x509.NameConstraints | None = None, *, below: bool = False) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._issuer, self._issuer_key, self.chain = name("root"), self._key, []
        given = [] if below or constraints is None else [constraints]
        root = certificate(name("root"), self._key, name("root"), self._key, authority=True, extensions=given)
        if below:
            self._issuer, self._issuer_key = name("issuing"), ec.generate_private_key(ec.SECP256R1())
            self.chain = [
                certificate(
                    self._issuer, self._issuer_key, name("root"), self._key, authority=True, extensions=[constraints]
                )
            ]
        data = {"x509CertificateData": root.public_bytes(Encoding.PEM).decode()}
        source = {"sourceType": "CERTIFICATE_BUNDLE", "sourceData": data}
        made = stage.control.create_trust_anchor(name="company", source=source, enabled=True)
        stage.anchor = made["trustAnchor"]["trustAnchorArn"]

    def leaf(self, subject: x509.Name, *names: x509.GeneralName) -> Identity:
        key = ec.generate_private_key(ec.SECP256R1())
        extensions = [x509.SubjectAlternativeName(names)] if names else []
        own = certificate(subject, key, self._issuer, self._issuer_key, extensions=extensions)
        return Identity(own, key, self.chain)


def permitted(*names: x509.GeneralName) -> x509.NameConstraints:
    return x509.NameConstraints(names, None)


def excluded(*names: x509.GeneralName) -> x509.NameConstraints:
    return x509.NameConstraints(None, names)


ACME = x509.DirectoryName(x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Acme")]))
EVIL = x509.DirectoryName(x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Evil")]))
URI = x509.UniformResourceIdentifier


@pytest.mark.parametrize("below", [False, True], ids=["by the anchor", "by an issuing authority"])
@pytest.mark.parametrize(
    ("constraints", "subject", "names", "trusted"),
    [
        (permitted(ACME), name("web"), [], True),
        (permitted(ACME), name("web", unit="Sales"), [], True),
        (permitted(ACME), name("web", "ACME"), [], True),  # RFC 5280, 7.1: names are compared ignoring case
        (permitted(ACME), name("web", "Evil"), [], False),
        (permitted(ACME), name("web", "Acme2"), [], False),
        (permitted(ACME), name("web"), [EVIL], False),
        (excluded(EVIL), name("web"), [], True),
        (excluded(EVIL), name("web", "Evil"), [], False),
        (excluded(EVIL), name("web"), [EVIL], False),
        (x509.NameConstraints([ACME], [ACME]), name("web"), [], False),  # excluded wins
        (permitted(URI("example.org")), name("web"), [URI("spiffe://example.org/web")], True),
        (permitted(URI("example.org")), name("web"), [], True),  # no URI, nothing to constrain
        (permitted(URI("example.org")), name("web"), [URI("spiffe://evil.org/web")], False),
        (permitted(URI("example.org")), name("web"), [URI("spiffe://example.org.evil.org/web")], False),
        (permitted(URI("example.org")), name("web"), [URI("spiffe://evil.org/example.org")], False),
        (permitted(URI("example.org")), name("web"), [URI("spiffe://example.org@evil.org/")], False),
        (
            permitted(URI("example.org")),
            name("web"),
            [URI("spiffe://a.example.org/web")],
            False,
        ),  # a host, not a domain
        (permitted(URI(".example.org")), name("web"), [URI("spiffe://a.example.org/web")], True),
        (
            permitted(URI("example.org")),
            name("web"),
            [URI("spiffe://example.org/a"), URI("spiffe://evil.org/b")],
            False,
        ),
        (permitted(URI("example.org")), name("web"), [URI("urn:uuid:1")], False),  # no host: refused
        (permitted(URI("example.org")), name("web"), [URI("spiffe://10.0.0.1/web")], False),
        (excluded(URI("evil.org")), name("web"), [URI("spiffe://evil.org/web")], False),
        (excluded(URI("evil.org")), name("web"), [URI("spiffe://example.org/web")], True),
        (permitted(ACME, URI("example.org")), name("web"), [URI("spiffe://example.org/web")], True),
        (permitted(ACME, URI("example.org")), name("web", "Evil"), [URI("spiffe://example.org/web")], False),
    ],
)
def test_name_constraints_are_honoured(stage, below, constraints, subject, names, trusted):
    answer = stage.session(Company(stage, constraints, below=below).leaf(subject, *names))
    if trusted:
        assert answer.status == 201, answer.body
    else:
        assert (answer.status, answer.error) == (403, UNTRUSTED)


def test_a_constrained_path_is_valid_at_the_worlds_time_only(stage):
    leaf = Company(stage, permitted(ACME)).leaf(name("web"))
    assert stage.session(leaf).status == 201
    stage.aws.advance(days=40)
    assert stage.session(leaf).error == UNTRUSTED


def test_a_constrained_strangers_authority_is_still_a_stranger(stage):
    leaf = Company(stage, permitted(ACME)).leaf(name("web"))
    Company(stage, permitted(ACME))
    assert stage.session(leaf).error == UNTRUSTED


# -- names that become no tags ------------------------------------------------------------------------------------


def test_a_common_name_with_spaces_is_usual(stage):
    """Company PKIs have them (rolesanywhere-credential-helper#188)."""
    answer = stage.session(Company(stage).leaf(name("John M. Smith")))
    assert answer.body["credentialSet"][0]["sourceIdentity"] == "CN=John M. Smith"


@pytest.mark.parametrize(
    ("common", "names", "told"),
    [
        ("abdalla", ["vault.example.org", "*.example.org"], "Issuer: [  ]; Subject: [  ]; SAN: [ DNS/2 ]"),
        ("John M. Smith (EMP12345)", [], "Issuer: [  ]; Subject: [ CN ]; SAN: [  ]"),
    ],
    ids=["#77", "#188"],
)
def test_a_refusal_names_the_attributes_that_are_no_tags(stage, common, names, told):
    """Recorded: rolesanywhere-credential-helper#77 and #188."""
    stage.trust(
        {
            "Effect": "Allow",
            "Principal": {"Service": "rolesanywhere.amazonaws.com"},
            "Action": ["sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity"],
            "Condition": {"StringEquals": {"aws:PrincipalTag/x509Subject/CN": "somebody else"}},
        }
    )
    answer = stage.session(Company(stage).leaf(name(common), *map(x509.DNSName, names)))
    sentence = f"Unable to assume role for {stage.role}. Some attributes failed to be mapped into session tags. {told}"
    assert (answer.status, answer.error) == (403, f"AccessDeniedException: {sentence}")


# -- names that break parsers -------------------------------------------------------------------------------------


def with_bit_string(der: bytes, text: bytes) -> bytes:
    """The certificate with a BIT STRING where a UTF8String stood in a name: lengths stay, the signature breaks."""
    place = der.rindex(b"\x0c" + bytes([len(text)]) + text)
    return der[:place] + b"\x03" + der[place + 1 : place + 2] + b"\x00" + der[place + 3 :]


@pytest.mark.parametrize("text", [b"web", b"root"], ids=["subject", "issuer"])
def test_a_bit_string_in_a_name_is_refused(stage, text):
    """Found by fuzzing: the library cannot read it, and says so with a TypeError."""
    leaf = Company(stage).leaf(name("web"))
    broken = with_bit_string(leaf.certificate.public_bytes(Encoding.DER), text)
    answer = stage.session(Identity(x509.load_der_x509_certificate(broken), leaf.key))
    assert answer.status == 403


def test_a_trust_anchor_with_a_bit_string_in_its_name_is_refused(stage):
    key = ec.generate_private_key(ec.SECP256R1())
    root = certificate(name("root"), key, name("root"), key, authority=True)
    broken = x509.load_der_x509_certificate(with_bit_string(root.public_bytes(Encoding.DER), b"root"))
    data = {"x509CertificateData": broken.public_bytes(Encoding.PEM).decode()}
    source = {"sourceType": "CERTIFICATE_BUNDLE", "sourceData": data}
    with pytest.raises(ClientError) as caught:
        stage.control.create_trust_anchor(name="broken", source=source, enabled=True)
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400


def test_a_revocation_list_with_a_bit_string_in_its_name_is_refused(stage):
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    builder = x509.CertificateRevocationListBuilder().issuer_name(name("root"))
    builder = builder.last_update(now).next_update(now + timedelta(days=1))
    broken = with_bit_string(builder.sign(key, hashes.SHA256()).public_bytes(Encoding.DER), b"root")
    with pytest.raises(ClientError) as caught:
        stage.control.import_crl(name="broken", crlData=broken, trustAnchorArn=stage.anchor)
    assert caught.value.response["Error"]["Code"] == "ValidationException"
