"""`inspect`: evidence is read without a server, what the emulator sealed is opened by it."""

from __future__ import annotations

import base64
import io
import json
import shutil
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import quote_plus, urlsplit

import pytest

from sts_emulator import Aws
from sts_emulator.cli.main import main

EXAMPLES = Path(__file__).parents[2] / "trust_policies"
CERTS = Path(__file__).parents[2] / "certs"
DEVELOPER = "arn:aws:iam::111122223333:role/developer"


@pytest.fixture
def inspect(capsys, monkeypatch):
    """The command with the thing on standard input, and what it prints as data."""

    def command(thing: str | bytes, *arguments: str, code: int = 0):
        data = thing.encode() if isinstance(thing, str) else thing
        monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=io.BytesIO(data)))
        assert main(["inspect", "-", "--json", *arguments]) == code
        captured = capsys.readouterr()
        return captured.err if code else json.loads(captured.out)

    return command


def where(aws: Aws) -> tuple[str, ...]:
    return ("--port", str(urlsplit(aws.endpoint_url).port), "--world", aws.world)


def jwt(header: object, claims: object) -> str:
    parts = (base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode() for part in (header, claims))
    return f"{'.'.join(parts)}.c2ln"


def test_a_token_with_what_a_trust_policy_may_test(aws: Aws, inspect):
    told = inspect(aws.token("github", repo="acme/shop"))
    host = "token.actions.githubusercontent.com"
    assert told["a trust policy may test"] == {
        f"{host}:aud": "sts.amazonaws.com",
        f"{host}:sub": "repo:acme/shop:ref:refs/heads/main",
    }
    assert told["token"]["header"]["alg"] == "RS256"
    assert told["notes"] == ["its signature was not checked", "the issuer is that of `sts-emulator token github`"]


@pytest.mark.parametrize(
    ("header", "claims", "note"),
    [
        ({"alg": "none"}, {}, "it is not signed (`alg`): nobody accepts it"),
        ({"alg": "RS256"}, {"exp": 1}, "it expired "),
        ({"alg": "RS256"}, {"nbf": 9_999_999_999}, "it becomes valid in "),
        ({"alg": "RS256"}, {"iss": "https://x"}, "AssumeRoleWithWebIdentity needs sub, aud, iat, exp"),
        ({"alg": "RS256"}, {"exp": 10**300}, "AssumeRoleWithWebIdentity needs iss, sub, aud, iat"),
        ({"alg": ["x"]}, {"iss": 7, "exp": "soon", "nbf": True}, "AssumeRoleWithWebIdentity needs sub, aud, iat"),
    ],
)
def test_what_is_wrong_with_a_token(inspect, header, claims, note):
    assert any(told.startswith(note) for told in inspect(jwt(header, claims))["notes"])


def test_an_assertion_in_each_of_its_forms(aws: Aws, inspect):
    aws.load((EXAMPLES / "saml.yaml").read_text())
    encoded = aws.page("POST", "idp/corp/assertions", body={"user": "jane"})["SAMLResponse"]
    seen = [inspect(form) for form in (encoded, base64.b64decode(encoded), f"SAMLResponse={quote_plus(encoded)}&x=1")]
    assert seen[0] == seen[1] == seen[2]
    assert "https://aws.amazon.com/SAML/Attributes/Role" in seen[0]["assertion"]["attributes"]
    assert seen[0]["a trust policy may test"]["saml:aud"] == seen[0]["assertion"]["recipient"]


def test_an_assertion_that_sts_would_refuse(inspect):
    (_, note) = inspect("<Response/>")["notes"]
    assert note.startswith("STS would refuse its shape")


