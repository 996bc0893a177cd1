"""Customer-managed applications and trusted token issuers. Operations, members and errors: the model."""

from __future__ import annotations

import pytest
from identity_stories import EMPTY, MANAGEMENT, MEMBER, refusal

from sts_emulator.cli.errors import CommandError

pytestmark = pytest.mark.scenario(EMPTY)

CUSTOM = "arn:aws:sso::aws:applicationProvider/custom"
JWT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
ABSENT = "ResourceNotFoundException"


@pytest.fixture
def application(lab):
    return lab.sso.create_application(**lab.of, ApplicationProviderArn=CUSTOM, Name="shop")["ApplicationArn"]


@pytest.fixture
def issuer(lab):
    return lab.sso.create_trusted_token_issuer(**lab.of, **issuing())["TrustedTokenIssuerArn"]


def issuing(name: str = "corp", url: str = "https://corp.example.com") -> dict:
    configuration = {
        "IssuerUrl": url,
        "ClaimAttributePath": "email",
        "IdentityStoreAttributePath": "emails.value",
        "JwksRetrievalOption": "OPEN_ID_DISCOVERY",
    }
    return {
        "Name": name,
        "TrustedTokenIssuerType": "OIDC_JWT",
        "TrustedTokenIssuerConfiguration": {"OidcJwtConfiguration": configuration},
    }


def test_an_application_lives_a_whole_life(lab, application):
    sso, named = lab.sso, {"ApplicationArn": application}
    instance = lab.arn.rpartition("/")[2]
    assert application.startswith(f"arn:aws:sso::{MANAGEMENT}:application/{instance}/apl-")
    shown = sso.describe_application(**named)
    assert (shown["Name"], shown["Status"], shown["ApplicationAccount"]) == ("shop", "ENABLED", MANAGEMENT)
    assert shown["PortalOptions"] == {"Visibility": "ENABLED"}
    sso.update_application(**named, Description="Sells", Status="DISABLED")
    shown = sso.describe_application(**named)
    assert (shown["Description"], shown["Status"], shown["Name"]) == ("Sells", "DISABLED", "shop")
    assert [entry["ApplicationArn"] for entry in sso.list_applications(**lab.of)["Applications"]] == [application]
    assert sso.list_applications(**lab.of, Filter={"ApplicationAccount": MEMBER})["Applications"] == []
    sso.tag_resource(**lab.of, ResourceArn=application, Tags=[{"Key": "team", "Value": "shop"}])
    assert sso.list_tags_for_resource(ResourceArn=application)["Tags"] == [{"Key": "team", "Value": "shop"}]
    sso.delete_application(**named)
    assert refusal(sso.describe_application, **named)[0] == ABSENT


def test_applications_come_of_providers(lab):
    sso = lab.sso
    arns = [entry["ApplicationProviderArn"] for entry in sso.list_application_providers()["ApplicationProviders"]]
    assert CUSTOM in arns
    assert sso.describe_application_provider(ApplicationProviderArn=CUSTOM)["FederationProtocol"] == "OAUTH"
    saml = {**lab.of, "ApplicationProviderArn": f"{CUSTOM}-saml", "Name": "old"}
    assert refusal(sso.create_application, **saml)[0] == "ValidationException"  # the model: by console only
    unknown = "arn:aws:sso::aws:applicationProvider/none"
    assert refusal(sso.describe_application_provider, ApplicationProviderArn=unknown)[0] == ABSENT


def test_the_same_request_makes_one_application(lab):
    request = {**lab.of, "ApplicationProviderArn": CUSTOM, "Name": "shop", "ClientToken": "once"}
    first, second = (lab.sso.create_application(**request)["ApplicationArn"] for _ in range(2))
    assert first == second
    assert refusal(lab.sso.create_application, **{**request, "ClientToken": "twice"})[0] == "ConflictException"


def test_people_and_groups_are_assigned(lab, application):
    sso, named, jane = lab.sso, {"ApplicationArn": application}, lab.new_user("jane")
    assert sso.get_application_assignment_configuration(**named)["AssignmentRequired"]
    sso.put_application_assignment_configuration(**named, AssignmentRequired=False)
    assert not sso.get_application_assignment_configuration(**named)["AssignmentRequired"]
    user = {"PrincipalId": jane, "PrincipalType": "USER"}
    assert refusal(sso.describe_application_assignment, **named, **user)[0] == ABSENT
    sso.create_application_assignment(**named, **user)
    assert sso.describe_application_assignment(**named, **user)["PrincipalId"] == jane
    group = lab.store.create_group(**lab.of_store, DisplayName="developers")["GroupId"]
    lab.store.create_group_membership(**lab.of_store, GroupId=group, MemberId={"UserId": jane})
    sso.create_application_assignment(**named, PrincipalId=group, PrincipalType="GROUP")
    assert len(sso.list_application_assignments(**named)["ApplicationAssignments"]) == 2
    mine = sso.list_application_assignments_for_principal(**lab.of, **user)["ApplicationAssignments"]
    assert {entry["PrincipalType"] for entry in mine} == {"USER", "GROUP"}
    sso.delete_application_assignment(**named, **user)
    assert refusal(sso.delete_application_assignment, **named, **user)[0] == ABSENT
    nobody = {"PrincipalId": "00000000-0000-4000-8000-000000000000", "PrincipalType": "USER"}
    assert refusal(sso.create_application_assignment, **named, **nobody)[0] == ABSENT


