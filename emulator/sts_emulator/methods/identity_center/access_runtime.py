"""account-access-runtime: a person's token becomes a list of roles, and the credentials of one of them.

The service `account-access.amazonaws.com` assumes the role, for the application's account: the role's trust policy is
asked for sts:AssumeRole, sts:TagSession and sts:SetContext (docs/aws/identity-center.md, "Account access manager").
AWS's sentences are not recorded: those of refusals are the model's, and the reason stands in the event.
"""

from __future__ import annotations

from typing import Final

from sts_emulator.accounts import account_access, directory, resources
from sts_emulator.accounts.account_access import SERVICE, AccessApplication
from sts_emulator.control_plane.listing import Listing
from sts_emulator.core.errors import AwsError
from sts_emulator.core.world import World
from sts_emulator.methods.identity_center import portal_sessions
from sts_emulator.methods.identity_center.clients import ASSUME_ROLES, READ_ROLES
from sts_emulator.methods.identity_center.portal_sessions import PortalSession
from sts_emulator.policy.arns import account_in
from sts_emulator.policy.deciding.engine import Principal
from sts_emulator.policy.explaining.origin import IDENTITY_CENTER, said
from sts_emulator.policy.light_dataclass import dataclass
from sts_emulator.vending.assume import Ask, Proof, Vended, assume
from sts_emulator.vending.context import Context
from sts_emulator.vending.services import service_keys
from sts_emulator.wire.dispatch import Result, operation

ACTION: Final = "sts:AssumeRole"
NO_ENTITLEMENT: Final = "You are authenticated but not authorized to perform the requested action."
UNAUTHORIZED: Final = "The bearer token is missing, invalid, or expired."
_SHORTEST: Final = 900  # seconds, as STS has it; the model of this service sets no bounds
_MOST: Final = 100  # roles of a page: likewise
_LONGEST_TOKEN: Final = 4_096


def _invalid(message: str) -> AwsError:
    return AwsError("ValidationException", message)


page = Listing(_MOST, lambda: _invalid("The nextToken is not one of this list."), "nextToken").page


@operation("account-access-runtime", "ListRoles")
def list_roles(ctx: Context, *, tenantId: str, maxResults: int | None = None, nextToken: str = "") -> Result:
    visitor = _visitor(ctx, tenantId, READ_ROLES)
    if maxResults is not None and not 1 <= maxResults <= _MOST:
        raise _invalid(f"maxResults must be between 1 and {_MOST}.")
    roles = entitled(ctx.world, visitor)
    of = f"{visitor.application['arn']}/{visitor.session.person['id']}"
    return page(ctx, "roles", roles, nextToken, maxResults, lambda role: _shown(ctx, role), of=of)


@operation("account-access-runtime", "GetRoleCredentials")
def get_role_credentials(
    ctx: Context,
    *,
    tenantId: str,
    roleArn: str,
    sessionName: str = "",
    sessionDuration: int | None = None,
    **_: str,  # the type of access, of which there is one
) -> Result:
    """Credentials of a role to which the person is entitled, if the role trusts the service."""
    visitor = _visitor(ctx, tenantId, ASSUME_ROLES)
    if sessionDuration is not None and sessionDuration < _SHORTEST:
        raise _invalid(f"sessionDuration must be at least {_SHORTEST} seconds.")
    credentials = vend(ctx, visitor, roleArn, sessionName, sessionDuration).credentials
    access: Result = {**credentials.keys(), "expiresAt": credentials.expires}
    return {"credentialsDetails": {"programmaticAccess": access}}


# -- who asks -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Visitor:
    """A person who is signed in, and the application whose roles they ask for."""

    session: PortalSession
    application: AccessApplication


def _visitor(ctx: Context, tenant: str, scope: str) -> Visitor:
    """Raises AwsError: UnauthorizedException 401."""
    session = portal_sessions.holder(ctx.world, _bearer_token(ctx))
    if session is None:
        raise _unauthorized(ctx, "the token is none of this world, or it, its portal session or its user is over")
    ctx.evidence.update(session.evidence)
    if not portal_sessions.allows(ctx.world, session, scope):
        raise _unauthorized(ctx, f"the token is not for the scope {scope}: register the client with it")
    application = ctx.world.find(account_access.ACCESS_APPLICATION, tenant)
    if application is None or application["instance"] != session.instance["id"]:
        raise _unauthorized(ctx, f"the tenant {tenant} is not one of the person's instance of Identity Center")
    if not is_open(ctx.world, application, session):
        raise _unauthorized(ctx, "its application in Identity Center is gone or disabled, or not the person's")
    return Visitor(session, application)


