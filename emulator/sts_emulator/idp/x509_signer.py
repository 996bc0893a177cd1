"""Asks for a session as a workload with a certificate does: CreateSession, signed with the certificate's key.

AWS's `aws_signing_helper` does this; what verifies stands in `methods/roles_anywhere` and shares nothing with it
(docs/aws/roles-anywhere.md, "Signature").
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Sequence
from http.client import HTTPConnection, HTTPSConnection
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from sts_emulator.core import clock
from sts_emulator.policy.json_types import JsonObject
from sts_emulator.wire import timestamps

if TYPE_CHECKING:
    from cryptography import x509

REGION: Final = "us-east-1"
_PATIENCE: Final = 30  # seconds
_CREATED: Final = 201


class RefusedError(Exception):
    """The answer was no; its text is the code and the message."""


def create_session(
    endpoint: str,
    certificate: x509.Certificate,
    key: object,
    parameters: JsonObject,
    chain: Sequence[x509.Certificate] = (),
    region: str = REGION,
) -> dict[str, str]:
    """The credentials: `accessKeyId`, `secretAccessKey`, `sessionToken`, `expiration`.

    Raises:
        RefusedError: no session.
        OSError: nobody answers.
    """
    url = urlsplit(endpoint)
    body = json.dumps(dict(parameters)).encode()
    headers = signed(url.netloc, body, certificate, key, chain, region)
    connect = HTTPSConnection if url.scheme == "https" else HTTPConnection
    connection = connect(url.hostname or "", url.port, timeout=_PATIENCE)
    try:
        connection.request("POST", f"{url.path.rstrip('/')}/sessions", body, headers)
        response = connection.getresponse()
        told = json.loads(response.read() or b"{}")
    finally:
        connection.close()
    if response.status != _CREATED:
        raise RefusedError(f"{response.headers.get('x-amzn-errortype', response.status)}: {told.get('message', '')}")
    credentials: dict[str, str] = told["credentialSet"][0]["credentials"]
    return credentials


def signed(
    host: str, body: bytes, certificate: x509.Certificate, key: object, chain: Sequence[x509.Certificate], region: str
) -> dict[str, str]:
    """A call's headers, signed with a key (docs/aws/roles-anywhere.md, "Signature"). Raises ValueError: it cannot."""
    date = timestamps.basic(clock.real())
    headers = {"content-type": "application/json", "host": host, "x-amz-date": date, "x-amz-x509": _der(certificate)}
    if chain:
        headers["x-amz-x509-chain"] = ",".join(map(_der, chain))
    names = ";".join(sorted(headers))
    lines = [f"{name}:{headers[name]}" for name in sorted(headers)]
    canonical = "\n".join(["POST", "/sessions", "", *lines, "", names, hashlib.sha256(body).hexdigest()])
    scope = f"{date[:8]}/{region}/rolesanywhere/aws4_request"
    algorithm, sign = _algorithm(key)
    text = f"{algorithm}\n{date}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
    credential = f"Credential={certificate.serial_number}/{scope}"
    headers["authorization"] = f"{algorithm} {credential}, SignedHeaders={names}, Signature={sign(text.encode()).hex()}"
    return headers


def _algorithm(key: object) -> tuple[str, Any]:
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec, mldsa, padding, rsa

    if isinstance(key, rsa.RSAPrivateKey):
        return "AWS4-X509-RSA-SHA256", lambda text: key.sign(text, padding.PKCS1v15(), hashes.SHA256())
    if isinstance(key, ec.EllipticCurvePrivateKey):
        return "AWS4-X509-ECDSA-SHA256", lambda text: key.sign(text, ec.ECDSA(hashes.SHA256()))
    if isinstance(key, mldsa.MLDSA44PrivateKey | mldsa.MLDSA65PrivateKey | mldsa.MLDSA87PrivateKey):
        return "AWS4-X509-MLDSA", key.sign
    raise ValueError("keys are RSA, ML-DSA, or of an elliptic curve")


def _der(certificate: x509.Certificate) -> str:
    from cryptography.hazmat.primitives.serialization import Encoding

    return base64.b64encode(certificate.public_bytes(Encoding.DER)).decode()
