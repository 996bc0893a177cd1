"""Switches of accounts and organizations, and the roles that services own.

Sentences were recorded on AWS in 2026-09: https://github.com/radkawar/stackd testdata/aws/iam/account_properties.json and
root_access.json; the roles' names are those of localstack/localstack services/iam/resources/service_linked_roles.py.
"""

import pytest
from iam_stories import ACCOUNT, EMPTY, refusal

MANAGEMENT, MEMBER = "100000000001", "111122223333"

ORGANIZATION = f"""
organization:
  management: "{MANAGEMENT}"
  accounts: {{"{MANAGEMENT}": {{}}, "{MEMBER}": {{}}}}
accounts: {{"{MANAGEMENT}": {{}}, "{MEMBER}": {{}}}}
"""


@pytest.mark.scenario(EMPTY)
def test_the_role_manager_is_switched_on_with_its_role(aws):
    iam = aws.client("iam")
    assert iam.get_account_properties()["Properties"] == {"RoleManager/Enabled": "false"}
    iam.put_account_properties(Properties={"RoleManager/Enabled": "true", "RoleManager/Other": "x"})
    assert iam.get_account_properties()["Properties"] == {"RoleManager/Enabled": "true"}
    assert iam.get_role(RoleName="AWSServiceRoleForIAMRoleManager")["Role"]["Arn"] == (
        f"arn:aws:iam::{ACCOUNT}:role/aws-service-role/role-manager.iam.amazonaws.com/AWSServiceRoleForIAMRoleManager"
    )
    iam.put_account_properties(Properties={"RoleManager/Enabled": "true"})
    iam.put_account_properties(Properties={"RoleManager/Enabled": "false"})
    assert iam.get_account_properties()["Properties"] == {"RoleManager/Enabled": "false"}


@pytest.mark.scenario(EMPTY)
@pytest.mark.parametrize(
    ("properties", "message"),
    [
        ({"RoleManager": "true"}, "Property key must be in format Namespace/PropertyName: RoleManager"),
        ({"RoleManager/Enabled/x": "true"}, "RoleManager namespace requires Enabled property"),
        ({"StackdProbe/Enabled": "true"}, "Unsupported namespace: StackdProbe"),
        ({"RoleManager/Other": "true"}, "RoleManager namespace requires Enabled property"),
        ({"RoleManager/Enabled": "true", "Other/x": "y"}, "All properties must belong to the same namespace"),
        ({"RoleManager/Enabled": "FALSE"}, "Enabled must be 'true' or 'false'"),
        ({"RoleManager/Enabled": " false"}, "Enabled must be 'true' or 'false'"),
        ({"RoleManager/Enabled": "0"}, "Enabled must be 'true' or 'false'"),
    ],
)
def test_properties_that_are_refused(aws, properties, message):
    call = aws.client("iam").put_account_properties
    assert refusal(call, Properties=properties) == (400, "InvalidInput", message)


@pytest.mark.scenario(ORGANIZATION)
def test_central_root_access_is_switched_on_once_iam_is_trusted(aws):
    payer = aws.credentials(account=MANAGEMENT)
    iam, org = aws.client("iam", payer), aws.client("organizations", payer)
    assert refusal(iam.list_organizations_features) == (
        400,
        "ServiceAccessNotEnabledException",
        f"Trusted Access for IAM not enabled by organization of input account {MANAGEMENT}.",
    )
    org.enable_aws_service_access(ServicePrincipal="iam.amazonaws.com")
    trusted = org.list_aws_service_access_for_organization()["EnabledServicePrincipals"]
    assert [service["ServicePrincipal"] for service in trusted] == ["iam.amazonaws.com"]

    iam.enable_organizations_root_sessions()
    answer = iam.enable_organizations_root_credentials_management()
    assert answer["EnabledFeatures"] == ["RootCredentialsManagement", "RootSessions"]
    assert answer["OrganizationId"] == org.describe_organization()["Organization"]["Id"]
    iam.disable_organizations_root_credentials_management()
    assert iam.list_organizations_features()["EnabledFeatures"] == ["RootSessions"]

    member = aws.client("iam", aws.credentials(account=MEMBER))
    assert refusal(member.list_organizations_features)[1] == "AccountNotManagementOrDelegatedAdministratorException"
    org.disable_aws_service_access(ServicePrincipal="iam.amazonaws.com")
    assert refusal(iam.list_organizations_features)[1] == "ServiceAccessNotEnabledException"


@pytest.mark.scenario(EMPTY)
def test_outside_an_organization_there_is_nothing_to_switch(aws):
    assert refusal(aws.client("iam").enable_organizations_root_sessions)[1] == "OrganizationNotFoundException"


@pytest.mark.scenario(EMPTY)
@pytest.mark.parametrize(
    ("service", "role", "policy"),
    [
        ("acm", "CertificateManager", "CertificateManagerServiceRolePolicy"),
        ("backup", "Backup", "AWSBackupServiceLinkedRolePolicyForBackup"),
        ("dms", "DMSServerless", "AWSDMSServerlessServiceRolePolicy"),
        ("ecr", "ECRTemplate", "ECRTemplateServiceRolePolicy"),
        ("kafka", "Kafka", "KafkaServiceRolePolicy"),
        ("lakeformation", "LakeFormationDataAccess", "LakeFormationDataAccessServiceRolePolicy"),
        ("lightsail", "Lightsail", "LightsailExportAccess"),
        ("mq", "AmazonMQ", "AmazonMQServiceRolePolicy"),
        ("ram", "ResourceAccessManager", "AWSResourceAccessManagerServiceRolePolicy"),
        ("ses", "AmazonSES", "AmazonSESServiceRolePolicy"),
        ("shield", "AWSShield", "AWSShieldServiceRolePolicy"),
        ("waf", "WAFLogging", "WAFLoggingServiceRolePolicy"),
        ("wafv2", "WAFV2Logging", "WAFV2LoggingServiceRolePolicy"),
        (
            "custom-resource.application-autoscaling",
            "ApplicationAutoScaling_CustomResource",
            "AWSApplicationAutoScalingCustomResourcePolicy",
        ),
    ],
)
def test_services_get_their_roles(aws, service, role, policy):
    iam = aws.client("iam")
    made = iam.create_service_linked_role(AWSServiceName=f"{service}.amazonaws.com")["Role"]
    assert made["RoleName"] == f"AWSServiceRoleFor{role}"
    assert made["Path"] == f"/aws-service-role/{service}.amazonaws.com/"
    attached = iam.list_attached_role_policies(RoleName=made["RoleName"])["AttachedPolicies"]
    assert attached == [{"PolicyName": policy, "PolicyArn": f"arn:aws:iam::aws:policy/aws-service-role/{policy}"}]
