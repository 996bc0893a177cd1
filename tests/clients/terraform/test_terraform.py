"""Terraform's AWS provider, unmodified: apply, a second plan without changes, a change, and a clean end."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

HERE = Path(__file__).parent

SCENARIO = 'accounts: {"111122223333": {}}\nsaml_idps: {corp: {}}'

pytestmark = [pytest.mark.clients, pytest.mark.scenario(SCENARIO)]


@pytest.fixture
def terraform(aws, tmp_path, terraform_plugins):
    """`terraform(arguments)` in a folder of its own, against the test's world; it answers with the exit code."""
    shutil.copy(HERE / "main.tf", tmp_path)
    (tmp_path / "metadata.xml").write_text(aws.page("GET", "idp/corp/metadata"))
    environment = {
        **aws.env(),
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "CHECKPOINT_DISABLE": "1",
        "TF_IN_AUTOMATION": "1",
    }

    def run(*arguments: str, good: tuple[int, ...] = (0,)) -> int:
        done = subprocess.run(
            ["terraform", *arguments, "-no-color"],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode in good, done.stdout + done.stderr
        return done.returncode

    run("init", f"-plugin-dir={terraform_plugins}", "-input=false")
    return run


def test_a_whole_life(aws, terraform):
    first, second = ["-var=description=one"], ["-var=description=two"]
    terraform("apply", "-auto-approve", "-input=false", *first)
    assert terraform("plan", "-detailed-exitcode", "-input=false", *first, good=(0, 2)) == 0, "drift after apply"

    role = aws.client("iam").get_role(RoleName="deploy")["Role"]
    assert (role["Path"], role["Description"], role["MaxSessionDuration"]) == ("/team/", "one", 7200)
    saml = aws.client("iam").list_saml_providers()["SAMLProviderList"]
    assert [each["Arn"] for each in saml] == ["arn:aws:iam::111122223333:saml-provider/corp"]

    assert terraform("plan", "-detailed-exitcode", "-input=false", *second, good=(0, 2)) == 2
    terraform("apply", "-auto-approve", "-input=false", *second)
    assert aws.client("iam").get_role(RoleName="deploy")["Role"]["Description"] == "two"
    assert terraform("plan", "-detailed-exitcode", "-input=false", *second, good=(0, 2)) == 0, "drift after change"

    terraform("destroy", "-auto-approve", "-input=false", *second)
    iam = aws.client("iam")
    assert not [each for each in iam.list_roles()["Roles"] if each["RoleName"] == "deploy"]
    assert not iam.list_saml_providers()["SAMLProviderList"]
    assert not [each for each in iam.list_users()["Users"] if each["UserName"] == "builder"]
