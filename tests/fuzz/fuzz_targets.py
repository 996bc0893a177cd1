"""Every parser that reads what strangers send: whatever comes, it is read, or refused in the way that is meant for it."""

from __future__ import annotations

import asyncio
import base64
import json
import zlib
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from typing import Any

from sts_emulator.accounts import passkeys
from sts_emulator.app import create_server, handle
from sts_emulator.core.errors import AwsError
from sts_emulator.gateway import multipart, post_policy
from sts_emulator.iam.credentials import server_certificates, ssh_keys
from sts_emulator.iam.providers import saml_providers
from sts_emulator.idp import authn_requests
from sts_emulator.methods.roles_anywhere import certificates, revocation
from sts_emulator.methods.saml import message
from sts_emulator.methods.tokens import jwk, jwt
from sts_emulator.pages import answering
from sts_emulator.policy.deciding import document
from sts_emulator.scenario import ScenarioError, parse
from sts_emulator.settings import Settings
from sts_emulator.wire import aws_chunks, foreign_parameters, messages, sigv4
from sts_emulator.wire.http import Request, Response

FORM = "application/x-www-form-urlencoded"


@dataclass(frozen=True)
class Target:
    """One parser: what it is given, and examples to begin with."""

    read: Callable[[bytes], None]
    seeds: tuple[bytes, ...]


@cache
def _server() -> Any:
    return create_server(Settings())


def _answered(method: str, path: str, query: str, headers: dict[str, str], body: bytes) -> None:
    """Let a whole server answer: nothing may fail inside it."""
    server = _server()
    request = Request(method, path, path, query, {"host": "localhost", **headers}, body)
    if path == "/":
        answer = handle(server, server.worlds.get("default"), request, "http://localhost")
    else:
        answer = answering.answer(server, server.worlds.get("default"), request, "http://localhost")
    if not isinstance(answer, Response):
        answer = asyncio.run(answer)  # type: ignore[arg-type]
    assert answer.status != 500, (path, query, body)
    messages.write(answer)


def _query(data: bytes) -> None:
    _answered("POST", "/", "", {"content-type": FORM}, data)


def _json_call(data: bytes) -> None:
    target, _, body = data.partition(b"\n")
    headers = {"content-type": "application/x-amz-json-1.1", "x-amz-target": target.decode("latin-1")}
    _answered("POST", "/", "", headers, body)


def _signature(data: bytes) -> None:
    authorization, _, date = data.decode("latin-1").partition("\n")
    with suppress(AwsError):
        sigv4.read(Request("POST", "/", "/", "", {"host": "x", "authorization": authorization, "x-amz-date": date}))
    with suppress(AwsError):
        sigv4.read(Request("GET", "/", "/", data.decode("latin-1"), {"host": "x"}))


def _policy(data: bytes) -> None:
    with suppress(document.MalformedPolicy):
        document.parse(data.decode("utf-8", "surrogateescape"))


def _token(data: bytes) -> None:
    head, _, claims = data.partition(b"\n")
    with suppress(jwt.NotAToken):
        jwt.parse(data.decode("latin-1"))
    parts = (base64.urlsafe_b64encode(part).decode().rstrip("=") for part in (head, claims, b"x"))
    with suppress(jwt.NotAToken):
        jwt.parse(".".join(parts))


def _assertion(data: bytes) -> None:
    with suppress(AwsError):
        message.read(base64.b64encode(data).decode())
    with suppress(AwsError):
        message.read(data.decode("latin-1"))


def _cbor(data: bytes) -> None:
    with suppress(AwsError):
        foreign_parameters._cbor(data)


def _scenario(data: bytes) -> None:
    with suppress(ScenarioError):
        parse(data)


def _certificate(data: bytes) -> None:
    with suppress(ValueError):
        certificate = certificates.load(data)
        certificates.end_entity_problem(certificate)
        certificates.authority_problem(certificate)
        certificates.serial(certificate)


def _scim(data: bytes) -> None:
    headers = {"content-type": "application/scim+json", "authorization": "Bearer x"}
    method, _, rest = data.partition(b" ")
    path, _, body = rest.partition(b"\n")
    if method in (b"GET", b"POST", b"PUT", b"PATCH", b"DELETE"):
        _answered(method.decode(), "/scim/" + path.decode("latin-1").partition("?")[0], "", headers, body)


