"""Certificate revocation lists: imported for a trust anchor, replaced, enabled and disabled."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from typing import Final

from sts_emulator.accounts.anywhere import Crl
from sts_emulator.methods.roles_anywhere import aliases, alike, revocation, tagging
from sts_emulator.methods.roles_anywhere import kinds as nouns
from sts_emulator.methods.roles_anywhere.kinds import CRL, TRUST_ANCHOR, invalid
from sts_emulator.vending.context import Context
from sts_emulator.wire.dispatch import Result, operation

QUOTA: Final = 2
"""Lists of one trust anchor (docs/aws/roles-anywhere.md, "Errors")."""


@operation("rolesanywhere", "ImportCrl")
def import_crl(
    ctx: Context,
    *,
    name: str,
    crlData: bytes,
    trustAnchorArn: str,
    enabled: bool = False,
    tags: Sequence[Mapping[str, str]] | None = None,
    aliasName: str | None = None,
) -> Result:
    """Take a list for a trust anchor. PEM is documented and DER has been seen to work; both are taken."""
    given, keys = tagging.new(ctx, tags)
    nouns.permit(ctx, "ImportCrl", "*", keys)
    anchor = None if ":alias/" in trustAnchorArn else nouns.find(ctx, TRUST_ANCHOR, trustAnchorArn)
    if anchor is None:
        raise nouns.absent(TRUST_ANCHOR)
    if sum(crl["anchor"] == anchor["arn"] for crl in nouns.listed(ctx, CRL)) >= QUOTA:
        raise invalid(f"The limit of {QUOTA} per trust anchor is reached: {CRL.title}")
    own = {"anchor": anchor["arn"], "data": _checked(crlData), "tags": given, **aliases.claimed(ctx, CRL, aliasName)}
    return {"crl": detail(nouns.create(ctx, CRL, name, own, enabled=enabled))}


@operation("rolesanywhere", "UpdateCrl")
def update_crl(
    ctx: Context, *, crlId: str, name: str | None = None, crlData: bytes | None = None, aliasName: str | None = None
) -> Result:
    """Replace a list's content or name; the new content counts from the next call on."""
    before = nouns.reach(ctx, "UpdateCrl", CRL, crlId)
    data = None if crlData is None else _checked(crlData)
    return alike.updated(ctx, CRL, before, aliasName, detail, name=name, data=data)


def detail(crl: Crl) -> Result:
    """The CrlDetail structure."""
    return {**nouns.shown(crl, CRL), "crlData": base64.b64decode(crl["data"]), "trustAnchorArn": crl["anchor"]}


def _checked(data: bytes) -> str:
    """A list as it is kept. AWS's words for one that cannot be read are not recorded."""
    try:
        revocation.load(data)
    except ValueError:
        raise invalid("Bad CRL data") from None
    return base64.b64encode(data).decode()


alike.declare(CRL, detail)
