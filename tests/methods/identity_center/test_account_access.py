"""The account access manager: an application, entitlements, and the roles that people have by them.

Source: docs/aws/identity-center.md, "Account access manager".
"""

from __future__ import annotations

import re
import uuid
from pathlib import Path

import pytest
from access_lab import BARE, BUILD, DEPLOY, PLAIN, SCENARIO, SCOPES, SERVICE, Firm
from sso_lab import DEV, PROD

from sts_emulator.cli.errors import CommandError

DENIED, ABSENT, INVALID = "AccessDeniedException", "ResourceNotFoundException", "ValidationException"
UNKNOWN = f"arn:aws:account-access:us-east-1:{DEV}:application/0123456789abcdef"


@pytest.fixture
def firm(emulator_server):
    with emulator_server.world(SCENARIO) as aws:
        yield Firm(aws)


# -- the application ----------------------------------------------------------------------------------------------


def test_an_application_comes_about_once(firm, refused):
    # given an organization whose management account trusts the service
    arn = firm.enable(tags={"team": "identity"})
    # then it is there, with what it is in Identity Center
    firm.manager.get_waiter("application_active").wait(applicationArn=arn)
    shown = firm.manager.get_application(applicationArn=arn)
    assert re.fullmatch(rf"arn:aws:account-access:us-east-1:{DEV}:application/[0-9a-f]{{16}}", arn)
    assert re.fullmatch(r"aa-[a-z0-9]{9}", shown["tenantId"])
    assert (shown["status"], shown["tags"]) == ("ACTIVE", {"team": "identity"})
    connected = shown["identitySource"]["identityCenter"]
    assert connected["instanceArn"] == firm.instance
    assert firm.sso.describe_application(ApplicationArn=connected["applicationArn"])["Status"] == "ENABLED"
    (listed,) = firm.manager.get_paginator("list_applications").paginate().build_full_result()["applications"]
    assert (listed["applicationArn"], listed["tenantId"]) == (arn, shown["tenantId"])
    # and a second one is the same, or refused
    again = firm.manager.create_application(identitySource=firm.source, tags={"team": "identity"})
    assert again["applicationArn"] == arn
    assert refused(firm.manager.create_application, identitySource=firm.source)[1] == "AlreadyCreatedException"


def test_an_application_goes_with_all_entitlements(firm, refused):
    arn = firm.enable()
    firm.entitle(BUILD, user="jane")
    (inner,) = firm.sso.list_applications(InstanceArn=firm.instance)["Applications"]
    deleted = firm.manager.delete_application(applicationArn=arn)
    assert deleted["ResponseMetadata"]["HTTPStatusCode"] == 204
    firm.manager.delete_application(applicationArn=arn)
    assert refused(firm.manager.get_application, applicationArn=arn)[:2] == (404, ABSENT)
    assert refused(firm.manager.list_entitlements, applicationArn=arn, filter={})[1] == ABSENT
    assert refused(firm.sso.describe_application, ApplicationArn=inner["ApplicationArn"])[1] == ABSENT
    firm.enable()
    assert firm.manager.list_entitlements(applicationArn=firm.application, filter={})["entitlements"] == []


def test_what_an_application_needs(firm, refused):
    create = firm.manager.create_application
    status, code, message = refused(create, identitySource=firm.source)
    assert (status, code) == (403, DENIED)
    assert "EnableAWSServiceAccess" in message
    gone = {"identityCenter": {"instanceArn": "arn:aws:sso:::instance/ssoins-0123456789abcdef"}}
    assert refused(create, identitySource=gone)[1] == DENIED
    assert refused(create, identitySource={"identityCenter": {"instanceArn": "arn:aws:sso:::instance/mine"}})[:2] == (
        400,
        INVALID,
    )
    firm.organizations.enable_aws_service_access(ServicePrincipal="account-access.amazonaws.com")
    for tags in ({"aws:mine": "x"}, {"": "x"}, {"k" * 129: "x"}, {"k": "v" * 257}, {f"k{n}": "" for n in range(51)}):
        assert refused(create, identitySource=firm.source, tags=tags)[:2] == (400, INVALID)
    elsewhere = firm.abroad()
    assert refused(elsewhere.create_application, identitySource=firm.source)[:2] == (400, INVALID)


