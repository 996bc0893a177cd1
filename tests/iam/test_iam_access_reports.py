"""Which services policies let somebody use, and when they last did: by entity, by policy, by organization.

Source: docs/aws/iam.md, "Access reports".
"""

from __future__ import annotations

import pytest
from iam_stories import ACCOUNT, allow, arn, document, refusal, result

MANAGEMENT, OTHER = "999988887777", "444455556666"
POLICY = arn("policy", "shared")
WORLD = f"""
accounts:
  "{ACCOUNT}":
    policies: {{shared: [{{Effect: Allow, Action: ["iam:List*", "sts:*", "s3:GetObject"], Resource: "*"}}]}}
    groups: {{staff: {{policies: "{POLICY}"}}}}
    users:
      ann: {{groups: staff, path: /team/}}
      ben: {{groups: staff, inline: {{own: [{{Effect: Allow, Action: "iam:*", Resource: "*"}}]}}}}
    roles:
      app:
        trust: [{{Effect: Allow, Principal: {{AWS: "{ACCOUNT}"}}, Action: "sts:AssumeRole"}}]
        policies: "{POLICY}"
  "{OTHER}": {{users: {{eve: {{policies: AdministratorAccess}}}}}}
  "{MANAGEMENT}": {{users: {{boss: {{policies: AdministratorAccess}}}}}}
organization:
  management: "{MANAGEMENT}"
  units: {{work: {{accounts: ["{ACCOUNT}"]}}}}
"""
ORGANIZED = f"""
accounts:
  "{ACCOUNT}": {{users: {{ann: {{policies: AdministratorAccess}}}}}}
  "{OTHER}": {{users: {{eve: {{policies: AdministratorAccess}}}}}}
  "{MANAGEMENT}":
    users:
      boss: {{policies: AdministratorAccess}}
      clerk: {{inline: {{reports: [{{Effect: Allow, Action: "iam:*", Resource: "*"}}]}}}}
organization:
  management: "{MANAGEMENT}"
  service_control_policies:
    some: [{{Effect: Deny, NotAction: ["iam:*", "sts:*"], Resource: "*"}}]
    less: [{{Effect: Allow, Action: "*", Resource: "*"}}, {{Effect: Deny, Action: "sts:*", Resource: "*"}}]
  scps: some
  accounts:
    "{MANAGEMENT}": {{}}
    "{OTHER}": {{scps: some}}
    "{ACCOUNT}": {{scps: less}}
"""


@pytest.fixture
def report(aws):
    """`report(arn)`: the id of a report that the account's root has made."""

    def make(of: str) -> str:
        return aws.client("iam").generate_service_last_accessed_details(Arn=of)["JobId"]

    return make


def call(aws, user: str) -> None:
    aws.client("iam", aws.credentials(user=user)).list_users()


@pytest.mark.scenario(WORLD.partition("organization:")[0])
class TestEntities:
    def test_a_group_s_members(self, aws, report):
        call(aws, "ben")
        iam = aws.client("iam")
        job = report(arn("group", "staff"))
        told = result(iam.get_service_last_accessed_details_with_entities(JobId=job, ServiceNamespace="iam"))

        assert (told["JobStatus"], told["IsTruncated"]) == ("COMPLETED", False)
        ben, ann = told["EntityDetailsList"]
        assert ann == {
            "EntityInfo": {
                "Arn": arn("user", "team/ann"),
                "Name": "ann",
                "Type": "USER",
                "Id": iam.get_user(UserName="ann")["User"]["UserId"],
                "Path": "/team/",
            }
        }
        assert ben["EntityInfo"]["Name"] == "ben"
        assert ben["LastAuthenticated"]

    def test_a_policy_s_users_and_roles(self, aws, report):
        job = report(POLICY)
        told = aws.client("iam").get_service_last_accessed_details_with_entities(JobId=job, ServiceNamespace="s3")
        assert [entity["EntityInfo"]["Name"] for entity in told["EntityDetailsList"]] == ["app", "ben", "ann"]

    def test_the_report_by_service_tells_the_last_of_them(self, aws, report):
        call(aws, "ben")
        told = aws.client("iam").get_service_last_accessed_details(JobId=report(POLICY))
        listed = {service["ServiceNamespace"]: service for service in told["ServicesLastAccessed"]}
        assert set(listed) == {"iam", "sts", "s3"}
        assert (listed["iam"]["LastAuthenticatedEntity"], listed["iam"]["TotalAuthenticatedEntities"]) == (
            arn("user", "ben"),
            1,
        )
        assert listed["iam"]["LastAuthenticatedRegion"] == "us-east-1"
        assert "LastAuthenticated" not in listed["s3"]

    def test_who_has_gone_is_left_out(self, aws, report):
        iam, job = aws.client("iam"), report(POLICY)
        iam.detach_role_policy(RoleName="app", PolicyArn=POLICY)
        iam.delete_role(RoleName="app")
        told = iam.get_service_last_accessed_details_with_entities(JobId=job, ServiceNamespace="s3")
        assert len(told["EntityDetailsList"]) == 2

    def test_a_service_that_is_not_in_the_report(self, aws, report):
        job = report(POLICY)
        told = aws.client("iam").get_service_last_accessed_details_with_entities(JobId=job, ServiceNamespace="ec2")
        assert told["EntityDetailsList"] == []

    def test_pages(self, aws, report):
        asked = {"JobId": report(POLICY), "ServiceNamespace": "s3", "MaxItems": 2}
        iam = aws.client("iam")
        first = iam.get_service_last_accessed_details_with_entities(**asked)
        assert first["IsTruncated"]
        last = iam.get_service_last_accessed_details_with_entities(**asked, Marker=first["Marker"])
        assert len(first["EntityDetailsList"]) + len(last["EntityDetailsList"]) == 3
        forged = {**asked, "Marker": "forged"}
        assert refusal(iam.get_service_last_accessed_details_with_entities, **forged)[:2] == (400, "ValidationError")

    def test_no_such_job(self, aws):
        asked = {"JobId": "0" * 36, "ServiceNamespace": "s3"}
        call = aws.client("iam").get_service_last_accessed_details_with_entities
        assert refusal(call, **asked)[:2] == (404, "NoSuchEntity")


