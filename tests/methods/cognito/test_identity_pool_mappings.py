"""Which role somebody gets, and which tags: a token's own roles, rules on claims, and principal-tag maps.

Source: the developer guide, "Using role-based access control" and "Using attributes for access control".
"""

import json

import pytest
from cognito_stage import APP, COGNITO, USER_POOL

pytestmark = pytest.mark.scenario("identity_pools.yaml")

KEY = f"{USER_POOL}:{APP}"
MISCONFIGURED = "InvalidIdentityPoolConfigurationException"
DENIED = (
    400,
    "NotAuthorizedException",
    f"The ambiguous role mapping rules for: {KEY} denied this request.",
)


def role(name: str) -> str:
    return f"arn:aws:iam::111122223333:role/{name}"


def rule(claim: str, match: str, value: str, name: str) -> dict:
    return {"Claim": claim, "MatchType": match, "Value": value, "RoleARN": role(name)}


def rules(*rules: dict, resolution: str = "Deny") -> dict:
    return {KEY: {"Type": "Rules", "AmbiguousRoleResolution": resolution, "RulesConfiguration": {"Rules": list(rules)}}}


def by_token(resolution: str = "Deny") -> dict:
    return {KEY: {"Type": "Token", "AmbiguousRoleResolution": resolution}}


@pytest.fixture
def staff(stage):
    """A pool with three roles for its users."""
    stage.create()
    for name in ("user", "admin", "auditor"):
        stage.role(name)
    return stage


@pytest.fixture
def given(staff):
    """`given(**claims)`: the name of the role that a sign-in with these claims gets."""

    def given(wanted: str = "", **claims: object) -> str:
        more = {"CustomRoleArn": role(wanted)} if wanted else {}
        return staff.caller(staff.credentials(staff.logins(**claims), **more)).split("/")[1]

    return given


class TestToken:
    @pytest.fixture(autouse=True)
    def mapping(self, staff):
        staff.assign(by_token(), authenticated=role("user"))

    def test_the_preferred_role(self, given):
        claims = {"cognito:roles": [role("admin"), role("auditor")], "cognito:preferred_role": role("auditor")}
        assert given(**claims) == "auditor"

    def test_the_only_role(self, given):
        assert given(**{"cognito:roles": [role("admin")]}) == "admin"

    def test_several_and_none_preferred(self, staff, given, refused):
        claims = {"cognito:roles": [role("admin"), role("auditor")]}
        assert refused(given, **claims) == DENIED
        staff.assign(by_token("AuthenticatedRole"), authenticated=role("user"))
        assert given(**claims) == "user"

    def test_none(self, staff, given, refused):
        assert refused(given) == DENIED
        staff.assign(by_token("AuthenticatedRole"), authenticated=role("user"))
        assert given() == "user"

    def test_the_one_that_the_app_asks_for(self, given, refused):
        claims = {"cognito:roles": [role("admin"), role("auditor")], "cognito:preferred_role": role("auditor")}
        assert given("admin", **claims) == "admin"
        assert refused(given, wanted="user", **claims) == DENIED

    def test_a_role_of_the_token_that_trusts_another_pool(self, staff, given, refused):
        staff.role("elsewhere", pool="us-east-1:0")
        assert refused(given, **{"cognito:roles": [role("elsewhere")]})[1] == MISCONFIGURED


class TestRules:
    @pytest.mark.parametrize(
        ("match", "value", "claim", "fits"),
        [
            ("Equals", "ops", "ops", True),
            ("Equals", "ops", "devops", False),
            ("Contains", "ops", "devops", True),
            ("Contains", "ops", "dev", False),
            ("StartsWith", "dev", "devops", True),
            ("StartsWith", "ops", "devops", False),
            ("NotEqual", "ops", "dev", True),
            ("NotEqual", "ops", "ops", False),
            ("NotEqual", "ops", None, False),
            ("Equals", "true", True, True),
            ("Contains", "ops", ["dev", "ops"], True),
        ],
    )
    def test_how_a_claim_is_matched(self, staff, given, match, value, claim, fits):
        staff.assign(
            rules(rule("team", match, value, "admin"), resolution="AuthenticatedRole"), authenticated=role("user")
        )
        assert given(team=claim) == ("admin" if fits else "user")

    def test_the_first_that_fits(self, staff, given):
        staff.assign(rules(rule("a", "Equals", "1", "auditor"), rule("b", "Equals", "1", "admin")))
        assert given(a="1", b="1") == "auditor"
        assert given(b="1") == "admin"
        assert given("admin", a="1", b="1") == "admin"

    def test_none_that_fits(self, staff, given, refused):
        staff.assign(rules(rule("a", "Equals", "1", "auditor")), authenticated=role("user"))
        assert refused(given) == DENIED

    def test_one_that_picks_a_role_the_user_may_not_have(self, staff, given, refused):
        staff.role("guests-only", "unauthenticated")
        staff.assign(rules(rule("a", "Equals", "1", "guests-only")))
        assert refused(given, a="1")[1] == MISCONFIGURED

    def test_a_role_is_chosen_only_where_a_mapping_offers_it(self, staff, given, refused):
        staff.assign(authenticated=role("user"))
        assert refused(given, wanted="admin") == DENIED


