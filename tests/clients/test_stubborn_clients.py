"""Clients that take no endpoint, in transparent mode; and clients that sign in their own way. All from PyPI or npm.

They are installed into an environment of their own, because nothing else needs them: C++ (pyarrow), Rust (obstore,
deltalake) and the AWS CRT, as pods with IRSA and as EC2 instances; then hvac, google-auth and npm's aws4 as signers.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

import pytest

LAB = Path(__file__).parents[1] / "workloads"
sys.path[:0] = [str(LAB), str(LAB.parent / "methods" / "instance_profile")]

from command_lab import CommandLab, namespaces_forbidden  # noqa: E402 - its folder was just added

pytestmark = pytest.mark.scenario(str(Path(__file__).with_name("stubborn.yaml")))

PACKAGES = ("pyarrow", "obstore", "deltalake", "awscrt", "hvac", "google-auth", "requests")
FORM = "Action=GetCallerIdentity&Version=2011-06-15"

# Each asks its own default chain for credentials and uses them; S3 itself is not here to answer, which does not matter.
PROGRAMS = {
    "pyarrow": """
        import os
        from pyarrow import fs
        try:
            fs.S3FileSystem(region="us-east-1").get_file_info("bucket/key")
        except OSError:
            pass
        os._exit(0)  # the SDK for C++ can hang while it shuts down""",
    "obstore": """
        import datetime, obstore
        from obstore.store import S3Store
        retry = {"max_retries": 0, "retry_timeout": datetime.timedelta(seconds=3)}
        try:
            obstore.head(S3Store("bucket", region="us-east-1", retry_config=retry), "key")
        except Exception:
            pass""",
    "deltalake": """
        import deltalake
        try:
            deltalake.DeltaTable("s3://bucket/table")
        except Exception:
            pass""",
    "awscrt": """
        from awscrt import auth
        auth.AwsCredentialsProvider.new_default_chain().get_credentials().result(120)""",
}


@pytest.fixture(scope="session")
def python(tmp_path_factory) -> str:
    """A Python that has the packages, or a skip that says why not."""
    folder = tmp_path_factory.mktemp("stubborn")
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    pip = [str(folder / "bin" / "pip"), "install", "--quiet", "--disable-pip-version-check", *PACKAGES]
    done = subprocess.run(pip, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"the clients cannot be installed here: {done.stderr.strip()[-200:]}")
    return str(folder / "bin" / "python")


def indented(program: str) -> str:
    return "\n".join(line[8:] for line in program.splitlines())


@pytest.mark.parametrize("client", PROGRAMS)
@pytest.mark.parametrize(
    ("kind", "role", "event"),
    [("irsa", "pod", "AssumeRoleWithWebIdentity"), ("ec2", "web", "AssumeRole")],
    ids=["irsa", "ec2"],
)
def test_a_client_that_takes_no_endpoint_finds_its_role(aws, emulator_server, python, client, kind, role, event):
    if why := namespaces_forbidden():
        pytest.skip(f"no namespaces here: {why}")
    lab = CommandLab(aws, emulator_server.url)
    done = lab.exec("--as", kind, "--role", role, "--isolated", "--", python, "-c", indented(PROGRAMS[client]))
    assert done.returncode == 0, done.stderr
    outcomes = [record["additionalEventData"]["outcome"] for record in aws.events() if record["eventName"] == event]
    assert "allowed" in outcomes


def test_terraform_finds_its_role_without_a_word_about_endpoints(aws, emulator_server, terraform_plugins, tmp_path):
    if why := namespaces_forbidden():
        pytest.skip(f"no namespaces here: {why}")
    (tmp_path / "main.tf").write_text(
        """
        terraform {
          required_providers {
            aws = { source = "hashicorp/aws" }
          }
        }
        provider "aws" { region = "us-east-1" }
        data "aws_caller_identity" "me" {}
        output "who" { value = data.aws_caller_identity.me.arn }
        """
    )
    terraform = ["terraform", f"-chdir={tmp_path}"]
    init = [*terraform, "init", "-no-color", f"-plugin-dir={terraform_plugins}"]
    subprocess.run(init, env={"PATH": os.environ["PATH"], "HOME": str(tmp_path)}, capture_output=True, check=True)
    lab = CommandLab(aws, emulator_server.url)
    apply = [*terraform, "apply", "-no-color", "-auto-approve", "-input=false"]
    done = lab.exec("--as", "ec2", "--role", "web", "--isolated", "--", *apply)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "arn:aws:sts::111122223333:assumed-role/web/i-" in done.stdout


