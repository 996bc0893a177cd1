"""The workbench: proofs made by a click, and tried on a role: by a real call, or supposed as an expectation says."""

from __future__ import annotations

from urllib.parse import urlencode

import pytest
from console_lab import DEPLOY, DEV, console, visit

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
    pair = page.tree.xpath("//select[@name='pair']/option/@value")[0]
    attempt = follow(aws, post(aws, "use", kind="assertion", pair=pair, text=made(page)))
    assert attempt.texts("//h1") == ["✓ allowed AssumeRoleWithSAML"]
    assert post(aws, "assertion", person="corp/nobody").status == 400


@pytest.mark.scenario(SAML)
def test_a_pools_user_signs_in(aws):
    user = visit(console(aws, "workbench")).tree.xpath("//select[@name='user']/option/@value")[0]
    page = post(aws, "sign-in", user=user)
    assert "cognito:username" in page.texts("//section[@id='made']//dt")
    assert post(aws, "sign-in", user="nobody/x").status == 400


def test_a_certificate_of_a_private_authority(aws):
    assert "no private authority" in visit(console(aws, "workbench")).text
    authority = aws.page("POST", "private-ca", body={"account": DEV})["arn"]
    page = post(aws, "certificate", authority=authority, cn="payroll", dns="payroll.example.com")
    assert made(page).startswith("-----BEGIN CERTIFICATE-----")
    assert "PRIVATE KEY" in made(page)


def test_each_way_into_a_role_is_one_click(aws):
    page = visit(console(aws, "workbench"))
    presets = dict(
        zip(
            page.texts("//ul[@class='presets']//button"),
            page.tree.xpath("//ul[@class='presets']//input/@value"),
            strict=True,
        )
    )
    assert f"user/alice becomes developer ({DEV})" in presets
    for words, expectation in presets.items():
        attempt = follow(aws, post(aws, "try", expectation=expectation))
        assert attempt.texts("//h1")[0].startswith("✓ allowed"), words
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
