"""A person signs in for a tool that shows a code, and the tool gets credentials (docs/aws/identity-center.md)."""

from __future__ import annotations

import pytest
from sso_lab import DEV, PROD, START_URL, Tool, key_of_credentials

from sts_emulator.cli.errors import CommandError


def test_a_person_signs_in_and_their_tool_gets_credentials(aws, tool):
    tokens = tool.sign_in("jane")
    assert (tokens["tokenType"], tokens["expiresIn"]) == ("Bearer", 3600)

    access = {"accessToken": tokens["accessToken"]}
    accounts = tool.portal.list_accounts(**access)["accountList"]
    assert [account["accountId"] for account in accounts] == [DEV, PROD]
    roles = tool.portal.list_account_roles(**access, accountId=PROD)["roleList"]
    assert roles == [{"roleName": "ReadOnly", "accountId": PROD}]

    credentials = tool.credentials(tokens)
    who = aws.client("sts", key_of_credentials(credentials)).get_caller_identity()
    role, session = who["Arn"].removeprefix(f"arn:aws:sts::{DEV}:assumed-role/").split("/")
    assert role.startswith("AWSReservedSSO_Developer_")
    assert session == "jane"
    assert 7000 < credentials["expiration"] / 1000 - aws.now() <= 7200  # the permission set's PT2H, in milliseconds


def test_accounts_come_in_pages(tool, refusal):
    access = {"accessToken": tool.sign_in("jane")["accessToken"]}

    first = tool.portal.list_accounts(**access, maxResults=1)
    rest = tool.portal.list_accounts(**access, maxResults=1, nextToken=first["nextToken"])

    pages = [first["accountList"], rest["accountList"]]
    assert [[account["accountId"] for account in page] for page in pages] == [[DEV], [PROD]]
    assert "nextToken" not in rest
    expected = (400, "InvalidRequestException", "Invalid next token")
    assert refusal(tool.portal.list_accounts, **access, nextToken="made-up") == expected


def test_pending_hurried_and_used_up(aws, tool, refusal):
    device = tool.start()
    poll = {"device": device}
    assert refusal(tool.token, **poll) == (400, "AuthorizationPendingException", "authorization_pending")
    aws.advance(-60)  # so that the second in which it hurries is not over, however slow this is
    assert refusal(tool.token, **poll) == (400, "SlowDownException", "slow_down")
    aws.approve(device["verificationUriComplete"], "jane")
    tool.token(device)
    assert refusal(tool.token, **poll) == (400, "InvalidGrantException", "invalid_grant")


def test_what_a_command_line_is_given_is_no_option(tool):
    registered = [tool.oidc.register_client(clientName="tool", clientType="public") for _ in range(200)]
    texts = [client[member] for client in registered for member in ("clientId", "clientSecret")]
    assert not [text for text in texts if text.startswith("-")]  # one in 64 did, which `aws sso-oidc` refused


def test_denied_expired_foreign(aws, tool, refusal):
    denied, foreign, late = tool.start(), tool.start(), tool.start()
    aws.approve(denied["userCode"], "jane", deny=True)
    aws.approve(foreign["userCode"], "jane")
    assert refusal(tool.token, device=denied)[1:] == ("AccessDeniedException", "access_denied")
    assert refusal(Tool(aws).token, device=foreign)[1:] == ("InvalidGrantException", "invalid_grant")
    aws.advance(601)
    assert refusal(tool.token, device=late)[1:] == ("ExpiredTokenException", "expired_token")
    with pytest.raises(CommandError, match="waits for an approval"):
        aws.approve(late["userCode"], "jane")
    assert refusal(tool.token, device={"deviceCode": "x"})[1:] == ("InvalidGrantException", "invalid_grant")


def test_refresh_tokens_are_used_once(aws, tool, refusal):
    first = tool.sign_in("jane")
    second = tool.refresh(first)
    assert second["refreshToken"] != first["refreshToken"]
    assert refusal(tool.refresh, tokens=first) == (400, "InvalidGrantException", "invalid_grant")
    assert tool.credentials(tool.refresh(second))
    aws.advance(3601)
    assert refusal(tool.credentials, tokens=first)[:2] == (401, "UnauthorizedException")
    assert refusal(Tool(aws).refresh, tokens=second)[1] == "InvalidGrantException"


