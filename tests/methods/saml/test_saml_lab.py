"""The lab identity provider: from a scenario, through the command line, and what it signs as others see it."""

from __future__ import annotations

import base64
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

import httpx
import pytest
from botocore.exceptions import ClientError
from lxml import etree
from saml_maker import AWS, NS, A

from sts_emulator.cli.errors import CommandError
from sts_emulator.cli.main import main

ACCOUNT = "111122223333"
DEVELOPER = f"arn:aws:iam::{ACCOUNT}:role/Developer"
PROVIDER = f"arn:aws:iam::{ACCOUNT}:saml-provider/Company"
LAB = f"""
saml_idps:
  corp:
    provider: Company
    groups: {{engineers: "{DEVELOPER}"}}
    users:
      jane:
        groups: engineers
        roles: "arn:aws:iam::{ACCOUNT}:role/Reader"
        email: jane@corp.test
        session_name: jane@corp.test
        session_duration: 1800
        source_identity: jane
        tags: {{team: platform}}
        transitive: team
        attributes: {{"urn:oid:1.3.6.1.4.1.5923.1.1.1.1": [staff, member]}}
accounts:
  "{ACCOUNT}":
    saml_providers:
      Company: {{idp: corp, strict: true}}
    roles:
      Developer:
        trust:
          - Effect: Allow
            Principal: {{Federated: "{PROVIDER}"}}
            Action: ["sts:AssumeRoleWithSAML", "sts:TagSession", "sts:SetSourceIdentity"]
            Condition:
              StringEquals: {{"saml:mail": jane@corp.test}}
              "ForAnyValue:StringEquals": {{"saml:edupersonaffiliation": staff}}
"""
pytestmark = pytest.mark.scenario(LAB)


def command(aws, *arguments: str) -> list[str]:
    port = urlsplit(aws.endpoint_url).port
    return ["saml", "assert", *arguments, "--port", str(port), "--world", aws.world]


@pytest.fixture
def printed(aws, capsys):
    def run(*arguments: str) -> str:
        assert main(command(aws, *arguments)) == 0
        return capsys.readouterr().out.strip()

    return run


def exchange(aws, assertion: str):
    return aws.client("sts").assume_role_with_saml(RoleArn=DEVELOPER, PrincipalArn=PROVIDER, SAMLAssertion=assertion)


def test_what_the_command_prints_is_exchanged(aws, printed):
    result = exchange(aws, printed("--user", "jane", "--role", "Developer"))

    assert result["AssumedRoleUser"]["Arn"] == f"arn:aws:sts::{ACCOUNT}:assumed-role/Developer/jane@corp.test"
    assert result["SourceIdentity"] == "jane"
    assert result["PackedPolicySize"] > 0


def test_a_strict_provider_takes_it_once(aws, printed):
    once = printed("--user", "jane")
    exchange(aws, once)

    with pytest.raises(ClientError, match="Response has been used before"):
        exchange(aws, once)


@pytest.mark.parametrize("kind", ["file", "postgres"])
def test_of_two_replicas_one_takes_an_assertion(serve, request, tmp_path, capsys, kind):
    """Both are shown it at the same moment, as behind a balancer, where they have one name."""
    state = str(tmp_path / "state") if kind == "file" else request.getfixturevalue("postgres").database()
    (tmp_path / "world.yaml").write_text(LAB)
    flags = ("--state", state, "--scenario", str(tmp_path / "world.yaml"))
    call = {"Action": "AssumeRoleWithSAML", "Version": "2011-06-15", "RoleArn": DEVELOPER, "PrincipalArn": PROVIDER}
    with serve(*flags) as (first, _), serve(*flags) as (second, _), ThreadPoolExecutor(2) as threads:
        host = urlsplit(first)

        def shown(to: str, assertion: str) -> bool:
            form = {**call, "SAMLAssertion": assertion}
            answer = httpx.post(to, data=form, headers={"host": host.netloc}, timeout=60)
            assert answer.status_code == 200 or "Response has been used before" in answer.text
            return answer.status_code == 200

        for _ in range(10):
            assert main(["saml", "assert", "--user", "jane", "--port", str(host.port)]) == 0
            assertion = capsys.readouterr().out.strip()
            assert sorted(threads.map(shown, (first, second), [assertion] * 2)) == [False, True]
            assert not shown(second, assertion)