# -- signers ------------------------------------------------------------------------------------------------------


def post(url: str, headers: dict[str, str], body: str) -> dict:
    """Send what somebody signed, with the Host that they signed, asking for JSON."""
    request = urllib.request.Request(url, body.encode(), {**headers, "Accept": "application/json"}, method="POST")
    with urllib.request.urlopen(request) as answer:
        return json.load(answer)["GetCallerIdentityResponse"]["GetCallerIdentityResult"]


def run(command: list[str], aws, **more: str) -> dict:
    environment = {"PATH": os.environ["PATH"], **aws.env(user="alice"), **more}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def test_vaults_login_signs_for_awss_host_and_is_believed(aws, python):
    """Vault keeps the signed `Host: sts.amazonaws.com` while it connects elsewhere.

    Source: docs/aws/clients.md, "Host headers".
    """
    program = """
        import json, os
        from hvac import aws_utils
        import requests
        signer = aws_utils.SigV4Auth(os.environ["AWS_ACCESS_KEY_ID"], os.environ["AWS_SECRET_ACCESS_KEY"])
        request = aws_utils.generate_sigv4_auth_request(header_value="vault.example")
        signer.add_auth(request)
        print(json.dumps({"headers": dict(request.headers), "body": request.body}))"""
    signed = run([python, "-c", indented(program)], aws)
    assert signed["headers"]["Host"] == "sts.amazonaws.com"
    assert "x-vault-aws-iam-server-id" in signed["headers"]["Authorization"].lower()
    listener = aws._api("POST", "listeners", body={"kind": "world"})["url"]
    assert post(listener, signed["headers"], signed["body"])["Arn"].endswith(":user/alice")


def test_googles_library_signs_a_query_and_an_empty_body(aws, python):
    program = """
        import json, os
        from google.auth.aws import AwsSecurityCredentials, RequestSigner
        key = AwsSecurityCredentials(os.environ["AWS_ACCESS_KEY_ID"], os.environ["AWS_SECRET_ACCESS_KEY"])
        url = os.environ["TARGET"] + "/?Action=GetCallerIdentity&Version=2011-06-15"
        print(json.dumps(RequestSigner("us-east-1").get_request_options(key, url, "POST")))"""
    listener = aws._api("POST", "listeners", body={"kind": "world"})["url"]
    region_host = "https://sts.us-east-1.amazonaws.com"
    signed = run([python, "-c", indented(program)], aws, TARGET=region_host)
    url = signed["url"].replace(region_host, listener)
    assert post(url, signed["headers"], "")["Arn"].endswith(":user/alice")


def test_npms_aws4_signs(aws, tmp_path):
    if shutil.which("npm") is None:
        pytest.skip("no `npm` here")
    install = ["npm", "install", "--no-package-lock", "--no-audit", "--no-fund", "--silent", "aws4"]
    done = subprocess.run(install, cwd=tmp_path, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"`npm` cannot install aws4 here: {done.stderr.strip()[-200:]}")
    program = f"""
        const aws4 = require("aws4");
        const signed = aws4.sign({{service: "sts", method: "POST", host: process.env.SIGNED_HOST, body: "{FORM}"}});
        console.log(JSON.stringify(signed));"""
    listener = aws._api("POST", "listeners", body={"kind": "world"})["url"]
    host = urllib.parse.urlsplit(listener).netloc
    environment = {"PATH": os.environ["PATH"], **aws.env(user="alice"), "SIGNED_HOST": host}
    ran = subprocess.run(
        ["node", "-e", program], cwd=tmp_path, env=environment, capture_output=True, text=True, check=True
    )
    signed = json.loads(ran.stdout)
    assert post(listener, signed["headers"], signed["body"])["Arn"].endswith(":user/alice")
