"""Organizations through its own API: what SDKs and Terraform read, and policies that hold as soon as they are attached.

Operations, members and errors: botocore's model. Rules: the Organizations User Guide.
"""

from __future__ import annotations

import json

import pytest

MANAGEMENT, MEMBER, OUTSIDE = "100000000001", "111122223333", "999900001111"
SCP, RCP = "SERVICE_CONTROL_POLICY", "RESOURCE_CONTROL_POLICY"
SCENARIO = f"""
organization:
  id: o-exampleorgid
  management: "{MANAGEMENT}"
  accounts: {{"{MANAGEMENT}": {{}}}}
  units:
    workloads: {{accounts: {{"{MEMBER}": {{}}}}}}
accounts:
  "{MANAGEMENT}":
    name: payer
    users: {{reader: {{inline: {{read: [{{Effect: Allow, Action: "organizations:List*", Resource: "*"}}]}}}}}}
  "{MEMBER}":
    name: shop
    users: {{alice: {{inline: {{all: [{{Effect: Allow, Action: "*", Resource: "*"}}]}}}}}}
    roles:
      open: {{trust: [{{Effect: Allow, Principal: {{AWS: "{MEMBER}"}}, Action: sts:AssumeRole}}]}}
  "{OUTSIDE}": {{}}
"""

pytestmark = pytest.mark.scenario(SCENARIO)


def policy(effect: str, action: str, **more: str) -> str:
    statement = {"Effect": effect, **more, "Action": action, "Resource": "*"}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


@pytest.fixture
def org(aws):
    """The management account's root."""
    return aws.client("organizations", aws.credentials(account=MANAGEMENT))


@pytest.fixture
def root(org):
    return org.list_roots()["Roots"][0]["Id"]


@pytest.fixture
def scp(org):
    """`scp(content)`: a new service control policy; its id."""

    def scp(content: str, name: str = "guard", kind: str = SCP) -> str:
        made = org.create_policy(Content=content, Description="", Name=name, Type=kind)
        return made["Policy"]["PolicySummary"]["Id"]

    return scp


@pytest.fixture
def refused():
    def refused(call, **arguments):
        from botocore.exceptions import ClientError

        with pytest.raises(ClientError) as caught:
            call(**arguments)
        return caught.value.response["Error"]["Code"], caught.value.response.get("Reason", "")

    return refused


def assume(aws):
    alice = aws.client("sts", aws.credentials(account=MEMBER, user="alice"))
    return alice.assume_role(RoleArn=f"arn:aws:iam::{MEMBER}:role/open", RoleSessionName="who")


# -- reading ------------------------------------------------------------------------------------------------------


def test_what_there_is(org, root):
    described = org.describe_organization()["Organization"]
    assert described["Arn"] == f"arn:aws:organizations::{MANAGEMENT}:organization/o-exampleorgid"
    assert (described["MasterAccountId"], described["FeatureSet"]) == (MANAGEMENT, "ALL")
    accounts = org.list_accounts()["Accounts"]
    assert [(place["Id"], place["Name"], place["Status"]) for place in accounts] == [
        (MANAGEMENT, "payer", "ACTIVE"),
        (MEMBER, "shop", "ACTIVE"),
    ]
    (unit,) = org.list_organizational_units_for_parent(ParentId=root)["OrganizationalUnits"]
    assert (unit["Name"], unit["Path"]) == ("workloads", f"o-exampleorgid/{root}/{unit['Id']}/")
    assert org.describe_organizational_unit(OrganizationalUnitId=unit["Id"])["OrganizationalUnit"] == unit
    account = org.describe_account(AccountId=MEMBER)["Account"]
    assert account["Arn"] == f"arn:aws:organizations::{MANAGEMENT}:account/o-exampleorgid/{MEMBER}"
    assert account["Paths"] == [f"{unit['Path']}{MEMBER}/"]
    assert org.list_accounts_for_parent(ParentId=unit["Id"])["Accounts"] == [account]
    assert org.list_parents(ChildId=MEMBER)["Parents"] == [{"Id": unit["Id"], "Type": "ORGANIZATIONAL_UNIT"}]
    assert org.list_parents(ChildId=unit["Id"])["Parents"] == [{"Id": root, "Type": "ROOT"}]
    assert org.list_children(ParentId=root, ChildType="ACCOUNT")["Children"] == [{"Id": MANAGEMENT, "Type": "ACCOUNT"}]
    assert org.list_aws_service_access_for_organization()["EnabledServicePrincipals"] == []
    assert org.list_delegated_administrators()["DelegatedAdministrators"] == []


