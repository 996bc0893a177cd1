"""How the metadata services of an account's new instances are set up in a region, and whether all must ask for tokens.

Source: the operations' model; docs/aws/instance-metadata.md, "Defaults of an account".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from sts_emulator.accounts import compute
from sts_emulator.core.errors import AwsError
from sts_emulator.methods.instance_profile.instances import OPTION_NAMES
from sts_emulator.vending.authorize import authorize
from sts_emulator.vending.context import Context
from sts_emulator.wire.dispatch import Result, operation

_HOPS: Final = range(1, 65)
_NO_PREFERENCE: Final = ("no-preference", -1)
_ENFORCED: Final = "HttpTokensEnforced"
_LAUNCH: Final = (
    "You can't launch instances with IMDSv1 because httpTokensEnforced is enabled for this account. Either launch the "
    "instance with httpTokens=required or contact your account owner to disable httpTokensEnforced using the "
    "ModifyInstanceMetadataDefaults API or the account settings in the EC2 console."
)
_MODIFY: Final = "You can't set httpTokens to 'optional' because httpTokensEnforced is enabled for this account."


@operation("ec2", "ModifyInstanceMetadataDefaults")
def modify_instance_metadata_defaults(ctx: Context, *, DryRun: bool = False, **settings: str | int) -> Result:
    """Set defaults, or take them away with `no-preference`; instances that run stay as they are."""
    authorize(ctx, "ec2:ModifyInstanceMetadataDefaults", "*")
    hops = settings.get("HttpPutResponseHopLimit", 1)
    if hops not in _NO_PREFERENCE:
        check_hops(hops)
    dry_run(DryRun)
    merged = {**_stored(ctx), **settings}
    kept = {name: value for name, value in merged.items() if value not in _NO_PREFERENCE}
    ctx.world.put(compute.METADATA_DEFAULTS, _key(ctx), kept)
    return {"Return": True}


@operation("ec2", "GetInstanceMetadataDefaults")
def get_instance_metadata_defaults(ctx: Context, *, DryRun: bool = False) -> Result:
    """What is set; whatever is not said is left out."""
    authorize(ctx, "ec2:GetInstanceMetadataDefaults", "*")
    dry_run(DryRun)
    return {"AccountLevel": {**_stored(ctx), "ManagedBy": "account"}}


def of_launch(ctx: Context, asked: Mapping[str, str | int]) -> Mapping[str, str | int]:
    """The options of a new instance, as far as the request or the account say them; `asked` has the names of ours.

    Raises:
        AwsError: UnsupportedOperation where the account insists on tokens.
    """
    stored = _stored(ctx)
    options = {mine: stored[name] for name, mine in OPTION_NAMES.items() if name in stored} | dict(asked)
    if stored.get(_ENFORCED) == "enabled" and options.get("tokens") != "required":
        raise AwsError("UnsupportedOperation", _LAUNCH)
    return options


def check_change(ctx: Context, changed: Mapping[str, str | int]) -> None:
    """Refuse to let an instance do without tokens where the account insists on them.

    Raises:
        AwsError: UnsupportedOperation.
    """
    if changed.get("tokens") == "optional" and _stored(ctx).get(_ENFORCED) == "enabled":
        raise AwsError("UnsupportedOperation", _MODIFY)


def check_hops(hops: object) -> None:
    """Refuse a hop limit that there is none of. Raises AwsError: InvalidParameterValue."""
    if hops not in _HOPS:
        raise AwsError("InvalidParameterValue", f"Value ({hops}) for parameter HttpPutResponseHopLimit is invalid.")


def dry_run(asked: bool) -> None:
    """End a call that was only to tell whether it might be made. Raises AwsError: DryRunOperation."""
    if asked:
        raise AwsError("DryRunOperation", "Request would have succeeded, but DryRun flag is set.", status=412)


def _stored(ctx: Context) -> compute.MetadataDefaults:
    return ctx.world.get(compute.METADATA_DEFAULTS, _key(ctx)) or {}


def _key(ctx: Context) -> str:
    return f"{ctx.identity.account}/{ctx.region}"
