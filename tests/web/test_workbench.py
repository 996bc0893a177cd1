"""The workbench: proofs made by a click, and tried on a role: by a real call, or supposed as an expectation says."""

from __future__ import annotations

import shutil
from pathlib import Path
from urllib.parse import urlencode

import pytest
from console_lab import DEPLOY, DEV, console, visit

from sts_emulator.cli.main import main

EXAMPLES = Path(__file__).parents[2] / "trust_policies"
CERTS = Path(__file__).parents[2] / "certs"
START_URL = "https://d-9067000000.awsapps.com/start"

SAML = """
saml_idps:
  corp:
    groups: {engineers: ["arn:aws:iam::111122223333:role/Developer"]}
    users: {jane: {groups: [engineers], email: jane@corp.test}}
accounts:
  "111122223333":
    saml_providers: {corp: {idp: corp}}
    roles:
      Developer:
        trust:
          - Effect: Allow
            Principal: {Federated: "arn:aws:iam::111122223333:saml-provider/corp"}
            Action: sts:AssumeRoleWithSAML
            Condition: {StringEquals: {"SAML:aud": "https://signin.aws.amazon.com/saml"}}
    user_pools:
      shop:
        clients: {web: {}}
        users: {jane: {password: "Correct-horse-1"}}
"""


def post(aws, path: str, **fields: str):
    return visit(console(aws, f"workbench/{path}"), urlencode(fields).encode())


def follow(aws, answer):
    assert answer.status == 302, answer.text
    return visit(aws.endpoint_url.partition("/w/")[0] + answer.headers["location"])


def made(page) -> str:
    return page.tree.xpath("string(//pre[@id='made-text'])")


def test_a_token_is_made_decoded_and_used(aws):
    page = post(aws, "token", issuer="github", claims="repo = acme/shop\nref = refs/heads/main\nextra = [1, 2]")
    assert "[1, 2]" in page.texts("//section[@id='made']//dd")
    attempt = follow(aws, post(aws, "use", kind="token", role=DEPLOY, text=made(page)))
    assert attempt.texts("//h1") == ["✓ allowed AssumeRoleWithWebIdentity"]
    assert "WebIdentityToken: the token's claims" in attempt.texts("//summary")


def test_another_branch_is_refused_and_the_attempt_says_why(aws):
    token = made(post(aws, "token", issuer="github", claims="ref = refs/heads/x"))
    attempt = follow(aws, post(aws, "use", kind="token", role=DEPLOY, text=token))
    assert attempt.texts("//h1") == ["✗ denied AssumeRoleWithWebIdentity"]


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"issuer": "nobody", "claims": ""}, "no issuer `nobody`"),
        ({"issuer": "github", "claims": "no equals"}, "write `name = value`"),
        ({"issuer": "github", "claims": "expires_in = long"}, "an option cannot be used"),
    ],
)
def test_tokens_that_cannot_be_made(aws, fields, told):
    page = post(aws, "token", **fields)
    assert page.status == 400
    assert told in page.texts("//*[@id='wrong']")[0]


@pytest.mark.scenario(SAML)
def test_an_assertion_is_made_and_used(aws):
    page = post(aws, "assertion", person="corp/jane")
    assert "<saml" in page.tree.xpath("string(//section[@id='made'])")
    role = page.texts("//select[@name='role']/option")[0]
    attempt = follow(aws, post(aws, "use", kind="assertion", idp="corp", role=role, text=made(page)))
    assert attempt.texts("//h1") == ["✓ allowed AssumeRoleWithSAML"]
    assert post(aws, "assertion", person="corp/nobody").status == 400


@pytest.mark.scenario(SAML)
def test_a_pools_user_signs_in(aws):
    user = visit(console(aws, "workbench")).tree.xpath("//select[@name='user']/option/@value")[0]
    page = post(aws, "sign-in", user=user)
    assert "cognito:username" in page.texts("//section[@id='made']//dt")
    assert post(aws, "sign-in", user="nobody/x").status == 400


def with_authority(aws):
    """Load what the page says to load where there is no authority, as a reader does."""
    page = visit(console(aws, "workbench"))
    assert "no private authority" in page.texts("//p[@id='no-authority']")[0]
    aws.load(page.tree.xpath("string(//pre[@id='authority-scenario'])"))


def certificate(aws, **wish: str):
    page = visit(console(aws, "workbench"))
    return post(aws, "certificate", authority=page.tree.xpath("//select[@name='authority']/option")[0].text, **wish)


