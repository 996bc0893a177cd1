"""A user of a user pool of this world: signed in there with a password, then through the identity pool to a role."""

import pytest
from cognito_stage import COGNITO

pytestmark = pytest.mark.scenario("identity_pools.yaml")

PASSWORD = "Correct-horse-1"


@pytest.fixture
def users(stage):
    """A user pool with one app client and a user in a group whose role is `editor`; and the identity pool for it."""
    admin = stage.aws.client("cognito-idp")
    pool = admin.create_user_pool(PoolName="shop")["UserPool"]["Id"]
    client = admin.create_user_pool_client(
        UserPoolId=pool, ClientName="app", ExplicitAuthFlows=["ALLOW_USER_PASSWORD_AUTH", "ALLOW_REFRESH_TOKEN_AUTH"]
    )["UserPoolClient"]["ClientId"]
    admin.admin_create_user(UserPoolId=pool, Username="ada", MessageAction="SUPPRESS")
    admin.admin_set_user_password(UserPoolId=pool, Username="ada", Password=PASSWORD, Permanent=True)
    stage.provider = f"cognito-idp.us-east-1.amazonaws.com/{pool}"
    stage.create(CognitoIdentityProviders=[{"ProviderName": stage.provider, "ClientId": client}])
    stage.assign(authenticated=stage.role("user", stage.provider))
    stage.admin, stage.user_pool, stage.client = admin, pool, client
    return stage


def tokens(users) -> dict:
    answer = users.unsigned("cognito-idp").initiate_auth(
        AuthFlow="USER_PASSWORD_AUTH",
        ClientId=users.client,
        AuthParameters={"USERNAME": "ada", "PASSWORD": PASSWORD},
    )
    return answer["AuthenticationResult"]


def test_an_id_token_opens_the_role(users):
    answer = users.credentials({users.provider: tokens(users)["IdToken"]})
    assert users.caller(answer) == "arn:aws:sts::111122223333:assumed-role/user/CognitoIdentityCredentials"


def test_the_access_token_of_the_same_sign_in_does_not(users, refused):
    told = refused(users.credentials, logins={users.provider: tokens(users)["AccessToken"]})
    assert told == (400, "NotAuthorizedException", "Invalid login token. Missing a required claim: aud")


def test_an_id_token_that_has_expired(users, refused):
    token = tokens(users)["IdToken"]
    users.aws.advance(hours=2)
    told = refused(users.credentials, logins={users.provider: token})
    assert told[2].startswith("Invalid login token. Token expired: ")


def test_a_group_s_role_is_the_user_s_where_the_pool_maps_tokens(users):
    users.admin.create_group(UserPoolId=users.user_pool, GroupName="editors", RoleArn=users.role("editor"))
    users.admin.admin_add_user_to_group(UserPoolId=users.user_pool, Username="ada", GroupName="editors")
    mapping = {f"{users.provider}:{users.client}": {"Type": "Token", "AmbiguousRoleResolution": "Deny"}}
    users.assign(mapping, authenticated="arn:aws:iam::111122223333:role/user")
    answer = users.credentials({users.provider: tokens(users)["IdToken"]})
    assert ":assumed-role/editor/" in users.caller(answer)


def test_a_sign_in_that_was_ended_counts_until_its_token_expires_unless_the_pool_asks(users, refused):
    token = tokens(users)["IdToken"]
    users.admin.admin_user_global_sign_out(UserPoolId=users.user_pool, Username="ada")
    assert users.credentials({users.provider: token})
    users.create(
        CognitoIdentityProviders=[
            {"ProviderName": users.provider, "ClientId": users.client, "ServerSideTokenCheck": True}
        ]
    )
    users.assign(authenticated=users.role("checked"))
    told = refused(users.credentials, logins={users.provider: token})
    assert told == (400, "NotAuthorizedException", "Invalid login token. Token has been revoked.")
    assert users.credentials({users.provider: tokens(users)["IdToken"]})


def test_an_app_client_that_the_pool_does_not_list(users, refused):
    other = users.admin.create_user_pool_client(
        UserPoolId=users.user_pool, ClientName="other", ExplicitAuthFlows=["ALLOW_USER_PASSWORD_AUTH"]
    )["UserPoolClient"]["ClientId"]
    users.client = other
    told = refused(users.credentials, logins={users.provider: tokens(users)["IdToken"]})
    assert told[2] == "Token is not from a supported provider of this identity pool."


@pytest.mark.parametrize("issuer", ["users", "corp"])
def test_a_lab_issuer_cannot_sign_for_the_pool(users, refused, issuer):
    token = users.token(issuer, iss=f"https://{users.provider}", aud=users.client)
    told = refused(users.credentials, logins={users.provider: token})
    assert told[2] == "Invalid login token. Couldn't verify signed token."


def test_the_pool_s_own_token_opens_no_role_that_wants_the_provider_itself(users, refused):
    """STS knows no provider for the user pool: only Cognito's token, or a registered provider's, gets in."""
    sts = users.unsigned("sts")
    told = refused(
        sts.assume_role_with_web_identity,
        RoleArn="arn:aws:iam::111122223333:role/user",
        RoleSessionName="app",
        WebIdentityToken=tokens(users)["IdToken"],
    )
    assert told[:2] == (400, "InvalidIdentityToken")
    assert COGNITO not in told[2]