def test_nothing_is_good_after_the_portal_session_ended(aws, tool, refusal):
    tokens, of_old_kind = tool.sign_in("jane"), Tool(aws, scopes=[]).sign_in("jane")
    assert "refreshToken" not in of_old_kind
    assert 3600 < of_old_kind["expiresIn"] <= 28800  # as long as the portal's session lasts
    tool.portal.logout(accessToken=tokens["accessToken"])
    dead = (401, "UnauthorizedException", "Session token not found or invalid")
    assert refusal(tool.credentials, tokens=tokens) == dead
    assert refusal(tool.portal.logout, accessToken=tokens["accessToken"]) == dead
    assert refusal(tool.refresh, tokens=tokens)[1] == "InvalidGrantException"
    assert tool.credentials(of_old_kind)  # another sign-in, another session

    later = tool.sign_in("jane")
    aws.advance(hours=8)
    assert refusal(tool.refresh, tokens=later)[1] == "InvalidGrantException"
    assert refusal(tool.credentials, tokens=of_old_kind) == dead


def test_who_is_not_assigned_has_no_access_and_the_event_says_why(aws, tool, refusal):
    omar = tool.sign_in("omar")
    assert refusal(tool.credentials, tokens=omar) == (403, "ForbiddenException", "No access")
    assert "omar has no assignment of permission set Developer in account 111122223333" in aws.explain()
    jane = tool.sign_in("jane")
    assert refusal(tool.credentials, tokens=jane, account=PROD)[2] == "No access"
    assert refusal(tool.credentials, tokens=jane, role="Nobody")[2] == "No access"
    assert "there is no permission set Nobody" in aws.explain()
    assert refusal(tool.portal.list_account_roles, accessToken=omar["accessToken"], accountId=DEV)[2] == "No access"
    assert tool.portal.list_accounts(accessToken=omar["accessToken"])["accountList"] == []
    assert refusal(tool.credentials, tokens=jane, account="1")[1] == "InvalidRequestException"


def test_another_worlds_token_and_client_are_unknown(aws, tool, refusal, emulator_server):
    tokens = tool.sign_in("jane")
    with emulator_server.world() as other:
        stranger = Tool(other)
        assert refusal(stranger.credentials, tokens=tokens)[:2] == (401, "UnauthorizedException")
        wanted = {**tool.client, "startUrl": START_URL}
        invalid = (401, "InvalidClientException", "invalid_client")
        assert refusal(stranger.oidc.start_device_authorization, **wanted) == invalid
    mixed = {"clientId": tool.client["clientId"], "clientSecret": Tool(aws).client["clientSecret"]}
    assert refusal(tool.oidc.start_device_authorization, **mixed, startUrl=START_URL) == invalid


@pytest.mark.parametrize(
    ("wish", "exception"),
    [
        ({"clientType": "confidential"}, "InvalidClientMetadataException"),
        ({"clientName": "x" * 5000}, "InvalidClientMetadataException"),
        ({"scopes": ["no scope"]}, "InvalidScopeException"),
        ({"scopes": ["a"] * 50}, "InvalidScopeException"),
        ({"grantTypes": ["password"]}, "UnsupportedGrantTypeException"),
        ({"grantTypes": ["authorization_code"]}, "InvalidRedirectUriException"),
        ({"redirectUris": ["https://evil.example/callback"]}, "InvalidRedirectUriException"),
        ({"redirectUris": ["http://127.0.0.1@evil.example/"]}, "InvalidRedirectUriException"),
        ({"redirectUris": ["http://[::1"]}, "InvalidRedirectUriException"),
        ({"redirectUris": ["javascript:alert(1)"]}, "InvalidRedirectUriException"),
    ],
)
def test_registrations_that_are_refused(tool, refusal, wish, exception):
    good = {"clientName": "tool", "clientType": "public"}
    assert refusal(tool.oidc.register_client, **{**good, **wish})[1] == exception


def test_what_is_missing_or_unknown_is_an_oauth_error(tool, refusal):
    create = tool.oidc.create_token
    assert refusal(create, **tool.client, grantType="password")[1:] == (
        "UnsupportedGrantTypeException",
        "unsupported_grant_type",
    )
    for grant in ("refresh_token", "urn:ietf:params:oauth:grant-type:device_code"):
        assert refusal(create, **tool.client, grantType=grant)[1:] == ("InvalidRequestException", "invalid_request")
    assert refusal(create, **tool.client, grantType="authorization_code")[1] == "UnauthorizedClientException"
    assert refusal(tool.start, start_url="https://elsewhere.awsapps.com/start")[1] == "InvalidRequestException"


def test_who_is_nobody_or_says_nothing_approves_nothing(aws, tool):
    device = tool.start()
    with pytest.raises(CommandError, match="has no user `eve`"):
        aws.approve(device["userCode"], "eve")
    aws.approve(device["userCode"].replace("-", "").lower(), "jane")  # as a person types it
    assert tool.token(device)
