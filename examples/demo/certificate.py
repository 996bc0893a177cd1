"""Credentials by a certificate of the lab, as `credential_process` wants them; AWS's own helper does the same."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from iam_rolesanywhere_session import IAMRolesAnywhereSession

CERTS = Path("certs")
DEV = "arn:aws:rolesanywhere:us-east-1:111122223333"
session = IAMRolesAnywhereSession(
    profile_arn=f"{DEV}:profile/22222222-2222-4222-8222-222222222222",
    role_arn="arn:aws:iam::111122223333:role/anywhere-web",
    trust_anchor_arn=f"{DEV}:trust-anchor/11111111-1111-4111-8111-111111111111",
    certificate=(CERTS / "web-01.pem").read_bytes(),
    private_key=(CERTS / "web-01.key").read_bytes(),
    certificate_chain=(CERTS / "web-01.chain.pem").read_bytes(),
    endpoint=f"127.0.0.1:{sys.argv[1]}",
    verify=str(CERTS / "tls-ca.pem"),
    region="us-east-1",
)
keys = session.get_session().get_credentials().get_frozen_credentials()
print(
    json.dumps(
        {"Version": 1, "AccessKeyId": keys.access_key, "SecretAccessKey": keys.secret_key, "SessionToken": keys.token}
    )
)
