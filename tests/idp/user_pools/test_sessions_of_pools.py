"""Sessions of users, where the pool tracks them."""

from __future__ import annotations

import re

import pytest


def tracked(app, most: int = 20):
    app.admin.set_user_pool_session_configuration(
        UserPoolId=app.pool, UserSessionTracking="ENABLED", TokenSession={"MaxPerUser": most}
    )
    return app


def test_users_see_and_end_their_sessions(app, refusal):
    # given two sign-ins of a user, by two clients
    tracked(app)
    other = app.add_client()["ClientId"]
    here, there = app.tokens(), app.tokens(client=other)

    # then both are listed, and one is the caller's own
    sessions = app.idp.list_user_sessions(AccessToken=here["AccessToken"])["Sessions"]
    assert {session["ClientId"]: session["IsCurrentSession"] for session in sessions} == {
        app.client: True,
        other: False,
    }
    assert all(re.fullmatch("tkn[a-z0-9]{25}", session["SessionId"]) for session in sessions)

    # when the other is ended, its tokens are good no more, and one's own can't be
    by_client = {session["ClientId"]: session["SessionId"] for session in sessions}
    end = app.idp.revoke_user_session
    end(AccessToken=here["AccessToken"], SessionId=by_client[other])
    assert refusal(app.idp.get_user, AccessToken=there["AccessToken"])[1] == "Access Token has been revoked"
    own = refusal(end, AccessToken=here["AccessToken"], SessionId=by_client[app.client])
    assert own[0] == "InvalidParameterException"
    again = refusal(end, AccessToken=here["AccessToken"], SessionId=by_client[other])
    assert again[0] == "ResourceNotFoundException"


def test_administrators_do_too(app, refusal):
    tracked(app)
    tokens = app.tokens()
    named = {"UserPoolId": app.pool, "Username": "ada"}
    (session,) = app.admin.admin_list_user_sessions(**named)["Sessions"]
    assert session["IsCurrentSession"] is False
    app.admin.admin_revoke_user_session(**named, SessionId=session["SessionId"])
    assert refusal(app.idp.get_user, AccessToken=tokens["AccessToken"])[0] == "NotAuthorizedException"
    app.add_user("eve")
    foreign = app.idp.list_user_sessions(AccessToken=app.tokens("eve")["AccessToken"])["Sessions"][0]["SessionId"]
    assert refusal(app.admin.admin_revoke_user_session, **named, SessionId=foreign)[0] == "ResourceNotFoundException"


def test_one_more_than_there_may_be_ends_the_one_used_longest_ago(app, refusal):
    tracked(app, most=2)
    first = app.tokens()
    app.aws.advance(seconds=10)
    second = app.tokens()
    app.aws.advance(seconds=10)
    app.idp.get_tokens_from_refresh_token(RefreshToken=first["RefreshToken"], ClientId=app.client)
    app.aws.advance(seconds=10)
    third = app.tokens()
    assert refusal(app.idp.get_user, AccessToken=second["AccessToken"])[1] == "Access Token has been revoked"
    for tokens in (first, third):
        assert app.idp.get_user(AccessToken=tokens["AccessToken"])["Username"] == "ada"


def test_where_nothing_is_tracked_nothing_is_listed(app, refusal):
    told = app.admin.get_user_pool_session_configuration(UserPoolId=app.pool)
    assert (told["UserSessionTracking"], told["TokenSession"]) == ("DISABLED", {"MaxPerUser": 20})
    access = app.tokens()["AccessToken"]
    assert refusal(app.idp.list_user_sessions, AccessToken=access)[0] == "OperationNotEnabledException"


@pytest.mark.parametrize("session", ["tkn" + "A" * 25, "tkn" + "a" * 25])
def test_sessions_that_are_none(app, refusal, session):
    tracked(app)
    code, _ = refusal(app.idp.revoke_user_session, AccessToken=app.tokens()["AccessToken"], SessionId=session)
    assert code in ("InvalidParameterException", "ResourceNotFoundException")


def test_a_pool_of_the_smallest_tier_has_none(new_app, refusal):
    app = new_app(UserPoolTier="LITE")
    given = {"UserPoolId": app.pool, "UserSessionTracking": "ENABLED", "TokenSession": {"MaxPerUser": 2}}
    assert refusal(app.admin.set_user_pool_session_configuration, **given)[0] == "FeatureUnavailableInTierException"
