"""Session policies: what AWS refuses of them, and how much of a session's room they take with its tags."""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping, Sequence

from sts_emulator.accounts import resources
from sts_emulator.core.errors import AwsError
from sts_emulator.policy.arns import parse_arn
from sts_emulator.policy.deciding.document import MalformedPolicy
from sts_emulator.policy.saving.validate import validate
from sts_emulator.vending.context import Context

MAX_POLICY_ARNS = 10
MAX_PLAIN = 2048
"""Characters of the inline policy and the managed policies' ARNs together (API reference of AssumeRole, `Policy`)."""

# The packed binary format is not published. Policies and tags are deflated here, in percent of so many bytes; the
# number gives the one recorded value (16 for a policy of 155 bytes, 2026-09). What a web identity's claims take is
# counted in characters, by the four recorded values (24 to 26, 2026-09):
# docs/assume-role.md, "Session policies, and the size of the token".
PACKED_ALLOTMENT = 890
CLAIMS_ALLOTMENT = 1300
CLAIMS_AT_LEAST = 304


def arns(descriptors: Sequence[Mapping[str, str]] | None) -> tuple[str, ...]:
    """The ARNs of PolicyArns, as the wire gives them."""
    return tuple([descriptor.get("arn", "") for descriptor in descriptors]) if descriptors else ()


def check_session_policies(ctx: Context, account: str, policy: str, policy_arns: tuple[str, ...]) -> None:
    """Refuse session policies that AWS would refuse.

    Raises:
        AwsError: MalformedPolicyDocument; ValidationError for too many ARNs or one that is not a policy of `account`,
            and for too many characters.
    """
    if len(policy) + sum(map(len, policy_arns)) > MAX_PLAIN:
        # The text of the other operations, whose models have the limit; AssumeRole's own is not recorded.
        raise _too_long("policy", MAX_PLAIN)
    if policy:
        try:
            validate("session", policy)
        except MalformedPolicy as bad:
            raise AwsError("MalformedPolicyDocument", bad.message) from None
    if len(policy_arns) > MAX_POLICY_ARNS:
        raise _too_long("policyArns", MAX_POLICY_ARNS)
    for arn in policy_arns:
        parts = parse_arn(arn)
        if parts is None:
            raise AwsError("ValidationError", f"{arn} is invalid")
        if parts.account not in (account, "aws") or resources.managed_policy_text(ctx.world, arn) is None:
            # AWS's text is not recorded (docs/aws/sts.md, "Not recorded"): IAM's for a policy that cannot be attached.
            raise AwsError("MalformedPolicyDocument", f"Policy {arn} does not exist or is not attachable.")


def packed_size(policy: str, policy_arns: tuple[str, ...], tags: Mapping[str, str], claims: int = 0) -> int | None:
    """Percent of the allotted space that policies, tags and claims take; None when there are none.

    `claims`: characters of a web identity's claims that the session carries, CLAIMS_AT_LEAST among them.

    Raises:
        AwsError: PackedPolicyTooLarge above 100.
    """
    if not (policy or policy_arns or tags or claims):
        return None
    policies = _packed("".join([policy, *policy_arns])) if policy or policy_arns else 0
    tag_space = _packed(json.dumps(dict(tags))) if tags else 0
    if policies > 100:  # noqa: PLR2004 - percent
        raise _too_large(f"Packed policy consumes {policies}% of allotted space, please use smaller policy.")
    if tag_space > 100:  # noqa: PLR2004 - percent
        raise _too_large(f"Packed size of session tags consumes {tag_space}% of allotted space.")
    if claims:
        plain = claims + sum(map(len, (*tags, *tags.values())))
        return min(100, policies + _percent(plain, CLAIMS_ALLOTMENT))
    return min(100, policies + tag_space)


def _packed(text: str) -> int:
    return _percent(len(zlib.compress(text.encode())), PACKED_ALLOTMENT)


def _percent(part: int, whole: int) -> int:
    return -(-part * 100 // whole)


def _too_long(member: str, limit: int) -> AwsError:
    return AwsError(
        "ValidationError",
        f"1 validation error detected: Value at '{member}' failed to satisfy constraint: "
        f"Member must have length less than or equal to {limit}",
    )


def _too_large(message: str) -> AwsError:
    return AwsError("PackedPolicyTooLarge", message)
