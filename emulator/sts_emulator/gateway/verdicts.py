"""May this call pass: each of its needs is put to the engine, with the policy that the resource has at its upstream."""

from __future__ import annotations

import logging
from asyncio import sleep
from collections.abc import Sequence
from functools import partial
from typing import Final

from sts_emulator.accounts import documents, organizations
from sts_emulator.core.errors import AwsError
from sts_emulator.core.names import is_account_id
from sts_emulator.core.store import NotAtHandError
from sts_emulator.core.world import World
from sts_emulator.gateway import (
    given_arns,
    key_aliases,
    launch_templates,
    passed_roles,
    resource_tags,
    s3_conditions,
    table_keys,
)
from sts_emulator.gateway import map as actions
from sts_emulator.gateway.call import Need
from sts_emulator.gateway.large_bodies import is_large
from sts_emulator.gateway.map import Unmapped
from sts_emulator.gateway.passage import Passage
from sts_emulator.gateway.resource_policies import NOBODYS, Guarded, ResourcePolicies
from sts_emulator.policy.arns import parse_arn
from sts_emulator.policy.deciding.document import Document
from sts_emulator.policy.deciding.engine import Decision, PolicySet, Principal
from sts_emulator.policy.saving.control_policies import RESOURCE_SERVICES
from sts_emulator.vending.authorize import access_denied, consult, consult_unsigned, denial, refused
from sts_emulator.vending.context import Keys

log = logging.getLogger("emulator")

_ANONYMOUS = Principal("anonymous", "*")
SLICE: Final = 50
"""Needs that are decided before others have their turn: less than ten milliseconds."""


async def needs_of(passage: Passage, known: ResourcePolicies) -> tuple[Need, ...]:
    """What the caller needs for a call, by the map; dependent permissions where the settings ask for them.

    Raises:
        AwsError: the map has no line for the operation, and nothing says that it may pass nevertheless; or what it is
            about has an ARN that can be read in two ways.
    """
    call = passage.as_call()
    every = passage.ctx.server.settings.dependent_permissions
    if call.service == "ec2":
        call = await launch_templates.read_for(known, call)
    try:
        if call.service == "dynamodb" or is_large(passage.request.body):
            needs = await table_keys.required(passage, known, call)
        else:
            needs = actions.required(call)
    except Unmapped:
        named = f"{call.service}:{call.operation}"
        passage.ctx.evidence["unmapped"] = named
        if not passage.ctx.server.settings.allow_unmapped:
            told = (
                f"sts-emulator's map has no line for {named}, so it cannot be decided and is denied; "
                "`serve --allow-unmapped` lets such calls pass"
            )
            raise access_denied(told) from None
        log.warning("%s passes undecided: the map has no line for it, and --allow-unmapped is on", named)
        return ()
    if passed_roles.are_sought(needs):
        needs = await passed_roles.found(passage, call, needs)
    if every or call.service == "kms":
        needs = await key_aliases.named(passage, known, needs)
    given_arns.check(call.service, [need.resource for need in needs], call.region)
    return tuple([need for need in needs if not need.optional or (every and _is_named(need))])


def _is_named(need: Need) -> bool:
    """Whether the request tells which key it is: AWS's own keys, used otherwise, let everybody in by their service."""
    return not need.resource.endswith(":key/*")


async def allow(passage: Passage, known: ResourcePolicies, needs: Sequence[Need]) -> None:
    """Let a call go on, or refuse it. Raises AwsError, and what reading a policy raises."""
    for number, need in enumerate(needs, 1):
        decision, guarded = await decide(passage, known, need)
        if decision.verdict != "allow":
            raise await passage.read(partial(refusal, passage, need, decision, guarded))
        if not number % SLICE:
            await sleep(0)
    if passage.missing_alias:
        raise key_aliases.not_found(passage.missing_alias)
    passage.owner = _stranger(passage, needs)


def _stranger(passage: Passage, needs: Sequence[Need]) -> str:
    """The account that everything is of which a call is about, if that is not the caller's.

    The upstream has to be asked as that account: it would find a thing of the same name among the caller's own.
    """
    name = passage.signing_name
    owners = {arn.account for need in needs if (arn := parse_arn(need.resource)) is not None and arn.service == name}
    owner = owners.pop() if len(owners) == 1 else ""
    return owner if is_account_id(owner) and owner != passage.account else ""


