"""The policies behind a user, group or role, each with the name that simulations and reports call it by."""

from __future__ import annotations

from sts_emulator.accounts import managed_policies
from sts_emulator.accounts.resources import Stored, key_of, managed_policy_text
from sts_emulator.core.errors import AwsError
from sts_emulator.core.world import World
from sts_emulator.iam.nouns import GROUP, ROLE, USER, AnyNoun
from sts_emulator.iam.permits import reach
from sts_emulator.policy.arns import parse_arn
from sts_emulator.policy.light_dataclass import dataclass
from sts_emulator.vending.context import Context

HOLDERS = {noun.segment: noun for noun in (USER, GROUP, ROLE)}


@dataclass(frozen=True, slots=True)
class Source:
    """One policy: its text, its id as IAM's simulator writes it, and where it comes from.

    `kind` is inline, aws-managed or user-managed; an inline policy has the kind and name of its `holder`, a managed
    one its `arn`.
    """

    id: str
    text: str
    kind: str = ""
    arn: str = ""
    name: str = ""
    holder: tuple[str, str] = ("", "")


def reach_holder(ctx: Context, arn: str) -> tuple[AnyNoun, Stored]:
    """The user, group or role of an ARN, of which only kind and name count, not the path (recorded 2026-09).

    Raises:
        AwsError: InvalidInput for what names none of them; AccessDenied; NoSuchEntity.
    """
    parts = parse_arn(arn)
    kind, _, rest = parts.resource.partition("/") if parts else ("", "", "")
    noun: AnyNoun | None = HOLDERS.get(kind)
    if parts is None or parts.service != "iam" or noun is None or not rest:
        raise AwsError("InvalidInput", f"Invalid Entity Arn: {arn} does not clearly define entity type and name.")
    return noun, reach(ctx, noun, rest.rsplit("/", 1)[-1])


def sources(world: World, noun: AnyNoun, holder: Stored) -> list[Source]:
    """The identity policies of a holder, of a user with those of its groups."""
    listed = _own(world, noun, holder)
    for name in holder.get("groups", ()):
        group = world.get(GROUP.kind, key_of(holder["account"], name))
        if group is not None:
            listed += _own(world, GROUP, group)
    return list({(source.id, source.arn): source for source in listed}.values())


def boundary(world: World, holder: Stored) -> Source | None:
    """The permissions boundary of a user or role, or None."""
    arn = holder.get("boundary")
    text = managed_policy_text(world, arn) if arn else None
    return _managed(arn, text) if arn and text else None


def _own(world: World, noun: AnyNoun, holder: Stored) -> list[Source]:
    where = (noun.segment, holder["name"])
    inline = [
        Source(f"{noun.segment}_{holder['name']}_{name}", text, "inline", name=name, holder=where)
        for name, text in sorted(holder["inline"].items())
    ]
    attached = ((arn, managed_policy_text(world, arn)) for arn in holder["attached"])
    return inline + [_managed(arn, text) for arn, text in attached if text]


def _managed(arn: str, text: str) -> Source:
    kind = "aws-managed" if arn.startswith(managed_policies.PREFIX) else "user-managed"
    return Source(arn.rsplit("/", 1)[1], text, kind, arn)
