"""Terraform's AWS provider, unmodified: apply, a second plan without changes, a change, and a clean end."""

from __future__ import annotations

import datetime as dt
import json
import os
import shutil
import subprocess
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

HERE = Path(__file__).parent
HOME, MANAGEMENT = "111122223333", "100000000001"


CYCLES = 5
CALLERS = 2


@pytest.fixture
def terraform(aws, tmp_path, terraform_plugins):
    """`terraform(folder, credentials)` in a folder of its own: a function of arguments that answers the exit code.

    `profile`: the variables that lead to a profile, instead of keys.
    """

    def initialised(folder: Path, credentials: dict | None = None, profile: dict | None = None):
        shutil.copy(folder / "main.tf", tmp_path)
        environment = {
            "HOME": str(tmp_path),
            **(profile or aws.env(credentials)),
            "PATH": os.environ["PATH"],
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
accounts:
  "{HOME}":
    user_pools: {{search: {{id: us-east-1_Search1, clients: {{AmazonOpenSearchService-search: {{}}}}}}}}
""")
def test_a_user_pool_lives_a_whole_life(aws, terraform, tmp_path):
    (tmp_path / "metadata.xml").write_text(aws.page("GET", "idp/corp/metadata"))
    cognito = aws.client("cognito-idp")
    found = cognito.list_user_pool_clients(UserPoolId="us-east-1_Search1")["UserPoolClients"][0]
    search = {"UserPoolId": found["UserPoolId"], "ClientId": found["ClientId"]}

    def check(number: int) -> None:
        pool = next(
            pool["Id"] for pool in cognito.list_user_pools(MaxResults=60)["UserPools"] if pool["Name"] == "shop"
        )
        clients = cognito.list_user_pool_clients(UserPoolId=pool)["UserPoolClients"]
        client = next(client["ClientId"] for client in clients if client["ClientName"] == "web")
        told = cognito.describe_user_pool_client(UserPoolId=pool, ClientId=client)["UserPoolClient"]
        assert told["AccessTokenValidity"] == (10, 20)[number]
        members = cognito.list_users_in_group(UserPoolId=pool, GroupName="staff")["Users"]
        ranges = cognito.describe_risk_configuration(UserPoolId=pool)["RiskConfiguration"]
        assert ranges["RiskExceptionConfiguration"]["BlockedIPRangeList"] == [
            ("192.0.2.0/24", "198.51.100.0/24")[number]
        ]
        provider = cognito.describe_identity_provider(UserPoolId=pool, ProviderName="corp")["IdentityProvider"]
        assert provider["ProviderDetails"]["client_id"] == ("shop-one", "shop-two")[number]
        plans = [pair["Value"] for user in members for pair in user["Attributes"] if pair["Name"] == "custom:plan"]
        assert plans == [("one", "two")[number]]
        assert cognito.describe_user_pool_client(**search)["UserPoolClient"]["RefreshTokenValidity"] == (3, 4)[number]

    variables = [[f"-var=description={word}"] for word in ("one", "two")]
    live(terraform(HERE / "user_pools"), *variables, check)
    assert [pool["Name"] for pool in cognito.list_user_pools(MaxResults=60)["UserPools"]] == ["search"]
    assert cognito.describe_user_pool_client(**search)  # which is another service's, and stays


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
    assert not [role for role in iam.list_roles()["Roles"] if role["RoleName"] in ("deploy", "federated")]
    assert not [user for user in iam.list_users()["Users"] if user["UserName"] == "builder"]
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
        (guard,) = [policy for policy in policies if policy["Name"] == "guard"]
        content = organizations.describe_policy(PolicyId=guard["Id"])["Policy"]["Content"]
        assert ("ec2:*", "sts:*")[number] in content
        (target,) = organizations.list_targets_for_policy(PolicyId=guard["Id"])["Targets"]
        assert target["Name"] == "sandbox"

    live(terraform(HERE / "organization", payer), ["-var=action=ec2:*"], ["-var=action=sts:*"], check)
    root = organizations.list_roots()["Roots"][0]["Id"]
    assert not organizations.list_organizational_units_for_parent(ParentId=root)["OrganizationalUnits"]


@pytest.mark.scenario(f"""
accounts: {{"{HOME}": {{}}}}
""")
def test_an_identity_pool_lives_a_whole_life(aws, terraform):
    cognito = aws.client("cognito-identity")

    def check(number: int) -> None:
        (listed,) = cognito.list_identity_pools(MaxResults=10)["IdentityPools"]
        pool = cognito.describe_identity_pool(IdentityPoolId=listed["IdentityPoolId"])
        assert pool["AllowUnauthenticatedIdentities"] is (number == 0)
        roles = cognito.get_identity_pool_roles(IdentityPoolId=listed["IdentityPoolId"])
        assert set(roles["Roles"]) == {"authenticated", "unauthenticated"}
        assert len(roles["RoleMappings"]) == 1

    live(terraform(HERE / "cognito"), ["-var=guests=true"], ["-var=guests=false"], check)
    assert not cognito.list_identity_pools(MaxResults=10)["IdentityPools"]


@pytest.mark.scenario(f"""
organization: {{management: "{HOME}", accounts: {{"444455556666": {{}}}}}}
accounts: {{"{HOME}": {{}}, "444455556666": {{}}}}
identity_center: {{}}
""")
def test_identity_center_lives_a_whole_life(aws, terraform):
    sso = aws.client("sso-admin", aws.credentials(account=HOME))
    iam = aws.client("iam", aws.credentials(account="444455556666"))

    def check(number: int) -> None:
        (role,) = iam.list_roles(PathPrefix="/aws-reserved/")["Roles"]
        assert role["RoleName"].startswith("AWSReservedSSO_Developer_")
        attached = iam.list_attached_role_policies(RoleName=role["RoleName"])["AttachedPolicies"]
        assert [policy["PolicyName"] for policy in attached] == ["ReadOnlyAccess"]
        assert iam.list_role_policies(RoleName=role["RoleName"])["PolicyNames"] == ["AwsSSOInlinePolicy"]
        named = {"InstanceArn": sso.list_instances()["Instances"][0]["InstanceArn"]}
        (arn,) = sso.list_permission_sets(**named)["PermissionSets"]
        shown = sso.describe_permission_set(**named, PermissionSetArn=arn)["PermissionSet"]
        assert shown["SessionDuration"] == ("PT2H", "PT8H")[number]

    first, second = (
        [f"-var=duration={hours}", f"-var=title={title}"] for hours, title in (("PT2H", "a"), ("PT8H", "b"))
    )
    live(terraform(HERE / "identity_center", aws.credentials(account=HOME)), first, second, check)
    assert not iam.list_roles(PathPrefix="/aws-reserved/")["Roles"]


@pytest.mark.scenario(f"""
organization: {{management: "{HOME}", accounts: {{"444455556666": {{}}}}}}
accounts: {{"{HOME}": {{}}, "444455556666": {{}}}}
identity_center:
  users: {{ada: {{}}}}
  permission_sets: {{Admin: {{policies: AdministratorAccess}}}}
  assignments: [{{users: ada, permission_sets: Admin, accounts: "{HOME}"}}]
""")
def test_a_person_who_signed_in_applies_through_their_sso_session(aws, terraform):
    """The provider finds the profile, its sso-session and the cached token, and gets the role's credentials itself."""
    profile = aws.sso_login("ada", HOME, "Admin")
    portal = {"AWS_ENDPOINT_URL_SSO": aws.endpoint_url}  # its own sign-in does not read AWS_ENDPOINT_URL
    run = terraform(HERE / "identity_center", profile={**profile, **portal})
    variables = ["-input=false", "-var=duration=PT2H", "-var=title=a"]
    run("apply", "-auto-approve", *variables)
    assert run("plan", "-detailed-exitcode", *variables, good=(0, 2)) == 0, "drift"
    made = next(
        event
        for event in aws.events()
        if event["eventName"] == "CreatePermissionSet" and event["userIdentity"]["type"] == "AssumedRole"
    )
    assert made["userIdentity"]["arn"].endswith("/ada")
    assert made["userIdentity"]["onBehalfOf"]["identityStoreArn"].startswith(f"arn:aws:identitystore::{HOME}:")
    assert "GetRoleCredentials" in {event["eventName"] for event in aws.events()}
    run("destroy", "-auto-approve", *variables)


def write_certificates(folder: Path) -> None:
    """A key, a certificate of it that is an authority's as well, and the key as SSH writes it."""
    today = dt.datetime.now(dt.UTC)
    key = rsa.generate_private_key(65537, 2048)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "shop")])
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(x509.random_serial_number())
    builder = builder.not_valid_before(today - dt.timedelta(1)).not_valid_after(today + dt.timedelta(30))
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    usage = dict.fromkeys(
        (
            *("digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement"),
            *("encipher_only", "decipher_only"),
        ),
        False,
    )
    builder = builder.add_extension(x509.KeyUsage(**usage, key_cert_sign=True, crl_sign=True), critical=True)
    pem = builder.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM)
    (folder / "certificate.pem").write_bytes(pem)
    (folder / "authority.pem").write_bytes(pem)
    (folder / "key.pem").write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    (folder / "key.pub").write_bytes(key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH))


