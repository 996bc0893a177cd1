"""CreateOAuth2Token: a code, and later a refresh token, for credentials (docs/aws/console-sign-in.md, "AWS login")."""

from __future__ import annotations

from collections.abc import Mapping

from sts_emulator.core.world import World
from sts_emulator.methods.console_login import dpop, logins, permission
from sts_emulator.methods.console_login.logins import Login
from sts_emulator.methods.console_login.sign_in_errors import invalid
from sts_emulator.pages.console import arn_of
from sts_emulator.vending.context import Context
from sts_emulator.wire.dispatch import Result, operation


@operation("signin", "CreateOAuth2Token")
def create_oauth2_token(ctx: Context, *, tokenInput: Mapping[str, str]) -> Result:
    thumbprint = dpop.prove(ctx, f"{ctx.base_url}/v1/token")
    first = tokenInput["grantType"] == "authorization_code"
    login = _by_code(ctx, tokenInput, thumbprint) if first else _by_refresh_token(ctx, tokenInput, thumbprint)
    minted = logins.mint(ctx.world, login)
    answer: Result = {
        "accessToken": minted.keys(),
        "tokenType": "aws_sigv4",
        "expiresIn": minted.expires - int(ctx.world.now()),
        "refreshToken": logins.refresh_token(ctx.world, login),
        **({"idToken": _id_token(ctx.world, login)} if first else {}),
    }
    return {"tokenOutput": answer}


def _by_code(ctx: Context, given: Mapping[str, str], thumbprint: str) -> Login:
    if not given.get("code") or not given.get("codeVerifier"):
        raise invalid("code and codeVerifier are required for the grant authorization_code")
    client = given["clientId"]
    session = logins.redeem_code(ctx.world, client, given["code"], given.get("redirectUri", ""), given["codeVerifier"])
    permission.ask(ctx, session, client, permission.CREATE, _keys("authorization_code", given.get("redirectUri", "")))
    return logins.start(ctx.world, session, client, thumbprint, region=ctx.region, user_agent=ctx.user_agent)


def _by_refresh_token(ctx: Context, given: Mapping[str, str], thumbprint: str) -> Login:
    if not given.get("refreshToken"):
        raise invalid("refreshToken is required for the grant refresh_token")
    login = logins.redeem(ctx.world, given["refreshToken"], given["clientId"], thumbprint)
    permission.ask(ctx, login.session, login.client, permission.CREATE, _keys("refresh_token"))
    return login


def _keys(grant: str, redirect: str = "") -> Mapping[str, str]:
    """What policies may ask of a token's request (docs/aws/console-sign-in.md, "Actions and resources")."""
    return {
        "signin:oauthgranttype": grant,
        "signin:oauthclientauthentication": "none",
        "signin:oauthredirecturi": redirect,
    }


def _id_token(world: World, login: Login) -> str:
    """Tools read `sub` of it, and do not check it; so it is signed with a key that nobody else has."""
    import jwt

    claims = {
        "sub": arn_of(login.session),
        "aud": login.client,
        "iss": "https://signin.aws.amazon.com",
        "iat": login.issued,
        "exp": login.issued + logins.ACCESS,
        "jti": login.name,
    }
    return jwt.encode(claims, world.key, algorithm="HS256")