@pytest.mark.scenario(WORLD.partition("organization:")[0])
class TestPolicies:
    @pytest.fixture
    def granting(self, aws):
        """`granting(arn, *services)`: the names of the policies, by service."""

        def granting(of: str, *services: str) -> dict:
            told = aws.client("iam").list_policies_granting_service_access(Arn=of, ServiceNamespaces=list(services))
            entries = told["PoliciesGrantingServiceAccess"]
            return {
                entry["ServiceNamespace"]: [policy["PolicyName"] for policy in entry["Policies"]] for entry in entries
            }

        return granting

    def test_a_user_s_own_and_its_groups(self, aws, granting):
        assert granting(arn("user", "ben"), "iam", "s3", "ec2") == {
            "iam": ["own", "shared"],
            "s3": ["shared"],
            "ec2": [],
        }
        told = aws.client("iam").list_policies_granting_service_access(
            Arn=arn("user", "ben"), ServiceNamespaces=["iam"]
        )
        inline, managed = told["PoliciesGrantingServiceAccess"][0]["Policies"]
        assert inline == {"PolicyName": "own", "PolicyType": "INLINE", "EntityType": "USER", "EntityName": "ben"}
        assert managed == {"PolicyName": "shared", "PolicyType": "MANAGED", "PolicyArn": POLICY}

    @pytest.mark.parametrize(
        ("text", "grants"),
        [
            (allow("*"), True),
            (allow("ec2:DescribeInstances"), True),
            (document({"Effect": "Allow", "NotAction": "iam:*", "Resource": "*"}), True),
            (document({"Effect": "Allow", "NotAction": ["ec2:*"], "Resource": "*"}), False),
            (document({"Effect": "Deny", "Action": "*", "Resource": "*"}), False),
            (
                document(
                    {"Effect": "Allow", "Action": "*", "Resource": "*"},
                    {"Effect": "Deny", "Action": "ec2:*", "Resource": "*"},
                ),
                False,
            ),
            (
                document(
                    {"Effect": "Allow", "Action": "*", "Resource": "*"},
                    {"Effect": "Deny", "Action": "ec2:RunInstances", "Resource": "*"},
                ),
                True,
            ),
        ],
    )
    def test_what_grants(self, aws, granting, text, grants):
        aws.client("iam").put_role_policy(RoleName="app", PolicyName="tried", PolicyDocument=text)
        assert ("tried" in granting(arn("role", "app"), "ec2")["ec2"]) is grants

    def test_the_order_is_that_of_the_question(self, granting):
        assert list(granting(arn("group", "staff"), "sts", "iam", "sts")) == ["sts", "iam"]

    def test_the_missing_and_the_foreign(self, aws):
        call = aws.client("iam").list_policies_granting_service_access
        assert refusal(call, Arn=arn("user", "nobody"), ServiceNamespaces=["s3"])[:2] == (404, "NoSuchEntity")
        assert refusal(call, Arn=POLICY, ServiceNamespaces=["s3"])[:2] == (400, "InvalidInput")


