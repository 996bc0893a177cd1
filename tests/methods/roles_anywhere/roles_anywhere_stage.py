"""A stage on which a certificate can become a role, and TLS in front of it; used by the real clients' tests as well."""

from __future__ import annotations

import http.client
import json
import shutil
import ssl
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from x509_signing import Answer, Identity, create_session

from sts_emulator.idp import pki
from sts_emulator.idp.certificates import Wish, certify, make_key

REPOSITORY = Path(__file__).parents[3]

# The three actions that the user guide asks for.
TRUST = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Principal": {"Service": "rolesanywhere.amazonaws.com"},
            "Action": ["sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity"],
        }
    ],
}


def make_certificates(place: Path) -> Path:
    """The repository's own pki.yaml, made in a folder of its own."""
    shutil.copy(REPOSITORY / "certs" / "pki.yaml", place)
    pki.generate(place)
    return place


@dataclass
class Stage:
    """A world with the role `workload`, a trust anchor for the lab's root and a profile that lists the role."""

    aws: Any
    folder: Path
    anchor: str
    profile: str
    role: str

    @cached_property
    def control(self) -> Any:
        return self.aws.client("rolesanywhere")

    def identity(self, name: str = "web-01") -> Identity:
        return Identity.load(self.folder, name)

    def ask(self, **changes: Any) -> dict[str, Any]:
        mine = {
            "durationSeconds": 3600,
            "profileArn": self.profile,
            "roleArn": self.role,
            "trustAnchorArn": self.anchor,
        }
        return {name: value for name, value in {**mine, **changes}.items() if value is not None}

    def session(self, who: str | Identity = "web-01", ask: dict[str, Any] | None = None, **options: Any) -> Answer:
        identity = self.identity(who) if isinstance(who, str) else who
        return create_session(self.aws.endpoint_url, identity, self.ask() if ask is None else ask, **options)

    def whoami(self, answer: Answer) -> str:
        return self.aws.client("sts", answer.credentials).get_caller_identity()["Arn"]

    def trust(self, *statements: dict[str, Any]) -> None:
        document = {"Version": "2012-10-17", "Statement": list(statements)}
        self.aws.client("iam").update_assume_role_policy(RoleName="workload", PolicyDocument=json.dumps(document))

    def set_profile(self, **members: Any) -> None:
        self.control.update_profile(profileId=self.profile.rpartition("/")[2], **members)

    def anchor_for(self, *authorities: str, **members: Any) -> str:
        bundle = "".join((self.folder / f"{name}.pem").read_text() for name in authorities)
        source = {"sourceType": "CERTIFICATE_BUNDLE", "sourceData": {"x509CertificateData": bundle}}
        given = {"name": "anchor", "source": source, "enabled": True, **members}
        return self.control.create_trust_anchor(**given)["trustAnchor"]["trustAnchorArn"]

    def import_crl(self, authority: str = "lab-issuing", **members: Any) -> str:
        data = (self.folder / f"{authority}.crl").read_bytes()
        given = {"name": authority, "crlData": data, "trustAnchorArn": self.anchor, "enabled": True, **members}
        return self.control.import_crl(**given)["crl"]["crlId"]

    def evidence(self) -> dict[str, Any]:
        """What the event of the latest CreateSession has to show for itself."""
        events = [event for event in self.aws.events() if event["eventName"] == "CreateSession"]
        return events[-1]["additionalEventData"]["evidence"]

    @classmethod
    def set(cls, aws: Any, folder: Path) -> Stage:
        role = aws.client("iam").create_role(
            RoleName="workload", AssumeRolePolicyDocument=json.dumps(TRUST), MaxSessionDuration=7200
        )["Role"]["Arn"]
        mine = cls(aws, folder, "", "", role)
        mine.anchor = mine.anchor_for("lab-root")
        made = mine.control.create_profile(name="profile", roleArns=[role], enabled=True)["profile"]
        mine.profile = made["profileArn"]
        return mine


@contextmanager
def tls(endpoint_url, folder):
    """(host:port/path, CA file): TLS that ends here, with the lab's certificate, in front of the server's plain port."""
    certificate, key, authority = pki.server_certificate(folder)
    inner = urlsplit(endpoint_url)

    class Relay(BaseHTTPRequestHandler):
        def do_POST(self):
            connection = http.client.HTTPConnection(inner.hostname, inner.port, timeout=120)
            headers = {k: v for k, v in self.headers.items() if k.lower() != "transfer-encoding"}
            connection.request("POST", self.path, body=self.body(), headers=headers)
            answer = connection.getresponse()
            self.send_response(answer.status)
            for name, value in answer.getheaders():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(answer.read())
            connection.close()

        def body(self):
            if "content-length" in self.headers:
                return self.rfile.read(int(self.headers["content-length"]))
            body = b""  # in chunks, as aws_signing_helper sends it
            while size := int(self.rfile.readline(), 16):
                body += self.rfile.read(size)
                self.rfile.readline()
            return body

        def log_message(self, *_):
            pass

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server = HTTPServer(("127.0.0.1", 0), Relay)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"localhost:{server.server_port}{inner.path}", str(authority)
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def leaf_of(stage, by="lab-issuing", key="ec-p256", chain=None, **wish):
    """A certificate that the lab's authority issues as the test wishes."""
    authority = stage.identity(by) if isinstance(by, str) else by
    pair = certify(Wish(**{"subject": {"CN": "leaf"}, **wish}), make_key(key), authority, time.time())
    return Identity(pair.certificate, pair.key, [authority.certificate] if chain is None else chain)


def refused(answer, error):
    assert (answer.status, answer.error) == (403, error)
    assert "credentialSet" not in answer.body
