"""boto3 itself signs with the token of an SSO profile, which it does over https alone."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import os
import subprocess
import sys

from access_lab import BUILD, SCENARIO, SCOPES, Firm
from sso_lab import DEV, START_URL, Tool

from sts_emulator.emulation import Emulator
from sts_emulator.shared_server import free_port

ASK = """
import boto3, json, sys
runtime = boto3.client("account-access-runtime")
answer = runtime.get_role_credentials(tenantId=sys.argv[1], roleArn=sys.argv[2], accessType="PROGRAMMATIC_ACCESS")
keys = answer["credentialsDetails"]["programmaticAccess"]
sts = boto3.client("sts", aws_access_key_id=keys["accessKeyId"], aws_secret_access_key=keys["secretAccessKey"],
                   aws_session_token=keys["sessionToken"])
print(sts.get_caller_identity()["Arn"], keys["expiresAt"])
"""
CONFIG = f"""
[default]
sso_session = work
region = us-east-1
[sso-session work]
sso_start_url = {START_URL}
sso_region = us-east-1
sso_registration_scopes = {", ".join(SCOPES)}
"""


def test_boto3_asks_with_the_token_of_a_profile(serve, tmp_path):
    port, certificates = free_port(), tmp_path / "certs"
    with (
        serve("--tls-port", str(port), "--certs", str(certificates)) as (url, _),
        Emulator(url).world(SCENARIO) as aws,
    ):
        firm = Firm(aws)
        firm.enable()
        firm.entitle(BUILD, user="jane")
        # given the files that `aws sso login` leaves
        tokens = Tool(aws, scopes=SCOPES).sign_in("jane")
        until = dt.datetime.now(dt.UTC) + dt.timedelta(seconds=tokens["expiresIn"])
        cache = tmp_path / ".aws" / "sso" / "cache"
        cache.mkdir(parents=True)
        kept = {"accessToken": tokens["accessToken"], "expiresAt": until.strftime("%Y-%m-%dT%H:%M:%SZ")}
        (cache / f"{hashlib.sha1(b'work').hexdigest()}.json").write_text(json.dumps(kept))
        (tmp_path / ".aws" / "config").write_text(CONFIG)
        variables = {
            "PATH": os.environ["PATH"],
            "HOME": str(tmp_path),
            "AWS_ENDPOINT_URL": aws.endpoint_url.replace(url, f"https://localhost:{port}"),
            "AWS_CA_BUNDLE": str(certificates / "tls-ca.pem"),
        }
        command = [sys.executable, "-c", ASK, firm.tenant, BUILD]
        said = subprocess.run(command, env=variables, capture_output=True, text=True, check=False, timeout=120)
        # then it is jane, in the role
        assert said.stdout.startswith(f"arn:aws:sts::{DEV}:assumed-role/build/{firm.user('jane')}"), said.stderr