def test_a_member_administers_a_service_for_the_organization(aws, org, refused):
    service = {"ServicePrincipal": "account-access.amazonaws.com"}
    wish = {"AccountId": MEMBER, **service}
    org.register_delegated_administrator(**wish)
    assert refused(org.register_delegated_administrator, **wish)[0] == "AccountAlreadyRegisteredException"
    (known,) = org.list_delegated_administrators(**service)["DelegatedAdministrators"]
    assert (known["Id"], known["Name"], known["Status"]) == (MEMBER, "shop", "ACTIVE")
    assert org.list_delegated_administrators(ServicePrincipal="sso.amazonaws.com")["DelegatedAdministrators"] == []
    (delegated,) = org.list_delegated_services_for_account(AccountId=MEMBER)["DelegatedServices"]
    assert delegated["ServicePrincipal"] == service["ServicePrincipal"]
    # whoever administers a service may read of the organization, and change nothing
    member = aws.client("organizations", aws.credentials(account=MEMBER))
    assert [account["Id"] for account in member.list_accounts()["Accounts"]] == [MANAGEMENT, MEMBER]
    assert refused(member.create_organizational_unit, ParentId=member.list_roots()["Roots"][0]["Id"], Name="x")[0] == (
        "AccessDeniedException"
    )
    org.deregister_delegated_administrator(**wish)
    assert refused(member.list_accounts)[0] == "AccessDeniedException"
    assert refused(org.deregister_delegated_administrator, **wish)[0] == "AccountNotRegisteredException"
    assert refused(org.list_delegated_services_for_account, AccountId=MEMBER)[0] == "AccountNotRegisteredException"
    owner = {"AccountId": MANAGEMENT, **service}
    assert refused(org.register_delegated_administrator, **owner)[0] == "ConstraintViolationException"
    unknown = {"AccountId": OUTSIDE, **service}
    assert refused(org.register_delegated_administrator, **unknown)[0] == "AccountNotFoundException"


def test_lists_come_in_pages(org):
    pages = org.get_paginator("list_accounts").paginate(PaginationConfig={"PageSize": 1})
    assert [[account["Id"] for account in page["Accounts"]] for page in pages] == [[MANAGEMENT], [MEMBER]]


def test_members_see_little_and_strangers_nothing(aws, refused):
    member = aws.client("organizations", aws.credentials(account=MEMBER, user="alice"))
    assert member.describe_organization()["Organization"]["Id"] == "o-exampleorgid"
    assert refused(member.list_accounts)[0] == "AccessDeniedException"
    stranger = aws.client("organizations", aws.credentials(account=OUTSIDE))
    assert refused(stranger.describe_organization)[0] == "AWSOrganizationsNotInUseException"
    reader = aws.client("organizations", aws.credentials(account=MANAGEMENT, user="reader"))
    assert reader.list_accounts()["Accounts"]
    assert refused(reader.describe_account, AccountId=MEMBER)[0] == "AccessDeniedException"


@pytest.mark.parametrize(
    ("call", "arguments", "code"),
    [
        ("describe_account", {"AccountId": OUTSIDE}, "AccountNotFoundException"),
        ("list_parents", {"ChildId": OUTSIDE}, "ChildNotFoundException"),
        ("list_accounts_for_parent", {"ParentId": "ou-abcd-12345678"}, "ParentNotFoundException"),
        ("describe_organizational_unit", {"OrganizationalUnitId": "ou-abcd-12345678"}, "OrganizationalUnitNotFoundException"),
        ("describe_policy", {"PolicyId": "p-12345678"}, "PolicyNotFoundException"),
        ("list_policies_for_target", {"TargetId": OUTSIDE, "Filter": SCP}, "TargetNotFoundException"),
        ("list_tags_for_resource", {"ResourceId": OUTSIDE}, "TargetNotFoundException"),
        ("enable_policy_type", {"RootId": "r-zzzz", "PolicyType": SCP}, "RootNotFoundException"),
    ],
)  # fmt: skip
def test_what_is_not_there(org, refused, call, arguments, code):
    assert refused(getattr(org, call), **arguments)[0] == code


# -- policies -----------------------------------------------------------------------------------------------------


