"""Terraform's AWS provider, unmodified: apply, a second plan without changes, a change, and a clean end."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

HERE = Path(__file__).parent
HOME, MANAGEMENT = "111122223333", "100000000001"

pytestmark = pytest.mark.clients


@pytest.fixture
def terraform(aws, tmp_path, terraform_plugins):
    """`terraform(folder, credentials)` in a folder of its own: a function of arguments that answers the exit code."""

    def initialised(folder: Path, credentials: dict | None = None):
        shutil.copy(folder / "main.tf", tmp_path)
        environment = {
            **aws.env(credentials),
            "PATH": os.environ["PATH"],
            "HOME": str(tmp_path),
            "CHECKPOINT_DISABLE": "1",
            "TF_IN_AUTOMATION": "1",
        }

        def run(*arguments: str, good: tuple[int, ...] = (0,)) -> int:
            command = ["terraform", *arguments, "-no-color"]
            done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
            assert done.returncode in good, done.stdout + done.stderr
            return done.returncode

        run("init", f"-plugin-dir={terraform_plugins}", "-input=false")
        return run

    return initialised


def live(run, first: list[str], second: list[str], check) -> None:
    """Apply, plan nothing, change, plan nothing, and destroy; `check(number)` looks at what there is after each apply."""
    for number, variables in enumerate((first, second)):
        if number:
            assert run("plan", "-detailed-exitcode", "-input=false", *variables, good=(0, 2)) == 2
        run("apply", "-auto-approve", "-input=false", *variables)
        assert run("plan", "-detailed-exitcode", "-input=false", *variables, good=(0, 2)) == 0, "drift"
        check(number)
    run("destroy", "-auto-approve", "-input=false", *second)


@pytest.mark.scenario(f"""
saml_idps: {{corp: {{}}}}
accounts: {{"{HOME}": {{}}}}
""")
def test_identities_live_a_whole_life(aws, terraform, tmp_path):
    (tmp_path / "metadata.xml").write_text(aws.page("GET", "idp/corp/metadata"))
    iam = aws.client("iam")

    def check(number: int) -> None:
        role = iam.get_role(RoleName="deploy")["Role"]
        assert (role["Path"], role["Description"], role["MaxSessionDuration"]) == (
            "/team/",
            ("one", "two")[number],
            7200,
        )
        assert iam.get_group(GroupName="developers")["Users"]

    variables = [[f"-var=description={word}"] for word in ("one", "two")]
    live(terraform(HERE), *variables, check)
    assert not [each for each in iam.list_roles()["Roles"] if each["RoleName"] in ("deploy", "federated")]
    assert not [each for each in iam.list_users()["Users"] if each["UserName"] == "builder"]
    assert not iam.list_saml_providers()["SAMLProviderList"]
    assert not iam.list_open_id_connect_providers()["OpenIDConnectProviderList"]


@pytest.mark.scenario(f"""
organization:
  management: "{MANAGEMENT}"
  service_control_policies: {{nothing-yet: [{{Effect: Deny, Action: "s3:*", Resource: "*"}}]}}
  accounts: {{"{MANAGEMENT}": {{}}, "{HOME}": {{}}}}
accounts: {{"{MANAGEMENT}": {{}}, "{HOME}": {{}}}}
""")
def test_an_organization_lives_a_whole_life(aws, terraform):
    payer = aws.credentials(account=MANAGEMENT)
    organizations = aws.client("organizations", payer)

    def check(number: int) -> None:
        policies = organizations.list_policies(Filter="SERVICE_CONTROL_POLICY")["Policies"]
        (guard,) = [each for each in policies if each["Name"] == "guard"]
        content = organizations.describe_policy(PolicyId=guard["Id"])["Policy"]["Content"]
        assert ("ec2:*", "sts:*")[number] in content
        (target,) = organizations.list_targets_for_policy(PolicyId=guard["Id"])["Targets"]
        assert target["Name"] == "sandbox"

    live(terraform(HERE / "organization", payer), ["-var=action=ec2:*"], ["-var=action=sts:*"], check)
    root = organizations.list_roots()["Roots"][0]["Id"]
    assert not organizations.list_organizational_units_for_parent(ParentId=root)["OrganizationalUnits"]