def is_open(world: World, application: AccessApplication, session: PortalSession) -> bool:
    """Whether it is enabled in Identity Center, and the person's."""
    known = world.get(directory.APPLICATION, application["application"])
    return known is not None and known["status"] == "ENABLED" and directory.is_assigned(world, known, session.person)


def _bearer_token(ctx: Context) -> str:
    assert ctx.request is not None, "the wire hands over the request"
    scheme, _, token = ctx.request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not 0 < len(token) <= _LONGEST_TOKEN:
        raise _unauthorized(ctx, "the request has no header `Authorization: Bearer TOKEN`")
    return token


def entitled(world: World, visitor: Visitor) -> list[str]:
    """The ARNs of the roles, each once, though several groups should lead to it."""
    known = account_access.entitlements_of(world, visitor.application["arn"], visitor.session.person)
    return sorted({entitlement["role"] for entitlement in known})


def _shown(ctx: Context, role: str) -> dict[str, str]:
    account = account_in(role)
    name = resources.account_name(ctx.world, account)
    return {"accountId": account, "roleArn": role, **({"accountName": name} if name else {})}


# -- what they get ------------------------------------------------------------------------------------------------


def vend(ctx: Context, visitor: Visitor, role_arn: str, session_name: str, duration: int | None) -> Vended:
    """A session of the role. Raises AwsError: AccessDeniedException 403; ValidationException 400."""
    session = visitor.session
    if role_arn not in entitled(ctx.world, visitor):
        raise _refused(ctx, _missing(ctx, visitor, role_arn))
    if not account_access.is_member(ctx.world, account_in(role_arn)):
        raise _refused(ctx, "the role's account is not one of the organization any more")
    role = resources.role_by_arn(ctx.world, role_arn)
    if role is None:
        raise _refused(ctx, f"the role {role_arn} is gone")
    ask = Ask(
        # It writes ids of people, not their names: IAM User Guide, "Data protection in account access manager".
        session_name=session_name or session.person["id"],
        duration=duration,
        tags={**directory.session_tags(session.instance, session.person), **session.attributes},
        # Whom the trail tells of. The other kind of context would keep the session to what AWS's allow list has.
        provided=session.context(visitor.application["application"], audit_only=True),
        role_arn=role_arn,
        may_tag=True,  # without sts:TagSession in its trust policy a role is not to be had, as is reported
    )
    try:
        return assume(ctx, _proof(ctx, visitor), ACTION, role, ask)
    except AwsError as refusal:
        if refusal.code == "AccessDenied":
            raise
        raise _invalid(refusal.message) from None


def _proof(ctx: Context, visitor: Visitor) -> Proof:
    application = visitor.application
    keys = service_keys(ctx.world, SERVICE, source_arn=application["arn"], source_account=application["account"])
    return Proof(
        method="AccountAccess",
        principal=Principal("service", SERVICE),
        context=keys,
        denied=NO_ENTITLEMENT,
        witness=said(visitor.session.person["name"], IDENTITY_CENTER),
    )


def _missing(ctx: Context, visitor: Visitor, role_arn: str) -> str:
    """Which entitlement, or membership, is missing."""
    person, known = visitor.session.person, account_access.entitlements(ctx.world, visitor.application["arn"])
    groups = [
        entitlement["principal"]
        for entitlement in known
        if entitlement["role"] == role_arn and entitlement["principal_type"] == directory.GROUP
    ]
    sentence = f"{person['name']} has no entitlement to {role_arn[:2048]}"
    outside = directory.outside(ctx.world, person, groups)
    return (
        f"{sentence}: its groups are {outside}"
        if outside
        else f"{sentence}, and none of a group: create an entitlement"
    )


def _refused(ctx: Context, why: str) -> AwsError:
    ctx.evidence["refused"] = why
    return AwsError("AccessDeniedException", NO_ENTITLEMENT, status=403)


def _unauthorized(ctx: Context, why: str) -> AwsError:
    ctx.evidence["refused"] = why
    return AwsError("UnauthorizedException", UNAUTHORIZED)