@contextmanager
def load(aws):
    """Other clients, busy with the same server while it lasts."""
    done = threading.Event()

    def busy(number: int) -> None:
        iam, name = aws.client("iam"), f"load-{number}"
        while not done.is_set():
            iam.create_role(RoleName=name, AssumeRolePolicyDocument=TRUST)
            iam.list_roles()
            iam.delete_role(RoleName=name)

    with ThreadPoolExecutor(CALLERS) as pool:
        callers = [pool.submit(busy, number) for number in range(CALLERS)]
        try:
            yield
        finally:
            done.set()
    for caller in callers:
        caller.result()


@pytest.mark.scenario(f"""
saml_idps: {{corp: {{}}}}
accounts: {{"{HOME}": {{}}}}
""")
def test_what_a_team_has_lives_five_lives_under_load(aws, terraform, tmp_path):
    """No answer may be lost: the provider retries but once (`max_retries`), while others keep the server busy."""
    (tmp_path / "metadata.xml").write_text(aws.page("GET", "idp/corp/metadata"))
    write_certificates(tmp_path)
    run, iam = terraform(HERE / "team"), aws.client("iam")
    one, two = (["-input=false", f"-var=word={word}"] for word in ("one", "two"))
    before = iam.get_account_summary()["SummaryMap"]
    with load(aws):
        for _ in range(CYCLES):
            # when it is made, it is what was asked for
            run("apply", "-auto-approve", *one)
            assert run("plan", "-detailed-exitcode", *one, good=(0, 2)) == 0, "drift"
            state = json.loads((tmp_path / "terraform.tfstate").read_text())
            made = [thing for entry in state["resources"] if entry["mode"] == "managed" for thing in entry["instances"]]
            assert len(made) >= 60

            # when it is changed, and something forgotten is taken over again, it is that
            run("apply", "-auto-approve", *two)
            for address, identifier in IMPORTED.items():
                run("state", "rm", address)
                run("import", *two, address, identifier)
            assert run("plan", "-detailed-exitcode", *two, good=(0, 2)) == 0, "drift"
            run("destroy", "-auto-approve", *two)
    after = iam.get_account_summary()["SummaryMap"]
    assert after == before


IMPORTED = {
    'aws_iam_role.service["ec2"]': "for-ec2",
    "aws_iam_policy.read": f"arn:aws:iam::{HOME}:policy/team/read",
}
TRUST = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Principal": {"AWS": HOME}, "Action": "sts:AssumeRole"}],
    }
)
