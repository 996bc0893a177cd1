"""Console passwords: login profiles, the account's password policy, and changing one's own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, TypedDict, Unpack

from sts_emulator.accounts import password_rules, people
from sts_emulator.accounts.documents import User, changed
from sts_emulator.control_plane.own_password import authorize_change
from sts_emulator.core.errors import AwsError
from sts_emulator.iam.nouns import USER
from sts_emulator.iam.permits import permit, reach_user
from sts_emulator.iam.reporting import account
from sts_emulator.iam.signin_durations import check_one_of
from sts_emulator.vending.authorize import access_denied
from sts_emulator.vending.context import Context
from sts_emulator.wire.dispatch import Result, operation

# -- login profiles -----------------------------------------------------------------------------------------------


@operation("iam", "CreateLoginProfile")
def create_login_profile(
    ctx: Context,
    *,
    UserName: str | None = None,
    Password: str | None = None,
    PasswordResetRequired: bool = False,
    MaxSigninSessionDuration: int | None = None,
) -> Result:
    """Give a user a password for the console."""
    user = _user(ctx, UserName)
    if user.get("password"):
        raise AwsError("EntityAlreadyExists", f"Login Profile for user {user['name']} already exists.")
    if Password is None:
        raise AwsError("PasswordPolicyViolation", "A password must be given.")
    now = int(ctx.world.now())
    password = {**password_rules.hashed(ctx.world, user, Password), "created": now, "reset": PasswordResetRequired}
    if MaxSigninSessionDuration is not None:
        password["max_signin_duration"] = MaxSigninSessionDuration
    _store(ctx, user, password)
    return {"LoginProfile": _shown(user, password)}


@operation("iam", "GetLoginProfile")
def get_login_profile(ctx: Context, *, UserName: str | None = None) -> Result:
    """Whether a user has a password, and since when."""
    user = _user(ctx, UserName)
    return {"LoginProfile": _shown(user, _password(user))}


@operation("iam", "UpdateLoginProfile")
def update_login_profile(
    ctx: Context,
    *,
    UserName: str,
    Password: str | None = None,
    PasswordResetRequired: bool | None = None,
    MaxSigninSessionDuration: int | None = None,
    ResetMaxSigninSessionDuration: bool = False,
) -> Result:
    """Set a user's password, or whether it must be changed; what is left out stays."""
    user = _user(ctx, UserName)
    check_one_of(MaxSigninSessionDuration, reset=ResetMaxSigninSessionDuration)
    password = dict(_password(user))
    if Password is not None:
        password |= password_rules.hashed(ctx.world, user, Password)
    if PasswordResetRequired is not None:
        password["reset"] = PasswordResetRequired
    if MaxSigninSessionDuration is not None:
        password["max_signin_duration"] = MaxSigninSessionDuration
    if ResetMaxSigninSessionDuration:
        password.pop("max_signin_duration", None)
    _store(ctx, user, password)
    return {}


@operation("iam", "DeleteLoginProfile")
def delete_login_profile(ctx: Context, *, UserName: str | None = None) -> Result:
    """Take the password away; access keys still work."""
    user = _user(ctx, UserName)
    _password(user)
    _store(ctx, user, None)
    return {}


@operation("iam", "ChangePassword")
def change_password(ctx: Context, *, OldPassword: str, NewPassword: str) -> Result:
    """Change the caller's own password, which must be known."""
    caller = ctx.identity
    if caller.user is None:
        raise AwsError("InvalidUserType", "Only an IAM user can change a password.")
    user = caller.user
    authorize_change(ctx, user)
    password = _password(user)
    if not people.is_password(password, OldPassword) or OldPassword == NewPassword:
        raise access_denied("The old password was incorrect.")
    _store(ctx, user, {**password, **password_rules.hashed(ctx.world, user, NewPassword), "reset": False})
    return {}


# -- the account's password policy --------------------------------------------------------------------------------


class PasswordPolicy(TypedDict, total=False):
    """What an account asks of its users' passwords, with the names of the wire; what is left out gets its default."""

    MinimumPasswordLength: int
    RequireSymbols: bool
    RequireNumbers: bool
    RequireUppercaseCharacters: bool
    RequireLowercaseCharacters: bool
    AllowUsersToChangePassword: bool
    MaxPasswordAge: int
    PasswordReusePrevention: int
    HardExpiry: bool


DEFAULT_POLICY: Final[PasswordPolicy] = {
    "MinimumPasswordLength": 6,
    "RequireSymbols": False,
    "RequireNumbers": False,
    "RequireUppercaseCharacters": False,
    "RequireLowercaseCharacters": False,
    "AllowUsersToChangePassword": False,
}


@operation("iam", "UpdateAccountPasswordPolicy")
def update_account_password_policy(ctx: Context, **given: Unpack[PasswordPolicy]) -> Result:
    """Replace the policy as a whole, as AWS does."""
    permit(ctx, "UpdateAccountPasswordPolicy", "*")
    expires = bool(given.get("MaxPasswordAge"))
    account.change(ctx, password_policy={**DEFAULT_POLICY, **given, "ExpirePasswords": expires})
    return {}


@operation("iam", "GetAccountPasswordPolicy")
def get_account_password_policy(ctx: Context) -> Result:
    """The account's own policy; an error while it has none."""
    permit(ctx, "GetAccountPasswordPolicy", "*")
    policy = account.settings(ctx.world, ctx.identity.account).get("password_policy")
    if policy is None:
        raise AwsError("NoSuchEntity", f"The Password Policy with domain name {ctx.identity.account} cannot be found.")
    return {"PasswordPolicy": policy}


@operation("iam", "DeleteAccountPasswordPolicy")
def delete_account_password_policy(ctx: Context) -> Result:
    """Go back to AWS's default policy."""
    permit(ctx, "DeleteAccountPasswordPolicy", "*")
    if account.settings(ctx.world, ctx.identity.account).get("password_policy") is None:
        raise AwsError("NoSuchEntity", "The account policy with name PasswordPolicy cannot be found.")
    account.change(ctx, password_policy=None)
    return {}


# -- parts --------------------------------------------------------------------------------------------------------


def _user(ctx: Context, name: str | None) -> User:
    user = reach_user(ctx, name)
    if user is None:
        raise AwsError("ValidationError", "Must specify userName when calling with non-User credentials")
    return user


def _password(user: User) -> Result:
    password: Mapping[str, Any] | None = user.get("password")
    if not password:
        raise AwsError("NoSuchEntity", f"Login Profile for User {user['name']} cannot be found.")
    return password


def _store(ctx: Context, user: User, password: password_rules.Password | None) -> None:
    ctx.world.update(USER.kind, USER.key(user), changed(password=password))


def _shown(user: User, password: Mapping[str, Any]) -> Result:
    result = {"UserName": user["name"], "CreateDate": password["created"], "PasswordResetRequired": password["reset"]}
    if password.get("max_signin_duration"):
        result["MaxSigninSessionDuration"] = password["max_signin_duration"]
    return result