def test_an_instance_of_one_account_has_none(emulator_server, refused):
    with emulator_server.world('accounts: {"777788889999": {}}') as aws:
        owner = aws.credentials(account="777788889999")
        instance = aws.client("sso-admin", owner).create_instance()["InstanceArn"]
        manager = aws.client("account-access", owner)
        source = {"identityCenter": {"instanceArn": instance}}
        assert refused(manager.create_application, identitySource=source)[:2] == (400, INVALID)


def test_who_may_call(firm, refused):
    arn = firm.enable(tags={"team": "identity"})
    alice, reader, manager = (
        firm.aws.client("account-access", firm.aws.credentials(account=DEV, user=name))
        for name in ("alice", "reader", "manager")
    )
    status, code, message = refused(alice.get_application, applicationArn=arn)
    assert (status, code) == (403, DENIED)
    assert f"not authorized to perform: account-access:GetApplication on resource: {arn}" in message
    assert refused(alice.list_applications)[1] == DENIED
    assert reader.list_entitlements(applicationArn=arn, filter={})["entitlements"] == []
    assert refused(reader.create_entitlement, **firm.wish(BUILD, user="jane"))[1] == DENIED
    assert refused(reader.tag_resource, resourceArn=arn, tags={"a": "b"})[1] == DENIED
    # the service looks into Identity Center with its caller's permission
    assert "identitystore:DescribeUser" in refused(manager.create_entitlement, **firm.wish(BUILD, user="jane"))[2]
    assert "sso:DescribeInstance" in refused(manager.create_application, identitySource=firm.source)[2]
    assert "sso:DeleteApplication" in refused(manager.delete_application, applicationArn=arn)[2]
    # accounts of others hear no, whatever they name
    member = firm.aws.client("account-access", firm.aws.credentials(account=PROD))
    assert refused(member.get_application, applicationArn=arn)[1] == DENIED
    assert refused(member.delete_application, applicationArn=arn)[1] == DENIED
    assert refused(member.create_application, identitySource=firm.source)[1] == DENIED
    assert member.list_applications()["applications"] == []
    # and in another Region it is not there
    elsewhere = firm.abroad()
    assert refused(elsewhere.get_application, applicationArn=arn)[1] == ABSENT
    assert elsewhere.list_applications()["applications"] == []


def test_a_delegated_administrator_gives_roles_and_leaves_the_manager_be(firm, refused):
    arn = firm.enable()
    member = firm.aws.client("account-access", firm.aws.credentials(account=PROD))
    firm.organizations.register_delegated_administrator(AccountId=PROD, ServicePrincipal=SERVICE)
    (listed,) = member.list_applications()["applications"]
    assert listed["applicationArn"] == arn
    made = member.create_entitlement(**firm.wish(BUILD, user="jane"))["entitlementId"]
    member.tag_resource(resourceArn=arn, tags={"team": "identity"})
    member.delete_entitlement(applicationArn=arn, entitlementId=made)
    assert refused(member.delete_application, applicationArn=arn)[1] == DENIED
    assert refused(member.create_application, identitySource=firm.source)[1] == DENIED
    firm.organizations.deregister_delegated_administrator(AccountId=PROD, ServicePrincipal=SERVICE)
    assert refused(member.get_application, applicationArn=arn)[1] == DENIED


def test_the_service_has_a_role_of_its_own(firm):
    firm.enable()
    role = firm.aws.client("iam", firm.owner).get_role(RoleName="AWSServiceRoleForAccountAccessManager")["Role"]
    assert role["Path"] == f"/aws-service-role/{SERVICE}/"
    attached = firm.aws.client("iam", firm.owner).list_attached_role_policies(RoleName=role["RoleName"])
    assert [policy["PolicyName"] for policy in attached["AttachedPolicies"]] == [
        "AccountAccessManagerServiceRolePolicy"
    ]


def test_a_scenario_gives_roles(emulator_server):
    entitlements = f"""
  entitlements:
    - {{users: omar, groups: builders, roles: ["{BUILD}", "{DEPLOY}"]}}
accounts:"""
    text = SCENARIO.replace("\naccounts:", entitlements, 1)
    with emulator_server.world(text) as aws:
        firm = Firm(aws)
        (listed,) = firm.manager.list_applications()["applications"]
        firm.application, firm.tenant = listed["applicationArn"], listed["tenantId"]
        given = firm.manager.list_entitlements(applicationArn=firm.application, filter={})["entitlements"]
        assert len(given) == 4
        roles = firm.runtime(firm.token("jane")).list_roles(tenantId=firm.tenant)["roles"]
        assert [role["roleArn"] for role in roles] == [BUILD, DEPLOY]
        aws.load(text)  # once more changes nothing
        assert len(firm.manager.list_entitlements(applicationArn=firm.application, filter={})["entitlements"]) == 4
        with pytest.raises(
            CommandError, match=r"scenario:\d+: entitlement to `arn:.*/gone`: ResourceNotFoundException"
        ):
            aws.load(text.replace(DEPLOY, f"arn:aws:iam::{PROD}:role/gone"))


