"""What is set for an application: scopes, grants, who may call for it, whether it must be assigned."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from sts_emulator.accounts import directory
from sts_emulator.identity.applications import change, reach
from sts_emulator.identity.permission import absent, invalid, page
from sts_emulator.policy.deciding.document import MalformedPolicy, parse
from sts_emulator.vending.context import Context
from sts_emulator.wire.dispatch import Result, operation

JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"
_GRANT_MEMBERS = {
    "authorization_code": "AuthorizationCode",
    "refresh_token": "RefreshToken",
    JWT_BEARER: "JwtBearer",
    "urn:ietf:params:oauth:grant-type:token-exchange": "TokenExchange",
}


# -- scopes -------------------------------------------------------------------------------------------------------


@operation("sso-admin", "PutApplicationAccessScope")
def put_scope(ctx: Context, *, ApplicationArn: str, Scope: str, AuthorizedTargets: Sequence[str] = ()) -> Result:
    _, application = reach(ctx, ApplicationArn)
    change(ctx, application, scopes={**application["scopes"], Scope: list(AuthorizedTargets)})
    return {}


@operation("sso-admin", "GetApplicationAccessScope")
def get_scope(ctx: Context, *, ApplicationArn: str, Scope: str) -> Result:
    _, application = reach(ctx, ApplicationArn)
    return _scope(_known(application["scopes"], Scope, "Access scope"), Scope)


@operation("sso-admin", "DeleteApplicationAccessScope")
def delete_scope(ctx: Context, *, ApplicationArn: str, Scope: str) -> Result:
    _, application = reach(ctx, ApplicationArn)
    _known(application["scopes"], Scope, "Access scope")
    change(ctx, application, scopes=_without(application["scopes"], Scope))
    return {}


@operation("sso-admin", "ListApplicationAccessScopes")
def list_scopes(ctx: Context, *, ApplicationArn: str, MaxResults: int | None = None, NextToken: str = "") -> Result:
    """All scopes of an application, ten at a time."""
    _, application = reach(ctx, ApplicationArn)
    listed = [_scope(targets, scope) for scope, targets in application["scopes"].items()]
    return page(ctx, "Scopes", listed, NextToken, MaxResults or 10)


def _scope(targets: list[str], scope: str) -> Result:
    return {"Scope": scope, "AuthorizedTargets": targets} if targets else {"Scope": scope}


# -- grants -------------------------------------------------------------------------------------------------------


@operation("sso-admin", "PutApplicationGrant")
def put_grant(ctx: Context, *, ApplicationArn: str, GrantType: str, Grant: Mapping[str, Any]) -> Result:
    """Let an application get tokens in a way; a JWT bearer grant names the issuers that it trusts."""
    instance, application = reach(ctx, ApplicationArn)
    if list(Grant) != [_GRANT_MEMBERS[GrantType]]:
        raise invalid(f"Grant must have {_GRANT_MEMBERS[GrantType]} for {GrantType}.")
    for issuer in Grant.get("JwtBearer", {}).get("AuthorizedTokenIssuers", ()):
        arn = issuer.get("TrustedTokenIssuerArn", "")
        known = ctx.world.get(directory.TRUSTED_ISSUER, arn)
        if known is None or known["instance"] != instance["id"]:
            raise absent("TrustedTokenIssuer", arn)
    change(ctx, application, grants={**application["grants"], GrantType: dict(Grant)})
    return {}


@operation("sso-admin", "GetApplicationGrant")
def get_grant(ctx: Context, *, ApplicationArn: str, GrantType: str) -> Result:
    """One way in which an application gets tokens."""
    _, application = reach(ctx, ApplicationArn)
    return {"Grant": _known(application["grants"], GrantType, "Grant")}


@operation("sso-admin", "DeleteApplicationGrant")
def delete_grant(ctx: Context, *, ApplicationArn: str, GrantType: str) -> Result:
    """Let an application get tokens in a way no more."""
    _, application = reach(ctx, ApplicationArn)
    _known(application["grants"], GrantType, "Grant")
    change(ctx, application, grants=_without(application["grants"], GrantType))
    return {}


@operation("sso-admin", "ListApplicationGrants")
def list_grants(ctx: Context, *, ApplicationArn: str, NextToken: str = "") -> Result:
    """All ways in which an application gets tokens."""
    _, application = reach(ctx, ApplicationArn)
    listed = [{"GrantType": kind, "Grant": grant} for kind, grant in application["grants"].items()]
    return page(ctx, "Grants", listed, NextToken, None)


# -- who may call -------------------------------------------------------------------------------------------------


@operation("sso-admin", "PutApplicationAuthenticationMethod")
def put_authentication_method(
    ctx: Context, *, ApplicationArn: str, AuthenticationMethodType: str, AuthenticationMethod: Mapping[str, Any]
) -> Result:
    """Say by a resource policy which principals of AWS may ask for tokens."""
    _, application = reach(ctx, ApplicationArn)
    if "Iam" not in AuthenticationMethod:
        raise invalid(f"AuthenticationMethod must have Iam for {AuthenticationMethodType}.")
    policy = AuthenticationMethod["Iam"]["ActorPolicy"]
    if not isinstance(policy, Mapping) or "Statement" not in policy:
        raise invalid("ActorPolicy must be a policy document.")
    kept = json.loads(json.dumps(policy))
    try:
        parse(json.dumps(kept))
    except MalformedPolicy as wrong:
        raise invalid(f"ActorPolicy cannot be read: {wrong.message}") from None
    change(ctx, application, actor_policy=kept)
    return {}


@operation("sso-admin", "GetApplicationAuthenticationMethod")
def get_authentication_method(ctx: Context, *, ApplicationArn: str, AuthenticationMethodType: str) -> Result:
    _, application = reach(ctx, ApplicationArn)
    policy = _known(application, "actor_policy", f"Authentication method {AuthenticationMethodType}")
    return {"AuthenticationMethod": {"Iam": {"ActorPolicy": policy}}}


@operation("sso-admin", "DeleteApplicationAuthenticationMethod")
def delete_authentication_method(ctx: Context, *, ApplicationArn: str, AuthenticationMethodType: str) -> Result:
    """Remove that policy: nobody may ask for tokens then."""
    _, application = reach(ctx, ApplicationArn)
    _known(application, "actor_policy", f"Authentication method {AuthenticationMethodType}")
    change(ctx, application, actor_policy=None)
    return {}


@operation("sso-admin", "ListApplicationAuthenticationMethods")
def list_authentication_methods(ctx: Context, *, ApplicationArn: str, NextToken: str = "") -> Result:
    """Whether there is such a policy, of which there is one at most."""
    _, application = reach(ctx, ApplicationArn)
    listed = []
    if "actor_policy" in application:
        method = {"Iam": {"ActorPolicy": application["actor_policy"]}}
        listed.append({"AuthenticationMethodType": "IAM", "AuthenticationMethod": method})
    return page(ctx, "AuthenticationMethods", listed, NextToken, None)


# -- the rest -----------------------------------------------------------------------------------------------------


@operation("sso-admin", "PutApplicationAssignmentConfiguration")
def put_assignment_configuration(ctx: Context, *, ApplicationArn: str, AssignmentRequired: bool) -> Result:
    """Say whether people must be assigned to use an application."""
    _, application = reach(ctx, ApplicationArn)
    change(ctx, application, assignment_required=AssignmentRequired)
    return {}


@operation("sso-admin", "GetApplicationAssignmentConfiguration")
def get_assignment_configuration(ctx: Context, *, ApplicationArn: str) -> Result:
    return {"AssignmentRequired": reach(ctx, ApplicationArn)[1]["assignment_required"]}


@operation("sso-admin", "PutApplicationSessionConfiguration")
def put_session_configuration(
    ctx: Context, *, ApplicationArn: str, UserBackgroundSessionApplicationStatus: str = "DISABLED"
) -> Result:
    """Say whether sessions may go on without their user; stored only."""
    _, application = reach(ctx, ApplicationArn)
    change(ctx, application, background_session=UserBackgroundSessionApplicationStatus)
    return {}


@operation("sso-admin", "GetApplicationSessionConfiguration")
def get_session_configuration(ctx: Context, *, ApplicationArn: str) -> Result:
    application = reach(ctx, ApplicationArn)[1]
    return {"UserBackgroundSessionApplicationStatus": application.get("background_session", "DISABLED")}


def _known(members: Mapping[str, object], name: str, what: str) -> Any:
    if name not in members:
        raise absent(what, name)
    return members[name]


def _without(members: Mapping[str, Any], name: str) -> Result:
    return {member: value for member, value in members.items() if member != name}
