"""Central root access: which features of it an organization has switched on, for its management account to say.

AWS asks for trusted access of IAM first (`organizations:EnableAWSServiceAccess`). Sentences without a source are ours.
"""

from __future__ import annotations

from typing import Final

from sts_emulator.accounts import documents, organizations
from sts_emulator.core.errors import AwsError
from sts_emulator.iam.permits import permit
from sts_emulator.vending.context import Context
from sts_emulator.wire.dispatch import Result, operation

SERVICE: Final = "iam.amazonaws.com"


@operation("iam", "ListOrganizationsFeatures")
def list_organizations_features(ctx: Context) -> Result:
    return _shown(_managed(ctx))


def _switch(name: str, feature: str, *, on: bool) -> None:
    @operation("iam", name)
    def switch(ctx: Context) -> Result:
        """Switch a feature on or off; once more changes nothing."""
        org = _managed(ctx)
        kept = [known for known in org.get("features", ()) if known != feature]
        features = sorted([*kept, feature] if on else kept)
        changed = ctx.world.update(documents.ORGANIZATION, "organization", lambda body: {**body, "features": features})
        return _shown(changed)


def _managed(ctx: Context) -> documents.Organization:
    """The organization that the caller manages, once IAM has trusted access to it.

    Raises:
        AwsError: AccessDenied; OrganizationNotFoundException; AccountNotManagementOrDelegatedAdministratorException;
            ServiceAccessNotEnabledException (its sentence recorded 2026-09).
    """
    permit(ctx, ctx.operation, "*")
    account = ctx.identity.account
    org = organizations.organization(ctx.world)
    if org is None or account not in org["parents"]:
        raise AwsError("OrganizationNotFoundException", f"Account {account} is not a member of an organization.")
    if account != org["management"]:
        message = f"Account {account} is neither the management account nor a delegated administrator."
        raise AwsError("AccountNotManagementOrDelegatedAdministratorException", message)
    if SERVICE not in org.get("trusted", {}):
        message = f"Trusted Access for IAM not enabled by organization of input account {account}."
        raise AwsError("ServiceAccessNotEnabledException", message)
    return org


def _shown(org: documents.Organization) -> Result:
    return {"OrganizationId": org["id"], "EnabledFeatures": list(org.get("features", ()))}


for _feature in ("RootCredentialsManagement", "RootSessions"):
    _switch(f"EnableOrganizations{_feature}", _feature, on=True)
    _switch(f"DisableOrganizations{_feature}", _feature, on=False)
