"""The basic flow: the pool's token, really signed, which STS takes without any provider being registered."""

import base64
import json

import pytest
from cognito_stage import COGNITO, USER_POOL

pytestmark = pytest.mark.scenario("identity_pools.yaml")

DENIED = (403, "AccessDenied", "Not authorized to perform sts:AssumeRoleWithWebIdentity")


@pytest.fixture
def token(phone):
    """`token(logins)`: the identity and its token, as GetOpenIdToken gives them."""

    def token(logins: dict | None = None) -> tuple[str, str]:
        given = {"Logins": logins} if logins else {}
        identity = phone.app.get_id(IdentityPoolId=phone.pool, **given)["IdentityId"]
        answer = phone.app.get_open_id_token(IdentityId=identity, **given)
        return answer["IdentityId"], answer["Token"]

    return token


@pytest.fixture
def assume(phone):
    sts = phone.unsigned("sts")

    def assume(role: str, token: str, **more: object) -> dict:
        arn = f"arn:aws:iam::111122223333:role/{role}"
        return sts.assume_role_with_web_identity(RoleArn=arn, RoleSessionName="app", WebIdentityToken=token, **more)

    return assume


def part(token: str, place: int) -> dict:
    text = token.split(".")[place]
    return json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))


def test_a_token_says_who_signed_in_and_how(phone, token):
    identity, text = token(phone.logins())
    claims = part(text, 1)
    assert part(text, 0)["alg"] == "RS512"
    assert (claims["iss"], claims["aud"], claims["sub"]) == (f"https://{COGNITO}", phone.pool, identity)
    assert claims["amr"] == ["authenticated", USER_POOL, f"{USER_POOL}:CognitoSignIn:ana"]
    assert claims["exp"] - claims["iat"] == 600


def test_it_opens_the_role_that_trusts_the_pool(phone, token, assume):
    identity, text = token(phone.logins())
    answer = assume("user", text)
    assert answer["AssumedRoleUser"]["Arn"] == "arn:aws:sts::111122223333:assumed-role/user/app"
    assert (answer["Provider"], answer["Audience"]) == (COGNITO, phone.pool)
    assert answer["SubjectFromWebIdentityToken"] == identity


def test_a_guest_s_token_opens_the_guests_role_only(token, assume, refused):
    _, text = token()
    assert assume("guest", text)["AssumedRoleUser"]["Arn"].endswith(":assumed-role/guest/app")
    assert refused(assume, role="user", token=text) == DENIED


def test_here_guests_have_no_limit_but_the_role(phone, token, assume):
    document = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "iam:*", "Resource": "*"}]}
    phone.iam.put_role_policy(RoleName="guest", PolicyName="all", PolicyDocument=json.dumps(document))
    credentials = assume("guest", token()[1])["Credentials"]
    assert phone.aws.client("iam", credentials).list_users()["Users"]


def test_a_session_may_last_as_long_as_the_role_permits(phone, token, assume):
    phone.iam.update_role(RoleName="user", MaxSessionDuration=7200)
    assert assume("user", token(phone.logins())[1], DurationSeconds=7200)["Credentials"]


def test_it_expires(phone, token, assume, refused):
    _, text = token(phone.logins())
    phone.aws.advance(minutes=16)
    assert refused(assume, role="user", token=text)[1] == "ExpiredTokenException"


def test_it_is_proven_by_the_world_s_own_key(phone, token, assume, refused):
    _, text = token(phone.logins())
    head, _, signature = text.split(".")
    claims = part(text, 1) | {"amr": ["authenticated"], "sub": "us-east-1:0"}
    changed = base64.urlsafe_b64encode(json.dumps(claims).encode()).rstrip(b"=").decode()
    assert refused(assume, role="user", token=f"{head}.{changed}.{signature}")[1] == "InvalidIdentityToken"


def test_where_it_is_switched_off(phone, token, refused):
    identity, _ = token(phone.logins())
    phone.owner.update_identity_pool(
        IdentityPoolId=phone.pool,
        IdentityPoolName="phone",
        AllowUnauthenticatedIdentities=True,
        AllowClassicFlow=False,
        CognitoIdentityProviders=[{"ProviderName": USER_POOL, "ClientId": "phoneapp0001"}],
    )
    told = refused(phone.app.get_open_id_token, IdentityId=identity, Logins=phone.logins())
    assert told == (400, "InvalidParameterException", "Basic (classic) flow is not enabled, please use enhanced flow.")
    assert phone.credentials(phone.logins())["IdentityId"] == identity
