"""The explorer: what is there, who can become whom, and a trust policy edited, checked, saved and downloaded."""

from __future__ import annotations

import json
import subprocess
import sys
from urllib.parse import quote, urlencode

import pytest
from botocore.exceptions import ClientError
from console_lab import DEPLOY, DEV, RELEASE, console, deploy, visit, window

ANY_BRANCH = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Principal": {"Federated": f"arn:aws:iam::{DEV}:oidc-provider/token.actions.githubusercontent.com"},
            "Action": "sts:AssumeRoleWithWebIdentity",
            "Condition": {
                "StringEquals": {"token.actions.githubusercontent.com:aud": "sts.amazonaws.com"},
                "StringLike": {"token.actions.githubusercontent.com:sub": "repo:acme/shop:*"},
            },
        }
    ],
}


def role(aws, arn: str):
    return visit(console(aws, f"explorer/role?arn={quote(arn)}"))


def post(aws, path: str, trust: object, arn: str = DEPLOY):
    text = trust if isinstance(trust, str) else json.dumps(trust)
    return visit(console(aws, path), urlencode({"arn": arn, "trust": text}).encode())


def test_everything_of_an_account_is_listed(aws):
    page = visit(console(aws, "explorer"))
    (dev,) = page.texts(f"//section[@id='account-{DEV}']")
    for name in ("alice", "developers", "github-deploy", "token.actions.githubusercontent.com", "app-server"):
        assert name in dev
    assert any("jane" in text and "Developer" in text for text in page.texts("//section//table//tr"))


def test_an_empty_world_says_how_to_fill_it(emulator_server):
    with emulator_server.world("accounts: {}") as fresh:
        assert "There is no account" in visit(console(fresh, "explorer")).text


def test_who_can_become_a_role_and_what_it_takes(aws):
    page = role(aws, RELEASE)
    rows = page.texts("//div[@aria-label='Who']//tbody/tr")
    assert any("role/github-deploy" in row and "acme-release" in row for row in rows)
    assert any("token.actions.githubusercontent.com" in row and DEPLOY in row for row in rows)
    links = page.tree.xpath("//*[local-name()='svg']//*[local-name()='a']/@href")
    assert f"/w/{aws.world}/_emulator/explorer/role?arn={quote(RELEASE, safe='')}#statement-0" in links
    assert page.tree.xpath("//pre[@id='statement-0']")
    assert "migrate-database" in " ".join(page.texts("//div[@aria-label='Role']//tbody/tr"))
    assert role(aws, "arn:aws:iam::111122223333:role/nobody").status == 404


def test_an_edited_policy_is_judged_before_it_is_saved(aws):
    deploy(aws, "refs/heads/feature")
    page = post(aws, "explorer/role", ANY_BRANCH)
    assert any("gains" in text for text in page.texts("//ul[@id='witnesses']/li"))
    (flip,) = page.texts("//ul[@id='attempts-otherwise']/li")
    assert "repo:acme/shop:ref:refs/heads/feature: denied → allowed" in flip
    assert deploy(aws, "refs/heads/feature") is None

    assert post(aws, "explorer/role/save", ANY_BRANCH).status == 302
    assert deploy(aws, "refs/heads/feature")
    assert aws.events()[-2]["eventName"] == "UpdateAssumeRolePolicy"


@pytest.mark.parametrize("trust", ["{", '{"Version": "2012-10-17", "Statement": []}', "<script>alert(1)</script>", ""])
def test_a_policy_that_iam_would_not_save(aws, trust):
    assert "IAM would not save it" in post(aws, "explorer/role", trust).text
    refused = post(aws, "explorer/role/save", trust)
    assert refused.status == 400
    assert refused.texts("//*[@id='wrong']")[0].startswith("MalformedPolicyDocument" if trust else "ValidationError")
    assert deploy(aws, "refs/heads/main")


def test_a_reserved_role_stays_as_it_is(aws):
    reserved = next(
        known["Arn"] for known in aws.client("iam").list_roles()["Roles"] if "AWSReservedSSO" in known["RoleName"]
    )
    assert post(aws, "explorer/role/save", ANY_BRANCH, reserved).status == 400


def test_the_download_is_a_scenario(aws, tmp_path):
    answer = post(aws, "explorer/role/download", ANY_BRANCH)
    assert answer.headers["content-disposition"] == 'attachment; filename="github-deploy.yaml"'
    (tmp_path / "role.yaml").write_text(answer.text)
    ended = subprocess.run(
        [sys.executable, "-m", "sts_emulator", "lint", str(tmp_path / "role.yaml")],
        check=False,
        capture_output=True,
        text=True,
    )
    assert "github-deploy" in ended.stdout, ended.stdout + ended.stderr


def test_lint_and_consequences_come_while_typing(aws, chromium):
    deploy(aws, "refs/heads/feature")
    page = window(chromium)
    page.goto(console(aws, f"explorer/role?arn={quote(DEPLOY)}"))
    page.fill("#trust", json.dumps(ANY_BRANCH))
    page.wait_for_selector("#attempts-otherwise >> text=denied → allowed")
    page.fill("#trust", "{")
    page.wait_for_selector("#refused")
    page.click(".picture a")
    page.wait_for_url("**#statement-0")
    assert page.complaints == []
    with pytest.raises(ClientError):
        aws.client("iam").get_role(RoleName="nobody")