def test_tags(firm, refused):
    arn = firm.enable()
    firm.manager.tag_resource(resourceArn=arn, tags={"team": "identity", "stage": "test"})
    firm.manager.untag_resource(resourceArn=arn, tagKeys=["stage", "none"])
    assert firm.manager.list_tags_for_resource(resourceArn=arn)["tags"] == {"team": "identity"}
    assert refused(firm.manager.tag_resource, resourceArn=arn, tags={"aws:x": "y"})[:2] == (400, INVALID)
    assert refused(firm.manager.list_tags_for_resource, resourceArn=UNKNOWN)[1] == ABSENT
    # tags of EKS, which has the same paths, are still its own
    eks = firm.aws.client("eks", firm.owner)
    assert refused(eks.list_tags_for_resource, resourceArn=f"arn:aws:eks:us-east-1:{DEV}:cluster/none")[0] != 500


# -- entitlements -------------------------------------------------------------------------------------------------


def test_entitlements_are_made_listed_and_deleted(firm, refused):
    arn = firm.enable()
    janes, builders = firm.entitle(BUILD, user="jane"), firm.entitle(DEPLOY, group="builders")
    assert firm.entitle(BUILD, user="jane") == janes  # once more is the same
    shown = firm.manager.get_entitlement(applicationArn=arn, entitlementId=builders)
    details = shown["entitlement"]["principalRole"]
    assert details["principal"]["identityCenter"] == {"groupId": firm.group("builders")}
    assert (details["roleArn"], details["account"], details["accountName"]) == (DEPLOY, PROD, "prod")

    def listed(**criteria) -> list[str]:
        answer = firm.manager.list_entitlements(applicationArn=arn, filter={"principalRole": criteria})
        return [known["entitlementId"] for known in answer["entitlements"]]

    assert set(listed()) == {janes, builders}
    assert listed(account=PROD) == listed(roleArn=DEPLOY) == [builders]
    assert listed(principal={"identityCenter": {"userId": firm.user("jane")}}) == [janes]
    assert listed(principal={"identityCenter": {"userId": firm.user("jane")}}, account=PROD) == []
    pages = firm.manager.get_paginator("list_entitlements").paginate(
        applicationArn=arn, filter={}, PaginationConfig={"PageSize": 1}
    )
    assert [len(page["entitlements"]) for page in pages] == [1, 1]
    made_up = {"applicationArn": arn, "filter": {}, "nextToken": "made-up"}
    assert refused(firm.manager.list_entitlements, **made_up)[:2] == (400, INVALID)
    for _ in range(2):  # the second time it is no error
        firm.manager.delete_entitlement(applicationArn=arn, entitlementId=janes)
    assert refused(firm.manager.get_entitlement, applicationArn=arn, entitlementId=janes)[:2] == (404, ABSENT)
    assert listed() == [builders]


def test_what_no_entitlement_can_be(firm, refused):
    firm.enable()
    create, wish = firm.manager.create_entitlement, firm.wish(BUILD, user="jane")

    def with_(**members) -> dict:
        return {**wish, "entitlement": {"principalRole": {**wish["entitlement"]["principalRole"], **members}}}

    nobody = {"identityCenter": {"userId": str(uuid.uuid4())}}
    assert refused(create, **with_(principal=nobody))[:2] == (404, ABSENT)
    assert refused(create, **with_(principal={"identityCenter": {"userId": "jane"}}))[:2] == (400, INVALID)
    assert refused(create, **with_(roleArn=f"{BUILD}er"))[:2] == (404, ABSENT)
    assert refused(create, **with_(roleArn="build"))[:2] == (400, INVALID)
    assert refused(create, **with_(roleArn="arn:aws:iam::777788889999:role/other"))[:2] == (400, INVALID)
    assert refused(create, **{**wish, "applicationArn": UNKNOWN})[:2] == (404, ABSENT)
    assert refused(create, **{**wish, "applicationArn": f"{UNKNOWN}/more"})[:2] == (400, INVALID)