@pytest.mark.scenario(ORGANIZED)
class TestOrganizations:
    @pytest.fixture
    def boss(self, aws):
        return aws.client("iam", aws.credentials(account=MANAGEMENT, user="boss"))

    @pytest.fixture
    def paths(self, aws) -> dict[str, str]:
        organizations = aws.client("organizations", aws.credentials(account=MANAGEMENT, user="boss"))
        org = organizations.describe_organization()["Organization"]["Id"]
        (root,) = organizations.list_roots()["Roots"]
        base = f"{org}/{root['Id']}"
        return {"root": base} | {account: f"{base}/{account}" for account in (ACCOUNT, OTHER, MANAGEMENT)}

    def told(self, client, path: str, policy: str = "", **more) -> dict:
        asked = {"EntityPath": path, **({"OrganizationsPolicyId": policy} if policy else {})}
        job = client.generate_organizations_access_report(**asked)["JobId"]
        return result(client.get_organizations_access_report(JobId=job, **more))

    def test_the_services_of_the_root(self, aws, boss, paths):
        aws.client("iam", aws.credentials(user="ann")).list_users()
        told = self.told(boss, paths["root"])
        assert (told["JobStatus"], told["NumberOfServicesAccessible"], told["NumberOfServicesNotAccessed"]) == (
            "COMPLETED",
            2,
            1,
        )
        iam, sts = told["AccessDetails"]
        assert (iam["ServiceNamespace"], iam["EntityPath"], iam["Region"], iam["TotalAuthenticatedEntities"]) == (
            "iam",
            paths[ACCOUNT],
            "us-east-1",
            1,
        )
        assert sts == {"ServiceName": "sts", "ServiceNamespace": "sts", "TotalAuthenticatedEntities": 0}

    def test_each_level_limits_an_account(self, boss, paths):
        assert [service["ServiceNamespace"] for service in self.told(boss, paths[ACCOUNT])["AccessDetails"]] == ["iam"]

    def test_nothing_limits_the_management_account(self, boss, paths):
        told = self.told(boss, paths[MANAGEMENT])
        names = {service["ServiceNamespace"] for service in told["AccessDetails"]}
        assert {"iam", "sts", "organizations", "sso"} <= names
        used = next(service for service in told["AccessDetails"] if service["ServiceNamespace"] == "organizations")
        assert used["EntityPath"] == paths[MANAGEMENT]

    def test_what_an_scp_allows_by_itself(self, aws, boss, paths):
        policies = aws.client("organizations", aws.credentials(account=MANAGEMENT, user="boss")).list_policies(
            Filter="SERVICE_CONTROL_POLICY"
        )
        ids = {policy["Name"]: policy["Id"] for policy in policies["Policies"]}
        assert self.told(boss, paths["root"], ids["some"])["AccessDetails"] == []
        less = [service["ServiceNamespace"] for service in self.told(boss, paths["root"], ids["less"])["AccessDetails"]]
        assert "iam" in less
        assert "sts" not in less

    def test_the_order(self, aws, boss, paths):
        aws.client("sts", aws.credentials(account=OTHER, user="eve")).get_caller_identity()
        newest = self.told(boss, paths["root"], SortKey="LAST_AUTHENTICATED_TIME_DESCENDING")
        assert [service["ServiceNamespace"] for service in newest["AccessDetails"]] == ["sts", "iam"]
        down = self.told(boss, paths["root"], SortKey="SERVICE_NAMESPACE_DESCENDING", MaxItems=1)
        assert (down["AccessDetails"][0]["ServiceNamespace"], down["IsTruncated"]) == ("sts", True)

    @pytest.mark.parametrize(
        ("end", "policy", "code"),
        [
            ("/000000000000", "", "INVALID_ORGANIZATIONS_ENTITY_PATH"),
            ("/", "", "INVALID_ORGANIZATIONS_ENTITY_PATH"),
            ("", "p-00000000", "INVALID_ORGANIZATIONS_POLICY"),
        ],
    )
    def test_what_is_not_there_fails_the_job(self, boss, paths, end, policy, code):
        told = self.told(boss, paths["root"] + end, policy)
        assert (told["JobStatus"], told["ErrorDetails"]["Code"]) == ("FAILED", code)
        assert "AccessDetails" not in told

    def test_who_may_not_read_the_organization_gets_no_report(self, aws, paths):
        clerk = aws.client("iam", aws.credentials(account=MANAGEMENT, user="clerk"))
        assert self.told(clerk, paths["root"])["ErrorDetails"]["Code"] == "ORGANIZATIONS_REPORT_ACCESS_DENIED"

    def test_only_the_management_account_asks(self, aws, boss, paths):
        ann = aws.client("iam", aws.credentials(user="ann"))
        asked = {"EntityPath": paths["root"]}
        assert refusal(ann.generate_organizations_access_report, **asked)[:2] == (403, "AccessDenied")
        foreign = {"EntityPath": f"o-0000000000/{paths['root'].partition('/')[2]}"}
        assert refusal(boss.generate_organizations_access_report, **foreign)[:2] == (403, "AccessDenied")
        assert refusal(boss.get_organizations_access_report, JobId="0" * 36)[:2] == (404, "NoSuchEntity")