async def decide(passage: Passage, known: ResourcePolicies, need: Need) -> tuple[Decision, Guarded]:
    """One question to the engine, and what the resource said for itself."""
    guarded = known.at_hand(need.resource, passage.account) or await guarded_by(passage, known, need.resource)
    owner = guarded.owner or passage.account
    try:
        decision = _asked(passage, need, guarded, owner)
    except NotAtHandError:
        decision = await passage.read_beside(partial(_asked, passage, need, guarded, owner))
    if isinstance(decision, frozenset):
        tags = await resource_tags.keys(known, need, owner, passage.ctx.region, decision, passage.bucket_tags)
        decision = await passage.read(partial(_asked, passage, need, guarded, owner, tags))
    assert isinstance(decision, Decision), "the tags are told"
    return decision, guarded


def _asked(
    passage: Passage, need: Need, guarded: Guarded, owner: str, tags: Keys | None = None
) -> Decision | frozenset[str]:
    """The engine's answer; but the kinds of tags of which the policies ask, where `tags` does not tell them yet."""
    ctx, caller = passage.ctx, passage.ctx.caller
    rcps = _control(passage, need, owner)
    if tags is None:
        wanted = resource_tags.wanted(_in_play(passage, guarded, rcps))
        if wanted:
            return wanted
    keys = {**need.keys, **_keys_of_call(passage, owner), **(tags or {})}
    if caller is None:
        side = PolicySet(trust=guarded.policy or NOBODYS, rcps=rcps, resource_account=owner)
        return consult_unsigned(ctx, _ANONYMOUS, need.action, need.resource, keys, side)
    policy = guarded.policy or (NOBODYS if owner != caller.account else None)
    return consult(ctx, caller, need.action, need.resource, keys, trust=policy, rcps=rcps, resource_account=owner)


async def guarded_by(passage: Passage, known: ResourcePolicies, resource: str) -> Guarded:
    """Whose a resource is, and what it says itself. Raises what reading it does."""
    accounts = partial(passage.read, partial(_accounts, passage.ctx.world))
    return await known.of(resource, passage.account, passage.ctx.region, accounts)


def _accounts(world: World) -> list[str]:
    return world.memo("accounts", lambda: [account["id"] for account in world.page(documents.ACCOUNT)])


def _in_play(passage: Passage, guarded: Guarded, rcps: organizations.Levels) -> list[Document]:
    """Every policy that has a say in whether a call passes."""
    caller = passage.ctx.caller
    documents = [guarded.policy] if guarded.policy is not None else []
    for level in rcps:
        documents += level
    if caller is None:
        return documents
    documents += caller.identity
    documents += caller.session_policies or ()
    documents += caller.scopes
    if caller.boundary is not None:
        documents.append(caller.boundary)
    for level in organizations.service_control(passage.ctx.world, caller.account):
        documents += level
    return documents


def _control(passage: Passage, need: Need, owner: str) -> organizations.Levels:
    caller, service = passage.ctx.caller, need.action.partition(":")[0]
    if caller is not None and organizations.is_exempt(caller.role):
        return ()
    return organizations.resource_control(passage.ctx.world, owner) if service in RESOURCE_SERVICES else ()


def _keys_of_call(passage: Passage, owner: str) -> Keys:
    """Condition keys that are the same for whatever the call does to what an account owns."""
    keys = passage.keys.get(owner)
    if keys is None:
        keys = {"aws:resourceaccount": (owner,), **organizations.resource_keys(passage.ctx.world, owner)}
        if passage.signing_name == "s3":
            keys |= {"s3:resourceaccount": (owner,), **s3_conditions.keys(passage)}
        passage.keys[owner] = keys
    return keys


def refusal(passage: Passage, need: Need, decision: Decision, guarded: Guarded) -> AwsError:
    """What a denied caller is told."""
    ctx, caller = passage.ctx, passage.ctx.caller
    if caller is None:
        return refused(
            ctx, f"An anonymous caller is not authorized to perform: {need.action} on resource: {need.resource}"
        )
    same_account = (guarded.owner or caller.account) == caller.account
    return refused(ctx, denial(ctx, caller, need.action, need.resource, decision, same_account=same_account))