def test_scopes_grants_and_callers_are_set(lab, application, issuer):
    sso, named = lab.sso, {"ApplicationArn": application}
    sso.put_application_access_scope(**named, Scope="sso:account:access")
    assert sso.get_application_access_scope(**named, Scope="sso:account:access")["Scope"] == "sso:account:access"
    assert len(sso.list_application_access_scopes(**named)["Scopes"]) == 1
    sso.delete_application_access_scope(**named, Scope="sso:account:access")
    assert refusal(sso.get_application_access_scope, **named, Scope="sso:account:access")[0] == ABSENT
    assert refusal(sso.put_application_access_scope, **named, Scope="no scope!")[0] == "ValidationException"

    grant = {
        "JwtBearer": {"AuthorizedTokenIssuers": [{"TrustedTokenIssuerArn": issuer, "AuthorizedAudiences": ["shop"]}]}
    }
    sso.put_application_grant(**named, GrantType=JWT, Grant=grant)
    assert sso.get_application_grant(**named, GrantType=JWT)["Grant"] == grant
    assert [entry["GrantType"] for entry in sso.list_application_grants(**named)["Grants"]] == [JWT]
    wrong = {"RefreshToken": {}}
    assert refusal(sso.put_application_grant, **named, GrantType=JWT, Grant=wrong)[0] == "ValidationException"
    foreign = issuer[:-1] + ("0" if issuer[-1] != "0" else "1")
    unknown = {"JwtBearer": {"AuthorizedTokenIssuers": [{"TrustedTokenIssuerArn": foreign}]}}
    assert refusal(sso.put_application_grant, **named, GrantType=JWT, Grant=unknown)[0] == ABSENT
    sso.delete_application_grant(**named, GrantType=JWT)
    assert refusal(sso.get_application_grant, **named, GrantType=JWT)[0] == ABSENT

    policy = {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Principal": "*", "Action": "sso-oauth:*", "Resource": "*"}],
    }
    method = {"AuthenticationMethodType": "IAM"}
    sso.put_application_authentication_method(**named, **method, AuthenticationMethod={"Iam": {"ActorPolicy": policy}})
    shown = sso.get_application_authentication_method(**named, **method)
    assert shown["AuthenticationMethod"]["Iam"]["ActorPolicy"] == policy
    assert len(sso.list_application_authentication_methods(**named)["AuthenticationMethods"]) == 1
    bad = {"Iam": {"ActorPolicy": "text"}}
    refused = refusal(sso.put_application_authentication_method, **named, **method, AuthenticationMethod=bad)
    assert refused[0] == "ValidationException"
    sso.delete_application_authentication_method(**named, **method)
    assert refusal(sso.get_application_authentication_method, **named, **method)[0] == ABSENT

    assert sso.get_application_session_configuration(**named)["UserBackgroundSessionApplicationStatus"] == "DISABLED"
    sso.put_application_session_configuration(**named, UserBackgroundSessionApplicationStatus="ENABLED")
    assert sso.get_application_session_configuration(**named)["UserBackgroundSessionApplicationStatus"] == "ENABLED"


def test_a_trusted_token_issuer_lives_a_whole_life(lab, issuer):
    sso, named = lab.sso, {"TrustedTokenIssuerArn": issuer}
    shown = sso.describe_trusted_token_issuer(**named)
    assert shown["TrustedTokenIssuerConfiguration"]["OidcJwtConfiguration"]["ClaimAttributePath"] == "email"
    change = {"OidcJwtConfiguration": {"ClaimAttributePath": "sub", "IdentityStoreAttributePath": "userName"}}
    sso.update_trusted_token_issuer(**named, Name="new", TrustedTokenIssuerConfiguration=change)
    shown = sso.describe_trusted_token_issuer(**named)
    assert shown["Name"] == "new"
    assert shown["TrustedTokenIssuerConfiguration"]["OidcJwtConfiguration"]["ClaimAttributePath"] == "sub"
    assert [
        entry["TrustedTokenIssuerArn"] for entry in sso.list_trusted_token_issuers(**lab.of)["TrustedTokenIssuers"]
    ] == [issuer]
    again = issuing("other")
    assert refusal(sso.create_trusted_token_issuer, **lab.of, **again)[0] == "ConflictException"
    assert refusal(sso.create_trusted_token_issuer, **lab.of, **issuing("x", "ftp://corp"))[0] == "ValidationException"
    sso.delete_trusted_token_issuer(**named)
    assert refusal(sso.describe_trusted_token_issuer, **named)[0] == ABSENT


def test_another_accounts_callers_are_refused(aws, application, issuer):
    member = aws.client("sso-admin", aws.credentials(account=MEMBER))
    assert refusal(member.describe_application, ApplicationArn=application)[0] == "AccessDeniedException"
    assert refusal(member.delete_trusted_token_issuer, TrustedTokenIssuerArn=issuer)[0] == "AccessDeniedException"
    assert refusal(member.list_tags_for_resource, ResourceArn=application)[0] == "AccessDeniedException"


def test_a_scenario_trusts_token_issuers(aws, lab):
    def wish(claim: str = "email", url: str = "https://login.corp.example") -> str:
        return f"{EMPTY.rstrip()[:-1]}, trusted_token_issuers: {{corp: {{url: '{url}', claim: {claim}, tags: {{a: b}}}}}}}}"

    for claim in ("email", "upn", "upn"):
        aws.load(wish(claim))
        (known,) = lab.sso.list_trusted_token_issuers(**lab.of)["TrustedTokenIssuers"]
        named = {"TrustedTokenIssuerArn": known["TrustedTokenIssuerArn"]}
        shown = lab.sso.describe_trusted_token_issuer(**named)["TrustedTokenIssuerConfiguration"][
            "OidcJwtConfiguration"
        ]
        assert (shown["ClaimAttributePath"], shown["IdentityStoreAttributePath"]) == (claim, "emails.value")
    with pytest.raises(CommandError, match="the URL of a trusted token issuer cannot be changed"):
        aws.load(wish(url="https://another.example"))
