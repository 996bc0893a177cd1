"""Logins are listed, looked at and revoked (docs/aws/console-sign-in.md, "Account access and sign-in")."""

from __future__ import annotations

import pytest
from login_lab import DEV, LoginTool, signed

ALICE = f"{DEV}/alice"


@pytest.fixture
def signin(aws):
    return signed(aws)


def test_a_login_is_listed_and_revoked(tool, signin, denied):
    tokens = tool.login(ALICE)
    (listed,) = signin.list_sessions()["items"]
    assert (listed["principalArn"], listed["status"]) == (f"arn:aws:iam::{DEV}:user/alice", "ACTIVE")
    known = signin.get_session(sessionArn=listed["sessionArn"])
    assert known["expiresAt"] - known["issuedAt"] == 12 * 3600

    foreign = f"arn:aws:signin:us-east-1:444455556666:session/{listed['sessionArn'].rpartition('/')[2]}"
    answer = signin.batch_revoke_sessions(sessionArns=[listed["sessionArn"], foreign], reason="stolen")
    assert answer["revokedSessions"] == [{"sessionArn": listed["sessionArn"]}]
    assert answer["errors"][0]["code"] == "RESOURCE_NOT_FOUND"
    assert denied(tool.refresh, tokens) == ("AccessDeniedException", "TOKEN_EXPIRED")
    assert signin.list_sessions(status="ACTIVE")["items"] == []
    assert tool.who(tokens)  # what was given lasts its quarter of an hour


def test_pages_and_filters(aws, signin, denied):
    for user in (ALICE, f"{DEV}/root", ALICE):
        LoginTool(aws).login(user)
    first = signin.list_sessions(maxResults=2)
    rest = signin.list_sessions(maxResults=2, nextToken=first["nextToken"])
    assert (len(first["items"]), len(rest["items"]), "nextToken" in rest) == (2, 1, False)
    assert len(signin.list_sessions(principalArn=f"arn:aws:iam::{DEV}:user/alice")["items"]) == 2
    assert len(signin.list_sessions(principalArn=f"arn:aws:iam::{DEV}:*")["items"]) == 3
    assert denied(signin.list_sessions, nextToken="999")[0] == "ValidationException"
    assert (
        denied(signin.get_session, sessionArn="arn:aws:signin:us-east-1:1:session/x")[0] == "ResourceNotFoundException"
    )


def test_tokens_are_looked_at_and_revoked(tool, signin, denied):
    tokens = tool.login(ALICE)
    known = signin.introspect_oauth2_token_with_iam(token=tokens["refreshToken"])
    assert (known["active"], known["sub"]) == (True, f"arn:aws:iam::{DEV}:user/alice")
    assert signin.introspect_oauth2_token_with_iam(token="ASORx")["active"] is False
    signin.revoke_oauth2_token_with_iam(token="ASORx")
    signin.revoke_oauth2_token_with_iam(token=tokens["refreshToken"])
    assert signin.introspect_oauth2_token_with_iam(token=tokens["refreshToken"])["active"] is False
    assert denied(tool.refresh, tokens)[1] == "TOKEN_EXPIRED"


def test_who_is_not_allowed_sees_and_ends_nothing(aws, tool, denied):
    tool.login(ALICE)
    arn = signed(aws).list_sessions()["items"][0]["sessionArn"]
    key = aws.client("iam").create_access_key(UserName="dora")["AccessKey"]
    dora = signed(aws, {"AccessKeyId": key["AccessKeyId"], "SecretAccessKey": key["SecretAccessKey"]})
    assert denied(dora.list_sessions)[0] == "AccessDeniedException"
    assert denied(dora.batch_revoke_sessions, sessionArns=[arn])[0] == "AccessDeniedException"
    assert denied(dora.revoke_oauth2_token_with_iam, token="ASORx")[0] == "AccessDeniedException"
