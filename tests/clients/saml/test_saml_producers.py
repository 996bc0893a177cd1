"""Assertions by implementations that share no code with the verifier, exchanged by real clients.

Producers: npm's samlp (its own XML signatures, in JavaScript), pysaml2 (the command xmlsec1), signxml (lxml and
cryptography). Clients: boto3, the AWS CLI, and a browser's POST.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import httpx
import javascript
import pytest

HERE = Path(__file__).parent
sys.path.append(str(HERE.parents[1] / "methods" / "saml"))

from saml_maker import ISSUER, PERSISTENT, SIGN_IN, Ticket, identity, metadata, saml_response  # noqa: E402

ACCOUNT = "123456789012"
PROVIDER = f"arn:aws:iam::{ACCOUNT}:saml-provider/Corp"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/Reader"
AWS = "https://aws.amazon.com/SAML/Attributes/"
SCENARIO = f"""
accounts:
  "{ACCOUNT}":
    roles:
      Reader:
        trust:
          - Effect: Allow
            Principal: {{Federated: "{PROVIDER}"}}
            Action: ["sts:AssumeRoleWithSAML", "sts:TagSession"]
            Condition: {{StringEquals: {{"saml:aud": "{SIGN_IN}", "saml:iss": "{ISSUER}"}}}}
"""

pytestmark = pytest.mark.scenario(SCENARIO)


@pytest.fixture(scope="session")
def node() -> str:
    """Node, with npm's samlp installed beside `produce.mjs`."""
    javascript.installed(HERE)
    return "node"


def produced(command: list[str], wish: dict) -> str:
    done = subprocess.run(command, input=json.dumps(wish), capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def samlp(node):
    return lambda **wish: produced([node, str(HERE / "produce.mjs")], described(**wish))


@pytest.fixture
def pysaml2():
    if shutil.which("xmlsec1") is None:
        pytest.skip("the command xmlsec1, with which pysaml2 signs, is not on this machine")
    command = [sys.executable, "-W", "ignore", str(HERE / "pysaml2_idp.py")]
    return lambda **wish: produced(command, described(**wish))


@pytest.fixture
def signxml():
    def make(attributes=None, **_) -> str:
        given = dict(attributes or ATTRIBUTES)
        ticket = Ticket(subject="jane@corp.test", name_format=PERSISTENT, roles=(), session_name=None)
        return saml_response(ticket, attributes=given)

    return make


ATTRIBUTES = {
    f"{AWS}Role": [f"{ROLE},{PROVIDER}"],
    f"{AWS}RoleSessionName": ["jane"],
    f"{AWS}PrincipalTag:team": ["platform"],
}


def described(**wish) -> dict:
    """What a producer is to say, with the key that the provider's metadata names."""
    return {
        "key": identity().key_pem.decode(),
        "certificate": identity().certificate_pem.decode(),
        "issuer": ISSUER,
        "audience": "urn:amazon:webservices",
        "recipient": SIGN_IN,
        "subject": "jane@corp.test",
        "attributes": ATTRIBUTES,
        **wish,
    }


@pytest.fixture(params=["samlp", "pysaml2", "signxml"])
def producer(request):
    return request.getfixturevalue(request.param)


@pytest.fixture(autouse=True)
def provider(aws):
    aws.client("iam").create_saml_provider(Name="Corp", SAMLMetadataDocument=metadata(identity().certificate_text))


def exchange(aws, assertion: str):
    from botocore import UNSIGNED
    from botocore.config import Config

    sts = aws.client("sts", config=Config(signature_version=UNSIGNED))
    return sts.assume_role_with_saml(RoleArn=ROLE, PrincipalArn=PROVIDER, SAMLAssertion=assertion)


def test_boto3_exchanges_it(aws, producer):
    result = exchange(aws, producer())

    assert result["Subject"] == "jane@corp.test"
    assert result["SubjectType"] == "persistent"
    assert result["Issuer"] == ISSUER
    assert result["Audience"] == SIGN_IN
    assert aws.client("sts", result["Credentials"]).get_caller_identity()["Arn"].endswith("assumed-role/Reader/jane")


def test_roles_in_the_other_order(aws, producer):
    attributes = {**ATTRIBUTES, f"{AWS}Role": [f"{PROVIDER},{ROLE}"]}

    assert exchange(aws, producer(attributes=attributes))["Subject"] == "jane@corp.test"


@pytest.mark.parametrize("name", ["samlp", "pysaml2"])
def test_signed_on_the_response_too(aws, request, name):
    produce = request.getfixturevalue(name)

    assert exchange(aws, produce(signResponse=True))["Subject"] == "jane@corp.test"


@pytest.mark.parametrize("name", ["samlp", "pysaml2"])
def test_another_key_is_refused(aws, request, name):
    producer = request.getfixturevalue(name)
    mallory = identity("mallory")
    assertion = producer(key=mallory.key_pem.decode(), certificate=mallory.certificate_pem.decode())

    with pytest.raises(Exception, match="Response signature invalid"):
        exchange(aws, assertion)


@pytest.mark.parametrize("algorithm", ["2009/xmlenc11#aes128-gcm", "2009/xmlenc11#aes256-gcm"])
def test_encrypted_by_samlp(aws, samlp, algorithm):
    from cryptography.hazmat.primitives import serialization

    ours = identity("decryption")
    aws.client("iam").update_saml_provider(
        SAMLProviderArn=PROVIDER, AssertionEncryptionMode="Required", AddPrivateKey=ours.key_pem.decode()
    )
    public = ours.key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    assertion = samlp(
        encryptFor={
            "certificate": ours.certificate_pem.decode(),
            "publicKey": public.decode(),
            "algorithm": f"http://www.w3.org/{algorithm}",
        }
    )

    assert exchange(aws, assertion)["Subject"] == "jane@corp.test"


def test_the_aws_cli_exchanges_it(aws, producer, tmp_path):
    (tmp_path / "assertion").write_text(producer())
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), **aws.env()}
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        environment.pop(name, None)
    command = [str(Path(sys.executable).parent / "aws"), "sts", "assume-role-with-saml", "--output", "json"]
    command += ["--role-arn", ROLE, "--principal-arn", PROVIDER, "--saml-assertion", f"file://{tmp_path / 'assertion'}"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)

    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["AssumedRoleUser"]["Arn"] == f"arn:aws:sts::{ACCOUNT}:assumed-role/Reader/jane"


def test_a_browser_posts_it(aws, producer):
    page = httpx.post(f"{aws.endpoint_url}/saml", data={"SAMLResponse": producer()})

    assert page.status_code == 200
    assert f"arn:aws:sts::{ACCOUNT}:assumed-role/Reader/jane" in page.text