def test_a_service_control_policy_holds_from_its_attachment_to_its_detachment(aws, org, root, scp, refused):
    identifier = scp(policy("Deny", "sts:AssumeRole"))
    assert refused(org.attach_policy, PolicyId=identifier, TargetId=root)[0] == "PolicyTypeNotEnabledException"
    enabled = org.enable_policy_type(RootId=root, PolicyType=SCP)["Root"]
    assert enabled["PolicyTypes"] == [{"Type": SCP, "Status": "PENDING_ENABLE"}]  # as recorded on AWS, 2026-09
    assert org.list_roots()["Roots"][0]["PolicyTypes"] == [{"Type": SCP, "Status": "ENABLED"}]
    assert assume(aws)["Credentials"]  # FullAWSAccess came with it

    org.attach_policy(PolicyId=identifier, TargetId=root)
    assert refused(lambda: assume(aws))[0] == "AccessDenied"
    org.update_policy(PolicyId=identifier, Content=policy("Deny", "s3:*"))
    assert assume(aws)["Credentials"]
    org.update_policy(PolicyId=identifier, Content=policy("Deny", "sts:*"))
    assert refused(org.delete_policy, PolicyId=identifier)[0] == "PolicyInUseException"
    org.detach_policy(PolicyId=identifier, TargetId=root)
    assert assume(aws)["Credentials"]
    org.delete_policy(PolicyId=identifier)
    assert refused(org.describe_policy, PolicyId=identifier)[0] == "PolicyNotFoundException"


def test_an_allow_list_replaces_full_access(aws, org, root, scp):
    org.enable_policy_type(RootId=root, PolicyType=SCP)
    allowed = scp(policy("Allow", "iam:*"))
    org.attach_policy(PolicyId=allowed, TargetId=MEMBER)
    org.detach_policy(PolicyId="p-FullAWSAccess", TargetId=MEMBER)
    with pytest.raises(Exception, match=r"because no service control policy allows the sts:AssumeRole action$"):
        assume(aws)
    org.disable_policy_type(RootId=root, PolicyType=SCP)
    assert assume(aws)["Credentials"]


def test_one_policy_must_stay_and_five_may(org, root, scp, refused):
    org.enable_policy_type(RootId=root, PolicyType=SCP)
    detach = {"PolicyId": "p-FullAWSAccess", "TargetId": MEMBER}
    expected = ("ConstraintViolationException", "MIN_POLICY_TYPE_ATTACHMENT_LIMIT_EXCEEDED")
    assert refused(org.detach_policy, **detach) == expected
    for number in range(4):
        org.attach_policy(PolicyId=scp(policy("Deny", "s3:*"), f"guard-{number}"), TargetId=MEMBER)
    sixth = {"PolicyId": scp(policy("Deny", "s3:*"), "sixth"), "TargetId": MEMBER}
    expected = ("ConstraintViolationException", "MAX_POLICY_TYPE_ATTACHMENT_LIMIT_EXCEEDED")
    assert refused(org.attach_policy, **sixth) == expected


def test_a_resource_control_policy_guards_the_roles_of_its_accounts(aws, org, root, scp, refused):
    org.enable_policy_type(RootId=root, PolicyType=RCP)
    assert assume(aws)["Credentials"]
    identifier = scp(policy("Deny", "sts:AssumeRole", Principal="*"), kind=RCP)
    org.attach_policy(PolicyId=identifier, TargetId=MEMBER)
    # a denial inside the organization names the policy (recorded on AWS, 2026)
    named = f"arn:aws:organizations::{MANAGEMENT}:policy/o-exampleorgid/resource_control_policy/{identifier}"
    with pytest.raises(Exception, match=f"with an explicit deny in a resource control policy: {named}$"):
        assume(aws)
    listed = org.list_policies_for_target(TargetId=MEMBER, Filter=RCP)["Policies"]
    assert {summary["Id"] for summary in listed} == {identifier, "p-RCPFullAWSAccess"}
    last = {"PolicyId": "p-RCPFullAWSAccess", "TargetId": MEMBER}
    assert refused(org.detach_policy, **last) == ("InvalidInputException", "NON_DETACHABLE_POLICY")


def test_policies_are_shown_with_their_text_and_targets(org, root, scp):
    content = policy("Deny", "s3:*")
    identifier = scp(content)
    shown = org.describe_policy(PolicyId=identifier)["Policy"]
    assert shown["Content"] == content
    summary = {
        "Id": identifier,
        "Arn": f"arn:aws:organizations::{MANAGEMENT}:policy/o-exampleorgid/service_control_policy/{identifier}",
        "Name": "guard",
        "Description": "",
        "Type": SCP,
        "AwsManaged": False,
    }
    assert shown["PolicySummary"] == summary
    assert summary in org.list_policies(Filter=SCP)["Policies"]
    org.enable_policy_type(RootId=root, PolicyType=SCP)
    org.attach_policy(PolicyId=identifier, TargetId=root)
    (target,) = org.list_targets_for_policy(PolicyId=identifier)["Targets"]
    assert (target["TargetId"], target["Name"], target["Type"]) == (root, "Root", "ROOT")
    aws_own = org.describe_policy(PolicyId="p-FullAWSAccess")["Policy"]["PolicySummary"]
    assert aws_own["Arn"] == "arn:aws:organizations::aws:policy/service_control_policy/p-FullAWSAccess"
    assert aws_own["AwsManaged"] is True


