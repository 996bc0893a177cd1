"""A lab PKI for all tests of this method, and a stage on which a certificate can become a role."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from x509_signing import Answer, Identity, create_session

from emulator.idp import pki

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


@pytest.fixture(scope="session")
def folder(tmp_path_factory) -> Path:
    """The repository's own pki.yaml, made in a folder of its own."""
    place = tmp_path_factory.mktemp("certs")
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

    @property
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


@pytest.fixture
def stage(aws, folder) -> Stage:
    role = aws.client("iam").create_role(
        RoleName="workload", AssumeRolePolicyDocument=json.dumps(TRUST), MaxSessionDuration=7200
    )["Role"]["Arn"]
    mine = Stage(aws, folder, "", "", role)
    mine.anchor = mine.anchor_for("lab-root")
    mine.profile = mine.control.create_profile(name="profile", roleArns=[role], enabled=True)["profile"]["profileArn"]
    return mine