def _post_policy(data: bytes) -> None:
    with suppress(AwsError):
        post_policy.read(data.decode("latin-1"))
    with suppress(AwsError):
        post_policy.read(base64.b64encode(data).decode())


def _chunks(data: bytes) -> None:
    decoder = aws_chunks.Decoder(None)
    with suppress(AwsError):
        for start in range(0, len(data), 7):
            for _ in decoder.feed(data[start : start + 7]):
                pass


def _form_upload(data: bytes) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for start in range(0, len(data), 11):
            yield data[start : start + 11]

    async def read() -> None:
        reader = multipart.FormReader("multipart/form-data; boundary=b", pieces())
        try:
            await reader.fields()
            await reader.file(1 << 20)
        finally:
            if reader._form.file is not None:
                reader._form.file.close()

    with suppress(AwsError):
        asyncio.run(read())


def _crl(data: bytes) -> None:
    with suppress(ValueError):
        revocation.load(data)


def _keys(data: bytes) -> None:
    with suppress(ValueError, RecursionError):
        keys = jwk.KeySet(json.loads(data))
        for algorithm in ("RS256", "ES384"):
            if verify := keys.verifier("a", algorithm):
                verify(b"x", data)


def _metadata(data: bytes) -> None:
    with suppress(AwsError):
        saml_providers.described(data.decode("utf-8", "surrogateescape"), 1_800_000_000)


def _authn_request(data: bytes) -> None:
    deflate = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    for text in (data.decode("latin-1"), base64.b64encode(deflate.compress(data) + deflate.flush()).decode()):
        with suppress(ValueError):
            authn_requests._parsed(text, "AuthnRequest")


def _pem(data: bytes) -> None:
    text = data.decode("latin-1")
    with suppress(AwsError):
        ssh_keys._read(text)
    with suppress(AwsError):
        server_certificates._checked(text, text, "", 1_800_000_000)


def _passkey(data: bytes) -> None:
    world = _server().worlds.get("default")
    party = passkeys.Party("localhost", "x", ("http://localhost",))
    said = {"type": "webauthn.create", "challenge": passkeys._challenge(world, party, "x"), "origin": party.origins[0]}
    parts = {"clientDataJSON": passkeys._text(json.dumps(said).encode()), "attestationObject": passkeys._text(data)}
    whole = json.dumps({"id": "AA", "rawId": "AA", "type": "public-key", "response": parts})
    for response in (whole, data.decode("utf-8", "replace")):
        with suppress(passkeys.NotProvenError):
            passkeys.register(world, party, "x", response)


def _message(data: bytes) -> None:
    messages.read(data, "127.0.0.1", "http")


TRUST = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": "*", "Action": "sts:*"}]})
CONDITION = json.dumps(
    {"Statement": {"Effect": "Deny", "NotAction": ["*"], "Resource": "a*", "Condition": {"Null": {"a": "true"}}}}
)
AUTHORIZATION = (
    "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20261129/us-east-1/sts/aws4_request, SignedHeaders=host;x-amz-date, Signature="
    + "a" * 64
)
RESPONSE = '<samlp:Response xmlns:samlp="urn:oasis:names:tc:SAML:2.0:protocol" xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion" ID="_a" Version="2.0"><saml:Assertion ID="_b"><saml:Issuer>x</saml:Issuer></saml:Assertion></samlp:Response>'
METADATA = '<EntityDescriptor xmlns="urn:oasis:names:tc:SAML:2.0:metadata" entityID="a"><IDPSSODescriptor protocolSupportEnumeration="urn:oasis:names:tc:SAML:2.0:protocol"><KeyDescriptor use="signing"><KeyInfo xmlns="http://www.w3.org/2000/09/xmldsig#"><X509Data><X509Certificate>MAA=</X509Certificate></X509Data></KeyInfo></KeyDescriptor><SingleSignOnService Binding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST" Location="https://a"/></IDPSSODescriptor></EntityDescriptor>'
AUTHN_REQUEST = '<samlp:AuthnRequest xmlns:samlp="urn:oasis:names:tc:SAML:2.0:protocol" ID="_a" Version="2.0"/>'
UPLOAD_POLICY = json.dumps(
    {
        "expiration": "2026-11-30T00:00:00Z",
        "conditions": [{"bucket": "b"}, ["starts-with", "$key", "a"], ["content-length-range", 1, 9]],
    }
)
UPLOAD = '--b\r\nContent-Disposition: form-data; name="key"\r\n\r\na\r\n--b\r\nContent-Disposition: form-data; name="file"; filename="f"\r\n\r\nhello\r\n--b--\r\n'