def test_who_is_deleted_loses_entitlements(firm):
    arn = firm.enable()
    firm.entitle(BUILD, user="jane")
    firm.entitle(BUILD, group="builders")
    kept = firm.entitle(BUILD, user="omar")
    firm.store.delete_user(IdentityStoreId=firm.directory, UserId=firm.user("jane"))
    firm.store.delete_group(IdentityStoreId=firm.directory, GroupId=firm.group("builders"))
    listed = firm.manager.list_entitlements(applicationArn=arn, filter={})["entitlements"]
    assert [known["entitlementId"] for known in listed] == [kept]


# -- the runtime --------------------------------------------------------------------------------------------------


def test_a_person_becomes_the_role(firm):
    # given jane, entitled by name and through her group
    firm.enable()
    firm.entitle(BUILD, user="jane")
    firm.entitle(DEPLOY, group="builders")
    runtime = firm.runtime(firm.token("jane"))
    # then she sees both roles
    pages = runtime.get_paginator("list_roles").paginate(tenantId=firm.tenant, PaginationConfig={"PageSize": 1})
    roles = pages.build_full_result()["roles"]
    assert [(role["roleArn"], role["accountId"], role["accountName"]) for role in roles] == [
        (BUILD, DEV, "dev"),
        (DEPLOY, PROD, "prod"),
    ]
    # and has credentials, in her id's name or the one she gives
    answer = runtime.get_role_credentials(**firm.ask(DEPLOY))["credentialsDetails"]["programmaticAccess"]
    assert arn_of(firm, answer) == f"arn:aws:sts::{PROD}:assumed-role/deploy/{firm.user('jane')}"
    named = firm.ask(BUILD, sessionName="at-work", sessionDuration=7200)
    answer = runtime.get_role_credentials(**named)["credentialsDetails"]["programmaticAccess"]
    assert arn_of(firm, answer) == f"arn:aws:sts::{DEV}:assumed-role/build/at-work"
    # and the trail tells who it was
    asked = event(firm, "GetRoleCredentials")
    assert asked["userIdentity"]["type"] == "IdentityCenterUser"
    assert asked["userIdentity"]["onBehalfOf"]["userId"] == firm.user("jane")
    assert answer["secretAccessKey"] not in str(asked)
    used = event(firm, "GetCallerIdentity")
    assert used["userIdentity"]["onBehalfOf"]["userId"] == firm.user("jane")


def test_who_is_not_entitled_is_told_why_in_the_event(firm, refused):
    firm.enable()
    firm.entitle(BUILD, group="builders")
    entitlement = firm.entitle(DEPLOY, user="omar")
    runtime = firm.runtime(firm.token("omar"))
    assert refused(runtime.get_role_credentials, **firm.ask(BUILD))[:2] == (403, DENIED)
    assert "its groups are builders, and omar is in none" in reason(firm)
    firm.manager.delete_entitlement(applicationArn=firm.application, entitlementId=entitlement)
    assert refused(runtime.get_role_credentials, **firm.ask(DEPLOY))[:2] == (403, DENIED)
    assert "create an entitlement" in reason(firm)
    assert runtime.list_roles(tenantId=firm.tenant)["roles"] == []


@pytest.mark.parametrize(("role", "missing"), [(PLAIN, "sts:AssumeRole"), (BARE, "sts:TagSession")])
def test_the_roles_trust_policy_is_asked(firm, refused, role, missing):
    firm.enable()
    firm.entitle(role, user="jane")
    runtime = firm.runtime(firm.token("jane"))
    assert refused(runtime.get_role_credentials, **firm.ask(role))[:2] == (403, DENIED)
    decision = event(firm, "GetRoleCredentials")["additionalEventData"]["decisions"][-1]
    assert missing in str(decision)


def test_a_role_that_is_gone_is_refused(firm, refused):
    firm.enable()
    firm.entitle(BUILD, user="jane")
    firm.aws.client("iam", firm.owner).delete_role(RoleName="build")
    runtime = firm.runtime(firm.token("jane"))
    assert refused(runtime.get_role_credentials, **firm.ask(BUILD))[:2] == (403, DENIED)
    assert "is gone" in reason(firm)


