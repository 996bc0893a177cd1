"""Who somebody is: logins that are linked, merged and unlinked, and users whom an app's own backend vouches for."""

import pytest
from cognito_stage import APP, COGNITO, USER_POOL

pytestmark = pytest.mark.scenario("identity_pools.yaml")

CORP = "idp.example.com"
MISMATCH = (
    400,
    "NotAuthorizedException",
    "Logins don't match. Please include at least one valid login for this identity or identity pool.",
)


@pytest.fixture
def app(stage):
    """A pool with two providers, and a third that is the app's own backend."""
    stage.create(
        OpenIdConnectProviderARNs=[f"arn:aws:iam::111122223333:oidc-provider/{CORP}"],
        DeveloperProviderName="login.phone.example",
    )
    stage.assign(authenticated=stage.role("user"), unauthenticated=stage.role("guest", "unauthenticated"))
    return stage


@pytest.fixture
def corp(app):
    return lambda sub="kim": {CORP: app.aws.token("corp", aud="app-at-corp", sub=sub)}


def who(stage, **logins: object) -> str:
    return stage.app.get_id(IdentityPoolId=stage.pool, **({"Logins": logins["logins"]} if logins else {}))["IdentityId"]


def described(stage, identity: str) -> set[str]:
    return set(stage.owner.describe_identity(IdentityId=identity)["Logins"])


class TestLinking:
    def test_a_login_that_comes_with_one_that_is_known(self, app, corp):
        ana = who(app, logins=app.logins())
        assert who(app, logins={**app.logins(), **corp()}) == ana
        assert who(app, logins=corp()) == ana
        assert described(app, ana) == {USER_POOL, CORP}

    def test_a_guest_who_signs_in_stays_who_he_was(self, app):
        guest = who(app)
        answer = app.app.get_credentials_for_identity(IdentityId=guest, Logins=app.logins())
        assert answer["IdentityId"] == guest
        assert ":assumed-role/user/" in app.caller(answer)
        assert who(app, logins=app.logins()) == guest

    def test_a_guest_who_signs_in_as_somebody_known_becomes_that_one(self, app, refused):
        ana, guest = who(app, logins=app.logins()), who(app)
        answer = app.app.get_credentials_for_identity(IdentityId=guest, Logins=app.logins())
        assert answer["IdentityId"] == ana
        told = refused(app.app.get_credentials_for_identity, IdentityId=guest)
        assert told == (400, "ResourceNotFoundException", f"Identity '{guest}' not found.")

    def test_two_identities_whose_logins_come_together_are_merged(self, app, corp):
        ana, kim = who(app, logins=app.logins()), who(app, logins=corp())
        assert ana != kim
        assert who(app, logins={**app.logins(), **corp()}) == ana
        assert who(app, logins=corp()) == ana

    def test_two_logins_of_one_provider_are_never_one_identity(self, app, corp, refused):
        who(app, logins={**app.logins(), **corp()})
        told = refused(app.app.get_id, IdentityPoolId=app.pool, Logins={**app.logins(), **corp("lee")})
        assert told[:2] == (400, "ResourceConflictException")
        assert who(app, logins=corp("lee")) != who(app, logins=app.logins())

    def test_somebody_else_s_identity(self, app, corp, refused):
        ana = who(app, logins=app.logins())
        for logins in (corp(), app.logins(sub="ben")):
            told = refused(app.app.get_credentials_for_identity, IdentityId=ana, Logins=logins)
            assert told == MISMATCH

    def test_a_login_is_unlinked_by_who_has_it(self, app, corp, refused):
        ana = who(app, logins={**app.logins(), **corp()})
        told = refused(
            app.app.unlink_identity, IdentityId=ana, Logins=app.logins(sub="ben"), LoginsToRemove=[USER_POOL]
        )
        assert told == MISMATCH
        app.app.unlink_identity(IdentityId=ana, Logins=corp(), LoginsToRemove=[CORP])
        assert described(app, ana) == {USER_POOL}
        assert who(app, logins=corp()) != ana

    def test_without_its_last_login_nobody_reaches_an_identity(self, app, refused):
        ana = who(app, logins=app.logins())
        app.app.unlink_identity(IdentityId=ana, Logins=app.logins(), LoginsToRemove=[USER_POOL])
        assert refused(app.app.get_credentials_for_identity, IdentityId=ana)[1] == "ResourceNotFoundException"

    def test_identities_are_listed_and_deleted(self, app, refused):
        ids = {who(app) for _ in range(3)}
        first = app.owner.list_identities(IdentityPoolId=app.pool, MaxResults=2)
        rest = app.owner.list_identities(IdentityPoolId=app.pool, MaxResults=2, NextToken=first["NextToken"])
        assert {identity["IdentityId"] for page in (first, rest) for identity in page["Identities"]} == ids
        assert app.owner.delete_identities(IdentityIdsToDelete=sorted(ids))["UnprocessedIdentityIds"] == []
        for identity in ids:
            assert refused(app.app.get_credentials_for_identity, IdentityId=identity)[1] == "ResourceNotFoundException"