TARGETS = {
    "query": Target(_query, (b"Action=AssumeRole&Version=2011-06-15&RoleArn=arn&Tags.member.1.Key=a", b"Action=GetCallerIdentity&Version=2011-06-15")),
    "json": Target(_json_call, (b'AWSCognitoIdentityService.GetId\n{"IdentityPoolId":"us-east-1:x","Logins":{"a":"b"}}', b"SWBExternalService.ListInstances\n{}")),
    "sigv4": Target(_signature, (f"{AUTHORIZATION}\n20261129T000000Z".encode(), b"X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=a&X-Amz-Date=b&X-Amz-Expires=9")),
    "policy": Target(_policy, (TRUST.encode(), CONDITION.encode())),
    "jwt": Target(_token, (b'{"alg":"RS256","kid":"a"}\n{"iss":"https://a","sub":"b","aud":["c"],"exp":1}',)),
    "saml": Target(_assertion, (RESPONSE.encode(),)),
    "cbor": Target(_cbor, (bytes.fromhex("a1616183010203"), bytes.fromhex("bf6161fb3ff0000000000000ff"), bytes.fromhex("c11a5f5e1000"))),
    "scenario": Target(_scenario, (b'accounts:\n  "111122223333":\n    users: {ann: {}}\n    roles:\n      a: {trust: {Version: "2012-10-17"}}\n', b"a: &a [x]\nb: *a\n")),
    "certificate": Target(_certificate, ()),
    "scim": Target(_scim, (b'POST x/scim/v2/Users\n{"userName":"a","name":{"familyName":"b"}}', b"GET x/scim/v2/Groups\n")),
    "post-policy": Target(_post_policy, (UPLOAD_POLICY.encode(),)),
    "chunks": Target(_chunks, (b"5\r\nhello\r\n0\r\n\r\n", b"5\r\nhello\r\n0\r\nx-amz-checksum-crc32:AAAAAA==\r\n\r\n")),
    "form-upload": Target(_form_upload, (UPLOAD.encode(),)),
    "crl": Target(_crl, (b"-----BEGIN X509 CRL-----\nMAA=\n-----END X509 CRL-----\n", bytes.fromhex("3019300d06092a864886f70d01010b05003000170d3236303130313030303030305a"))),
    "keys": Target(_keys, (b'{"keys":[{"kid":"a","kty":"RSA","n":"AQAB","e":"AQAB"}]}', b'{"keys":[{"kid":"a","kty":"EC","crv":"P-384","x":"AQ","y":"AQ","x5c":["MAA="]}]}')),
    "metadata": Target(_metadata, (METADATA.encode(),)),
    "authn-request": Target(_authn_request, (AUTHN_REQUEST.encode(),)),
    "pem": Target(_pem, (b"-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n", b"ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAAAAQE= a")),
    "passkey": Target(_passkey, (b"\xa3cfmtdnonegattStmt\xa0hauthDataX\x25" + b"\0" * 37, b'{"id":"a","response":{"clientDataJSON":"e30"}}')),
    "http": Target(_message, (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc",)),
}  # fmt: skip


@cache
def certificate_seed() -> bytes:
    """A certificate whose name has several kinds of text."""
    from datetime import UTC, datetime, timedelta

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    name = x509.Name(
        [x509.NameAttribute(x509.NameOID.COMMON_NAME, "a"), x509.NameAttribute(x509.NameOID.COUNTRY_NAME, "DE")]
    )
    built = x509.CertificateBuilder(name, name, key.public_key(), 7, now, now + timedelta(days=1))
    built = built.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
    return built.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.DER)