class TestSetting:
    def call(self, staff, mappings: dict | None = None, **roles: str):
        staff.assign(mappings, **roles)

    def test_what_was_set_is_read_back(self, staff):
        mapping = rules(rule("a", "Equals", "1", "admin"))
        staff.assign(mapping, authenticated=role("user"))
        answer = staff.owner.get_identity_pool_roles(IdentityPoolId=staff.pool)
        assert (answer["Roles"], answer["RoleMappings"]) == ({"authenticated": role("user")}, mapping)

    def test_a_role_that_does_not_exist(self, staff, refused):
        told = refused(staff.assign, authenticated=role("nobody"))
        assert told == (400, "NotAuthorizedException", f"Access to Role '{role('nobody')}' is forbidden.")

    @pytest.mark.parametrize("where", ["roles", "rules"])
    def test_a_role_that_the_caller_may_not_pass(self, staff, refused, where):
        backend = staff.aws.client("cognito-identity", user="backend")
        given = {"Roles": {"authenticated": role("user")}}
        if where == "rules":
            given = {"Roles": {}, "RoleMappings": rules(rule("a", "Equals", "1", "user"))}
        told = refused(backend.set_identity_pool_roles, IdentityPoolId=staff.pool, **given)
        assert told == (400, "NotAuthorizedException", f"Access to Role '{role('user')}' is forbidden.")
        passing = {
            "Effect": "Allow",
            "Action": "iam:PassRole",
            "Resource": role("user"),
            "Condition": {"StringEquals": {"iam:PassedToService": COGNITO}},
        }
        document = json.dumps({"Version": "2012-10-17", "Statement": [passing]})
        staff.iam.put_user_policy(UserName="backend", PolicyName="pass", PolicyDocument=document)
        backend.set_identity_pool_roles(IdentityPoolId=staff.pool, **given)

    def test_a_mapping_needs_a_resolution_and_rules(self, staff, refused):
        told = refused(staff.assign, mappings={KEY: {"Type": "Token"}})
        assert told[1] == "InvalidParameterException"
        told = refused(staff.assign, mappings={KEY: {"Type": "Rules", "AmbiguousRoleResolution": "Deny"}})
        assert told[1] == "InvalidParameterException"


class TestPrincipalTags:
    @pytest.fixture
    def tagged(self, stage):
        """A pool whose role may be tagged, and lists users for the team `ops` only."""
        stage.create()
        ops = {
            "Effect": "Allow",
            "Action": "iam:ListUsers",
            "Resource": "*",
            "Condition": {"StringEquals": {"aws:PrincipalTag/team": "ops"}},
        }
        stage.assign(authenticated=stage.role("user", tags=True, allow=[ops]))
        return stage

    def map(self, stage, **given: object) -> dict:
        return stage.owner.set_principal_tag_attribute_map(
            IdentityPoolId=stage.pool, IdentityProviderName=USER_POOL, **given
        )

    def test_a_claim_becomes_a_tag_of_the_session(self, tagged, refused):
        self.map(tagged, PrincipalTags={"team": "custom:team"})
        ops = tagged.credentials(tagged.logins(**{"custom:team": "ops"}))
        assert tagged.signed("iam", ops).list_users()
        dev = tagged.credentials(tagged.logins(**{"custom:team": "dev"}))
        assert refused(tagged.signed("iam", dev).list_users)[1] == "AccessDenied"

    def test_a_claim_that_is_not_there_gives_none(self, tagged):
        self.map(tagged, PrincipalTags={"team": "custom:team"})
        assert tagged.credentials(tagged.logins())

    def test_the_role_must_let_itself_be_tagged(self, tagged, refused):
        self.map(tagged, PrincipalTags={"team": "custom:team"})
        tagged.assign(authenticated=tagged.role("untagged"))
        assert refused(tagged.credentials, logins=tagged.logins(**{"custom:team": "ops"}))[1] == MISCONFIGURED
        assert tagged.credentials(tagged.logins())

    def test_defaults(self, tagged):
        answer = self.map(tagged, UseDefaults=True)
        assert answer["PrincipalTags"] == {"username": "sub", "client": "aud"}
        read = tagged.owner.get_principal_tag_attribute_map(IdentityPoolId=tagged.pool, IdentityProviderName=USER_POOL)
        assert read["UseDefaults"] is True

    def test_one_that_was_never_set(self, tagged, refused):
        told = refused(
            tagged.owner.get_principal_tag_attribute_map, IdentityPoolId=tagged.pool, IdentityProviderName="x"
        )
        assert told[1] == "ResourceNotFoundException"

    def test_the_basic_flow_has_them_in_its_token(self, tagged):
        self.map(tagged, PrincipalTags={"team": "custom:team"})
        logins = tagged.logins(**{"custom:team": "ops"})
        identity = tagged.app.get_id(IdentityPoolId=tagged.pool, Logins=logins)["IdentityId"]
        token = tagged.app.get_open_id_token(IdentityId=identity, Logins=logins)["Token"]
        answer = tagged.unsigned("sts").assume_role_with_web_identity(
            RoleArn=role("user"), RoleSessionName="app", WebIdentityToken=token
        )
        assert tagged.aws.client("iam", answer["Credentials"]).list_users()
