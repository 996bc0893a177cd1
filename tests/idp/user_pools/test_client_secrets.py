"""Two secrets of an app client, so that one follows the other while apps still use the first."""

from __future__ import annotations

import base64
import hmac

import pytest


def hashed(secret: str, client: str, user: str = "ada") -> str:
    return base64.b64encode(hmac.digest(secret.encode(), f"{user}{client}".encode(), "sha256")).decode()


@pytest.fixture
def web(app):
    return app.add_client(GenerateSecret=True)


def test_secrets_are_exchanged_without_a_break(app, web, refusal):
    # given a client with a secret, and a second that the service made
    client, first = web["ClientId"], web["ClientSecret"]
    place = {"UserPoolId": app.pool, "ClientId": client}
    made = app.admin.add_user_pool_client_secret(**place)["ClientSecretDescriptor"]
    second = made["ClientSecretValue"]
    assert made["ClientSecretId"].startswith(f"{client}--")

    # then both sign in and refresh
    for secret in (first, second):
        tokens = app.sign_in(client=client, SECRET_HASH=hashed(secret, client))["AuthenticationResult"]
        call = {"RefreshToken": tokens["RefreshToken"], "ClientId": client}
        assert app.idp.get_tokens_from_refresh_token(**call, ClientSecret=secret)["AuthenticationResult"]
        wrong = refusal(app.idp.get_tokens_from_refresh_token, **call, ClientSecret="x" * 30)
        assert wrong[0] == "NotAuthorizedException"

    # when the first is deleted
    listed = app.admin.list_user_pool_client_secrets(**place)["ClientSecrets"]
    assert [set(secret) for secret in listed] == [{"ClientSecretId", "ClientSecretCreateDate"}] * 2
    app.admin.delete_user_pool_client_secret(**place, ClientSecretId=listed[0]["ClientSecretId"])

    # then only the second does, and it is the one that stays
    assert app.sign_in(client=client, SECRET_HASH=hashed(second, client))["AuthenticationResult"]
    refused = refusal(app.sign_in, client=client, SECRET_HASH=hashed(first, client))
    assert refused == ("NotAuthorizedException", f"Unable to verify secret hash for client {client}")
    last = app.admin.list_user_pool_client_secrets(**place)["ClientSecrets"]
    assert [secret["ClientSecretId"] for secret in last] == [made["ClientSecretId"]]
    told = app.admin.describe_user_pool_client(**place)["UserPoolClient"]
    assert told["ClientSecret"] == second
    deleting = refusal(app.admin.delete_user_pool_client_secret, **place, ClientSecretId=made["ClientSecretId"])
    assert deleting[0] == "InvalidParameterException"


def test_a_secret_of_one_s_own_is_not_told_again(app, web, refusal):
    place, own = (
        {"UserPoolId": app.pool, "ClientId": web["ClientId"]},
        "my-own-secret-of-thirty-signs-x".replace("-", "A"),
    )
    made = app.admin.add_user_pool_client_secret(**place, ClientSecret=own)["ClientSecretDescriptor"]
    assert "ClientSecretValue" not in made
    assert app.sign_in(client=web["ClientId"], SECRET_HASH=hashed(own, web["ClientId"]))["AuthenticationResult"]
    assert refusal(app.admin.add_user_pool_client_secret, **place)[0] == "LimitExceededException"


def test_what_is_refused(app, web, new_app, refusal):
    add, delete = app.admin.add_user_pool_client_secret, app.admin.delete_user_pool_client_secret
    place = {"UserPoolId": app.pool, "ClientId": web["ClientId"]}
    assert refusal(add, UserPoolId=app.pool, ClientId=app.client)[0] == "InvalidParameterException"  # a public one
    assert refusal(add, **place, ClientSecret=web["ClientSecret"])[0] == "InvalidParameterException"
    assert refusal(add, **place, ClientSecret="x" * 65)[0] == "InvalidParameterException"
    assert refusal(delete, **place, ClientSecretId="nothing--1")[0] == "ResourceNotFoundException"
    foreign = {"UserPoolId": new_app().pool, "ClientId": web["ClientId"]}
    for call in (add, app.admin.list_user_pool_client_secrets):
        assert refusal(call, **foreign)[0] == "ResourceNotFoundException"
