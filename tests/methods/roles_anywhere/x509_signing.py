"""A client of CreateSession written from the specification alone, so that a test can send what no real client would."""

from __future__ import annotations

import base64
import hashlib
import http.client
import json
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key


@dataclass
class Identity:
    """A certificate, its key and what is sent along."""

    certificate: x509.Certificate
    key: Any
    chain: list[x509.Certificate] = field(default_factory=list)

    @classmethod
    def load(cls, folder: Path, name: str) -> Identity:
        chain = folder / f"{name}.chain.pem"
        return cls(
            x509.load_pem_x509_certificate((folder / f"{name}.pem").read_bytes()),
            load_pem_private_key((folder / f"{name}.key").read_bytes(), None),
            x509.load_pem_x509_certificates(chain.read_bytes()) if chain.exists() else [],
        )

    @property
    def serial(self) -> str:
        text = f"{self.certificate.serial_number:x}"
        return text.zfill(len(text) + len(text) % 2)


@dataclass
class Answer:
    """What came back."""

    status: int
    headers: dict[str, str]
    body: Any

    @property
    def error(self) -> str:
        return f"{self.headers['x-amzn-errortype']}: {self.body['message']}"

    @property
    def credentials(self) -> dict[str, str]:
        (only,) = self.body["credentialSet"]
        return {name[0].upper() + name[1:]: value for name, value in only["credentials"].items()}


def der(certificate: x509.Certificate) -> str:
    return base64.b64encode(certificate.public_bytes(Encoding.DER)).decode()


def create_session(
    endpoint: str,
    identity: Identity,
    parameters: dict[str, Any],
    *,
    query: dict[str, str] | None = None,
    age: float = 0,
    region: str = "us-east-1",
    service: str = "rolesanywhere",
    algorithm: str | None = None,
    signed_path: str = "/sessions",
    headers: dict[str, str] | None = None,
    unsigned: tuple[str, ...] = (),
    credential: str | None = None,
    chain_header: str | None = None,
    change_body: Any = None,
    change_query: dict[str, str] | None = None,
    signature: str | None = None,
) -> Answer:
    """Sign and send one request; the options say in what it differs from an honest one."""
    url = urlsplit(endpoint)
    body = json.dumps(parameters).encode()
    date = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(time.time() - age))
    chain = ",".join(map(der, identity.chain)) if chain_header is None else chain_header
    sent = {
        "host": url.netloc,
        "x-amz-date": date,
        "x-amz-x509": der(identity.certificate),
        **({"x-amz-x509-chain": chain} if chain else {}),
        **({"content-type": "application/json"} if headers is None else headers),
    }
    names = sorted(name for name in sent if name not in unsigned)
    canonical_query = _query(query or {})
    canonical = "\n".join(
        [
            *("POST", signed_path, canonical_query),
            *(f"{name}:{' '.join(sent[name].split())}" for name in names),
            *("", ";".join(names), hashlib.sha256(body).hexdigest()),
        ]
    )
    scope = f"{date[:8]}/{region}/{service}/aws4_request"
    name = algorithm or _algorithm(identity.key)
    to_sign = f"{name}\n{date}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
    by = credential or str(identity.certificate.serial_number)
    sent["authorization"] = (
        f"{name} Credential={by}/{scope}, SignedHeaders={';'.join(names)}, "
        f"Signature={signature or _sign(identity.key, to_sign.encode()).hex()}"
    )
    if change_body is not None:
        body = json.dumps(change_body).encode()
    actual_query = canonical_query if change_query is None else _query(change_query)
    return send(endpoint, sent, body, actual_query)


def send(endpoint: str, headers: dict[str, str], body: bytes, query: str = "") -> Answer:
    url = urlsplit(endpoint)
    connection = http.client.HTTPConnection(url.hostname, url.port, timeout=120)
    path = f"{url.path}/sessions" + (f"?{query}" if query else "")
    connection.request("POST", path, body=body, headers=headers)
    response = connection.getresponse()
    text = response.read()
    connection.close()
    return Answer(response.status, {k.lower(): v for k, v in response.getheaders()}, json.loads(text))


def _query(parameters: dict[str, str]) -> str:
    pairs = sorted((quote(name, safe="-_.~"), quote(value, safe="-_.~")) for name, value in parameters.items())
    return "&".join(f"{name}={value}" for name, value in pairs)


def _algorithm(key: Any) -> str:
    if isinstance(key, rsa.RSAPrivateKey):
        return "AWS4-X509-RSA-SHA256"
    return "AWS4-X509-ECDSA-SHA256" if isinstance(key, ec.EllipticCurvePrivateKey) else "AWS4-X509-MLDSA"


def _sign(key: Any, text: bytes) -> bytes:
    if isinstance(key, rsa.RSAPrivateKey):
        return key.sign(text, padding.PKCS1v15(), hashes.SHA256())
    if isinstance(key, ec.EllipticCurvePrivateKey):
        return key.sign(text, ec.ECDSA(hashes.SHA256()))
    return key.sign(text)