def test_wishes_that_cannot_be(firm, refused):
    firm.enable()
    firm.entitle(BUILD, user="jane")
    runtime = firm.runtime(firm.token("jane"))
    for wish in (
        {"sessionDuration": 899},
        {"sessionDuration": 7201},
        {"sessionName": "x"},
        {"sessionName": "a b"},
        {"accessType": "CONSOLE"},
        {"tenantId": "AA-1"},
    ):
        assert refused(runtime.get_role_credentials, **{**firm.ask(BUILD), **wish})[:2] == (400, INVALID), wish
    for wish in ({"maxResults": 0}, {"maxResults": 101}, {"nextToken": "made-up"}):
        assert refused(runtime.list_roles, tenantId=firm.tenant, **wish)[:2] == (400, INVALID), wish
    assert refused(runtime.list_roles, tenantId="aa-another")[:2] == (401, "UnauthorizedException")


def test_tokens_that_are_none(firm, refused, emulator_server):
    firm.enable()
    firm.entitle(BUILD, user="jane")
    token = firm.token("jane")
    with emulator_server.world(SCENARIO) as other:
        foreign = Firm(other).token("jane")
    for wrong in ("", "made-up", token[:-8] + "x" * 8, foreign, "a" * 5_000):
        runtime = firm.runtime(wrong)
        assert refused(runtime.get_role_credentials, **firm.ask(BUILD))[:2] == (401, "UnauthorizedException")
        assert refused(runtime.list_roles, tenantId=firm.tenant)[:2] == (401, "UnauthorizedException")
    firm.aws.advance(hours=2)
    assert refused(firm.runtime(token).list_roles, tenantId=firm.tenant)[:2] == (401, "UnauthorizedException")


def test_a_token_is_good_for_its_scopes(firm, refused):
    firm.enable()
    firm.entitle(BUILD, user="jane")
    portal = firm.runtime(firm.token("jane", ["sso:account:access"]))
    assert refused(portal.list_roles, tenantId=firm.tenant)[:2] == (401, "UnauthorizedException")
    assert "account_access:read_only" in reason(firm)
    reading = firm.runtime(firm.token("jane", SCOPES[:1]))
    assert len(reading.list_roles(tenantId=firm.tenant)["roles"]) == 1
    assert refused(reading.get_role_credentials, **firm.ask(BUILD))[:2] == (401, "UnauthorizedException")
    sso = firm.aws.client("sso", firm.owner)
    assert refused(sso.list_accounts, accessToken=firm.token("jane"))[:2] == (401, "UnauthorizedException")
    both = firm.token("jane", [*SCOPES, "sso:account:access"])
    assert sso.list_accounts(accessToken=both)["accountList"] == []
    assert len(firm.runtime(both).list_roles(tenantId=firm.tenant)["roles"]) == 1


def test_who_signs_out_or_is_disabled_gets_no_more(firm, refused):
    firm.enable()
    firm.entitle(BUILD, user="jane")
    both = firm.token("jane", [*SCOPES, "sso:account:access"])
    answer = firm.runtime(both).get_role_credentials(**firm.ask(BUILD))["credentialsDetails"]["programmaticAccess"]
    firm.aws.client("sso", firm.owner).logout(accessToken=both)
    assert refused(firm.runtime(both).list_roles, tenantId=firm.tenant)[:2] == (401, "UnauthorizedException")
    assert "assumed-role/build" in arn_of(firm, answer)  # what runs goes on
    token = firm.token("jane")
    (known,) = firm.sso.list_applications(InstanceArn=firm.instance)["Applications"]
    firm.sso.update_application(ApplicationArn=known["ApplicationArn"], Status="DISABLED")
    assert refused(firm.runtime(token).list_roles, tenantId=firm.tenant)[:2] == (401, "UnauthorizedException")


def test_the_page_tells_the_whole_way():
    """The example of docs/identity-center.md, run as it stands."""
    page = (Path(__file__).parents[3] / "docs/identity-center.md").read_text()
    (example,) = re.findall(r"```python\n(from sts_emulator(?:(?!```).)*account-access.*?)```", page, re.DOTALL)
    exec(compile(example, "docs/identity-center.md", "exec"), {})


# -- parts --------------------------------------------------------------------------------------------------------


def arn_of(firm, answer: dict) -> str:
    keys = {
        "AccessKeyId": answer["accessKeyId"],
        "SecretAccessKey": answer["secretAccessKey"],
        "SessionToken": answer["sessionToken"],
    }
    return firm.aws.client("sts", keys).get_caller_identity()["Arn"]


def event(firm, name: str) -> dict:
    """The latest event of that name."""
    return next(known for known in reversed(firm.aws.events()) if known["eventName"] == name)


def reason(firm) -> str:
    """Why the latest call was refused."""
    return firm.aws.events()[-1]["additionalEventData"]["evidence"]["refused"]
