"""sso: what tools ask the access portal with their access token (docs/aws/identity-center.md, "Portal")."""

from __future__ import annotations

from sts_emulator.accounts.resources import account_name
from sts_emulator.control_plane.listing import Listing
from sts_emulator.core.errors import AwsError
from sts_emulator.core.names import is_account_id
from sts_emulator.methods.identity_center import portal_sessions, roles
from sts_emulator.methods.identity_center.portal_sessions import PortalSession
from sts_emulator.methods.identity_center.refusals import portal_refused
from sts_emulator.vending.context import Context
from sts_emulator.wire.dispatch import Result, operation

_page = Listing(100, lambda: portal_refused("InvalidRequestException", "Invalid next token"), "nextToken").page


@operation("sso", "GetRoleCredentials")
def get_role_credentials(ctx: Context, *, roleName: str, accountId: str, accessToken: str) -> Result:
    """Credentials of a permission set's role. Whatever refuses them, the portal says but "No access"."""
    session = _session(ctx, accessToken)
    _check_account(accountId)
    try:
        vended = roles.vend(ctx, session, accountId, roleName)
    except AwsError as refusal:
        if refusal.code == "ForbiddenException":
            raise
        ctx.evidence.setdefault("refused", f"{refusal.code}: {refusal.message}")
        raise portal_refused("ForbiddenException", "No access") from None
    credentials = vended.credentials
    milliseconds = credentials.expires * 1000  # the one time of AWS's that is in these
    return {"roleCredentials": {**credentials.keys(), "expiration": milliseconds}}


@operation("sso", "ListAccounts")
def list_accounts(ctx: Context, *, accessToken: str, nextToken: str = "", maxResults: int | None = None) -> Result:
    session = _session(ctx, accessToken)
    accounts = [_account(ctx, account) for account in roles.offered(ctx.world, session)]
    return _page(ctx, "accountList", accounts, nextToken, maxResults)


@operation("sso", "ListAccountRoles")
def list_account_roles(
    ctx: Context, *, accessToken: str, accountId: str, nextToken: str = "", maxResults: int | None = None
) -> Result:
    session = _session(ctx, accessToken)
    _check_account(accountId)
    names = roles.offered(ctx.world, session).get(accountId)
    if names is None:
        ctx.evidence["refused"] = f"{session.person['name']} has no assignment in account {accountId}"
        raise portal_refused("ForbiddenException", "No access")
    offers = [{"roleName": name, "accountId": accountId} for name in names]
    return _page(ctx, "roleList", offers, nextToken, maxResults)


@operation("sso", "Logout")
def logout(ctx: Context, *, accessToken: str) -> None:
    """The person's whole session ends, with all tokens of it."""
    portal_sessions.end(ctx.world, _session(ctx, accessToken))


def _session(ctx: Context, access_token: str) -> PortalSession:
    session = portal_sessions.of_access_token(ctx.world, access_token)
    if session is None:
        ctx.evidence["refused"] = (
            f"the access token is none of the world `{ctx.world.name}`, or it, its portal session or its user is over"
        )
        raise portal_refused("UnauthorizedException", "Session token not found or invalid")
    ctx.evidence.update(session.evidence)
    return session


def _check_account(account: str) -> None:
    if not is_account_id(account):
        raise portal_refused("InvalidRequestException", "Invalid account id")


def _account(ctx: Context, account: str) -> dict[str, str]:
    name = account_name(ctx.world, account) or account
    # AWS knows each account's mail address; here nobody gave one.
    return {"accountId": account, "accountName": name, "emailAddress": f"{account}@accounts.example"}
