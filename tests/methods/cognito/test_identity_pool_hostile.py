"""Identity pools under input that nobody honest sends, and under two apps that arrive at once."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor

import pytest
from cognito_stage import COGNITO, USER_POOL

pytestmark = pytest.mark.scenario("identity_pools.yaml")


def send(stage, operation: str, body: bytes) -> tuple[int, dict]:
    headers = {
        "X-Amz-Target": f"AWSCognitoIdentityService.{operation}",
        "Content-Type": "application/x-amz-json-1.1",
    }
    request = urllib.request.Request(f"{stage.aws.endpoint_url}/", body, headers)
    try:
        with urllib.request.urlopen(request) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


@pytest.mark.parametrize("operation", ["GetId", "GetCredentialsForIdentity", "GetOpenIdToken", "UnlinkIdentity"])
@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b'{"IdentityPoolId": 1, "IdentityId": 1}',
        b'{"IdentityPoolId": "x", "IdentityId": "x", "Logins": {"a": "b"}}',
        b'{"IdentityPoolId": "us-east-1:0", "IdentityId": "us-east-1:0", "Logins": {"": ""}}',
        b'{"IdentityPoolId": "us-east-1:0", "IdentityId": "us-east-1:0", "Logins": [], "LoginsToRemove": {}}',
        json.dumps(
            {"IdentityPoolId": "us-east-1:" + "0" * 100_000, "IdentityId": "us-east-1:" + "0" * 100_000}
        ).encode(),
        b"[" * 10_000,
    ],
)
def test_what_is_no_request_is_an_error_of_the_client(stage, operation, body):
    status, told = send(stage, operation, body)
    assert 400 <= status < 500, told
    assert told["__type"]


@pytest.mark.parametrize(
    "claims",
    [
        {"sub": ""},
        {"sub": None},
        {"sub": 7},
        {"sub": ["ana"]},
        {"aud": []},
        {"aud": {"a": 1}},
        {"aud": 7},
        {"azp": ["phoneapp0001"]},
        {"exp": "soon"},
        {"exp": -1},
        {"exp": None},
        {"exp": 10**30},
        {"iat": 10**12},
        {"nbf": 10**12},
        {"iss": None},
        {"iss": 7},
        {"token_use": None},
    ],
)
def test_a_signed_token_of_strange_claims(phone, refused, claims):
    told = refused(phone.app.get_id, IdentityPoolId=phone.pool, Logins=phone.logins(**claims))
    assert told[:2] == (400, "NotAuthorizedException"), told


@pytest.mark.parametrize(
    "claims",
    [
        {"cognito:roles": "arn:aws:iam::111122223333:role/user"},
        {"cognito:roles": [7, None, {"a": 1}]},
        {"cognito:preferred_role": ["arn:aws:iam::111122223333:role/user"]},
        {"cognito:preferred_role": "arn:aws:iam::111122223333:role/nobody"},
        {"cognito:preferred_role": "x"},
        {"cognito:roles": ["x"]},
    ],
)
def test_strange_roles_in_a_token_open_nothing(phone, refused, claims):
    mapping = {f"{USER_POOL}:phoneapp0001": {"Type": "Token", "AmbiguousRoleResolution": "Deny"}}
    phone.assign(mapping, authenticated="arn:aws:iam::111122223333:role/user")
    told = refused(phone.credentials, logins=phone.logins(**claims))
    assert told[1] in ("NotAuthorizedException", "InvalidIdentityPoolConfigurationException")


@pytest.mark.parametrize("value", ["ä" * 200, "x" * 257, "a&b", ["x", "y"], {"a": 1}, None, True, 7])
def test_a_claim_that_makes_no_good_tag_stops_nobody_with_an_internal_error(stage, value):
    stage.create()
    stage.assign(authenticated=stage.role("user", tags=True))
    stage.owner.set_principal_tag_attribute_map(
        IdentityPoolId=stage.pool, IdentityProviderName=USER_POOL, PrincipalTags={"team": "team"}
    )
    logins = stage.logins(team=value)
    identity = stage.app.get_id(IdentityPoolId=stage.pool, Logins=logins)["IdentityId"]
    body = json.dumps({"IdentityId": identity, "Logins": logins}).encode()
    assert send(stage, "GetCredentialsForIdentity", body)[0] in (200, 400)


def test_many_who_arrive_at_once_with_one_login_are_one_identity(phone):
    logins = phone.logins(sub="twin")

    def arrive(_: int) -> str:
        return phone.app.get_id(IdentityPoolId=phone.pool, Logins=logins)["IdentityId"]

    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(arrive, range(16)))) == 1


def test_the_pool_s_key_is_made_once(phone):
    identity = phone.app.get_id(IdentityPoolId=phone.pool)["IdentityId"]
    with ThreadPoolExecutor(4) as pool:
        tokens = list(pool.map(lambda _: phone.app.get_open_id_token(IdentityId=identity)["Token"], range(4)))
    sts = phone.unsigned("sts")
    for token in tokens:
        answer = sts.assume_role_with_web_identity(
            RoleArn="arn:aws:iam::111122223333:role/guest", RoleSessionName="app", WebIdentityToken=token
        )
        assert answer["Provider"] == COGNITO


def test_an_identity_of_another_world_is_unknown(phone, refused):
    """A world's keys and identities are its own: a deleted and new pool knows nobody of the old one."""
    ana = phone.credentials(phone.logins())["IdentityId"]
    phone.owner.delete_identity_pool(IdentityPoolId=phone.pool)
    phone.create()
    told = refused(phone.app.get_credentials_for_identity, IdentityId=ana, Logins=phone.logins())
    assert told[1] == "ResourceNotFoundException"
