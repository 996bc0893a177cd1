"""A workbench for tokens that no honest issuer would make, and an issuer on a socket of its own."""

import asyncio
import base64
import datetime as dt
import inspect
import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from sts_emulator.core.backends import open_store
from sts_emulator.core.events import EventLog
from sts_emulator.core.world import Worlds
from sts_emulator.methods.web_identity.assume_role_with_web_identity import assume_role_with_web_identity
from sts_emulator.settings import Settings
from sts_emulator.vending.context import Context, Server

CURVES = {"ES256": ec.SECP256R1(), "ES384": ec.SECP384R1(), "ES512": ec.SECP521R1()}
HASHES = {"256": hashes.SHA256(), "384": hashes.SHA384(), "512": hashes.SHA512()}
SIZES = {"ES256": 32, "ES384": 48, "ES512": 66}


def b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def number(value: int, size: int | None = None) -> str:
    return b64(value.to_bytes(size or (value.bit_length() + 7) // 8, "big"))


class Key:
    """A private key with an id, that signs with whatever algorithm it is told to."""

    def __init__(self, algorithm: str = "RS256", kid: str = "key-1", bits: int = 2048) -> None:
        self.algorithm, self.kid = algorithm, kid
        curve = CURVES.get(algorithm)
        self.private = ec.generate_private_key(curve) if curve else rsa.generate_private_key(65537, bits)

    def jwk(self, **more: object) -> dict:
        public = self.private.public_key().public_numbers()
        if isinstance(self.private, rsa.RSAPrivateKey):
            return {"kid": self.kid, "kty": "RSA", "n": number(public.n), "e": number(public.e), **more}
        size, name = SIZES[self.algorithm], {"ES256": "P-256", "ES384": "P-384", "ES512": "P-521"}[self.algorithm]
        return {
            "kid": self.kid,
            "kty": "EC",
            "crv": name,
            "x": number(public.x, size),
            "y": number(public.y, size),
            **more,
        }

    def sign(self, signed: bytes, algorithm: str) -> bytes:
        digest = HASHES[algorithm[2:]]
        if algorithm.startswith("PS"):
            return self.private.sign(signed, padding.PSS(padding.MGF1(digest), digest.digest_size), digest)
        if algorithm.startswith("RS"):
            return self.private.sign(signed, padding.PKCS1v15(), digest)
        r, s = decode_dss_signature(self.private.sign(signed, ec.ECDSA(digest)))
        return r.to_bytes(SIZES[self.algorithm], "big") + s.to_bytes(SIZES[self.algorithm], "big")

    def token(self, claims: object, *, algorithm: str | None = None, header: object = None) -> str:
        """`claims` and `header` may be bytes, to say what no JSON writer would; a header replaces the usual one."""
        algorithm = algorithm or self.algorithm
        head = header if header is not None else {"alg": algorithm, "typ": "JWT", "kid": self.kid}
        signed = f"{b64(written(head))}.{b64(written(claims))}"
        return f"{signed}.{b64(self.sign(signed.encode(), algorithm))}"


def self_signed(key: Key) -> str:
    """A certificate of the key, as `x5c` holds it."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "lab")])
    start = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
    built = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.private.public_key())
    built = built.serial_number(1).not_valid_before(start).not_valid_after(start + dt.timedelta(days=1))
    return base64.b64encode(built.sign(key.private, hashes.SHA256()).public_bytes(Encoding.DER)).decode()


def written(value: object) -> bytes:
    return value if isinstance(value, bytes) else json.dumps(value).encode()


def unsigned(header: object, claims: object, signature: bytes = b"") -> str:
    return f"{b64(written(header))}.{b64(written(claims))}.{b64(signature)}"


class Issuer:
    """An issuer on a loopback port: `pages` maps paths to (status, body) or to a function that answers the handler."""

    def __init__(self, server: ThreadingHTTPServer, scheme: str = "http", host: str = "127.0.0.1") -> None:
        self.url = f"{scheme}://{host}:{server.server_address[1]}"
        self.asked: list[str] = []
        self.pages: dict = {}
        self.serve([])

    def serve(self, jwks: list, **discovery: object) -> None:
        """Publish these keys; None in place of a discovery member removes it."""
        document = {
            "issuer": self.url,
            "jwks_uri": f"{self.url}/keys",
            "response_types_supported": ["id_token"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256"],
            **discovery,
        }
        document = {name: value for name, value in document.items() if value is not None}
        self.pages["/.well-known/openid-configuration"] = (200, json.dumps(document).encode())
        self.pages["/keys"] = (200, json.dumps({"keys": jwks}).encode())

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        self.asked.append(handler.path)
        page = self.pages.get(handler.path, (404, b""))
        if callable(page):
            page(handler)
            return
        status, body = page
        handler.send_response(status)
        handler.send_header("content-length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)


@contextmanager
def issuer_on_socket(tls=None, host: str = "127.0.0.1"):
    """Serve an Issuer; `tls` is a server-side SSLContext."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            issuer.answer(self)

        def log_message(self, *_: object) -> None:
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_: object) -> None:
            pass  # clients that hang up are part of the tests

    server = Server(("127.0.0.1", 0), Handler)
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    issuer = Issuer(server, "https" if tls else "http", host)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield issuer
    finally:
        server.shutdown()
        server.server_close()


ACCOUNT = "111122223333"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/deploy"


class Lab:
    """A world without a server: one role that trusts one provider, and a way to ask for it."""

    def __init__(self, fetch_issuers: str = "loopback") -> None:
        store = open_store("")
        self.worlds = Worlds(store)
        self.world = self.worlds.create("lab")
        self.server = Server(Settings(fetch_issuers=fetch_issuers), self.worlds, EventLog())
        self.evidence: dict = {}
        self.fetched = False

    def provide(self, issuer: str, **more: object) -> None:
        """Register a provider for the issuer's URL, and a role that trusts it."""
        name = issuer.partition("://")[2]
        arn = f"arn:aws:iam::{ACCOUNT}:oidc-provider/{name}"
        provider = {"account": ACCOUNT, "url": name, "arn": arn, "client_ids": ["sts.amazonaws.com"], "thumbprints": []}
        self.world.put("oidc-provider", f"{ACCOUNT}/{name}", {**provider, **more}, uid=arn)
        self.trust({"Federated": arn})

    def trust(self, principal: dict, condition: dict | None = None) -> None:
        statement = {"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRoleWithWebIdentity"}
        policy = {
            "Version": "2012-10-17",
            "Statement": [{**statement, **({"Condition": condition} if condition else {})}],
        }
        role = {
            "account": ACCOUNT,
            "name": "deploy",
            "path": "/",
            "id": "AROAQAAAAAAAAAAAAAAAA",
            "arn": ROLE,
            "trust": json.dumps(policy),
            "tags": {},
        }
        self.world.put("role", f"{ACCOUNT}/deploy", role, uid=role["id"])

    async def ask(self, token: str, **more: object) -> dict:
        """AssumeRoleWithWebIdentity as the application calls it; what it found goes to `evidence`."""
        ctx = Context(self.server, self.world, "sts", "AssumeRoleWithWebIdentity", "request")
        self.evidence = ctx.evidence
        self.world.refresh()
        with self.world.unit():
            asked = {"RoleArn": ROLE, "RoleSessionName": "test", "WebIdentityToken": token, **more}
            result = assume_role_with_web_identity(ctx, **asked)
        self.fetched = inspect.isawaitable(result)
        return await result if self.fetched else result

    def assume(self, token: str, **more: object) -> dict:
        return asyncio.run(self.ask(token, **more))

    def claims(self, issuer: str, **more: object) -> dict:
        now = int(self.world.now())
        return {"iss": issuer, "sub": "someone", "aud": "sts.amazonaws.com", "iat": now, "exp": now + 60, **more}
