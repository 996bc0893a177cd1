"""Trust anchors: which certificate authorities an account trusts, from a bundle or from a Private CA.

The certificate of a Private CA is read from the world's `private-ca` document of that ARN.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from sts_emulator.accounts import documents
from sts_emulator.accounts.anywhere import TrustAnchor
from sts_emulator.core.world import World
from sts_emulator.methods.roles_anywhere import aliases, alike, certificates, notifications, tagging
from sts_emulator.methods.roles_anywhere import kinds as nouns
from sts_emulator.methods.roles_anywhere.kinds import TRUST_ANCHOR, invalid
from sts_emulator.policy.json_types import JsonObject
from sts_emulator.vending.context import Context
from sts_emulator.wire.dispatch import Result, operation

if TYPE_CHECKING:
    from cryptography import x509

BUNDLE: Final = "CERTIFICATE_BUNDLE"
PRIVATE_CA: Final = "AWS_ACM_PCA"

MAX_BUNDLE: Final = 2
"""Certificates of one anchor's bundle (docs/aws/roles-anywhere.md, "Errors")."""

# AWS's words, as reported for CreateTrustAnchor.
BAD_DATA: Final = "Error creating TrustAnchor. Bad certificate data"
BAD_CONSTRAINTS: Final = "Incorrect basic constraints for CA certificate"
BAD_PCA: Final = "Error creating TrustAnchor. Given AWS PCA did not allow get request."


@operation("rolesanywhere", "CreateTrustAnchor")
def create_trust_anchor(
    ctx: Context,
    *,
    name: str,
    source: JsonObject,
    enabled: bool = False,
    crlDpRevocationEnabled: bool = False,
    tags: Sequence[Mapping[str, str]] | None = None,
    notificationSettings: Sequence[JsonObject] | None = None,
    aliasName: str | None = None,
) -> Result:
    """Trust an authority's certificates. Without `enabled` the anchor begins disabled, as AWS's samples have it."""
    given, keys = tagging.new(ctx, tags)
    nouns.permit(ctx, "CreateTrustAnchor", "*", keys)
    own = {
        "source": _source(ctx.world, source),
        "crl_dp": crlDpRevocationEnabled,
        "notifications": notifications.merged({}, notificationSettings or ()),
        "tags": given,
        **aliases.claimed(ctx, TRUST_ANCHOR, aliasName),
    }
    return {"trustAnchor": detail(nouns.create(ctx, TRUST_ANCHOR, name, own, enabled=enabled))}


@operation("rolesanywhere", "UpdateTrustAnchor")
def update_trust_anchor(
    ctx: Context,
    *,
    trustAnchorId: str,
    name: str | None = None,
    source: JsonObject | None = None,
    crlDpRevocationEnabled: bool | None = None,
    aliasName: str | None = None,
) -> Result:
    """Change what the request has; what it leaves out stays."""
    before = nouns.reach(ctx, "UpdateTrustAnchor", TRUST_ANCHOR, trustAnchorId)
    return alike.updated(
        ctx,
        TRUST_ANCHOR,
        before,
        aliasName,
        detail,
        name=name,
        crl_dp=crlDpRevocationEnabled,
        source=None if source is None else _source(ctx.world, source),
    )


@operation("rolesanywhere", "PutNotificationSettings")
def put_notification_settings(
    ctx: Context, *, trustAnchorId: str, notificationSettings: notifications.Settings
) -> Result:
    """Set when and whether an anchor's owner is told of certificates that expire."""
    anchor = nouns.reach(ctx, "PutNotificationSettings", TRUST_ANCHOR, trustAnchorId)
    settings = notifications.merged(anchor["notifications"], notificationSettings)
    return {"trustAnchor": detail(nouns.change(ctx, TRUST_ANCHOR, anchor, notifications=settings))}


@operation("rolesanywhere", "ResetNotificationSettings")
def reset_notification_settings(
    ctx: Context, *, trustAnchorId: str, notificationSettingKeys: notifications.Settings
) -> Result:
    """Go back to AWS's defaults for the named events."""
    anchor = nouns.reach(ctx, "ResetNotificationSettings", TRUST_ANCHOR, trustAnchorId)
    settings = notifications.without(anchor["notifications"], notificationSettingKeys)
    return {"trustAnchor": detail(nouns.change(ctx, TRUST_ANCHOR, anchor, notifications=settings))}


def trusted(world: World, anchor: TrustAnchor) -> list[x509.Certificate]:
    """The certificates that an anchor stands for; empty when its Private CA is gone."""

    def read() -> list[x509.Certificate]:
        source = anchor["source"]
        authority = None if source.get("pem") else world.get(documents.PRIVATE_CA, source["pca"])
        pem = authority["certificate"] if authority else source.get("pem", "")
        return certificates.load_bundle(pem, MAX_BUNDLE) if pem else []

    return world.memo(("anchor", anchor["arn"]), read)


def detail(anchor: TrustAnchor) -> Result:
    """The TrustAnchorDetail structure."""
    source = anchor["source"]
    data = {"x509CertificateData": source["pem"]} if "pem" in source else {"acmPcaArn": source["pca"]}
    return {
        **nouns.shown(anchor, TRUST_ANCHOR),
        "source": {"sourceType": source["type"], "sourceData": data},
        "crlDpRevocationEnabled": anchor["crl_dp"],
        "notificationSettings": notifications.detail(anchor),
    }


def _source(world: World, source: Mapping[str, Any]) -> dict[str, str]:
    """A request's source as it is kept. Raises AwsError: ValidationException, in AWS's words where they are known."""
    kind, data = source.get("sourceType", ""), source.get("sourceData", {})
    if kind == BUNDLE and "x509CertificateData" in data:
        pem = data["x509CertificateData"]
        _check_bundle(pem)
        return {"type": kind, "pem": pem}
    if kind == PRIVATE_CA and "acmPcaArn" in data:
        if world.get(documents.PRIVATE_CA, data["acmPcaArn"]) is None:
            raise invalid(BAD_PCA)
        return {"type": kind, "pca": data["acmPcaArn"]}
    # SELF_SIGNED_REPOSITORY stands in the model, and nowhere is it said what data it has.
    raise invalid("Error creating TrustAnchor. The source's type and data do not belong together")


def _check_bundle(pem: str) -> None:
    try:
        bundle = certificates.load_bundle(pem, MAX_BUNDLE)
    except ValueError:
        raise invalid(BAD_DATA) from None
    for certificate in bundle:
        problem = certificates.authority_problem(certificate, named=True)
        if problem in (certificates.NO_AUTHORITY, certificates.NO_SIGNING):
            raise invalid(BAD_CONSTRAINTS)
        if problem:
            raise invalid(f"{BAD_DATA}: {problem}")


alike.declare(TRUST_ANCHOR, detail)
