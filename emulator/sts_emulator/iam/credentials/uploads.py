"""What users and accounts can upload to AWS, and not here: keys and certificates that vend no credentials.

Their lists are there, and empty, because tools read them before they delete a user.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sts_emulator.iam.paging import page
from sts_emulator.iam.permission import permit, reach_user
from sts_emulator.vending.context import Context
from sts_emulator.wire.dispatch import operation


@operation("iam", "ListSSHPublicKeys")
def list_ssh_public_keys(
    ctx: Context, *, UserName: str | None = None, Marker: str | None = None, MaxItems: int | None = None
) -> Mapping[str, Any]:
    """The SSH keys of a user: none."""
    reach_user(ctx, "ListSSHPublicKeys", UserName)
    return page(ctx, "SSHPublicKeys", (), Marker, MaxItems)


@operation("iam", "ListSigningCertificates")
def list_signing_certificates(
    ctx: Context, *, UserName: str | None = None, Marker: str | None = None, MaxItems: int | None = None
) -> Mapping[str, Any]:
    """The X.509 certificates of a user: none."""
    reach_user(ctx, "ListSigningCertificates", UserName)
    return page(ctx, "Certificates", (), Marker, MaxItems)


@operation("iam", "ListServerCertificates")
def list_server_certificates(
    ctx: Context, *, PathPrefix: str = "/", Marker: str | None = None, MaxItems: int | None = None
) -> Mapping[str, Any]:
    """The account's server certificates: none."""
    permit(ctx, "ListServerCertificates", f"arn:aws:iam::{ctx.identity.account}:server-certificate{PathPrefix}")
    return page(ctx, "ServerCertificateMetadataList", (), Marker, MaxItems)