def test_certificates_as_roles_anywhere_sees_them(inspect, tmp_path: Path, capsys):
    shutil.copy(CERTS / "pki.yaml", tmp_path)
    assert main(["certs", "--folder", str(tmp_path)]) == 0
    capsys.readouterr()
    (leaf, *_) = [path for path in sorted(tmp_path.rglob("*.pem")) if b"BEGIN CERTIFICATE" in path.read_bytes()]
    told = inspect(leaf.read_bytes())["certificate"]
    assert told["subject"]
    assert len(told["serial"]) % 2 == 0


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----", "openssl x509 -noout -text` must read it"),
        ("-----BEGIN CERTIFICATE-----\nMII", "is a damaged certificate"),
        ("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----", "holds a private key; what proves"),
    ],
)
def test_what_is_no_whole_certificate_is_refused_with_the_next_step(content: str, told: str, tmp_path: Path, capsys):
    file = tmp_path / "leaf.pem"
    file.write_text(content)
    assert main(["inspect", str(file)]) == 2
    refused = capsys.readouterr().err
    assert refused.startswith(f"sts-emulator: {file}: ")
    assert told in refused


def test_a_folder_is_not_taken_for_a_token(tmp_path: Path, capsys):
    assert main(["inspect", str(tmp_path)]) == 2
    assert "is a folder; name a file in it" in capsys.readouterr().err


def test_a_session_is_opened_by_its_world_also_when_it_is_over(aws: Aws, inspect):
    answer = aws.client("sts", user="alice").assume_role(RoleArn=DEVELOPER, RoleSessionName="me")["Credentials"]
    answer["Expiration"] = str(answer["Expiration"])
    told = inspect(json.dumps({"Credentials": answer}), *where(aws))["session"]
    assert (told["name"], told["session_name"], told["is_over"]) == ("developer", "me", False)
    aws.advance(hours=2)
    told = inspect(answer["SessionToken"], "--access-key-id", answer["AccessKeyId"], *where(aws))["session"]
    assert told["is_over"] is True


def test_what_another_world_sealed_stays_closed(aws: Aws, emulator_server, inspect):
    with emulator_server.world() as other:
        answer = other.client("sts").get_session_token()["Credentials"]
    refused = inspect(answer["SessionToken"], "--access-key-id", answer["AccessKeyId"], *where(aws), code=1)
    assert "no session token of this world" in refused
    assert "a session token needs --access-key-id" in inspect(answer["SessionToken"], *where(aws), code=1)


def test_an_encoded_message_is_the_denial_that_it_tells_of(aws: Aws, inspect):
    ec2 = aws.client("ec2", user="bob")
    with pytest.raises(ec2.exceptions.ClientError) as denied:
        ec2.describe_iam_instance_profile_associations()
    encoded = str(denied.value).rpartition("message: ")[2]
    told = inspect(encoded, *where(aws))["message"]
    assert told["context"]["action"] == "ec2:DescribeIamInstanceProfileAssociations"


@pytest.mark.parametrize(
    "token",
    [
        "..",
        "a.b.c",
        f"{'x' * 9}.e30.",
        jwt({"alg": "RS256"}, []),
        jwt([], {}),
        jwt({"alg": "RS256"}, {"exp": float("nan")}),
    ],
)
def test_what_is_nearly_a_token(inspect, token):
    assert "its header and claims are not JSON objects" in inspect(token, code=2)


@pytest.mark.parametrize("text", ["", " \n"])
def test_a_file_that_holds_nothing_is_said_to(text: str, tmp_path: Path, capsys, inspect):
    file = tmp_path / "empty.json"
    file.write_text(text)
    assert main(["inspect", str(file)]) == 2
    assert f"{file}: holds nothing; name another file" in capsys.readouterr().err
    assert "(standard input): holds nothing" in inspect(text, code=2)


def test_what_is_too_long(inspect):
    assert "this is longer than whatever can be opened" in inspect("A" * 200_001, code=2)


@pytest.mark.parametrize("nonsense", ["hello there", "a.b.c d", "\0", "\N{SNOWMAN}"])
def test_what_is_nothing_of_all_that(inspect, nonsense):
    assert "this is no token, assertion, certificate" in inspect(nonsense, code=2)