class TestDevelopers:
    PROVIDER = "login.phone.example"

    def vouch(self, app, user: str = "u1", **more: object) -> dict:
        backend = app.aws.client("cognito-identity", user="backend")
        return backend.get_open_id_token_for_developer_identity(
            IdentityPoolId=app.pool, **{"Logins": {self.PROVIDER: user}, **more}
        )

    def test_a_user_whom_the_backend_vouches_for(self, app):
        answer = self.vouch(app)
        assert self.vouch(app)["IdentityId"] == answer["IdentityId"] != self.vouch(app, "u2")["IdentityId"]
        given = app.app.get_credentials_for_identity(IdentityId=answer["IdentityId"], Logins={COGNITO: answer["Token"]})
        assert ":assumed-role/user/" in app.caller(given)

    def test_the_token_goes_to_sts_as_well(self, app):
        answer = app.unsigned("sts").assume_role_with_web_identity(
            RoleArn="arn:aws:iam::111122223333:role/user",
            RoleSessionName="app",
            WebIdentityToken=self.vouch(app)["Token"],
        )
        assert answer["Provider"] == COGNITO

    def test_and_may_carry_tags(self, app, refused):
        answer = self.vouch(app, PrincipalTags={"team": "ops"})
        logins = {COGNITO: answer["Token"]}
        told = refused(app.app.get_credentials_for_identity, IdentityId=answer["IdentityId"], Logins=logins)
        assert told[1] == "InvalidIdentityPoolConfigurationException"
        app.assign(authenticated=app.role("tagged", tags=True))
        assert app.app.get_credentials_for_identity(IdentityId=answer["IdentityId"], Logins=logins)

    def test_a_token_for_somebody_else(self, app, refused):
        mine, other = self.vouch(app), self.vouch(app, "u2")
        told = refused(
            app.app.get_credentials_for_identity, IdentityId=other["IdentityId"], Logins={COGNITO: mine["Token"]}
        )
        assert told == MISMATCH

    def test_a_token_that_has_expired(self, app, refused):
        answer = self.vouch(app, TokenDuration=60)
        app.aws.advance(minutes=2)
        told = refused(
            app.app.get_credentials_for_identity, IdentityId=answer["IdentityId"], Logins={COGNITO: answer["Token"]}
        )
        assert told[2].startswith("Invalid login token. Token expired: ")

    def test_a_token_of_the_basic_flow_is_no_login(self, app, refused):
        ana = who(app, logins=app.logins())
        token = app.app.get_open_id_token(IdentityId=ana, Logins=app.logins())["Token"]
        told = refused(app.app.get_credentials_for_identity, IdentityId=ana, Logins={COGNITO: token})
        assert told[2] == "Invalid login token. Not a Cognito token."

    def test_a_user_of_the_backend_who_signed_in_elsewhere(self, app):
        ana = who(app, logins=app.logins())
        assert self.vouch(app, IdentityId=ana)["IdentityId"] == ana
        assert described(app, ana) == {USER_POOL, self.PROVIDER}

    def test_a_user_who_is_another_identity_already(self, app, refused):
        self.vouch(app)
        ana = who(app, logins=app.logins())
        told = refused(self.vouch, app=app, IdentityId=ana)
        assert told[:2] == (400, "DeveloperUserAlreadyRegisteredException")

    def test_lookup_merge_and_unlink(self, app, refused):
        first, second = self.vouch(app)["IdentityId"], self.vouch(app, "u2")["IdentityId"]
        merged = app.owner.merge_developer_identities(
            SourceUserIdentifier="u1",
            DestinationUserIdentifier="u2",
            DeveloperProviderName=self.PROVIDER,
            IdentityPoolId=app.pool,
        )
        assert merged["IdentityId"] == second
        identity = app.owner.lookup_developer_identity(IdentityPoolId=app.pool, IdentityId=second)
        assert sorted(identity["DeveloperUserIdentifierList"]) == ["u1", "u2"]
        assert self.vouch(app)["IdentityId"] == second
        app.owner.unlink_developer_identity(
            IdentityId=second,
            IdentityPoolId=app.pool,
            DeveloperProviderName=self.PROVIDER,
            DeveloperUserIdentifier="u1",
        )
        told = refused(app.owner.lookup_developer_identity, IdentityPoolId=app.pool, DeveloperUserIdentifier="u1")
        assert told[1] == "ResourceNotFoundException"
        assert first != second

    def test_only_who_may_vouch(self, app, refused):
        app.iam.delete_user_policy(UserName="backend", PolicyName="vouch")
        stranger = app.aws.client("cognito-identity", user="backend")
        told = refused(
            stranger.get_open_id_token_for_developer_identity,
            IdentityPoolId=app.pool,
            Logins={self.PROVIDER: "u1"},
        )
        assert told[1] == "AccessDeniedException"
        told = refused(app.app.get_id, IdentityPoolId=app.pool, Logins={self.PROVIDER: "u1"})
        assert told[2] == "Token is not from a supported provider of this identity pool."


def test_a_pool_and_its_tags_through_their_life(stage, refused):
    stage.create(IdentityPoolTags={"app": "phone"}, AllowClassicFlow=False)
    described = stage.owner.describe_identity_pool(IdentityPoolId=stage.pool)
    assert described["IdentityPoolTags"] == {"app": "phone"}
    assert described["CognitoIdentityProviders"] == [{"ProviderName": USER_POOL, "ClientId": APP}]
    assert described["AllowClassicFlow"] is False
    arn = f"arn:aws:cognito-identity:us-east-1:111122223333:identitypool/{stage.pool}"
    stage.owner.tag_resource(ResourceArn=arn, Tags={"team": "ops"})
    stage.owner.untag_resource(ResourceArn=arn, TagKeys=["app"])
    assert stage.owner.list_tags_for_resource(ResourceArn=arn)["Tags"] == {"team": "ops"}
    pools = stage.owner.list_identity_pools(MaxResults=60)["IdentityPools"]
    assert pools == [{"IdentityPoolId": stage.pool, "IdentityPoolName": "phone"}]
    guest = who(stage)
    stage.owner.delete_identity_pool(IdentityPoolId=stage.pool)
    assert refused(stage.owner.describe_identity_pool, IdentityPoolId=stage.pool)[1] == "ResourceNotFoundException"
    assert refused(stage.app.get_credentials_for_identity, IdentityId=guest)[1] == "ResourceNotFoundException"