def test_everything_can_be_said_otherwise(printed):
    text = printed(
        *("--user", "jane", "--idp", "corp", "--role", DEVELOPER, "--session-name", "x1", "--session-duration", "900"),
        *("--source-identity", "other", "--tag", "a=1", "--tag", "b=2", "--transitive", "a", "--audience", "urn:x"),
        *("--recipient", "https://x.test/", "--expires-in", "60", "--xml"),
    )
    assertion = etree.fromstring(text).find(f"{A}Assertion")
    attributes = {
        attribute.get("Name").removeprefix(AWS): [value.text for value in attribute]
        for attribute in assertion.iter(f"{A}Attribute")
    }

    assert attributes["Role"] == [f"{DEVELOPER},{PROVIDER}"]
    assert attributes["RoleSessionName"] == ["x1"]
    assert attributes["SessionDuration"] == ["900"]
    assert attributes["SourceIdentity"] == ["other"]
    assert (attributes["PrincipalTag:a"], attributes["PrincipalTag:b"]) == (["1"], ["2"])
    assert attributes["TransitiveTagKeys"] == ["a"]
    assert assertion.findtext(f".//{A}Audience") == "urn:x"
    assert assertion.find(f".//{A}SubjectConfirmationData").get("Recipient") == "https://x.test/"


def test_pairs(printed):
    assert printed("--user", "jane", "--pairs").splitlines() == [
        f"arn:aws:iam::{ACCOUNT}:role/Reader {PROVIDER}",
        f"{DEVELOPER} {PROVIDER}",
    ]


@pytest.mark.parametrize(
    ("arguments", "code", "complaint"),
    [
        (["--user", "nobody"], 1, "no user `nobody` in `corp`; there are jane"),
        (["--user", "jane", "--role", "Admin"], 1, "`jane` does not have the role `Admin`"),
        (["--user", "jane", "--idp", "none"], 1, "no identity provider `none`"),
        (["--user", "jane", "--tag", "x"], 2, "--tag takes KEY=VALUE, got `x`"),
    ],
)
def test_what_the_command_cannot_do(aws, capsys, arguments, code, complaint):
    assert main(command(aws, *arguments)) == code
    assert complaint in capsys.readouterr().err


def test_another_implementation_verifies_what_the_lab_signs(aws):
    from signxml import SignatureConfiguration, XMLVerifier

    made = aws.page("POST", "idp/corp/assertions", body={"user": "jane"})["SAMLResponse"]
    metadata = etree.fromstring(aws.page("GET", "idp/corp/metadata").encode())
    certificate = metadata.findtext(f".//{{{NS['ds']}}}X509Certificate")
    assertion = etree.fromstring(base64.b64decode(made)).find(f"{A}Assertion")

    verified = XMLVerifier().verify(
        etree.tostring(assertion),
        x509_cert=certificate,
        id_attribute="ID",
        expect_config=SignatureConfiguration(location="./"),
    )
    assert verified.signed_xml.find(f".//{A}NameID").text == "jane"


def test_what_the_lab_writes_fits_the_schema_of_saml(aws):
    from onelogin.saml2.xml_utils import OneLogin_Saml2_XML

    made = aws.page("POST", "idp/corp/assertions", body={"user": "jane"})["SAMLResponse"]
    checked = OneLogin_Saml2_XML.validate_xml(
        etree.fromstring(base64.b64decode(made)), "saml-schema-protocol-2.0.xsd", debug=True
    )

    assert not isinstance(checked, str)


def test_a_scenario_applies_twice(aws, printed):
    before = aws.page("GET", "idp/corp/metadata")
    aws.load(LAB.replace("strict: true", "strict: false"))
    once = printed("--user", "jane")

    assert aws.page("GET", "idp/corp/metadata") == before
    assert exchange(aws, once)["Subject"] == exchange(aws, once)["Subject"] == "jane"


@pytest.mark.parametrize(
    ("scenario", "complaint"),
    [
        ("saml_idps: {Corp: {}}", "scenario:1: identity provider `Corp`: names are lower-case"),
        ("saml_idps: {corp: {users: {jane: {groups: x}}}}", "user `jane`: no group `x`"),
        ("saml_idps: {corp: {groups: {x: Developer}}}", "`Developer` is not the ARN of a role"),
        ('accounts: {"111122223333": {saml_providers: {X: {}}}}', "a SAML provider needs `metadata` or an `idp`"),
        ('accounts: {"111122223333": {saml_providers: {X: {idp: NO}}}}', "names are lower-case"),
        ('accounts: {"111122223333": {saml_providers: {X: {metadata: short}}}}', "SAML provider `X`: ValidationError"),
    ],
)
def test_mistakes_in_a_scenario(aws, scenario, complaint):
    with pytest.raises(CommandError) as caught:
        aws.load(scenario)
    assert complaint in str(caught.value)