def use_certificate(aws, page, role: str = "", **changed: str):
    """The first that is offered of everything, as a click on the button takes it."""
    first = {
        name: page.tree.xpath(f"//section[@id='made']//select[@name='{name}']/option/@value")[0]
        for name in ("anchor", "profile")
    }
    role = role or page.texts("//section[@id='made']//select[@name='role']/option")[0]
    return follow(
        aws, post(aws, "use", **{"kind": "certificate", "text": made(page), **first, "role": role, **changed})
    )


def test_a_certificate_is_made_and_gets_a_session(aws):
    with_authority(aws)
    page = certificate(aws, subject="CN = workload\nO = Shop", dns="payroll.example.com, payroll", uri="spiffe://lab/x")
    assert made(page).startswith("-----BEGIN CERTIFICATE-----")
    assert "PRIVATE KEY" in made(page)
    assert "CN=workload" in page.texts("//section[@id='made']//dd")[0]
    attempt = use_certificate(aws, page)
    assert attempt.texts("//h1") == ["✓ allowed CreateSession"]
    assert "X-Amz-X509: the certificate" in attempt.texts("//summary")
    assert "no token, assertion, certificate or signature was checked" not in attempt.text


def test_a_certificate_is_refused_as_it_would_be(aws):
    with_authority(aws)
    stranger = certificate(aws, subject="CN = stranger")
    refused = use_certificate(aws, stranger)
    assert refused.texts("//h1") == ["✗ denied CreateSession"]
    (decided,) = refused.texts("//p[@id='decided']")
    assert decided == "Decided by trust policy: aws:PrincipalTag/x509Subject/CN is stranger"
    assert "the profile does not list" in use_certificate(aws, stranger, DEPLOY).text
    missing = f"arn:aws:rolesanywhere:us-east-1:{DEV}:trust-anchor/11111111-1111-4111-8111-111111111111"
    assert "there is no trust anchor" in use_certificate(aws, stranger, anchor=missing).text
    assert use_certificate(aws, stranger, anchor="").texts("//h1") == ["✗ failed CreateSession"]
    key = made(certificate(aws)).partition("-----BEGIN PRIVATE")[2]
    mixed = made(stranger).partition("-----BEGIN PRIVATE")[0] + "-----BEGIN PRIVATE" + key
    assert "the key is not that of the first certificate" in post(aws, "use", kind="certificate", text=mixed).text


@pytest.mark.parametrize(("name", "authority"), [("web-01", "lab-root"), ("vault-01", "post-quantum-root")])
def test_a_certificate_of_a_lab_authority_is_pasted(aws, tmp_path, name, authority):
    shutil.copy(CERTS / "pki.yaml", tmp_path)
    assert main(["certs", "--folder", str(tmp_path)]) == 0
    root = (tmp_path / f"{authority}.pem").read_text()
    anywhere = aws.client("rolesanywhere", region_name="us-east-1")
    source = {"sourceType": "CERTIFICATE_BUNDLE", "sourceData": {"x509CertificateData": root}}
    with_authority(aws)
    anchor = anywhere.create_trust_anchor(name="pki", source=source, enabled=True)["trustAnchor"]["trustAnchorArn"]
    files = [tmp_path / f"{name}{end}" for end in (".pem", ".chain.pem", ".key")]
    pem = "".join(file.read_text() for file in files if file.exists())
    page = post(aws, "certificate", pem=pem)
    attempt = use_certificate(aws, page, anchor=anchor)
    assert attempt.texts("//h1")[0].endswith("CreateSession")
    assert "Untrusted" not in attempt.text
    (decided,) = attempt.texts("//p[@id='decided']")
    assert decided == f"Decided by trust policy: aws:PrincipalTag/x509Subject/CN is {name}.lab.example"


@pytest.mark.parametrize(
    "pem", ["nonsense", "-----BEGIN CERTIFICATE-----\n", "A" * 65_000, "-----BEGIN PRIVATE KEY-----"]
)
def test_what_is_no_certificate_with_a_key(aws, pem):
    assert "paste a certificate and its private key" in post(aws, "certificate", pem=pem).texts("//*[@id='wrong']")[0]


