"""What administrators do with a user's factors: see them, and take an authenticator app away."""

from __future__ import annotations

from sts_emulator.idp.user_pools import own_account
from sts_emulator.idp.user_pools.kinds import PoolUser, not_found, reach_user, save_user
from sts_emulator.vending.context import Context
from sts_emulator.wire.dispatch import Result, operation


@operation("cognito-idp", "AdminGetUserAuthFactors")
def admin_get_user_auth_factors(ctx: Context, *, UserPoolId: str, Username: str) -> Result:
    return own_account.told_factors(*reach_user(ctx, UserPoolId, Username))


@operation("cognito-idp", "AdminDeleteSoftwareToken")
def admin_delete_software_token(ctx: Context, *, UserPoolId: str, Username: str) -> Result:
    """Take away the app that a user lost: they sign in without it, or pair another where the pool demands one."""
    pool, user = reach_user(ctx, UserPoolId, Username)
    if "token" not in user:
        raise not_found("Software token does not exist.")  # AWS's sentence is not recorded; this one is ours
    changed: PoolUser = {**user, "modified": ctx.world.now()}
    del changed["token"]
    save_user(ctx.world, pool, changed)
    return {}
