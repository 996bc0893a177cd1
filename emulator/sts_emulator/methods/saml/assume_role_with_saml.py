"""AssumeRoleWithSAML: a proven assertion becomes a session of the one role that it and the caller name."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from sts_emulator.accounts import documents, resources, single_use
from sts_emulator.accounts.documents import Role
from sts_emulator.accounts.propagation import key_hash
from sts_emulator.accounts.single_use import Kept
from sts_emulator.core.errors import AwsError
from sts_emulator.core.store import Kind
from sts_emulator.core.world import World
from sts_emulator.methods.assume_role.assume_role import check_role_arn
from sts_emulator.methods.saml import message
from sts_emulator.methods.saml.assertion_refusals import Refused, missing_pair, refused, unknown_provider
from sts_emulator.methods.saml.claims import Claims
from sts_emulator.methods.saml.verify import Trusted, verify
from sts_emulator.policy.arns import parse_arn
from sts_emulator.policy.deciding.engine import Principal
from sts_emulator.policy.explaining.origin import said
from sts_emulator.vending.assume import Ask, Proof, Vended, assume
from sts_emulator.vending.context import Context
from sts_emulator.vending.origin import Origin, UnfitContextError, propagated
from sts_emulator.vending.session_policies import arns
from sts_emulator.vending.tags import tag_map
from sts_emulator.wire.dispatch import Result, operation

ACTION = "sts:AssumeRoleWithSAML"
_SPENT: Final[Kind[Kept]] = Kind("spent-saml-assertion")


@operation("sts", "AssumeRoleWithSAML")
async def assume_role_with_saml(
    ctx: Context,
    *,
    RoleArn: str,
    PrincipalArn: str,
    SAMLAssertion: str,
    PolicyArns: list[Mapping[str, str]] | None = None,
    Policy: str = "",
    DurationSeconds: int | None = None,
    MinimumSessionTokenSize: int = 0,
) -> Result:
    """Vend a session of a role to whom a SAML provider vouches for (docs/aws/saml.md, "Assertion")."""
    check_role_arn(RoleArn)
    try:
        provider = trusted(ctx.world, PrincipalArn)
        now, sign_in = ctx.world.now(), f"{ctx.base_url}/saml"
        claims = await asyncio.to_thread(lambda: verify(provider, message.read(SAMLAssertion), now, sign_in))
        ask = Ask(
            "", DurationSeconds, Policy, arns(PolicyArns), role_arn=RoleArn, minimum_token_size=MinimumSessionTokenSize
        )
        vended = vend(ctx, provider, claims, ask)
    except Refused as no:
        ctx.evidence["refused"] = no.why
        raise
    return described(vended, provider, claims)


def trusted(world: World, arn: str) -> Trusted:
    """The SAML provider of that ARN.

    Raises:
        AwsError: ValidationError for what is no ARN; InvalidIdentityToken when there is no such provider.
    """
    if parse_arn(arn) is None:
        raise AwsError("ValidationError", f"{arn} is invalid")
    stored = world.find(documents.SAML_PROVIDER, arn)
    if stored is None:
        raise unknown_provider(arn)
    return Trusted.of(stored)


def vend(ctx: Context, provider: Trusted, claims: Claims, ask: Ask) -> Vended:
    """A session of the role that `ask` names for the bearer of proven claims, with what they say on top.

    Raises:
        AwsError: the role and provider are no pair of the assertion, or whatever `vending.assume` refuses.
    """
    ctx.evidence.update(_evidence(provider, claims))
    if (ask.role_arn, provider.arn) not in claims.roles:
        raise missing_pair(f"{ask.role_arn},{provider.arn}")
    full = _completed(ctx.world.now(), claims, ask)
    role = _assumable(ctx.world, provider, ask.role_arn)
    proof = _proof(provider, claims)
    if not provider.strict:
        return assume(ctx, proof, ACTION, role, full)
    # One transaction: an assertion is spent when it was good for a session, and then only once.
    with ctx.world.unit(lock=True):
        if not single_use.spend(ctx.world, _SPENT, claims.digest, int(claims.ends) + 1):
            raise refused("Response has been used before")
        return assume(ctx, proof, ACTION, role, full)


def described(vended: Vended, provider: Trusted, claims: Claims) -> Result:
    """The result: the session, who was vouched for (Audience is the Recipient), and the origin that the session got.

    The last is not told of an encrypted assertion, by STS's model. Source: docs/aws/saml.md, "Result".
    """
    return {
        **vended.to_wire(),
        "Subject": claims.subject,
        "SubjectType": claims.subject_type,
        "Issuer": claims.issuer,
        "Audience": claims.recipient,
        "NameQualifier": claims.name_qualifier(provider.account, provider.name),
        **(vended.origin.to_wire() if vended.origin and not claims.encrypted else {}),
    }


def _assumable(world: World, provider: Trusted, role_arn: str) -> Role | None:
    """The role, or None where AWS refuses whatever its trust policy says."""
    role = resources.role_by_arn(world, role_arn)
    if role is None or role["account"] != provider.account or role["name"].startswith("AWSReservedSSO_"):
        return None
    return role


def _completed(now: float, claims: Claims, ask: Ask) -> Ask:
    limits = [] if claims.session_ends is None else [int(claims.session_ends)]
    # it shortens a session, and never lengthens one (docs/aws/saml.md, "Durations")
    if claims.session_duration is not None:
        limits.append(int(now) + claims.session_duration)
    return replace(
        ask,
        session_name=claims.session_name,
        tags=tag_map(claims.tags),
        transitive=claims.transitive,
        source_identity=claims.source_identity,
        latest_expiry=min(limits, default=None),
    )


def _proof(provider: Trusted, claims: Claims) -> Proof:
    keys = claims.keys(provider.account, provider.name)
    lasting = {name: keys[name] for name in ("saml:namequalifier", "saml:sub", "saml:sub_type")}
    # What a federated caller is to a trust policy was observed on AWS
    # (docs/aws/policy-evaluation.md, "Condition keys"): an account and a type, the provider's ARN as its id, and no
    # aws:PrincipalArn.
    keys |= {"aws:principalaccount": (provider.account,), "aws:principaltype": ("User",), "aws:userid": (provider.arn,)}
    return Proof(
        method="AssumeRoleWithSAML",
        principal=Principal("saml", provider.arn, provider.account, id=provider.arn),
        context=keys,
        lasting=lasting,
        denied=f"Not authorized to perform {ACTION}",
        origin=_origin(provider, claims) if provider.propagation else None,
        witness=said(keys["saml:sub"][0], provider.arn),
    )


def _origin(provider: Trusted, claims: Claims) -> Origin:
    try:
        return propagated(provider.propagation, claims.texts, key_hash(claims.signer), provider.arn)
    except UnfitContextError as why:
        raise refused(f"Trusted identity propagation: {why}") from None


def _evidence(provider: Trusted, claims: Claims) -> Result:
    return {
        "method": "SAML",
        "provider": provider.arn,
        "assertion": claims.id,
        "issuer": claims.issuer,
        "nameQualifier": claims.name_qualifier(provider.account, provider.name),
        "subject": claims.subject,
        "recipient": claims.recipient,
        "audiences": list(claims.audiences),
        "roles": [list(pair) for pair in claims.roles],
    }