def test_a_person_signs_in_and_gets_a_permission_set(aws):
    page = post(aws, "person", **hidden(visit(console(aws, "workbench")), "jane"))
    sets = page.texts("//select[@name='set']/option")
    assert sets[0] == f"{DEV}/Developer"
    assert f"{DEV}/ReadOnly (not assigned)" in sets
    given = follow(aws, post(aws, "use", kind="access token", text=made(page), set=f"{DEV}/Developer"))
    assert given.texts("//h1") == ["✓ allowed GetRoleCredentials"]
    refused = follow(aws, post(aws, "use", kind="access token", text=made(page), set=f"{DEV}/ReadOnly"))
    assert refused.texts("//h1") == ["✗ denied GetRoleCredentials"]
    assert "no user `nobody`" in post(aws, "person", person="nobody", start_url=START_URL).text
    assert post(aws, "person", person="jane", start_url="https://x.test/").status == 400


def test_a_fault_of_the_world_hits_what_the_workbench_calls(aws):
    text = made(post(aws, "token", issuer="github", claims="repo = acme/shop\nref = refs/heads/main"))
    aws.faults({"service": "sso-oidc", "code": "SlowDownException"}, {"service": "sts", "answer": "drop"})
    refused = post(aws, "person", person="jane", start_url=START_URL)
    assert refused.status == 400
    assert refused.texts("//*[@id='wrong']")[0].startswith("/client/register: ")
    assert follow(aws, post(aws, "use", kind="token", role=DEPLOY, text=text)).status in (200, 404)


@pytest.mark.scenario((EXAMPLES / "cognito.yaml").read_text())
def test_a_pools_user_gets_the_role_that_an_identity_pool_chooses(aws):
    page = post(aws, "sign-in", **hidden(visit(console(aws, "workbench")), "ana of phone-app"))
    (pool,) = page.tree.xpath("//select[@name='pool']/option/@value")
    provider = page.tree.xpath("//input[@name='provider']/@value")[0]
    given = follow(aws, post(aws, "use", kind="id token", text=made(page), pool=pool, provider=provider))
    assert given.texts("//h1") == ["✓ allowed GetCredentialsForIdentity"]
    assert "PhonePremium" in given.text


def hidden(page, button: str) -> dict[str, str]:
    """The fields that a button of one click sends."""
    (form,) = page.tree.xpath(f"//ul[@class='presets']//form[normalize-space(button)='{button}']")
    return {field.get("name"): field.get("value") for field in form.xpath("input")}


@pytest.mark.parametrize(
    ("name", "kinds"),
    [
        ("default", ["Tokens", "People of Identity Center", "What the scenario expects", "Ways into roles"]),
        ("github-actions", ["Tokens", "What the scenario expects", "Ways into roles"]),
        ("saml", ["Assertions", "What the scenario expects"]),
        ("cognito", ["Users of pools", "What the scenario expects", "Ways into roles"]),
    ],
)
def test_what_a_scenario_names_is_one_click(emulator_server, name, kinds):
    with emulator_server.world((EXAMPLES / f"{name}.yaml").read_text()) as aws:
        page = visit(console(aws, "workbench"))
        assert [title for title in page.texts("//section//details[ul]/summary") if title in kinds] == kinds
        for group in page.tree.xpath("//ul[@class='presets']"):
            for form in group.xpath(".//form")[:12]:
                title, words = group.get("aria-label"), form.xpath("string(button)")
                fields = {field.get("name"): field.get("value") for field in form.xpath("input")}
                answer = post(aws, form.get("action").rpartition("/")[2], **fields)
                if not form.get("action").endswith("/try"):
                    assert answer.status == 200, (title, words)
                    assert made(answer), (title, words)
                    continue
                attempt = follow(aws, answer)
                allowed = title == "Ways into roles" or words.endswith("(allow)")
                assert attempt.texts("//h1")[0].startswith("✓ allowed" if allowed else "✗"), words
                assert "no token, assertion, certificate or signature was checked" in attempt.text


def test_a_supposed_request_may_be_refused(aws):
    attempt = follow(aws, post(aws, "try", expectation="- {assume: developer, caller: {user: bob}}"))
    assert attempt.texts("//h1") == ["✗ denied AssumeRole"]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "- {assume: nobody, caller: {user: alice}}",
        "- {assume: developer, caller: {user: nobody}}",
        "- {assume: developer, caller: {user: alice}, time: '2030-01-01T00:00:00Z'}",
        "- {may: 's3:GetObject on *', caller: {user: alice}}",
        "- {assume: developer, caller: {user: alice}}\n- {assume: developer, caller: {user: bob}}",
        "- {assume: developer}\naccounts: {}",
    ],
)
def test_what_cannot_be_tried(aws, text):
    page = post(aws, "try", expectation=text)
    assert page.status == 400
    assert page.texts("//*[@id='wrong']")[0]
