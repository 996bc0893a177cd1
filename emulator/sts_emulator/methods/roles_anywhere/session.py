"""CreateSession: a certificate becomes the credentials of a role.

The order is AWS's as far as it is known: signature, certificate and path, revocation, profile, role, trust policy
(docs/aws/roles-anywhere.md, "Signature" to "Sessions"). Runs outside a transaction, so that a refusal is remembered
too.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from sts_emulator.accounts import resources
from sts_emulator.accounts.anywhere import AnywhereProfile, TrustAnchor
from sts_emulator.core import clock
from sts_emulator.core.errors import AwsError
from sts_emulator.core.world import World
from sts_emulator.methods.roles_anywhere import (
    anchors,
    attributes,
    certificates,
    paths,
    revocation,
    signature,
    subjects,
)
from sts_emulator.methods.roles_anywhere import kinds as nouns
from sts_emulator.methods.roles_anywhere.kinds import PRINCIPAL
from sts_emulator.policy.deciding.engine import Principal
from sts_emulator.policy.explaining.origin import CERTIFICATE, said
from sts_emulator.vending.assume import Ask, Proof, Vended, assume
from sts_emulator.vending.authorize import access_denied
from sts_emulator.vending.context import Context
from sts_emulator.vending.origin import Origin
from sts_emulator.vending.services import service_keys
from sts_emulator.wire.dispatch import Result, operation

if TYPE_CHECKING:
    from cryptography import x509

# AWS's words, each seen in a reply of the real service; AccessDeniedException, 403.
INVALID_SIGNATURE: Final = "Invalid signature"
NO_ANCHOR: Final = "Specified Trust Anchor wasn't found."
NO_PROFILE: Final = "Invalid or empty profile provided."
NOT_IN_PROFILE: Final = "Requested Role isn't one of those listed in the Profile."
NAME_REFUSED: Final = "Not authorized to set roleSessionName"

# Ours: what AWS says of these is not recorded.
ANCHOR_DISABLED: Final = "Specified Trust Anchor is disabled."
PROFILE_DISABLED: Final = "Specified Profile is disabled."


@operation("rolesanywhere", "CreateSession")
async def create_session(
    ctx: Context,
    *,
    profileArn: str,
    roleArn: str,
    trustAnchorArn: str,
    durationSeconds: int | None = None,
    roleSessionName: str = "",
    instanceProperties: Mapping[str, str] | None = None,
    **_deprecated: object,
) -> Result:
    """Vend a session of the role to whoever holds the key of a certificate that the trust anchor vouches for."""
    signer = _signer(ctx)
    ctx.region = signer.region
    anchor = _anchor(ctx, trustAnchorArn)
    await _trust(ctx, anchor, signer)
    try:
        vended = vend(ctx, anchor, signer.certificate, profileArn, roleArn, roleSessionName, durationSeconds)
    except AwsError:
        subjects.remember(ctx, anchor, signer.certificate, instanceProperties or {}, failed=True)
        raise
    subjects.remember(ctx, anchor, signer.certificate, instanceProperties or {}, failed=False)
    return _shown(vended, roleArn, subjects.arn_of(anchor, signer.certificate))


def _signer(ctx: Context) -> signature.Signer:
    assert ctx.request is not None, "the wire hands over the request"
    try:
        signer = signature.prove(ctx.request)
    except signature.ForgedError as why:
        raise _refused(ctx, INVALID_SIGNATURE, str(why)) from None
    certificate = signer.certificate
    ctx.evidence["certificate"] = {
        "serialNumber": certificates.serial(certificate),
        "subject": certificate.subject.rfc4514_string(),
        "issuer": certificate.issuer.rfc4514_string(),
        "notAfter": clock.iso(certificate.not_valid_after_utc.timestamp()),
    }
    return signer


def _anchor(ctx: Context, arn: str) -> TrustAnchor:
    anchor = nouns.find_by_arn(ctx.world, nouns.TRUST_ANCHOR, arn, ctx.region)
    if anchor is None:
        raise _refused(ctx, NO_ANCHOR, f"there is no trust anchor {arn} in {ctx.region}")
    ctx.evidence["trustAnchorArn"] = arn
    if not anchor["enabled"]:
        raise _refused(ctx, ANCHOR_DISABLED, "the trust anchor is disabled")
    return anchor


async def _trust(ctx: Context, anchor: TrustAnchor, signer: signature.Signer) -> None:
    """Refuse a certificate that has no valid path to the anchor, or that is revoked."""
    now, trusted = ctx.world.now(), anchors.trusted(ctx.world, anchor)
    try:
        path = paths.validate(signer.certificate, paths.read_chain(signer.chain), trusted, now)
        ctx.evidence["path"] = [link.subject.rfc4514_string() for link in path]
        revocation.check(path, trusted, revocation.imported(ctx.world, anchor))
        if anchor["crl_dp"]:
            await revocation.check_distribution_points(path, now, may_ask=ctx.server.settings.fetches_here)
    except paths.UntrustedError as why:
        if why.words == revocation.REVOKED:
            subjects.remember(ctx, anchor, signer.certificate, {}, failed=True)
        raise _refused(ctx, why.words, str(why)) from None


def vend(
    ctx: Context,
    anchor: TrustAnchor,
    certificate: x509.Certificate,
    profile_arn: str,
    role_arn: str,
    session_name: str,
    duration: int | None,
) -> Vended:
    """What comes behind the proof: the certificate, taken as trusted, becomes a session of the role or is refused.

    Raises:
        AwsError: AccessDenied.
    """
    profile = _profile(ctx, anchor, profile_arn)
    if session_name and not profile["accept_name"]:
        raise _refused(ctx, NAME_REFUSED, "the profile does not accept role session names")
    if role_arn not in profile["roles"]:
        raise _refused(ctx, NOT_IN_PROFILE, f"the profile does not list {role_arn}")
    lasting = duration if duration is not None else profile["duration"]
    unmapped = attributes.unmapped(certificate, profile["mappings"])
    try:
        tags = attributes.tags(certificate, profile["mappings"])
        origin = attributes.origin(tags, profile["tip"])
        ask = Ask(
            session_name=session_name or certificates.serial(certificate),
            duration=min(lasting, profile["duration"]),
            policy=profile["session_policy"],
            policy_arns=tuple(profile["policy_arns"]),
            tags=tags,
            source_identity=attributes.source_identity(certificate),
            role_arn=role_arn,
        )
    except ValueError as why:
        raise _refused(ctx, _unable(role_arn, unmapped), str(why)) from None
    proof = _proof(ctx.world, anchor, tags, origin, _unable(role_arn, unmapped))
    proof.witness = said(certificate.subject.rfc4514_string(), CERTIFICATE)
    try:
        return assume(ctx, proof, "sts:AssumeRole", resources.role_by_arn(ctx.world, role_arn), ask)
    except AwsError as error:
        if error.code == "AccessDenied":
            raise
        # AWS passes on what STS says about durations, and it is to be expected that it does so for all the rest.
        raise access_denied(f"{_unable(role_arn)} {error.message}") from None


def _profile(ctx: Context, anchor: TrustAnchor, arn: str) -> AnywhereProfile:
    profile = nouns.find_by_arn(ctx.world, nouns.PROFILE, arn, ctx.region)
    if profile is None or profile["account"] != anchor["account"]:
        raise _refused(ctx, NO_PROFILE, f"there is no profile {arn} beside the trust anchor")
    ctx.evidence["profileArn"] = arn
    if not profile["enabled"]:
        raise _refused(ctx, PROFILE_DISABLED, "the profile is disabled")
    return profile


def _proof(world: World, anchor: TrustAnchor, tags: Mapping[str, str], origin: Origin | None, denied: str) -> Proof:
    """What the service tells STS. The tags being set count as the principal's already, as AWS's samples need.

    Source: docs/aws/roles-anywhere.md, "Sessions".
    """
    context: dict[str, tuple[str, ...]] = {f"aws:principaltag/{key.lower()}": (value,) for key, value in tags.items()}
    context |= service_keys(world, PRINCIPAL, source_arn=anchor["arn"], source_account=anchor["account"])
    return Proof(
        method="RolesAnywhere", principal=Principal("service", PRINCIPAL), context=context, denied=denied, origin=origin
    )


def _unable(role_arn: str, unmapped: str = "") -> str:
    return f"Unable to assume role for {role_arn}" + (f". {unmapped}" if unmapped else "")


def _refused(ctx: Context, words: str, reason: str) -> AwsError:
    """AWS's words for the client, and the reason for the event."""
    ctx.evidence["refused"] = reason
    return access_denied(words)


def _shown(vended: Vended, role_arn: str, subject_arn: str) -> Result:
    credentials = vended.credentials
    return {
        "credentialSet": [
            {
                "assumedRoleUser": {"arn": vended.arn, "assumedRoleId": vended.role_id},
                "credentials": {**credentials.keys(), "expiration": credentials.expires},
                "packedPolicySize": vended.packed or 0,
                "roleArn": role_arn,
                "sourceIdentity": vended.session.source_identity,
            }
        ],
        "subjectArn": subject_arn,
    }