def test_what_cannot_be_written(org, scp, refused):
    identifier = scp(policy("Deny", "s3:*"))
    create = {"Description": "", "Name": "other", "Type": SCP}
    for content in ("{", policy("Deny", "s3:*", Principal="*")):
        assert refused(org.create_policy, **create, Content=content)[0] == "MalformedPolicyDocumentException"
        assert refused(org.update_policy, PolicyId=identifier, Content=content)[0] == "MalformedPolicyDocumentException"
    same = {**create, "Name": "guard", "Content": policy("Deny", "s3:*")}
    assert refused(org.create_policy, **same)[0] == "DuplicatePolicyException"
    full = {"PolicyId": "p-FullAWSAccess", "Name": "mine"}
    assert refused(org.update_policy, **full) == ("InvalidInputException", "IMMUTABLE_POLICY")
    tags = {**create, "Type": "TAG_POLICY", "Content": "{}"}
    assert refused(org.create_policy, **tags)[0] == "PolicyTypeNotAvailableForOrganizationException"


# -- units and tags -----------------------------------------------------------------------------------------------


def test_a_unit_lives(aws, org, root, scp, refused):
    org.enable_policy_type(RootId=root, PolicyType=SCP)
    unit = org.create_organizational_unit(ParentId=root, Name="sandbox", Tags=[{"Key": "team", "Value": "shop"}])
    unit = unit["OrganizationalUnit"]["Id"]
    assert org.list_tags_for_resource(ResourceId=unit)["Tags"] == [{"Key": "team", "Value": "shop"}]
    (attached,) = org.list_policies_for_target(TargetId=unit, Filter=SCP)["Policies"]
    assert attached["Id"] == "p-FullAWSAccess"
    taken = {"ParentId": root, "Name": "sandbox"}
    assert refused(org.create_organizational_unit, **taken)[0] == "DuplicateOrganizationalUnitException"

    org.attach_policy(PolicyId=scp(policy("Deny", "sts:*")), TargetId=unit)
    assert assume(aws)["Credentials"]
    old = org.list_parents(ChildId=MEMBER)["Parents"][0]["Id"]
    org.move_account(AccountId=MEMBER, SourceParentId=old, DestinationParentId=unit)
    assert refused(lambda: assume(aws))[0] == "AccessDenied"  # what holds there holds for it now
    assert (
        refused(org.delete_organizational_unit, OrganizationalUnitId=unit)[0] == "OrganizationalUnitNotEmptyException"
    )
    moved = {"AccountId": MEMBER, "SourceParentId": old, "DestinationParentId": unit}
    assert refused(org.move_account, **moved)[0] == "SourceParentNotFoundException"

    org.move_account(AccountId=MEMBER, SourceParentId=unit, DestinationParentId=root)
    renamed = org.update_organizational_unit(OrganizationalUnitId=unit, Name="lab")["OrganizationalUnit"]
    assert (renamed["Id"], renamed["Name"]) == (unit, "lab")
    org.delete_organizational_unit(OrganizationalUnitId=unit)
    assert (
        refused(org.describe_organizational_unit, OrganizationalUnitId=unit)[0] == "OrganizationalUnitNotFoundException"
    )
    assert org.list_targets_for_policy(PolicyId="p-FullAWSAccess")["Targets"]


def test_units_nest_five_deep(org, root, refused):
    place = root
    for number in range(5):
        made = org.create_organizational_unit(ParentId=place, Name=f"level-{number}")
        place = made["OrganizationalUnit"]["Id"]
    deeper = {"ParentId": place, "Name": "deeper"}
    expected = ("ConstraintViolationException", "OU_DEPTH_LIMIT_EXCEEDED")
    assert refused(org.create_organizational_unit, **deeper) == expected


def test_tags_come_and_go(org, scp):
    identifier = scp(policy("Deny", "s3:*"))
    for resource in (identifier, MEMBER):
        org.tag_resource(ResourceId=resource, Tags=[{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "2"}])
        org.untag_resource(ResourceId=resource, TagKeys=["a"])
        assert org.list_tags_for_resource(ResourceId=resource)["Tags"] == [{"Key": "b", "Value": "2"}]
